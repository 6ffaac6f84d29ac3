/**
 * The keys of the index. One table of prefixes; variable-length items carry their length, so that no key and value of
 * an attribute can be mistaken for another pair; heights are big-endian, so that byte order is chain order.
 *
 * What many transactions of a block share – an action, a fee, the account that collects fees – is one entry for a segment
 * of {@link SEGMENT} places in the block, whose value lists where it stands: most of what a transfer tells is shared.
 */

import { assert, defined } from '#core/assert.ts';
import { concat, lengthPrefixed, prefixEnd, readU64be, u32be, u64be, utf8 } from '#core/bytes.ts';
import type { KvRange } from '#core/ports/kv.ts';

/** 0, 3, 4 and 6 were those of entries for each transaction: what has them is made anew. */
export const INDEX_PREFIXES = {
  /** hash → position. */
  txByHash: 1,
  /** position → the encoded record. */
  txRecord: 2,
  /** position (with index 0) → nothing. */
  blockPosition: 5,
  /** → the greatest height that is indexed, u64. */
  indexedHeight: 7,
  /** segment → its first transaction and how many there are, u32 each. */
  txPosition: 8,
  /** attribute, value, segment → its places there: index in the block and number of the event, u32 each. */
  txEvent: 9,
  /** attribute, value, segment (with index 0) → its places, as above. */
  blockEvent: 10,
} as const;

/** Places of a block that share entries. */
export const SEGMENT = 512;

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

/** Reads the position at the end. */
export function readPosition(bytes: Uint8Array): Position {
  const at = bytes.length - 12;
  const index = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at + 8);
  return position(readU64be(bytes, at), index);
}

export type EventPrefix = 'txEvent' | 'blockEvent';

/** Prefix byte, length and text of an attribute's composite key. */
function attributePrefix(prefix: EventPrefix, key: string): Uint8Array {
  return concat(Uint8Array.of(INDEX_PREFIXES[prefix]), lengthPrefixed(utf8(key)));
}

const DOT = 0x2e;

/** A piece of a buffer. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Bytes of the key that {@link putEventKey} writes. */
export function eventKeyLength(type: Span, key: Span, value: Span): number {
  return 1 + 4 + (type.to - type.from) + 1 + (key.to - key.from) + 4 + (value.to - value.from) + 12;
}

/**
 * An attribute in a segment, whose position is encoded as {@link positionValue} does. Type and key make the composite key.
 * Written in one go, and many into one buffer: a block has tens of thousands. Answers where the key ends.
 */
export function putEventKey(
  out: Uint8Array,
  at: number,
  prefix: EventPrefix,
  { bytes, type, key, value }: { readonly bytes: Uint8Array } & Readonly<Record<'type' | 'key' | 'value', Span>>,
  segment: Uint8Array,
): number {
  out[at] = INDEX_PREFIXES[prefix];
  let next = putU32(out, at + 1, type.to - type.from + 1 + key.to - key.from);
  next = putShort(out, next, bytes, type);
  out[next++] = DOT;
  next = putShort(out, next, bytes, key);
  next = putU32(out, next, value.to - value.from);
  next = putShort(out, next, bytes, value);
  return putShort(out, next, segment, { from: 0, to: segment.length });
}

/** Numbers below 2^32 as the value of an entry: four bytes each. Answers where it ends. */
export function putNumbers(out: Uint8Array, at: number, numbers: readonly number[]): number {
  let next = at;
  for (const number of numbers) next = putU32(out, next, number);
  return next;
}

function putU32(out: Uint8Array, at: number, value: number): number {
  out[at] = value >>> 24;
  out[at + 1] = value >>> 16;
  out[at + 2] = value >>> 8;
  out[at + 3] = value;
  return at + 4;
}

/** A loop: names and values are shorter than what a call pays for. */
function putShort(out: Uint8Array, at: number, bytes: Uint8Array, { from, to }: Span): number {
  for (let i = from; i < to; i++) out[at + i - from] = bytes[i] as number;
  return at + to - from;
}

/** Where an event stands: position and number of the event, as one number. */
export type EventPlace = bigint;

export function positionOfEvent(place: EventPlace): Position {
  return place >> INDEX_BITS;
}

/** The value and the height that an event key names. `keyLength`: bytes of the attribute's key. */
export function readEventKey(bytes: Uint8Array, keyLength: number): { value: Uint8Array; height: bigint } {
  const valueAt = 1 + 4 + keyLength + 4;
  return { value: bytes.subarray(valueAt, bytes.length - 12), height: heightOfPosition(readPosition(bytes)) };
}

/** What {@link putNumbers} has written in pairs. @throws when it is something else. */
export function readPairs(bytes: Uint8Array): readonly (readonly [number, number])[] {
  assert(bytes.length % 8 === 0, 'an index entry has pairs of numbers');
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return Array.from({ length: bytes.length >>> 3 }, (_, i) => [view.getUint32(8 * i), view.getUint32(8 * i + 4)]);
}

export function eventPlace(height: bigint, index: number, event: number): EventPlace {
  return (position(height, index) << INDEX_BITS) | BigInt(event);
}

/** Inclusive heights. */
export interface HeightRange {
  readonly from: bigint;
  readonly to: bigint;
}

/** The entries of those heights. */
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
  const from = (height: bigint) => concat(start, encodePosition(position(height, 0)));
  return { gte: from(heights.from), lt: from(heights.to + 1n) };
}
