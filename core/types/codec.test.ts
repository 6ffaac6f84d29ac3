import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import * as arbitrary from '#test/arbitrary/block.ts';
import { EMPTY, toHex } from '../bytes.ts';
import { decode } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { encodeBlock, readBlock } from './block.ts';
import { encodeBlockId, NIL_BLOCK_ID, readBlockId } from './block-id.ts';
import {
  EMPTY_COMMIT,
  encodeCommit,
  encodeExtendedCommit,
  readCommit,
  readExtendedCommit,
  toCommit,
} from './commit.ts';
import { encodeEvidence, readEvidence } from './evidence.ts';
import { encodeHeader, headerHash, readHeader } from './header.ts';
import { createPartSet, encodePart, readPart, verifyPart } from './part-set.ts';
import { encodeProposal, readProposal } from './proposal.ts';
import { encodeVote, PREVOTE, readVote, type Vote } from './vote.ts';

/** Decoding gives back the value, and only these very bytes decode to it. */
function roundTrips<T>(
  arb: fc.Arbitrary<T>,
  encode: (value: T) => Uint8Array,
  read: (title: string, bytes: Uint8Array) => T,
) {
  fc.assert(
    fc.property(arb, (value) => {
      const bytes = encode(value);
      const back = read('x', bytes);
      expect(back).toEqual(value);
      expect(toHex(encode(back))).toBe(toHex(bytes));
    }),
    { numRuns: 60 },
  );
}

describe('round trips', () => {
  test('block id', () => roundTrips(arbitrary.blockId, encodeBlockId, readBlockId));
  test('vote', () => roundTrips(arbitrary.vote, encodeVote, readVote));
  test('proposal', () => roundTrips(arbitrary.proposal, encodeProposal, readProposal));
  test('commit', () => roundTrips(arbitrary.extendedCommit.map(toCommit), encodeCommit, readCommit));
  test('extended commit', () => roundTrips(arbitrary.extendedCommit, encodeExtendedCommit, readExtendedCommit));
  test('evidence', () => roundTrips(arbitrary.duplicateVote, encodeEvidence, readEvidence));
  test('header', () => roundTrips(arbitrary.header, encodeHeader, readHeader));
  test('block', () => roundTrips(arbitrary.block, encodeBlock, readBlock));
  test('the empty commit of the first block', () => {
    expect(toHex(encodeCommit(EMPTY_COMMIT))).toBe('1a021200');
    expect(readCommit('c', encodeCommit(EMPTY_COMMIT))).toEqual(EMPTY_COMMIT);
    expect(toHex(encodeBlockId(NIL_BLOCK_ID))).toBe('1200');
  });
});

describe('refusals', () => {
  test('millions of empty elements are refused before they become objects', () => {
    // Whoever reads on to the end finds a field that is cut off, and says that instead.
    const empties = (tag: number) => new Uint8Array(2_000_001).map((_, i) => (i % 2 === 0 ? tag : 0));
    expect(decode(() => readCommit('x', Uint8Array.of(0x22)))).toMatchObject({ error: 'x field 4: truncated varint' });
    const block = new ProtoWriter().message(2, empties(0x0a)).finish();
    const cases: [Uint8Array, (title: string, bytes: Uint8Array) => unknown, string][] = [
      [block, readBlock, 'x.data: more than 100001 fields'],
      [empties(0x22), readCommit, 'x: more than 10004 fields'],
      [empties(0x22), readExtendedCommit, 'x: more than 10004 fields'],
    ];
    for (const [bytes, read, sentence] of cases)
      expect(decode(() => read('x', bytes))).toEqual({ ok: false, error: sentence });
  });

  const sample = fc.sample(arbitrary.vote, { seed: 7, numRuns: 1 })[0] as Vote;
  const plain = { ...sample, extension: EMPTY, extensionSignature: EMPTY };
  const refusal = (vote: object) => {
    const result = decode(() => readVote('vote', encodeVote({ ...plain, ...vote } as Vote)));
    return result.ok ? 'accepted' : result.error;
  };

  test.each([
    [{ type: 3 }, 'vote.type: expected 1 or 2, got 3'],
    [{ height: 0n }, 'vote.height: expected ≥ 1, got 0'],
    [{ height: -1n }, 'vote.height: expected ≥ 1, got -1'],
    [{ round: -1 }, 'vote.round: expected ≥ 0, got -1'],
    [{ validatorIndex: -1 }, 'vote.validator_index: expected ≥ 0, got -1'],
    [{ validatorIndex: 10_000 }, 'vote.validator_index: expected 0 … 9999, got 10000'],
    [{ validatorAddress: EMPTY }, 'vote.validator_address: expected 20 bytes, got 0'],
    [{ signature: EMPTY }, 'vote.signature: missing'],
    [{ signature: new Uint8Array(65) }, 'vote.signature: 65 bytes exceed the limit of 64'],
    [
      { type: PREVOTE, extension: Uint8Array.of(1), extensionSignature: Uint8Array.of(1) },
      'vote.extension: only a precommit for a block may carry one',
    ],
    [{ blockId: { ...NIL_BLOCK_ID, hash: new Uint8Array(32) } }, 'vote.block_id: expected nil or a complete id'],
  ] as [object, string][])('a vote is refused: %#', (change, message) => {
    expect(refusal(change)).toBe(message);
  });

  test('a block whose transactions are not those of its header', () => {
    fc.assert(
      fc.property(arbitrary.block, (block) => {
        const result = decode(() =>
          readBlock('block', encodeBlock({ ...block, txs: [...block.txs, Uint8Array.of(1)] })),
        );
        expect(result).toEqual({ ok: false, error: "block.header.data_hash: does not match the block's content" });
      }),
      { numRuns: 20 },
    );
  });
});

describe('header hash', () => {
  test('covers every field', () => {
    const [a, b] = fc.sample(arbitrary.header, { seed: 3, numRuns: 2 });
    if (a === undefined || b === undefined) throw new Error('expected two samples');
    for (const name of Object.keys(a) as (keyof typeof a)[]) {
      const changed = { ...a, [name]: name === 'version' ? { ...a.version, app: a.version.app ^ 1n } : b[name] };
      if (toHex(encodeHeader(changed)) === toHex(encodeHeader(a))) continue;
      expect(toHex(headerHash(changed)), name).not.toBe(toHex(headerHash(a)));
    }
  });
});

describe('part set', () => {
  test('parts prove themselves, and only in their own place', () => {
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 300_000 }), (size) => {
        const set = createPartSet(Uint8Array.from({ length: size }, (_, i) => (i * 2654435761) >>> 24));
        const parts = set.parts.map((part) => readPart('part', encodePart(part)));
        expect(parts.every((part) => verifyPart(set.header, part))).toBe(true);
        expect(parts.reduce((sum, part) => sum + part.bytes.length, 0)).toBe(size);
        const first = parts[0];
        if (first === undefined) return;
        expect(verifyPart(set.header, { ...first, index: 1, proof: { ...first.proof, index: 1 } })).toBe(false);
        expect(
          verifyPart(set.header, { ...first, bytes: first.bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte)) }),
        ).toBe(false);
        expect(verifyPart({ ...set.header, total: set.header.total + 1 }, first)).toBe(false);
        // Proven before, under another root.
        expect(verifyPart({ ...set.header, hash: first.proof.leafHash.map((byte) => byte ^ 1) }, first)).toBe(false);
      }),
      { numRuns: 12 },
    );
  });
});
