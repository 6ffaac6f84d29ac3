import { expect, test } from 'vitest';
import { makeGenesisState } from '#consensus/chain-state.ts';
import { trusting } from '#consensus/test-kit.ts';
import { defined } from '#core/assert.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { LIMITS } from '#core/limits.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { PREVOTE, type Vote } from '#core/types/vote.ts';
import type { BlockMeta } from './block-meta.ts';
import { type BlockStore, openBlockStore } from './block-store.ts';
import { openEvidencePool } from './evidence-pool.ts';
import { openStateStore } from './state-store.ts';

const TIME = fromMillis(1_767_225_600_000n);

async function setting() {
  const genesis = makeGenesisState({
    chainId: 'evidence',
    initialHeight: toHeight(1n),
    time: TIME,
    params: DEFAULT_CONSENSUS_PARAMS,
    validators: [{ publicKey: ed25519Key(sha256(utf8('traitor'))), power: 1n }],
    appHash: EMPTY,
  });
  if (!genesis.ok) throw new Error(genesis.error);
  const state = { ...genesis.value, lastBlockHeight: toHeight(1n), lastBlockTime: TIME };
  const kv = new MemoryKv();
  const write = kv.write.bind(kv);
  // As a disk: nothing is there before the writer has waited.
  kv.write = async (ops) => {
    await Promise.resolve();
    await write(ops);
  };
  const states = openStateStore(kv);
  await states.save(genesis.value);
  const meta = { header: { time: TIME } } as unknown as BlockMeta;
  const blocks: BlockStore = Object.assign(openBlockStore(kv), { meta: () => meta });
  const pool = openEvidencePool(kv, { blocks, states }, trusting);
  const validator = defined(state.validators.validators[0], 'validator');
  const vote = (round: number, fill: number): Vote => {
    const hash = new Uint8Array(32).fill(fill);
    return {
      type: PREVOTE,
      height: toHeight(1n),
      round: toRound(round),
      blockId: { hash, partSetHeader: { total: 1, hash } },
      timestamp: TIME,
      validatorAddress: validator.address,
      validatorIndex: 0,
      signature: new Uint8Array(64).fill(1),
      extension: EMPTY,
      extensionSignature: EMPTY,
    };
  };
  return { state, pool, vote };
}

test('a block never gets more evidence than one may hold, however much there is', async () => {
  const { state, pool, vote } = await setting();
  for (let round = 0; round <= LIMITS.maxEvidencePerBlock; round++) pool.report(vote(round, 1), vote(round, 2));
  await pool.committed(state, []);
  const pending = pool.pending(state, state.params.evidence.maxBytes);
  expect(pending.length).toBe(LIMITS.maxEvidencePerBlock);
  expect(pool.check(state, pending).ok).toBe(true);
});

test('what is seen once more while a block settles it does not wait again', async () => {
  const { state, pool, vote } = await setting();
  pool.report(vote(0, 1), vote(0, 2));
  await pool.committed(state, []);
  const settled = pool.pending(state, state.params.evidence.maxBytes);
  expect(settled.length).toBe(1);
  pool.report(vote(0, 1), vote(0, 2));
  await pool.committed({ ...state, lastBlockHeight: toHeight(2n) }, settled);
  expect(pool.list()).toEqual([]);
});

test('what a peer tells of while the disk still writes that a block settled it does not wait again', async () => {
  const { state, pool, vote } = await setting();
  pool.report(vote(0, 1), vote(0, 2));
  await pool.committed(state, []);
  const settled = pool.pending(state, state.params.evidence.maxBytes);
  const next = { ...state, lastBlockHeight: toHeight(2n) };
  const writing = pool.committed(next, settled);
  expect(pool.receive(state, defined(settled[0], 'evidence')).kind).toBe('ignored');
  await writing;
  expect(pool.list()).toEqual([]);
});
