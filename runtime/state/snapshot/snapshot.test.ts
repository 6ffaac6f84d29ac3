import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EMPTY, toHex, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import type { StateView } from '../kv-view.ts';
import { MultiStore } from '../multistore.ts';
import { fingerprint, leftovers } from '../records.test-util.ts';
import { exportSnapshot } from './export.ts';
import { manifestOf, type SnapshotManifest } from './format.ts';
import { discardImport, SnapshotImport } from './import.ts';

const NAMES = ['bank', 'models', 'poi'];

interface Write {
  readonly store: string;
  readonly key: Uint8Array;
  /** Null deletes. */
  readonly value: Uint8Array | null;
}

const write: fc.Arbitrary<Write> = fc.record({
  store: fc.constantFrom('bank', 'poi'),
  key: fc.uint8Array({ minLength: 1, maxLength: 2, max: 9 }),
  value: fc.option(fc.uint8Array({ maxLength: 30 }), { freq: 3 }),
});
const blocks = fc.array(fc.array(write, { maxLength: 15 }), { minLength: 1, maxLength: 8 });

async function commit(store: MultiStore, writes: readonly Write[]): Promise<string> {
  for (const { store: name, key, value } of writes)
    if (value === null) store.workingBranch().store(name).delete(key);
    else store.workingBranch().store(name).set(key, value);
  return toHex((await store.commit()).appHash);
}

function contents(view: StateView | undefined) {
  if (view === undefined) throw new Error('the version is not kept');
  return NAMES.map((name) => [...view.store(name).entries({})].map(([key, value]) => [toHex(key), toHex(value)]));
}

interface Snapshot {
  readonly manifest: SnapshotManifest;
  readonly chunks: readonly Uint8Array[];
}

async function take(store: MultiStore, version: bigint, chunkBytes: number, pause?: () => Promise<void>) {
  const source = store.snapshotSource(version);
  if (!source.ok) throw new Error(source.error);
  const chunks: Uint8Array[] = [];
  const sink = async (index: number, chunk: Uint8Array) => {
    chunks[index] = chunk;
  };
  const taken = await exportSnapshot(source.value, sink, { chunkBytes, ...(pause === undefined ? {} : { pause }) });
  if (!taken.ok) throw new Error(taken.error);
  return { manifest: taken.value, chunks };
}

/** The last answer: that of the chunk which ended it. */
async function importAll(kv: Kv, { manifest, chunks }: Snapshot, appHash: Uint8Array) {
  const begun = await SnapshotImport.begin(kv, NAMES, manifest, appHash);
  if (!begun.ok) throw new Error(begun.error);
  for (const [index, chunk] of chunks.entries()) {
    const applied = await begun.value.applyChunk(index, chunk);
    if (!applied.ok || applied.value.done) return applied;
  }
  throw new Error('the import did not end');
}

async function grown(history: readonly (readonly Write[])[]): Promise<MultiStore> {
  const store = MultiStore.open(new MemoryKv(), NAMES, { pruning: { kind: 'everything' } });
  for (const writes of history) await commit(store, writes);
  return store;
}

const last = (store: MultiStore) => {
  if (store.lastCommit === undefined) throw new Error('nothing was committed');
  return store.lastCommit;
};

test('what is imported equals what was exported: contents, proofs, app hash, and every block after it', async () => {
  await fc.assert(
    fc.asyncProperty(blocks, blocks, fc.integer({ min: 1, max: 90 }), fc.nat(), async (before, after, bytes, pick) => {
      const store = await grown(before);
      const version = BigInt(1 + (pick % before.length));
      const snapshot = await take(store, version, bytes);
      expect(snapshot.chunks.slice(0, -1).every((chunk) => chunk.length === bytes)).toBe(true);
      const replay = MultiStore.open(new MemoryKv(), NAMES);
      let appHash = '';
      for (const writes of before.slice(0, Number(version))) appHash = await commit(replay, writes);
      const kv = new MemoryKv();
      expect(await importAll(kv, snapshot, last(replay).appHash)).toEqual({ ok: true, value: { done: true } });
      const copy = MultiStore.open(kv, NAMES, { pruning: { kind: 'everything' } });
      expect([copy.firstVersion, last(copy).version, toHex(last(copy).appHash)]).toEqual([version, version, appHash]);
      expect(contents(copy.latest())).toEqual(contents(store.viewAt(version)));
      for (let i = 0; i < 5; i++) {
        const key = Uint8Array.of((pick + i) % 11);
        expect(copy.proveAt(version, 'bank', key)).toEqual(store.proveAt(version, 'bank', key));
      }
      for (const writes of after) expect(await commit(copy, writes)).toBe(await commit(replay, writes));
      while (!(await copy.pruneStep(9)).done);
      expect(leftovers(kv, copy.firstVersion, last(copy).version)).toEqual({ missing: [], extra: [] });
    }),
    { numRuns: 50 },
  );
});

/** A hostile snapshot whose manifest is true to its chunks. */
function forged(stream: Uint8Array, height: bigint, bytes: number): Snapshot {
  const chunks: Uint8Array[] = [];
  for (let at = 0; at < stream.length || at === 0; at += bytes) chunks.push(stream.slice(at, at + bytes));
  return { manifest: manifestOf(height, chunks.map(sha256)), chunks };
}

test('a snapshot with any byte changed, added or left out is refused, and nothing of it remains', async () => {
  const change = fc.record({
    at: fc.nat(),
    mask: fc.nat(255),
    remove: fc.nat(20),
    insert: fc.uint8Array({ maxLength: 8 }),
  });
  await fc.assert(
    fc.asyncProperty(
      blocks,
      change,
      fc.integer({ min: 5, max: 200 }),
      async (before, { at, mask, remove, insert }, bytes) => {
        const store = await grown(before);
        const { version, appHash } = last(store);
        const { chunks } = await take(store, version, 1 << 20);
        const stream = Buffer.concat(chunks);
        const cut = at % stream.length;
        const changed = Uint8Array.from([...stream.subarray(0, cut), ...insert, ...stream.subarray(cut + remove)]);
        if (changed.length > 0) changed[at % changed.length] = (changed[at % changed.length] as number) ^ mask;
        fc.pre(Buffer.compare(changed, stream) !== 0);
        const kv = new MemoryKv();
        const refused = await importAll(kv, forged(changed, version, bytes), appHash);
        expect(refused).toMatchObject({ ok: false, error: { kind: 'bad-snapshot' } });
        expect(kv.size).toBe(0);
        // The database serves a good snapshot afterwards.
        expect((await importAll(kv, forged(stream, version, bytes), appHash)).ok).toBe(true);
        expect(contents(MultiStore.open(kv, NAMES).latest())).toEqual(contents(store.latest()));
      },
    ),
    { numRuns: 120 },
  );
});

const leaf = (version: number, key: number, value = 'v') => [
  1,
  0,
  0,
  0,
  version,
  0,
  1,
  0,
  0,
  0,
  value.length,
  key,
  ...utf8(value),
];
const inner = (version: number) => [2, 0, 0, 0, version];
const bank = [0, 4, ...utf8('bank')];

test.each([
  ['kind', [3], 'an item of kind 3: expected 0, 1 or 2'],
  ['no store', leaf(1, 1), 'a node before the first store'],
  ['unknown store', [0, 1, 65], 'a store of 1 bytes of name that this application does not have'],
  ['not UTF-8', [0, 1, 0xff], 'a store of 1 bytes of name that this application does not have'],
  ['store twice', [...bank, ...bank], 'store bank occurs twice'],
  ['order', [...bank, ...leaf(1, 5), ...leaf(1, 5)], 'the leaves are not in key order'],
  ['two trees', [...bank, ...leaf(1, 1), ...leaf(1, 2)], 'store bank ends with 2 trees instead of one'],
  ['no children', [...bank, ...leaf(1, 1), ...inner(1)], 'an inner node without two children'],
  ['older', [...bank, ...leaf(2, 1), ...leaf(1, 2), ...inner(1)], 'an inner node older than its child'],
  ['future', [...bank, ...leaf(4, 1)], "a node of version 4: expected 1 … 3, the snapshot's height"],
  ['version 0', [...bank, ...leaf(0, 1)], "a node of version 0: expected 1 … 3, the snapshot's height"],
  ['no key', [...bank, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0], 'a leaf with an empty key'],
  ['huge', [...bank, 1, 0, 0, 0, 1, 0, 1, 255, 0, 0, 0], 'a leaf of 4278190092 bytes: expected at most 67108864'],
  ['torn', [...bank, ...leaf(1, 1).slice(0, -1)], 'the stream ends within an item, 12 bytes into it'],
  [
    'leaning',
    [...bank, ...[1, 2, 3, 4].flatMap((key) => leaf(1, key)), ...inner(1), ...inner(1), ...inner(1)],
    'an inner node that leans by -2: expected at most 1',
  ],
  [
    'flat',
    [...bank, ...Array.from({ length: 65 }, (_, i) => leaf(1, i)).flat()],
    'the leaves do not form a balanced tree',
  ],
  ['another state', [...bank, ...leaf(1, 1)], 'the imported state has another app hash than the header'],
])('hostile stream (%s): %s', async (_, stream, message) => {
  for (const bytes of [1, 7, 4096]) {
    const kv = new MemoryKv();
    const refused = await importAll(kv, forged(Uint8Array.from(stream), 3n, bytes), sha256(EMPTY));
    expect(refused).toEqual({ ok: false, error: { kind: 'bad-snapshot', message } });
    expect(kv.size).toBe(0);
  }
});

test('a chunk that is not the manifest’s is refused without harm; manifests are checked field by field', async () => {
  const store = await grown([[{ store: 'bank', key: utf8('a'), value: utf8('1') }]]);
  const { appHash } = last(store);
  const { manifest, chunks } = await take(store, 1n, 10);
  const kv = new MemoryKv();
  const begin = (changes: Partial<SnapshotManifest>) =>
    SnapshotImport.begin(kv, NAMES, { ...manifest, ...changes }, appHash);
  for (const [changes, error] of [
    [{ format: 3 }, 'snapshot format: expected 1, got 3'],
    [{ height: 0n }, 'snapshot height: expected 1 … 2147483647, got 0'],
    [{ chunks: 0 }, 'snapshot chunks: expected 1 … 65536, got 0'],
    [{ chunks: manifest.chunks + 1 }, 'snapshot metadata: expected'],
    [{ hash: sha256(EMPTY) }, 'snapshot hash: it is not the hash of the metadata'],
  ] as const) {
    const refused = await begin(changes);
    expect(refused.ok ? '' : refused.error).toContain(error);
  }
  expect(kv.size).toBe(0);
  const begun = await begin({});
  if (!begun.ok) throw new Error(begun.error);
  const [first = EMPTY] = chunks;
  const wrong = (message: string) => ({ ok: false, error: { kind: 'wrong-chunk', message } });
  expect(await begun.value.applyChunk(1, first)).toEqual(wrong('chunk 1: expected chunk 0'));
  const other = await begun.value.applyChunk(0, first.slice(1));
  expect(other).toEqual(wrong('chunk 0: its hash is not the one in the manifest'));
  const huge = await begun.value.applyChunk(0, new Uint8Array(4 * 1024 * 1024 + 1));
  expect(huge).toEqual(wrong('chunk 0: 4194305 bytes exceed the limit of 4194304'));
  for (const [index, chunk] of chunks.entries()) expect((await begun.value.applyChunk(index, chunk)).ok).toBe(true);
  expect(MultiStore.open(kv, NAMES).latest().store('bank').get(utf8('a'))).toEqual(utf8('1'));
  expect(await begin({})).toEqual({ ok: false, error: 'the state database is not empty: it has version 1' });
});

class CrashingKv implements Kv {
  readonly inner = new MemoryKv();
  left = Number.MAX_SAFE_INTEGER;
  get = (key: Uint8Array) => this.inner.get(key);
  entries = (range: object) => this.inner.entries(range);
  close = () => this.inner.close();
  async write(ops: readonly KvOp[]): Promise<void> {
    if (this.left-- === 0) throw new Error('power lost');
    await this.inner.write(ops);
  }
}

test('power lost at any write of an import leaves nothing that opens as a state, and the next import succeeds', async () => {
  const history = Array.from({ length: 6 }, (_, height) =>
    Array.from({ length: 12 }, (_, i) => ({
      store: 'poi',
      key: Uint8Array.of(i * height),
      value: utf8(`${height}/${i}`),
    })),
  );
  const store = await grown(history);
  const { version, appHash } = last(store);
  const snapshot = await take(store, version, 150);
  const whole = new MemoryKv();
  expect((await importAll(whole, snapshot, appHash)).ok).toBe(true);
  for (let dieAt = 0; ; dieAt++) {
    const kv = new CrashingKv();
    kv.left = dieAt;
    const survived = await importAll(kv, snapshot, appHash).then(
      () => true,
      (error: Error) => error.message !== 'power lost',
    );
    kv.left = Number.MAX_SAFE_INTEGER;
    if (survived) {
      expect(dieAt).toBeGreaterThan(5);
      break;
    }
    if (dieAt > 0) expect(() => MultiStore.open(kv, NAMES)).toThrow('an unfinished snapshot import');
    if (dieAt % 2 === 0) {
      expect((await discardImport(kv)).ok).toBe(true);
      expect(kv.inner.size).toBe(0);
      expect(MultiStore.open(kv, NAMES).lastCommit).toBeUndefined();
    }
    expect((await importAll(kv, snapshot, appHash)).ok).toBe(true);
    expect(fingerprint(kv.inner)).toBe(fingerprint(whole));
  }
});

test('an import that is given up leaves an empty database', async () => {
  const store = await grown([[{ store: 'bank', key: utf8('a'), value: utf8('1') }]]);
  const { manifest, chunks } = await take(store, 1n, 10);
  const kv = new MemoryKv();
  const begun = await SnapshotImport.begin(kv, NAMES, manifest, last(store).appHash);
  if (!begun.ok) throw new Error(begun.error);
  await begun.value.applyChunk(0, chunks[0] ?? EMPTY);
  await begun.value.abort();
  expect(kv.size).toBe(0);
});

test('blocks are committed and versions pruned while a snapshot is taken, and it shows its own version', async () => {
  const block = (n: number) =>
    Array.from({ length: 30 }, (_, i) => ({
      store: 'bank',
      key: utf8(`k${(n * 17 + i * 13) % 700}`),
      value: utf8(`${n}`),
    }));
  const store = await grown(Array.from({ length: 30 }, (_, n) => block(n)));
  const [before, { appHash }] = [contents(store.latest()), last(store)];
  let commits = 0;
  const snapshot = await take(store, 30n, 1000, async () => {
    await commit(store, block(100 + commits++));
    await store.pruneStep(200);
  });
  expect(commits).toBeGreaterThan(1);
  while (!(await store.pruneStep(500)).done);
  for (let n = 0; n < 20; n++) await commit(store, block(200 + n));
  while (!(await store.pruneStep(500)).done);
  expect(store.firstVersion).toBeGreaterThan(30n);
  const kv = new MemoryKv();
  expect((await importAll(kv, snapshot, appHash)).ok).toBe(true);
  expect(contents(MultiStore.open(kv, NAMES).latest())).toEqual(before);
});
