import { rm } from 'node:fs/promises';
import { dirname, resolve } from 'node:path';
import { setImmediate } from 'node:timers/promises';
import type { Snapshot } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { noDuties } from '#core/ports/duties.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { err, ok, type Result } from '#core/result.ts';
import { openApplication } from '#runtime/app.ts';
import { homePaths } from '../config/home.ts';
import type { BlockStore } from '../driver/block-store.ts';
import { openSnapshotFiles, type SnapshotFiles } from '../statesync/archive.ts';
import { dumpSnapshot, loadSnapshot } from '../statesync/snapshot-file.ts';
import { syncFolder } from '../storage/durable-file.ts';
import { openLevelKv } from '../storage/level-kv.ts';
import { createRangeReader } from '../storage/range-reader.ts';
import { freshOf, replaceFolder } from '../storage/replaced-folder.ts';
import { lockStoppedHome, OfflineError, withStoppedHome } from './home.ts';

type Told = (done: number, of: number) => void;

/** The folder of snapshots for this process alone: a node takes them while it runs. @throws OfflineError, HomeLockedError */
async function withSnapshots<T>(home: string, use: (files: SnapshotFiles) => Promise<T>): Promise<T> {
  const lock = await lockStoppedHome(home);
  try {
    return await use(await openSnapshotFiles(homePaths(home).snapshots, { logger: silentLogger }));
  } finally {
    await lock.release();
  }
}

function orThrow<T>(result: Result<T, string>): T {
  if (!result.ok) throw new OfflineError(result.error);
  return result.value;
}

async function find(files: SnapshotFiles, height: bigint, format: number): Promise<Snapshot> {
  const known = await files.list();
  const found = known.find((each) => each.height === height && each.format === format);
  if (found !== undefined) return found;
  const heights = known.map((each) => each.height);
  throw new OfflineError(
    `there is no snapshot of height ${height} and format ${format}; ${heights.length === 0 ? 'there is none at all' : `there are those of ${heights.join(', ')}`}`,
  );
}

/** Newest first. */
export function listSnapshots(home: string): Promise<readonly Snapshot[]> {
  return withSnapshots(home, async (files) => [...(await files.list())]);
}

/** Takes a snapshot of the state after a block that is kept; undefined: the last one. @throws OfflineError */
export function exportSnapshot(home: string, height: bigint | undefined): Promise<Snapshot> {
  return withStoppedHome(home, async (stopped) => {
    const app = await stopped.openApplication();
    const at = height ?? app.info().lastBlockHeight;
    const files = await openSnapshotFiles(stopped.paths.snapshots, { logger: silentLogger });
    if ((await files.list()).some((each) => each.height === at))
      throw new OfflineError(`there is a snapshot of height ${at} already: autond snapshots delete ${at} removes it`);
    return orThrow(await files.add(at, (sink) => app.exportSnapshot(at, sink, () => setImmediate())));
  });
}

/** @throws OfflineError */
export function deleteSnapshot(home: string, height: bigint, format: number): Promise<void> {
  return withSnapshots(home, async (files) => {
    const meant = await find(files, height, format);
    await files.remove((each) => each === meant);
  });
}

/** Writes a snapshot into one file. @throws OfflineError */
export function dumpToFile(home: string, height: bigint, format: number, path: string, told: Told): Promise<Snapshot> {
  return withSnapshots(home, async (files) => {
    const snapshot = await find(files, height, format);
    await dumpSnapshot(path, snapshot, async (index) => {
      told(index + 1, snapshot.chunks);
      return files.chunk(height, format, index);
    });
    await syncFolder(dirname(resolve(path)));
    return snapshot;
  });
}

/** Adds a snapshot from a file, whose every chunk is checked before the first is kept. @throws OfflineError */
export function loadFromFile(home: string, path: string, told: Told): Promise<Snapshot> {
  return withSnapshots(home, async (files) => {
    const heights = new Set((await files.list()).map((each) => each.height));
    const wanted = ({ height }: Snapshot): Result<true, string> =>
      heights.has(height) ? err(`there is a snapshot of height ${height} already`) : ok(true);
    const { height, chunks } = orThrow(await loadSnapshot(path, wanted, async () => undefined));
    const add = (sink: (index: number, chunk: Uint8Array) => Promise<void>) =>
      loadSnapshot(path, wanted, (index, chunk) => {
        told(index + 1, chunks);
        return sink(index, chunk);
      });
    return orThrow(await files.add(height, add));
  });
}

export interface Restored {
  readonly height: bigint;
  readonly appHash: Uint8Array;
  /** Blocks that the next start executes on top of it. */
  readonly toReplay: bigint;
}

/**
 * Puts the state of a snapshot in the place of the application's database, checked against what the node's own blocks say it
 * must lead to. The old database stays until the new one is whole. @throws OfflineError, HomeLockedError
 */
export async function restoreSnapshot(home: string, height: bigint, format: number, told: Told): Promise<Restored> {
  const paths = homePaths(home);
  const { appHash, last, initialHeight } = await withStoppedHome(home, async ({ blocks, states, genesis }) => ({
    ...orThrow(expectedHash(blocks, states.load(), height)),
    initialHeight: genesis.initialHeight,
  }));
  const fresh = freshOf(paths.application);
  return withSnapshots(home, async (files) => {
    const snapshot = await find(files, height, format);
    await rm(fresh, { recursive: true, force: true });
    try {
      await importInto(fresh, { files, snapshot, appHash, initialHeight, told });
      await replaceFolder(paths.application);
    } finally {
      await rm(fresh, { recursive: true, force: true });
    }
    return { height, appHash, toReplay: last - height };
  });
}

/** What the state after a block must lead to: the header of the next one says it. */
function expectedHash(
  blocks: BlockStore,
  state: { readonly lastBlockHeight: bigint; readonly appHash: Uint8Array } | undefined,
  height: bigint,
): Result<{ readonly appHash: Uint8Array; readonly last: bigint }, string> {
  const last = state?.lastBlockHeight ?? 0n;
  if (state === undefined || last === 0n)
    return err('there is no block yet: a node without blocks begins at a snapshot of its peers, see [statesync]');
  if (height > last) return err(`the last block is ${last}: a snapshot of height ${height} is ahead of it`);
  if (height === last) return ok({ appHash: state.appHash, last });
  const next = blocks.meta(height + 1n);
  if (next === undefined || blocks.base > height + 1n)
    return err(
      `the blocks above ${height}, which are executed again, are not kept: the first that is kept is ${blocks.base}`,
    );
  return ok({ appHash: next.header.appHash, last });
}

interface Import {
  readonly files: SnapshotFiles;
  readonly snapshot: Snapshot;
  readonly appHash: Uint8Array;
  readonly initialHeight: bigint;
  readonly told: Told;
}

const CACHE_BYTES = 33_554_432;

async function importInto(path: string, { files, snapshot, appHash, initialHeight, told }: Import): Promise<void> {
  const rangeReader = createRangeReader();
  try {
    const kv = await openLevelKv({ path, cacheBytes: CACHE_BYTES }, { rangeReader });
    try {
      const app = await openApplication(
        { initialHeight },
        { kv, verifier: pureVerifier, duties: noDuties, logger: silentLogger },
      );
      const offered = await app.offerSnapshot({ snapshot, appHash });
      if (offered.result !== 'accept') throw new OfflineError(`the snapshot cannot be used: ${offered.reason}`);
      for (let index = 0; index < snapshot.chunks; index++) {
        const chunk = defined(await files.chunk(snapshot.height, snapshot.format, index), `chunk ${index}`);
        const applied = await app.applySnapshotChunk({ index, chunk, sender: '' });
        if (applied.result !== 'accept') throw new OfflineError(`the snapshot cannot be used: ${applied.reason}`);
        told(index + 1, snapshot.chunks);
      }
    } finally {
      await kv.close();
    }
  } finally {
    await rangeReader.close();
  }
}
