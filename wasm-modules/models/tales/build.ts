import { readFileSync } from 'node:fs';
import { type CompileOptions, compileOnnx } from '../../compiler/compile.ts';
import { describeError } from '../../onnx/refusal.ts';
import { encodeText } from '../../text.ts';
import { PROMPT } from './data.ts';

/** The temperature of a request that says none, in hundredths. */
const WARMTH = 100;

/** A request is the prompt, with byte 0 before it where it is short, and the temperature in hundredths: 33 bytes. */
export function talesRequest(prompt: string, warmth = WARMTH): Uint8Array {
  const bytes = encodeText('prompt', prompt, PROMPT);
  if (!bytes.ok) throw new Error(bytes.error);
  return Uint8Array.from([...bytes.value, warmth]);
}

/** The seed decides the noise that chooses each byte. */
export const TALES_OPTIONS: CompileOptions = {
  task: 'text generation: goes on with a short tale, 96 bytes at most',
  inputs: [
    { kind: 'text', graphInput: 'prompt', description: 'how the tale begins; nothing for a whole one' },
    {
      kind: 'bytes',
      graphInput: 'temperature',
      scale: 0.01,
      shift: 0,
      description: 'temperature in hundredths: 0 takes the likeliest byte, 100 draws as often as was learned',
      default: WARMTH,
    },
    { kind: 'normal', graphInput: 'noise', deviation: 1 },
  ],
  outputs: [{ kind: 'text', graphOutput: 'answer', description: 'what follows, to the end of the tale' }],
  example: { input: talesRequest('Once upon'), seed: 7n },
};

/** The committed ONNX file. */
export function talesOnnx(): Uint8Array {
  return new Uint8Array(readFileSync(new URL('model.onnx', import.meta.url)));
}

/** The core module of the teller, compiled from an ONNX file, by default the committed one; always the same bytes. */
export function buildTalesCore(onnx: Uint8Array = talesOnnx()): Uint8Array {
  const compiled = compileOnnx(onnx, TALES_OPTIONS);
  if (!compiled.ok) throw new Error(`model.onnx does not compile: ${describeError(compiled.error)}`);
  return compiled.value.module;
}
