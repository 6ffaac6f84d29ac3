import { createHash } from 'node:crypto';
import { u32be } from '#core/bytes.ts';

/** The load of the store's benchmark. `test/vectors/iavl-reference` makes the same one for Go's IAVL. */
export const STATE_LOAD = {
  updatesPerVersion: 1000,
  insertsPerVersion: 20_000,
  valueBytes: 100,
} as const;

export type Write = readonly [key: Uint8Array, value: Uint8Array];

function digest(kind: number, a: number, b: number): Uint8Array {
  return new Uint8Array(createHash('sha256').update(Uint8Array.of(kind)).update(u32be(a)).update(u32be(b)).digest());
}

/** 32 bytes. */
export const keyAt = (n: number): Uint8Array => digest(0, n, 0);

function valueAt(version: number, n: number): Uint8Array {
  const value = new Uint8Array(STATE_LOAD.valueBytes);
  value.set(digest(1, version, n));
  return value;
}

/** Version after version, until there are `keys` keys: a multiple of what a version inserts. */
export function* insertions(keys: number): Generator<readonly Write[]> {
  const { insertsPerVersion } = STATE_LOAD;
  for (let from = 0; from < keys; from += insertsPerVersion)
    yield Array.from({ length: insertsPerVersion }, (_, n) => [keyAt(from + n), valueAt(0, from + n)] as const);
}

/** `versions` versions that overwrite any of `keys` keys. */
export function* overwrites(keys: number, versions: number): Generator<readonly Write[]> {
  let random = 1;
  for (let version = 1; version <= versions; version++)
    yield Array.from({ length: STATE_LOAD.updatesPerVersion }, (_, n) => {
      random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
      // The low bits of such a generator repeat: they must not choose the key.
      return [keyAt(Math.floor((random / 0x1_0000_0000) * keys)), valueAt(version, n)] as const;
    });
}
