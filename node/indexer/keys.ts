/**
 * The keys of the index. One table of prefixes; variable-length items carry their length, so that no key and value of
 * an attribute can be mistaken for another pair; heights are big-endian, so that byte order is chain order.
 *
 * What many transactions of a block share – an action, a fee, the account that collects fees – is one entry for a segment
 * of {@link SEGMENT} places in the block, whose value lists where it stands: most of what a transfer tells is shared. What
 * one transaction tells of an account under several names is one entry as well ({@link storedName}).
 */

import { assert, defined } from '#core/assert.ts';
import { concat, lengthPrefixed, prefixEnd, readU64be, u32be, u64be, utf8 } from '#core/bytes.ts';
import type { KvRange } from '#core/ports/kv.ts';
import { INDEX_LIMITS } from './limits.ts';
import type { Span } from './stored-fields.ts';

/** Each build with other entries has its own, one after the other; 0 to 16 were those of earlier ones. */
export const INDEX_PREFIXES = {
  /** hash → position, and 1 when the transaction succeeded. */
  txByHash: 17,
  /** position (with index 0) → nothing. */
  blockPosition: 18,
  /** → the greatest height that is indexed, u64. */
  indexedHeight: 19,
  /** segment → its first transaction and how many there are, u32 each. */
  txPosition: 20,
  /** attribute, value, segment → its places there, see {@link putPlace}. */
  txEvent: 21,
  /** attribute, value, segment (with index 0) → its places, as above. */
  blockEvent: 22,
} as const;

/** Places of a block that share entries, and whose entries are written in the order of their keys. */
export const SEGMENT = 2_048;

/** Height and place in the block, as one number that sorts in chain order. */
export type Position = bigint;

const INDEX_BITS = 32n;
const POSITION_BYTES = 12;

export function position(height: bigint, index: number): Position {
  return (height << INDEX_BITS) | BigInt(index);
}

export function heightOfPosition(at: Position): bigint {
  return at >> INDEX_BITS;
}

export function indexOfPosition(at: Position): number {
  return Number(at & 0xffffffffn);
}

/** Height, u64, and index, u32. */
export function encodePosition(at: Position): Uint8Array {
  return concat(u64be(heightOfPosition(at)), u32be(indexOfPosition(at)));
}

export const indexedHeightKey = Uint8Array.of(INDEX_PREFIXES.indexedHeight);

export function txByHashKey(hash: Uint8Array): Uint8Array {
  return concat(Uint8Array.of(INDEX_PREFIXES.txByHash), hash);
}

export function positionKey(prefix: 'txPosition' | 'blockPosition', at: Position): Uint8Array {
  return concat(Uint8Array.of(INDEX_PREFIXES[prefix]), encodePosition(at));
}

/** What a hash names: of transactions of the same bytes the last one that succeeded, or else the last one. */
export interface Named {
  readonly at: Position;
  readonly succeeded: boolean;
}

/** Bytes of the value of {@link txByHashKey}: a position, and 1 when the transaction succeeded. */
export const NAMED_BYTES = POSITION_BYTES + 1;

/** @param segment the encoded position of a place in the same block. */
export function putNamed(out: Uint8Array, segment: Uint8Array, index: number, succeeded: boolean): void {
  putShort(out, 0, segment, 0, POSITION_BYTES - 4);
  putU32(out, POSITION_BYTES - 4, index);
  out[POSITION_BYTES] = succeeded ? 1 : 0;
}

export function readNamed(bytes: Uint8Array): Named {
  return { at: readPosition(bytes.subarray(0, POSITION_BYTES)), succeeded: bytes[POSITION_BYTES] === 1 };
}

/** Reads the position at the end. */
export function readPosition(bytes: Uint8Array): Position {
  const at = bytes.length - POSITION_BYTES;
  const index = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getUint32(at + 8);
  return position(readU64be(bytes, at), index);
}

export type EventPrefix = 'txEvent' | 'blockEvent';

/**
 * Who pays, who is paid: modules of the Cosmos SDK tell it under each of these names, in the same transaction. It is one
 * entry under the first of them, whose places say which name each has. At most {@link NAMES} in a row.
 */
const SAME_VALUE: readonly (readonly string[])[] = [
  ['transfer.sender', 'coin_spent.spender', 'message.sender', 'tx.fee_payer'],
  ['transfer.recipient', 'coin_received.receiver'],
];
const NAMES = 4;

/** The composite key under which the entries of another are, and what tells it from others there. */
export interface StoredName {
  readonly key: string;
  /** Below {@link NAMES}. */
  readonly member: number;
}

const STORED_NAMES: ReadonlyMap<string, StoredName> = new Map(
  SAME_VALUE.flatMap((names) => names.map((name, member) => [name, { key: defined(names[0], 'a name'), member }])),
);

export function storedName(key: string): StoredName {
  return STORED_NAMES.get(key) ?? { key, member: 0 };
}

/** Prefix byte, length and text of an attribute's composite key. */
function attributePrefix(prefix: EventPrefix, key: string): Uint8Array {
  return concat(Uint8Array.of(INDEX_PREFIXES[prefix]), lengthPrefixed(utf8(storedName(key).key)));
}

/** Bytes of a key, at most: of an attribute. */
export const MAX_KEY_BYTES =
  1 + 4 + INDEX_LIMITS.maxIndexedKeyBytes + 4 + INDEX_LIMITS.maxIndexedValueBytes + POSITION_BYTES;

/**
 * An attribute in a segment, whose position is encoded as {@link encodePosition} does. `name`: a {@link StoredName.key}.
 * Answers where the key ends.
 */
export function putEventKey(
  out: Uint8Array,
  prefix: EventPrefix,
  name: Uint8Array,
  { bytes, from, to }: Span & { readonly bytes: Uint8Array },
  segment: Uint8Array,
): number {
  out[0] = INDEX_PREFIXES[prefix];
  let next = putU32(out, 1, name.length);
  next = putShort(out, next, name, 0, name.length);
  next = putU32(out, next, to - from);
  next = putShort(out, next, bytes, from, to);
  return putShort(out, next, segment, 0, segment.length);
}

/** A place of an attribute is two numbers: this one, of its transaction in the segment and its name, and that of the event. */
export function memberPlace(offset: number, member: number): number {
  return offset * NAMES + member;
}

/** Bytes of a place, at most. */
export const PLACE_BYTES = 10;

/** A place: {@link memberPlace} and the number of the event, as varints. Answers where it ends. */
export function putPlace(out: Uint8Array, at: number, place: number, event: number): number {
  return putVarint(out, putVarint(out, at, place), event);
}

/** A number below 2^32. */
function putVarint(out: Uint8Array, at: number, number: number): number {
  let next = at;
  let left = number;
  for (; left >= 0x80; left >>>= 7) out[next++] = (left & 0x7f) | 0x80;
  out[next++] = left;
  return next;
}

/**
 * Of places that {@link putPlace} has written one after the other, those of one member: index in the block, if `segment` is its first, and number of
 * the event. @throws when it is something else.
 */
export function readPlaces(bytes: Uint8Array, segment: number, member: number): (readonly [number, number])[] {
  const places: (readonly [number, number])[] = [];
  let at = 0;
  const next = (): number => {
    let number = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++];
      assert(byte !== undefined && shift < 35, 'an index entry has pairs of numbers');
      number |= (byte & 0x7f) << shift;
      if (byte < 0x80) return number >>> 0;
    }
  };
  while (at < bytes.length) {
    const first = next();
    const event = next();
    if (first % NAMES === member) places.push([segment + (first - member) / NAMES, event]);
  }
  return places;
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
function putShort(out: Uint8Array, at: number, bytes: Uint8Array, from: number, to: number): number {
  for (let i = from; i < to; i++) out[at + i - from] = bytes[i] as number;
  return at + to - from;
}

/** Where an event stands: position and number of the event, as one number. */
export type EventPlace = bigint;

export function positionOfEvent(place: EventPlace): Position {
  return place >> INDEX_BITS;
}

/** The value and the segment that an event key names. `nameLength`: bytes of the {@link StoredName.key}. */
export function readEventKey(bytes: Uint8Array, nameLength: number): { value: Uint8Array; segment: Position } {
  const valueAt = 1 + 4 + nameLength + 4;
  return { value: bytes.subarray(valueAt, bytes.length - POSITION_BYTES), segment: readPosition(bytes) };
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
