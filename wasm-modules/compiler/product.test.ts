import fc from 'fast-check';
import { expect, test } from 'vitest';
import { floatTensor, modelOf, node } from '../testing/graph.ts';
import { createRandom } from '../training/random.ts';
import { compileOnnx } from './compile.ts';
import { openCore } from './harness.ts';

/** a[m,k] times b[k,n], by a compiled MatMul; operands that are known are packed when it is compiled. */
function product(known: string, a: Float32Array, b: Float32Array, m: number, n: number, k: number): Float32Array {
  const operands = [
    { name: 'a', dims: [m, k], data: a },
    { name: 'b', dims: [k, n], data: b },
  ];
  const asked = operands.filter(({ name }) => !known.includes(name));
  const compiled = compileOnnx(
    modelOf([node('MatMul', 'product', ['a', 'b'], ['y'])], {
      constants: operands
        .filter(({ name }) => known.includes(name))
        .map(({ name, dims, data }) => floatTensor(name, dims, [...data])),
      inputs: asked.map(({ name, dims }) => ({ name, dtype: 1, dims })),
    }),
  );
  if (!compiled.ok) throw new Error(compiled.error.reason);
  const request = new Uint8Array(Float32Array.from(asked.flatMap(({ data }) => [...data])).buffer);
  const answer = openCore(compiled.value.module).infer(request, 0n);
  if (!answer.ok) throw new Error(answer.error);
  return new Float32Array(answer.value.slice().buffer);
}

/** What the kernel promises: the terms of each sum in the order of k, each product and each sum rounded to f32. */
function reference(a: Float32Array, b: Float32Array, m: number, n: number, k: number): Float32Array {
  return Float32Array.from({ length: m * n }, (_, at) => {
    const [i, j] = [Math.floor(at / n), at % n];
    let sum = 0;
    for (let p = 0; p < k; p++)
      sum = Math.fround(sum + Math.fround((a[i * k + p] ?? Number.NaN) * (b[p * n + j] ?? Number.NaN)));
    return sum;
  });
}

const size = fc.integer({ min: 1, max: 21 });
const operands = fc.constantFrom('', 'a', 'b');

function check(known: string, m: number, n: number, k: number, seed: number): void {
  const random = createRandom(seed);
  const a = new Float32Array(m * k).map(() => random.normal());
  const b = new Float32Array(k * n).map(() => random.normal());
  expect(product(known, a, b, m, n, k)).toEqual(reference(a, b, m, n, k));
}

test('products of any shape, in tiles or without, are those of plain sums to the last bit', () => {
  fc.assert(fc.property(operands, size, size, fc.integer({ min: 1, max: 40 }), fc.integer(), check), { numRuns: 80 });
});

test('so are products of more columns and more terms than are packed at a time', () => {
  const columns = fc.constantFrom(127, 128, 129, 137);
  const terms = fc.constantFrom(255, 256, 257, 513);
  fc.assert(fc.property(operands, fc.integer({ min: 1, max: 6 }), columns, terms, fc.integer(), check), {
    numRuns: 24,
  });
});
