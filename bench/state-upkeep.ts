import { mkdtempSync, readdirSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setImmediate as turn } from 'node:timers/promises';
import { openLevelKv } from '#node/storage/level-kv.ts';
import { createRangeReader } from '#node/storage/range-reader.ts';
import { MultiStore } from '#runtime/state/multistore.ts';
import { exportSnapshot } from '#runtime/state/snapshot/export.ts';
import { insertions, overwrites, STATE_LOAD, type Write } from '#test/support/state-load.ts';
import { type Entry, median, type Sample } from './harness.ts';

const keys = 300_000;
/** Kept back from pruning until it is measured. */
const unprunedVersions = 100;
const versionsBeside = 20;
const prunedVersions = 150;
const MIB = 1 << 20;

const ms = (began: number): number => performance.now() - began;
/** Milliseconds that this thread has computed, whatever else the machine did. */
const computed = (): number => {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1000;
};

/** LevelDB deletes tables meanwhile. */
function diskMib(folder: string): number {
  return (
    readdirSync(folder).reduce(
      (sum, name) => sum + (statSync(join(folder, name), { throwIfNoEntry: false })?.size ?? 0),
      0,
    ) / MIB
  );
}

/** What is done beside blocks, each against the time that a commit takes alone. */
async function run(): Promise<Sample> {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-bench-upkeep-'));
  const rangeReader = createRangeReader();
  const kv = await openLevelKv({ path: join(folder, 'state'), cacheBytes: 64 * MIB }, { rangeReader });
  try {
    const pruning = { kind: 'custom', keepRecent: 10n, interval: 10n } as const;
    const state = MultiStore.open(kv, ['bench'], { pruning });
    const store = state.workingBranch().store('bench');
    const load = overwrites(keys, Number.MAX_SAFE_INTEGER);
    const commit = async (writes: readonly Write[] = load.next().value ?? []): Promise<number> => {
      const began = performance.now();
      for (const [key, value] of writes) store.set(key, value);
      await state.commit();
      return ms(began);
    };
    const commits = async (count: number): Promise<number[]> => {
      const times = [];
      for (let i = 0; i < count; i++) times.push(await commit());
      return times;
    };
    for (const writes of insertions(keys)) await commit(writes);
    await commits(unprunedVersions - 3 * versionsBeside);
    const commitsAlone = await commits(versionsBeside);

    // A reader that keeps to an old version, and lets others have their turn every hundred entries.
    const lease = state.lease((state.lastCommit?.version ?? 0n) - BigInt(versionsBeside));
    if (!lease.ok) throw new Error(lease.error);
    let read = 0;
    let reading = true;
    const reader = (async () => {
      for (const _ of lease.value.view.store('bench').entries({})) {
        if (++read % 100 === 0) await turn();
        if (!reading) break;
      }
    })();
    const besideReader = await commits(versionsBeside);
    reading = false;
    await reader;
    lease.value.release();

    const source = state.snapshotSource(state.lastCommit?.version ?? 0n);
    if (!source.ok) throw new Error(source.error);
    let [longestSlice, sliceBegan] = [0, computed()];
    const slice = async (): Promise<void> => {
      longestSlice = Math.max(longestSlice, computed() - sliceBegan);
      await turn();
      sliceBegan = computed();
    };
    const exported = exportSnapshot(source.value, slice, { pause: slice });
    const besideExport = await commits(versionsBeside);
    const manifest = await exported;
    if (!manifest.ok) throw new Error(manifest.error);
    const beforePruning = diskMib(join(folder, 'state'));

    const steps: number[] = [];
    let freed = 0;
    const prune = async (): Promise<void> => {
      for (let done = false; !done; ) {
        const began = computed();
        const outcome = await state.pruneStep();
        steps.push(computed() - began);
        done = outcome.done;
        freed += outcome.freed;
      }
    };
    await prune();
    const besidePruning: number[] = [];
    for (let i = 0; i < prunedVersions; i++) {
      besidePruning.push(await commit());
      await prune();
    }
    return {
      'commit alone': median(commitsAlone),
      'commit beside a reader of an old version': median(besideReader),
      'entries read meanwhile, each commit': read / versionsBeside,
      'commit beside a snapshot': median(besideExport),
      'longest stop of the snapshot, computing': longestSlice,
      'commit between steps of pruning': median(besidePruning),
      'step of pruning, computing': median(steps),
      'longest step of pruning, computing': Math.max(...steps),
      'records freed by a step': freed / steps.length,
      'disk before pruning': beforePruning,
      'disk after pruning for as long again': diskMib(join(folder, 'state')),
    };
  } finally {
    await kv.close();
    await rangeReader.close();
    rmSync(folder, { recursive: true });
  }
}

const metric = (name: string, unit: string, better: 'higher' | 'lower') => ({ name, unit, better });

export const stateUpkeep: Entry = {
  name: 'state-upkeep',
  description: `readers, snapshots and pruning beside commits of ${STATE_LOAD.updatesPerVersion} overwrites each, ${keys} keys`,
  metrics: [
    metric('commit alone', 'ms', 'lower'),
    metric('commit beside a reader of an old version', 'ms', 'lower'),
    metric('entries read meanwhile, each commit', '1', 'higher'),
    metric('commit beside a snapshot', 'ms', 'lower'),
    metric('longest stop of the snapshot, computing', 'ms', 'lower'),
    metric('commit between steps of pruning', 'ms', 'lower'),
    metric('step of pruning, computing', 'ms', 'lower'),
    metric('longest step of pruning, computing', 'ms', 'lower'),
    metric('records freed by a step', '1', 'higher'),
    metric('disk before pruning', 'MiB', 'lower'),
    metric('disk after pruning for as long again', 'MiB', 'lower'),
  ],
  runs: 1,
  run,
};
