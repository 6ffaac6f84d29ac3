/** The ONNX reader and compiler take files from anybody: any bytes give a module or a typed refusal, never an exception. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { compileOnnx } from '#wasm-modules/compiler/compile.ts';
import { float, floatTensor, int, ints, intTensor, modelOf, node } from '#wasm-modules/testing/graph.ts';
import { fuzzRuns } from './runs.ts';

const numRuns = fuzzRuns(1500);

/** A graph in which most lowerings occur. */
const SEED = modelOf(
  [
    node('Gemm', 'a', ['x', 'w', 'b'], ['h'], { alpha: float(0.5), transB: int(1) }),
    node('Reshape', 'b', ['h', 'shape'], ['r']),
    node('ConvTranspose', 'c', ['r', 'k'], ['u'], {
      strides: ints(2, 2),
      pads: ints(1, 1, 1, 1),
      output_padding: ints(1, 0),
    }),
    node('Conv', 'd', ['u', 'k'], ['v'], { dilations: ints(1, 1) }),
    node('LeakyRelu', 'e', ['v'], ['l'], { alpha: float(0.2) }),
    node('Transpose', 'f', ['l'], ['t'], { perm: ints(0, 1, 3, 2) }),
    node('Slice', 'g', ['t', 'from', 'to', 'axes'], ['s']),
    node('Concat', 'h', ['s', 's'], ['cc'], { axis: int(-1) }),
    node('Add', 'i', ['cc', 'one'], ['y']),
  ],
  {
    constants: [
      floatTensor(
        'w',
        [4, 3],
        Array.from({ length: 12 }, (_, i) => i / 4),
      ),
      floatTensor('b', [4], [1, 2, 3, 4]),
      floatTensor('k', [1, 1, 2, 2], [1, -1, 2, -2]),
      floatTensor('one', [], [1]),
      intTensor('shape', [1, 1, 2, -1]),
      intTensor('from', [0]),
      intTensor('to', [1]),
      intTensor('axes', [2]),
    ],
    inputs: [{ name: 'x', dtype: 1, dims: [1, 3] }],
  },
);

const edit = fc.record({
  kind: fc.constantFrom('flip' as const, 'cut' as const, 'repeat' as const),
  at: fc.nat(SEED.length - 1),
  length: fc.nat(24),
  value: fc.nat(255),
});

function apply(
  bytes: Uint8Array,
  { kind, at, length, value }: { kind: 'flip' | 'cut' | 'repeat'; at: number; length: number; value: number },
): Uint8Array {
  if (kind === 'cut') return Uint8Array.from([...bytes.subarray(0, at), ...bytes.subarray(at + length)]);
  if (kind === 'repeat') return Uint8Array.from([...bytes.subarray(0, at + length), ...bytes.subarray(at)]);
  return bytes.map((byte, i) => (i === at ? value : byte));
}

function expose(bytes: Uint8Array): void {
  const compiled = compileOnnx(bytes);
  if (compiled.ok) expect(WebAssembly.validate(new Uint8Array(compiled.value.module))).toBe(true);
  else expect(compiled.error.reason).not.toBe('');
}

test('the seed itself compiles', () => {
  expect(compileOnnx(SEED)).toMatchObject({ ok: true });
});

test('an edited model compiles or is refused', () => {
  fc.assert(
    fc.property(fc.array(edit, { minLength: 1, maxLength: 4 }), (edits) => expose(edits.reduce(apply, SEED))),
    { numRuns },
  );
});

test('any bytes are refused or compile', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => expose(bytes)),
    { numRuns },
  );
});
