/** What the index keeps of a transaction: tendermint.abci.TxResult{height, index, tx, result}. */
import type { Event, EventAttribute, ExecTxResult } from '#core/abci.ts';
import { EMPTY } from '#core/bytes.ts';
import {
  asBool,
  asBytes,
  asInt64,
  asMessage,
  asString,
  asUint32,
  DecodeError,
  readFields,
} from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { LIMITS } from '#core/limits.ts';
import { toHeight } from '#core/types/brand.ts';
import type { TxRecord } from '#rpc/backend.ts';

/** Bytes of one field of a result; a whole block's is the bound, for the index only ever reads what this node wrote. */
const MAX_FIELD_BYTES = LIMITS.maxBlockBytes;

export function encodeEvent(event: Event): Uint8Array {
  const writer = new ProtoWriter().string(1, event.type);
  for (const { key, value, index } of event.attributes)
    writer.message(2, new ProtoWriter().string(1, key).string(2, value).bool(3, index).finish());
  return writer.finish();
}

/** tendermint.abci.ExecTxResult. */
export function encodeExecTxResult(result: ExecTxResult): Uint8Array {
  const writer = new ProtoWriter()
    .varint(1, result.code)
    .bytes(2, result.data)
    .string(3, result.log)
    .string(4, result.info)
    .varint(5, result.gasWanted)
    .varint(6, result.gasUsed);
  for (const event of result.events) writer.message(7, encodeEvent(event));
  return writer.string(8, result.codespace).finish();
}

export function encodeTxRecord(record: Omit<TxRecord, 'hash'>): Uint8Array {
  return new ProtoWriter()
    .varint(1, record.height)
    .varint(2, record.index)
    .bytes(3, record.tx)
    .message(4, encodeExecTxResult(record.result))
    .finish();
}

function readAttribute(title: string, bytes: Uint8Array): EventAttribute {
  let key = '';
  let value = '';
  let index = false;
  for (const field of readFields(title, bytes, { known: [1, 2, 3] })) {
    if (field.number === 1) key = asString(`${title}.key`, field, MAX_FIELD_BYTES);
    else if (field.number === 2) value = asString(`${title}.value`, field, MAX_FIELD_BYTES);
    else index = asBool(`${title}.index`, field);
  }
  return { key, value, index };
}

function readEvent(title: string, bytes: Uint8Array): Event {
  let type = '';
  const attributes: EventAttribute[] = [];
  for (const field of readFields(title, bytes, { known: [1, 2], repeated: [2] })) {
    if (field.number === 1) type = asString(`${title}.type`, field, MAX_FIELD_BYTES);
    else attributes.push(readAttribute(`${title}.attributes`, asMessage(title, field)));
  }
  return { type, attributes };
}

/** @throws DecodeError */
export function readExecTxResult(title: string, bytes: Uint8Array): ExecTxResult {
  let code = 0;
  let data: Uint8Array = EMPTY;
  let log = '';
  let info = '';
  let gasWanted = 0n;
  let gasUsed = 0n;
  let codespace = '';
  const events: Event[] = [];
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5, 6, 7, 8], repeated: [7] })) {
    if (field.number === 1) code = asUint32(`${title}.code`, field);
    else if (field.number === 2) data = asBytes(`${title}.data`, field, MAX_FIELD_BYTES).slice();
    else if (field.number === 3) log = asString(`${title}.log`, field, MAX_FIELD_BYTES);
    else if (field.number === 4) info = asString(`${title}.info`, field, MAX_FIELD_BYTES);
    else if (field.number === 5) gasWanted = asInt64(`${title}.gas_wanted`, field);
    else if (field.number === 6) gasUsed = asInt64(`${title}.gas_used`, field);
    else if (field.number === 7) events.push(readEvent(`${title}.events`, asMessage(title, field)));
    else codespace = asString(`${title}.codespace`, field, MAX_FIELD_BYTES);
  }
  return { code, data, log, info, gasWanted, gasUsed, events, codespace };
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
    else if (field.number === 3) tx = asBytes(`${title}.tx`, field, MAX_FIELD_BYTES).slice();
    else result = readExecTxResult(`${title}.result`, asMessage(title, field));
  }
  if (result === undefined) throw new DecodeError(`${title}.result: missing`);
  return { height: toHeight(height), index, tx, result };
}
