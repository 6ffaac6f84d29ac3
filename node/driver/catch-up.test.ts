import { expect, test } from 'vitest';
import type { Input } from '#consensus/input.ts';
import { CONSENSUS_LIMITS } from '#consensus/limits.ts';
import { decodePeerMessage, type RoundStatus } from '#consensus/messages.ts';
import { type Candidate, roundStatus } from '#consensus/state.ts';
import { Kit, trusting } from '#consensus/test-kit.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { encodeBlock } from '#core/types/block.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { type ExtendedCommit, encodeCommit, toCommitSig } from '#core/types/commit.ts';
import { encodeHeader } from '#core/types/header.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { PRECOMMIT } from '#core/types/vote.ts';
import { NODE_LIMITS } from '../limits.ts';
import { openBlockStore } from './block-store.ts';
import { CatchUp } from './catch-up.ts';

test('a block is served in the very bytes that were decided, however its proposer wrote them', async () => {
  const kit = new Kit();
  const { block, blockId } = kit.block('unusual');
  // The fields of a message may stand in any order: the same block, other parts.
  const data = new ProtoWriter();
  for (const tx of block.txs) data.message(1, tx);
  const bytes = new ProtoWriter()
    .message(4, encodeCommit(block.lastCommit))
    .message(3, new Uint8Array(0))
    .message(2, data.finish())
    .message(1, encodeHeader(block.header))
    .finish();
  expect(bytes).not.toEqual(encodeBlock(block));
  const parts = createPartSet(bytes);
  const decided = { hash: blockId.hash, partSetHeader: parts.header };
  const blocks = openBlockStore(new MemoryKv());
  const { height } = block.header;
  const absent = kit.state.chain.validators.validators.map((_, index) => kit.vote(2, index, 0, decided));
  const signatures = absent.map((vote) => ({ ...vote, flag: 2 as const }));
  await blocks.save(block, decided, parts, { height, round: toRound(0), blockId: decided, signatures });

  const sent: Uint8Array[] = [];
  const catchUp = new CatchUp({
    state: kit.state,
    blocks,
    verifier: trusting,
    peers: new Map(),
    send: (_, message) => sent.push(message),
    fault: () => {},
    enqueue: () => {},
  });
  catchUp.onRequest('peer', height);
  const answer = decodePeerMessage(sent[0] ?? new Uint8Array(0));
  if (!answer.ok || answer.value.kind !== 'block-response') throw new Error('expected a block response');
  expect(createPartSet(answer.value.block).header).toEqual(parts.header);
});

test('what one peer may ask for at once fits into its queue', () => {
  const most = CONSENSUS_LIMITS.maxRequestsPerPeer * NODE_LIMITS.maxServedBlockBytes;
  expect(most).toBeLessThan(NODE_LIMITS.maxPeerQueueBytes);
  expect(NODE_LIMITS.maxServedBlockBytes).toBeLessThan(CONSENSUS_LIMITS.maxBlockResponseBytes);
});

/** A full node at height 1 with two peers far ahead, both of whom have every block. */
function behind() {
  const kit = new Kit({ self: -1 });
  const status: RoundStatus = { ...roundStatus(kit.state, toHeight(1n)), height: toHeight(4n) };
  const asked: { peer: string; height: bigint }[] = [];
  const faults: string[] = [];
  const inputs: Input[] = [];
  const catchUp = new CatchUp({
    state: kit.state,
    blocks: openBlockStore(new MemoryKv()),
    verifier: trusting,
    peers: new Map([
      ['x', status],
      ['y', status],
    ]),
    send: (peer, bytes) => {
      const message = decodePeerMessage(bytes);
      if (message.ok && message.value.kind === 'block-request') asked.push({ peer, height: message.value.height });
    },
    fault: (peer, reason) => faults.push(`${peer}: ${reason}`),
    enqueue: (input) => inputs.push(input),
  });
  catchUp.tick();
  const holderOf = (height: bigint) => asked.find((each) => each.height === height)?.peer ?? '';
  return { kit, catchUp, asked, faults, inputs, holderOf };
}

/** The block with a commit that only these validators have signed. */
function response(kit: Kit, { block, blockId }: Candidate, ...signed: number[]) {
  const height = kit.state.height;
  const signatures = kit.state.chain.validators.validators.map((_, i) =>
    toCommitSig(signed.includes(i) ? kit.vote(PRECOMMIT, i, 0, blockId) : undefined, blockId),
  );
  const commit: ExtendedCommit = { height, round: toRound(0), blockId, signatures };
  return { kind: 'block-response', height, block: encodeBlock(block), commit } as const;
}

test('a block whose commit does not decide it is refused, and asked of another peer', () => {
  const { kit, catchUp, asked, inputs, holderOf } = behind();
  const liar = holderOf(1n);
  const other = liar === 'x' ? 'y' : 'x';
  const block = kit.block('decided');
  expect(catchUp.onResponse(liar, response(kit, block, 0, 1))).toEqual({
    kind: 'reject',
    reason: 'block_response.commit: 20 of 40 signed, expected more than two thirds',
  });
  expect(inputs).toEqual([]);
  expect(asked.filter(({ height }) => height === 1n)).toEqual([
    { peer: liar, height: 1n },
    { peer: other, height: 1n },
  ]);
  expect(catchUp.onResponse(other, response(kit, block, 0, 1, 2)).kind).toBe('ignore');
  for (const input of inputs) kit.send(input);
  expect(kit.state.height).toBe(2n);
});

test('votes that are here already count for the commit of a block that comes', () => {
  const { kit, catchUp, inputs, holderOf } = behind();
  const block = kit.block('decided');
  kit.precommits(0, block, 0, 1);
  expect(catchUp.onResponse(holderOf(1n), response(kit, block, 0, 1, 2)).kind).toBe('ignore');
  expect(inputs.filter(({ kind }) => kind === 'vote')).toHaveLength(1);
});

test("a block that was held for its height and turns out wrong then is its own sender's fault", () => {
  const { kit, catchUp, faults, inputs, holderOf } = behind();
  const [first, second] = [holderOf(1n), holderOf(2n)];
  expect(first).not.toBe(second);
  const next = new Kit({ self: -1 });
  const block = next.block('one');
  const good = response(next, block, 0, 1, 2);
  next.parts(block, 0).precommits(0, block, 0, 1, 2);
  expect(catchUp.onResponse(second, response(next, next.block('two'), 0, 1)).kind).toBe('ignore');
  expect(catchUp.onResponse(first, good).kind).toBe('ignore');
  for (const input of inputs.splice(0)) kit.send(input);
  expect(kit.state.height).toBe(2n);
  catchUp.onHeight();
  expect(faults).toEqual([`${second}: block_response.commit: 20 of 40 signed, expected more than two thirds`]);
  expect(inputs).toEqual([]);
});
