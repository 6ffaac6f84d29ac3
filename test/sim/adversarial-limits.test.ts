/**
 * The limits of the consensus protocol, each met by real messages at running validators: refused by name, nobody honest
 * is blamed, and the chain goes on.
 */
import { describe, expect, test } from 'vitest';
import { CONSENSUS_LIMITS } from '#consensus/limits.ts';
import { encodePeerMessage } from '#consensus/messages.ts';
import { roundStatus } from '#consensus/state.ts';
import { concat, EMPTY, utf8 } from '#core/bytes.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { LIMITS } from '#core/limits.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { createPartSet, encodePart, type Part } from '#core/types/part-set.ts';
import { proposalSignBytes } from '#core/types/proposal.ts';
import { compareTime, fromMillis } from '#core/types/timestamp.ts';
import { encodeVote, PRECOMMIT, PREVOTE } from '#core/types/vote.ts';
import { decides, honestBlock, propose, SOME_ID } from '../support/hostile.ts';
import { CHAIN_ID, type MiniNet, openMiniNet } from '../support/mini-net.ts';
import { EPOCH_MS } from './node.ts';

async function expectRejected(net: MiniNet, bytes: Uint8Array, reason: RegExp): Promise<void> {
  for (const verdict of await net.attack(bytes))
    expect(verdict.kind === 'reject' ? verdict.reason : verdict.kind).toMatch(reason);
}

const inner = (field: number, bytes: Uint8Array = EMPTY) => new ProtoWriter().message(field, bytes).finish();

/** A block part of the current height, field by field. */
function partBytes(net: MiniNet, part: Uint8Array): Uint8Array {
  const { height } = net.node('n0').executor.state;
  return inner(2, new ProtoWriter().varint(1, height).message(3, part).finish());
}

const proofBytes = (total: bigint, index: bigint, aunts = 0) => {
  const writer = new ProtoWriter().varint(1, total).varint(2, index).bytes(3, new Uint8Array(32));
  for (let i = 0; i < aunts; i++) writer.bytes(4, new Uint8Array(32));
  return writer.finish();
};

const bare = (index: bigint | number, proof: Uint8Array, content = utf8('part')) =>
  new ProtoWriter().varint(1, index).bytes(2, content).message(3, proof).finish();

describe('Limit: oversized or negative part index and total', () => {
  test('Limit: part index, total and proof out of range', async () => {
    const net = await openMiniNet();
    await net.goesOn(1n);
    const cases: readonly (readonly [Uint8Array, RegExp])[] = [
      [bare(-1n, proofBytes(1n, 0n)), /block_part\.part\.index: \d+ exceeds 32 bits/],
      [bare(2n ** 32n, proofBytes(1n, 0n)), /index: \d+ exceeds 32 bits/],
      [bare(LIMITS.maxBlockParts, proofBytes(2_000n, 1_601n)), /index: expected < 1601, got 1601/],
      [bare(0, proofBytes(-1n, 0n)), /total: -1 is out of range/],
      [bare(0, proofBytes(0n, 0n)), /total: 0 is out of range/],
      [bare(0, proofBytes(2n ** 33n, 0n)), /total: \d+ is out of range/],
      [bare(0, proofBytes(1n, -1n)), /index: expected 0 … 0, got -1/],
      [bare(0, proofBytes(1n, 0n, 101)), /aunts: 101 exceed the limit of 100/],
      [bare(0, proofBytes(1n, 0n), new Uint8Array(LIMITS.blockPartBytes + 1)), /65537 bytes exceed the limit of 65536/],
      [bare(0, proofBytes(2n, 0n)), /a part before the last has 65536 bytes, got 4/],
    ];
    for (const [part, reason] of cases) await expectRejected(net, partBytes(net, part), reason);
    for (const total of [-1n, 2n ** 32n, 1_602n]) {
      const header = new ProtoWriter().varint(1, total).bytes(2, new Uint8Array(32)).finish();
      const id = new ProtoWriter().bytes(1, new Uint8Array(32)).message(2, header).finish();
      const proposal = new ProtoWriter().varint(1, 32).varint(2, 5).varint(4, -1n).message(5, id).bytes(7, utf8('s'));
      await expectRejected(net, inner(1, proposal.finish()), /proposal\.block_id\.part_set_header\.total/);
    }
    await net.goesOn();
  });
});

test('Limit: part proofs that do not match', async () => {
  const net = await openMiniNet();
  const height = await net.playedTurn();
  const block = honestBlock(net);
  const parts = createPartSet(concat(block.encoded, new Uint8Array(2 * LIMITS.blockPartBytes)));
  await net.attack(net.proposal({ hash: block.hash, partSetHeader: parts.header }));
  const [first, second] = parts.parts as [Part, Part];
  const flipped = (bytes: Uint8Array) => bytes.map((byte, i) => (i === 0 ? byte ^ 1 : byte));
  const bent: readonly Part[] = [
    { ...first, bytes: flipped(first.bytes) },
    { ...first, bytes: second.bytes },
    { ...first, proof: { ...first.proof, leafHash: flipped(first.proof.leafHash) } },
    { ...first, proof: { ...first.proof, aunts: first.proof.aunts.map(flipped) } },
    { ...first, proof: { ...first.proof, aunts: first.proof.aunts.slice(1) } },
    { ...first, proof: { ...first.proof, aunts: [...first.proof.aunts, new Uint8Array(32)] } },
    { ...first, proof: { ...first.proof, total: first.proof.total + 1 } },
  ];
  for (const part of bent)
    for (const verdict of await net.attack(partBytes(net, encodePart(part)))) expect(verdict.kind).toBe('ignore');
  for (const { executor } of net.nodes.values()) expect(executor.state.collected?.get(0)).toBeUndefined();
  // The true part is still taken, and what it completes is judged by its bytes.
  for (const verdict of await net.attack(partBytes(net, encodePart(first)))) expect(verdict.kind).toBe('accept');
  expect(await decides(net, height, block.hash)).toBe(false);
});

test('Limit: bit arrays with wild sizes', async () => {
  const net = await openMiniNet();
  await net.goesOn(1n);
  const status = roundStatus(net.node('n0').executor.state, toHeight(1n));
  const wild = { size: LIMITS.maxValidators, bytes: new Uint8Array((LIMITS.maxValidators + 7) >> 3).fill(255) };
  for (const { executor } of net.nodes.values()) executor.addPeer('attacker');
  // Within the limit, but of a set of four: more bits than there are validators say nothing, fewer only ask for more.
  for (const bits of [wild, { size: 1, bytes: Uint8Array.of(1) }, { size: 0, bytes: EMPTY }])
    for (const height of [status.height, toHeight(1n)]) {
      const claim = { ...status, height, base: toHeight(1n), prevotes: bits, precommits: bits, polPrevotes: bits };
      for (const verdict of await net.attack({ kind: 'status', status: claim })) expect(verdict.kind).toBe('ignore');
    }
  for (const [size, bytes] of [
    [LIMITS.maxValidators + 1, (LIMITS.maxValidators + 8) >> 3],
    [2 ** 32 - 1, 4],
    [-1, 0],
    [64, 1],
  ] as const) {
    const bits = new ProtoWriter().varint(1, size).bytes(2, new Uint8Array(bytes)).finish();
    const bytesOf = new ProtoWriter().varint(1, 5).message(6, EMPTY).message(7, EMPTY).message(8, bits).finish();
    await expectRejected(net, inner(4, bytesOf), /status\.prevotes/);
  }
  await net.goesOn();
});

test('Limit: votes for far-away heights and rounds', async () => {
  const net = await openMiniNet();
  const top = await net.goesOn(3n);
  const before = net.node('n0').executor.earlyMessages.all;
  for (const type of [PREVOTE, PRECOMMIT] as const) {
    for (const height of [1n, top + 100n, 2n ** 63n - 1n]) {
      const vote = net.vote({ type, blockId: SOME_ID, height: toHeight(height) });
      for (const verdict of await net.attack({ kind: 'vote', vote })) expect(verdict.kind).toBe('ignore');
    }
    // One validator alone moves nobody to its round, and of its far rounds one vote is kept.
    for (const round of [2, 1_000, 2 ** 31 - 1, 5]) {
      const vote = net.vote({ type, blockId: SOME_ID, round: toRound(round) });
      for (const verdict of await net.attack({ kind: 'vote', vote })) expect(verdict.kind).not.toBe('reject');
    }
  }
  for (const { executor } of net.nodes.values()) {
    expect(executor.state.round).toBe(0);
    expect(executor.state.votes.rounds().every((round) => round <= 1)).toBe(true);
    expect(executor.earlyMessages.all).toBe(before);
  }
  const raw = (height: bigint, round: bigint) =>
    inner(3, new ProtoWriter().varint(1, 1).varint(2, height).varint(3, round).finish());
  await expectRejected(net, raw(-1n, 0n), /vote\.height: expected ≥ 1, got -1/);
  await expectRejected(net, raw(5n, -1n), /vote\.round: expected ≥ 0, got -1/);
  await expectRejected(net, raw(5n, 2n ** 31n), /vote\.round: \d+ exceeds 32 bits/);
  await net.goesOn();
});

describe('Limit: future timestamps', () => {
  const CENTURY_MS = 3_155_760_000_000n;
  test.each([
    ['Limit: a validator whose clock is a century ahead does not move the time of blocks', CENTURY_MS],
    ['Limit: a validator whose clock is half a century behind does not move the time of blocks', -CENTURY_MS / 2n],
  ])('%s', async (_name, clockAheadMs) => {
    const net = await openMiniNet();
    await net.join('skewed', 3, [...net.nodes.keys()], { clockAheadMs });
    const top = await net.goesOn(12n);
    const signed = new Set<string>();
    for (let height = 1n; height <= top; height++) {
      const { header } = net.node('n0').blocks.meta(height) ?? {};
      if (header === undefined) throw new Error('a header');
      const now = fromMillis(EPOCH_MS + BigInt(net.scheduler.nowMs) + 1_000n);
      expect(compareTime(header.time, now)).toBe(-1);
      expect(compareTime(header.time, fromMillis(EPOCH_MS - 1n))).toBe(1);
      const before = net.node('n0').blocks.meta(height - 1n)?.header.time;
      if (before !== undefined) expect(compareTime(header.time, before)).toBe(1);
      for (const sig of net.node('n0').blocks.seenCommit(height)?.signatures ?? [])
        signed.add(String(sig.validatorAddress));
    }
    // It is heard all the same: a wrong clock is no crime.
    expect(signed.has(String(net.played.address))).toBe(true);
  });

  test('Limit: times beyond what a timestamp may say are refused', async () => {
    const net = await openMiniNet();
    await net.goesOn(1n);
    const vote = net.vote({ type: PREVOTE, blockId: NIL_BLOCK_ID });
    for (const [seconds, nanos, reason] of [
      [253_402_300_800n, 0n, /outside the years 1 … 9999/],
      [-62_135_596_801n, 0n, /outside the years/],
      [1n, 1_000_000_000n, /outside 0 … 999999999/],
      [1n, -1n, /outside 0 … 999999999/],
    ] as const) {
      const encoded = encodeVote({ ...vote, timestamp: fromMillis(0n) });
      // Field 5 of the vote is empty for the epoch: put another one in its place.
      const at = encoded.findIndex((byte, i) => byte === 0x2a && encoded[i + 1] === 0);
      const time = new ProtoWriter().varint(1, seconds).varint(2, nanos).finish();
      const replaced = concat(encoded.subarray(0, at), inner(5, time), encoded.subarray(at + 2));
      await expectRejected(net, inner(3, replaced), reason);
    }
    await net.goesOn();
  });

  test('Limit: the time of a proposal, far ahead or behind, decides nothing', async () => {
    for (const ms of [EPOCH_MS + CENTURY_MS, 0n]) {
      const net = await openMiniNet();
      const height = await net.playedTurn();
      const block = honestBlock(net);
      await propose(net, block.encoded, block.hash, { timestamp: fromMillis(ms) });
      expect(await decides(net, height, block.hash)).toBe(true);
    }
  });
});

test('Limit: proposals from a non-proposer', async () => {
  const net = await openMiniNet();
  await net.goesOn(1n);
  // A turn of somebody else, and a proposal that the played validator signs.
  await net.until('the turn of another', () =>
    [...net.nodes.values()].every(({ executor: { state } }) => state.step === 'new-height' && state.round === 0),
  );
  const height = await net.playedTurn(net.node('n0').executor.state.height);
  await net.goesOn(1n);
  expect(net.node('n0').executor.state.height).toBeGreaterThan(height);
  const other = net.proposal(SOME_ID);
  for (const verdict of await net.attack(other))
    expect(verdict.kind === 'reject' ? verdict.reason : verdict.kind).toMatch(
      /proposal\.signature: not by [0-9a-f]{40}, the proposer of round 0|^ignore$/,
    );
  // In its own turn, but signed by nobody, or over something else.
  await net.playedTurn(height);
  const { state } = net.node('n0').executor;
  const proposal = { height: state.height, round: toRound(0), polRound: toRound(-1), blockId: SOME_ID };
  const timestamp = fromMillis(EPOCH_MS);
  for (const signature of [
    new Uint8Array(64),
    net.played.sign(proposalSignBytes('another chain', { ...proposal, timestamp })),
    net.played.sign(proposalSignBytes(CHAIN_ID, { ...proposal, timestamp, height: toHeight(1n) })),
  ])
    await expectRejected(
      net,
      encodePeerMessage({ kind: 'proposal', proposal: { ...proposal, timestamp, signature } }),
      /proposal\.signature: not by/,
    );
  await net.goesOn();
});

test('Limit: POLRound out of range', async () => {
  const net = await openMiniNet();
  const height = await net.playedTurn();
  const id = new ProtoWriter()
    .bytes(1, new Uint8Array(32).fill(5))
    .message(2, new ProtoWriter().varint(1, 1).bytes(2, new Uint8Array(32)).finish())
    .finish();
  for (const [round, pol] of [
    [0n, 0n],
    [0n, -2n],
    [1n, 1n],
    [1n, 2n ** 31n - 1n],
  ] as const) {
    const raw = new ProtoWriter().varint(1, 32).varint(2, height).varint(3, round).varint(4, pol).message(5, id);
    await expectRejected(
      net,
      inner(1, raw.message(6, EMPTY).bytes(7, utf8('s')).finish()),
      /proposal\.pol_round: expected −1/,
    );
  }
  // A proof of lock that nobody has: such a proposal waits for the prevotes, and the round for its timeout.
  const block = honestBlock(net);
  const { state } = net.node('n0').executor;
  await net.until('round 3', () =>
    [...net.nodes.values()].every(({ executor }) => executor.state.round >= 1 || executor.state.height > height),
  );
  expect(state.height).toBeGreaterThanOrEqual(height);
  await propose(net, block.encoded, block.hash, { round: toRound(1), polRound: toRound(0) });
  await net.goesOn();
});

describe('extensions', () => {
  test('Limit: an extension on nil or on a prevote', async () => {
    const net = await openMiniNet({ extensionsFrom: 1n });
    await net.goesOn(1n);
    const extension = utf8('x');
    for (const [type, blockId] of [
      [PREVOTE, SOME_ID],
      [PREVOTE, NIL_BLOCK_ID],
      [PRECOMMIT, NIL_BLOCK_ID],
    ] as const)
      for (const change of [{ extension }, { extensionSignature: new Uint8Array(64) }]) {
        const vote = net.vote({ type, blockId, ...change });
        await expectRejected(
          net,
          encodePeerMessage({ kind: 'vote', vote }),
          /vote\.extension: only a precommit for a block may carry one/,
        );
      }
    await net.goesOn();
  });

  test('Limit: an extension where none is permitted yet', async () => {
    const net = await openMiniNet();
    await net.goesOn(1n);
    const vote = { ...net.vote({ type: PRECOMMIT, blockId: SOME_ID }), extensionSignature: new Uint8Array(64) };
    await expectRejected(net, encodePeerMessage({ kind: 'vote', vote }), /vote\.extension: not permitted on this vote/);
    await net.goesOn();
  });

  test('Limit: an extension signature by another', async () => {
    const net = await openMiniNet({ extensionsFrom: 1n });
    await net.goesOn(1n);
    const stranger = net.keys.make(77);
    const good = net.vote({ type: PRECOMMIT, blockId: SOME_ID, extension: utf8('said') });
    for (const extensionSignature of [
      stranger.sign(utf8('anything')),
      // Its own, but over nothing, over another chain's bytes, or the vote's own signature.
      net.vote({ type: PRECOMMIT, blockId: SOME_ID, extension: EMPTY }).extensionSignature,
      good.signature,
      new Uint8Array(64),
    ])
      await expectRejected(
        net,
        encodePeerMessage({ kind: 'vote', vote: { ...good, extensionSignature } }),
        /vote\.extension_signature: does not verify/,
      );
    await expectRejected(
      net,
      encodePeerMessage({ kind: 'vote', vote: { ...good, extensionSignature: EMPTY } }),
      /vote\.extension_signature: missing/,
    );
    await net.goesOn();
  });

  test('Limit: more than the permitted extension bytes', async () => {
    const net = await openMiniNet({ extensionsFrom: 1n });
    await net.goesOn(1n);
    const vote = (bytes: number) =>
      net.vote({ type: PRECOMMIT, blockId: SOME_ID, extension: new Uint8Array(bytes).fill(1) });
    await expectRejected(
      net,
      encodePeerMessage({ kind: 'vote', vote: vote(LIMITS.maxExtensionBytes + 1) }),
      /vote\.extension: 65537 bytes exceed the limit of 65536/,
    );
    await expectRejected(
      net,
      encodePeerMessage({ kind: 'vote', vote: vote(CONSENSUS_LIMITS.maxMessageBytes) }),
      /bytes exceed the limit of 262144/,
    );
    // As large as may be, and of nonsense: the application's to refuse, no fault of the messenger.
    for (const verdict of await net.attack({ kind: 'vote', vote: vote(LIMITS.maxExtensionBytes) }))
      expect(verdict.kind).toBe('accept');
    await net.goesOn();
    expect(net.warnings.join()).toContain('the application refused a vote extension');
  });
});

describe('wire', () => {
  /** One good message of each kind that a peer may send at any time. */
  async function goodMessages(net: MiniNet): Promise<Uint8Array[]> {
    const height = await net.playedTurn();
    const block = honestBlock(net);
    const parts = createPartSet(block.encoded);
    const [part] = parts.parts as [Part];
    const vote = net.vote({ type: PREVOTE, blockId: SOME_ID });
    const status = roundStatus(net.node('n0').executor.state, toHeight(1n));
    const commit = net.node('n0').blocks.seenCommit(1n);
    return [
      encodePeerMessage(net.proposal({ hash: block.hash, partSetHeader: parts.header })),
      encodePeerMessage({ kind: 'block-part', height: toHeight(height), round: toRound(0), part }),
      encodePeerMessage({ kind: 'vote', vote }),
      encodePeerMessage({ kind: 'status', status }),
      encodePeerMessage({ kind: 'block-request', height: toHeight(1n) }),
      encodePeerMessage({ kind: 'block-response', height: toHeight(1n), block: block.encoded, commit }),
    ];
  }

  test('Limit: unknown protobuf fields', async () => {
    const net = await openMiniNet();
    for (const message of await goodMessages(net)) {
      const [tag = 0] = message;
      const { field, body } = split(message);
      expect(field).toBe(tag >> 3);
      const unknown = new ProtoWriter().varint(99, 1).finish();
      await expectRejected(net, concat(message, unknown), /unknown field 99/);
      await expectRejected(net, inner(field, concat(body, unknown)), /unknown field 99/);
      await expectRejected(net, inner(99, body), /unknown field 99/);
    }
    // Inside a vote's block id and its part set header too.
    const header = new ProtoWriter().varint(1, 1).bytes(2, new Uint8Array(32)).varint(77, 1).finish();
    const id = new ProtoWriter().bytes(1, new Uint8Array(32)).message(2, header).finish();
    const vote = new ProtoWriter().varint(1, 1).varint(2, 5).message(4, id).finish();
    await expectRejected(net, inner(3, vote), /vote\.block_id\.part_set_header: unknown field 77/);
    await net.goesOn();
  });

  test('Limit: non-canonical varints', async () => {
    const net = await openMiniNet();
    for (const message of await goodMessages(net)) {
      const { field, body } = split(message);
      const tag = (field << 3) | 2;
      // The length in one byte more than it takes; the tag likewise; a varint that never ends; one beyond 64 bits.
      await expectRejected(net, concat(Uint8Array.of(tag), padded(body.length), body), /non-canonical varint/);
      await expectRejected(net, concat(padded(tag), message.subarray(1)), /non-canonical varint/);
      await expectRejected(net, concat(Uint8Array.of(tag), new Uint8Array(11).fill(255)), /varint exceeds 64 bits/);
      await expectRejected(net, Uint8Array.of(tag, 0x80), /truncated varint/);
    }
    const height = concat(Uint8Array.of(0x08), padded(5));
    await expectRejected(net, inner(5, height), /block_request.*non-canonical varint/);
    await net.goesOn();
  });

  test.each([
    ['Limit: a proposed block with an unknown field in it', 'unknown field'],
    ['Limit: a proposed block with a non-canonical varint in it', 'non-canonical varint'],
  ])('%s', async (_name, what) => {
    const net = await openMiniNet();
    const height = await net.playedTurn();
    const block = honestBlock(net);
    const tail = what === 'unknown field' ? new ProtoWriter().varint(99, 1).finish() : EMPTY;
    const { field, body, rest } = split(block.encoded);
    const bent =
      what === 'unknown field'
        ? concat(block.encoded, tail)
        : concat(Uint8Array.of((field << 3) | 2), padded(body.length), body, rest);
    await propose(net, bent, block.hash);
    expect(await decides(net, height, block.hash)).toBe(false);
    expect(net.reasons.join()).toContain(what);
  });

  /** The first field of a message, length-delimited, and what follows it. */
  function split(message: Uint8Array): { field: number; body: Uint8Array; rest: Uint8Array } {
    const field = (message[0] ?? 0) >> 3;
    let length = 0;
    let at = 1;
    for (let shift = 0; ; shift += 7) {
      const byte = message[at++] ?? 0;
      length |= (byte & 127) << shift;
      if (byte < 128) break;
    }
    return { field, body: message.subarray(at, at + length), rest: message.subarray(at + length) };
  }

  /** A varint with one byte that it does not need. */
  function padded(value: number): Uint8Array {
    const plain = new ProtoWriter().rawVarint(value).finish();
    return concat(
      plain.map((byte, i) => (i === plain.length - 1 ? byte | 128 : byte)),
      Uint8Array.of(0),
    );
  }
});

test('Limit: maxMessageBytes', async () => {
  const net = await openMiniNet();
  await net.goesOn(1n);
  for (const kind of [1, 2, 3, 4, 5])
    await expectRejected(
      net,
      inner(kind, new Uint8Array(CONSENSUS_LIMITS.maxMessageBytes)),
      /bytes exceed the limit of 262144/,
    );
  await expectRejected(net, inner(6, new Uint8Array(CONSENSUS_LIMITS.maxBlockResponseBytes)), /limit of 2097152/);
  await expectRejected(net, inner(7, new Uint8Array(CONSENSUS_LIMITS.maxEvidenceMessageBytes)), /limit of 1048576/);
  await net.goesOn();
});
