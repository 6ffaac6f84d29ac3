/** What the index keeps of a transaction: tendermint.abci.TxResult{height, index, tx, result}. */
import type { ExecTxResult } from '#core/abci.ts';
import { concat, EMPTY } from '#core/bytes.ts';
import { asBytes, asInt64, asMessage, asUint32, DecodeError, readFields } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { LIMITS } from '#core/limits.ts';
import { toHeight } from '#core/types/brand.ts';
import type { TxRecord } from '#rpc/backend.ts';
import { readTxResult } from '../driver/abci-codec.ts';

/** @param result as `encodeTxResult` of `driver/abci-codec.ts` makes it. */
export function encodeTxRecord(height: bigint, index: number, tx: Uint8Array, result: Uint8Array): Uint8Array {
  // In one buffer of the right size: a writer would grow out of its own and copy all of it twice.
  const head = new ProtoWriter().varint(1, height).varint(2, index);
  if (tx.length > 0) head.rawVarint((3 << 3) | 2).rawVarint(tx.length);
  const before = new ProtoWriter().rawVarint((4 << 3) | 2).rawVarint(result.length);
  return concat(head.finish(), tx, before.finish(), result);
}

/** @throws DecodeError */
export function readTxRecord(title: string, bytes: Uint8Array): Omit<TxRecord, 'hash'> {
  let height = 0n;
  let index = 0;
  let tx: Uint8Array = EMPTY;
  let result: ExecTxResult | undefined;
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4] })) {
    if (field.number === 1) height = asInt64(`${title}.height`, field);
    else if (field.number === 2) index = asUint32(`${title}.index`, field);
    else if (field.number === 3) tx = asBytes(`${title}.tx`, field, LIMITS.maxTxBytes).slice();
    else result = readTxResult(`${title}.result`, asMessage(title, field));
  }
  if (result === undefined) throw new DecodeError(`${title}.result: missing`);
  return { height: toHeight(height), index, tx, result };
}
