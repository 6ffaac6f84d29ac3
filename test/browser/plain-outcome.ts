import { toHex } from '#core/bytes.ts';
import type { ExecutionOutcome } from '#vm/outcome.ts';

/** An outcome with text in the place of bytes and big numbers. */
export function plainOutcome(outcome: ExecutionOutcome): unknown {
  const plain = (value: unknown): unknown => {
    if (value instanceof Uint8Array) return toHex(value);
    return typeof value === 'bigint' ? String(value) : value;
  };
  return Object.fromEntries(Object.entries(outcome).map(([name, value]) => [name, plain(value)]));
}
