/** Applications that run the same blocks, each with something that must make no difference. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { FinalizeBlockRequest, FinalizeBlockResponse, Snapshot } from '#core/abci.ts';
import { assert } from '#core/assert.ts';
import { equal } from '#core/bytes.ts';
import { noDuties } from '#core/ports/duties.ts';
import type { Kv } from '#core/ports/kv.ts';
import type { Logger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { createNativeVerifier } from '#node/crypto/native-verifier.ts';
import { openLevelKv } from '#node/storage/level-kv.ts';
import { createRangeReader } from '#node/storage/range-reader.ts';
import { SimulateRequestSchema } from '#proto/gen/cosmos/tx/v1beta1/service_pb.ts';
import { encode } from '#proto/message.ts';
import { type ApplicationOptions, openApplication, type RuntimeApplication } from '#runtime/app.ts';
import type { Rng } from '#test/sim/rng.ts';

export const REPLICA_KINDS = ['pruned', 'restarted', 'busy', 'synced'] as const;
export type ReplicaKind = (typeof REPLICA_KINDS)[number];

/** A block that the reference has executed. */
export interface Coming {
  readonly request: FinalizeBlockRequest;
  /** The same without the transactions that must leave no trace; undefined when that cannot be said. */
  readonly thin: FinalizeBlockRequest | undefined;
  readonly appHash: Uint8Array;
}

export interface Replica {
  readonly name: string;
  app(): RuntimeApplication;
  /** Before it executes the block; throws when something has made a difference. */
  before(coming: Coming): Promise<void>;
  finalize(request: FinalizeBlockRequest): FinalizeBlockResponse;
  commit(): Promise<void>;
  /** Between two blocks. */
  after(): Promise<void>;
  close(): Promise<void>;
}

/** Who signed is checked, but not consensus' own signatures: nobody makes them here. */
const native = createNativeVerifier({ keyCacheEntries: 256 });
const verifier = { ed25519: () => true, secp256k1: native.secp256k1.bind(native) };

export interface Opening {
  readonly logger: Logger;
  readonly options: ApplicationOptions;
}

export function open(kv: Kv, { logger, options }: Opening): Promise<RuntimeApplication> {
  return openApplication(options, { kv, verifier, duties: noDuties, logger });
}

type Start = (app: RuntimeApplication) => void;

function plain(name: string, app: () => RuntimeApplication): Replica {
  return {
    name,
    app,
    before: async () => {},
    finalize: (request) => app().finalizeBlock(request),
    commit: async () => void (await app().commit()),
    after: async () => {},
    close: async () => {},
  };
}

/** All versions, the default memory, nothing else to do. */
export async function openReference(opening: Opening, start: Start): Promise<Replica> {
  const app = await open(new MemoryKv(), opening);
  start(app);
  return plain('reference', () => app);
}

/** Keeps two versions, and remembers next to nothing. */
export async function openPruned(opening: Opening, start: Start, rng: Rng): Promise<Replica> {
  const options: ApplicationOptions = {
    ...opening.options,
    pruning: { kind: 'custom', keepRecent: BigInt(rng.between(2, 6)), interval: 10n },
    nodeCacheBytes: rng.pick([1, 20_000, 200_000]),
  };
  const app = await open(new MemoryKv(), { ...opening, options });
  start(app);
  return {
    ...plain('pruned', () => app),
    // Sometimes all that is to be freed, sometimes a part, sometimes nothing.
    async after() {
      for (let steps = rng.below(4); steps > 0; steps--) if ((await app.pruneStep()).done) return;
    },
  };
}

const RESTART_RATE = 0.08;
const DISK_CACHE = 1 << 20;

/** Is killed at any point of a block, and opened again from its database. */
export async function openRestarted(opening: Opening, start: Start, rng: Rng, onDisk: boolean): Promise<Replica> {
  const folder = onDisk ? mkdtempSync(join(tmpdir(), 'autonomy-app-sim-')) : '';
  const rangeReader = onDisk ? createRangeReader() : undefined;
  const memory = new MemoryKv();
  const openKv = async (): Promise<Kv> =>
    rangeReader === undefined
      ? memory
      : openLevelKv({ path: join(folder, 'state'), cacheBytes: DISK_CACHE }, { rangeReader });
  const options: ApplicationOptions = {
    ...opening.options,
    pruning: rng.pick([{ kind: 'everything' }, { kind: 'default' }]),
  };
  let kv = await openKv();
  let app = await open(kv, { ...opening, options });
  start(app);
  const restart = async () => {
    if (onDisk) {
      await kv.close();
      kv = await openKv();
    }
    app = await open(kv, { ...opening, options });
    if (app.info().lastBlockHeight === 0n) start(app);
  };
  return {
    ...plain('restarted', () => app),
    async before({ request, thin, appHash }) {
      if (rng.chance(RESTART_RATE)) await restart();
      // A round that did not decide, another block; then perhaps the end.
      if (rng.chance(0.15))
        app.finalizeBlock({ ...request, txs: request.txs.slice(0, rng.below(request.txs.length + 1)) });
      if (rng.chance(RESTART_RATE)) await restart();
      if (thin !== undefined && rng.chance(0.5)) {
        const without = app.finalizeBlock(thin).appHash;
        assert(equal(without, appHash), 'transactions that were refused have left a trace');
      }
      if (rng.chance(0.1)) app.finalizeBlock(request);
    },
    async after() {
      while (rng.chance(0.5)) if ((await app.pruneStep()).done) return;
    },
    async close() {
      if (!onDisk) return;
      await kv.close();
      await rangeReader?.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A node that people use: its mempool checks, its clients ask and simulate, between and before blocks. */
export async function openBusy(opening: Opening, start: Start, rng: Rng): Promise<Replica> {
  const options: ApplicationOptions = { ...opening.options, nodeCacheBytes: 2_000_000, minGasPrices: `0.000001uauton` };
  const app = await open(new MemoryKv(), { ...opening, options });
  start(app);
  return {
    ...plain('busy', () => app),
    async before({ request }) {
      for (const tx of request.txs) {
        if (rng.chance(0.6)) await app.checkTx({ tx, type: 'new' });
        if (rng.chance(0.2)) await app.checkTx({ tx, type: 'recheck' });
        if (!rng.chance(0.1)) continue;
        const data = encode(SimulateRequestSchema, { txBytes: tx });
        app.query({ path: '/cosmos.tx.v1beta1.Service/Simulate', data, height: 0n, prove: false });
      }
    },
    async after() {
      if (rng.chance(0.1)) app.brokenInvariants();
    },
  };
}

const SYNC_RATE = 0.02;

/** Now and then gives up all that it has and takes the state of another as a snapshot. */
export async function openSynced(opening: Opening, start: Start, rng: Rng, source: Replica): Promise<Replica> {
  let app = await open(new MemoryKv(), opening);
  start(app);
  return {
    ...plain('synced', () => app),
    async after() {
      if (!rng.chance(SYNC_RATE)) return;
      const { snapshot, chunks } = await takeSnapshot(source.app());
      const fresh = await open(new MemoryKv(), {
        ...opening,
        options: { ...opening.options, nodeCacheBytes: rng.pick([1, 1 << 20]) },
      });
      const { lastBlockAppHash } = source.app().info();
      const offered = await fresh.offerSnapshot({ snapshot, appHash: lastBlockAppHash });
      assert(offered.result === 'accept', `the snapshot is not accepted: ${offered.reason}`);
      for (const [index, chunk] of chunks.entries()) {
        const applied = await fresh.applySnapshotChunk({ index, chunk, sender: 'source' });
        assert(applied.result === 'accept', `chunk ${index} is not accepted: ${applied.reason}`);
      }
      assert(fresh.info().lastBlockHeight === snapshot.height, 'the restored state has the height of the snapshot');
      app = fresh;
    },
  };
}

async function takeSnapshot(app: RuntimeApplication): Promise<{ snapshot: Snapshot; chunks: readonly Uint8Array[] }> {
  const chunks: Uint8Array[] = [];
  const taken = await app.exportSnapshot(
    app.info().lastBlockHeight,
    async (_index, chunk) => void chunks.push(chunk.slice()),
    async () => {},
  );
  assert(taken.ok, taken.ok ? '' : `no snapshot: ${taken.error}`);
  return { snapshot: taken.value, chunks };
}
