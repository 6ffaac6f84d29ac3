/** Messages on the ABCI socket: each preceded by its length as an unsigned varint (protoio's delimited form). */
import { concatAll } from '#core/bytes.ts';
import { ABCI_LIMITS } from './limits.ts';

/** The stream is not what it should be: nothing after it can be read. */
export class FrameError extends Error {
  override readonly name = 'FrameError';
}

export interface FrameReader {
  /** The messages that are complete with these bytes, in order. @throws FrameError */
  push(chunk: Uint8Array): Generator<Uint8Array>;
  /** Whether a message has begun and is not complete. */
  readonly pending: boolean;
}

/** Holds one incomplete message at most; its length is checked before anything of it is kept. */
export function createFrameReader(maxBytes: number = ABCI_LIMITS.maxRequestBytes): FrameReader {
  const parts: Uint8Array[] = [];
  let lengthBytes = 0;
  let length = 0;
  /** Bytes of the message that are still to come; undefined while its length is read. */
  let missing: number | undefined;

  function readLength(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length) {
      const byte = chunk[at++] as number;
      length |= (byte & 127) << (7 * lengthBytes);
      lengthBytes++;
      if (byte < 128) {
        if (byte === 0 && lengthBytes > 1) throw new FrameError('message length: non-canonical varint');
        if (length > maxBytes) throw new FrameError(`message of ${length} bytes exceeds the limit of ${maxBytes}`);
        missing = length;
        return at;
      }
      if (lengthBytes === ABCI_LIMITS.maxLengthBytes)
        throw new FrameError(`message length: longer than ${ABCI_LIMITS.maxLengthBytes} bytes`);
    }
    return at;
  }

  function* push(bytes: Uint8Array): Generator<Uint8Array> {
    // No Buffer goes on from here: its slice() is a view where Uint8Array's is a copy.
    const chunk = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
    let at = 0;
    for (;;) {
      if (missing === undefined) at = readLength(chunk, at);
      if (missing === undefined) return;
      const taken = chunk.subarray(at, at + missing);
      at += taken.length;
      missing -= taken.length;
      if (missing > 0) {
        // Copied: the chunk is the socket's.
        if (taken.length > 0) parts.push(taken.slice());
        return;
      }
      const message = parts.length === 0 ? taken : concatAll([...parts, taken]);
      parts.length = 0;
      length = 0;
      lengthBytes = 0;
      missing = undefined;
      yield message;
      if (at >= chunk.length) return;
    }
  }

  return {
    push,
    get pending() {
      return missing !== undefined || lengthBytes > 0;
    },
  };
}
