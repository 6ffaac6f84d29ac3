/** Evidence of attacks on light clients: what convicts, forward lunatics included, and that no forged or missing field does. */
import { describe, expect, test } from 'vitest';
import { EMPTY } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { toHeight } from '#core/types/brand.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { encodeEvidence, evidenceHash, evidenceHeight, evidenceId, readEvidence } from '#core/types/evidence.ts';
import { headerHash } from '#core/types/header.ts';
import { encodeAttack, type LightClientAttackEvidence, makeAttackEvidence } from '#core/types/light-attack.ts';
import { encodeLightBlock, type LightBlock } from '#core/types/light-block.ts';
import { addMillis } from '#core/types/timestamp.ts';
import { decide, fastVerifier, makeChain, nextHeader, signers } from '#test/support/light-chain.ts';
import { type EvidenceContext, toMisbehavior, verifyEvidence } from './evidence.ts';

const members = () => signers(0, 4);
const chain = makeChain({ heights: 30, members });

/** What a node that has `height` blocks knows when it judges. */
function contextFor(evidence: LightClientAttackEvidence, height = 30): EvidenceContext {
  const common = chain.at(evidence.commonHeight);
  const at = evidence.conflictingBlock.header.height;
  return {
    chainId: common.header.chainId,
    validators: common.validators,
    blockTime: common.header.time,
    extensions: false,
    params: DEFAULT_CONSENSUS_PARAMS,
    height: toHeight(height),
    time: chain.at(height).header.time,
    verifier: fastVerifier,
    trusted: chain.at(at > height ? height - 1 : at),
  };
}

const lunaticBlock = decide(nextHeader(chain.at(19), signers(2, 4), signers(2, 4), 'made up'), signers(2, 4));
const lunatic = makeAttackEvidence(lunaticBlock, chain.at(20), chain.at(10));
const twinHeader = { ...chain.at(20).header, dataHash: headerHash(chain.at(20).header) };
const equivocation = makeAttackEvidence(
  decide(twinHeader, members(), { by: signers(1, 3) }),
  chain.at(20),
  chain.at(10),
);
const amnesia = makeAttackEvidence(decide(twinHeader, members(), { round: 2 }), chain.at(20), chain.at(10));

function judged(evidence: LightClientAttackEvidence, height = 30): string {
  const verdict = verifyEvidence(evidence, contextFor(evidence, height));
  return verdict.ok ? 'convicted' : verdict.error;
}

describe('what convicts', () => {
  test('lunatic: the signers that were validators of the common height', () => {
    expect(lunatic.commonHeight).toBe(10n);
    expect(judged(lunatic)).toBe('convicted');
    const told = toMisbehavior(lunatic);
    expect(told).toHaveLength(2);
    expect(told[0]).toMatchObject({ type: 'light-client-attack', height: 10n, totalVotingPower: 40n });
  });

  test('equivocation: who signed both', () => {
    expect(equivocation.commonHeight).toBe(20n);
    expect(judged(equivocation)).toBe('convicted');
    expect(toMisbehavior(equivocation)).toHaveLength(3);
  });

  test('amnesia is evidence, and accuses nobody', () => {
    expect(judged(amnesia)).toBe('convicted');
    expect(toMisbehavior(amnesia)).toEqual([]);
  });

  test('forward lunatic: only when its time is not later than the chain', () => {
    const forward = (ms: bigint) => {
      const header = {
        ...nextHeader(chain.at(30), members(), members(), 'made up'),
        height: toHeight(40),
        time: addMillis(chain.at(29).header.time, ms),
      };
      return makeAttackEvidence(decide(header, members()), chain.at(29), chain.at(10));
    };
    expect(judged(forward(0n))).toBe('convicted');
    expect(judged(forward(1n))).toContain('a later block may have a later time');
  });

  test('the id names block and common height only; the hash covers all', () => {
    const fewer = { ...lunatic, byzantineValidators: lunatic.byzantineValidators.slice(1) };
    expect(evidenceId(fewer)).toEqual(evidenceId(lunatic));
    expect(evidenceHash([fewer])).not.toEqual(evidenceHash([lunatic]));
    expect(evidenceHeight(lunatic)).toBe(10n);
  });
});

type Forgery = [what: string, evidence: LightClientAttackEvidence, refusal: RegExp];

const withBlock = (change: Partial<LightBlock>): LightClientAttackEvidence => ({
  ...lunatic,
  conflictingBlock: { ...lunaticBlock, ...change },
});
const [accused] = lunatic.byzantineValidators;
if (accused === undefined) throw new Error('somebody is accused');

const forgeries: Forgery[] = [
  [
    'the block of the chain itself',
    makeAttackEvidence(chain.at(20), chain.at(20), chain.at(10)),
    /is the block of the chain/,
  ],
  ['a common height of another power', { ...lunatic, totalVotingPower: 41n }, /total_voting_power: expected 40/],
  ['another time', { ...lunatic, timestamp: addMillis(lunatic.timestamp, 1n) }, /timestamp: expected/],
  ['one accused less', { ...lunatic, byzantineValidators: [accused] }, /byzantine_validators: expected 2, got 1/],
  ['nobody accused', { ...lunatic, byzantineValidators: [] }, /expected 2, got 0/],
  [
    'somebody else accused',
    { ...lunatic, byzantineValidators: chain.at(10).validators.validators.slice(0, 2) },
    /byzantine_validators\[/,
  ],
  [
    'another power of an accused',
    { ...lunatic, byzantineValidators: lunatic.byzantineValidators.map((v) => ({ ...v, power: 9n })) },
    /with power 10/,
  ],
  ['somebody accused of amnesia', { ...amnesia, byzantineValidators: [accused] }, /expected 0, got 1/],
  [
    'a made-up block of the common height',
    { ...lunatic, commonHeight: toHeight(20), timestamp: chain.at(20).header.time },
    /made up, and yet of the common height/,
  ],
  ['a header that nobody signed', withBlock({ header: { ...lunaticBlock.header, appHash: EMPTY } }), /block_id\.hash/],
  [
    'a commit without signatures',
    withBlock({ commit: { ...lunaticBlock.commit, signatures: [] } }),
    /signatures: missing/,
  ],
  [
    'a third of the trusted did not sign',
    makeAttackEvidence(
      decide(nextHeader(chain.at(19), signers(3, 4), signers(3, 4), 'made up'), signers(3, 4)),
      chain.at(20),
      chain.at(10),
    ),
    /10 of 40 signed/,
  ],
  [
    'one of the minority signatures does not verify',
    withBlock({
      commit: {
        ...lunaticBlock.commit,
        signatures: lunaticBlock.commit.signatures.map((sig, i) =>
          i === 3 ? { ...sig, signature: new Uint8Array(64) } : sig,
        ),
      },
    }),
    /signature: does not verify/,
  ],
  ['validators that the header does not name', withBlock({ validators: chain.at(20).validators }), /validators_hash/],
];

describe('what does not', () => {
  test.each(forgeries)('%s', (_what, evidence, refusal) => {
    expect(judged(evidence)).toMatch(refusal);
  });

  test('of the future, expired, or too early to judge', () => {
    expect(judged(lunatic, 9)).toMatch(/not committed yet/);
    const context = contextFor(lunatic);
    const { evidence } = context.params;
    const old = { ...context.params, evidence: { ...evidence, maxAgeNumBlocks: 5n, maxAgeNanos: 1n } };
    expect(verifyEvidence(lunatic, { ...context, params: old }).ok).toBe(false);
    const early = verifyEvidence(lunatic, { ...context, trusted: undefined });
    expect(early.ok ? '' : early.error).toMatch(/to compare with yet/);
  });
});

describe('its bytes', () => {
  test('round trip', () => {
    for (const evidence of [lunatic, equivocation, amnesia]) {
      const bytes = encodeEvidence(evidence);
      const read = decode(() => readEvidence('evidence', bytes));
      expect(read).toEqual({ ok: true, value: evidence });
      expect(encodeEvidence(readEvidence('evidence', bytes))).toEqual(bytes);
    }
  });

  test('fields that are missing or out of range are refused when decoded', () => {
    const refusal = (inner: Uint8Array) => {
      const read = decode(() => readEvidence('evidence', new ProtoWriter().message(2, inner).finish()));
      return read.ok ? 'accepted' : read.error;
    };
    const block = encodeLightBlock(lunaticBlock);
    expect(refusal(EMPTY)).toContain('conflicting_block: missing');
    expect(refusal(new ProtoWriter().message(1, EMPTY).finish())).toContain('signed_header: missing');
    expect(refusal(new ProtoWriter().message(1, block).finish())).toContain('common_height: expected 1 … 20, got 0');
    expect(refusal(new ProtoWriter().message(1, block).varint(2, 21).finish())).toContain('got 21');
    expect(refusal(new ProtoWriter().message(1, block).varint(2, -1).finish())).toContain('got -1');
    expect(refusal(new ProtoWriter().message(1, block).varint(2, 1).finish())).toContain('total_voting_power');
    const other = { ...lunatic, conflictingBlock: { ...lunaticBlock, validators: chain.at(1).validators } };
    expect(refusal(encodeAttack(other))).toContain('validators_hash');
    const both = new ProtoWriter().message(1, EMPTY).message(2, encodeAttack(lunatic)).finish();
    expect(decode(() => readEvidence('evidence', both)).ok).toBe(false);
  });
});
