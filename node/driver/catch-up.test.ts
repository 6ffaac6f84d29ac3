import { expect, test } from 'vitest';
import { CONSENSUS_LIMITS } from '#consensus/limits.ts';
import { decodePeerMessage } from '#consensus/messages.ts';
import { Kit, trusting } from '#consensus/test-kit.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { encodeBlock } from '#core/types/block.ts';
import { toRound } from '#core/types/brand.ts';
import { encodeCommit } from '#core/types/commit.ts';
import { encodeHeader } from '#core/types/header.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { NODE_LIMITS } from '../limits.ts';
import { CatchUp } from './catch-up.ts';
import { openBlockStore } from './stores.ts';

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
