import { keccakP } from '@noble/hashes/sha3.js';
import { utf8 } from '#core/bytes.ts';

/** STROBE-128's rate: 200 bytes of state less twice the security level and two bytes of padding. */
const RATE = 166;
const FLAG_I = 1;
const FLAG_A = 2;
const FLAG_C = 4;
const FLAG_M = 16;
const FLAG_K = 32;

/** The part of STROBE-128 (strobe.sourceforge.io, version 1.0.2) that Merlin needs. */
class Strobe {
  readonly #state = new Uint8Array(200);
  readonly #words = new Uint32Array(this.#state.buffer);
  #at = 0;
  #begin = 0;

  constructor(protocol: string) {
    this.#state.set([1, RATE + 2, 1, 0, 1, 96]);
    this.#state.set(utf8('STROBEv1.0.2'), 6);
    keccakP(this.#words);
    this.metaAd(utf8(protocol));
  }

  /** @param more goes on with the operation before. */
  metaAd(data: Uint8Array, more = false): void {
    if (!more) this.#operation(FLAG_M | FLAG_A);
    this.#absorb(data);
  }

  ad(data: Uint8Array): void {
    this.#operation(FLAG_A);
    this.#absorb(data);
  }

  prf(length: number): Uint8Array {
    this.#operation(FLAG_I | FLAG_A | FLAG_C);
    const out = new Uint8Array(length);
    for (let i = 0; i < length; i++) {
      out[i] = this.#state[this.#at] ?? 0;
      this.#state[this.#at] = 0;
      this.#advance();
    }
    return out;
  }

  #operation(flags: number): void {
    const before = this.#begin;
    this.#begin = this.#at + 1;
    this.#absorb(Uint8Array.of(before, flags));
    if ((flags & (FLAG_C | FLAG_K)) !== 0 && this.#at !== 0) this.#run();
  }

  #absorb(data: Uint8Array): void {
    for (const byte of data) {
      this.#mix(this.#at, byte);
      this.#advance();
    }
  }

  #advance(): void {
    this.#at += 1;
    if (this.#at === RATE) this.#run();
  }

  #run(): void {
    this.#mix(this.#at, this.#begin);
    this.#mix(this.#at + 1, 4);
    this.#mix(RATE + 1, 0x80);
    keccakP(this.#words);
    this.#at = 0;
    this.#begin = 0;
  }

  #mix(at: number, byte: number): void {
    this.#state[at] = (this.#state[at] ?? 0) ^ byte;
  }
}

/** A Merlin transcript (merlin.cool): what both sides of a handshake have said, from which both draw the same bytes. */
export class Transcript {
  readonly #strobe = new Strobe('Merlin v1.0');

  constructor(label: string) {
    this.append('dom-sep', utf8(label));
  }

  append(label: string, message: Uint8Array): void {
    this.#strobe.metaAd(utf8(label));
    this.#strobe.metaAd(u32le(message.length), true);
    this.#strobe.ad(message);
  }

  /** `length` bytes that depend on everything appended. */
  challenge(label: string, length: number): Uint8Array {
    this.#strobe.metaAd(utf8(label));
    this.#strobe.metaAd(u32le(length), true);
    return this.#strobe.prf(length);
  }
}

function u32le(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}
