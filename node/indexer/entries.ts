/**
 * What a block adds to the index. It is made of bytes: the transactions, and the results as the node stores them, of
 * which only that is read which keys are made of. So the same few lines serve the main thread and another one, to which
 * nothing but bytes is handed.
 */
import { hash } from 'node:crypto';
import type { FinalizeBlockResponse } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { EMPTY, toHex } from '#core/bytes.ts';
import { type Kv, type KvOp, PRESENT } from '#core/ports/kv.ts';
import type { Block } from '#core/types/block.ts';
import { encodeFinalizeResponse } from '../driver/abci-codec.ts';
import { encodeTxRecord, readTxRecord } from './codec.ts';
import {
  type EventPrefix,
  eventKey,
  type Position,
  position,
  positionKey,
  positionValue,
  readPosition,
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
 * The entries of a block, one piece for the block itself and one for each of its transactions.
 * @param succeeded hashes, as hex, of transactions that have succeeded since the database was written last.
 */
export function* blockEntries(kv: IndexReader, block: IndexedBlock, succeeded: Set<string>): Generator<KvOp[], void> {
  const { height, txs, results, injected } = block;
  const own: KvOp[] = [put(positionKey('blockPosition', position(height, 0)))];
  const place = positionValue(position(height, 0));
  const fields = new StoredFields(results);
  let events = 0;
  while (fields.next())
    if (fields.number === RESPONSE.event) pushEvent(own, 'blockEvent', fields.view(), place, events++);
  yield own;
  const answers = new StoredFields(results);
  let index = 0;
  while (answers.next()) {
    if (answers.number !== RESPONSE.txResult) continue;
    const tx = defined(txs[index], 'the transaction of a result');
    if (index > 0 || !injected) yield txEntries(kv, { height, index }, tx, answers.view(), succeeded);
    index++;
  }
}

/** Field numbers of `driver/abci-codec.ts`. */
const RESPONSE = { event: 1, txResult: 2 } as const;
const TX_RESULT = { code: 1, event: 7 } as const;
const EVENT = { type: 1, attribute: 2 } as const;
const ATTRIBUTE = { key: 1, value: 2, index: 3 } as const;

function txEntries(
  kv: IndexReader,
  { height, index }: { readonly height: bigint; readonly index: number },
  tx: Uint8Array,
  result: Uint8Array,
  succeeded: Set<string>,
): KvOp[] {
  const at = position(height, index);
  const place = positionValue(at);
  const record = encodeTxRecord(height, index, tx, result);
  const ops: KvOp[] = [
    put(positionKey('txPosition', at)),
    { type: 'put', key: positionKey('txRecord', at), value: record },
  ];
  const fields = new StoredFields(result);
  let code = 0;
  let events = 0;
  while (fields.next()) {
    if (fields.number === TX_RESULT.code) code = fields.value;
    else if (fields.number === TX_RESULT.event) pushEvent(ops, 'txEvent', fields.view(), place, events++);
  }
  // The same bytes may be committed again, and fail: the hash then goes on naming the one that succeeded.
  const txHash = sha256(tx);
  const name = toHex(txHash);
  if (code === 0 || !(succeeded.has(name) || hasSucceeded(kv, txHash, at)))
    ops.push({ type: 'put', key: txByHashKey(txHash), value: place });
  if (code === 0) succeeded.add(name);
  return ops;
}

function hasSucceeded(kv: IndexReader, txHash: Uint8Array, except: Position): boolean {
  const before = kv.get(txByHashKey(txHash));
  if (before === undefined || readPosition(before) === except) return false;
  const record = kv.get(positionKey('txRecord', readPosition(before)));
  return record !== undefined && readTxRecord('index record', record).result.code === 0;
}

function put(key: Uint8Array): KvOp {
  return { type: 'put', key, value: PRESENT };
}

/** @param place the position, encoded. */
function pushEvent(ops: KvOp[], prefix: EventPrefix, event: Uint8Array, place: Uint8Array, number: number): void {
  const fields = new StoredFields(event);
  let type = EMPTY;
  while (fields.next()) {
    // Written first, unless it is empty.
    if (fields.number === EVENT.type) type = fields.view();
    else if (type.length > 0 && fields.number === EVENT.attribute) {
      const key = attributeKey(prefix, type, fields.view(), place, number);
      if (key !== undefined) ops.push(put(key));
    }
  }
}

/** `undefined`: it is not to be found. */
function attributeKey(
  prefix: EventPrefix,
  type: Uint8Array,
  attribute: Uint8Array,
  place: Uint8Array,
  event: number,
): Uint8Array | undefined {
  const fields = new StoredFields(attribute);
  let key = EMPTY;
  let value = EMPTY;
  let isIndexed = false;
  while (fields.next()) {
    if (fields.number === ATTRIBUTE.key) key = fields.view();
    else if (fields.number === ATTRIBUTE.value) value = fields.view();
    else if (fields.number === ATTRIBUTE.index) isIndexed = fields.value !== 0;
  }
  if (!isIndexed || key.length === 0 || value.length > INDEX_LIMITS.maxIndexedValueBytes) return undefined;
  if (type.length + 1 + key.length > INDEX_LIMITS.maxIndexedKeyBytes) return undefined;
  return eventKey(prefix, type, key, value, place, event);
}
