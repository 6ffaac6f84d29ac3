/** What a validator with the right to propose may do to the others: none of it may stop them or split them. */
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { type Block, encodeBlock } from '#core/types/block.ts';
import { type Commit, FLAG_COMMIT } from '#core/types/commit.ts';
import { headerHash } from '#core/types/header.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { parseTime } from '#core/types/timestamp.ts';
import { PRECOMMIT, PREVOTE } from '#core/types/vote.ts';
import { decodePeerMessage, encodePeerMessage } from './messages.ts';
import type { Candidate } from './state.ts';
import { Kit, voteName } from './test-kit.ts';

function candidateOf(block: Block): Candidate {
  const parts = createPartSet(encodeBlock(block));
  return { block, parts, blockId: { hash: headerHash(block.header), partSetHeader: parts.header } };
}

test('a block from the end of time does not make the votes against it unreadable', () => {
  const kit = new Kit({ self: 1 }).fire('new-height');
  const { block } = kit.block('late');
  const time = parseTime('9999-12-31T23:59:59.999999999Z');
  kit.propose(candidateOf({ ...block, header: { ...block.header, time } }), 0);
  expect(kit.ownVotes).toEqual(['prevote 0 nil']);
  for (const { message } of kit.of('publish')) {
    const read = decodePeerMessage(encodePeerMessage(message));
    expect(read.ok ? '' : read.error).toBe('');
  }
});
