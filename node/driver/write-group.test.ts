import { expect, test } from 'vitest';
import { makeBlock } from '#consensus/block-rules.ts';
import type { ChainState } from '#consensus/chain-state.ts';
import type { Input } from '#consensus/input.ts';
import { Kit } from '#consensus/test-kit.ts';
import { decodeWal } from '#consensus/wal-codec.ts';
import { defined } from '#core/assert.ts';
import { concat, EMPTY, u64be } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { toHeight } from '#core/types/brand.ts';
import { EMPTY_COMMIT } from '#core/types/commit.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { NODE_LIMITS } from '../limits.ts';
import { noTxs } from './ports.ts';
import { WriteGroup, type WriteGroupDeps } from './write-group.ts';

/** A group over ports that write down what they are asked, in order. */
function recorded() {
  const said: string[] = [];
  let held = 0;
  const say = async (text: string) => void said.push(text);
  const partial = {
    app: {
      finalizeBlock: () => ({
        events: [],
        txResults: [],
        validatorUpdates: [],
        consensusParamUpdates: undefined,
        appHash: EMPTY,
      }),
      commit: async () => {
        await say('application');
        return { retainHeight: 0n };
      },
    },
    states: {
      saveFinalizeResponse: (height: bigint, _: unknown, { sync }: { sync: boolean }) =>
        say(`results ${height}${sync ? ' synced' : ''}`),
      save: ({ lastBlockHeight }: ChainState, options?: { sync: boolean }) =>
        say(`state ${lastBlockHeight}${options?.sync === true ? ' synced' : ''}`),
    },
    evidence: { committed: async () => {} },
    txs: noTxs,
    logger: silentLogger,
    wal: {
      append: (frame: Uint8Array) => {
        const read = decodeWal(concat(frame));
        const record = read.ok ? read.value.records[0] : undefined;
        return say(record?.kind === 'end-height' ? `mark ${record.height}` : 'input');
      },
      rotate: async () => {},
    },
    held: {
      hold: () => {
        held++;
      },
      release: () => say('release'),
      heldBytes: 0,
    },
    onCommitted: ({ block, followed }: { block: { header: { height: bigint } }; followed?: true }) =>
      say(`told ${block.header.height}${followed === undefined ? '' : ', followed'}`),
  };
  const group = new WriteGroup(partial as unknown as WriteGroupDeps);
  const first = new Kit().state.chain;
  let state = first;
  async function apply(more: boolean): Promise<void> {
    const proposerAddress = defined(state.validators.proposer, 'proposer').address;
    const draft = makeBlock(first, { txs: [], evidence: [], lastCommit: EMPTY_COMMIT, proposerAddress });
    const block = { ...draft, header: { ...draft.header, height: toHeight(state.lastBlockHeight + 1n) } };
    const { header } = createPartSet(u64be(block.header.height));
    state = await group.apply(state, block, { hash: header.hash, partSetHeader: header }, more);
  }
  return { said, group, apply, held: () => held };
}

const input = { kind: 'txs-available', height: 2n } as Extract<Input, { kind: 'txs-available' }>;

test('a block alone is on disk, told and marked at once', async () => {
  const { said, apply, held } = recorded();
  await apply(false);
  expect(said).toEqual(['results 1 synced', 'application', 'state 1', 'told 1', 'mark 1']);
  expect(held()).toBe(0);
});

test('blocks that follow one another come to disk before the application, and are told and marked after it', async () => {
  const { said, group, apply } = recorded();
  await apply(true);
  await group.log(input);
  await apply(true);
  await apply(false);
  expect(said.slice(0, 9)).toEqual(
    [1, 2, 3].flatMap((height) => [`results ${height}`, 'application', `state ${height}`]),
  );
  // What was logged for height 2 is of no use to anybody.
  expect(said.slice(9)).toEqual([
    'state 3 synced',
    'release',
    'told 1, followed',
    'told 2, followed',
    'told 3',
    'mark 3',
  ]);
  await group.settle();
  expect(said.at(-1)).toBe('mark 3');
});

test('what was logged of the height to come stands behind the mark', async () => {
  const { said, group, apply } = recorded();
  await apply(true);
  await group.log(input);
  expect(said).not.toContain('input');
  await group.settle();
  expect(said.slice(-5)).toEqual(['state 1 synced', 'release', 'told 1', 'mark 1', 'input']);
  await group.log(input);
  expect(said.at(-1)).toBe('input');
});

test('no more than so many blocks wait', async () => {
  const { said, apply } = recorded();
  for (let i = 0; i < NODE_LIMITS.maxHeldBlocks; i++) await apply(true);
  expect(said.at(-1)).toBe(`mark ${NODE_LIMITS.maxHeldBlocks}`);
  expect(said.filter((text) => text === 'release')).toHaveLength(1);
});
