import type { Operator } from '../operator.ts';
import { stridesOf } from '../plan.ts';

/** The shape of the result of NumPy broadcasting. */
export function broadcast(op: Operator, a: readonly number[], b: readonly number[]): number[] {
  const rank = Math.max(a.length, b.length);
  return Array.from({ length: rank }, (_, i) => {
    const x = a[i - rank + a.length] ?? 1;
    const y = b[i - rank + b.length] ?? 1;
    if (x !== y && x !== 1 && y !== 1) return op.invalid(`shapes [${a}] and [${b}] do not broadcast`);
    return x === 1 ? y : x;
  });
}

/** Strides, in bytes, of `from` seen as `to`, of elements of `width` bytes: 0 where it is repeated. */
export function broadcastStrides(from: readonly number[], to: readonly number[], width = 4): number[] {
  const own = stridesOf(from, width);
  return to.map((_, i) => {
    const at = i - to.length + from.length;
    return at < 0 || from[at] === 1 ? 0 : (own[at] ?? 0);
  });
}
