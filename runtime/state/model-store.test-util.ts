import { fromHex, toHex } from '#core/bytes.ts';
import type { KvRange } from '#core/ports/kv.ts';
import { keyOf, type StoreKey } from './key-id.ts';
import type { KvWriter } from './kv-view.ts';

/** A store as plain as can be: hex keys sorted at each look. */
export function modelStore(): KvWriter & { readonly map: Map<string, Uint8Array> } {
  const map = new Map<string, Uint8Array>();
  const name = (key: StoreKey) => toHex(typeof key === 'string' ? keyOf(key) : key);
  return {
    map,
    get: (key) => map.get(name(key)),
    has: (key) => map.has(name(key)),
    set: (key, value) => void map.set(name(key), value),
    delete: (key) => void map.delete(name(key)),
    entries: (range) => slice(map, range),
  };
}

/** The entries of a map of hex keys that a range names, in its order. */
export function slice(map: ReadonlyMap<string, Uint8Array>, range: KvRange): [Uint8Array, Uint8Array][] {
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  const keys = [...map.keys()].sort(order).filter((key) => {
    const above = range.gte === undefined || key >= toHex(range.gte);
    return above && (range.lt === undefined || key < toHex(range.lt));
  });
  if (range.reverse) keys.reverse();
  return keys.slice(0, range.limit ?? keys.length).map((key) => [fromHex(key), map.get(key) as Uint8Array]);
}
