import { expect, test } from 'vitest';
import type { ChainState } from '#consensus/chain-state.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { toHeight } from '#core/types/brand.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { makeAttackEvidence } from '#core/types/light-attack.ts';
import { CHAIN_ID, decide, fastVerifier, makeChain, nextHeader, signers } from '#test/support/light-chain.ts';
import type { BlockStore } from './block-store.ts';
import { openEvidencePool } from './evidence-pool.ts';
import type { StateStore } from './state-store.ts';

const chain = makeChain({ heights: 40, members: () => signers(0, 4) });

/** As much of a node that has `newest` blocks as the pool looks at. */
function nodeAt(newest: number, kv = new MemoryKv()) {
  const known = (height: bigint, upTo = newest) => height >= 1n && height <= BigInt(upTo);
  const blocks = {
    meta: (height: bigint) => (known(height) ? { header: chain.at(height).header } : undefined),
    // The newest block's commit is in no block yet.
    commit: (height: bigint) => (known(height, newest - 1) ? chain.at(height).commit : undefined),
  } as Partial<BlockStore> as BlockStore;
  const states = {
    validators: (height: bigint) => (known(height) ? chain.at(height).validators : undefined),
    params: () => DEFAULT_CONSENSUS_PARAMS,
  } as Partial<StateStore> as StateStore;
  const { header } = chain.at(newest);
  const state = {
    chainId: CHAIN_ID,
    lastBlockHeight: header.height,
    lastBlockTime: header.time,
    params: DEFAULT_CONSENSUS_PARAMS,
  } as Partial<ChainState> as ChainState;
  return { kv, state, pool: openEvidencePool(kv, { blocks, states }, fastVerifier) };
}

const made = decide(nextHeader(chain.at(19), signers(2, 4), signers(2, 4), 'made up'), signers(2, 4));
const attack = makeAttackEvidence(made, chain.at(20), chain.at(10));

test('evidence of an attack is kept until it is in a block, and is in one block only', async () => {
  const { pool, state, kv } = nodeAt(30);
  expect(await pool.add(state, attack)).toEqual({ ok: true, value: true });
  expect(pool.pending(state, 1_000_000n)).toEqual([attack]);
  expect(pool.pending(state, 10n)).toEqual([]);
  expect(pool.check(state, [attack]).ok).toBe(true);
  expect(pool.check(state, [attack, attack])).toMatchObject({ ok: false, error: expect.stringContaining('twice') });
  // After a restart too.
  const again = nodeAt(31, kv);
  expect(again.pool.pending(again.state, 1_000_000n)).toEqual([attack]);
  await again.pool.committed(again.state, [attack]);
  expect(again.pool.pending(again.state, 1_000_000n)).toEqual([]);
  const fewer = { ...attack, byzantineValidators: [] };
  for (const evidence of [attack, fewer])
    expect(await again.pool.add(again.state, evidence)).toMatchObject({
      error: expect.stringContaining('already in an earlier block'),
    });
});

test('what does not convict is not kept', async () => {
  const { pool, state } = nodeAt(30);
  const forged = { ...attack, totalVotingPower: 41n };
  expect((await pool.add(state, forged)).ok).toBe(false);
  expect(pool.pending(state, 1_000_000n)).toEqual([]);
});

test('a block is judged when the next one carries its commit, the same on every node', async () => {
  const early = nodeAt(20);
  expect(await early.pool.add(early.state, attack)).toMatchObject({
    error: expect.stringContaining('to compare with yet'),
  });
  const later = nodeAt(21);
  expect((await later.pool.add(later.state, attack)).ok).toBe(true);
});

test('a block above the newest is judged by its time', async () => {
  const header = { ...nextHeader(chain.at(20), signers(0, 4), signers(0, 4), 'made up'), height: toHeight(35) };
  const forward = makeAttackEvidence(decide(header, signers(0, 4)), chain.at(29), chain.at(10));
  const { pool, state } = nodeAt(30);
  expect((await pool.add(state, forward)).ok).toBe(true);
  const honest = nodeAt(20);
  expect(await honest.pool.add(honest.state, forward)).toMatchObject({
    error: expect.stringContaining('a later block may have a later time'),
  });
});
