import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { PRECOMMIT } from '#core/types/vote.ts';
import { CONSENSUS_LIMITS } from './limits.ts';
import { Kit } from './test-kit.ts';

test('Limit: maxUncheckedExtensions, votes whose extension nobody judges do not pile up without end', () => {
  const kit = new Kit({ self: 0, extensionsFrom: 1n, answersExtensions: false }).fire('new-height');
  const id = { hash: sha256(utf8('block')), partSetHeader: { total: 1, hash: sha256(utf8('parts')) } };
  const rounds = Math.ceil(CONSENSUS_LIMITS.maxUncheckedExtensions / 3) + 50;
  for (let round = 0; round < rounds; round++)
    for (const index of [1, 2, 3]) kit.send({ kind: 'vote', vote: kit.vote(PRECOMMIT, index, round, id, 'said') });
  expect(kit.state.awaiting.size).toBe(CONSENSUS_LIMITS.maxUncheckedExtensions);
  expect(kit.of('verify-extension').length).toBeLessThanOrEqual(CONSENSUS_LIMITS.maxUncheckedExtensions);
  // Votes without an extension are not held up by it.
  kit.precommits(0, undefined, 1);
  expect(kit.state.votes.precommits(0).get(1)).toBeDefined();
});
