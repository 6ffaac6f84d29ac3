import { DecodeError, readVarint } from '#core/codec/proto-reader.ts';

/** A piece of a buffer. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

/** Field numbers of `core/types/block.ts`: the data of a block, and a transaction in it. */
export const BLOCK = { data: 2, tx: 1 } as const;
/** Field numbers of `driver/abci-codec.ts`. */
export const RESPONSE = { event: 1, txResult: 2 } as const;
export const TX_RESULT = { code: 1, event: 7 } as const;
export const EVENT = { type: 1, attribute: 2 } as const;
export const EVENT_ATTRIBUTE = { key: 1, value: 2, index: 3 } as const;

/**
 * The fields of a message that this node has written itself, one after the other: without the checks that the words of
 * others need (`core/codec/proto-reader.ts`), and without an object for each. @throws DecodeError when it is cut off.
 */
export class StoredFields {
  readonly #bytes: Uint8Array;
  #end: number;
  #at: number;
  /** Where the content of the field at hand, if it is length-delimited, begins and ends. */
  from = 0;
  to = 0;
  /** Of the field at hand. */
  number = 0;
  /** Of a varint; 0 for others. Exact below 2^53. */
  value = 0;

  /** @param from where the message begins and ends in the bytes. */
  constructor(bytes: Uint8Array, from = 0, to = bytes.length) {
    this.#bytes = bytes;
    this.#at = from;
    this.#end = to;
  }

  /** To another message of the same bytes, which ends there. */
  enter(from: number, to: number): void {
    this.#at = from;
    this.#end = to;
  }

  /** To the next field; false at the end. */
  next(): boolean {
    if (this.#at >= this.#end) return false;
    const tag = this.#varint();
    this.number = tag >>> 3;
    this.value = 0;
    const wire = tag & 7;
    if (wire === 0) {
      this.value = this.#varint();
      this.from = this.to = this.#at;
      return true;
    }
    if (wire !== 2) throw new DecodeError(`a stored message: wire type ${wire} of field ${this.number}`);
    const length = this.#varint();
    this.from = this.#at;
    this.to = this.#at + length;
    if (this.to > this.#end) throw new DecodeError(`a stored message: field ${this.number} is cut off`);
    this.#at = this.to;
    return true;
  }

  #varint(): number {
    // Nearly all are short: tags, lengths, gas.
    let short = 0;
    for (let i = 0; i < 4; i++) {
      const byte = this.#bytes[this.#at + i] ?? 128;
      short |= (byte & 127) << (7 * i);
      if (byte >= 128) continue;
      this.#at += i + 1;
      return short;
    }
    const { value, next } = readVarint('a stored message', this.#bytes, this.#at);
    this.#at = next;
    return Number(value);
  }
}
