import {
  ics23,
  iavlSpec as theirIavl,
  verifyMembership as theirMembership,
  verifyNonMembership as theirNonMembership,
  tendermintSpec as theirTendermint,
} from '@confio/ics23';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex, utf8 } from '#core/bytes.ts';
import { decodeCommitmentProof } from '#core/ics23/codec.ts';
import { iavlSpec, tendermintSpec } from '#core/ics23/specs.ts';
import { verifyMembership, verifyNonMembership } from '#core/ics23/verify.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { STATE_LIMITS } from '../limits.ts';
import { multistoreHash } from './commit-info.ts';
import { commitKey, KEY_KIND } from './db-keys.ts';
import { MultiStore } from './multistore.ts';

const NAMES = ['bank', 'auth', 'poi'];

interface Write {
  readonly store: string;
  readonly key: Uint8Array;
  /** Null deletes. */
  readonly value: Uint8Array | null;
}

const write: fc.Arbitrary<Write> = fc.record({
  store: fc.constantFrom(...NAMES),
  key: fc.uint8Array({ minLength: 1, maxLength: 2, max: 7 }),
  value: fc.option(fc.uint8Array({ minLength: 1, maxLength: 40 }), { freq: 3 }),
});
const versions = fc.array(fc.array(write, { maxLength: 25 }), { minLength: 1, maxLength: 8 });

type Model = Map<string, Map<string, string>>;

function apply(store: MultiStore, model: Model, writes: readonly Write[]): void {
  const block = store.workingBranch().branch();
  for (const { store: name, key, value } of writes) {
    if (value === null) block.store(name).delete(key);
    else block.store(name).set(key, value);
    const inModel = model.get(name) ?? new Map<string, string>();
    model.set(name, inModel);
    if (value === null) inModel.delete(toHex(key));
    else inModel.set(toHex(key), toHex(value));
  }
  block.write();
}

const copy = (model: Model): Model => new Map([...model].map(([name, entries]) => [name, new Map(entries)]));

function contents(view: {
  store(name: string): { entries(range: object): Iterable<readonly [Uint8Array, Uint8Array]> };
}) {
  return NAMES.map((name) => [...view.store(name).entries({})].map(([k, v]) => [toHex(k), toHex(v)]));
}

function contentsOf(model: Model) {
  return NAMES.map((name) => [...(model.get(name) ?? [])].sort(([a], [b]) => (a < b ? -1 : 1)));
}

test('every version stays readable as it was, across restarts, with a cache too small to hold it', async () => {
  await fc.assert(
    fc.asyncProperty(versions, fc.array(fc.boolean()), async (blocks, restarts) => {
      const kv = new MemoryKv();
      const open = () => MultiStore.open(kv, NAMES, { nodeCacheBytes: 5000 });
      let store = open();
      const model: Model = new Map();
      const history: { model: Model; hash: string }[] = [];
      for (const [i, writes] of blocks.entries()) {
        apply(store, model, writes);
        expect(contents(store.workingBranch())).toEqual(contentsOf(model));
        const announced = toHex(store.workingHash());
        const { version, appHash } = await store.commit();
        expect(version).toBe(BigInt(i + 1));
        expect(toHex(appHash)).toBe(announced);
        history.push({ model: copy(model), hash: announced });
        if (restarts[i]) {
          store = open();
          expect(store.lastCommit).toEqual({ version, appHash });
        }
      }
      store = open();
      for (const [i, past] of history.entries()) {
        const view = store.viewAt(BigInt(i + 1));
        if (view === undefined) throw new Error(`version ${i + 1} is gone`);
        expect(contents(view)).toEqual(contentsOf(past.model));
      }
      expect(store.viewAt(BigInt(history.length + 1))).toBeUndefined();
      expect(store.viewAt(0n)).toBeUndefined();
    }),
    { numRuns: 60 },
  );
});

/** A proof of our store as both verifiers see it: ours and @confio/ics23. */
function verdicts(
  proof: readonly [Uint8Array, Uint8Array],
  appHash: Uint8Array,
  name: string,
  key: Uint8Array,
  value: Uint8Array | undefined,
) {
  const [inStore, inApp] = proof.map((bytes) => decodeCommitmentProof(bytes));
  if (!inStore?.ok || !inApp?.ok || inApp.value.kind !== 'exist') return { ours: false, theirs: undefined };
  const root = inApp.value.exist.value;
  const ours =
    verifyMembership(tendermintSpec, inApp.value, appHash, utf8(name), root).ok &&
    (value === undefined
      ? verifyNonMembership(iavlSpec, inStore.value, root, key).ok
      : verifyMembership(iavlSpec, inStore.value, root, key, value).ok);
  const [theirStore, theirApp] = proof.map((bytes) => ics23.CommitmentProof.decode(bytes)) as [
    ics23.CommitmentProof,
    ics23.CommitmentProof,
  ];
  const theirs =
    theirMembership(theirApp, theirTendermint, appHash, utf8(name), root) &&
    (value === undefined
      ? theirNonMembership(theirStore, theirIavl, root, key)
      : theirMembership(theirStore, theirIavl, root, key, value));
  return { ours, theirs };
}

test('after a restart at any version, present and absent keys prove to us and to @confio/ics23, mutated proofs never', async () => {
  const probes = fc.array(fc.tuple(fc.constantFrom(...NAMES), fc.uint8Array({ minLength: 1, maxLength: 3, max: 8 })), {
    minLength: 5,
    maxLength: 15,
  });
  await fc.assert(
    fc.asyncProperty(versions, fc.nat(), probes, fc.nat(), async (blocks, pick, keys, flip) => {
      const kv = new MemoryKv();
      const writer = MultiStore.open(kv, NAMES);
      const model: Model = new Map();
      const history: { model: Model; appHash: Uint8Array }[] = [];
      for (const writes of blocks) {
        apply(writer, model, writes);
        history.push({ appHash: (await writer.commit()).appHash, model: copy(model) });
      }
      const store = MultiStore.open(kv, NAMES);
      const at = pick % history.length;
      const { model: past, appHash } = history[at] as { model: Model; appHash: Uint8Array };
      for (const [name, key] of keys) {
        const proven = store.proveAt(BigInt(at + 1), name, key);
        const entries = past.get(name) ?? new Map<string, string>();
        if (entries.size === 0) {
          expect(proven.ok).toBe(false);
          continue;
        }
        if (!proven.ok) throw new Error(proven.error);
        const { value, commitmentProofs } = proven.value;
        expect(value === undefined ? undefined : toHex(value)).toBe(entries.get(toHex(key)));
        expect(verdicts(commitmentProofs, appHash, name, key, value)).toEqual({ ours: true, theirs: true });
        const [inStore, inApp] = commitmentProofs;
        const lie = value === undefined ? Uint8Array.of(1) : undefined;
        expect(verdicts(commitmentProofs, appHash, name, key, lie).ours).toBe(false);
        const decoded = decodeCommitmentProof(inStore);
        const own = decoded.ok && decoded.value.kind === 'nonexist' ? decoded.value.nonexist.key : undefined;
        const ownStart = own === undefined ? -1 : own.byteOffset - inStore.byteOffset;
        const where = flip % inStore.length;
        const inOwnKey = own !== undefined && where >= ownStart && where < ownStart + own.length;
        const mutated = flipped(inStore, flip);
        expect(oursOnly([mutated, inApp], appHash, name, key, value)).toBe(inOwnKey);
        expect(oursOnly([inStore, flipped(inApp, flip)], appHash, name, key, value)).toBe(false);
      }
    }),
    { numRuns: 60 },
  );
});

function flipped(bytes: Uint8Array, at: number): Uint8Array {
  const out = bytes.slice();
  out[at % out.length] = (out[at % out.length] as number) ^ (1 << ((at >> 8) & 7));
  return out;
}

function oursOnly(
  proof: readonly [Uint8Array, Uint8Array],
  appHash: Uint8Array,
  name: string,
  key: Uint8Array,
  value: Uint8Array | undefined,
): boolean {
  const [inStore, inApp] = proof.map((bytes) => decodeCommitmentProof(bytes));
  if (!inStore?.ok || !inApp?.ok || inApp.value.kind !== 'exist') return false;
  const root = inApp.value.exist.value;
  return (
    verifyMembership(tendermintSpec, inApp.value, appHash, utf8(name), root).ok &&
    (value === undefined
      ? verifyNonMembership(iavlSpec, inStore.value, root, key).ok
      : verifyMembership(iavlSpec, inStore.value, root, key, value).ok)
  );
}

test('the app hash depends on the net change of a block, not on its order', async () => {
  await fc.assert(
    fc.asyncProperty(versions, async (blocks) => {
      const [a, b] = [MultiStore.open(new MemoryKv(), NAMES), MultiStore.open(new MemoryKv(), [...NAMES].reverse())];
      for (const writes of blocks) {
        apply(a, new Map(), writes);
        const net = new Map(writes.map((each) => [`${each.store}/${toHex(each.key)}`, each]));
        apply(b, new Map(), [...net.values()].reverse());
        expect((await a.commit()).appHash).toEqual((await b.commit()).appHash);
      }
    }),
    { numRuns: 40 },
  );
});

test('asking for the hash, or rolling back, leaves no trace in what is committed', async () => {
  const [asked, quiet] = [new MemoryKv(), new MemoryKv()];
  const [a, b] = [MultiStore.open(asked, NAMES), MultiStore.open(quiet, NAMES)];
  for (let v = 1; v <= 4; v++) {
    a.workingBranch()
      .store('bank')
      .set(utf8(`dropped${v}`), Uint8Array.of(v));
    a.workingBranch().store('auth').set(utf8('dropped too'), Uint8Array.of(v));
    a.workingHash();
    a.rollback();
    for (const store of [a, b]) {
      store
        .workingBranch()
        .store('bank')
        .set(utf8(`key${v % 3}`), Uint8Array.of(v));
      if (store === a) store.workingHash();
      store
        .workingBranch()
        .store('bank')
        .delete(utf8(`key${(v + 1) % 3}`));
      await store.commit();
    }
  }
  expect(asked.dump()).toEqual(quiet.dump());
});

/** Dies instead of completing one write: the batch is lost whole, as an atomic store loses it. */
class DyingKv implements Kv {
  readonly inner: Kv;
  dieAt = Number.MAX_SAFE_INTEGER;
  constructor(inner: Kv) {
    this.inner = inner;
  }
  get = (key: Uint8Array) => this.inner.get(key);
  entries = (range: object) => this.inner.entries(range);
  close = () => this.inner.close();
  async write(ops: readonly KvOp[], options?: { readonly sync?: boolean }): Promise<void> {
    expect(options?.sync).toBe(true);
    if (this.dieAt-- === 0) throw new Error('power lost');
    await this.inner.write(ops, options);
  }
}

test('a commit that fails leaves the version before, and the block replays to the same hash', async () => {
  const kv = new DyingKv(new MemoryKv());
  const block = (store: MultiStore, n: number) => {
    for (let i = 0; i < 10; i++)
      store
        .workingBranch()
        .store('poi')
        .set(utf8(`k${(n * 7 + i * i) % 23}`), utf8(`v${n}`));
  };
  const store = MultiStore.open(kv, NAMES);
  block(store, 1);
  const first = await store.commit();
  block(store, 2);
  const announced = store.workingHash();
  kv.dieAt = 0;
  await expect(store.commit()).rejects.toThrow('power lost');
  expect(store.lastCommit).toEqual(first);
  const reopened = MultiStore.open(kv, NAMES);
  expect(reopened.lastCommit).toEqual(first);
  block(reopened, 2);
  expect((await reopened.commit()).appHash).toEqual(announced);
});

test('an empty block keeps each root, and the version still counts', async () => {
  const kv = new MemoryKv();
  const store = MultiStore.open(kv, NAMES, { initialVersion: 100n });
  store.workingBranch().store('bank').set(utf8('a'), utf8('1'));
  const first = await store.commit();
  const before = kv.size;
  const second = await store.commit();
  expect([first.version, second.version]).toEqual([100n, 101n]);
  expect(second.appHash).toEqual(first.appHash);
  expect(kv.size).toBe(before + 1);
  expect(MultiStore.open(kv, NAMES).lastCommit).toEqual(second);
  expect(store.viewAt(99n)).toBeUndefined();
});

test('what is read while a commit is under way is the version before', async () => {
  const store = MultiStore.open(new MemoryKv(), NAMES);
  const key = utf8('a');
  store.workingBranch().store('bank').set(key, utf8('1'));
  await store.commit();
  const old = store.latest();
  store.workingBranch().store('bank').set(key, utf8('2'));
  const done = store.commit();
  expect(store.latest().store('bank').get(key)).toEqual(utf8('1'));
  await done;
  expect(old.store('bank').get(key)).toEqual(utf8('1'));
  expect(store.latest().store('bank').get(key)).toEqual(utf8('2'));
  expect(store.workingBranch().store('bank').get(key)).toEqual(utf8('2'));
});

test('what was read before, there or not, is read again of the same version, large and small', async () => {
  const store = MultiStore.open(new MemoryKv(), NAMES);
  const [a, b, large] = [utf8('a'), utf8('b'), new Uint8Array(STATE_LIMITS.cachedValueBytes + 1)] as const;
  const working = store.workingBranch().store('bank');
  working.set(a, utf8('1'));
  await store.commit();
  const [first, below] = [store.latest().store('bank'), store.workingBranch()];
  for (let i = 0; i < 2; i++) {
    expect([first.get(a), first.has(a), first.get(b), first.has(b)]).toEqual([utf8('1'), true, undefined, false]);
    expect([below.store('bank').get(a), below.store('bank').has(b)]).toEqual([utf8('1'), false]);
  }
  working.delete(a);
  working.set(b, large);
  await store.commit();
  const second = store.latest().store('bank');
  for (let i = 0; i < 2; i++) {
    expect([second.get(a), second.has(a), second.get(b), second.has(b)]).toEqual([undefined, false, large, true]);
    expect([first.get(a), first.has(a), first.get(b), first.has(b)]).toEqual([utf8('1'), true, undefined, false]);
    expect([below.store('bank').has(a), below.store('bank').get(b)]).toEqual([false, large]);
  }
});

test('iterations left open half-way hold up no commit, and show their versions to the end', async () => {
  const store = MultiStore.open(new MemoryKv(), NAMES, { nodeCacheBytes: 10_000 });
  const keyAt = (n: number): Uint8Array => Uint8Array.of(n >>> 8, n);
  const open: { version: number; next: Iterator<readonly [Uint8Array, Uint8Array]>; seen: number }[] = [];
  for (let version = 1; version <= 8; version++) {
    for (let n = 0; n < 600; n++)
      if (version === 1 || n % 7 === version % 7) {
        if (version > 1 && n % 14 === 0) store.workingBranch().store('bank').delete(keyAt(n));
        else store.workingBranch().store('bank').set(keyAt(n), Uint8Array.of(version, n));
      }
    // Each reader is somewhere in the middle when the version after its own is committed, and the seven after that.
    for (const reader of open) {
      const { done, value } = reader.next.next();
      expect(done).toBe(false);
      expect(value?.[1][0]).toBeLessThanOrEqual(reader.version);
      reader.seen++;
    }
    expect((await store.commit()).version).toBe(BigInt(version));
    const entries = store.latest().store('bank').entries({});
    open.push({ version, next: entries[Symbol.iterator](), seen: 0 });
  }
  for (const { version, next, seen } of open) {
    let count = seen;
    for (let step = next.next(); step.done !== true; step = next.next()) {
      expect(step.value[1][0]).toBeLessThanOrEqual(version);
      count++;
    }
    expect(count).toBe([...(store.viewAt(BigInt(version))?.store('bank').entries({}) ?? [])].length);
  }
});

test('a store added later starts empty, and is in the app hash from its first commit on', async () => {
  const kv = new MemoryKv();
  const before = MultiStore.open(kv, ['bank']);
  before.workingBranch().store('bank').set(utf8('a'), utf8('1'));
  const first = await before.commit();
  const after = MultiStore.open(kv, ['bank', 'nft']);
  expect(after.lastCommit).toEqual(first);
  expect(after.proveAt(1n, 'nft', utf8('a'))).toEqual({ ok: false, error: 'there is no store nft at version 1' });
  const proven = after.proveAt(1n, 'bank', utf8('a'));
  if (!proven.ok) throw new Error(proven.error);
  expect(verdicts(proven.value.commitmentProofs, first.appHash, 'bank', utf8('a'), utf8('1')).ours).toBe(true);
  await after.commit();
  expect(after.proveAt(2n, 'nft', utf8('a'))).toEqual({
    ok: false,
    error: 'store nft is empty at version 2: ICS-23 has no proof of that',
  });
  expect(() => MultiStore.open(kv, ['bank'])).toThrow('the database holds a store nft; expected only bank');
});

test('refusals say what was wrong', async () => {
  const store = MultiStore.open(new MemoryKv(), NAMES);
  await store.commit();
  expect(store.proveAt(5n, 'bank', utf8('a'))).toEqual({ ok: false, error: 'version 5 is not kept' });
  expect(store.proveAt(1n, 'x', utf8('a'))).toEqual({ ok: false, error: 'there is no store x at version 1' });
  expect(store.proveAt(1n, 'bank', new Uint8Array(0))).toEqual({ ok: false, error: 'a store key must not be empty' });
  expect(() => MultiStore.open(new MemoryKv(), ['a', 'a'])).toThrow('store names repeat');
  expect(() => MultiStore.open(new MemoryKv(), [''])).toThrow('expected 1 … 64 bytes');
  expect(() => store.latest().store('x')).toThrow('store x is missing');
});

test('a database of another layout is refused', async () => {
  const kv = new MemoryKv();
  await kv.write([{ type: 'put', key: commitKey(3), value: Uint8Array.of(4, 0x61, 0x75, 0x74, 0x68, 0) }]);
  expect(() => MultiStore.open(kv, ['auth'])).toThrow('the state database has layout 4, expected 130');
});

test('a damaged database is found out, not read on', async () => {
  const kv = new MemoryKv();
  const store = MultiStore.open(kv, ['bank']);
  for (let i = 0; i < 8; i++)
    store
      .workingBranch()
      .store('bank')
      .set(Uint8Array.of(i + 1), Uint8Array.of(i));
  await store.commit();
  const nodes = kv.dump().filter(([key]) => key[5] === KEY_KIND.node);
  await kv.write(nodes.slice(3).map(([key]) => ({ type: 'del', key })));
  expect(() => [...MultiStore.open(kv, ['bank']).latest().store('bank').entries({})]).toThrow(/is not in the database/);
});

// Values of cosmos-sdk store/internal/maps/maps_test.go (v0.50), whose map is what hashes a CommitInfo.
test.each([
  [{}, 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  [{ key1: 'value1' }, 'a44d3cc7daba1a4600b00a2434b30f8b970652169810d6dfa9fb1793a2189324'],
  [{ key1: 'value2' }, '0638e99b3445caec9d95c05e1a3fc1487b4ddec6a952ff337080360b0dcc078c'],
  [{ key2: 'value2', key1: 'value1' }, '8fd19b19e7bb3f2b3ee0574027d8a5a4cec370464ea2db2fbfa5c7d35bb0cff3'],
  [
    { key1: 'value1', key3: 'value3', key2: 'value2' },
    '1dd674ec6782a0d586a903c9c63326a41cbe56b3bba33ed6ff5b527af6efb3dc',
  ],
])('the hash over the stores %j', (stores, hash) => {
  expect(toHex(multistoreHash(new Map(Object.entries(stores).map(([name, root]) => [name, utf8(root)]))))).toBe(hash);
});
