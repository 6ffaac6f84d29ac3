/**
 * What became of one transaction, as this node stores it within the results of a block; and a result that is kept in that
 * form. Field numbers are those of CometBFT's ExecTxResult, their order is this node's own.
 */
import type { Event, EventAttribute, ExecTxResult } from './abci.ts';
import { EMPTY } from './bytes.ts';
import { asBool, asBytes, asInt64, asMessage, asString, asUint32, readFields } from './codec/proto-reader.ts';
import { ProtoWriter } from './codec/proto-writer.ts';

const NO_LIMIT = Number.MAX_SAFE_INTEGER;
const EVENTS = 7;

/**
 * A result whose events are bytes: those of a block's transactions as objects are kilobytes for each, which would outlive
 * the block's execution. They are decoded for whoever asks, each time.
 */
class EncodedTxResult implements ExecTxResult {
  readonly code: number;
  readonly data: Uint8Array;
  readonly log: string;
  readonly info: string;
  readonly gasWanted: bigint;
  readonly gasUsed: bigint;
  readonly codespace: string;
  /** All of it, as {@link writeTxResult} writes it. Not private: whoever compares results compares their events by it. */
  encoded = EMPTY;

  constructor(result: ExecTxResult) {
    this.code = result.code;
    this.data = result.data;
    this.log = result.log;
    this.info = result.info;
    this.gasWanted = result.gasWanted;
    this.gasUsed = result.gasUsed;
    this.codespace = result.codespace;
  }

  get events(): readonly Event[] {
    return readTxResult('result', this.encoded).events;
  }
}

/** Encodes the results of a block as they come, into one buffer. */
export class TxResultLog {
  readonly #writer = new ProtoWriter();
  readonly #results: EncodedTxResult[] = [];
  /** Where each of them ends. */
  readonly #ends: number[] = [];

  add(result: ExecTxResult): void {
    writeFields(this.#writer, result);
    this.#ends.push(this.#writer.length);
    this.#results.push(new EncodedTxResult(result));
  }

  /** The same results with their events as bytes. Called once. */
  finish(): readonly ExecTxResult[] {
    const bytes = this.#writer.finish();
    let from = 0;
    for (const [i, result] of this.#results.entries()) {
      const to = this.#ends[i] as number;
      result.encoded = bytes.subarray(from, to);
      from = to;
    }
    return this.#results;
  }
}

/** A result as a field of the message at hand. */
export function writeTxResult(writer: ProtoWriter, field: number, result: ExecTxResult): void {
  if (result instanceof EncodedTxResult) {
    writer.message(field, result.encoded);
    return;
  }
  const opened = writer.open(field);
  writeFields(writer, result);
  writer.close(opened);
}

function writeFields(writer: ProtoWriter, result: ExecTxResult): void {
  writer
    .varint(1, result.code)
    .bytes(2, result.data)
    .string(3, result.log)
    .string(4, result.info)
    .varint(5, result.gasWanted)
    .varint(6, result.gasUsed)
    .string(8, result.codespace);
  for (const event of result.events) writeEvent(writer, EVENTS, event);
}

export function writeEvent(writer: ProtoWriter, field: number, event: Event): void {
  const opened = writer.open(field);
  writer.string(1, event.type);
  for (const { key, value, index } of event.attributes) {
    const attribute = writer.open(2);
    writer.string(1, key).string(2, value).bool(3, index).close(attribute);
  }
  writer.close(opened);
}

/** @throws DecodeError */
export function readTxResult(title: string, bytes: Uint8Array): ExecTxResult {
  let code = 0;
  let data: Uint8Array = EMPTY;
  const texts = new Map<number, string>();
  const gas = new Map<number, bigint>();
  const events: Event[] = [];
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5, 6, 7, 8], repeated: [EVENTS] })) {
    const { number } = field;
    if (number === 1) code = asUint32(title, field);
    else if (number === 2) data = asBytes(title, field, NO_LIMIT).slice();
    else if (number === 5 || number === 6) gas.set(number, asInt64(title, field));
    else if (number === EVENTS) events.push(readEvent(`${title}.events`, asMessage(title, field)));
    else texts.set(number, asString(title, field, NO_LIMIT));
  }
  return {
    code,
    data,
    log: texts.get(3) ?? '',
    info: texts.get(4) ?? '',
    gasWanted: gas.get(5) ?? 0n,
    gasUsed: gas.get(6) ?? 0n,
    events,
    codespace: texts.get(8) ?? '',
  };
}

/** @throws DecodeError */
export function readEvent(title: string, bytes: Uint8Array): Event {
  let type = '';
  const attributes: EventAttribute[] = [];
  for (const field of readFields(title, bytes, { known: [1, 2], repeated: [2] })) {
    if (field.number === 1) type = asString(`${title}.type`, field, NO_LIMIT);
    else attributes.push(readAttribute(`${title}.attributes`, asMessage(title, field)));
  }
  return { type, attributes };
}

function readAttribute(title: string, bytes: Uint8Array): EventAttribute {
  let key = '';
  let value = '';
  let index = false;
  for (const field of readFields(title, bytes, { known: [1, 2, 3] })) {
    if (field.number === 1) key = asString(title, field, NO_LIMIT);
    else if (field.number === 2) value = asString(title, field, NO_LIMIT);
    else index = asBool(title, field);
  }
  return { key, value, index };
}
