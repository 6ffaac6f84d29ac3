import { readFileSync } from 'node:fs';
import { type CompileOptions, compileOnnx } from '../../compiler/compile.ts';
import { describeError } from '../../onnx/refusal.ts';
import { createRandom } from '../../training/random.ts';
import { drawPair } from './data.ts';
import { BYTE_SCALE, BYTE_SHIFT } from './network.ts';

/** A request is a picture of 16 x 16 pixels, three bytes each; the answer one of 32 x 32. */
export const ENLARGER_OPTIONS: CompileOptions = {
  task: 'super-resolution: a picture of 16 x 16 pixels becomes one of 32 x 32',
  inputs: [
    {
      kind: 'bytes',
      graphInput: 'picture',
      scale: BYTE_SCALE,
      shift: BYTE_SHIFT,
      description: 'rows from top to bottom, RGB',
    },
  ],
  outputs: [{ kind: 'image', graphOutput: 'image' }],
  example: { input: drawPair(createRandom(7)).small, seed: 0n },
};

/** The committed ONNX file. */
export function enlargerOnnx(): Uint8Array {
  return readFileSync(new URL('model.onnx', import.meta.url));
}

/** The core module, compiled from the committed `model.onnx`; always the same bytes. */
export function buildEnlargerCore(): Uint8Array {
  const compiled = compileOnnx(enlargerOnnx(), ENLARGER_OPTIONS);
  if (!compiled.ok) throw new Error(`model.onnx does not compile: ${describeError(compiled.error)}`);
  return compiled.value.module;
}
