import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Attribute, DataType, Tensor } from '../../onnx/model.ts';
import { codeOf, widthOf } from '../../onnx/model.ts';
import { describeError } from '../../onnx/refusal.ts';
import { modelOf, node } from '../../testing/graph.ts';
import { compileOnnx } from '../compile.ts';
import { openCore } from '../harness.ts';
import type { Lowering } from '../operator.ts';
import { ACTIVATION } from './activation.ts';
import { ARRANGEMENT } from './arrange.ts';
import { ATTENTION } from './attention.ts';
import { BITS } from './bits.ts';
import { RECURRENT } from './cells.ts';
import { EINSUM } from './einsum.ts';
import { NORMALIZATION } from './normalize.ts';
import { PICKING } from './pick.ts';
import { POOLING } from './pool.ts';
import { REDUCTION } from './reduce.ts';
import { RESIZE } from './resize.ts';
import { RUNNING } from './running.ts';
import { SCATTERING } from './scatter.ts';
import { TOP } from './topk.ts';
import { WINDOW } from './window.ts';

const OPERATORS: readonly (readonly [string, Lowering])[] = Object.entries({
  ...ACTIVATION,
  ...ARRANGEMENT,
  ...ATTENTION,
  ...BITS,
  ...EINSUM,
  ...NORMALIZATION,
  ...PICKING,
  ...POOLING,
  ...RECURRENT,
  ...REDUCTION,
  ...RESIZE,
  ...RUNNING,
  ...SCATTERING,
  ...TOP,
  ...WINDOW,
});

const dims = fc.array(fc.integer({ min: 0, max: 3 }), { maxLength: 5 });
const dtype = fc.constantFrom<DataType>('float32', 'float32', 'float32', 'int64', 'int32', 'bool', 'uint8', 'float64');
const element = fc.constantFrom(-7, -2, -1, 0, 1, 2, 3, 5);

/** A tensor that the graph takes, or one that it has. */
const tensor = fc.record({
  dtype,
  dims,
  constant: fc.boolean(),
  values: fc.array(element, { minLength: 1, maxLength: 4 }),
});

const attribute: fc.Arbitrary<Attribute> = fc.oneof(
  fc.bigInt({ min: -3n, max: 4n }).map((value) => ({ kind: 'int', value }) as const),
  fc.array(fc.bigInt({ min: -3n, max: 4n }), { maxLength: 4 }).map((value) => ({ kind: 'ints', value }) as const),
  fc.constantFrom(-1, 0, 0.5, 2, 1e30, Number.NaN).map((value) => ({ kind: 'float', value }) as const),
  fc
    .constantFrom(
      'linear',
      'cubic',
      'add',
      'LEFT',
      'SAME_LOWER',
      'bidirectional',
      'ij,jk->ik',
      '...i->...',
      'align_corners',
      '?',
    )
    .map((value) => ({ kind: 'string', value }) as const),
);

function tensorOf(name: string, given: { dtype: DataType; dims: number[]; values: number[] }): Tensor {
  const length = given.dims.reduce((a, b) => a * b, 1);
  const data = new Uint8Array(length * widthOf(given.dtype));
  const view = new DataView(data.buffer);
  for (let i = 0; i < length; i++) {
    const value = given.values[i % given.values.length] ?? 0;
    if (given.dtype === 'float32') view.setFloat32(i * 4, value, true);
    else if (given.dtype === 'float64') view.setFloat64(i * 8, value, true);
    else if (given.dtype === 'int64') view.setBigInt64(i * 8, BigInt(value), true);
    else if (given.dtype === 'int32') view.setInt32(i * 4, value, true);
    else view.setUint8(i, value & (given.dtype === 'bool' ? 1 : 255));
  }
  return { name, dtype: given.dtype, dims: given.dims, data };
}

test('any node of any operator compiles and then runs, or is refused: nothing throws or traps', () => {
  let ran = 0;
  fc.assert(
    fc.property(
      fc.constantFrom(...OPERATORS.keys()),
      fc.array(fc.option(tensor, { nil: undefined, freq: 8 }), { minLength: 8, maxLength: 8 }),
      dims,
      fc.boolean(),
      fc.array(attribute, { minLength: 12, maxLength: 12 }),
      fc.integer({ min: 0, max: 4095 }),
      fc.constantFrom(9, 11, 18, 24),
      (at, all, shared, same, values, which, opset) => {
        const [op, lowering] = OPERATORS[at] ?? expect.fail('no operator');
        const [least, most] = lowering.inputs;
        const count = Math.min(most, Math.max(least, which % 9), 8);
        const given = all.slice(0, count).map((own) => own && (same ? { ...own, dims: shared } : own));
        const attributes = Object.fromEntries(
          lowering.attributes.flatMap((name, i) => {
            const value = values[i % values.length];
            return (which >> i) % 4 === 0 && value !== undefined ? [[name, value] as const] : [];
          }),
        );
        const named = given.flatMap((own, i) => (own === undefined ? [] : [{ name: `x${i}`, ...own }]));
        const names = given.map((own, i) => (own === undefined ? '' : `x${i}`));
        const graph = modelOf([node(op, 'the-node', names, ['y'], attributes)], {
          opset,
          constants: named.filter(({ constant }) => constant).map((own) => tensorOf(own.name, own)),
          inputs: named
            .filter(({ constant }) => !constant)
            .map((own) => ({ name: own.name, dtype: codeOf(own.dtype), dims: own.dims })),
        });
        const compiled = compileOnnx(graph);
        if (!compiled.ok) {
          expect(describeError(compiled.error)).not.toMatch(/undefined|NaN,|\[object/);
          return;
        }
        // A model may refuse an index, but it must answer.
        openCore(compiled.value.module).infer(new Uint8Array(compiled.value.requestBytes).fill(1), 0n);
        ran++;
      },
    ),
    { numRuns: 3_000 },
  );
  // Enough of them must be real for this test to mean something.
  expect(ran).toBeGreaterThan(200);
});
