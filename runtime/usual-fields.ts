/** How messages are read that look as nearly all do (tx/usual.ts): what does not is left where it stands, and nobody answers. */

import type { CoinSchema } from '#proto/gen/cosmos/base/v1beta1/coin_pb.ts';
import type { MessageShape } from '#proto/message.ts';

/** Bytes of a varint that still is a safe integer. */
const SMALL_VARINT_BYTES = 7;
/** Names are told apart by their lengths: few are used, and each by most transactions. */
const NAME_SLOTS = 32;
/** Longest type URLs and denominations. */
const MAX_NAME = 128;
const names: string[] = new Array(NAME_SLOTS).fill('');

/**
 * Stands in a message at a field. Each reader takes the field with its tag, when it comes next and is written in the
 * shortest way; otherwise it answers what an absent field means and stays, so that {@link UsualFields.leave} says that
 * not all was read. Numbers of fields are below 16: a tag is one byte.
 */
export class UsualFields {
  readonly bytes: Uint8Array;
  at = 0;
  /** Of the message in which it stands. */
  end: number;

  constructor(bytes: Uint8Array) {
    this.bytes = bytes;
    this.end = bytes.length;
  }

  /** Steps into a length-delimited field. Answers what {@link leave} wants to know; −1 when another field comes next. */
  enter(tag: number): number {
    const next = this.#contentEnd(tag);
    if (next < 0) return -1;
    const outer = this.end;
    this.at = this.#content;
    this.end = next;
    return outer;
  }

  /** Steps out of a field that was entered. Answers whether it was read to its end. */
  leave(outer: number): boolean {
    const isRead = this.at === this.end;
    this.end = outer;
    return isRead;
  }

  /** A view of what stands between here and the end of the message. */
  rest(): Uint8Array {
    return this.bytes.subarray(this.at, this.end);
  }

  /** Takes what stands between here and the end of the message, when it is just this. */
  takeRest(expected: Uint8Array): boolean {
    const { bytes, at, end } = this;
    if (end - at !== expected.length) return false;
    for (let i = 0; i < expected.length; i++) if (bytes[at + i] !== expected[i]) return false;
    this.at = end;
    return true;
  }

  /** A view; undefined when another field comes next. */
  view(tag: number): Uint8Array | undefined {
    const next = this.#contentEnd(tag);
    if (next < 0) return undefined;
    this.at = next;
    return this.bytes.subarray(this.#content, next);
  }

  /** ASCII. */
  text(tag: number): string {
    const next = this.#asciiEnd(tag);
    if (next < 0) return '';
    this.at = next;
    return String.fromCharCode.apply(null, this.bytes.subarray(this.#content, next) as unknown as number[]);
  }

  /** As {@link text}, for what is one of few: it is not made anew when it was the last one of its length. */
  name(tag: number): string {
    const next = this.#contentEnd(tag);
    const start = this.#content;
    const length = next - start;
    if (next < 0 || length === 0 || length > MAX_NAME) return this.text(tag);
    const slot = length & (NAME_SLOTS - 1);
    const known = names[slot] as string;
    if (known.length === length && this.#spells(known, start)) {
      this.at = next;
      return known;
    }
    const name = this.text(tag);
    if (name.length === length) names[slot] = name;
    return name;
  }

  /** A uint64 of up to 49 bits. */
  uint64(tag: number): bigint {
    const { bytes, end } = this;
    if (this.at >= end || bytes[this.at] !== tag) return 0n;
    let value = 0;
    let scale = 1;
    for (let i = 0; i < SMALL_VARINT_BYTES; i++) {
      const at = this.at + 1 + i;
      if (at >= end) return 0n;
      const byte = bytes[at] as number;
      value += (byte & 127) * scale;
      scale *= 128;
      if (byte > 127) continue;
      if (byte === 0 && i > 0) return 0n;
      this.at = at + 1;
      return BigInt(value);
    }
    return 0n;
  }

  /** An enum's value below 128. */
  value(tag: number): number {
    const { bytes, at, end } = this;
    if (at + 1 >= end || bytes[at] !== tag) return 0;
    const value = bytes[at + 1] as number;
    if (value > 127) return 0;
    this.at = at + 2;
    return value;
  }

  /** Where the content begins of the field that {@link #contentEnd} was last asked for. */
  #content = 0;

  /** Where the content of the length-delimited field ends; −1 when another one comes next, or it does not end in time. */
  #contentEnd(tag: number): number {
    const { bytes, at, end } = this;
    if (at + 1 >= end || bytes[at] !== tag) return -1;
    let length = bytes[at + 1] as number;
    let content = at + 2;
    if (length > 127) {
      // Two bytes say up to 16,383, which is more than a usual transaction has.
      const high = content < end ? (bytes[content] as number) : 0;
      if (high === 0 || high > 127) return -1;
      length = (length & 127) | (high << 7);
      content++;
    }
    this.#content = content;
    return content + length <= end ? content + length : -1;
  }

  #asciiEnd(tag: number): number {
    const next = this.#contentEnd(tag);
    for (let i = this.#content; i < next; i++) if ((this.bytes[i] as number) > 127) return -1;
    return next;
  }

  #spells(text: string, start: number): boolean {
    for (let i = 0; i < text.length; i++) if (this.bytes[start + i] !== text.charCodeAt(i)) return false;
    return true;
  }
}

/**
 * Appends to a list that most often ends with its first: that one has a list of its own, with room for no other. `push` on an
 * empty list makes room for 17, which is much where thousands of transactions wait with a dozen lists each.
 */
export function append<T>(list: T[], item: T): T[] {
  if (list.length === 0) return [item];
  list.push(item);
  return list;
}

type UsualCoin = MessageShape<typeof CoinSchema>;

/** Of coins in one list. */
const MOST_COINS = 4;

/** A list of coins, which may be empty. */
export function usualCoins(fields: UsualFields, tag: number): UsualCoin[] | undefined {
  let coins: UsualCoin[] = [];
  for (let outer = fields.enter(tag); outer >= 0; outer = fields.enter(tag)) {
    const denom = fields.name(0x0a);
    const amount = fields.text(0x12);
    if (!fields.leave(outer) || coins.length === MOST_COINS) return undefined;
    coins = append(coins, { $typeName: 'cosmos.base.v1beta1.Coin' as const, denom, amount });
  }
  return coins;
}
