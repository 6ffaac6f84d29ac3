import { type FileHandle, mkdir, open, readdir, readFile, stat, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { assert } from '#core/assert.ts';
import { concat, concatAll } from '#core/bytes.ts';
import type { Wal } from '../driver/ports.ts';
import { syncFolder, writeWhole } from './durable-file.ts';

const NAME = /^wal-(\d{10})$/;

const fileName = (number: number): string => `wal-${String(number).padStart(10, '0')}`;

export interface WalFilesOptions {
  readonly folder: string;
  /** A file that has grown beyond this is closed at the next end of a height. */
  readonly rotateBytes: number;
}

async function cutFile(path: string, length: number): Promise<void> {
  const handle = await open(path, 'r+');
  try {
    await handle.truncate(length);
    await handle.sync();
  } finally {
    await handle.close();
  }
}

/**
 * The write-ahead log as a sequence of numbered files. Frames gather in memory until `sync`, which writes and fsyncs
 * them: what a crash takes was never relied upon. Two files are kept at a rotation, so that the last end-height marker
 * always survives. Any failure to write is thrown, and the log takes nothing more: after a failed fsync the kernel may
 * have dropped the pages, and a second one would lie.
 */
export async function openWalFiles(options: WalFilesOptions): Promise<Wal> {
  const { folder, rotateBytes } = options;
  await mkdir(folder, { recursive: true });
  const numbers = (await readdir(folder))
    .map((name) => NAME.exec(name)?.[1])
    .filter((digits) => digits !== undefined)
    .map(Number)
    .sort((a, b) => a - b);
  if (numbers.length === 0) numbers.push(1);
  const path = (number: number) => join(folder, fileName(number));
  let current = numbers.at(-1) as number;
  let file: FileHandle = await open(path(current), 'a');
  await syncFolder(folder);
  let size = (await file.stat()).size;
  let pending: Uint8Array[] = [];
  /** Whether all of the file is on disk. What was found in it may have been left unsynced by whoever wrote it. */
  let synced = false;
  let failed: unknown;
  let closed = false;

  function usable(): void {
    if (failed !== undefined) throw new Error('the write-ahead log has failed before', { cause: failed });
  }

  async function guarded<T>(work: () => Promise<T>): Promise<T> {
    usable();
    try {
      return await work();
    } catch (error) {
      failed = error;
      throw new Error(`the write-ahead log in ${folder} cannot be written`, { cause: error });
    }
  }

  async function flush(): Promise<void> {
    if (pending.length > 0) {
      const bytes = concatAll(pending);
      pending = [];
      synced = false;
      await writeWhole(file, bytes, null);
      size += bytes.length;
    }
    if (synced) return;
    await file.datasync();
    synced = true;
  }

  return {
    async read() {
      return concat(...(await Promise.all(numbers.map((number) => readFile(path(number))))));
    },
    truncate: (length) =>
      guarded(async () => {
        let left = length;
        const cuts: { readonly number: number; readonly keep: number }[] = [];
        for (const number of numbers) {
          const bytes = (await stat(path(number))).size;
          const keep = Math.min(left, bytes);
          left -= keep;
          if (keep < bytes) cuts.push({ number, keep });
        }
        assert(left === 0, 'a log is cut to a length that it has');
        // The newest first: a crash between two files leaves a longer log, and not one with a hole.
        for (const { number, keep } of cuts.reverse()) {
          await cutFile(path(number), keep);
          if (number === current) size = keep;
        }
      }),
    async append(frame) {
      usable();
      pending.push(frame);
    },
    sync: () => guarded(flush),
    async rotate() {
      // What the ended height has not synced nobody needs any more. A node that never signs syncs nothing at all.
      pending = pending.slice(-1);
      if (size < rotateBytes) return;
      await guarded(async () => {
        await flush();
        await file.close();
        current += 1;
        file = await open(path(current), 'a');
        size = 0;
        numbers.push(current);
        // The closed file ends with the marker; what stands before it is no longer needed.
        for (const number of numbers.splice(0, numbers.length - 2)) await unlink(path(number));
        await syncFolder(folder);
      });
    },
    async close() {
      if (closed) return;
      closed = true;
      if (failed === undefined) await guarded(flush);
      await file.close();
    },
  };
}
