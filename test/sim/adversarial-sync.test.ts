/** Peers that serve blocks to a late node and lie: it blames whom it should, and comes up by the honest ones. */
import { describe, expect, test } from 'vitest';
import { decodePeerMessage, encodePeerMessage } from '#consensus/messages.ts';
import { roundStatus } from '#consensus/state.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { encodeBlock } from '#core/types/block.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { ABSENT_SIG, type ExtendedCommit, type ExtendedCommitSig, FLAG_COMMIT, FLAG_NIL } from '#core/types/commit.ts';
import { type MiniNet, type MiniNetOptions, openMiniNet } from '../support/mini-net.ts';

interface Served {
  readonly block: Uint8Array;
  readonly commit: ExtendedCommit;
}

/** What the late node has asked the attacker for, in order. */
function asked(net: MiniNet): bigint[] {
  const heights: bigint[] = [];
  for (const { from, bytes } of net.toAttacker) {
    const message = from === 'late' ? decodePeerMessage(bytes) : undefined;
    if (message?.ok && message.value.kind === 'block-request') heights.push(message.value.height);
  }
  return heights;
}

async function connectHonest(net: MiniNet): Promise<void> {
  const late = net.node('late');
  for (const id of ['n0', 'n1', 'n2']) {
    late.executor.addPeer(id);
    net.node(id).executor.addPeer('late');
  }
  await net.until('the late node is with the others', () => late.blocks.height >= net.node('n0').blocks.height);
  await net.goesOn();
}

/** A late node that knows the attacker alone, who serves true blocks bent by `bend`. Answers why they were refused. */
async function serveBent(options: MiniNetOptions, bend: (served: Served) => Served): Promise<string[]> {
  const net = await openMiniNet(options);
  await net.goesOn(8n);
  const late = await net.join('late', undefined, []);
  late.executor.addPeer('attacker');
  const status = roundStatus(net.node('n0').executor.state, toHeight(1n));
  await net.attack({ kind: 'status', status }, ['late']);
  await net.until('a request', () => asked(net).includes(1n));
  const refused: string[] = [];
  for (const height of asked(net)) {
    const [block, commit] = [net.node('n0').blocks.block(height), net.node('n0').blocks.seenCommit(height)];
    if (block === undefined || commit === undefined) continue;
    const answer = { kind: 'block-response', height: toHeight(height), ...bend({ block: encodeBlock(block), commit }) };
    for (const verdict of await net.attack(encodePeerMessage(answer as never), ['late']))
      if (verdict.kind === 'reject') refused.push(verdict.reason);
  }
  expect(late.blocks.height).toBe(0n);
  expect(late.executor.state.height).toBe(1n);
  await connectHonest(net);
  return refused;
}

const eachSig = (change: (sig: ExtendedCommitSig, index: number) => ExtendedCommitSig) => (served: Served) => ({
  ...served,
  commit: {
    ...served.commit,
    signatures: served.commit.signatures.map((sig, i) => (sig.flag === FLAG_COMMIT ? change(sig, i) : sig)),
  },
});
const onlySig = (wanted: number, change: (sig: ExtendedCommitSig) => ExtendedCommitSig) => (served: Served) => {
  const present = served.commit.signatures.flatMap((sig, i) => (sig.flag === FLAG_COMMIT ? [i] : []));
  return eachSig((sig, i) => (i === present[wanted] ? change(sig) : sig))(served);
};
const flip = (bytes: Uint8Array) => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));

describe('Limit: block sync, a peer that bends the commit', () => {
  test.each<[string, RegExp, (served: Served) => Served]>([
    [
      'Limit: block sync, unsigned extended commits',
      /block_response\.commit: vote\.extension_signature: does not verify/,
      eachSig((sig) => ({ ...sig, extension: EMPTY, extensionSignature: EMPTY })),
    ],
    [
      'Limit: block sync, one extension of an extended commit badly signed',
      /vote\.extension_signature: does not verify/,
      onlySig(2, (sig) => ({ ...sig, extensionSignature: flip(sig.extensionSignature) })),
    ],
    [
      'Limit: block sync, another extension under the signature',
      /vote\.extension_signature: does not verify/,
      onlySig(1, (sig) => ({ ...sig, extension: utf8('forged') })),
    ],
    [
      'Limit: block sync, an extension without a signature',
      /extension_signature: missing/,
      onlySig(0, (sig) => ({ ...sig, extension: utf8('said'), extensionSignature: EMPTY })),
    ],
    [
      'Limit: block sync, an extension on a vote for nil',
      /only a vote for the block may carry one/,
      onlySig(0, (sig) => ({ ...sig, flag: FLAG_NIL })),
    ],
    [
      'Limit: block sync, too few signatures',
      /commit: 20 of 40 signed, expected more than two thirds/,
      onlySig(0, () => ABSENT_SIG),
    ],
    [
      'Limit: block sync, a signature under the address of another slot',
      /vote\.validator_address: expected [0-9a-f]{40} at index/,
      (served) => {
        const addresses = served.commit.signatures.map((sig) => sig.validatorAddress).filter((each) => each.length > 0);
        return onlySig(0, (sig) => ({ ...sig, validatorAddress: addresses[1] ?? EMPTY }))(served);
      },
    ],
    [
      'Limit: block sync, all signatures for nil',
      /commit: 0 of 40 signed, expected more than two thirds/,
      eachSig((sig) => ({ ...sig, flag: FLAG_NIL, extension: EMPTY, extensionSignature: EMPTY })),
    ],
    [
      'Limit: block sync, more signatures than validators',
      /vote\.validator_index: expected 0 … 3, got 4/,
      (served) => ({
        ...served,
        commit: {
          ...served.commit,
          signatures: [...served.commit.signatures, ...served.commit.signatures.filter((s) => s.flag === FLAG_COMMIT)],
        },
      }),
    ],
    [
      'Limit: block sync, a commit of another height',
      /commit\.height: expected 1, got 2/,
      (served) => ({ ...served, commit: { ...served.commit, height: toHeight(served.commit.height + 1n) } }),
    ],
    [
      'Limit: block sync, a commit of another round',
      /signature: does not verify/,
      (served) => ({ ...served, commit: { ...served.commit, round: toRound(served.commit.round + 1) } }),
    ],
    [
      'Limit: block sync, other bytes than those that were decided',
      /not the block that its commit is for/,
      (served) => ({ ...served, block: flip(served.block) }),
    ],
    [
      'Limit: block sync, a commit for nothing',
      /a commit cannot be for nil|block_id/,
      (served) => ({ ...served, commit: { ...served.commit, blockId: NIL_BLOCK_ID } }),
    ],
  ])('%s', async (_name, reason, bend) => {
    const refused = await serveBent({ extensionsFrom: 1n }, bend);
    expect(refused.length).toBeGreaterThan(0);
    expect(refused.join()).toMatch(reason);
  });

  test('Limit: block sync, extended commits where extensions are off', async () => {
    const refused = await serveBent(
      {},
      onlySig(0, (sig) => ({ ...sig, extension: utf8('x'), extensionSignature: new Uint8Array(64) })),
    );
    expect(refused.join()).toMatch(/vote\.extension: not permitted/);
  });
});

test('Limit: block sync, a peer whose height falls', async () => {
  const net = await openMiniNet();
  await net.goesOn(20n);
  const late = await net.join('late', undefined, []);
  late.executor.addPeer('attacker');
  const claim = (height: bigint) => {
    const status = { ...roundStatus(late.executor.state, toHeight(1n)), height: toHeight(height) };
    return net.attack({ kind: 'status', status }, ['late']);
  };
  for (const height of [1_000n, 500n, 3n, 1n, 900n]) await claim(height);
  await net.until('a request', () => asked(net).length > 0);
  await claim(1n);
  const before = asked(net).length;
  await connectHonest(net);
  expect(asked(net).length).toBe(before);
});

test('Limit: block sync, a peer at height 2^63 - 1', async () => {
  const net = await openMiniNet();
  await net.goesOn(20n);
  const late = await net.join('late', undefined, []);
  late.executor.addPeer('attacker');
  const top = 2n ** 63n - 1n;
  for (const base of [0n, 1n, 15n, top]) {
    const status = { ...roundStatus(late.executor.state, toHeight(base)), height: toHeight(top) };
    for (const verdict of await net.attack({ kind: 'status', status }, ['late'])) expect(verdict.kind).toBe('ignore');
  }
  // And it asks for what nobody has, of everybody.
  const from = net.toAttacker.length;
  for (const height of [1n, 10_000n, top])
    for (const verdict of await net.attack({ kind: 'block-request', height: toHeight(height) }))
      expect(verdict.kind).toBe('ignore');
  const answers = net.toAttacker.slice(from).map(({ bytes }) => decodePeerMessage(bytes));
  expect(answers.filter((answer) => answer.ok && answer.value.kind === 'block-response')).toHaveLength(12);
  await connectHonest(net);
  expect(asked(net).every((height) => height < 60n)).toBe(true);
});

test('Limit: block sync, a peer that stalls: asked first, and answering just before it would be given up', async () => {
  const net = await openMiniNet();
  await net.goesOn(40n);
  const late = await net.join('late', undefined, []);
  late.executor.addPeer('attacker');
  const status = { ...roundStatus(late.executor.state, toHeight(1n)), height: toHeight(10_000n) };
  await net.attack({ kind: 'status', status }, ['late']);
  await net.until('requests', () => asked(net).length >= 8);
  // Empty answers, again and again, to what it is asked.
  let answered = 0;
  const stall = async () => {
    const heights = asked(net);
    for (const height of heights.slice(answered))
      await net.attack({ kind: 'block-response', height: toHeight(height), block: EMPTY, commit: undefined }, ['late']);
    answered = heights.length;
  };
  await stall();
  for (const id of ['n0', 'n1', 'n2']) {
    late.executor.addPeer(id);
    net.node(id).executor.addPeer('late');
  }
  for (let i = 0; i < 10 && late.blocks.height < 40n; i++) {
    const before = late.blocks.height;
    await net.until('progress', () => late.blocks.height > before);
    await stall();
  }
  await net.until('the late node is with the others', () => late.blocks.height >= net.node('n0').blocks.height);
  await net.goesOn();
});

test('Limit: block sync, an unsigned block of the peer’s own making', async () => {
  const refused = await serveBent({}, ({ commit }) => {
    const fake = utf8('no block at all');
    return { block: fake, commit: { ...commit, signatures: commit.signatures.map(() => ABSENT_SIG) } };
  });
  expect(refused.join()).toMatch(/not the block that its commit is for|0 of 40 signed/);
});
