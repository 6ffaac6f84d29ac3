/** Evidence of attacks on light clients, true and forged, as messages to running validators; sets that are no sets inside. */
import { describe, expect, test } from 'vitest';
import { encodePeerMessage } from '#consensus/messages.ts';
import { defined } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { LIMITS } from '#core/limits.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { ABSENT_SIG, type CommitSig, FLAG_COMMIT } from '#core/types/commit.ts';
import { encodeHeader, type Header, headerHash } from '#core/types/header.ts';
import { type LightClientAttackEvidence, makeAttackEvidence } from '#core/types/light-attack.ts';
import { encodeLightBlock, encodeSignedHeader, type LightBlock } from '#core/types/light-block.ts';
import { addMillis } from '#core/types/timestamp.ts';
import type { Validator, ValidatorSet } from '#core/types/validator-set.ts';
import { PRECOMMIT, voteSignBytes } from '#core/types/vote.ts';
import { CHAIN_ID, type MiniNet, openMiniNet } from '../support/mini-net.ts';
import type { SimKey } from './keys.ts';

/** What the chain has at a height, with the commit that the next block carries. */
function blockAt(net: MiniNet, height: bigint): LightBlock {
  const { blocks, executor } = net.node('n0');
  const header = defined(blocks.meta(height), 'a block').header;
  const commit = defined(blocks.commit(height), 'a commit');
  return { header, commit, validators: executor.state.chain.validators };
}

/** The header, with precommits of round 0 by these keys. */
function signed(header: Header, validators: ValidatorSet, keys: readonly SimKey[]): LightBlock {
  const blockId = { hash: headerHash(header), partSetHeader: { total: 1, hash: new Uint8Array(32).fill(3) } };
  const timestamp = addMillis(header.time, 10n);
  const { height } = header;
  const signatures = validators.validators.map(({ address }): CommitSig => {
    const key = keys.find((each) => String(each.address) === String(address));
    if (key === undefined) return { ...ABSENT_SIG };
    const message = voteSignBytes(CHAIN_ID, { type: PRECOMMIT, height, round: toRound(0), blockId, timestamp });
    return { flag: FLAG_COMMIT, validatorAddress: address, timestamp, signature: key.sign(message) };
  });
  return { header, commit: { height, round: toRound(0), blockId, signatures }, validators };
}

const bytesOf = (evidence: LightClientAttackEvidence) => encodePeerMessage({ kind: 'evidence', evidence });
const raw = (attack: Uint8Array) =>
  new ProtoWriter().message(7, new ProtoWriter().message(2, attack).finish()).finish();

async function opened() {
  const net = await openMiniNet();
  await net.goesOn(8n);
  const common = blockAt(net, 1n);
  // Decided in round 0, as the block that conflicts with it will be.
  const real = defined(
    [2n, 3n, 4n, 5n, 6n].map((height) => blockAt(net, height)).find(({ commit }) => commit.round === 0),
    'a block of round 0',
  );
  const header: Header = { ...real.header, dataHash: new Uint8Array(32).fill(1) };
  const twin = (keys: readonly SimKey[], change: Partial<Header> = {}) =>
    signed({ ...header, ...change }, real.validators, keys);
  return { net, common, real, twin };
}

async function expectEach(net: MiniNet, bytes: Uint8Array, what: RegExp): Promise<void> {
  for (const verdict of await net.attack(bytes))
    expect(verdict.kind === 'reject' ? verdict.reason : verdict.kind).toMatch(what);
}

/** Evidence in the blocks of n1. */
function convictions(net: MiniNet): number {
  let count = 0;
  for (let at = 1n; at <= net.node('n1').blocks.height; at++)
    count += net.node('n1').blocks.block(at)?.evidence.length ?? 0;
  return count;
}

describe('Adversarial 22: light-client attack evidence with forged or nil fields; forward-lunatic header', () => {
  test('Adversarial 22: evidence with forged fields convicts nobody', async () => {
    const { net, common, real, twin } = await opened();
    const true_ = makeAttackEvidence(twin(net.validators), real, common);
    const forgeries: readonly (readonly [LightClientAttackEvidence, RegExp])[] = [
      [makeAttackEvidence(twin([net.played]), real, common), /conflicting_block: commit: 10 of 40 signed/],
      [makeAttackEvidence(real, real, common), /is the block of the chain/],
      [{ ...true_, totalVotingPower: 41n }, /total_voting_power: expected 40, got 41/],
      [{ ...true_, timestamp: addMillis(true_.timestamp, 1n) }, /evidence\.timestamp: expected/],
      [{ ...true_, byzantineValidators: [] }, /byzantine_validators: expected \d, got 0/],
      [
        { ...true_, byzantineValidators: true_.byzantineValidators.map((each) => ({ ...each, power: 11n })) },
        /with power 10/,
      ],
      [
        makeAttackEvidence(signed({ ...twin([]).header, appHash: EMPTY }, real.validators, [net.played]), real, common),
        /commit: 10 of 40 signed, expected more than 1\/3/,
      ],
    ];
    for (const [evidence, reason] of forgeries) await expectEach(net, bytesOf(evidence), reason);
    await net.goesOn();
    expect(convictions(net)).toBe(0);
  });

  test('Adversarial 22: evidence with fields that are not there', async () => {
    const { net, real, common, twin } = await opened();
    const { conflictingBlock: block, commonHeight } = makeAttackEvidence(twin(net.validators), real, common);
    const attack = (conflicting: Uint8Array | undefined) =>
      raw(new ProtoWriter().optional(1, conflicting).varint(2, commonHeight).finish());
    const header = new ProtoWriter().message(1, encodeHeader(block.header)).finish();
    for (const conflicting of [
      undefined,
      EMPTY,
      new ProtoWriter().message(1, encodeSignedHeader(block)).finish(),
      new ProtoWriter().message(1, EMPTY).message(2, EMPTY).finish(),
      new ProtoWriter().message(1, header).message(2, EMPTY).finish(),
      new ProtoWriter().message(1, new ProtoWriter().message(1, EMPTY).message(2, EMPTY).finish()).finish(),
    ])
      await expectEach(net, attack(conflicting), /evidence\.light_client_attack_evidence/);
    await expectEach(net, raw(EMPTY), /evidence/);
    await expectEach(
      net,
      raw(new ProtoWriter().message(1, encodeLightBlock(block)).varint(2, -1n).finish()),
      /common_height/,
    );
    await net.goesOn();
    expect(convictions(net)).toBe(0);
  });

  test('Adversarial 22: a forward-lunatic header is not judged before the chain is there', async () => {
    const { net, real, common } = await opened();
    const top = net.node('n0').blocks.height;
    for (const height of [top + 1n, top + 1_000n, 2n ** 63n - 1n])
      for (const keys of [[net.played], net.validators]) {
        const header: Header = {
          ...real.header,
          height: toHeight(height),
          time: addMillis(real.header.time, 1_000_000n),
          appHash: EMPTY,
        };
        const evidence = makeAttackEvidence(signed(header, real.validators, keys), real, common);
        await expectEach(net, bytesOf(evidence), /^ignore$/);
      }
    await net.goesOn();
    expect(convictions(net)).toBe(0);
  });

  test('Adversarial 22: a true attack is in one block, whoever tells of it how often', async () => {
    const { net, real, common, twin } = await opened();
    const evidence = makeAttackEvidence(twin(net.validators), real, common);
    for (let i = 0; i < 3; i++) {
      for (const verdict of await net.attack(bytesOf(evidence))) expect(verdict.kind).toBe('ignore');
      await net.goesOn(4n);
    }
    expect(convictions(net)).toBe(1);
  });
});

describe('validator sets in messages', () => {
  const with_ = (change: (validators: readonly Validator[]) => readonly Validator[]) => {
    return async (reason: RegExp) => {
      const { net, real, common, twin } = await opened();
      const evidence = makeAttackEvidence(twin(net.validators), real, common);
      const { conflictingBlock } = evidence;
      const validators = { ...real.validators, validators: change(real.validators.validators) };
      await expectEach(net, bytesOf({ ...evidence, conflictingBlock: { ...conflictingBlock, validators } }), reason);
      await net.goesOn();
    };
  };

  test('Limit: unsorted validators in a message', () =>
    with_((list) => list.toReversed())(/validators\[1\]: out of order, expected power descending/));
  test('Limit: duplicate validators in a message', () =>
    with_((list) => list.slice(0, 1).concat(list))(/validators\[1\]: out of order|occurs twice/));
  test('Limit: zero-power validators in a message', () =>
    with_((list) => list.map((each) => ({ ...each, power: 0n })))(/power must be positive/));
  test('Limit: negative power in a message', () =>
    with_((list) => list.map((each) => ({ ...each, power: -1n })))(/voting_power: -1 is negative/));
  test('Limit: total power overflow in a message', () =>
    with_((list) => list.map((each) => ({ ...each, power: LIMITS.maxTotalVotingPower })))(
      /total power \d+ exceeds 1152921504606846975/,
    ));
  test('Limit: no validators in a message', () => with_(() => [])(/validator|proposer/));
});
