import { expect, test } from 'vitest';
import { CONSENSUS_LIMITS } from '#consensus/limits.ts';
import { EMPTY } from '#core/bytes.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { NO_ROUND, toHeight, toRound } from '#core/types/brand.ts';
import { ZERO_TIME } from '#core/types/timestamp.ts';
import { type ConsensusMessage, EarlyMessages } from './early-messages.ts';

function proposalOf(round: number): ConsensusMessage {
  return {
    kind: 'proposal',
    proposal: {
      height: toHeight(2n),
      round: toRound(round),
      polRound: NO_ROUND,
      blockId: NIL_BLOCK_ID,
      timestamp: ZERO_TIME,
      signature: EMPTY,
    },
  };
}

test('the proposer of the second round cannot keep out the proposal of the first', () => {
  const early = new EarlyMessages();
  for (let i = 0; i < CONSENSUS_LIMITS.maxEarlyOfValidator; i++) early.keep('peer', Uint8Array.of(i), proposalOf(1));
  expect(early.isFullFor(proposalOf(1))).toBe(true);
  expect(early.isFullFor(proposalOf(0))).toBe(false);
});
