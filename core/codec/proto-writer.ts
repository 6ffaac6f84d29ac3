/**
 * Hand-written protobuf encoding (https://protobuf.dev/programming-guides/encoding) with gogoproto's habits, for all
 * bytes that are hashed or signed: zero scalars are left out, non-nullable messages are written even when empty.
 */
import { assert } from '../assert.ts';
import { EMPTY, utf8 } from '../bytes.ts';

const WIRE_VARINT = 0;
const WIRE_FIXED64 = 1;
const WIRE_BYTES = 2;

/** Bytes of a new scratch buffer: a vote with its extension fits. */
const SCRATCH = 1024;
/** Of larger ones that writers grew the largest is kept, up to so many bytes: blocks and their results come again and again. */
const MAX_LARGE_SCRATCH = 4 * 1024 * 1024;
/** Up to so many bytes a loop copies faster than a call. */
const SHORT = 64;
/** The largest varint of one byte, and the largest field number whose tag is one. */
const ONE_BYTE = 127;
const MAX_SHORT_FIELD = 15;
/** Messages nest a few levels deep; each level writes into a buffer of its own. */
const MAX_SPARE = 16;

/**
 * Scratch buffers of finished writers, for the next ones: most messages are a few dozen bytes, and allocating and clearing
 * a buffer for each costs more than writing it. What {@link ProtoWriter.finish} answers is always a copy.
 */
const spare: Uint8Array[] = [];
let large: Uint8Array = EMPTY;

export class ProtoWriter {
  #buffer = spare.pop() ?? new Uint8Array(SCRATCH);
  #length = 0;
  #finished = false;

  /** Bytes written so far. */
  get length(): number {
    return this.#length;
  }

  /** int32, int64, uint32, uint64, enum and bool fields; negative values take ten bytes, as in Go. Zero is left out. */
  varint(field: number, value: number | bigint): this {
    if (value === 0 || value === 0n) return this;
    this.#tag(field, WIRE_VARINT);
    return this.rawVarint(value);
  }

  bool(field: number, value: boolean): this {
    if (!value) return this;
    this.#tag(field, WIRE_VARINT);
    this.#byte(1);
    return this;
  }

  /** sfixed64. Zero is left out. */
  sfixed64(field: number, value: bigint): this {
    if (value === 0n) return this;
    this.#tag(field, WIRE_FIXED64);
    const at = this.#reserve(8);
    const low = Number(BigInt.asUintN(32, value));
    const high = Number(BigInt.asUintN(32, value >> 32n));
    for (let i = 0; i < 4; i++) {
      this.#buffer[at + i] = low >>> (8 * i);
      this.#buffer[at + 4 + i] = high >>> (8 * i);
    }
    return this;
  }

  /** Empty bytes are left out. */
  bytes(field: number, value: Uint8Array): this {
    return value.length === 0 ? this : this.message(field, value);
  }

  /** The empty string is left out. */
  string(field: number, value: string): this {
    const { length } = value;
    if (length === 0) return this;
    if (length > ONE_BYTE || field > MAX_SHORT_FIELD) return this.message(field, utf8(value));
    // Most texts are short ASCII: written here in one pass, as long as it proves right.
    const start = this.#length;
    let at = this.#reserve(2 + length);
    const buffer = this.#buffer;
    buffer[at++] = field * 8 + WIRE_BYTES;
    buffer[at++] = length;
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i);
      if (unit > ONE_BYTE) {
        this.#length = start;
        return this.message(field, utf8(value));
      }
      buffer[at++] = unit;
    }
    return this;
  }

  /** A present embedded message, or an element of a repeated field: written even when empty. */
  message(field: number, encoded: Uint8Array): this {
    this.#tag(field, WIRE_BYTES);
    this.rawVarint(encoded.length);
    // Reserved first: growing replaces the buffer.
    const at = this.#reserve(encoded.length);
    this.#buffer.set(encoded, at);
    return this;
  }

  /**
   * Begins an embedded message, written even when empty, whose fields are written here until {@link ProtoWriter.close} is
   * called with what this answers: for messages of many small ones, which cost a buffer and a copy each otherwise.
   */
  open(field: number): number {
    this.#tag(field, WIRE_BYTES);
    return this.#reserve(1);
  }

  close(opened: number): this {
    const start = opened + 1;
    const length = this.#length - start;
    if (length > 127) {
      // The length needs more than the byte that was left for it.
      let more = 0;
      for (let rest = length >>> 7; rest > 0; rest >>>= 7) more++;
      this.#reserve(more);
      this.#buffer.copyWithin(start + more, start, start + length);
    }
    let at = opened;
    let rest = length;
    for (; rest > 127; rest >>>= 7) this.#buffer[at++] = (rest & 127) | 128;
    this.#buffer[at] = rest;
    return this;
  }

  /** An embedded message that may be absent. */
  optional(field: number, encoded: Uint8Array | undefined): this {
    return encoded === undefined ? this : this.message(field, encoded);
  }

  /** A varint without a tag. Negative numbers as 64-bit two's complement. */
  rawVarint(value: number | bigint): this {
    if (typeof value === 'number' && value >= 0 && value <= 0x7fffffff) {
      let rest = value;
      while (rest > 127) {
        this.#byte((rest & 127) | 128);
        rest >>>= 7;
      }
      this.#byte(rest);
      return this;
    }
    let rest = BigInt.asUintN(64, BigInt(value));
    while (rest > 127n) {
      this.#byte(Number(rest & 127n) | 128);
      rest >>= 7n;
    }
    this.#byte(Number(rest));
    return this;
  }

  raw(bytes: Uint8Array): this {
    const at = this.#reserve(bytes.length);
    this.#buffer.set(bytes, at);
    return this;
  }

  /**
   * The bytes written. Called once: the writer is of no use afterwards.
   * @param take answers where they may stand, which is as long as it is told
   */
  finish(take?: (bytes: number) => Uint8Array): Uint8Array {
    return this.#finish(0, take);
  }

  /** As {@link ProtoWriter.finish}, preceded by the varint of the length: what {@link lengthDelimited} makes of it. */
  finishDelimited(): Uint8Array {
    let prefix = 1;
    for (let rest = this.#length >>> 7; rest > 0; rest >>>= 7) prefix++;
    const out = this.#finish(prefix);
    let rest = out.length - prefix;
    for (let i = 0; i < prefix; i++) {
      out[i] = i < prefix - 1 ? (rest & 127) | 128 : rest;
      rest >>>= 7;
    }
    return out;
  }

  /** What was written, after `prefix` zeros. */
  #finish(prefix: number, take?: (bytes: number) => Uint8Array): Uint8Array {
    assert(!this.#finished, 'a message is finished once');
    this.#finished = true;
    const length = this.#length;
    const out = take === undefined ? new Uint8Array(prefix + length) : take(length);
    if (length > SHORT) out.set(this.#buffer.subarray(0, length), prefix);
    else for (let i = 0; i < length; i++) out[prefix + i] = this.#buffer[i] as number;
    this.#giveBack();
    return out;
  }

  #giveBack(): void {
    const buffer = this.#buffer;
    this.#buffer = EMPTY;
    if (buffer.length === SCRATCH) {
      if (spare.length < MAX_SPARE) spare.push(buffer);
    } else if (buffer.length > large.length && buffer.length <= MAX_LARGE_SCRATCH) large = buffer;
  }

  #tag(field: number, wire: number): void {
    const tag = field * 8 + wire;
    if (tag <= ONE_BYTE) this.#byte(tag);
    else this.rawVarint(tag);
  }

  #byte(value: number): void {
    const at = this.#reserve(1);
    this.#buffer[at] = value;
  }

  #reserve(count: number): number {
    assert(!this.#finished, 'nothing is added to a finished message');
    const at = this.#length;
    const needed = at + count;
    if (needed > this.#buffer.length) this.#grow(needed);
    this.#length = needed;
    return at;
  }

  #grow(needed: number): void {
    let grown = large;
    if (grown.length >= needed) large = EMPTY;
    else grown = new Uint8Array(needed * 2);
    grown.set(this.#buffer.subarray(0, this.#length));
    this.#buffer = grown;
  }
}

/** The message preceded by its varint length (Go's protoio.MarshalDelimited): the form of all sign bytes. */
export function lengthDelimited(message: Uint8Array): Uint8Array {
  return new ProtoWriter().rawVarint(message.length).raw(message).finish();
}
