/**
 * The keys of the index. One table of prefixes; variable-length items carry their length, so that no key and value of
 * an attribute can be mistaken for another pair; heights are big-endian, so that byte order is chain order.
 */

import { defined } from '#core/assert.ts';
import { concat, lengthPrefixed, prefixEnd, readU64be, u32be, u64be, utf8 } from '#core/bytes.ts';
import type { KvRange } from '#core/ports/kv.ts';
import { INDEX_LIMITS } from './limits.ts';

export const INDEX_PREFIXES = {
  /** → the greatest height that is indexed, u64. */
  indexedHeight: 0,
  /** hash → position. */
  txByHash: 1,
  /** position → the encoded record. */
  txRecord: 2,
  /** position → nothing. */
  txPosition: 3,
  /** attribute, value, position, event → nothing. */
  txEvent: 4,
  /** position (with index 0) → nothing. */
  blockPosition: 5,
  /** attribute, value, position, event → nothing. */
  blockEvent: 6,
} as const;

/** Height and place in the block, as one number that sorts in chain order. */
export type Position = bigint;

const INDEX_BITS = 32n;

export function position(height: bigint, index: number): Position {
  return (height << INDEX_BITS) | BigInt(index);
}

export function heightOfPosition(at: Position): bigint {
  return at >> INDEX_BITS;
}

function encodePosition(at: Position): Uint8Array {
  return concat(u64be(heightOfPosition(at)), u32be(Number(at & 0xffffffffn)));
}

export const indexedHeightKey = Uint8Array.of(INDEX_PREFIXES.indexedHeight);

export function txByHashKey(hash: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(INDEX_PREFIXES.txByHash), hash);
}

export function positionKey(prefix: 'txRecord' | 'txPosition' | 'blockPosition', at: Position): Uint8Array {
  return concat(Uint8Array.of(INDEX_PREFIXES[prefix]), encodePosition(at));
}

/** Value of {@link txByHashKey}. */
export function positionValue(at: Position): Uint8Array {
  return encodePosition(at);
}

/** Reads a position that ends at `end`. */
export function readPosition(bytes: Uint8Array, end = bytes.length): Position {
  const at = end - 12;
  const index = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at + 8);
  return position(readU64be(bytes, at), index);
}

export type EventPrefix = 'txEvent' | 'blockEvent';

/** Prefix byte, length and text of an attribute's key. Events have few keys and many values: each is made once. */
function attributePrefix(prefix: EventPrefix, key: string): Uint8Array {
  const known = attributePrefixes[prefix].get(key);
  if (known !== undefined) return known;
  const made = concat(Uint8Array.of(INDEX_PREFIXES[prefix]), lengthPrefixed(utf8(key)));
  if (attributePrefixes[prefix].size >= INDEX_LIMITS.maxCachedKeys) attributePrefixes[prefix].clear();
  attributePrefixes[prefix].set(key, made);
  return made;
}

const attributePrefixes: Readonly<Record<EventPrefix, Map<string, Uint8Array>>> = {
  txEvent: new Map(),
  blockEvent: new Map(),
};

/** One attribute of event number `event` at a position. Written in one go: a block has tens of thousands. */
export function eventKey(prefix: EventPrefix, key: string, value: string, at: Position, event: number): Uint8Array {
  const head = attributePrefix(prefix, key);
  const valueBytes = Buffer.byteLength(value);
  const out = new Uint8Array(head.length + 4 + valueBytes + 16);
  const buffer = Buffer.from(out.buffer);
  out.set(head);
  let next = buffer.writeUInt32BE(valueBytes, head.length);
  next += buffer.write(value, next);
  next = buffer.writeBigUInt64BE(heightOfPosition(at), next);
  next = buffer.writeUInt32BE(Number(at & 0xffffffffn), next);
  buffer.writeUInt32BE(event, next);
  return out;
}

/** Where an event stands: position and number of the event, as one number. */
export type EventPlace = bigint;

export function positionOfEvent(place: EventPlace): Position {
  return place >> INDEX_BITS;
}

/** The place and the value that an event key names. `keyLength`: bytes of the attribute's key. */
export function readEventKey(bytes: Uint8Array, keyLength: number): { value: Uint8Array; place: EventPlace } {
  const valueAt = 1 + 4 + keyLength + 4;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const event = view.getUint32(bytes.length - 4);
  return {
    value: bytes.subarray(valueAt, bytes.length - 16),
    place: (readPosition(bytes, bytes.length - 4) << INDEX_BITS) | BigInt(event),
  };
}

/** Inclusive heights. */
export interface HeightRange {
  readonly from: bigint;
  readonly to: bigint;
}

export function positionRange(prefix: 'txPosition' | 'blockPosition', heights: HeightRange): KvRange {
  return {
    gte: positionKey(prefix, position(heights.from, 0)),
    lt: positionKey(prefix, position(heights.to + 1n, 0)),
  };
}

/** All entries of an attribute. */
export function attributeRange(prefix: EventPrefix, key: string): KvRange {
  const gte = attributePrefix(prefix, key);
  return { gte, lt: defined(prefixEnd(gte), 'the end of an attribute') };
}

/** The entries of one value of an attribute, within heights. */
export function valueRange(prefix: EventPrefix, key: string, value: string, heights: HeightRange): KvRange {
  return {
    gte: eventKey(prefix, key, value, position(heights.from, 0), 0),
    lt: eventKey(prefix, key, value, position(heights.to + 1n, 0), 0),
  };
}
