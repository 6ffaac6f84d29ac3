import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromHex, toHex } from '#core/bytes.ts';
import { openLevelKv } from '#node/storage/level-kv.ts';
import { createRangeReader } from '#node/storage/range-reader.ts';
import { multistoreHash } from '#runtime/state/commit-info.ts';
import { MultiStore } from '#runtime/state/multistore.ts';
import { insertions, keyAt, overwrites, STATE_LOAD } from '#test/support/state-load.ts';
import type { Entry, Sample } from './harness.ts';

/**
 * Ascending, so that the resident memory read at the end of each is its own. `goRoot` is what Go's IAVL v1.2.2 ends at:
 * `go run . KEYS 45` in test/vectors/iavl-reference.
 */
const SIZES = [
  { keys: 100_000, label: '100k', goRoot: 'eb6e75191df2a72f9be36f5dbe84fbc6299fba1a62c946763f3596dcdcaa065c' },
  { keys: 300_000, label: '300k', goRoot: '3e07f45880a13c0cfaf26b48dbdb0ff2561d40d9f917d0fc0e90b6085f302b4e' },
  { keys: 1_000_000, label: '1M', goRoot: 'b56ff78a03d6a8f2739b18d29ea2fbf70047b523ebdbfa3d2bd5f6706bee838b' },
] as const;
const warmVersions = 5;
const measuredVersions = 40;
const MIB = 1 << 20;

interface Figures {
  readonly updatesPerSecond: number;
  /** By processor time of all threads, LevelDB's included: what a busy machine leaves comparable. */
  readonly updatesPerCpuSecond: number;
  /** The process, at the end. */
  readonly residentMib: number;
  /** Opening the database and the store, and one read. */
  readonly openMs: number;
}

async function measure(keys: number, goRoot: string): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-bench-state-'));
  const rangeReader = createRangeReader();
  const open = () => openLevelKv({ path: join(folder, 'state'), cacheBytes: 64 * MIB }, { rangeReader });
  let kv = await open();
  try {
    const state = MultiStore.open(kv, ['bench']);
    const store = state.workingBranch().store('bench');
    for (const writes of insertions(keys)) {
      for (const [key, value] of writes) store.set(key, value);
      await state.commit();
    }
    let elapsedMs = 0;
    let cpuMicros = 0;
    let version = 0;
    for (const writes of overwrites(keys, warmVersions + measuredVersions)) {
      version++;
      const [began, cpuBegan] = [performance.now(), process.cpuUsage()];
      for (const [key, value] of writes) store.set(key, value);
      await state.commit();
      const { user, system } = process.cpuUsage(cpuBegan);
      if (version <= warmVersions) continue;
      elapsedMs += performance.now() - began;
      cpuMicros += user + system;
    }
    const expected = toHex(multistoreHash(new Map([['bench', fromHex(goRoot)]])));
    const appHash = toHex(state.lastCommit?.appHash ?? new Uint8Array(0));
    if (appHash !== expected) throw new Error(`app hash ${appHash}: expected ${expected}, by the root of Go's IAVL`);
    const residentMib = process.memoryUsage.rss() / MIB;
    await kv.close();
    const opening = performance.now();
    kv = await open();
    if (MultiStore.open(kv, ['bench']).latest().store('bench').get(keyAt(0)) === undefined)
      throw new Error('the first key is missing after opening again');
    const openMs = performance.now() - opening;
    const updates = measuredVersions * STATE_LOAD.updatesPerVersion;
    return {
      updatesPerSecond: (updates * 1000) / elapsedMs,
      updatesPerCpuSecond: (updates * 1_000_000) / cpuMicros,
      residentMib,
      openMs,
    };
  } finally {
    await kv.close();
    await rangeReader.close();
    rmSync(folder, { recursive: true });
  }
}

async function run(): Promise<Sample> {
  const sample: Record<string, number> = {};
  for (const { keys, label, goRoot } of SIZES) {
    const { updatesPerSecond, updatesPerCpuSecond, residentMib, openMs } = await measure(keys, goRoot);
    sample[`updates per second, ${label} keys`] = updatesPerSecond;
    sample[`updates per processor second, ${label} keys`] = updatesPerCpuSecond;
    sample[`resident, ${label} keys`] = residentMib;
    sample[`open, ${label} keys`] = openMs;
  }
  return sample;
}

/** Go's IAVL on goleveldb under this load, measured on two shared cores: 11.0k/s at 100k keys, 13.5k at 300k, 1.46k at 1M. */
export const stateUpdates: Entry = {
  name: 'state-updates',
  description: `uniform overwrites of 32-byte keys with ${STATE_LOAD.valueBytes}-byte values, ${STATE_LOAD.updatesPerVersion} a version, each version one synced LevelDB batch`,
  metrics: SIZES.flatMap(({ label }) => [
    { name: `updates per second, ${label} keys`, unit: '1/s', better: 'higher' as const },
    { name: `updates per processor second, ${label} keys`, unit: '1/s', better: 'higher' as const },
    { name: `resident, ${label} keys`, unit: 'MiB', better: 'lower' as const },
    { name: `open, ${label} keys`, unit: 'ms', better: 'lower' as const },
  ]),
  runs: 1,
  run,
};
