/**
 * What a block adds to the index. It is made of bytes: the transactions, and the results as the node stores them, of
 * which only that is read which keys are made of. So the same few lines serve the main thread and another one, to which
 * nothing but bytes is handed.
 */
import { hash } from 'node:crypto';
import { defined } from '#core/assert.ts';
import { concat, fromUtf8, toHex, utf8 } from '#core/bytes.ts';
import { type Kv, type KvOp, PRESENT } from '#core/ports/kv.ts';
import type { Block } from '#core/types/block.ts';
import {
  type EventPrefix,
  encodeNamed,
  encodePosition,
  eventKeyLength,
  memberPlace,
  type Position,
  placesLength,
  position,
  positionKey,
  putEventKey,
  putNumbers,
  putPlaces,
  readNamed,
  SEGMENT,
  storedName,
  txByHashKey,
} from './keys.ts';
import { INDEX_LIMITS } from './limits.ts';
import { EVENT, EVENT_ATTRIBUTE, RESPONSE, type Span, StoredFields, TX_RESULT } from './stored-fields.ts';

export interface IndexedBlock {
  readonly height: bigint;
  readonly txs: readonly Uint8Array[];
  /** As `encodeFinalizeResponse` of `driver/abci-codec.ts` makes them. */
  readonly results: Uint8Array;
  /** The first transaction is the proposer's own: nobody's transaction, and so not in the index. */
  readonly injected: boolean;
}

export function indexedBlock(
  { header, txs }: Block,
  results: Uint8Array,
  isInjection: (tx: Uint8Array) => boolean,
): IndexedBlock {
  const [first] = txs;
  const injected = first !== undefined && isInjection(first);
  return { height: header.height, txs, results, injected };
}

/** SHA-256 by the platform: the index hashes every transaction once more. */
export function sha256(tx: Uint8Array): Uint8Array {
  // As text of a byte each: memory outside the heap for each, as a buffer has, costs more than the hash.
  const digest = hash('sha256', tx, 'binary');
  const out = new Uint8Array(digest.length);
  for (let i = 0; i < out.length; i++) out[i] = digest.charCodeAt(i);
  return out;
}

/** The database as far as entries need it: to see what a hash names already. */
export type IndexReader = Pick<Kv, 'get'>;

/** Hashes of transactions that have succeeded since the database was written last. */
export class Succeeded {
  readonly #names = new Set<string>();
  #fresh: Uint8Array[] = [];

  add(txHash: Uint8Array): void {
    this.#fresh.push(txHash);
  }

  /** Asked for what has failed alone: names are made then. */
  has(txHash: Uint8Array): boolean {
    for (const one of this.#fresh) this.#names.add(toHex(one));
    this.#fresh = [];
    return this.#names.has(toHex(txHash));
  }
}

/** How the blocks of a call stand to what is in the index. */
export interface Already {
  readonly kv: IndexReader;
  readonly succeeded: Succeeded;
  /** Whether later blocks may be in the index. */
  readonly later: boolean;
}

/** The entries of a block in pieces: of the block itself, of each of its transactions, and of each segment of them. */
export function* blockEntries(already: Already, block: IndexedBlock): Generator<KvOp[], void> {
  const { height, txs, results, injected } = block;
  const ofBlock = new SharedEvents(results, 'blockEvent', height, 0);
  const fields = new StoredFields(results);
  let events = 0;
  while (fields.next()) if (fields.number === RESPONSE.event) ofBlock.add(fields, 0, events++);
  yield [{ type: 'put', key: positionKey('blockPosition', position(height, 0)), value: PRESENT }];
  yield* ofBlock.entries();
  const answers = new StoredFields(results);
  let shared = new SharedEvents(results, 'txEvent', height, 0);
  let first = injected ? 1 : 0;
  let index = 0;
  while (answers.next()) {
    if (answers.number !== RESPONSE.txResult) continue;
    if (index % SEGMENT === 0 && index > 0) {
      yield* segmentEntries(shared, height, first, index);
      shared = new SharedEvents(results, 'txEvent', height, index);
      first = index;
    }
    const tx = defined(txs[index], 'the transaction of a result');
    if (index >= first) yield txEntries(already, position(height, index), tx, addResult(shared, answers, index));
    index++;
  }
  yield* segmentEntries(shared, height, first, index);
}

function* segmentEntries(shared: SharedEvents, height: bigint, first: number, end: number): Generator<KvOp[], void> {
  if (end <= first) return;
  const key = positionKey('txPosition', position(height, shared.segment));
  const value = new Uint8Array(8);
  putNumbers(value, 0, [first, end - first]);
  yield [{ type: 'put', key, value }];
  yield* shared.entries();
}

/** Answers whether the transaction has succeeded. */
function addResult(shared: SharedEvents, { from, to }: Span, index: number): boolean {
  const fields = new StoredFields(shared.bytes, from, to);
  let code = 0;
  let events = 0;
  while (fields.next()) {
    if (fields.number === TX_RESULT.code) code = fields.value;
    else if (fields.number === TX_RESULT.event) shared.add(fields, index, events++);
  }
  return code === 0;
}

/** The same bytes may be committed again, and fail: the hash goes on naming the one that succeeded. */
function txEntries({ kv, succeeded, later }: Already, at: Position, tx: Uint8Array, isGood: boolean): KvOp[] {
  const txHash = sha256(tx);
  const key = txByHashKey(txHash);
  if (isGood) succeeded.add(txHash);
  else if (succeeded.has(txHash)) return [];
  if (!isGood || later) {
    const stored = kv.get(key);
    const other = stored && readNamed(stored);
    if (other !== undefined && (other.succeeded === isGood ? other.at > at : other.succeeded && other.at !== at))
      return [];
  }
  return [{ type: 'put', key, value: encodeNamed({ at, succeeded: isGood }) }];
}

/** A composite key of attributes. */
interface Name {
  readonly type: Span;
  readonly key: Span;
  /** What it is found by; undefined for a name that is too long for it. */
  readonly group: Group | undefined;
  readonly member: number;
  /** Another of the same hash. */
  readonly next: Name | undefined;
}

/** Names whose entries stand together, see {@link storedName}. */
interface Group {
  readonly name: Uint8Array;
  readonly seed: number;
}

/** A value, in the bytes of the results, and where it stands. */
interface SharedEvent {
  readonly group: Group;
  readonly valueFrom: number;
  readonly valueTo: number;
  /** See {@link memberPlace}: it, and the number of the event, in turn. */
  readonly places: number[];
  /** Another of the same hash. */
  readonly next: SharedEvent | undefined;
}

const NOTHING: Span = { from: 0, to: 0 };

/** Where each attribute of a segment of a block stands. Of what is found many times nothing is made but the places. */
class SharedEvents {
  /** The results, in which the events stand. */
  readonly bytes: Uint8Array;
  /** Its first place in the block. */
  readonly segment: number;
  readonly #prefix: EventPrefix;
  readonly #position: Uint8Array;
  readonly #event: StoredFields;
  readonly #attribute: StoredFields;
  readonly #names = new Map<number, Name>();
  readonly #groups = new Map<string, Group>();
  readonly #byHash = new Map<number, SharedEvent>();

  constructor(bytes: Uint8Array, prefix: EventPrefix, height: bigint, segment: number) {
    this.bytes = bytes;
    this.segment = segment;
    this.#prefix = prefix;
    this.#position = encodePosition(position(height, segment));
    this.#event = new StoredFields(bytes);
    this.#attribute = new StoredFields(bytes);
  }

  /** @param index place in the block; `number` of the event there. */
  add({ from, to }: Span, index: number, number: number): void {
    const fields = this.#event;
    fields.enter(from, to);
    let type = NOTHING;
    let typeHash = 0;
    while (fields.next()) {
      if (fields.number === EVENT.type) {
        // Written first, unless it is empty.
        type = { from: fields.from, to: fields.to };
        typeHash = this.#hash(0, fields.from, fields.to);
      } else if (fields.number === EVENT.attribute && type.to > type.from)
        this.#addAttribute(type, typeHash, fields, index, number);
    }
  }

  #addAttribute(type: Span, typeHash: number, { from, to }: Span, index: number, number: number): void {
    const fields = this.#attribute;
    fields.enter(from, to);
    let name: Name | undefined;
    let valueFrom = 0;
    let valueTo = 0;
    let isIndexed = false;
    while (fields.next()) {
      if (fields.number === EVENT_ATTRIBUTE.key)
        name = this.#name(this.#hash(typeHash, fields.from, fields.to), type, fields.from, fields.to);
      else if (fields.number === EVENT_ATTRIBUTE.value) {
        valueFrom = fields.from;
        valueTo = fields.to;
      } else if (fields.number === EVENT_ATTRIBUTE.index) isIndexed = fields.value !== 0;
    }
    if (!isIndexed || name?.group === undefined || valueTo - valueFrom > INDEX_LIMITS.maxIndexedValueBytes) return;
    const { group, member } = name;
    const hash = this.#hash(group.seed, valueFrom, valueTo);
    const first = this.#byHash.get(hash);
    let known = first;
    while (
      known !== undefined &&
      !(known.group === group && this.#same(known.valueFrom, known.valueTo, valueFrom, valueTo))
    )
      known = known.next;
    const place = memberPlace(index - this.segment, member);
    // Most values have one place: a list that grows has room for sixteen more.
    if (known === undefined)
      this.#byHash.set(hash, { group, valueFrom, valueTo, places: [place, number], next: first });
    else known.places.push(place, number);
  }

  /** @param hash of both; `from` and `to` of the attribute's key, which is not empty. */
  #name(hash: number, type: Span, from: number, to: number): Name {
    const first = this.#names.get(hash);
    let known = first;
    while (
      known !== undefined &&
      !(
        this.#same(known.key.from, known.key.to, from, to) &&
        this.#same(known.type.from, known.type.to, type.from, type.to)
      )
    )
      known = known.next;
    if (known !== undefined) return known;
    const composite = concat(this.bytes.subarray(type.from, type.to), DOT, this.bytes.subarray(from, to));
    const { key, member } = storedName(fromUtf8(composite));
    const group = composite.length > INDEX_LIMITS.maxIndexedKeyBytes ? undefined : this.#group(key, hash);
    known = { type, key: { from, to }, group, member, next: first };
    this.#names.set(hash, known);
    return known;
  }

  #group(key: string, seed: number): Group {
    const known = this.#groups.get(key);
    if (known !== undefined) return known;
    const group = { name: utf8(key), seed };
    this.#groups.set(key, group);
    return group;
  }

  *entries(): Generator<KvOp[], void> {
    let piece: SharedEvent[] = [];
    for (const first of this.#byHash.values())
      for (let entry: SharedEvent | undefined = first; entry !== undefined; entry = entry.next) {
        piece.push(entry);
        if (piece.length < INDEX_LIMITS.entriesPerPiece) continue;
        yield this.#written(piece);
        piece = [];
      }
    if (piece.length > 0) yield this.#written(piece);
  }

  /** Keys and values are cut out of one buffer. */
  #written(piece: readonly SharedEvent[]): KvOp[] {
    let length = 0;
    for (const { group, valueFrom, valueTo, places } of piece)
      length += eventKeyLength(group.name, valueTo - valueFrom) + placesLength(places);
    const out = new Uint8Array(length);
    let at = 0;
    return piece.map(({ group, valueFrom, valueTo, places }) => {
      const value = { bytes: this.bytes, from: valueFrom, to: valueTo };
      const keyEnd = putEventKey(out, at, this.#prefix, group.name, value, this.#position);
      const end = putPlaces(out, keyEnd, places);
      const op: KvOp = { type: 'put', key: out.subarray(at, keyEnd), value: out.subarray(keyEnd, end) };
      at = end;
      return op;
    });
  }

  /** FNV-1a, going on from `seed`. Whoever makes many of one hash makes this thread compare them, and no other. */
  #hash(seed: number, from: number, to: number): number {
    let hash = seed ^ -2128831035;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ (this.bytes[i] as number), 16777619);
    return hash;
  }

  #same(from: number, to: number, otherFrom: number, otherTo: number): boolean {
    if (to - from !== otherTo - otherFrom) return false;
    for (let i = 0; i < to - from; i++) if (this.bytes[from + i] !== this.bytes[otherFrom + i]) return false;
    return true;
  }
}

const DOT = utf8('.');
