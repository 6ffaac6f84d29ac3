/** How keys and values of typed collections become bytes. Decoding our own store cannot fail: a failure is a bug. */
import { assert } from '#core/assert.ts';
import { concat, fromUtf8, readU64be, u64be, utf8 } from '#core/bytes.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import { idOf } from './key-id.ts';

export interface ValueCodec<V> {
  encode(value: V): Uint8Array;
  decode(bytes: Uint8Array): V;
}

export interface KeyCodec<K> {
  /** The last (or only) part of a key. */
  encode(key: K): Uint8Array;
  /** A part that others follow: fixed width, or preceded by its length. @throws RangeError over 255 bytes. */
  encodePart(key: K): Uint8Array;
  /** The id (key-id.ts) of what {@link encode} answers, behind that of what comes before it. */
  id(key: K, under: string): string;
  /** The same of {@link encodePart}. */
  idPart(key: K, under: string): string;
  decode(bytes: Uint8Array): K;
  /** Reads a part at `at`. */
  decodePart(bytes: Uint8Array, at: number): { readonly key: K; readonly next: number };
}

const MAX_PART = 255;

function checkPart(length: number): number {
  // Not an assertion: a key may be made of what a transaction or a query says, and that must not stop the node.
  if (length > MAX_PART) throw new RangeError(`key part: expected at most ${MAX_PART} bytes, got ${length}`);
  return length;
}

/** The id of the byte that precedes a part. */
const LENGTH_IDS = Array.from({ length: MAX_PART + 1 }, (_, length) => String.fromCharCode(length));

function lengthId(length: number): string {
  return LENGTH_IDS[checkPart(length)] as string;
}

function variableWidth<K>(
  toBytes: (key: K) => Uint8Array,
  fromBytes: (bytes: Uint8Array) => K,
): Omit<KeyCodec<K>, 'id' | 'idPart'> {
  return {
    encode: toBytes,
    encodePart(key) {
      const bytes = toBytes(key);
      return concat(Uint8Array.of(checkPart(bytes.length)), bytes);
    },
    decode: fromBytes,
    decodePart(bytes, at) {
      const length = bytes[at];
      assert(length !== undefined && at + 1 + length <= bytes.length, 'a stored key part is cut short');
      const next = at + 1 + length;
      return { key: fromBytes(bytes.slice(at + 1, next)), next };
    },
  };
}

/** Raw bytes. As a part of a pair: one length byte, then the bytes (the Cosmos SDK's length-prefixed address keys). */
export const bytesKey: KeyCodec<Uint8Array> = {
  ...variableWidth(
    (key) => key,
    (bytes) => bytes,
  ),
  id: idOf,
  idPart: (key, under) => under + idOf(key, lengthId(key.length)),
};

/** UTF-8. As a part of a pair: one length byte, then the bytes. */
export const stringKey: KeyCodec<string> = {
  ...variableWidth(utf8, fromUtf8),
  id: (key, under) => under + textId(key),
  idPart(key, under) {
    const id = textId(key);
    return under + lengthId(id.length) + id;
  },
};

/** ASCII is its own id. */
function textId(text: string): string {
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return idOf(utf8(text));
  return text;
}

/** Eight bytes, big-endian, so that byte order is numeric order. */
export const u64Key: KeyCodec<bigint> = {
  encode: u64be,
  encodePart: u64be,
  id: (key, under) => idOf(u64be(key), under),
  idPart: (key, under) => idOf(u64be(key), under),
  decode(bytes) {
    assert(bytes.length === 8, `a stored u64 key has ${bytes.length} bytes`);
    return readU64be(bytes);
  },
  decodePart(bytes, at) {
    assert(at + 8 <= bytes.length, 'a stored u64 key part is cut short');
    return { key: readU64be(bytes, at), next: at + 8 };
  },
};

export interface PairCodec<A, B> extends KeyCodec<readonly [A, B]> {
  /** What the keys of all pairs that begin with `first` begin with: for `CollectionMap.entries({ under })`. */
  prefix(first: A): Uint8Array;
}

/** `first` as a part, then `second`. Triples are pairs whose second is a pair. */
export function pairKey<A, B>(first: KeyCodec<A>, second: KeyCodec<B>): PairCodec<A, B> {
  return {
    prefix: (key) => first.encodePart(key),
    encode: ([a, b]) => concat(first.encodePart(a), second.encode(b)),
    encodePart: ([a, b]) => concat(first.encodePart(a), second.encodePart(b)),
    id: ([a, b], under) => second.id(b, first.idPart(a, under)),
    idPart: ([a, b], under) => second.idPart(b, first.idPart(a, under)),
    decode(bytes) {
      const { key, next } = first.decodePart(bytes, 0);
      return [key, second.decode(bytes.slice(next))];
    },
    decodePart(bytes, at) {
      const a = first.decodePart(bytes, at);
      const b = second.decodePart(bytes, a.next);
      return { key: [a.key, b.key], next: b.next };
    },
  };
}

/** Seconds and nanoseconds: in the order of time. Times before 1970 do not occur in queues. */
export const timeKey = pairKey(u64Key, u64Key);

export function queueTime(time: Timestamp): readonly [bigint, bigint] {
  return [time.seconds, BigInt(time.nanos)];
}

export const bytesValue: ValueCodec<Uint8Array> = { encode: (value) => value, decode: (bytes) => bytes };

export const stringValue: ValueCodec<string> = { encode: utf8, decode: fromUtf8 };

/** Eight bytes, big-endian. */
export const u64Value: ValueCodec<bigint> = { encode: u64be, decode: u64Key.decode };

/** Decimal digits, as the Cosmos SDK stores math.Int: a bank balance proven from outside reads the same. */
export const intValue: ValueCodec<bigint> = {
  encode: (value) => utf8(value.toString()),
  decode: (bytes) => BigInt(fromUtf8(bytes)),
};

/** One byte that says only "present": never empty, so that ICS-23 can prove it. */
export const presentValue: ValueCodec<true> = {
  encode: () => Uint8Array.of(1),
  decode(bytes) {
    assert(bytes.length === 1 && bytes[0] === 1, 'a stored presence mark is not 01');
    return true;
  },
};
