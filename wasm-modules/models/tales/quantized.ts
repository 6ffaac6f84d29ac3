import { tensorOf } from '../../onnx/builder.ts';
import type { Tensor } from '../../onnx/model.ts';

/** Numbers that share a scale. */
export const BLOCK = 64;

/**
 * Numbers as int8, one after the other: `name` of [blocks, BLOCK] and `name.scales` of [blocks, 1]. The greatest number of a
 * block becomes 127 or -127; the error is at most half of a 127th of it. Each array is a whole number of blocks.
 */
export function quantized(name: string, arrays: readonly Float32Array[]): Tensor[] {
  const count = arrays.reduce((sum, { length }) => sum + length, 0);
  const bytes = new Int8Array(count);
  const scales = new Float32Array(count / BLOCK);
  let at = 0;
  for (const values of arrays) {
    if (values.length % BLOCK !== 0) throw new Error(`${values.length} numbers are no whole number of blocks`);
    for (let from = 0; from < values.length; from += BLOCK, at += BLOCK) {
      const block = values.subarray(from, from + BLOCK);
      const greatest = block.reduce((most, v) => Math.max(most, Math.abs(v)), 0);
      const scale = Math.fround(greatest / 127);
      scales[at / BLOCK] = scale;
      block.forEach((v, i) => {
        bytes[at + i] = scale === 0 ? 0 : Math.round(v / scale);
      });
    }
  }
  const data = new Uint8Array(bytes.buffer);
  return [
    { name, dtype: 'int8', dims: [count / BLOCK, BLOCK], data },
    tensorOf(`${name}.scales`, [count / BLOCK, 1], scales),
  ];
}
