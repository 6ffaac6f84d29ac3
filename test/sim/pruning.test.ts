/** Pruning of blocks and of what the state says of heights: what is kept stays readable, wherever the process dies. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { ChainState } from '#consensus/chain-state.ts';
import { DEFAULT_ENGINE_CONFIG } from '#consensus/config.ts';
import { defined } from '#core/assert.ts';
import { EMPTY, readU64be, toHex, u64be, utf8 } from '#core/bytes.ts';
import type { Kv } from '#core/ports/kv.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { toHeight } from '#core/types/brand.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { openBlockStore } from '#node/driver/block-store.ts';
import { openEvidencePool } from '#node/driver/evidence-pool.ts';
import { startExecutor } from '#node/driver/executor.ts';
import { openGuardedSigner } from '#node/driver/guarded-signer.ts';
import { noTxs } from '#node/driver/ports.ts';
import { createPruner } from '#node/driver/pruner.ts';
import { openStateStore } from '#node/driver/state-store.ts';
import { STORE_PREFIX } from '#node/driver/store-records.ts';
import { NODE_LIMITS } from '#node/limits.ts';
import { openSimApp } from './app.ts';
import { SimKeys } from './keys.ts';
import { EPOCH_MS } from './node.ts';
import { Scheduler } from './scheduler.ts';

const HEIGHTS = 60n;
/** Heights whose block changes the validator's power. */
const CHANGES = [7n, 8n, 31n];

/** The stores of a chain of {@link HEIGHTS} blocks, made by the production executor with one validator. */
async function makeChain(maxAgeNumBlocks: bigint) {
  const scheduler = new Scheduler();
  const keys = new SimKeys();
  const key = keys.make(0);
  const kv = new MemoryKv();
  const blocks = openBlockStore(kv);
  const states = openStateStore(kv);
  const validators = [{ publicKey: key.publicKey, power: 10n }];
  const params = {
    ...DEFAULT_CONSENSUS_PARAMS,
    evidence: { ...DEFAULT_CONSENSUS_PARAMS.evidence, maxAgeNumBlocks, maxAgeNanos: 1n },
  };
  const genesis = {
    chainId: 'pruned',
    initialHeight: toHeight(1n),
    time: fromMillis(EPOCH_MS),
    params,
    validators,
    appHash: EMPTY,
    appStateBytes: EMPTY,
  };
  const reap = () => (CHANGES.includes(blocks.height + 1n) ? [utf8(`power:0:${20n + blocks.height}`)] : []);
  const executor = await startExecutor(
    { genesis, config: DEFAULT_ENGINE_CONFIG, statusIntervalMs: 60_000, statusFanout: 1 },
    {
      app: openSimApp(new MemoryKv(), { validators, extensionsFrom: 0n, pinned: 1 }),
      blocks,
      states,
      evidence: openEvidencePool(kv, { blocks, states }, keys.verifier),
      txs: { ...noTxs, reap },
      logger: silentLogger,
      onCommitted: () => {},
      wal: {
        read: async () => EMPTY,
        truncate: async () => {},
        append: async () => {},
        sync: async () => {},
        rotate: async () => {},
        close: async () => {},
      },
      signer: await openGuardedSigner(key, { load: async () => undefined, save: async () => {} }),
      transport: { publish: () => {}, send: () => {} },
      timers: {
        set: (delayMs, run) => {
          const entry = scheduler.after(delayMs, run);
          return {
            cancel: () => {
              entry.cancelled = true;
            },
          };
        },
      },
      clock: { now: () => fromMillis(EPOCH_MS + BigInt(scheduler.nowMs)) },
      verifier: keys.verifier,
      fatal: (error) => {
        throw error;
      },
    },
  );
  await executor.idle();
  while (blocks.height < HEIGHTS && (await scheduler.next(10_000_000))) await executor.idle();
  await executor.close();
  return { kv, state: defined(states.load(), 'a state') };
}

/** All that can be asked of one height. */
function factsOf(kv: Kv, height: bigint) {
  const [blocks, states] = [openBlockStore(kv), openStateStore(kv)];
  const meta = blocks.meta(height);
  return {
    meta,
    block: blocks.block(height),
    commit: blocks.commit(height),
    seenCommit: blocks.seenCommit(height),
    byHash: meta && blocks.heightOfHash(meta.blockId.hash),
    validators: states.validators(height),
    params: states.params(height),
    results: states.finalizeResponse(height),
  };
}

async function copyOf(kv: MemoryKv): Promise<MemoryKv> {
  const copy = new MemoryKv();
  await copy.write(kv.dump().map(([key, value]) => ({ type: 'put', key, value }) as const));
  return copy;
}

/** Dies at write number `at`, with it or just before it. */
function mortal(kv: MemoryKv, at: number, applied: boolean): Kv {
  let writes = 0;
  return {
    get: (key) => kv.get(key),
    entries: (range) => kv.entries(range),
    close: async () => {},
    async write(ops) {
      const dies = writes++ === at;
      if (!dies || applied) await kv.write(ops);
      if (dies) throw new Error('the process dies');
    },
  };
}

async function pruneAll(kv: Kv, state: ChainState, retain: bigint): Promise<void> {
  const [blocks, states] = [openBlockStore(kv), openStateStore(kv)];
  const pruner = createPruner({
    blocks,
    states,
    app: { pruneStep: async () => ({ done: true }) },
    index: undefined,
    pause: async () => {},
    logger: silentLogger,
  });
  pruner.committed(state, retain);
  await pruner.settled();
}

const PER_HEIGHT = [
  'blockMeta',
  'blockPart',
  'commit',
  'seenCommit',
  'validators',
  'params',
  'finalizeResponse',
] as const;

/** Records of heights below `base`, as `prefix/height`. */
function recordsBelow(kv: MemoryKv, base: bigint): string[] {
  const names = new Map(PER_HEIGHT.map((name) => [STORE_PREFIX[name] as number, name]));
  return kv.dump().flatMap(([key]) => {
    const name = names.get(key[0] ?? -1);
    return name === undefined || readU64be(key, 1) >= base ? [] : [`${name}/${readU64be(key, 1)}`];
  });
}

test('what is kept stays readable, and nothing else stays, wherever the process dies while it prunes', async () => {
  const { kv: full, state } = await makeChain(1n);
  const original = new Map<bigint, ReturnType<typeof factsOf>>();
  for (let height = 1n; height <= HEIGHTS; height++) original.set(height, factsOf(full, height));
  await fc.assert(
    fc.asyncProperty(
      fc.bigInt({ min: 2n, max: HEIGHTS + 5n }),
      fc.nat(8),
      fc.boolean(),
      async (retain, at, applied) => {
        const kv = await copyOf(full);
        await pruneAll(mortal(kv, at, applied), state, retain);
        const expectReadable = (from: bigint) => {
          for (let height = from; height <= HEIGHTS; height++)
            expect(factsOf(kv, height), `height ${height}`).toEqual(original.get(height));
          expect(openStateStore(kv).validators(HEIGHTS + 1n)).toEqual(openStateStore(full).validators(HEIGHTS + 1n));
        };
        expectReadable(openBlockStore(kv).base);
        expect(openBlockStore(kv).base).toBeLessThanOrEqual(retain);
        await pruneAll(kv, state, retain);
        // The newest two stay in any case: their evidence is not expired.
        const base = retain > HEIGHTS - 1n ? HEIGHTS - 1n : retain;
        expect(openBlockStore(kv).base).toBe(base);
        expect(openStateStore(kv).base).toBe(base);
        expect(openBlockStore(kv).height).toBe(HEIGHTS);
        expectReadable(base);
        // The whole records that the kept ones refer to.
        const sources = [...CHANGES].reverse().map((height) => height + 2n);
        const source = sources.find((height) => height <= base) ?? 1n;
        const left = source < base ? [`validators/${source}`] : [];
        expect(recordsBelow(kv, base).sort()).toEqual([...(base > 1n ? ['params/1'] : []), ...left].sort());
      },
    ),
    { numRuns: 25 },
  );
});

test('one step is bounded, and blocks go on being stored meanwhile', async () => {
  const { kv, state } = await makeChain(1n);
  let most = 0;
  const counted: Kv = {
    ...mortal(kv, -1, true),
    async write(ops) {
      most = Math.max(most, ops.length);
      await kv.write(ops);
    },
  };
  await pruneAll(counted, state, HEIGHTS);
  expect(openBlockStore(kv).base).toBe(HEIGHTS - 1n);
  expect(most).toBeLessThanOrEqual(NODE_LIMITS.prunedBlocksPerStep * 6 + 4);
});

test('what evidence may still need is kept, whatever the application asks for', async () => {
  const { kv, state } = await makeChain(20n);
  await pruneAll(kv, state, HEIGHTS);
  expect(openBlockStore(kv).base).toBe(HEIGHTS - 20n);
  expect(toHex(u64be(openStateStore(kv).base))).toBe(toHex(u64be(HEIGHTS - 20n)));
});
