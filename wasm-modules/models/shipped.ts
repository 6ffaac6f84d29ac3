import type { CompileOptions } from '../compiler/compile.ts';

/** A shipped model as it is compiled: the committed ONNX file, and how pictures, texts and words reach its graph. */
export interface ShippedModel {
  readonly onnx: Uint8Array;
  readonly options: CompileOptions;
}

/** The shipped models by their names; each is loaded when it is asked for. */
export const SHIPPED: ReadonlyMap<string, () => Promise<ShippedModel>> = new Map([
  [
    'classifier',
    async () => {
      const { classifierOnnx, CLASSIFIER_OPTIONS } = await import('./classifier/build.ts');
      return { onnx: classifierOnnx(), options: CLASSIFIER_OPTIONS };
    },
  ],
  [
    'enlarger',
    async () => {
      const { enlargerOnnx, ENLARGER_OPTIONS } = await import('./enlarger/build.ts');
      return { onnx: enlargerOnnx(), options: ENLARGER_OPTIONS };
    },
  ],
  [
    'sprites',
    async () => {
      const { spritesOnnx, SPRITES_OPTIONS } = await import('./sprites/build.ts');
      return { onnx: spritesOnnx(), options: SPRITES_OPTIONS };
    },
  ],
  [
    'tales',
    async () => {
      const { talesOnnx, TALES_OPTIONS } = await import('./tales/build.ts');
      return { onnx: talesOnnx(), options: TALES_OPTIONS };
    },
  ],
]);
