import { mkdir, open, readdir, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import type { Snapshot } from '#core/abci.ts';
import { decode } from '#core/codec/proto-reader.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { Result } from '#core/result.ts';
import type { SnapshotArchive } from '#runtime/app.ts';
import { STATE_LIMITS } from '#runtime/limits.ts';
import { NODE_LIMITS } from '../limits.ts';
import { readFileBounded, syncFolder } from '../storage/durable-file.ts';
import { encodeSnapshot, readSnapshot } from './messages.ts';

/** Snapshots in files: a folder each, with the manifest and a file for each chunk. */
export interface SnapshotFiles extends SnapshotArchive {
  /** Height of the oldest one. */
  oldest(): bigint | undefined;
  /** Writes a new one; it is there when all of it is on disk, or not at all. `make` is handed where its chunks go. */
  add(
    height: bigint,
    make: (sink: (index: number, chunk: Uint8Array) => Promise<void>) => Promise<Result<Snapshot, string>>,
  ): Promise<Result<Snapshot, string>>;
  /** Removes all but the newest `keep`. */
  keepNewest(keep: number): Promise<void>;
  /** Removes those that are meant, and answers which. */
  remove(isMeant: (snapshot: Snapshot) => boolean): Promise<readonly Snapshot[]>;
}

const MANIFEST = 'manifest';
const UNFINISHED = '.unfinished';
const nameOf = (height: bigint, format: number) => `${height}-${format}`;

/** What a crash left unfinished is removed; a folder that cannot be read is left alone and not offered. */
export async function openSnapshotFiles(
  folder: string,
  dependencies: { readonly logger: Logger },
): Promise<SnapshotFiles> {
  await mkdir(folder, { recursive: true });
  /** Newest first. */
  let known: Snapshot[] = [];
  for (const name of await readdir(folder)) {
    if (name.endsWith(UNFINISHED)) {
      await rm(join(folder, name), { recursive: true, force: true });
      continue;
    }
    const bytes = await readFileBounded(join(folder, name, MANIFEST), NODE_LIMITS.maxSnapshotsMessageBytes);
    const manifest = bytes && decode(() => readSnapshot(name, bytes));
    if (manifest?.ok === true && nameOf(manifest.value.height, manifest.value.format) === name)
      known.push(manifest.value);
    else dependencies.logger.warn('a snapshot cannot be read and is not offered', { name });
  }
  const sort = () => known.sort((a, b) => (a.height < b.height ? 1 : -1));
  sort();

  async function write(path: string, bytes: Uint8Array): Promise<void> {
    const file = await open(path, 'w', 0o600);
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
  }

  async function remove(isMeant: (snapshot: Snapshot) => boolean): Promise<readonly Snapshot[]> {
    // Not offered any more, then gone: who is in the middle of it takes a newer one.
    const gone = known.filter(isMeant);
    known = known.filter((snapshot) => !gone.includes(snapshot));
    for (const { height, format } of gone) {
      // Under the name of what is unfinished first: a crash must not leave a manifest whose chunks are gone.
      const name = join(folder, nameOf(height, format));
      await rename(name, `${name}${UNFINISHED}`).catch((error: unknown) => {
        // Somebody was faster.
        if (!(error instanceof Error && 'code' in error && error.code === 'ENOENT')) throw error;
      });
      await rm(`${name}${UNFINISHED}`, { recursive: true, force: true });
    }
    return gone;
  }

  return {
    list: async () => known,
    oldest: () => known.at(-1)?.height,
    async chunk(height, format, index) {
      const snapshot = known.find((each) => each.height === height && each.format === format);
      if (snapshot === undefined || index >= snapshot.chunks) return undefined;
      return readFileBounded(join(folder, nameOf(height, format), String(index)), STATE_LIMITS.snapshotChunkBytes);
    },
    async add(height, make) {
      const unfinished = join(folder, `${height}${UNFINISHED}`);
      await mkdir(unfinished, { recursive: true });
      try {
        const made = await make((index, chunk) => write(join(unfinished, String(index)), chunk));
        if (!made.ok) return made;
        await write(join(unfinished, MANIFEST), encodeSnapshot(made.value));
        await syncFolder(unfinished);
        await rename(unfinished, join(folder, nameOf(height, made.value.format)));
        await syncFolder(folder);
        known = [made.value, ...known.filter((each) => each.height !== height)];
        sort();
        return made;
      } finally {
        await rm(unfinished, { recursive: true, force: true });
      }
    },
    async keepNewest(keep) {
      const kept = new Set(known.slice(0, keep));
      await remove((snapshot) => !kept.has(snapshot));
    },
    remove,
  };
}
