import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex, utf8 } from '#core/bytes.ts';
import { decodeCommitmentProof } from '#core/ics23/codec.ts';
import { iavlSpec } from '#core/ics23/specs.ts';
import { verifyMembership, verifyNonMembership } from '#core/ics23/verify.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { KEY_KIND } from './db-keys.ts';
import { MultiStore } from './multistore.ts';
import { checkPolicy, leastKept, type PruningPolicy } from './pruning.ts';
import { keysOf, leftovers } from './records.test-util.ts';
import { lastVersionIn, rollbackState } from './rollback.ts';
import type { StateLease } from './state-store.ts';
import { PrunedVersionError } from './view.ts';

const NAMES = ['bank', 'poi'];

/**
 * Loses power at one write: before it, or after it but before anybody hears of it. An unsynced write could be lost though
 * a later one is not, so there is none.
 */
class CrashingKv implements Kv {
  readonly inner = new MemoryKv();
  crash: { after: number; applied: boolean } | undefined;
  get = (key: Uint8Array) => this.inner.get(key);
  entries = (range: object) => this.inner.entries(range);
  close = () => this.inner.close();
  async write(ops: readonly KvOp[], options?: { readonly sync?: boolean }): Promise<void> {
    if (options?.sync !== true) throw new Error('an unsynced write');
    const now = this.crash !== undefined && this.crash.after-- === 0 ? this.crash : undefined;
    if (now === undefined || now.applied) await this.inner.write(ops);
    if (now !== undefined) throw new Error('power lost');
  }
}

type Write = { readonly store: string; readonly key: Uint8Array; readonly value: number | null };
type Action =
  | { readonly kind: 'commit'; readonly blocks: readonly (readonly Write[])[] }
  | { readonly kind: 'prune'; readonly budget: number; readonly steps: number }
  | { readonly kind: 'crash'; readonly after: number; readonly applied: boolean }
  | { readonly kind: 'reopen' }
  | { readonly kind: 'lease'; readonly back: number }
  | { readonly kind: 'release' }
  | { readonly kind: 'rollback'; readonly back: number };

const write: fc.Arbitrary<Write> = fc.record({
  store: fc.constantFrom(...NAMES),
  key: fc.uint8Array({ minLength: 1, maxLength: 2, max: 9 }),
  value: fc.option(fc.nat(250), { freq: 3 }),
});
const blocks = fc.array(fc.array(write, { maxLength: 12 }), { minLength: 1, maxLength: 9 });
const action: fc.Arbitrary<Action> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ kind: fc.constant('commit' as const), blocks }) },
  {
    weight: 5,
    arbitrary: fc.record({
      kind: fc.constant('prune' as const),
      budget: fc.integer({ min: 1, max: 40 }),
      steps: fc.integer({ min: 1, max: 12 }),
    }),
  },
  {
    weight: 2,
    arbitrary: fc.record({ kind: fc.constant('crash' as const), after: fc.nat(3), applied: fc.boolean() }),
  },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('reopen' as const) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('lease' as const), back: fc.nat(12) }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constant('release' as const) }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('rollback' as const), back: fc.integer({ min: 1, max: 3 }) }) },
);
const policy: fc.Arbitrary<PruningPolicy> = fc.oneof(
  fc.constant<PruningPolicy>({ kind: 'everything' }),
  fc.constant<PruningPolicy>({ kind: 'nothing' }),
  fc.record({ kind: fc.constant('custom' as const), keepRecent: fc.bigInt(2n, 14n), interval: fc.bigInt(10n, 13n) }),
);

type Contents = ReadonlyMap<string, ReadonlyMap<string, string>>;

/** A store under test beside all that it ever held. */
class Trial {
  readonly kv = new CrashingKv();
  readonly #policy: PruningPolicy;
  store: MultiStore;
  readonly history = new Map<bigint, { contents: Contents; appHash: string }>();
  readonly leases: StateLease[] = [];

  constructor(pruning: PruningPolicy) {
    this.#policy = pruning;
    this.store = this.open();
  }

  open(): MultiStore {
    this.kv.crash = undefined;
    this.leases.length = 0;
    this.store = MultiStore.open(this.kv, NAMES, { nodeCacheBytes: 8000, pruning: this.#policy });
    return this.store;
  }

  async commit(writes: readonly Write[]): Promise<void> {
    const last = this.store.lastCommit?.version ?? 0n;
    const contents = new Map(NAMES.map((name) => [name, new Map(this.history.get(last)?.contents.get(name) ?? [])]));
    for (const { store, key, value } of writes) {
      const working = this.store.workingBranch().store(store);
      if (value === null) {
        working.delete(key);
        contents.get(store)?.delete(toHex(key));
      } else {
        working.set(key, Uint8Array.of(value, 1));
        contents.get(store)?.set(toHex(key), toHex(Uint8Array.of(value, 1)));
      }
    }
    this.history.set(last + 1n, { contents, appHash: toHex(this.store.workingHash()) });
    await this.store.commit();
  }

  async run(step: Action): Promise<void> {
    const { store } = this;
    const last = store.lastCommit?.version ?? 0n;
    switch (step.kind) {
      case 'commit':
        for (const writes of step.blocks) await this.commit(writes);
        return;
      case 'prune':
        for (let i = 0; i < step.steps; i++) if ((await store.pruneStep(step.budget)).done) return;
        return;
      case 'crash':
        this.kv.crash = { after: step.after, applied: step.applied };
        return;
      case 'reopen':
        this.open();
        return;
      case 'lease': {
        const lease = store.lease(last - BigInt(step.back));
        if (lease.ok) this.leases.push(lease.value);
        return;
      }
      case 'release':
        this.leases.shift()?.release();
        return;
      case 'rollback':
        await this.rollback(last - BigInt(step.back));
    }
  }

  /** As whoever has closed the store does it. What is not kept is refused, and nothing happens. */
  async rollback(version: bigint): Promise<void> {
    const isKept = this.store.lastCommit !== undefined && version >= this.store.firstVersion;
    const before = this.kv.inner.dump();
    const done = await rollbackState(this.kv, version);
    expect(done.ok).toBe(isKept);
    if (!done.ok) {
      expect(this.kv.inner.dump()).toEqual(before);
      return;
    }
    expect(toHex(done.value.appHash)).toBe(this.history.get(version)?.appHash);
    expect(lastVersionIn(this.kv)).toBe(version);
    this.open();
  }

  /** What is kept answers and proves as it did; what is not is refused. */
  check(): void {
    const { store } = this;
    const last = store.lastCommit;
    if (last === undefined) return;
    expect(toHex(last.appHash)).toBe(this.history.get(last.version)?.appHash);
    const { extra, missing } = leftovers(this.kv.inner, store.firstVersion, last.version);
    expect(missing).toEqual([]);
    for (const { version, view } of this.leases) expect(contentsOf(view)).toEqual(this.expected(version));
    for (let version = store.firstVersion - 2n; version <= last.version; version++) {
      const view = store.viewAt(version);
      if (version < store.firstVersion) {
        expect(view).toBeUndefined();
        const refused = store.proveAt(version, 'bank', Uint8Array.of(1));
        expect(refused).toEqual({ ok: false, error: `version ${version} is not kept` });
        continue;
      }
      if (view === undefined) throw new Error(`version ${version} is gone`);
      expect(contentsOf(view)).toEqual(this.expected(version));
      proves(store, version, this.history.get(version)?.contents.get('bank') ?? new Map());
    }
    if (this.#policy.kind === 'nothing') expect({ extra, first: store.firstVersion }).toEqual({ extra: [], first: 1n });
  }

  expected(version: bigint) {
    return NAMES.map((name) =>
      [...(this.history.get(version)?.contents.get(name) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)),
    );
  }
}

function contentsOf(view: StateLease['view']) {
  return NAMES.map((name) => [...view.store(name).entries({})].map(([key, value]) => [toHex(key), toHex(value)]));
}

function proves(store: MultiStore, version: bigint, bank: ReadonlyMap<string, string>): void {
  for (const key of [Uint8Array.of(Number(version % 10n)), Uint8Array.of(4, Number(version % 10n))]) {
    const proven = store.proveAt(version, 'bank', key);
    if (!proven.ok) {
      expect(bank.size).toBe(0);
      continue;
    }
    const { value, commitmentProofs } = proven.value;
    expect(value === undefined ? undefined : toHex(value)).toBe(bank.get(toHex(key)));
    const [inStore, inApp] = commitmentProofs.map((bytes) => decodeCommitmentProof(bytes));
    if (!inStore?.ok || !inApp?.ok || inApp.value.kind !== 'exist') throw new Error('a proof does not decode');
    const root = inApp.value.exist.value;
    const verdict =
      value === undefined
        ? verifyNonMembership(iavlSpec, inStore.value, root, key)
        : verifyMembership(iavlSpec, inStore.value, root, key, value);
    expect(verdict.ok).toBe(true);
  }
}

test('after any commits, prunes, leases, crashes, reopenings and rollbacks, what is kept answers and proves, and no record is left over', async () => {
  await fc.assert(
    fc.asyncProperty(policy, fc.array(action, { minLength: 4, maxLength: 14 }), async (pruning, actions) => {
      const trial = new Trial(pruning);
      for (const step of actions) {
        try {
          await trial.run(step);
        } catch (error) {
          if (!(error instanceof Error) || error.message !== 'power lost') throw error;
          trial.open();
        }
        trial.check();
      }
      const { store, kv } = trial;
      for (const lease of trial.leases.splice(0)) lease.release();
      kv.crash = undefined;
      while (!(await store.pruneStep(7)).done);
      trial.check();
      if (store.lastCommit === undefined) return;
      const { version } = store.lastCommit;
      expect(leftovers(kv.inner, store.firstVersion, version)).toEqual({ missing: [], extra: [] });
      const least = leastKept(pruning, version);
      expect(store.firstVersion >= least).toBe(true);
      expect(store.viewAt(version)).toBeDefined();
    }),
    { numRuns: 60 },
  );
});

async function grown(versions: number, pruning: PruningPolicy) {
  const trial = new Trial(pruning);
  for (let v = 0; v < versions; v++)
    await trial.commit([
      { store: 'bank', key: Uint8Array.of(v % 50), value: v },
      { store: 'bank', key: Uint8Array.of((v * 7) % 50), value: v },
    ]);
  return trial;
}

test('a step does no more than its budget, and each frees something', async () => {
  const { store, kv } = await grown(40, { kind: 'everything' });
  const records = () => kv.inner.size;
  let before = records();
  for (let steps = 0; ; steps++) {
    const sizes: number[] = [];
    const { write } = kv;
    kv.write = (ops, options) => {
      sizes.push(ops.length);
      return write.call(kv, ops, options);
    };
    const { done } = await store.pruneStep(5);
    kv.write = write;
    expect(Math.max(0, ...sizes)).toBeLessThanOrEqual(5 + 3);
    expect(records()).toBeLessThanOrEqual(before + 1);
    before = records();
    if (done) {
      expect(steps).toBeGreaterThan(10);
      break;
    }
  }
  expect(store.firstVersion).toBe(39n);
  expect(await store.pruneStep(5)).toEqual({ freed: 0, done: true });
});

test('what is kept stays bounded under everlasting overwrites', async () => {
  const trial = await grown(60, { kind: 'everything' });
  const sizes: number[] = [];
  for (let round = 0; round < 12; round++) {
    for (let v = 0; v < 10; v++) {
      await trial.commit([{ store: 'bank', key: Uint8Array.of((round * 11 + v * 3) % 50), value: v }]);
      await trial.store.pruneStep(50);
    }
    while (!(await trial.store.pruneStep(50)).done);
    sizes.push(keysOf(trial.kv.inner, KEY_KIND.node).length);
  }
  expect(Math.max(...sizes.slice(3))).toBeLessThanOrEqual(Math.max(...sizes.slice(0, 3)) + 20);
});

test('a reader of a version that goes gets an error that says so; a lease keeps it', async () => {
  const { store } = await grown(30, { kind: 'everything' });
  const [held, leased] = [store.viewAt(3n), store.lease(7n)];
  if (held === undefined || !leased.ok) throw new Error('versions 3 and 7 should be there');
  const reading = held.store('bank').entries({})[Symbol.iterator]();
  expect(reading.next().done).toBe(false);
  while (!(await store.pruneStep(20)).done);
  expect(store.firstVersion).toBe(7n);
  const refusal = 'version 3 was pruned; the first that is kept is 7';
  expect(() => reading.next()).toThrow(PrunedVersionError);
  expect(() => held.store('bank').get(Uint8Array.of(1))).toThrow(refusal);
  expect(() => held.store('bank').has(Uint8Array.of(1))).toThrow(refusal);
  expect(() => [...held.store('bank').entries({})]).toThrow(refusal);
  expect([...leased.value.view.store('bank').entries({})].length).toBeGreaterThan(5);
  expect(store.lease(3n)).toEqual({ ok: false, error: 'version 3 is not kept' });
  leased.value.release();
  while (!(await store.pruneStep(20)).done);
  expect(store.firstVersion).toBe(29n);
  expect(() => leased.value.view.store('bank').get(utf8('a'))).toThrow(PrunedVersionError);
});

test('after a write of pruning that failed nothing is pruned until the database is opened again', async () => {
  for (const applied of [false, true]) {
    const trial = await grown(30, { kind: 'everything' });
    trial.kv.crash = { after: 2, applied };
    await expect(async () => {
      while (!(await trial.store.pruneStep(10)).done);
    }).rejects.toThrow('power lost');
    const before = trial.kv.inner.dump();
    expect(await trial.store.pruneStep(10)).toEqual({ freed: 0, done: false });
    expect(trial.kv.inner.dump()).toEqual(before);
    const store = trial.open();
    while (!(await store.pruneStep(10)).done);
    expect(leftovers(trial.kv.inner, 29n, 30n)).toEqual({ missing: [], extra: [] });
  }
});

test('a version is refused from the moment that it begins to go, and commits go on meanwhile', async () => {
  const trial = await grown(30, { kind: 'everything' });
  const step = trial.store.pruneStep(10_000);
  expect(trial.store.viewAt(5n)).toBeUndefined();
  expect(await trial.store.pruneStep(10)).toEqual({ freed: 0, done: false });
  await trial.commit([{ store: 'bank', key: Uint8Array.of(200), value: 1 }]);
  expect((await step).done).toBe(true);
  trial.check();
  expect(leftovers(trial.kv.inner, 29n, 31n)).toEqual({ missing: [], extra: [] });
});

test.each<[string, bigint, bigint, PruningPolicy]>([
  ['default', 362_890n, 11n, { kind: 'default' }],
  ['default', 362_889n, 1n, { kind: 'default' }],
  ['everything', 39n, 29n, { kind: 'everything' }],
  ['everything', 40n, 39n, { kind: 'everything' }],
  ['nothing', 10_000_000n, 0n, { kind: 'nothing' }],
  ['custom', 240n, 139n, { kind: 'custom', keepRecent: 100n, interval: 17n }],
])('%s at version %s keeps from %s on', (_, last, least, pruning) => {
  expect(leastKept(pruning, last)).toBe(least);
});

test('custom policies have the bounds of the Cosmos SDK', () => {
  const custom = (keepRecent: bigint, interval: bigint) => checkPolicy({ kind: 'custom', keepRecent, interval });
  expect(custom(2n, 10n).ok).toBe(true);
  expect(custom(1n, 10n)).toEqual({ ok: false, error: 'pruning-keep-recent: expected at least 2, got 1' });
  expect(custom(2n, 9n)).toEqual({ ok: false, error: 'pruning-interval: expected at least 10, got 9' });
  const bad = { pruning: { kind: 'custom', keepRecent: 1n, interval: 10n } } as const;
  expect(() => MultiStore.open(new MemoryKv(), NAMES, bad)).toThrow('pruning-keep-recent');
});

test('a version that was taken back and is made again has the same records, and what was pruned is not come back to', async () => {
  const trial = await grown(40, { kind: 'custom', keepRecent: 3n, interval: 10n });
  while (!(await trial.store.pruneStep(50)).done);
  const [before, records] = [trial.store.lastCommit, trial.kv.inner.dump()];
  await trial.rollback(39n);
  expect(trial.store.lastCommit?.version).toBe(39n);
  await trial.commit([
    { store: 'bank', key: Uint8Array.of(39), value: 39 },
    { store: 'bank', key: Uint8Array.of((39 * 7) % 50), value: 39 },
  ]);
  expect([trial.store.lastCommit, trial.kv.inner.dump()]).toEqual([before, records]);
  expect(await rollbackState(trial.kv, 37n)).toEqual({
    ok: false,
    error: 'the state after block 37 is not kept: the first that is kept is that after block 38',
  });
});
