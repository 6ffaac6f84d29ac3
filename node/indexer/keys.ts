/**
 * The keys of the index. One table of prefixes; variable-length items carry their length, so that no key and value of
 * an attribute can be mistaken for another pair; heights are big-endian, so that byte order is chain order.
 */

import { defined } from '#core/assert.ts';
import { concat, lengthPrefixed, prefixEnd, readU64be, u32be, u64be, utf8 } from '#core/bytes.ts';
import type { KvRange } from '#core/ports/kv.ts';

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

/** Prefix byte, length and text of an attribute's composite key. */
function attributePrefix(prefix: EventPrefix, key: string): Uint8Array {
  return concat(Uint8Array.of(INDEX_PREFIXES[prefix]), lengthPrefixed(utf8(key)));
}

const DOT = 0x2e;

/**
 * One attribute of event number `event` at a position, which is encoded as {@link positionValue} does. Type and key make
 * the composite key. Written in one go: a block has tens of thousands.
 */
export function eventKey(
  prefix: EventPrefix,
  type: Uint8Array,
  key: Uint8Array,
  value: Uint8Array,
  at: Uint8Array,
  event: number,
): Uint8Array {
  const nameLength = type.length + 1 + key.length;
  const out = new Uint8Array(1 + 4 + nameLength + 4 + value.length + at.length + 4);
  out[0] = INDEX_PREFIXES[prefix];
  let next = putU32(out, 1, nameLength);
  next = putShort(out, next, type);
  out[next++] = DOT;
  next = putShort(out, next, key);
  next = putU32(out, next, value.length);
  next = putShort(out, next, value);
  next = putShort(out, next, at);
  putU32(out, next, event);
  return out;
}

function putU32(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
}

/** A loop: names and values are shorter than what a call pays for. */
function putShort(out: Uint8Array, at: number, bytes: Uint8Array): number {
  for (let i = 0; i < bytes.length; i++) out[at + i] = bytes[i] as number;
  return at + bytes.length;
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
  const start = concat(attributePrefix(prefix, key), lengthPrefixed(utf8(value)));
  const from = (height: bigint) => concat(start, encodePosition(position(height, 0)), u32be(0));
  return { gte: from(heights.from), lt: from(heights.to + 1n) };
}
