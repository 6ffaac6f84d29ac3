import { describe, expect, test } from 'vitest';
import {
  CHAIN_ID,
  decide,
  fastVerifier,
  makeChain,
  nextHeader,
  setOf,
  signer,
  signers,
} from '#test/support/light-chain.ts';
import { EMPTY } from '../bytes.ts';
import { NIL_BLOCK_ID } from './block-id.ts';
import { ABSENT_SIG, type Commit, type CommitSig, FLAG_COMMIT, FLAG_NIL } from './commit.ts';
import type { LightBlock } from './light-block.ts';
import { type CommitDepth, type Fraction, verifyCommitLight, verifyCommitLightTrusting } from './verify-commit.ts';
import { PRECOMMIT, voteSignBytes } from './vote.ts';

const context = { verifier: fastVerifier, chainId: CHAIN_ID };
const members = signers(0, 4);
const chain = makeChain({ heights: 2, members: () => members });
const block = chain.at(2);
const THIRD: Fraction = { numerator: 1n, denominator: 3n };

function light({ validators, header }: LightBlock, commit: Commit, depth?: CommitDepth): string {
  const verdict = verifyCommitLight(context, validators, block.commit.blockId, header.height, commit, depth);
  return verdict.ok ? 'ok' : `${verdict.error.kind}: ${verdict.error.message}`;
}

function trusting(commit: Commit, trusted = block.validators, level = THIRD, depth?: CommitDepth): string {
  const verdict = verifyCommitLightTrusting(context, trusted, commit, level, depth);
  return verdict.ok ? 'ok' : `${verdict.error.kind}: ${verdict.error.message}`;
}

function withSigs(change: (sig: CommitSig, i: number) => CommitSig): Commit {
  return { ...block.commit, signatures: block.commit.signatures.map(change) };
}
const at =
  (...indices: number[]) =>
  (change: (sig: CommitSig) => CommitSig) =>
    withSigs((sig, i) => (indices.includes(i) ? change(sig) : sig));
const absent = (): CommitSig => ({
  flag: ABSENT_SIG.flag,
  validatorAddress: EMPTY,
  timestamp: ABSENT_SIG.timestamp,
  signature: EMPTY,
});
const broken = (sig: CommitSig): CommitSig => ({ ...sig, signature: new Uint8Array(64) });

/** The validator at a place signs something else. */
function signedFor(index: number, flag: typeof FLAG_COMMIT | typeof FLAG_NIL, what: 'nil' | 'another block'): Commit {
  const { address } = block.validators.validators[index] ?? { address: EMPTY };
  const who = members.find(({ key }) => setOf([{ key, power: 1n }]).validators[0]?.address.join() === address.join());
  return at(index)((sig) => {
    const message = voteSignBytes(CHAIN_ID, {
      type: PRECOMMIT,
      height: block.commit.height,
      round: block.commit.round,
      blockId: what === 'nil' ? NIL_BLOCK_ID : chain.at(1).commit.blockId,
      timestamp: sig.timestamp,
    });
    return { ...sig, flag, signature: who?.key.sign(message) ?? EMPTY };
  });
}

describe('a commit of its own validators', () => {
  test('more than two thirds, and no less', () => {
    expect(light(block, block.commit)).toBe('ok');
    expect(light(block, at(3)(absent))).toBe('ok');
    expect(light(block, at(2, 3)(absent))).toBe('not-enough-power: commit: 20 of 40 signed, expected more than 2/3');
    const three = decide(nextHeader(undefined, signers(0, 3), signers(0, 3), ''), signers(0, 3), { by: signers(0, 2) });
    // Exactly two thirds are not enough.
    const verdict = verifyCommitLight(context, three.validators, three.commit.blockId, 1n, three.commit);
    expect(verdict.ok).toBe(false);
  });

  test('signatures up to the quorum are checked, or all of them', () => {
    expect(light(block, at(0)(broken))).toMatch(/^invalid: commit.signatures\[0\].signature/);
    expect(light(block, at(3)(broken))).toBe('ok');
    expect(light(block, at(3)(broken), 'all')).toMatch(/^invalid: commit.signatures\[3\].signature/);
  });

  test('power is counted before signatures are checked', () => {
    expect(
      light(
        block,
        withSigs((sig, i) => (i < 2 ? broken(sig) : absent())),
      ),
    ).toMatch(/^not-enough-power/);
  });

  test('a signature for another block or nil under the flag of this one (CVE-2020-15091)', () => {
    expect(light(block, signedFor(0, FLAG_COMMIT, 'another block'))).toMatch(/does not verify/);
    expect(light(block, signedFor(0, FLAG_COMMIT, 'nil'))).toMatch(/does not verify/);
  });

  test('a vote for nil is no vote for the block', () => {
    const nil = signedFor(0, FLAG_NIL, 'nil');
    expect(light(block, nil)).toBe('ok');
    const two = { ...nil, signatures: nil.signatures.map((sig, i) => (i === 1 ? absent() : sig)) };
    expect(light(block, two)).toMatch(/^not-enough-power: commit: 20 of 40/);
  });

  test('size, height, block and every address', () => {
    const { commit } = block;
    expect(light(block, { ...commit, signatures: commit.signatures.slice(1) })).toMatch(/expected 4, one a validator/);
    expect(light(block, { ...commit, height: chain.at(1).commit.height })).toMatch(/commit.height: expected 2/);
    expect(light(block, { ...commit, blockId: chain.at(1).commit.blockId })).toMatch(/commit.block_id/);
    const first = commit.signatures[0] as CommitSig;
    for (const place of [1, 3])
      expect(
        light(
          block,
          at(place)(() => first),
        ),
      ).toMatch(/validator_address: expected/);
  });
});

describe('a commit of others', () => {
  test('more than the level of the trusted, whoever else signed', () => {
    expect(trusting(block.commit, setOf([...signers(2, 2), ...signers(50, 3)]))).toBe('ok');
    // A third exactly is not more than a third.
    expect(trusting(block.commit, setOf([signer(3), ...signers(50, 2)]))).toBe(
      'not-enough-power: commit: 10 of 30 signed, expected more than 1/3',
    );
    expect(trusting(block.commit, block.validators, { numerator: 1n, denominator: 1n })).toMatch(/^not-enough-power/);
    expect(trusting(at(3)(absent), block.validators, { numerator: 2n, denominator: 3n })).toBe('ok');
  });

  test('one signer counts once', () => {
    const first = block.commit.signatures[0] as CommitSig;
    expect(trusting({ ...block.commit, signatures: [first, first, first, first] })).toMatch(/has signed at 0 already/);
    // Also beyond the signatures that suffice.
    expect(trusting({ ...block.commit, signatures: [...block.commit.signatures, first] })).toMatch(/already/);
  });

  test('signatures of the trusted must verify, up to the level or all', () => {
    expect(trusting(at(0)(broken))).toMatch(/^invalid/);
    expect(trusting(at(3)(broken))).toBe('ok');
    expect(trusting(at(3)(broken), block.validators, THIRD, 'all')).toMatch(/^invalid/);
  });

  test('powers near the limit do not overflow', () => {
    const huge = signers(0, 3, 2n ** 58n);
    const big = decide(nextHeader(undefined, huge, huge, ''), huge);
    const level = { numerator: 2n ** 40n - 1n, denominator: 2n ** 40n };
    expect(trusting(big.commit, big.validators, level)).toBe('ok');
  });
});
