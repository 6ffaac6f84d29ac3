/**
 * Inputs that broke other chains, as real messages to running validators: nothing crashes, nobody honest is blamed, and
 * the chain goes on. The numbers are those of the list of such inputs; in brackets the public record.
 */
import { describe, expect, test } from 'vitest';
import { makeBlock } from '#consensus/block-rules.ts';
import { applyFinalizeResponse, type ChainState, makeGenesisState } from '#consensus/chain-state.ts';
import { decodePeerMessage, encodePeerMessage } from '#consensus/messages.ts';
import { roundStatus } from '#consensus/state.ts';
import { concat, EMPTY, utf8 } from '#core/bytes.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { LIMITS } from '#core/limits.ts';
import { encodeBlock } from '#core/types/block.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { FLAG_COMMIT, FLAG_NIL } from '#core/types/commit.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { headerHash } from '#core/types/header.ts';
import { createPartSet, encodePart } from '#core/types/part-set.ts';
import { addMillis, compareTime, fromMillis } from '#core/types/timestamp.ts';
import { PRECOMMIT, PREVOTE } from '#core/types/vote.ts';
import { blockOf, decides, propose, SOME_ID } from '../support/hostile.ts';
import { type MiniNet, openMiniNet } from '../support/mini-net.ts';
import { EPOCH_MS } from './node.ts';

/** The status of n0 with fields replaced, as bytes. */
function statusBytes(net: MiniNet, replace: ReadonlyMap<number, (writer: ProtoWriter) => void>): Uint8Array {
  const writer = new ProtoWriter();
  const { height, round } = net.node('n0').executor.state;
  const fields = new Map<number, (writer: ProtoWriter) => void>([
    [1, (w) => w.varint(1, height)],
    [2, (w) => w.varint(2, round)],
    [6, (w) => w.message(6, EMPTY)],
    [7, (w) => w.message(7, EMPTY)],
    [8, (w) => w.message(8, EMPTY)],
    [9, (w) => w.message(9, EMPTY)],
    [13, (w) => w.message(13, EMPTY)],
    ...replace,
  ]);
  for (const [, write] of [...fields].sort(([a], [b]) => a - b)) write(writer);
  return new ProtoWriter().message(4, writer.finish()).finish();
}

async function expectRejected(net: MiniNet, bytes: Uint8Array, reason: RegExp): Promise<void> {
  for (const verdict of await net.attack(bytes))
    expect(verdict.kind === 'reject' ? verdict.reason : verdict.kind).toMatch(reason);
}

test('the harness: an honest block of the played validator is decided', async () => {
  const net = await openMiniNet();
  const height = await net.playedTurn();
  const block = blockOf(net);
  await propose(net, encodeBlock(block), headerHash(block.header));
  expect(await decides(net, height, headerHash(block.header))).toBe(true);
});

test('Adversarial 1: a bit array whose size differs from its words (ASA-2025-003)', async () => {
  const net = await openMiniNet();
  await net.goesOn(1n);
  const bits = (size: number, bytes: number) =>
    new ProtoWriter().varint(1, size).bytes(2, new Uint8Array(bytes)).finish();
  for (const [size, bytes] of [
    [1_000, 1],
    [8, 100],
    [0, 4],
    [2 ** 31, 0],
    [LIMITS.maxValidators + 1, (LIMITS.maxValidators + 8) >> 3],
  ] as const)
    for (const field of [8, 9, 13])
      await expectRejected(
        net,
        statusBytes(net, new Map([[field, (w) => w.message(field, bits(size, bytes))]])),
        /status\.\w+/,
      );
  await net.goesOn();
});

test('Adversarial 2: a proposal with more parts than the maximum block size allows', async () => {
  const net = await openMiniNet();
  const height = await net.playedTurn();
  const hash = new Uint8Array(32).fill(9);
  for (const total of [1_000, LIMITS.maxBlockParts + 1, 2 ** 31 - 1])
    await net.attack(net.proposal({ hash, partSetHeader: { total, hash } }));
  for (const { executor } of net.nodes.values()) expect(executor.state.proposal).toBeUndefined();
  expect(await decides(net, height, hash)).toBe(false);
});

test('Adversarial 3: a part whose index is not that of its proof (ASA-2025-002)', async () => {
  const net = await openMiniNet();
  const height = await net.playedTurn();
  const block = blockOf(net);
  const parts = createPartSet(concat(encodeBlock(block), new Uint8Array(LIMITS.blockPartBytes)));
  await net.attack(net.proposal({ hash: headerHash(block.header), partSetHeader: parts.header }));
  const [first] = parts.parts;
  if (first === undefined) throw new Error('a part');
  for (const index of [1, LIMITS.maxBlockParts, 2 ** 31 - 1]) {
    const inner = new ProtoWriter()
      .varint(1, height)
      .message(3, encodePart({ ...first, index }))
      .finish();
    for (const verdict of await net.attack(new ProtoWriter().message(2, inner).finish()))
      expect(verdict.kind).not.toBe('accept');
  }
  for (const { executor } of net.nodes.values()) expect(executor.state.collected?.get(1)).toBeUndefined();
  expect(await decides(net, height, headerHash(block.header))).toBe(false);
});

test('Adversarial 4: a vote of an index out of range while extensions are enabled (ASA-2024-011)', async () => {
  const net = await openMiniNet({ extensionsFrom: 1n });
  await net.goesOn(1n);
  for (const validatorIndex of [4, 1_000, 2 ** 31 - 1]) {
    const vote = net.vote({ type: PRECOMMIT, blockId: SOME_ID, validatorIndex });
    await expectRejected(net, encodePeerMessage({ kind: 'vote', vote }), /validator_index/);
  }
  await net.goesOn();
});

test('Adversarial 5: a commit signature under the address of another slot, to move the median time (CSA-2026-001)', async () => {
  const net = await openMiniNet();
  const height = await net.playedTurn();
  const swapped = blockOf(net, {
    lastCommit: (commit) => {
      const present = commit.signatures.findIndex(({ flag }) => flag === FLAG_COMMIT);
      const validatorAddress = net.played.address;
      const signatures = commit.signatures.map((sig, i) => (i === present ? { ...sig, validatorAddress } : sig));
      return { ...commit, signatures };
    },
  });
  await propose(net, encodeBlock(swapped), headerHash(swapped.header));
  expect(await decides(net, height, headerHash(swapped.header))).toBe(false);
});

test('Adversarial 6: precommits for nil from the far future do not pull the time of blocks', async () => {
  const net = await openMiniNet();
  for (let i = 0; i < 6; i++) {
    const timestamp = fromMillis(EPOCH_MS + 10n ** 12n);
    const vote = net.vote({ type: PRECOMMIT, blockId: NIL_BLOCK_ID, timestamp });
    for (const verdict of await net.attack({ kind: 'vote', vote })) expect(verdict.kind).not.toBe('reject');
    const height = await net.goesOn(1n);
    const time = net.node('n0').blocks.meta(height)?.header.time;
    const now = fromMillis(EPOCH_MS + BigInt(net.scheduler.nowMs) + 1_000n);
    expect(time !== undefined && compareTime(time, now)).toBe(-1);
  }
});

describe('Adversarial 7: fields that are not there', () => {
  const inner = (field: number, bytes: Uint8Array = EMPTY) => new ProtoWriter().message(field, bytes).finish();
  test('messages of every kind without their content', async () => {
    const net = await openMiniNet();
    await net.goesOn(1n);
    for (let kind = 1; kind <= 7; kind++) await expectRejected(net, inner(kind), /\w+/);
    await expectRejected(net, inner(3, new ProtoWriter().varint(1, 2).varint(2, 5).finish()), /vote/);
    await expectRejected(net, inner(7, inner(1)), /evidence/);
    await expectRejected(net, inner(7, inner(2)), /evidence/);
    // A block whose commit is empty, of nobody who was asked for one.
    const unasked = new ProtoWriter().varint(1, 2).bytes(2, new Uint8Array(10).fill(8)).message(3, EMPTY).finish();
    for (const verdict of await net.attack(inner(6, unasked))) expect(verdict.kind).toBe('ignore');
    await net.goesOn();
  });

  test.each([
    ['a block without a header', inner(4, EMPTY)],
    ['a block whose header is empty', inner(1, EMPTY)],
    ['a block of bytes that are no block', new Uint8Array(100).fill(255)],
  ])('%s', async (_what, encoded) => {
    const net = await openMiniNet();
    const height = await net.playedTurn();
    const hash = new Uint8Array(32).fill(3);
    await propose(net, encoded, hash);
    expect(await decides(net, height, hash)).toBe(false);
  });
});

test('Adversarial 8: the height of vote extensions set to the past, to now, or unchanged (ASA-2024-001)', () => {
  const genesis = (from: bigint): ChainState => {
    const made = makeGenesisState({
      chainId: 'c',
      initialHeight: toHeight(1n),
      time: fromMillis(EPOCH_MS),
      params: { ...DEFAULT_CONSENSUS_PARAMS, abci: { voteExtensionsEnableHeight: from } },
      validators: [{ publicKey: { type: 'ed25519', bytes: new Uint8Array(32) }, power: 1n }],
      appHash: EMPTY,
    });
    if (!made.ok) throw new Error(made.error);
    return made.value;
  };
  const after = (from: bigint, to: bigint, height: bigint): string => {
    const state = genesis(from);
    const base = makeBlock(state, {
      txs: [],
      evidence: [],
      lastCommit: { height: toHeight(0n), round: toRound(0), blockId: NIL_BLOCK_ID, signatures: [] },
      proposerAddress: state.validators.validators[0]?.address ?? EMPTY,
    });
    const response = {
      events: [],
      txResults: [],
      validatorUpdates: [],
      consensusParamUpdates: { abci: { voteExtensionsEnableHeight: to } },
      appHash: EMPTY,
    };
    const next = applyFinalizeResponse(state, SOME_ID, { ...base.header, height: toHeight(height) }, response);
    return next.ok ? `from ${next.value.params.abci.voteExtensionsEnableHeight}` : next.error;
  };
  expect(after(0n, 20n, 10n)).toBe('from 20');
  expect(after(20n, 20n, 30n)).toBe('from 20');
  expect(after(0n, 10n, 10n)).toContain('expected above the height 10, got 10');
  expect(after(0n, 5n, 10n)).toContain('expected above the height 10');
  expect(after(5n, 0n, 10n)).toContain('already enabled');
  expect(after(5n, 50n, 10n)).toContain('already enabled');
});

test('Adversarial 10: an application whose ExtendVote and VerifyVoteExtension disagree stops its node, not the network', async () => {
  const net = await openMiniNet({
    extensionsFrom: 1n,
    wrapApp: (id, app) => (id === 'n0' ? { ...app, extendVote: () => utf8('what nobody accepts') } : app),
  });
  await net.join('n3', 3);
  await net.goesOn(5n, ['n1', 'n2', 'n3']);
});

test('Adversarial 11: peers whose height falls (ASA-2025-001); Adversarial 12: is absurd, or who cannot serve their base', async () => {
  const net = await openMiniNet();
  await net.goesOn(2n);
  for (const { executor } of net.nodes.values()) executor.addPeer('attacker');
  for (const height of [1_000n, 5n, 2n ** 63n - 1n, 1n, 50n]) {
    for (const base of [0n, 1n, height]) {
      const status = { ...roundStatus(net.node('n0').executor.state, toHeight(base)), height: toHeight(height) };
      for (const verdict of await net.attack({ kind: 'status', status })) expect(verdict.kind).toBe('ignore');
    }
    const before = net.toAttacker.length;
    await net.goesOn(2n);
    // A few requests for blocks and statuses; never an answer for each height in between.
    expect(net.toAttacker.length - before).toBeLessThan(2_000);
  }
  const above = new ProtoWriter().varint(1, 5).varint(3, 6).message(6, EMPTY);
  await expectRejected(net, new ProtoWriter().message(4, above.finish()).finish(), /base: expected 0 … 5, got 6/);
  await net.goesOn();
});

test('Adversarial 13: a peer that claims blocks and never delivers does not keep a late node from the chain (ASA-2024-008)', async () => {
  const net = await openMiniNet();
  await net.goesOn(30n);
  const late = await net.join('late', undefined);
  late.executor.addPeer('attacker');
  const claim = () => {
    const status = { ...roundStatus(late.executor.state, toHeight(1n)), height: toHeight(100_000n) };
    return net.attack({ kind: 'status', status }, ['late']);
  };
  await claim();
  await net.until('the late node is with the others', () => late.blocks.height >= net.node('n0').blocks.height);
  await claim();
  await net.goesOn();
});

test('a node whose next block everybody has pruned says so', async () => {
  const net = await openMiniNet();
  await net.goesOn(10n);
  for (const { blocks } of net.nodes.values()) await blocks.prune(5n, 100);
  const late = await net.join('late', undefined);
  const said = () =>
    net.warnings.filter((warning) => warning.startsWith('late: no connected peer keeps the next block'));
  await net.until('it says so', () => said().length > 0);
  await net.goesOn(3n, ['n0', 'n1', 'n2']);
  expect(late.blocks.height).toBe(0n);
  expect(said()).toHaveLength(1);
});

test('Adversarial 14: block responses that nobody asked for, late ones, and commits with surplus signatures', async () => {
  const net = await openMiniNet();
  const height = toHeight(await net.goesOn(3n));
  const { blocks } = net.node('n0');
  const [block, commit] = [blocks.block(height), blocks.seenCommit(height)];
  if (block === undefined || commit === undefined) throw new Error('a block');
  const [first] = commit.signatures;
  if (first === undefined) throw new Error('a signature');
  const surplus = { ...commit, signatures: [...commit.signatures, first, first] };
  for (const each of [commit, surplus])
    for (const at of [height, toHeight(height + 1n), toHeight(1n)])
      for (const verdict of await net.attack({
        kind: 'block-response',
        height: at,
        block: encodeBlock(block),
        commit: each,
      }))
        expect(verdict.kind).toBe('ignore');
  await net.goesOn();
});

test.each([
  ['does not verify', (signature: Uint8Array) => signature.map((byte) => byte ^ 1)],
  ['is not there', () => EMPTY],
])('Adversarial 15: one minority signature of a synced commit %s', async (_what, bend) => {
  const net = await openMiniNet();
  await net.goesOn(8n);
  // The late node knows the attacker alone, who serves true blocks, but bends one signature of each commit.
  const late = await net.join('late', undefined, []);
  late.executor.addPeer('attacker');
  const status = { ...roundStatus(net.node('n0').executor.state, toHeight(1n)) };
  await net.attack({ kind: 'status', status }, ['late']);
  await net.until('a request', () => net.toAttacker.some(({ from, bytes }) => from === 'late' && bytes[0] === 0x2a));
  const rejected: string[] = [];
  for (const { bytes } of net.toAttacker.filter(({ from }) => from === 'late')) {
    const request = decodePeerMessage(bytes);
    if (!request.ok || request.value.kind !== 'block-request') continue;
    const { height } = request.value;
    const [block, commit] = [net.node('n0').blocks.block(height), net.node('n0').blocks.seenCommit(height)];
    if (block === undefined || commit === undefined) continue;
    const last = commit.signatures.findLastIndex(({ flag }) => flag === FLAG_COMMIT);
    const signatures = commit.signatures.map((sig, i) =>
      i === last ? { ...sig, signature: bend(sig.signature) } : sig,
    );
    const answer = encodePeerMessage({
      kind: 'block-response',
      height,
      block: encodeBlock(block),
      commit: { ...commit, signatures },
    });
    for (const verdict of await net.attack(answer, ['late']))
      if (verdict.kind === 'reject') rejected.push(verdict.reason);
  }
  expect(rejected.join()).toMatch(/signature/);
  expect(late.blocks.height).toBe(0n);
  // Honest peers bring it up all the same.
  for (const id of ['n0', 'n1', 'n2']) {
    late.executor.addPeer(id);
    net.node(id).executor.addPeer('late');
  }
  await net.until('the late node is with the others', () => late.blocks.height >= net.node('n0').blocks.height);
  await net.goesOn();
});

test('Adversarial 19: field numbers beyond 32 bits, and packed empty messages', async () => {
  const net = await openMiniNet();
  await net.goesOn(1n);
  // Field 2^32 + 3, which truncated to 32 bits would be a vote.
  const huge = new ProtoWriter()
    .rawVarint((2n ** 32n + 3n) * 8n + 2n)
    .rawVarint(0)
    .finish();
  await expectRejected(net, huge, /\w+/);
  const writer = new ProtoWriter();
  for (let i = 0; i < 100_000; i++) writer.message(1, EMPTY);
  const packed = writer.finish();
  for (let kind = 1; kind <= 7; kind++)
    await expectRejected(net, new ProtoWriter().message(kind, packed).finish(), /\w+/);
  await net.goesOn();
});

test('Adversarial 20: a signature for nil, or for another block, inside a block’s last commit (CVE-2020-15091)', async () => {
  for (const bent of ['nil', 'other'] as const) {
    const net = await openMiniNet();
    const height = await net.playedTurn();
    const block = blockOf(net, {
      lastCommit: (commit) => {
        const last = commit.signatures.findLastIndex(({ flag }) => flag === FLAG_COMMIT);
        const flag = bent === 'nil' ? FLAG_NIL : FLAG_COMMIT;
        const time = commit.signatures[last]?.timestamp ?? fromMillis(EPOCH_MS);
        const timestamp = bent === 'other' ? addMillis(time, 5n) : time;
        return {
          ...commit,
          signatures: commit.signatures.map((sig, i) => (i === last ? { ...sig, flag, timestamp } : sig)),
        };
      },
    });
    await propose(net, encodeBlock(block), headerHash(block.header));
    expect(await decides(net, height, headerHash(block.header))).toBe(false);
  }
});

test('Adversarial 21: evidence that states another time than its block (CVE-2021-21271), and evidence that convicts nobody', async () => {
  const net = await openMiniNet();
  const height = await net.playedTurn();
  const [a, b] = [NIL_BLOCK_ID, SOME_ID].map((blockId) => net.vote({ type: PREVOTE, blockId }));
  if (a === undefined || b === undefined) throw new Error('two votes');
  await net.goesOn();
  const evidence = {
    kind: 'duplicate-vote',
    voteA: a,
    voteB: b,
    totalVotingPower: 40n,
    validatorPower: 10n,
    timestamp: net.node('n0').blocks.meta(height)?.header.time ?? fromMillis(EPOCH_MS),
  } as const;
  const bent = [
    { ...evidence, timestamp: addMillis(evidence.timestamp, 1n) },
    { ...evidence, totalVotingPower: 41n },
    { ...evidence, validatorPower: 9n },
    { ...evidence, voteB: { ...b, signature: new Uint8Array(64) } },
  ];
  for (const each of bent)
    await expectRejected(
      net,
      encodePeerMessage({ kind: 'evidence', evidence: each }),
      /evidence\.(timestamp|total|validator|vote_b)/,
    );
  const early = { ...evidence, voteA: { ...a, height: toHeight(10_000n) }, voteB: { ...b, height: toHeight(10_000n) } };
  for (const verdict of await net.attack({ kind: 'evidence', evidence: early })) expect(verdict.kind).toBe('ignore');
  // The true one is taken by one node, told to the others, and in a block once.
  await net.attack({ kind: 'evidence', evidence }, ['n0']);
  const top = await net.goesOn(6n);
  const found: bigint[] = [];
  for (let at = 1n; at <= top; at++)
    for (const item of net.node('n1').blocks.block(at)?.evidence ?? []) found.push(item.totalVotingPower);
  expect(found).toEqual([40n]);
});

test('a node that has no blocks of the time of a crime follows the chain that punishes it', async () => {
  const net = await openMiniNet();
  const height = await net.playedTurn();
  const [voteA, voteB] = [NIL_BLOCK_ID, SOME_ID].map((blockId) => net.vote({ type: PREVOTE, blockId }));
  if (voteA === undefined || voteB === undefined) throw new Error('two votes');
  await net.goesOn(6n);
  await net.join('n3', 3);
  await net.goesOn(2n);
  // As after state sync: nothing is known below.
  await net.node('n0').blocks.prune(height + 3n, 1_000);
  const timestamp = net.node('n1').blocks.meta(height)?.header.time ?? fromMillis(EPOCH_MS);
  const evidence = {
    kind: 'duplicate-vote',
    voteA,
    voteB,
    totalVotingPower: 40n,
    validatorPower: 10n,
    timestamp,
  } as const;
  const verdicts = await net.attack({ kind: 'evidence', evidence });
  expect(verdicts.map(({ kind }) => kind)).toEqual(['ignore', 'ignore', 'ignore', 'ignore']);
  const top = await net.goesOn(8n);
  const { blocks } = net.node('n0');
  const found: bigint[] = [];
  for (let at = blocks.base as bigint; at <= top; at++) if (blocks.block(at)?.evidence.length) found.push(at);
  expect(found).toHaveLength(1);
});
