import { expect, test } from 'vitest';
import type { ChainState } from '#consensus/chain-state.ts';
import { makeDuplicateVoteEvidence } from '#consensus/evidence.ts';
import { EMPTY } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { err, ok } from '#core/result.ts';
import { type Block, encodeBlock } from '#core/types/block.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { type ConsensusParams, DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { validatorSetHash } from '#core/types/validator-set.ts';
import { PREVOTE, type Vote, voteSignBytes } from '#core/types/vote.ts';
import {
  CHAIN_ID,
  fastVerifier,
  makeChain,
  provider,
  type Signer,
  type SimProvider,
  signer,
  signers,
} from '#test/support/light-chain.ts';
import { openBlockStore } from '../driver/block-store.ts';
import { openEvidencePool } from '../driver/evidence-pool.ts';
import { createPruner } from '../driver/pruner.ts';
import { openStateStore } from '../driver/state-store.ts';
import { backfill } from './backfill.ts';

const HEIGHTS = 60;
const SNAPSHOT = 50;
/** The set changes at a few heights, and at no others. */
const members = (height: number): readonly Signer[] => signers(height < 20 ? 0 : height < 43 ? 3 : 6, 4);
const chain = makeChain({ heights: HEIGHTS, members });

function params(blocks: bigint): ConsensusParams {
  return { ...DEFAULT_CONSENSUS_PARAMS, evidence: { maxAgeNumBlocks: blocks, maxAgeNanos: 1n, maxBytes: 1_048_576n } };
}

/** The stores of a node that has just begun at the snapshot. */
async function begun(maxAge: bigint) {
  const kv = new MemoryKv();
  const [blocks, states] = [openBlockStore(kv), openStateStore(kv)];
  const [last, current, next] = [chain.at(SNAPSHOT), chain.at(SNAPSHOT + 1), chain.at(SNAPSHOT + 2)];
  const before = chain.at(SNAPSHOT - 1);
  const state: ChainState = {
    chainId: CHAIN_ID,
    initialHeight: toHeight(1n),
    lastBlockHeight: last.header.height,
    lastBlockId: last.commit.blockId,
    lastBlockTime: last.header.time,
    validators: current.validators,
    nextValidators: next.validators,
    lastValidators: last.validators,
    lastHeightValidatorsChanged: toHeight(BigInt(SNAPSHOT + 2)),
    params: params(maxAge),
    lastHeightParamsChanged: toHeight(BigInt(SNAPSHOT + 1)),
    lastResultsHash: EMPTY,
    appHash: current.header.appHash,
    lastHeaderAppHash: last.header.appHash,
  };
  const block: Block = { header: last.header, txs: [], evidence: [], lastCommit: before.commit };
  const seen = last.commit.signatures.map((sig) => ({ ...sig, extension: EMPTY, extensionSignature: EMPTY }));
  await blocks.save(block, last.commit.blockId, createPartSet(encodeBlock(block)), {
    ...last.commit,
    signatures: seen,
  });
  await states.bootstrap(state, state.params);
  const fill = (...providers: SimProvider[]) =>
    backfill(state, last.header, { providers, blocks, states, verifier: fastVerifier, logger: silentLogger });
  return { kv, blocks, states, state, fill };
}

test('headers, commits and validators are there back to where evidence expires, and no further', async () => {
  const { kv, states, blocks, fill } = await begun(35n);
  await fill(provider('a', chain));
  // A header of 36 blocks before the last one is too old.
  expect(blocks.headerBase).toBe(15n);
  expect(blocks.base).toBe(BigInt(SNAPSHOT));
  expect(states.base).toBe(BigInt(SNAPSHOT));
  const again = [openBlockStore(kv), openStateStore(kv)] as const;
  for (const [b, s] of [[blocks, states] as const, again])
    for (let height = 15; height < SNAPSHOT; height++) {
      const { header, commit, validators } = chain.at(height);
      expect(b.meta(BigInt(height))).toEqual({ blockId: commit.blockId, header, size: 0, txCount: 0 });
      expect(b.commit(BigInt(height))).toEqual(commit);
      expect(b.heightOfHash(commit.blockId.hash)).toBe(BigInt(height));
      expect(b.block(BigInt(height))).toBeUndefined();
      const stored = s.validators(BigInt(height));
      expect(stored && validatorSetHash(stored)).toEqual(validatorSetHash(validators));
    }
  expect(blocks.meta(14n)).toBeUndefined();
  expect(states.validators(14n)).toBeUndefined();
});

test('a chain younger than the window is filled to its first block', async () => {
  const { blocks, fill } = await begun(1_000n);
  await fill(provider('a', chain));
  expect(blocks.headerBase).toBe(1n);
});

test('a source that lies or does not have a header is passed over; what another says is verified as well', async () => {
  const forged = makeChain({ heights: SNAPSHOT, members, fork: { of: chain, above: 30 } });
  const liar = provider('liar', chain);
  for (let height = 31; height <= 40; height++) liar.lies.set(BigInt(height), ok(forged.at(height)));
  const pruned = provider('pruned', chain);
  for (let height = 1; height <= 35; height++)
    pruned.lies.set(BigInt(height), err({ kind: 'not-found', message: 'gone' }));
  const good = provider('good', chain);
  const { blocks, fill } = await begun(1_000n);
  await fill(liar, pruned, good);
  expect(blocks.headerBase).toBe(1n);
  for (let height = 1; height < SNAPSHOT; height++)
    expect(blocks.meta(BigInt(height))?.header).toEqual(chain.at(height).header);
  expect(good.asked.every((height) => height <= 35n)).toBe(true);
});

test('a commit of another round, with other signatures, or for other parts is not taken', async () => {
  const { header, commit, validators } = chain.at(49);
  const [first, ...others] = commit.signatures;
  if (first === undefined) throw new Error('a signature');
  const bad = [
    { ...commit, round: toRound(7) },
    { ...commit, signatures: [{ ...first, timestamp: header.time }, ...others] },
    { ...commit, blockId: { ...commit.blockId, partSetHeader: { total: 2, hash: header.dataHash } } },
  ];
  for (const lie of bad) {
    const source = provider('bad', chain);
    source.lies.set(49n, ok({ header, commit: lie, validators }));
    const { blocks, states, fill } = await begun(1_000n);
    await fill(source);
    expect(blocks.headerBase).toBe(BigInt(SNAPSHOT));
    expect(states.validators(49n)).toBeUndefined();
  }
});

/** Two prevotes of one validator at a height before the snapshot. */
function crime(height: number) {
  const { header, validators } = chain.at(height);
  const validator = validators.validators[0];
  const guilty = Array.from({ length: 20 }, (_, i) => signer(i)).find(
    ({ key }) => String(key.publicKey) === String(validator?.publicKey.bytes),
  );
  if (validator === undefined || guilty === undefined) throw new Error('a validator');
  const vote = (blockId: Vote['blockId']): Vote => {
    const bare = {
      type: PREVOTE,
      height: header.height,
      round: toRound(0),
      blockId,
      timestamp: header.time,
      validatorAddress: validator.address,
      validatorIndex: 0,
      extension: EMPTY,
      extensionSignature: EMPTY,
    } as const;
    return { ...bare, signature: guilty.key.sign(voteSignBytes(CHAIN_ID, bare)) };
  };
  return makeDuplicateVoteEvidence(vote(NIL_BLOCK_ID), vote(chain.at(height).commit.blockId), validators, header.time);
}

test('evidence of before the snapshot is judged as by everybody else', async () => {
  const { kv, blocks, states, state, fill } = await begun(35n);
  const pool = () => openEvidencePool(kv, { blocks, states }, fastVerifier);
  expect(pool().check(state, [crime(30)]).ok).toBe(false);
  await fill(provider('a', chain));
  for (const height of [15, 30, 43, 49]) expect(pool().check(state, [crime(height)])).toEqual(ok(true));
  expect(pool().receive(state, crime(10)).kind).toBe('ignored');
  const forged = crime(30);
  const wrong = { ...forged, voteB: { ...forged.voteB, signature: new Uint8Array(64).fill(1) } };
  expect(pool().check(state, [wrong]).ok).toBe(false);
});

test('pruning frees what was filled in, oldest first, as it expires', async () => {
  const { kv, blocks, states, state, fill } = await begun(35n);
  await fill(provider('a', chain));
  const pruner = createPruner({
    blocks,
    states,
    app: { pruneStep: async () => ({ done: true }) },
    index: undefined,
    pause: async () => {},
    logger: silentLogger,
  });
  const later = {
    ...state,
    lastBlockHeight: toHeight(70n),
    lastBlockTime: { ...state.lastBlockTime, seconds: state.lastBlockTime.seconds + 20n },
  };
  pruner.committed(later, 70n);
  await pruner.settled();
  expect(blocks.headerBase).toBe(35n);
  expect(blocks.meta(34n)).toBeUndefined();
  expect(blocks.commit(34n)).toBeUndefined();
  expect(states.validators(34n)).toBeUndefined();
  expect(states.validators(35n)).toBeDefined();
  expect(openBlockStore(kv).headerBase).toBe(35n);
  expect(blocks.base).toBe(BigInt(SNAPSHOT));
});
