import { Refusal } from './refusal.ts';

/** One field of a protobuf message. `bytes` (wire type 2, 5 and 1) is a view of the file, not a copy. */
export interface Field {
  readonly number: number;
  readonly wire: 0 | 1 | 2 | 5;
  /** The value of a varint field (wire type 0), as an unsigned 64-bit number. */
  readonly varint: bigint;
  readonly bytes: Uint8Array;
}

const NOTHING = new Uint8Array(0);

/** Walks the fields of a message (protobuf encoding, "Message structure"). Refuses groups, truncation, field number 0. */
export function* fieldsOf(message: Uint8Array, what: string): Generator<Field> {
  let at = 0;
  while (at < message.length) {
    const key = readVarint(message, at, what);
    at = key.next;
    const number = Number(key.value >> 3n);
    if (number === 0 || number > 0x1fffffff)
      throw new Refusal('malformed', `${what}: field number ${number} is not allowed`);
    const wire = Number(key.value & 7n);
    if (wire === 0) {
      const { value, next } = readVarint(message, at, what);
      at = next;
      yield { number, wire, varint: value, bytes: NOTHING };
      continue;
    }
    if (wire !== 1 && wire !== 2 && wire !== 5) {
      throw new Refusal('malformed', `${what}: field ${number} has wire type ${wire}; expected 0, 1, 2 or 5`);
    }
    let length = wire === 1 ? 8 : 4;
    if (wire === 2) {
      const size = readVarint(message, at, what);
      at = size.next;
      if (size.value > BigInt(message.length - at)) {
        throw new Refusal(
          'malformed',
          `${what}: field ${number} claims ${size.value} bytes, ${message.length - at} are left`,
        );
      }
      length = Number(size.value);
    }
    if (length > message.length - at) throw new Refusal('malformed', `${what}: field ${number} is truncated`);
    yield { number, wire, varint: 0n, bytes: message.subarray(at, at + length) };
    at += length;
  }
}

/** Reads a varint of at most 64 bits. */
export function readVarint(
  bytes: Uint8Array,
  at: number,
  what: string,
): { readonly value: bigint; readonly next: number } {
  const first = bytes[at];
  if (first !== undefined && first < 0x80) return { value: BigInt(first), next: at + 1 };
  let value = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[at + i];
    if (byte === undefined) throw new Refusal('malformed', `${what}: a varint is truncated`);
    if (i === 9 && byte > 1) break;
    value |= BigInt(byte & 0x7f) << BigInt(7 * i);
    if (byte < 0x80) return { value, next: at + i + 1 };
  }
  throw new Refusal('malformed', `${what}: a varint is longer than 64 bits`);
}

/** Writes protobuf messages; fields in the order of the calls. */
export interface MessageWriter {
  varint(field: number, value: bigint | number): void;
  bytes(field: number, value: Uint8Array): void;
  text(field: number, value: string): void;
  float(field: number, value: number): void;
  finish(): Uint8Array;
}

export function createMessage(): MessageWriter {
  const parts: Uint8Array[] = [];
  const key = (field: number, wire: number): void => {
    parts.push(varintBytes(BigInt(field * 8 + wire)));
  };
  const bytes = (field: number, value: Uint8Array): void => {
    key(field, 2);
    parts.push(varintBytes(BigInt(value.length)), value);
  };
  return {
    varint(field, value) {
      key(field, 0);
      parts.push(varintBytes(BigInt.asUintN(64, BigInt(value))));
    },
    bytes,
    text: (field, value) => bytes(field, new TextEncoder().encode(value)),
    float(field, value) {
      key(field, 5);
      const out = new Uint8Array(4);
      new DataView(out.buffer).setFloat32(0, value, true);
      parts.push(out);
    },
    finish() {
      const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
      let at = 0;
      for (const part of parts) {
        out.set(part, at);
        at += part.length;
      }
      return out;
    },
  };
}

function varintBytes(value: bigint): Uint8Array {
  const out: number[] = [];
  let rest = value;
  while (rest >= 0x80n) {
    out.push(Number(rest & 0x7fn) | 0x80);
    rest >>= 7n;
  }
  out.push(Number(rest));
  return Uint8Array.from(out);
}
