/**
 * A snapshot as one file to carry: a gzipped tar archive whose entries are the manifest, `_snapshot`, and the chunks by their
 * numbers, as the Cosmos SDK's `snapshots dump` lays it out. What is in them is this chain's own (docs/maintenance.md).
 */
import { createReadStream, createWriteStream } from 'node:fs';
import { rename, rm } from 'node:fs/promises';
import { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { createGunzip, createGzip } from 'node:zlib';
import type { Snapshot } from '#core/abci.ts';
import { concat, equal, fromUtf8, utf8 } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { err, ok, type Result } from '#core/result.ts';
import { STATE_LIMITS } from '#runtime/limits.ts';
import { checkManifest, SNAPSHOT_FORMAT } from '#runtime/state/snapshot/format.ts';
import { NODE_LIMITS } from '../limits.ts';
import { encodeSnapshot, readSnapshot } from './messages.ts';

const MANIFEST = '_snapshot';
const BLOCK_BYTES = 512;
/** Where the fields of a header of POSIX.1-1988 (ustar) are. */
const FIELD = {
  name: [0, 100],
  mode: [100, 8],
  size: [124, 12],
  checksum: [148, 8],
  type: [156, 1],
  magic: [257, 8],
} as const;

function putText(header: Uint8Array, [at]: readonly [number, number], text: string): void {
  header.set(utf8(text), at);
}

const octal = (value: number, digits: number): string => value.toString(8).padStart(digits, '0');

function checksumOf(header: Uint8Array): number {
  const [at, length] = FIELD.checksum;
  // The field itself counts as spaces.
  return header.reduce((sum, byte, i) => sum + (i >= at && i < at + length ? 0x20 : byte), 0);
}

/** One entry: header, content, and zeros to the end of a block. */
export function tarEntry(name: string, content: Uint8Array): Uint8Array {
  const out = new Uint8Array(BLOCK_BYTES + Math.ceil(content.length / BLOCK_BYTES) * BLOCK_BYTES);
  const header = out.subarray(0, BLOCK_BYTES);
  putText(header, FIELD.name, name);
  putText(header, FIELD.mode, '0000600');
  putText(header, FIELD.size, octal(content.length, 11));
  putText(header, FIELD.type, '0');
  putText(header, FIELD.magic, 'ustar\u000000');
  putText(header, FIELD.checksum, `${octal(checksumOf(header), 6)}\0 `);
  out.set(content, BLOCK_BYTES);
  return out;
}

export const TAR_END: Uint8Array = new Uint8Array(2 * BLOCK_BYTES);

export interface TarEntry {
  readonly name: string;
  readonly content: Uint8Array;
}

/** Entries out of the bytes of an archive, however they are cut. Only plain files, each of at most `maxEntryBytes`. */
export class TarReader {
  readonly #maxEntryBytes: number;
  #pieces: Uint8Array[] = [];
  #have = 0;
  /** Bytes without which nothing can be said. */
  #need = BLOCK_BYTES;
  #zeros = 0;

  constructor(maxEntryBytes: number) {
    this.#maxEntryBytes = maxEntryBytes;
  }

  /** Whether the end of the archive has come. */
  get ended(): boolean {
    return this.#zeros >= TAR_END.length;
  }

  /** The entries that are complete now. The error is a sentence; nothing can be read after it. */
  push(bytes: Uint8Array): Result<readonly TarEntry[], string> {
    this.#pieces.push(bytes);
    this.#have += bytes.length;
    if (this.#have < this.#need) return ok([]);
    const pending = concat(...this.#pieces);
    const found: TarEntry[] = [];
    let at = 0;
    for (this.#need = BLOCK_BYTES; pending.length - at >= this.#need; ) {
      const header = pending.subarray(at, at + BLOCK_BYTES);
      if (header.every((byte) => byte === 0)) {
        this.#zeros += BLOCK_BYTES;
        if (this.#zeros > NODE_LIMITS.maxTarPaddingBytes) return err('archive: nothing but zeros');
        at += BLOCK_BYTES;
        continue;
      }
      if (this.#zeros > 0) return err('archive: something follows its end');
      const size = this.#sizeIn(header);
      if (!size.ok) return size;
      this.#need = BLOCK_BYTES + Math.ceil(size.value / BLOCK_BYTES) * BLOCK_BYTES;
      if (pending.length - at < this.#need) break;
      const content = pending.slice(at + BLOCK_BYTES, at + BLOCK_BYTES + size.value);
      found.push({ name: textIn(header, FIELD.name), content });
      at += this.#need;
      this.#need = BLOCK_BYTES;
    }
    this.#pieces = [pending.subarray(at)];
    this.#have = pending.length - at;
    return ok(found);
  }

  #sizeIn(header: Uint8Array): Result<number, string> {
    if (Number.parseInt(textIn(header, FIELD.checksum), 8) !== checksumOf(header))
      return err('archive: the checksum of an entry is wrong; is that a dumped snapshot?');
    const type = header[FIELD.type[0]];
    const name = JSON.stringify(textIn(header, FIELD.name));
    if (type !== 0 && type !== 0x30) return err(`archive: expected plain files, ${name} is none`);
    const text = textIn(header, FIELD.size).trim();
    const size = /^[0-7]{1,11}$/.test(text) ? Number.parseInt(text, 8) : undefined;
    if (size === undefined) return err(`archive: the size of ${name} is no octal number`);
    if (size > this.#maxEntryBytes)
      return err(`archive: ${size} bytes of ${name} exceed the limit of ${this.#maxEntryBytes}`);
    return ok(size);
  }
}

/** Up to the first zero; what is no UTF-8 names nothing of ours. */
function textIn(header: Uint8Array, [at, length]: readonly [number, number]): string {
  const field = header.subarray(at, at + length);
  const end = field.indexOf(0);
  try {
    return fromUtf8(end < 0 ? field : field.subarray(0, end));
  } catch {
    return '?';
  }
}

/** Writes the file; it is there when all of it is on disk, or not at all. @throws Error when a chunk is missing. */
export async function dumpSnapshot(
  path: string,
  snapshot: Snapshot,
  chunk: (index: number) => Promise<Uint8Array | undefined>,
): Promise<void> {
  async function* entries(): AsyncGenerator<Uint8Array> {
    yield tarEntry(MANIFEST, encodeSnapshot(snapshot));
    for (let index = 0; index < snapshot.chunks; index++) {
      const bytes = await chunk(index);
      if (bytes === undefined) throw new Error(`chunk ${index} of snapshot ${snapshot.height} is missing`);
      yield tarEntry(String(index), bytes);
    }
    yield TAR_END;
  }
  const unfinished = `${path}.unfinished`;
  try {
    await pipeline(Readable.from(entries()), createGzip(), createWriteStream(unfinished, { mode: 0o600, flush: true }));
    await rename(unfinished, path);
  } finally {
    await rm(unfinished, { force: true });
  }
}

/**
 * Reads a file that {@link dumpSnapshot} has written and hands manifest and chunks on in order, each chunk checked against the
 * manifest. The error is a sentence. Resolves when all of it was there.
 */
export async function loadSnapshot(
  path: string,
  manifest: (snapshot: Snapshot) => Result<true, string>,
  sink: (index: number, chunk: Uint8Array) => Promise<void>,
): Promise<Result<Snapshot, string>> {
  const reader = new TarReader(Math.max(STATE_LIMITS.snapshotChunkBytes, NODE_LIMITS.maxSnapshotsMessageBytes));
  let snapshot: Snapshot | undefined;
  let hashes: readonly Uint8Array[] = [];
  let next = 0;
  async function take({ name, content }: TarEntry): Promise<string | undefined> {
    if (snapshot === undefined) {
      if (name !== MANIFEST) return `expected ${MANIFEST} first, got ${JSON.stringify(name)}`;
      const read = decode(() => readSnapshot(MANIFEST, content));
      if (!read.ok) return read.error;
      const { format } = read.value;
      if (format !== SNAPSHOT_FORMAT) return `expected format ${SNAPSHOT_FORMAT}, got ${format}`;
      const checked = checkManifest(read.value);
      if (!checked.ok) return checked.error;
      const wanted = manifest(read.value);
      if (!wanted.ok) return wanted.error;
      [snapshot, hashes] = [read.value, checked.value];
      return undefined;
    }
    const hash = hashes[next];
    if (hash === undefined || name !== String(next))
      return `expected ${hash === undefined ? 'the end' : `chunk ${next}`}, got ${JSON.stringify(name)}`;
    if (!equal(sha256(content), hash)) return `chunk ${next}: its hash is not the one in the manifest`;
    await sink(next++, content);
    return undefined;
  }
  let failure: string | undefined;
  try {
    await pipeline(createReadStream(path), createGunzip(), async (source: AsyncIterable<Buffer>) => {
      for await (const piece of source) {
        const entries = reader.push(piece);
        if (!entries.ok) failure = entries.error;
        else for (const entry of entries.value) failure ??= await take(entry);
        if (failure !== undefined) return;
      }
    });
  } catch (error) {
    failure ??= error instanceof Error ? error.message : String(error);
  }
  if (failure !== undefined) return err(`${path}: ${failure}`);
  if (snapshot === undefined || next < snapshot.chunks || !reader.ended)
    return err(`${path}: the file ends after ${next} of ${snapshot?.chunks ?? 'unknown'} chunks`);
  return ok(snapshot);
}
