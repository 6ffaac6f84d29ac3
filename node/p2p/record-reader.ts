import type { MessageStream } from '@libp2p/interface';

type Bytes = Uint8Array | { subarray(): Uint8Array };

/** What is relied upon of the encrypted stream of @libp2p/noise. */
interface DecodingStream {
  decoder: {
    /** What has come of a record that is not complete. */
    readonly buffer?: { subarray(): Uint8Array };
    decode(data: Bytes): Iterable<Uint8Array>;
  };
}

/**
 * Has an encrypted stream cut into records by a {@link RecordReader}. The reader that noise brings looks for a length where
 * nothing is left, and learns so by an exception with a trace of the stack, once for whatever a socket delivers. A stream of
 * another kind is left as it is.
 */
export function readRecords(stream: MessageStream): void {
  if (!isDecoding(stream)) return;
  const reader = new RecordReader();
  const begun = stream.decoder.buffer;
  if (begun !== undefined) reader.decode(begun);
  stream.decoder = reader;
}

function isDecoding(stream: object): stream is DecodingStream {
  if (!('decoder' in stream)) return false;
  const { decoder } = stream;
  return (
    typeof decoder === 'object' &&
    decoder !== null &&
    'decode' in decoder &&
    typeof decoder.decode === 'function' &&
    'buffer' in decoder &&
    typeof decoder.buffer === 'object' &&
    decoder.buffer !== null &&
    'subarray' in decoder.buffer &&
    typeof decoder.buffer.subarray === 'function'
  );
}

/** Cuts what arrives into encrypted records: u16 big-endian length, content. */
export class RecordReader {
  /** The first byte of a length whose second has not come. */
  #head: number | undefined;
  /** A record that has begun, made as long as it will be: a peer chooses in how many pieces it comes. */
  #record: Uint8Array | undefined;
  #filled = 0;

  /** The records that `data` completes; those of no bytes are left out. */
  decode(data: Bytes): readonly Uint8Array[] {
    const chunk = data instanceof Uint8Array ? data : data.subarray();
    const records: Uint8Array[] = [];
    let at = 0;
    while (at < chunk.length) {
      const first = chunk[at] as number;
      if (this.#record !== undefined) at += this.#fill(this.#record, chunk.subarray(at), records);
      else if (this.#head !== undefined) {
        this.#begin((this.#head << 8) | first);
        this.#head = undefined;
        at += 1;
      } else if (at + 1 === chunk.length) {
        this.#head = first;
        at += 1;
      } else {
        const length = (first << 8) | (chunk[at + 1] as number);
        const end = at + 2 + length;
        if (end > chunk.length) this.#begin(length);
        else if (length > 0) records.push(chunk.subarray(at + 2, end));
        at = end > chunk.length ? at + 2 : end;
      }
    }
    return records;
  }

  #begin(length: number): void {
    if (length === 0) return;
    this.#record = new Uint8Array(length);
    this.#filled = 0;
  }

  /** Answers how much of the piece it took. */
  #fill(record: Uint8Array, piece: Uint8Array, records: Uint8Array[]): number {
    const taken = Math.min(piece.length, record.length - this.#filled);
    record.set(taken === piece.length ? piece : piece.subarray(0, taken), this.#filled);
    this.#filled += taken;
    if (this.#filled === record.length) {
      records.push(record);
      this.#record = undefined;
    }
    return taken;
  }
}
