/** Every decoder of peers' bytes: mutated and random input gives a value or a sentence, never anything else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decode } from '#core/codec/proto-reader.ts';
import { encodeBlock, readBlock } from '#core/types/block.ts';
import { encodeExtendedCommit, readCommit, readExtendedCommit } from '#core/types/commit.ts';
import { encodeEvidence, readEvidence } from '#core/types/evidence.ts';
import { encodeHeader, headerHash, readHeader } from '#core/types/header.ts';
import { makeAttackEvidence } from '#core/types/light-attack.ts';
import { encodeLightBlock, readLightBlock } from '#core/types/light-block.ts';
import { createPartSet, encodePart, readPart } from '#core/types/part-set.ts';
import { encodeProposal, readProposal } from '#core/types/proposal.ts';
import { createValidatorSet, encodeValidatorSet, readValidatorSet } from '#core/types/validator-set.ts';
import { encodeVote, readVote } from '#core/types/vote.ts';
import * as arbitrary from '#test/arbitrary/block.ts';
import { decide, makeChain, signers } from '#test/support/light-chain.ts';

const partBytes = fc.uint8Array({ minLength: 1, maxLength: 400 }).map((bytes) => {
  const part = createPartSet(bytes).parts[0];
  if (part === undefined) throw new Error('a part set has a part');
  return encodePart(part);
});
const setBytes = arbitrary.validatorUpdates.map((updates) => {
  const set = createValidatorSet(updates);
  if (!set.ok) throw new Error(set.error);
  return encodeValidatorSet(set.value);
});

const chain = makeChain({ heights: 3, members: (height) => signers(height, 3) });
const conflicting = decide({ ...chain.at(3).header, appHash: headerHash(chain.at(2).header) }, signers(3, 3));
const attack = makeAttackEvidence(conflicting, chain.at(3), chain.at(1));

const TARGETS: [string, fc.Arbitrary<Uint8Array>, (title: string, bytes: Uint8Array) => unknown][] = [
  ['vote', arbitrary.vote.map(encodeVote), readVote],
  ['proposal', arbitrary.proposal.map(encodeProposal), readProposal],
  ['extended commit', arbitrary.extendedCommit.map(encodeExtendedCommit), readExtendedCommit],
  ['commit', arbitrary.extendedCommit.map(encodeExtendedCommit), readCommit],
  ['evidence', arbitrary.duplicateVote.map(encodeEvidence), readEvidence],
  ['attack', fc.constant(encodeEvidence(attack)), readEvidence],
  ['light block', fc.constantFrom(...chain.blocks).map(encodeLightBlock), readLightBlock],
  ['header', arbitrary.header.map(encodeHeader), readHeader],
  ['block', arbitrary.block.map(encodeBlock), readBlock],
  ['part', partBytes, readPart],
  ['validator set', setBytes, readValidatorSet],
];

/** One edit: flip a byte, cut the tail, repeat or insert a slice. */
const edit = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'repeat', 'insert'),
  at: fc.nat(),
  value: fc.integer({ min: 1, max: 255 }),
});

function mutate(bytes: Uint8Array, edits: { kind: string; at: number; value: number }[]): Uint8Array {
  let out = [...bytes];
  for (const { kind, at, value } of edits) {
    const place = at % (out.length + 1);
    if (kind === 'flip' && place < out.length) out[place] = (out[place] as number) ^ value;
    else if (kind === 'cut') out = out.slice(0, place);
    else if (kind === 'repeat') out = [...out, ...out.slice(place, place + value)];
    else out.splice(place, 0, value);
  }
  return Uint8Array.from(out);
}

describe.each(TARGETS)('%s', (name, valid, read) => {
  test('mutated and random bytes', () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.tuple(valid, fc.array(edit, { minLength: 1, maxLength: 4 })).map(([bytes, edits]) => mutate(bytes, edits)),
          fc.uint8Array({ maxLength: 300 }),
        ),
        (bytes) => {
          const result = decode(() => read(name, bytes));
          if (!result.ok) expect(result.error.startsWith(name)).toBe(true);
        },
      ),
      { numRuns: Number(process.env.FUZZ_RUNS ?? 400) },
    );
  });
});
