/**
 * Where each attribute of a segment of a block stands. Most of what a node does for its index is done here, for some thirty
 * attributes of each transaction, so it is kept in columns of numbers: an object for each would live until the segment is
 * written, and be copied by the collector meanwhile.
 */
import { concat, fromUtf8, utf8 } from '#core/bytes.ts';
import type { EntryMemory } from './entry-memory.ts';
import { type EventPrefix, memberPlace, PLACE_BYTES, putEventKey, putPlace, storedName } from './keys.ts';
import { INDEX_LIMITS } from './limits.ts';
import { sortPairs } from './sort-pairs.ts';
import { EVENT, EVENT_ATTRIBUTE, type Span, StoredFields } from './stored-fields.ts';

/** A type of events. */
interface EventType extends Span {
  readonly names: Map<number, Name>;
  /** Another of the same hash. */
  readonly next: EventType | undefined;
}

/** A composite key of attributes; the span is that of its second part. */
interface Name extends Span {
  /** What it is found by; undefined for a name that is too long for it. */
  readonly group: Group | undefined;
  readonly member: number;
  /** Another of the same hash. */
  readonly next: Name | undefined;
}

/** Names whose entries stand together, see {@link storedName}. */
interface Group {
  readonly name: Uint8Array;
  readonly number: number;
  /** Its values of this segment: the last one that came, from which the others follow, and how many they are. */
  last: number;
  count: number;
  /** Bytes with which all of them begin. */
  common: number;
}

/** Columns of a value: its hash, group, where it is in the bytes, its first and last place, and the value before it in the group. */
const [HASH, GROUP, FROM, TO, FIRST, LAST, BEFORE, VALUE_COLUMNS] = [0, 1, 2, 3, 4, 5, 6, 8] as const;
/** Columns of a place: {@link memberPlace}, number of the event, the value's next place. */
const [MEMBER_PLACE, EVENT_NUMBER, NEXT, PLACE_COLUMNS] = [0, 1, 2, 3] as const;
const NONE = -1;

export class AttributePlaces {
  /** The results, in which the events stand. */
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  readonly #prefix: EventPrefix;
  readonly #event: StoredFields;
  readonly #attribute: StoredFields;
  readonly #types = new Map<number, EventType>();
  readonly #groups: Group[] = [];
  readonly #groupsByName = new Map<string, Group>();
  #values = new Int32Array(VALUE_COLUMNS * 32);
  #valueCount = 0;
  #places = new Int32Array(PLACE_COLUMNS * 64);
  #placeCount = 0;
  /** Values by their hashes: open addressing, of a size that is a power of two; a value's number and one, or 0. */
  #table = new Int32Array(64);
  /** Values for which there was no place near where their hash says: by chance, or because somebody has chosen them so. */
  readonly #crowded = new Map<string, number>();
  readonly #maxProbes: number;

  /** @param maxProbes places of the table that are looked at for a value */
  constructor(bytes: Uint8Array, prefix: EventPrefix, maxProbes: number = INDEX_LIMITS.maxProbes) {
    this.#maxProbes = maxProbes;
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    this.#prefix = prefix;
    this.#event = new StoredFields(bytes);
    this.#attribute = new StoredFields(bytes);
  }

  /** The attributes of an event: of the transaction at `offset` in the segment, the `number`th there. */
  add({ from, to }: Span, offset: number, number: number): void {
    const fields = this.#event;
    fields.enter(from, to);
    let type: EventType | undefined;
    while (fields.next()) {
      // Written first, unless it is empty.
      if (fields.number === EVENT.type) type = fields.to > fields.from ? this.#type(fields.from, fields.to) : undefined;
      else if (fields.number === EVENT.attribute && type !== undefined)
        this.#addAttribute(type, fields, offset, number);
    }
  }

  #addAttribute(type: EventType, { from, to }: Span, offset: number, number: number): void {
    const fields = this.#attribute;
    fields.enter(from, to);
    let name: Name | undefined;
    let valueFrom = 0;
    let valueTo = 0;
    let isIndexed = false;
    while (fields.next()) {
      if (fields.number === EVENT_ATTRIBUTE.key) name = this.#name(type, fields.from, fields.to);
      else if (fields.number === EVENT_ATTRIBUTE.value) {
        valueFrom = fields.from;
        valueTo = fields.to;
      } else if (fields.number === EVENT_ATTRIBUTE.index) isIndexed = fields.value !== 0;
    }
    if (!isIndexed || name?.group === undefined || valueTo - valueFrom > INDEX_LIMITS.maxIndexedValueBytes) return;
    this.#addPlace(this.#value(name.group, valueFrom, valueTo), memberPlace(offset, name.member), number);
  }

  #type(from: number, to: number): EventType {
    const hash = this.#hash(0, from, to);
    const first = this.#types.get(hash);
    let known = first;
    while (known !== undefined && !this.#same(known.from, known.to, from, to)) known = known.next;
    if (known !== undefined) return known;
    known = { from, to, names: new Map(), next: first };
    this.#types.set(hash, known);
    return known;
  }

  /** Of an attribute whose key is not empty. */
  #name(type: EventType, from: number, to: number): Name {
    const hash = this.#hash(0, from, to);
    const first = type.names.get(hash);
    let known = first;
    while (known !== undefined && !this.#same(known.from, known.to, from, to)) known = known.next;
    if (known !== undefined) return known;
    const composite = concat(this.#bytes.subarray(type.from, type.to), DOT, this.#bytes.subarray(from, to));
    const { key, member } = storedName(fromUtf8(composite));
    const group = composite.length > INDEX_LIMITS.maxIndexedKeyBytes ? undefined : this.#group(key);
    known = { from, to, group, member, next: first };
    type.names.set(hash, known);
    return known;
  }

  #group(key: string): Group {
    const known = this.#groupsByName.get(key);
    if (known !== undefined) return known;
    const group = { name: utf8(key), number: this.#groups.length, last: NONE, count: 0, common: 0 };
    this.#groups.push(group);
    this.#groupsByName.set(key, group);
    return group;
  }

  /** The number of a value. */
  #value(group: Group, from: number, to: number): number {
    const hash = this.#hash(group.number + 1, from, to);
    const known = this.#find(group, hash, from, to);
    if (known !== NONE) return known;
    const value = this.#newValue(group, hash, from, to);
    if (2 * this.#valueCount > this.#table.length) this.#growTable();
    else this.#place(value);
    return value;
  }

  #find(group: Group, hash: number, from: number, to: number): number {
    const [table, values] = [this.#table, this.#values];
    const mask = table.length - 1;
    for (let probe = 0; probe < this.#maxProbes; probe++) {
      const entry = table[(hash + probe) & mask] as number;
      if (entry === 0) break;
      const at = (entry - 1) * VALUE_COLUMNS;
      if (
        values[at + HASH] === hash &&
        values[at + GROUP] === group.number &&
        this.#same(values[at + FROM] as number, values[at + TO] as number, from, to)
      )
        return entry - 1;
    }
    return this.#crowded.size === 0 ? NONE : (this.#crowded.get(this.#textOf(group.number, from, to)) ?? NONE);
  }

  /** Where {@link #find} will look for it. */
  #place(value: number): void {
    const [table, values] = [this.#table, this.#values];
    const mask = table.length - 1;
    const at = value * VALUE_COLUMNS;
    for (let probe = 0; probe < this.#maxProbes; probe++) {
      const slot = ((values[at + HASH] as number) + probe) & mask;
      if (table[slot] !== 0) continue;
      table[slot] = value + 1;
      return;
    }
    const [group, from, to] = [values[at + GROUP] as number, values[at + FROM] as number, values[at + TO] as number];
    this.#crowded.set(this.#textOf(group, from, to), value);
  }

  /** A character a byte: what the engine hashes such texts by, nobody outside knows. */
  #textOf(group: number, from: number, to: number): string {
    const { buffer, byteOffset } = this.#bytes;
    return `${group}:${Buffer.from(buffer, byteOffset + from, to - from).toString('latin1')}`;
  }

  #newValue(group: Group, hash: number, from: number, to: number): number {
    const value = this.#valueCount++;
    const at = value * VALUE_COLUMNS;
    if (at === this.#values.length) this.#values = twice(this.#values);
    const values = this.#values;
    values[at + HASH] = hash;
    values[at + GROUP] = group.number;
    values[at + FROM] = from;
    values[at + TO] = to;
    values[at + FIRST] = NONE;
    values[at + LAST] = NONE;
    values[at + BEFORE] = group.last;
    group.common = group.count === 0 ? to - from : this.#common(group, from, to);
    group.last = value;
    group.count++;
    return value;
  }

  /** With how many bytes a value begins as all others of its group do. */
  #common(group: Group, from: number, to: number): number {
    const other = this.#values[group.last * VALUE_COLUMNS + FROM] as number;
    const most = Math.min(group.common, to - from);
    let common = 0;
    while (common < most && this.#bytes[other + common] === this.#bytes[from + common]) common++;
    return common;
  }

  #growTable(): void {
    this.#table = new Int32Array(2 * this.#table.length);
    this.#crowded.clear();
    for (let value = 0; value < this.#valueCount; value++) this.#place(value);
  }

  #addPlace(value: number, place: number, number: number): void {
    const added = this.#placeCount++;
    const at = added * PLACE_COLUMNS;
    if (at === this.#places.length) this.#places = twice(this.#places);
    const [places, values] = [this.#places, this.#values];
    places[at + MEMBER_PLACE] = place;
    places[at + EVENT_NUMBER] = number;
    places[at + NEXT] = NONE;
    const last = values[value * VALUE_COLUMNS + LAST] as number;
    if (last === NONE) values[value * VALUE_COLUMNS + FIRST] = added;
    else places[last * PLACE_COLUMNS + NEXT] = added;
    values[value * VALUE_COLUMNS + LAST] = added;
  }

  /** Writes the entries, and forgets what they are made of: another segment of the same block may follow. */
  *write(memory: EntryMemory, segment: Uint8Array): Generator<void, void> {
    let written = 0;
    for (const group of this.#groups) {
      for (const value of this.#inOrder(group)) {
        this.#writeValue(memory, segment, group, value);
        if (++written % INDEX_LIMITS.entriesPerPiece === 0) yield;
      }
      group.last = NONE;
      group.count = 0;
    }
    if (written % INDEX_LIMITS.entriesPerPiece > 0) yield;
    this.#valueCount = 0;
    this.#placeCount = 0;
    this.#table.fill(0);
    this.#crowded.clear();
  }

  /** The values of a group, see {@link sortPairs}: by their length, and by three bytes of where they begin to differ. */
  #inOrder(group: Group): Uint32Array {
    const pairs = new Uint32Array(2 * group.count);
    let value = group.last;
    for (let i = 0; i < group.count; i++) {
      const at = value * VALUE_COLUMNS;
      const [from, to] = [this.#values[at + FROM] as number, this.#values[at + TO] as number];
      let order = Math.min(to - from, 255);
      for (let next = from + group.common; next < from + group.common + 3; next++)
        order = (order << 8) | (next < to ? (this.#bytes[next] as number) : 0);
      pairs[2 * i] = value;
      pairs[2 * i + 1] = order;
      value = this.#values[at + BEFORE] as number;
    }
    sortPairs(pairs);
    for (let i = 0; i < group.count; i++) pairs[i] = pairs[2 * i] as number;
    return pairs.subarray(0, group.count);
  }

  #writeValue(memory: EntryMemory, segment: Uint8Array, group: Group, number: number): void {
    const at = number * VALUE_COLUMNS;
    const [from, to] = [this.#values[at + FROM] as number, this.#values[at + TO] as number];
    const value = { bytes: this.#bytes, from, to };
    const keyLength = putEventKey(memory.key, this.#prefix, group.name, value, segment);
    let length = 0;
    for (let place = this.#values[at + FIRST] as number; place !== NONE; ) {
      const column = place * PLACE_COLUMNS;
      const event = (this.#places[column + EVENT_NUMBER] as number) >>> 0;
      const out = memory.value(length + PLACE_BYTES);
      length = putPlace(out, length, this.#places[column + MEMBER_PLACE] as number, event);
      place = this.#places[column + NEXT] as number;
    }
    memory.put(keyLength, length);
  }

  /** Four bytes at a time. Who pays for it may choose values of one hash: `maxProbes` is what comparing them costs. */
  #hash(seed: number, from: number, to: number): number {
    let hash = Math.imul(seed ^ (to - from), HASH_FACTOR);
    let at = from;
    for (; at + 4 <= to; at += 4) hash = mixed(hash ^ this.#view.getInt32(at, true));
    for (; at < to; at++) hash = mixed(hash ^ (this.#bytes[at] as number));
    return hash;
  }

  #same(from: number, to: number, otherFrom: number, otherTo: number): boolean {
    const length = to - from;
    if (length !== otherTo - otherFrom) return false;
    let i = 0;
    for (; i + 4 <= length; i += 4)
      if (this.#view.getInt32(from + i) !== this.#view.getInt32(otherFrom + i)) return false;
    for (; i < length; i++) if (this.#bytes[from + i] !== this.#bytes[otherFrom + i]) return false;
    return true;
  }
}

const DOT = utf8('.');
/** 2^32 by the golden ratio: odd, and its bits are about as many. */
const HASH_FACTOR = 0x9e3779b1;

function mixed(hash: number): number {
  const product = Math.imul(hash, HASH_FACTOR);
  return product ^ (product >>> 15);
}

function twice(numbers: Int32Array): Int32Array<ArrayBuffer> {
  const larger = new Int32Array(2 * numbers.length);
  larger.set(numbers);
  return larger;
}
