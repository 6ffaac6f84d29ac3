import { concat, EMPTY, u32be } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';

/** A message as it stands on a direct stream: u32 big-endian length, then its bytes. */
export function frame(message: Uint8Array): Uint8Array {
  return concat(u32be(message.length), message);
}

/**
 * Cuts a stream of bytes into messages. `limitOf` names the most bytes that a message may have by its first byte, and
 * is asked before anything of the message is kept. After an error the stream is of no further use.
 */
export class FrameReader {
  readonly #limitOf: (firstByte: number) => number;
  #chunks: Uint8Array[] = [];
  #held = 0;

  constructor(limitOf: (firstByte: number) => number) {
    this.#limitOf = limitOf;
  }

  /** The messages that `chunk` completes. */
  push(chunk: Uint8Array): Result<readonly Uint8Array[], string> {
    this.#chunks.push(chunk);
    this.#held += chunk.length;
    const messages: Uint8Array[] = [];
    while (this.#held >= 5) {
      const head = this.#peek(5);
      const length = new DataView(head.buffer, head.byteOffset).getUint32(0);
      if (length === 0) return err('a message of no bytes');
      const limit = this.#limitOf(head[4] ?? 0);
      if (length > limit) return err(`a message of ${length} bytes exceeds the limit of ${limit}`);
      if (this.#held < 4 + length) break;
      messages.push(this.#take(4 + length).subarray(4));
    }
    return ok(messages);
  }

  #peek(length: number): Uint8Array {
    const first = this.#chunks[0] ?? EMPTY;
    if (first.length >= length) return first.subarray(0, length);
    this.#chunks = [concat(...this.#chunks)];
    return (this.#chunks[0] ?? EMPTY).subarray(0, length);
  }

  #take(length: number): Uint8Array {
    if ((this.#chunks[0]?.length ?? 0) < length) this.#chunks = [concat(...this.#chunks)];
    const first = this.#chunks[0] ?? EMPTY;
    this.#held -= length;
    if (first.length === length) this.#chunks.shift();
    else this.#chunks[0] = first.subarray(length);
    return first.subarray(0, length);
  }
}
