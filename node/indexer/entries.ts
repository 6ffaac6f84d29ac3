/**
 * What a block adds to the index. It is made of bytes: the transactions, and the results as the node stores them, of
 * which only that is read which keys are made of. So the same few lines serve the main thread and another one, to which
 * nothing but bytes is handed.
 */
import { hash } from 'node:crypto';
import type { FinalizeBlockResponse } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { toHex } from '#core/bytes.ts';
import { type Kv, type KvOp, PRESENT } from '#core/ports/kv.ts';
import type { Block } from '#core/types/block.ts';
import { encodeFinalizeResponse } from '../driver/abci-codec.ts';
import { encodeTxRecord, readTxRecord } from './codec.ts';
import {
  type EventPrefix,
  eventKeyLength,
  type Position,
  position,
  positionKey,
  positionValue,
  putEventKey,
  putNumbers,
  readPosition,
  SEGMENT,
  type Span,
  txByHashKey,
} from './keys.ts';
import { INDEX_LIMITS } from './limits.ts';
import { StoredFields } from './stored-fields.ts';

export interface IndexedBlock {
  readonly height: bigint;
  readonly txs: readonly Uint8Array[];
  /** As {@link encodeFinalizeResponse} makes them. */
  readonly results: Uint8Array;
  /** The first transaction is the proposer's own: nobody's transaction, and so not in the index. */
  readonly injected: boolean;
}

export function indexedBlock(
  { header, txs }: Block,
  results: FinalizeBlockResponse,
  isInjection: (tx: Uint8Array) => boolean,
): IndexedBlock {
  const [first] = txs;
  const injected = first !== undefined && isInjection(first);
  return { height: header.height, txs, results: encodeFinalizeResponse(results), injected };
}

/** SHA-256 by the platform: the index hashes every transaction once more. */
export function sha256(tx: Uint8Array): Uint8Array {
  const digest = hash('sha256', tx, 'buffer');
  return new Uint8Array(digest.buffer, digest.byteOffset, digest.length);
}

/** The database as far as entries need it: to see what a hash names already. */
export type IndexReader = Pick<Kv, 'get'>;

/**
 * The entries of a block in pieces: of the block itself, of each of its transactions, and of each segment of them.
 * @param succeeded hashes, as hex, of transactions that have succeeded since the database was written last.
 */
export function* blockEntries(kv: IndexReader, block: IndexedBlock, succeeded: Set<string>): Generator<KvOp[], void> {
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
    if (index >= first) yield txEntries(kv, { height, index }, { tx, results, result: answers }, { succeeded, shared });
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

/** Field numbers of `driver/abci-codec.ts`. */
const RESPONSE = { event: 1, txResult: 2 } as const;
const TX_RESULT = { code: 1, event: 7 } as const;
const EVENT = { type: 1, attribute: 2 } as const;
const ATTRIBUTE = { key: 1, value: 2, index: 3 } as const;

function txEntries(
  kv: IndexReader,
  { height, index }: { readonly height: bigint; readonly index: number },
  { tx, results, result }: { readonly tx: Uint8Array; readonly results: Uint8Array; readonly result: Span },
  { succeeded, shared }: { readonly succeeded: Set<string>; readonly shared: SharedEvents },
): KvOp[] {
  const at = position(height, index);
  const record = encodeTxRecord(height, index, tx, results.subarray(result.from, result.to));
  const ops: KvOp[] = [{ type: 'put', key: positionKey('txRecord', at), value: record }];
  const fields = new StoredFields(results, result.from, result.to);
  let code = 0;
  let events = 0;
  while (fields.next()) {
    if (fields.number === TX_RESULT.code) code = fields.value;
    else if (fields.number === TX_RESULT.event) shared.add(fields, index, events++);
  }
  // The same bytes may be committed again, and fail: the hash then goes on naming the one that succeeded.
  const txHash = sha256(tx);
  const name = toHex(txHash);
  if (code === 0 || !(succeeded.has(name) || hasSucceeded(kv, txHash, at)))
    ops.push({ type: 'put', key: txByHashKey(txHash), value: positionValue(at) });
  if (code === 0) succeeded.add(name);
  return ops;
}

function hasSucceeded(kv: IndexReader, txHash: Uint8Array, except: Position): boolean {
  const before = kv.get(txByHashKey(txHash));
  if (before === undefined || readPosition(before) === except) return false;
  const record = kv.get(positionKey('txRecord', readPosition(before)));
  return record !== undefined && readTxRecord('index record', record).result.code === 0;
}

const NOWHERE: Span = { from: 0, to: 0 };

/** An attribute, in the bytes of the results, and where it stands. */
interface SharedEvent {
  readonly type: Span;
  /** Of the message, as it is stored. */
  readonly attribute: Span;
  readonly key: Span;
  readonly value: Span;
  /** Whether it is to be found. */
  readonly isIndexed: boolean;
  /** Index in the block and number of the event, in turn. */
  readonly numbers: number[];
  /** Another of the same hash. */
  readonly next: SharedEvent | undefined;
}

/** Where each attribute of a segment of a block stands. Of what is found many times nothing is made but the places. */
class SharedEvents {
  /** Its first place in the block. */
  readonly segment: number;
  readonly #bytes: Uint8Array;
  readonly #prefix: EventPrefix;
  readonly #position: Uint8Array;
  readonly #byHash = new Map<number, SharedEvent>();

  /** @param bytes the results, in which the events stand. */
  constructor(bytes: Uint8Array, prefix: EventPrefix, height: bigint, segment: number) {
    this.segment = segment;
    this.#bytes = bytes;
    this.#prefix = prefix;
    this.#position = positionValue(position(height, segment));
  }

  /** @param index place in the block; `number` of the event there. */
  add(event: Span, index: number, number: number): void {
    const fields = new StoredFields(this.#bytes, event.from, event.to);
    let type = NOWHERE;
    let typeHash = 0;
    while (fields.next()) {
      const { from, to } = fields;
      if (fields.number === EVENT.type) {
        // Written first, unless it is empty.
        type = { from, to };
        typeHash = this.#hash(0, from, to);
      } else if (to > from && type.to > type.from && fields.number === EVENT.attribute) {
        const hash = this.#hash(typeHash, from, to);
        const first = this.#byHash.get(hash);
        let known = first;
        while (
          known !== undefined &&
          !(this.#same(known.attribute, from, to) && this.#same(known.type, type.from, type.to))
        )
          known = known.next;
        if (known === undefined) {
          known = {
            type,
            attribute: { from, to },
            ...readAttribute(this.#bytes, type, from, to),
            numbers: [],
            next: first,
          };
          this.#byHash.set(hash, known);
        }
        known.numbers.push(index, number);
      }
    }
  }

  *entries(): Generator<KvOp[], void> {
    let piece: SharedEvent[] = [];
    for (const first of this.#byHash.values())
      for (let entry: SharedEvent | undefined = first; entry !== undefined; entry = entry.next) {
        if (!entry.isIndexed) continue;
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
    for (const { type, key, value, numbers } of piece) length += eventKeyLength(type, key, value) + 4 * numbers.length;
    const out = new Uint8Array(length);
    let at = 0;
    return piece.map(({ type, key, value, numbers }) => {
      const keyEnd = putEventKey(out, at, this.#prefix, { bytes: this.#bytes, type, key, value }, this.#position);
      const end = putNumbers(out, keyEnd, numbers);
      const op: KvOp = { type: 'put', key: out.subarray(at, keyEnd), value: out.subarray(keyEnd, end) };
      at = end;
      return op;
    });
  }

  /** FNV-1a, going on from `seed`. Whoever makes many of one hash makes this thread compare them, and no other. */
  #hash(seed: number, from: number, to: number): number {
    let hash = seed ^ -2128831035;
    for (let i = from; i < to; i++) hash = Math.imul(hash ^ (this.#bytes[i] as number), 16777619);
    return hash;
  }

  #same({ from, to }: Span, otherFrom: number, otherTo: number): boolean {
    if (to - from !== otherTo - otherFrom) return false;
    for (let i = 0; i < to - from; i++) if (this.#bytes[from + i] !== this.#bytes[otherFrom + i]) return false;
    return true;
  }
}

function readAttribute(
  bytes: Uint8Array,
  type: Span,
  from: number,
  to: number,
): Pick<SharedEvent, 'key' | 'value' | 'isIndexed'> {
  const fields = new StoredFields(bytes, from, to);
  let key = NOWHERE;
  let value = NOWHERE;
  let isIndexed = false;
  while (fields.next()) {
    if (fields.number === ATTRIBUTE.key) key = { from: fields.from, to: fields.to };
    else if (fields.number === ATTRIBUTE.value) value = { from: fields.from, to: fields.to };
    else if (fields.number === ATTRIBUTE.index) isIndexed = fields.value !== 0;
  }
  const keyLength = key.to - key.from;
  const fits =
    keyLength > 0 &&
    value.to - value.from <= INDEX_LIMITS.maxIndexedValueBytes &&
    type.to - type.from + 1 + keyLength <= INDEX_LIMITS.maxIndexedKeyBytes;
  return { key, value, isIndexed: isIndexed && fits };
}
