import { createHash } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { u32be } from '#core/bytes.ts';
import { openLevelKv } from '#node/storage/level-kv.ts';
import { createRangeReader } from '#node/storage/range-reader.ts';
import { MultiStore } from '#runtime/state/multistore.ts';
import type { Entry, Sample } from './harness.ts';

/** Ascending, so that the resident memory read at the end of each is its own. */
const SIZES = [
  { keys: 100_000, label: '100k' },
  { keys: 300_000, label: '300k' },
  { keys: 1_000_000, label: '1M' },
] as const;
const updatesPerVersion = 1000;
const insertsPerVersion = 20_000;
const warmVersions = 5;
const measuredVersions = 40;
const valueBytes = 100;
const MIB = 1 << 20;

function digest(kind: number, a: number, b: number): Uint8Array {
  return new Uint8Array(createHash('sha256').update(Uint8Array.of(kind)).update(u32be(a)).update(u32be(b)).digest());
}

function valueAt(version: number, n: number): Uint8Array {
  const value = new Uint8Array(valueBytes);
  value.set(digest(1, version, n));
  return value;
}

interface Figures {
  readonly updatesPerSecond: number;
  /** By processor time of all threads, LevelDB's included: what a busy machine leaves comparable. */
  readonly updatesPerCpuSecond: number;
  /** The process, at the end. */
  readonly residentMib: number;
  /** Opening the database and the store, and one read. */
  readonly openMs: number;
}

async function measure(keys: number): Promise<Figures> {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-bench-state-'));
  const rangeReader = createRangeReader();
  const open = () => openLevelKv({ path: join(folder, 'state'), cacheBytes: 64 * MIB }, { rangeReader });
  let kv = await open();
  try {
    const state = MultiStore.open(kv, ['bench']);
    const store = state.workingBranch().store('bench');
    for (let n = 0; n < keys; n++) {
      store.set(digest(0, n, 0), valueAt(0, n));
      if (n % insertsPerVersion === insertsPerVersion - 1) await state.commit();
    }
    let random = 1;
    let elapsedMs = 0;
    let cpuMicros = 0;
    for (let version = 1; version <= warmVersions + measuredVersions; version++) {
      const writes = Array.from({ length: updatesPerVersion }, (_, n) => {
        random = (Math.imul(random, 1_103_515_245) + 12_345) >>> 0;
        // The low bits of such a generator repeat: they must not choose the key.
        const key = Math.floor((random / 0x1_0000_0000) * keys);
        return [digest(0, key, 0), valueAt(version, n)] as const;
      });
      const [began, cpuBegan] = [performance.now(), process.cpuUsage()];
      for (const [key, value] of writes) store.set(key, value);
      await state.commit();
      const { user, system } = process.cpuUsage(cpuBegan);
      if (version <= warmVersions) continue;
      elapsedMs += performance.now() - began;
      cpuMicros += user + system;
    }
    const residentMib = process.memoryUsage.rss() / MIB;
    await kv.close();
    const opening = performance.now();
    kv = await open();
    if (
      MultiStore.open(kv, ['bench'])
        .latest()
        .store('bench')
        .get(digest(0, 0, 0)) === undefined
    )
      throw new Error('the first key is missing after opening again');
    const openMs = performance.now() - opening;
    const updates = measuredVersions * updatesPerVersion;
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
  for (const { keys, label } of SIZES) {
    const { updatesPerSecond, updatesPerCpuSecond, residentMib, openMs } = await measure(keys);
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
  description: `uniform overwrites of 32-byte keys with ${valueBytes}-byte values, ${updatesPerVersion} a version, each version one synced LevelDB batch`,
  metrics: SIZES.flatMap(({ label }) => [
    { name: `updates per second, ${label} keys`, unit: '1/s', better: 'higher' as const },
    { name: `updates per processor second, ${label} keys`, unit: '1/s', better: 'higher' as const },
    { name: `resident, ${label} keys`, unit: 'MiB', better: 'lower' as const },
    { name: `open, ${label} keys`, unit: 'ms', better: 'lower' as const },
  ]),
  runs: 1,
  run,
};
