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

/** Arrays whose values are kept. */
const SAME_ARRAYS = 4;

/**
 * A codec that does not decode again the very array that it has decoded just before: a transaction reads the same account
 * several times, and arrays in a store never change. Answers are shared: nobody changes them. What is encoded is not kept,
 * as only the bytes are the same on every machine.
 */
export function rememberedArrays<V extends object>({ encode, decode }: ValueCodec<V>): ValueCodec<V> {
  const arrays: (Uint8Array | undefined)[] = [];
  const values: (V | undefined)[] = [];
  let next = 0;
  return {
    encode,
    decode(bytes) {
      for (let i = 0; i < SAME_ARRAYS; i++) {
        const value = values[i];
        if (arrays[i] === bytes && value !== undefined) return value;
      }
      const value = decode(bytes);
      arrays[next] = bytes;
      values[next] = value;
      next = (next + 1) % SAME_ARRAYS;
      return value;
    },
  };
}
