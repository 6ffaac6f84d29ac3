import fc from 'fast-check';
import { expect, test } from 'vitest';
import { runTyped, type TypedTensor } from '#test/onnx/onnxruntime.ts';
import { type Attribute, codeOf, type DataType } from '../onnx/model.ts';
import { describeError } from '../onnx/refusal.ts';
import { floatTensor, int, intTensor, modelOf, node } from '../testing/graph.ts';
import { createRandom } from '../training/random.ts';
import { type CompiledModel, type CompileOptions, compileOnnx } from './compile.ts';
import { openCore } from './harness.ts';

const RUNS = 60;

type Numbers = TypedTensor['dtype'];

const VIEWS = {
  float32: Float32Array,
  int32: Int32Array,
  int64: BigInt64Array,
  uint8: Uint8Array,
  int8: Int8Array,
  bool: Uint8Array,
} as const;

/** Small whole numbers, which every type holds; none of them 0 where asked. */
function tensor(dtype: Numbers, dims: readonly number[], seed: number, nonZero = false): TypedTensor {
  const random = createRandom(seed);
  const signed = dtype !== 'uint8' && dtype !== 'bool';
  const length = dims.reduce((product, d) => product * d, 1);
  const numbers = Array.from({ length }, () => {
    const v = dtype === 'bool' ? Number(random.normal() > 0) : Math.round(random.normal() * 6) || 0;
    return nonZero && v === 0 ? 3 : signed ? v : Math.abs(v);
  });
  const data = dtype === 'int64' ? BigInt64Array.from(numbers, BigInt) : VIEWS[dtype].from(numbers);
  return { dtype, dims, data };
}

interface Case {
  readonly op: string;
  readonly inputs: readonly TypedTensor[];
  readonly attributes?: Readonly<Record<string, Attribute>>;
  readonly result: DataType;
  readonly constants?: CompileOptions['constants'];
}

function graphOf({ op, inputs, attributes, result }: Case): Uint8Array {
  const names = inputs.map((_, i) => `x${i}`);
  return modelOf([node(op, 'the-node', names, ['y'], attributes)], {
    opset: 18,
    inputs: inputs.map(({ dtype, dims }, i) => ({ name: `x${i}`, dtype: codeOf(dtype), dims })),
    outputs: [{ name: 'y', dtype: codeOf(result), dims: undefined }],
  });
}

function infer(model: CompiledModel, inputs: readonly TypedTensor[]): Uint8Array {
  const request = new Uint8Array(model.requestBytes);
  let at = 0;
  for (const { data } of inputs) {
    request.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), at);
    at += data.byteLength;
  }
  const answer = openCore(model.module).infer(request, 0n);
  if (!answer.ok) throw new Error(answer.error);
  return answer.value;
}

/** Compiles and runs a case here and in ONNX Runtime; shapes and elements must be the same. */
async function compare(given: Case): Promise<void> {
  const bytes = graphOf(given);
  const compiled = compileOnnx(bytes, given.constants === undefined ? {} : { constants: given.constants });
  if (!compiled.ok) throw new Error(describeError(compiled.error));
  const asked = given.inputs.filter((_, i) => given.constants?.has(`x${i}`) !== true);
  const got = infer(compiled.value, asked);
  const [expected] = await runTyped(bytes, Object.fromEntries(given.inputs.map((input, i) => [`x${i}`, input])));
  const [output] = compiled.value.outputs;
  expect(output).toMatchObject({ dtype: given.result, shape: [...(expected?.dims ?? [])] });
  const view = VIEWS[given.result as Numbers];
  expect([...new view(got.slice().buffer)]).toEqual([...(expected?.data ?? [])]);
}

const size = fc.integer({ min: 1, max: 4 });
const seeds = fc.integer({ min: 0, max: 1 << 30 });
const ints = fc.constantFrom<Numbers>('int32', 'int64');
const numbers = fc.constantFrom<Numbers>('float32', 'int32', 'int64');
/** Two shapes that broadcast. */
const shapes = fc
  .tuple(size, size, fc.integer({ min: 0, max: 4 }))
  .map(([m, n, kind]): readonly [number[], number[]] => {
    const second = [[m, n], [n], [m, 1], [1, n], []][kind] ?? [];
    return [[m, n], second];
  });

test('arithmetic of integers agrees with ONNX Runtime', async () => {
  const operator = fc.constantFrom('Add', 'Sub', 'Mul', 'Div', 'Max', 'Min', 'Mod');
  await fc.assert(
    fc.asyncProperty(operator, ints, shapes, seeds, async (op, dtype, [a, b], seed) => {
      await compare({ op, inputs: [tensor(dtype, a, seed), tensor(dtype, b, seed + 1, true)], result: dtype });
    }),
    { numRuns: RUNS },
  );
});

test('comparisons agree with ONNX Runtime', async () => {
  const operator = fc.constantFrom('Less', 'Greater', 'LessOrEqual', 'GreaterOrEqual', 'Equal');
  await fc.assert(
    fc.asyncProperty(operator, numbers, shapes, seeds, async (op, dtype, [a, b], seed) => {
      await compare({ op, inputs: [tensor(dtype, a, seed), tensor(dtype, b, seed + 1)], result: 'bool' });
    }),
    { numRuns: RUNS },
  );
});

test('logic agrees with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(fc.constantFrom('And', 'Or', 'Xor'), shapes, seeds, async (op, [a, b], seed) => {
      await compare({ op, inputs: [tensor('bool', a, seed), tensor('bool', b, seed + 1)], result: 'bool' });
    }),
    { numRuns: RUNS },
  );
  await compare({ op: 'Not', inputs: [tensor('bool', [3, 2], 1)], result: 'bool' });
});

test('casts agree with ONNX Runtime', async () => {
  const any = fc.constantFrom<Numbers>('float32', 'int32', 'int64', 'uint8', 'bool');
  await fc.assert(
    fc.asyncProperty(any, any, size, seeds, async (from, to, n, seed) => {
      // What does not fit the other type is left to each runtime by ONNX.
      const x = tensor(from, [n, 2], seed);
      const magnitudes = [...x.data].map((v) => (to === 'uint8' ? Math.abs(Number(v)) : Number(v)));
      const data = from === 'int64' ? BigInt64Array.from(magnitudes, BigInt) : VIEWS[from].from(magnitudes);
      await compare({ op: 'Cast', inputs: [{ ...x, data }], attributes: { to: int(codeOf(to)) }, result: to });
    }),
    { numRuns: RUNS },
  );
});

test('Where, Gather, ArgMax and ArgMin agree with ONNX Runtime', async () => {
  await fc.assert(
    fc.asyncProperty(numbers, shapes, seeds, fc.boolean(), async (dtype, [a, b], seed, flag) => {
      const inputs = [tensor('bool', a, seed), tensor(dtype, b, seed + 1), tensor(dtype, a, seed + 2)];
      await compare({ op: 'Where', inputs, result: dtype });
      const axis = Number(flag);
      const length = a[axis] ?? 1;
      const random = createRandom(seed);
      const indices = BigInt64Array.from({ length: 3 }, () =>
        BigInt(Math.min(length - 1, Math.max(-length, Math.round(random.normal() * 2)))),
      );
      const index: TypedTensor = { dtype: 'int64', dims: [3], data: indices };
      await compare({
        op: 'Gather',
        inputs: [tensor(dtype, a, seed), index],
        attributes: { axis: int(axis) },
        result: dtype,
      });
      for (const op of ['ArgMax', 'ArgMin']) {
        const attributes = { axis: int(axis), keepdims: int(seed % 2), select_last_index: int((seed >> 1) % 2) };
        const x = dtype === 'int64' ? tensor('int32', a, seed) : tensor(dtype, a, seed);
        await compare({ op, inputs: [x], attributes, result: 'int64' });
      }
    }),
    { numRuns: RUNS },
  );
});

test('reductions of integers agree with ONNX Runtime', async () => {
  const operator = fc.constantFrom('ReduceSum', 'ReduceMax', 'ReduceMin', 'ReduceProd', 'ReduceSumSquare', 'ReduceL1');
  await fc.assert(
    fc.asyncProperty(operator, size, size, fc.boolean(), fc.boolean(), seeds, async (op, m, n, last, keep, seed) => {
      const axes = intTensor('x1', [Number(last)]);
      const inputs: TypedTensor[] = [
        tensor('int32', [m, n], seed),
        { dtype: 'int64', dims: [1], data: BigInt64Array.of(BigInt(Number(last))) },
      ];
      const constants = new Map([['x1', axes]]);
      await compare({ op, inputs, attributes: { keepdims: int(Number(keep)) }, result: 'int32', constants });
    }),
    { numRuns: RUNS },
  );
});

test('copies of any width agree with ONNX Runtime, their parameters fixed when the model is compiled', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.constantFrom<Numbers>('int64', 'uint8', 'bool', 'int32'),
      size,
      size,
      seeds,
      async (dtype, m, n, seed) => {
        const x = tensor(dtype, [m, n], seed);
        const fixed = (...values: number[]) => new Map([['x1', intTensor('x1', values)]]);
        const parameter = (...values: number[]): TypedTensor => ({
          dtype: 'int64',
          dims: [values.length],
          data: BigInt64Array.from(values, BigInt),
        });
        await compare({ op: 'Transpose', inputs: [x], result: dtype });
        await compare({ op: 'Expand', inputs: [x, parameter(2, m, n)], constants: fixed(2, m, n), result: dtype });
        await compare({ op: 'Reshape', inputs: [x, parameter(-1)], constants: fixed(-1), result: dtype });
        await compare({ op: 'Tile', inputs: [x, parameter(2, 3)], constants: fixed(2, 3), result: dtype });
      },
    ),
    { numRuns: 20 },
  );
});

test('padding that mirrors, repeats or wraps agrees with ONNX Runtime', async () => {
  const mode = fc.constantFrom('reflect', 'edge', 'wrap');
  await fc.assert(
    fc.asyncProperty(
      mode,
      fc.integer({ min: 2, max: 5 }),
      fc.integer({ min: 0, max: 1 }),
      seeds,
      async (kind, n, pad, seed) => {
        const pads = [0, pad, 0, 1];
        const inputs: TypedTensor[] = [
          tensor('float32', [2, n], seed),
          { dtype: 'int64', dims: [4], data: BigInt64Array.from(pads, BigInt) },
        ];
        const bytes = { op: 'Pad', inputs, attributes: { mode: { kind: 'string', value: kind } as const } };
        const constants = new Map([['x1', intTensor('x1', pads)]]);
        if (kind !== 'wrap') await compare({ ...bytes, result: 'float32', constants });
        else {
          const compiled = compileOnnx(graphOf({ ...bytes, result: 'float32' }), { constants });
          if (!compiled.ok) throw new Error(describeError(compiled.error));
          const got = new Float32Array(infer(compiled.value, inputs.slice(0, 1)).slice().buffer);
          const rows = [0, 1].map((row) => [...(inputs[0]?.data ?? [])].slice(row * n, (row + 1) * n));
          // This version of the operator is younger than the other runtime's.
          expect([...got]).toEqual(
            rows.flatMap((row) => [...(pad === 1 ? row.slice(-1) : []), ...row, ...row.slice(0, 1)]),
          );
        }
      },
    ),
    { numRuns: RUNS },
  );
});

test('what a graph of constants gives is computed when it is compiled, by the kernels themselves', () => {
  const model = modelOf(
    [
      node('Mul', 'a', ['p', 'q'], ['r']),
      node('Cast', 'b', ['r'], ['s'], { to: int(codeOf('float32')) }),
      node('Sqrt', 'c', ['s'], ['t']),
      node('Add', 'd', ['x', 't'], ['y']),
    ],
    { constants: [intTensor('p', [2, 3]), intTensor('q', [8, 27])], inputs: [{ name: 'x', dtype: 1, dims: [2] }] },
  );
  const folded = compileOnnx(model);
  const bare = compileOnnx(
    modelOf([node('Add', 'd', ['x', 't'], ['y'])], {
      constants: [{ name: 't', dtype: 'float32', dims: [2], data: new Uint8Array(Float32Array.of(4, 9).buffer) }],
      inputs: [{ name: 'x', dtype: 1, dims: [2] }],
    }),
  );
  if (!folded.ok || !bare.ok) throw new Error('does not compile');
  expect(folded.value.module).toEqual(bare.value.module);
});

test('a NaN that folding computes has the canonical bits, whatever the engine here makes of it', () => {
  const nan = (bits: number) => new Uint8Array(Uint32Array.of(bits, bits).buffer);
  const of = (bits: number) => ({ name: 'q', dtype: 'float32' as const, dims: [2], data: nan(bits) });
  const nodes = [node('Mul', 'a', ['p', 'q'], ['r']), node('Add', 'b', ['x', 'r'], ['y'])];
  const modules = [0x7fc00000, 0xffc00000, 0x7fa12345].map((bits) => {
    const constants = [floatTensor('p', [2], [0, 3]), of(bits)];
    const made = compileOnnx(modelOf(nodes, { constants, inputs: [{ name: 'x', dtype: 1, dims: [2] }] }));
    if (!made.ok) throw new Error('does not compile');
    return made.value.module;
  });
  const infinite = [
    floatTensor('p', [2], [0, 0]),
    floatTensor('q', [2], [Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY]),
  ];
  const zeroTimesInfinity = compileOnnx(
    modelOf(nodes, { constants: infinite, inputs: [{ name: 'x', dtype: 1, dims: [2] }] }),
  );
  if (!zeroTimesInfinity.ok) throw new Error('does not compile');
  for (const module of modules) expect(module).toEqual(zeroTimesInfinity.value.module);
});

test('an index outside of its axis is refused with its node', () => {
  const given: Case = {
    op: 'Gather',
    inputs: [tensor('float32', [3], 1), { dtype: 'int64', dims: [1], data: BigInt64Array.of(3n) }],
    result: 'float32',
  };
  const compiled = compileOnnx(graphOf(given));
  if (!compiled.ok) throw new Error(describeError(compiled.error));
  expect(() => infer(compiled.value, given.inputs)).toThrow(
    'an index at node "the-node" (Gather) is outside of its axis of 3',
  );
});

test('a constant for a graph input must have its type and shape', () => {
  const given: Case = { op: 'Neg', inputs: [tensor('int64', [2], 1)], result: 'int64' };
  const other = compileOnnx(graphOf(given), { constants: new Map([['x0', intTensor('x0', [1, 2, 3])]]) });
  expect(other).toMatchObject({
    ok: false,
    error: { kind: 'invalid', reason: 'the constant for input "x0" is int64 [3]' },
  });
  const unknown = compileOnnx(graphOf(given), { constants: new Map([['z', intTensor('z', [1])]]) });
  expect(unknown).toMatchObject({ ok: false, error: { kind: 'invalid', reason: 'the graph has no input "z"' } });
});

test('floats that no integer holds become the ends of 64 bits and lose their high bits; NaN becomes 0, and true', () => {
  const x: TypedTensor = { dtype: 'float32', dims: [4], data: Float32Array.of(Number.NaN, 1 / 0, -1e30, -3.7) };
  const castTo = (dtype: Numbers): readonly (number | bigint)[] => {
    const compiled = compileOnnx(
      graphOf({ op: 'Cast', inputs: [x], attributes: { to: int(codeOf(dtype)) }, result: dtype }),
    );
    if (!compiled.ok) throw new Error(describeError(compiled.error));
    return [...new VIEWS[dtype](infer(compiled.value, [x]).slice().buffer)];
  };
  expect(castTo('int64')).toEqual([0n, 2n ** 63n - 1n, -(2n ** 63n), -3n]);
  expect(castTo('int32')).toEqual([0, -1, 0, -3]);
  expect(castTo('uint8')).toEqual([0, 255, 0, 253]);
  expect(castTo('bool')).toEqual([1, 1, 1, 1]);
});
