import { readFileSync } from 'node:fs';
import { type CompileOptions, compileOnnx } from '../../compiler/compile.ts';
import { describeError } from '../../onnx/refusal.ts';
import { createRandom } from '../../training/random.ts';
import { SPECIES, takePhoto } from './data.ts';
import { BYTE_SCALE, BYTE_SHIFT } from './network.ts';

/** A request is a picture of 32 x 32 pixels, three bytes each; the answer a probability for each species. */
export const CLASSIFIER_OPTIONS: CompileOptions = {
  task: 'image classification: which creature is on a picture of 32 x 32 pixels',
  inputs: [
    {
      kind: 'bytes',
      graphInput: 'photo',
      scale: BYTE_SCALE,
      shift: BYTE_SHIFT,
      description: 'rows from top to bottom, RGB',
    },
  ],
  outputs: [{ kind: 'tensor', graphOutput: 'probabilities', labels: SPECIES }],
  example: { input: takePhoto(createRandom(7)).pixels, seed: 0n },
};

/** The committed ONNX file. */
export function classifierOnnx(): Uint8Array {
  return readFileSync(new URL('model.onnx', import.meta.url));
}

/** The core module of the classifier, compiled from the committed `model.onnx`; always the same bytes. */
export function buildClassifierCore(): Uint8Array {
  const compiled = compileOnnx(classifierOnnx(), CLASSIFIER_OPTIONS);
  if (!compiled.ok) throw new Error(`model.onnx does not compile: ${describeError(compiled.error)}`);
  return compiled.value.module;
}
