import { readFileSync } from 'node:fs';
import { type CompileOptions, compileOnnx } from '../../compiler/compile.ts';
import { describeError } from '../../onnx/refusal.ts';
import { COLOUR_SCALE, COLOUR_SHIFT, SPECIES } from './data.ts';

/** A request of seven bytes: species, body colour, accent colour. The seed decides everything else. */
export const SPRITES_OPTIONS: CompileOptions = {
  task: 'image generation: a creature of 32 x 32 pixels',
  inputs: [
    // Draws a little closer to the mean than the training did: fewer misshapen creatures, a little less variety.
    { kind: 'normal', graphInput: 'latent', deviation: 0.8 },
    { kind: 'label', graphInput: 'species', labels: SPECIES },
    {
      kind: 'bytes',
      graphInput: 'body',
      scale: COLOUR_SCALE / 255,
      shift: COLOUR_SHIFT,
      description: 'red, green, blue of the body',
    },
    {
      kind: 'bytes',
      graphInput: 'accent',
      scale: COLOUR_SCALE / 255,
      shift: COLOUR_SHIFT,
      description: 'red, green, blue of the accent',
    },
  ],
  outputs: [{ kind: 'image', graphOutput: 'image' }],
  // An orange owl with a blue belly.
  example: { input: Uint8Array.of(4, 232, 140, 48, 96, 150, 235), seed: 7n },
};

/** The committed ONNX file. */
export function spritesOnnx(): Uint8Array {
  return readFileSync(new URL('model.onnx', import.meta.url));
}

/** The core module of the sprite generator, compiled from the committed `model.onnx`; always the same bytes. */
export function buildSpritesCore(): Uint8Array {
  const compiled = compileOnnx(spritesOnnx(), SPRITES_OPTIONS);
  if (!compiled.ok) throw new Error(`model.onnx does not compile: ${describeError(compiled.error)}`);
  return compiled.value.module;
}
