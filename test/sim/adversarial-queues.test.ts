/** Peers that send more than a validator can work off: queues stay bounded, and afterwards the chain goes on. */
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { expect, test } from 'vitest';
import { CONSENSUS_LIMITS } from '#consensus/limits.ts';
import { encodePeerMessage } from '#consensus/messages.ts';
import { utf8 } from '#core/bytes.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { sha256 } from '#core/crypto/hash.ts';
import type { BlockId } from '#core/types/block-id.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { addMillis } from '#core/types/timestamp.ts';
import { PRECOMMIT, PREVOTE, type VoteType } from '#core/types/vote.ts';
import { SOME_ID } from '../support/hostile.ts';
import { type MiniNet, openMiniNet } from '../support/mini-net.ts';

const idOf = (serial: number): BlockId => ({
  hash: sha256(utf8(`block ${serial}`)),
  partSetHeader: { total: 1, hash: sha256(utf8(`parts ${serial}`)) },
});

/** Counts of verdicts on `count` messages to one node, without waiting for it. */
function flood(net: MiniNet, id: string, count: number, make: (serial: number) => Uint8Array): Map<string, number> {
  const counts = new Map<string, number>();
  for (let i = 0; i < count; i++) {
    const { kind } = net.node(id).executor.receive('attacker', make(i));
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

test('Limit: maxQueuedInputs, a node whose disk is stuck takes so many messages and no more', async () => {
  const net = await openMiniNet();
  await net.goesOn(3n);
  const stuck = Promise.withResolvers<void>();
  const busy = await net.join('busy', undefined, [], { wal: { append: () => stuck.promise } });
  const more = 500;
  const sent = CONSENSUS_LIMITS.maxQueuedInputs + more;
  const first = net.vote({ type: PREVOTE, blockId: SOME_ID, height: busy.executor.state.height });
  const voteAt = (i: number) =>
    net.vote({
      type: PREVOTE,
      blockId: SOME_ID,
      height: first.height,
      timestamp: addMillis(first.timestamp, BigInt(i)),
    });
  const votes = flood(net, 'busy', sent, (i) =>
    encodePeerMessage({
      kind: 'vote',
      vote: voteAt(i),
    }),
  );
  expect(votes.get('reject') ?? 0).toBe(0);
  expect(votes.get('ignore') ?? 0).toBeGreaterThanOrEqual(more - 2);
  // Neither do parts, proposals or messages of the next height get in then.
  const [part] = createPartSet(utf8('part')).parts;
  if (part === undefined) throw new Error('a part');
  const height = busy.executor.state.height;
  for (const message of [
    encodePeerMessage({ kind: 'block-part', height, round: toRound(0), part }),
    encodePeerMessage(net.proposal(SOME_ID, { height })),
    encodePeerMessage({ kind: 'vote', vote: net.vote({ type: PREVOTE, blockId: SOME_ID, height }) }),
  ])
    expect(busy.executor.receive('attacker', message).kind).toBe('ignore');
  expect(busy.executor.earlyMessages.all).toBe(0);
  stuck.resolve();
  await busy.executor.idle();
  for (const id of ['n0', 'n1', 'n2']) {
    busy.executor.addPeer(id);
    net.node(id).executor.addPeer('busy');
  }
  await net.until('the busy node is with the others', () => busy.blocks.height >= net.node('n0').blocks.height);
  await net.goesOn();
});

test('Limit: maxEarlyParts and maxEarlyOfValidator, messages of the next height', async () => {
  const net = await openMiniNet();
  await net.goesOn(2n);
  const { executor } = net.node('n0');
  const next = toHeight(executor.state.height + 1n);
  const before = executor.earlyMessages.all;
  flood(net, 'n0', CONSENSUS_LIMITS.maxEarlyParts + 100, (i) => {
    const [part] = createPartSet(utf8(`part ${i}`)).parts;
    if (part === undefined) throw new Error('a part');
    return encodePeerMessage({ kind: 'block-part', height: next, round: toRound(0), part });
  });
  expect(executor.earlyMessages.parts).toBe(CONSENSUS_LIMITS.maxEarlyParts);
  const votes = flood(net, 'n0', 500, (i) =>
    encodePeerMessage({ kind: 'vote', vote: net.vote({ type: PREVOTE, blockId: idOf(i), height: next }) }),
  );
  expect(votes.get('accept')).toBe(CONSENSUS_LIMITS.maxEarlyOfValidator);
  expect(executor.earlyMessages.all - before).toBeLessThanOrEqual(
    CONSENSUS_LIMITS.maxEarlyParts + CONSENSUS_LIMITS.maxEarlyOfValidator,
  );
  await net.goesOn();
});

/** The verdicts on many different votes of one validator in one place, each properly signed. */
async function contradict(
  net: MiniNet,
  type: VoteType,
  extra: (serial: number) => object,
): Promise<Map<string, number>> {
  const counts = new Map<string, number>();
  for (let i = 0; i < 200; i++) {
    const vote = net.vote({ type, blockId: idOf(i), ...extra(i) });
    for (const { kind } of await net.attack({ kind: 'vote', vote }, ['n0']))
      counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}

test('Limit: contradicting votes of one validator are forwarded twice, not a thousand times', async () => {
  const net = await openMiniNet();
  await net.goesOn(1n);
  await net.playedTurn();
  const accepted = async (type: VoteType, extra: (serial: number) => object = () => ({})) =>
    (await contradict(net, type, extra)).get('accept') ?? 0;
  const most = CONSENSUS_LIMITS.maxConflictingVotesPerValidator;
  expect(await accepted(PREVOTE)).toBeLessThanOrEqual(most);
  expect(await accepted(PRECOMMIT)).toBeLessThanOrEqual(most);
  // Of rounds far ahead, of which each vote would take the place of the one before: kept, but not handed on.
  expect(await accepted(PREVOTE, (i) => ({ round: toRound(1_000 + i) }))).toBe(0);
  await net.goesOn(8n);
  const found: number[] = [];
  for (let at = 1n; at <= net.node('n1').blocks.height; at++)
    found.push(net.node('n1').blocks.block(at)?.evidence.length ?? 0);
  // One crime a place: the first two votes prove it.
  expect(found.reduce((sum, count) => sum + count, 0)).toBe(2);
});

test('Limit: contradicting extended votes ask the application and the log twice, not a thousand times', async () => {
  let asked = 0;
  const net = await openMiniNet({
    extensionsFrom: 1n,
    wrapApp: (id, app) => ({
      ...app,
      verifyVoteExtension: (request) => {
        if (id === 'n0') asked++;
        return app.verifyVoteExtension(request);
      },
    }),
  });
  await net.goesOn(1n);
  await net.playedTurn();
  const { height } = net.node('n0').executor.state;
  const before = asked;
  const extension = height % 3n === 0n ? new Uint8Array(0) : utf8(`extension of ${height}`);
  const counts = await contradict(net, PRECOMMIT, () => ({ extension }));
  expect(counts.get('accept') ?? 0).toBeLessThanOrEqual(CONSENSUS_LIMITS.maxConflictingVotesPerValidator);
  expect(asked - before).toBeLessThanOrEqual(CONSENSUS_LIMITS.maxConflictingVotesPerValidator);
  await net.goesOn();
});

test('Limit: contradicting proposals of one validator are forwarded once', async () => {
  const net = await openMiniNet();
  await net.playedTurn();
  let accepted = 0;
  for (let i = 0; i < 100; i++)
    for (const { kind } of await net.attack(net.proposal(idOf(i)), ['n0'])) if (kind === 'accept') accepted++;
  expect(accepted).toBe(1);
  await net.goesOn();
});

test('Limit: compressed bombs in messages of peers are not unpacked', async () => {
  const net = await openMiniNet();
  await net.goesOn(1n);
  const zeros = Buffer.alloc(10_000_000);
  for (const bomb of [gzipSync(zeros), brotliCompressSync(zeros), deflateSync(zeros)]) {
    expect(bomb.length).toBeLessThan(CONSENSUS_LIMITS.maxMessageBytes);
    const bytes = new Uint8Array(bomb);
    for (const message of [
      bytes,
      ...[1, 2, 3, 4, 5, 6, 7].map((kind) => new ProtoWriter().message(kind, bytes).finish()),
    ])
      for (const verdict of await net.attack(message)) {
        expect(verdict.kind).toBe('reject');
        if (verdict.kind === 'reject') expect(verdict.reason.length).toBeLessThan(300);
      }
  }
  await net.goesOn();
});
