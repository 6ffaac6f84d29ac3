import { concat, EMPTY, u32be } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';

/**
 * What stands before a message on a direct stream: u32 big-endian length.
 * @param tag the message's first byte, where `bytes` are only what follows.
 */
export function frameHead(bytes: Uint8Array, tag?: number): Uint8Array {
  if (tag === undefined) return u32be(bytes.length);
  return concat(u32be(1 + bytes.length), Uint8Array.of(tag));
}

/** Chunks below this are joined as they come: a peer chooses how many the bytes of one message arrive in. */
const SMALL_CHUNK = 16_384;

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

  /** The messages that `chunk` completes: plain arrays, of which none keeps more than twice its own memory. */
  push(chunk: Uint8Array): Result<readonly Uint8Array[], string> {
    this.#append(plain(chunk));
    const messages: Uint8Array[] = [];
    while (this.#held >= 5) {
      const head = this.#peek(5);
      const length = new DataView(head.buffer, head.byteOffset).getUint32(0);
      if (length === 0) return err('a message of no bytes');
      const limit = this.#limitOf(head[4] ?? 0);
      if (length > limit) return err(`a message of ${length} bytes exceeds the limit of ${limit}`);
      if (this.#held < 4 + length) break;
      const message = this.#take(4 + length).subarray(4);
      // A peer chooses what comes along with it: of a few bytes that somebody keeps it would keep a megabyte.
      messages.push(2 * length < message.buffer.byteLength ? message.slice() : message);
    }
    return ok(messages);
  }

  /** Joins small chunks two of a size at a time: few are ever held, and each byte moves a logarithmic number of times. */
  #append(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#held += chunk.length;
    let last = chunk;
    for (let before = this.#chunks.at(-1); before !== undefined; before = this.#chunks.at(-1)) {
      if (last.length >= SMALL_CHUNK || before.length > last.length) break;
      this.#chunks.pop();
      last = concat(before, last);
    }
    this.#chunks.push(last);
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

/** Node's ciphers answer with a Buffer, whose slice() does not copy: it must not reach code that relies on copies. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.length);
}
