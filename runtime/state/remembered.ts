import { STATE_LIMITS } from '../limits.ts';
import type { ValueCodec } from './codecs.ts';
import { idOf } from './key-id.ts';

/**
 * What a pure function has answered for the same bytes lately. As it depends on nothing but the bytes, what is remembered
 * changes how long a block takes, and nothing else. Answers are shared and therefore frozen, whether they are remembered
 * or not: who tries to change one fails on every node alike. Byte strings in them cannot be frozen, and are never written to.
 */
export function rememberedByBytes<V>(compute: (bytes: Uint8Array) => V): (bytes: Uint8Array) => V {
  const known = new Map<string, V>();
  return (bytes) => {
    if (bytes.length > STATE_LIMITS.rememberedBytes) return frozen(compute(bytes));
    const id = idOf(bytes);
    const answer = known.get(id);
    if (answer !== undefined) return answer;
    const made = frozen(compute(bytes));
    if (known.size >= STATE_LIMITS.rememberedValues) known.clear();
    known.set(id, made);
    return made;
  };
}

function frozen<V>(value: V): V {
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  for (const part of Object.values(value)) frozen(part);
  return Object.freeze(value);
}

/** For values that each block reads and few blocks change: parameters, validators. */
export function rememberedValue<V>({ encode, decode }: ValueCodec<V>): ValueCodec<V> {
  return { encode, decode: rememberedByBytes(decode) };
}
