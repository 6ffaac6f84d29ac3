import fc from 'fast-check';
import { expect, test } from 'vitest';
import { committedKernel } from '../kernels/committed.ts';
import { float, floatTensor, int, ints, intTensor, modelOf, node, singleNode } from '../testing/graph.ts';
import { type CompileOptions, compileOnnx, OPSETS, supportedOperators } from './compile.ts';
import { openCore } from './harness.ts';
import { MAX_CONSTANT_BYTES, MAX_INDICES } from './limits.ts';
import { createPlan } from './plan.ts';

const RELU = singleNode({ op: 'Relu', inputs: [{ dims: [2, 2] }] });

function moduleOf(bytes: Uint8Array, options: CompileOptions = {}): Uint8Array {
  const compiled = compileOnnx(bytes, options);
  if (!compiled.ok) throw new Error(compiled.error.reason);
  return compiled.value.module;
}

test.each<[string, Uint8Array, object]>([
  [
    'an operator it does not know',
    singleNode({ op: 'NonMaxSuppression', inputs: [{ dims: [2] }] }),
    { kind: 'unsupported', node: 'the-node', op: 'NonMaxSuppression', reason: 'this operator is not supported' },
  ],
  [
    'an operator of another domain',
    modelOf([{ ...node('Gelu', 'n', ['x'], ['y']), domain: 'com.microsoft' }], {
      inputs: [{ name: 'x', dtype: 1, dims: [1] }],
    }),
    { kind: 'unsupported', node: 'n', op: 'Gelu', reason: 'operator of domain "com.microsoft"' },
  ],
  [
    'an attribute it does not know',
    singleNode({ op: 'Relu', inputs: [{ dims: [2] }], attributes: { beta: float(1) } }),
    { kind: 'unsupported', node: 'the-node', op: 'Relu', reason: 'attribute "beta" is not supported' },
  ],
  [
    'a dynamic dimension',
    modelOf([node('Relu', 'n', ['x'], ['y'])], { inputs: [{ name: 'x', dtype: 1, dims: ['batch', 2] }] }),
    { kind: 'unsupported', reason: 'dimension 0 of graph input "x" is dynamic ("batch")' },
  ],
  [
    'an input of a type that cannot be computed with',
    modelOf([node('Relu', 'n', ['x'], ['y'])], { inputs: [{ name: 'x', dtype: 10, dims: [2] }] }),
    { kind: 'unsupported', reason: 'graph input "x" has element type 10, which is not supported' },
  ],
  [
    'an operator upon another type than its own',
    modelOf([node('Relu', 'n', ['x'], ['y'])], { inputs: [{ name: 'x', dtype: 11, dims: [2] }] }),
    { kind: 'unsupported', node: 'n', op: 'Relu', reason: 'input 0 is float64; only float32 is supported' },
  ],
  [
    'numbers of two types in one sum',
    modelOf([node('Add', 'n', ['x', 'z'], ['y'])], {
      inputs: [
        { name: 'x', dtype: 6, dims: [2] },
        { name: 'z', dtype: 7, dims: [2] },
      ],
    }),
    { kind: 'invalid', node: 'n', op: 'Add', reason: 'inputs are int32 and int64; expected one type' },
  ],
  [
    'an integer constant divided by zero',
    modelOf([node('Div', 'n', ['a', 'b'], ['c']), node('Add', 'm', ['x', 'c'], ['y'])], {
      constants: [intTensor('a', [1]), intTensor('b', [0])],
      inputs: [{ name: 'x', dtype: 7, dims: [1] }],
    }),
    { kind: 'invalid', node: 'n', op: 'Div', reason: 'division by zero at node "n" (Div)' },
  ],
  [
    'a shape that the graph computes',
    modelOf([node('Relu', 'a', ['x'], ['s']), node('Reshape', 'b', ['x', 's'], ['y'])], {
      inputs: [{ name: 'x', dtype: 1, dims: [2] }],
    }),
    {
      kind: 'not-constant',
      node: 'b',
      op: 'Reshape',
      reason: 'input 1 ("s") must be constant, or fixed when the model is compiled',
    },
  ],
  [
    'a shape that does not divide',
    singleNode({ op: 'Reshape', inputs: [{ dims: [7] }, { ints: [2, -1] }] }),
    { kind: 'invalid', node: 'the-node', op: 'Reshape', reason: 'shape [7] cannot become [2,3.5]' },
  ],
  [
    'a shape of negative sizes',
    singleNode({ op: 'Reshape', inputs: [{ dims: [6] }, { ints: [-2, -3] }] }),
    { kind: 'invalid', node: 'the-node', op: 'Reshape', reason: 'shape [6] cannot become [-2,-3]' },
  ],
  [
    'an axis that is named twice',
    singleNode({ op: 'Slice', inputs: [{ dims: [4, 4] }, { ints: [0, 1] }, { ints: [2, 3] }, { ints: [0, -2] }] }),
    { kind: 'invalid', node: 'the-node', op: 'Slice', reason: 'axes [0,-2] name a dimension twice' },
  ],
  [
    'shapes that do not multiply',
    singleNode({ op: 'Gemm', inputs: [{ dims: [2, 3] }, { dims: [4, 5] }] }),
    { kind: 'invalid', node: 'the-node', op: 'Gemm', reason: '[2,3] times [4,5] is not a product' },
  ],
  [
    'automatic padding of no known kind',
    singleNode({
      op: 'ConvTranspose',
      inputs: [{ dims: [1, 1, 3, 3] }, { dims: [1, 1, 2, 2] }],
      attributes: { auto_pad: { kind: 'string', value: 'SAME' } },
    }),
    { kind: 'unsupported', node: 'the-node', op: 'ConvTranspose', reason: 'auto_pad SAME is not supported' },
  ],
  [
    'negative padding',
    singleNode({
      op: 'Conv',
      inputs: [{ dims: [1, 1, 3, 3] }, { dims: [1, 1, 2, 2] }],
      attributes: { pads: ints(-1, 0, 0, 0) },
    }),
    { kind: 'unsupported', node: 'the-node', op: 'Conv', reason: 'pads [-1,0] is out of range' },
  ],
  [
    'an attribute of the wrong kind',
    singleNode({ op: 'LeakyRelu', inputs: [{ dims: [2] }], attributes: { alpha: int(1) } }),
    { kind: 'invalid', node: 'the-node', op: 'LeakyRelu', reason: 'attribute alpha is of kind int; expected float' },
  ],
  [
    'a value that is used before it exists',
    modelOf([node('Relu', 'n', ['later'], ['y'])], { inputs: [] }),
    { kind: 'invalid', node: 'n', op: 'Relu', reason: 'input 0 "later" is not defined before this node' },
  ],
  [
    'an output that is declared with another shape',
    modelOf([node('Relu', 'n', ['x'], ['y'])], {
      inputs: [{ name: 'x', dtype: 1, dims: [2] }],
      outputs: [{ name: 'y', dtype: 1, dims: [3] }],
    }),
    { kind: 'invalid', reason: 'output "y" is declared as [3] but is [2]' },
  ],
  [
    'a name that is given twice',
    modelOf([node('Relu', 'a', ['x'], ['y']), node('Neg', 'b', ['x'], ['y'])], {
      inputs: [{ name: 'x', dtype: 1, dims: [2] }],
    }),
    { kind: 'invalid', node: 'b', op: 'Neg', reason: 'the name "y" is given twice or empty' },
  ],
  [
    'an old operator set',
    singleNode({ op: 'Relu', inputs: [{ dims: [2] }], opset: OPSETS.least - 1 }),
    { kind: 'unsupported', reason: 'operator set 6; 7 to 26 are supported' },
  ],
])('%s is refused by name', (_, bytes, error) => {
  expect(compileOnnx(bytes)).toMatchObject({ ok: false, error });
});

test('every name in the list of operators is one of ONNX, once', () => {
  const names = supportedOperators();
  expect(new Set(names).size).toBe(names.length);
  for (const required of ['Gemm', 'Reshape', 'Relu', 'ConvTranspose', 'Sigmoid', 'Tanh'])
    expect(names).toContain(required);
});

test('the module has no imports, no start function, exactly four exports and a declared maximum of memory', () => {
  const bytes = moduleOf(RELU);
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(bytes)));
  expect(Object.keys(exports).sort((a, b) => (a < b ? -1 : 1))).toEqual([
    'cabi_realloc',
    'describe',
    'infer',
    'memory',
  ]);
  // Types, functions, memory, globals, exports, code, data: no import (2), no start (8).
  expect(sectionIds(bytes)).toEqual([1, 3, 5, 6, 7, 10, 11]);
});

test('every model has the code section of the kernel runtime, byte for byte', () => {
  const kernel = sectionOf(committedKernel('runtime'), 10);
  expect(sectionOf(moduleOf(RELU), 10)).toEqual(kernel);
  expect(sectionOf(moduleOf(singleNode({ op: 'Tanh', inputs: [{ dims: [7] }] })), 10)).toEqual(kernel);
});

test('a request of another length is an error that names the right one', () => {
  const core = openCore(moduleOf(RELU));
  for (const length of [0, 15, 17, 1 << 18]) {
    expect(core.infer(new Uint8Array(length), 0n)).toEqual({
      ok: false,
      error: 'the input must have exactly 16 bytes',
    });
  }
  expect(core.infer(new Uint8Array(16), 0n)).toEqual({ ok: true, value: new Uint8Array(16) });
});

test('describe is JSON with what goes in and comes out', () => {
  const core = openCore(
    moduleOf(RELU, { task: 'nothing below zero', example: { input: new Uint8Array(16), seed: 1n } }),
  );
  expect(JSON.parse(core.describe())).toMatchObject({
    task: 'nothing below zero',
    inputs: [{ name: 'x0', dtype: 'float32', shape: [2, 2] }],
    outputs: [{ name: 'y', dtype: 'float32', shape: [2, 2] }],
    example: { input: '00'.repeat(16), seed: '1' },
  });
});

test('bytes, labels and the seed reach the graph as described', () => {
  const bytes = modelOf([node('Concat', 'join', ['colour', 'kind', 'noise'], ['y'], { axis: int(1) })], {
    inputs: [
      { name: 'colour', dtype: 1, dims: [1, 2] },
      { name: 'kind', dtype: 1, dims: [1, 3] },
      { name: 'noise', dtype: 1, dims: [1, 2000] },
    ],
  });
  const core = openCore(
    moduleOf(bytes, {
      inputs: [
        { kind: 'normal', graphInput: 'noise', deviation: 2 },
        { kind: 'label', graphInput: 'kind', labels: ['a', 'b', 'c'] },
        { kind: 'bytes', graphInput: 'colour', scale: 0.5, shift: -1, description: 'a colour' },
      ],
    }),
  );
  const run = (seed: bigint): Float32Array => {
    const answer = core.infer(Uint8Array.of(1, 4, 10), seed);
    if (!answer.ok) throw new Error(answer.error);
    return new Float32Array(answer.value.buffer);
  };
  expect([...run(5n).subarray(0, 5)]).toEqual([1, 4, 0, 1, 0]);
  expect(run(5n)).toEqual(run(5n));
  expect(run(5n)).not.toEqual(run(6n));
  expect(run(2n ** 64n - 1n)).toEqual(run(2n ** 64n - 1n));
  const noise = run(5n).subarray(5);
  const mean = noise.reduce((a, b) => a + b, 0) / noise.length;
  const deviation = Math.sqrt(noise.reduce((a, b) => a + (b - mean) ** 2, 0) / noise.length);
  // Three standard errors of 2,000 draws.
  expect(Math.abs(mean)).toBeLessThan(0.14);
  expect(Math.abs(deviation - 2)).toBeLessThan(0.1);
  expect(core.infer(Uint8Array.of(3, 0, 0), 0n)).toEqual({ ok: false, error: 'byte 0 (kind) must be below 3' });
});

test('pictures are rounded, clamped and interleaved', () => {
  const bytes = modelOf([node('Identity', 'n', ['x'], ['y'])], {
    inputs: [{ name: 'x', dtype: 1, dims: [1, 3, 1, 2] }],
  });
  const core = openCore(moduleOf(bytes, { outputs: [{ kind: 'image', graphOutput: 'y' }] }));
  const planes = Float32Array.of(0, 1, 0.5, 2, -1, Number.NaN);
  expect(core.infer(new Uint8Array(planes.buffer), 0n)).toEqual({
    ok: true,
    value: Uint8Array.of(0, 128, 0, 255, 255, 0),
  });
});

test.each<[string, (x: number) => number]>([
  ['Sigmoid', (x) => 1 / (1 + Math.exp(-x))],
  ['Tanh', Math.tanh],
  ['Exp', Math.exp],
  ['Log', Math.log],
])('%s is within one unit in the last place over the range of f32', (op, exact) => {
  const core = openCore(moduleOf(singleNode({ op, inputs: [{ dims: [512] }] })));
  fc.assert(
    fc.property(fc.array(fc.float({ noNaN: true }), { minLength: 512, maxLength: 512 }), (numbers) => {
      const x = Float32Array.from(numbers, (v, i) => (i % 2 === 0 ? v : ((v % 100) as number)));
      const answer = core.infer(new Uint8Array(x.buffer), 0n);
      if (!answer.ok) throw new Error(answer.error);
      const y = new Float32Array(answer.value.buffer);
      x.forEach((v, i) => {
        expect(unitsApart(y[i] ?? Number.NaN, Math.fround(exact(v)))).toBeLessThanOrEqual(1);
      });
    }),
    { numRuns: 50 },
  );
});

test('Pow is within one unit in the last place of f32, special cases included', () => {
  const special = [
    0,
    -0,
    1,
    -1,
    2,
    -2,
    0.5,
    -0.5,
    3,
    1e-40,
    3e38,
    -3e38,
    Number.POSITIVE_INFINITY,
    Number.NEGATIVE_INFINITY,
    Number.NaN,
  ];
  const pairs = special.flatMap((x) => special.map((y) => [Math.fround(x), Math.fround(y)] as const));
  const core = openCore(
    moduleOf(singleNode({ op: 'Pow', inputs: [{ dims: [pairs.length] }, { dims: [pairs.length] }] })),
  );
  const request = Float32Array.of(...pairs.map(([x]) => x), ...pairs.map(([, y]) => y));
  const answer = core.infer(new Uint8Array(request.buffer), 0n);
  if (!answer.ok) throw new Error(answer.error);
  const got = new Float32Array(answer.value.buffer);
  pairs.forEach(([x, y], i) => {
    // Of the two, only IEEE 754 says that 1 to any power is 1, and -1 to an infinite one too; JavaScript says NaN.
    const exact = x === 1 || (x === -1 && Math.abs(y) === Number.POSITIVE_INFINITY) ? 1 : Math.fround(x ** y);
    expect(unitsApart(got[i] ?? Number.NaN, exact), `${x} ** ${y} is ${got[i]}, expected ${exact}`).toBeLessThanOrEqual(
      1,
    );
  });
});

test('mutated models compile or are refused, and never throw', () => {
  const sample = modelOf(
    [
      node('Gemm', 'a', ['x', 'w'], ['h']),
      node('ConvTranspose', 'b', ['h4', 'k'], ['z']),
      node('Reshape', 'c', ['h', 's'], ['h4']),
    ],
    {
      constants: [floatTensor('w', [2, 4], [1, 2, 3, 4, 5, 6, 7, 8]), floatTensor('k', [1, 1, 2, 2], [1, 2, 3, 4])],
      inputs: [{ name: 'x', dtype: 1, dims: [1, 2] }],
    },
  );
  for (const whole of [
    sample,
    RELU,
    singleNode({
      op: 'Conv',
      inputs: [{ dims: [1, 1, 5, 5] }, { dims: [1, 1, 3, 3] }],
      attributes: { pads: ints(1, 1, 1, 1) },
    }),
  ]) {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.nat(whole.length - 1), fc.nat(255)), { minLength: 1, maxLength: 4 }),
        (edits) => {
          const bytes = whole.slice();
          for (const [at, value] of edits) bytes[at] = value;
          const compiled = compileOnnx(bytes);
          if (compiled.ok) expect(WebAssembly.validate(new Uint8Array(compiled.value.module))).toBe(true);
          else expect(compiled.error.reason).not.toBe('');
        },
      ),
      { numRuns: 700 },
    );
  }
});

/** How many numbers of f32 lie between two. */
function unitsApart(a: number, b: number): number {
  const order = (v: number): number => {
    const bits = new Int32Array(Float32Array.of(v).buffer)[0] ?? 0;
    return bits < 0 ? -2147483648 - bits : bits;
  };
  return Number.isNaN(a) && Number.isNaN(b) ? 0 : Math.abs(order(a) - order(b));
}

function sectionIds(module: Uint8Array): number[] {
  return [...sections(module)].map(({ id }) => id);
}

function sectionOf(module: Uint8Array, id: number): Uint8Array | undefined {
  return [...sections(module)].find((section) => section.id === id)?.body;
}

function* sections(module: Uint8Array): Generator<{ readonly id: number; readonly body: Uint8Array }> {
  let at = 8;
  while (at < module.length) {
    const id = module[at] ?? 0;
    let size = 0;
    let shift = 0;
    let byte = 0x80;
    at++;
    while (byte >= 0x80) {
      byte = module[at++] ?? 0;
      size |= (byte & 0x7f) << shift;
      shift += 7;
    }
    yield { id, body: module.slice(at, at + size) };
    at += size;
  }
}

test('what a few bytes of a file ask for is refused before it is made', () => {
  const reason = (graph: Uint8Array) => {
    const compiled = compileOnnx(graph);
    return compiled.ok ? undefined : compiled.error.reason;
  };
  const one = { dims: [1, 1, 1] };
  expect(reason(singleNode({ op: 'RNN', inputs: [{ dims: [1, 4_000_000, 1] }, one, one] }))).toBe(
    `a state of 4000000 times 1 numbers; at most ${MAX_INDICES} are supported`,
  );
  const cache = { dims: [1, 4_000_000, 1, 1] };
  expect(reason(singleNode({ op: 'TensorScatter', inputs: [cache, cache], opset: 24 }))).toBe(
    `an axis of 4000000 elements; at most ${MAX_INDICES} are numbered`,
  );
  const pad = (size: number, by: number) =>
    singleNode({
      op: 'Pad',
      inputs: [{ dims: [size] }, { ints: [0, by] }],
      attributes: { mode: { kind: 'string', value: 'wrap' } },
    });
  expect(reason(pad(3, 2_000_000_000))).toBe(`an axis of 2000000003 elements; at most ${MAX_INDICES} are numbered`);
  expect(reason(pad(0, 1))).toBe('mode wrap has nothing to repeat in a shape of [0]');
  const plan = createPlan();
  const data = new Uint8Array(MAX_CONSTANT_BYTES >> 4);
  for (let i = 0; i < 16; i++) plan.constant(data);
  expect(() => plan.constant(Uint8Array.of(1))).toThrow(`the constants have more than ${MAX_CONSTANT_BYTES} bytes`);
});
