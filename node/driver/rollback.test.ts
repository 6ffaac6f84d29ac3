import { expect, test } from 'vitest';
import type { ChainState } from '#consensus/chain-state.ts';
import type { VerifiedVote } from '#consensus/verify-message.ts';
import { encodeWalRecord } from '#consensus/wal-codec.ts';
import type { Application, FinalizeBlockResponse } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { concat, EMPTY, utf8 } from '#core/bytes.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { toAddress, toHeight, toRound } from '#core/types/brand.ts';
import { PRECOMMIT, PREVOTE, type Vote } from '#core/types/vote.ts';
import { stagingKv } from '../storage/staging-kv.ts';
import { openBlockStore } from './block-store.ts';
import { planRollback, planWalCut, rollbackChain } from './rollback.ts';
import { openStateStore } from './state-store.ts';
import { type Disks, type Driver, startDriver, validatorKey } from './test-kit.ts';

/** Block and state in one database, as the node has them. */
function oneDisk(kv = new MemoryKv()): Disks {
  return { blocks: kv, states: kv, app: { height: 0n }, wal: { bytes: EMPTY } };
}

function copyOf({ blocks, app, wal }: Disks): Disks {
  const kv = new MemoryKv();
  for (const [key, value] of blocks.dump()) kv.write([{ type: 'put', key, value }]);
  return { blocks: kv, states: kv, app: { ...app }, wal: { ...wal } };
}

/** Power that moves at some heights, and parameters at others. */
const restless: Partial<Application> = {
  finalizeBlock: ({ height }): FinalizeBlockResponse => ({
    events: [],
    txResults: [],
    validatorUpdates: [3n, 4n, 6n].includes(height) ? [{ publicKey: validatorKey(0), power: 10n + height }] : [],
    consensusParamUpdates: height === 5n ? { block: { maxBytes: 3_000_000n, maxGas: -1n } } : undefined,
    appHash: utf8(`height ${height}`),
  }),
};

function restlessApp(disks: Disks): Partial<Application> {
  let finalized = 0n;
  return {
    finalizeBlock: (request) => {
      finalized = request.height;
      return defined(restless.finalizeBlock, 'it')(request);
    },
    commit: async () => {
      disks.app.height = finalized;
      return { retainHeight: 0n };
    },
  };
}

const start = (disks: Disks) => startDriver({ validators: 1, disks, app: restlessApp(disks) });

async function runTo(driver: Driver, height: bigint): Promise<void> {
  while (driver.executor.state.chain.lastBlockHeight < height) {
    expect(driver.failures).toEqual([]);
    await driver.fire();
  }
}

async function lived(height: bigint): Promise<{ disks: Disks; states: Map<bigint, ChainState> }> {
  const disks = oneDisk();
  const driver = await start(disks);
  const states = new Map<bigint, ChainState>();
  for (let at = 1n; at <= height; at++) {
    await runTo(driver, at);
    states.set(at, defined(openStateStore(disks.states).load(), 'a state'));
  }
  await driver.executor.close();
  return { disks, states };
}

const planOf = (disks: Disks) => planRollback(openBlockStore(disks.blocks), openStateStore(disks.states));

/** Everything that a rollback writes, one step after the other; a crash comes between any two. */
function stepsOf(disks: Disks, hard: boolean): (() => Promise<unknown>)[] {
  const plan = planOf(disks);
  const cut = hard ? planWalCut(disks.wal.bytes, toHeight(disks.app.height)) : undefined;
  if (!plan.ok || cut?.ok === false) throw new Error('a plan');
  const chain = stagingKv(disks.blocks, { maxStagedBytes: 1 << 20 });
  const stores = { chain, blocks: openBlockStore(chain), states: openStateStore(chain) };
  return [
    async () => {
      disks.app.height = plan.value.state.lastBlockHeight;
    },
    async () => {
      if (cut?.ok === true && cut.value !== undefined) disks.wal.bytes = disks.wal.bytes.slice(0, cut.value);
    },
    () => rollbackChain(plan.value, stores, { hard }),
  ];
}

test('the state of each height is what it was, validators and parameters included', async () => {
  for (let height = 2n; height <= 9n; height++) {
    const { disks, states } = await lived(height);
    const plan = planOf(disks);
    if (!plan.ok) throw new Error(plan.error);
    const before = defined(states.get(height - 1n), 'a state');
    const { lastHeightValidatorsChanged, lastHeightParamsChanged } = plan.value.state;
    expect(plan.value.state).toEqual({ ...before, lastHeightValidatorsChanged, lastHeightParamsChanged });
    expect(lastHeightValidatorsChanged >= before.lastHeightValidatorsChanged).toBe(true);
    expect(lastHeightParamsChanged >= before.lastHeightParamsChanged).toBe(true);
    const kept = (at: bigint) => [openStateStore(disks.states).validators(at), openStateStore(disks.states).params(at)];
    const known = Array.from({ length: Number(height) }, (_, i) => kept(BigInt(i + 1)));
    for (const step of stepsOf(disks, true)) await step();
    expect(Array.from({ length: Number(height) }, (_, i) => kept(BigInt(i + 1)))).toEqual(known);
    await runTo(await start(disks), 9n);
    expect(openStateStore(disks.states).load()?.validators.validators[0]?.power).toBe(16n);
    expect(openStateStore(disks.states).params(7n)?.block.maxBytes).toBe(3_000_000n);
  }
});

test('a second block goes only where the node has not bound itself in the first', async () => {
  const { disks } = await lived(6n);
  for (const step of stepsOf(disks, true)) await step();
  expect(planWalCut(disks.wal.bytes, toHeight(5n))).toMatchObject({
    ok: false,
    error: expect.stringContaining('has precommitted a block of height 6'),
  });
});

test.each([false, true])(
  'whatever point it dies at, the chain goes on with the same blocks (hard: %s)',
  async (hard) => {
    const { disks, states } = await lived(6n);
    const hashOf = (from: Disks, height: bigint) => openBlockStore(from.blocks).meta(height)?.blockId.hash;
    const [hash, count] = [hashOf(disks, 6n), stepsOf(copyOf(disks), hard).length];
    for (let done = 0; done <= count; done++) {
      const crashed = copyOf(disks);
      for (const step of stepsOf(crashed, hard).slice(0, done)) await step();
      if (done === count) {
        expect(openBlockStore(crashed.blocks).height).toBe(hard ? 5n : 6n);
        expect(openStateStore(crashed.states).load()?.lastBlockHeight).toBe(5n);
        // Twice is once where the block is left: it waits to be executed.
        const twice = planOf(crashed);
        if (!hard) expect(twice).toMatchObject({ ok: true, value: { pending: true, block: 6n } });
      }
      const driver = await start(crashed);
      await runTo(driver, 6n);
      expect([done, hashOf(crashed, 6n)]).toEqual([done, hash]);
      expect(openStateStore(crashed.states).load()?.appHash).toEqual(states.get(6n)?.appHash);
      await runTo(driver, 9n);
      await driver.executor.close();
    }
  },
);

test('the first block cannot be taken back, nor a height below which nothing is kept', async () => {
  const { disks } = await lived(2n);
  for (const step of stepsOf(disks, true)) await step();
  expect(planOf(disks)).toEqual({
    ok: false,
    error: 'block 1 is the first of the chain: autond comet unsafe-reset-all forgets it',
  });
  expect(planOf(oneDisk())).toEqual({ ok: false, error: 'there is no block yet' });
  const { disks: pruned } = await lived(6n);
  const [blocks, states] = [openBlockStore(pruned.blocks), openStateStore(pruned.states)];
  await blocks.prune(6n, 20);
  await states.prune(6n, 20);
  expect(planOf(pruned)).toMatchObject({
    ok: false,
    error: expect.stringContaining('the first block that is kept is 6'),
  });
});

test('the log keeps what was said in the height; what binds the validator in a later one is not forgotten', () => {
  const mark = (height: bigint) => encodeWalRecord({ kind: 'end-height', height: toHeight(height) });
  const signed = (type: Vote['type'], height: bigint, hash: Uint8Array) => {
    const vote: Vote = {
      type,
      height: toHeight(height),
      round: toRound(0),
      blockId: { hash, partSetHeader: { total: hash.length === 0 ? 0 : 1, hash } },
      timestamp: { seconds: 0n, nanos: 0 },
      validatorAddress: toAddress(new Uint8Array(20)),
      validatorIndex: 0,
      signature: new Uint8Array(64).fill(1),
      extension: EMPTY,
      extensionSignature: EMPTY,
    };
    return encodeWalRecord({ kind: 'input', input: { kind: 'vote-signed', vote: vote as VerifiedVote } });
  };
  const block = new Uint8Array(32).fill(9);
  const before = concat(mark(4n), signed(PRECOMMIT, 5n, block));
  expect(planWalCut(concat(before, mark(5n)), toHeight(5n))).toEqual({ ok: true, value: before.length });
  const unbound = concat(signed(PREVOTE, 6n, block), signed(PRECOMMIT, 6n, EMPTY));
  expect(planWalCut(concat(before, mark(5n), unbound), toHeight(5n))).toEqual({ ok: true, value: before.length });
  expect(planWalCut(concat(before, mark(5n), unbound, signed(PRECOMMIT, 6n, block)), toHeight(5n))).toEqual({
    ok: false,
    error:
      'this validator has precommitted a block of height 6, and must not forget it: start the node, and stop it once that height is over',
  });
  expect(planWalCut(before, toHeight(5n))).toEqual({ ok: true, value: undefined });
});
