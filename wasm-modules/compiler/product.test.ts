import fc from 'fast-check';
import { expect, test } from 'vitest';
import { modelOf, node } from '../testing/graph.ts';
import { createRandom } from '../training/random.ts';
import { compileOnnx } from './compile.ts';
import { openCore } from './harness.ts';

/** a[m,k] times b[k,n], by a compiled MatMul. */
function product(a: Float32Array, b: Float32Array, m: number, n: number, k: number): Float32Array {
  const compiled = compileOnnx(
    modelOf([node('MatMul', 'product', ['a', 'b'], ['y'])], {
      inputs: [
        { name: 'a', dtype: 1, dims: [m, k] },
        { name: 'b', dtype: 1, dims: [k, n] },
      ],
    }),
  );
  if (!compiled.ok) throw new Error(compiled.error.reason);
  const request = new Uint8Array(Float32Array.of(...a, ...b).buffer);
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

test('products of any shape, in tiles or without, are those of plain sums to the last bit', () => {
  const size = fc.integer({ min: 1, max: 21 });
  fc.assert(
    fc.property(size, size, fc.integer({ min: 1, max: 40 }), fc.integer(), (m, n, k, seed) => {
      const random = createRandom(seed);
      const a = new Float32Array(m * k).map(() => random.normal());
      const b = new Float32Array(k * n).map(() => random.normal());
      expect(product(a, b, m, n, k)).toEqual(reference(a, b, m, n, k));
    }),
    { numRuns: 60 },
  );
});
