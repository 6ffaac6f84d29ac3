import { expect, test } from 'vitest';
import type { StoredBlocks } from '#consensus/gossip.ts';
import { encodePeerMessage } from '#consensus/messages.ts';
import { type EngineState, roundStatus } from '#consensus/state.ts';
import { Kit } from '#consensus/test-kit.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { NODE_LIMITS } from '../limits.ts';
import { QueuedParts, Repairs } from './part-traffic.ts';
import { startDriver } from './test-kit.ts';

const nothing = new Kit({ self: -1 }).stored();
const { partGraceWords, partResendWords } = NODE_LIMITS;

/** How many parts a peer that has none is sent in each of so many intervals. */
function partsSent(
  repairs: Repairs,
  state: EngineState,
  stored: StoredBlocks,
  lacks: Kit,
  intervals: number,
): number[] {
  const status = roundStatus(lacks.state, lacks.state.height);
  return Array.from({ length: intervals }, () => {
    repairs.tick();
    const planned = [1, 2, 3].flatMap(() => repairs.plan('peer', state, stored, status));
    return planned.filter(({ kind }) => kind === 'block-part').length;
  });
}

const kit = () => new Kit({ self: -1 }).fire('new-height');

test('a part of the block at hand is sent to who has lacked it for some intervals, and again after some more', () => {
  const has = kit();
  has.propose(has.block('a block'), 0);
  const repairs = new Repairs();
  const sent = partsSent(repairs, has.state, nothing, kit(), partGraceWords + 2 * partResendWords + 1);
  const expected = sent.map((_, i) => (i >= partGraceWords && (i - partGraceWords) % partResendWords === 0 ? 1 : 0));
  expect(sent).toEqual(expected);
  expect(expected.filter((count) => count > 0)).toHaveLength(3);
  // The proposal itself is not withheld.
  const status = roundStatus(kit().state, toHeight(1n));
  expect(new Repairs().plan('peer', has.state, nothing, status).map(({ kind }) => kind)).toEqual(['proposal']);
  // Who comes again begins anew.
  repairs.removePeer('peer');
  expect(partsSent(repairs, has.state, nothing, kit(), 1)).toEqual([0]);
});

test('a block that was decided long ago comes from nowhere else: its parts are sent at the first word', () => {
  const done = kit();
  const block = done.block('decided');
  done.propose(block, 0).precommits(0, block, 0, 1, 2);
  expect(done.state.height).toBe(2n);
  expect(partsSent(new Repairs(), done.state, done.stored(), kit(), 2)).toEqual([0, 0]);
  const later = Object.assign(Object.create(done.state), { height: 3n }) as EngineState;
  expect(partsSent(new Repairs(), later, done.stored(), kit(), 2)).toEqual([1, 0]);
});

test('a second copy of a part that waits for the engine is not taken, and is again when the engine has had it', async () => {
  const { blockId, parts } = kit().block('a block');
  const [part] = parts.parts;
  if (part === undefined) throw new Error('a part');
  const queued = new QueuedParts();
  queued.add(blockId.partSetHeader, part);
  expect(queued.has(blockId.partSetHeader, part.index)).toBe(true);
  expect(queued.has({ ...blockId.partSetHeader, hash: new Uint8Array(32) }, part.index)).toBe(false);
  queued.taken(part);
  expect(queued.has(blockId.partSetHeader, part.index)).toBe(false);
});

test('a part that comes twice while the engine is at something else is handed on once', async () => {
  const { executor } = await startDriver({ self: -1 });
  const source = kit();
  const block = source.block('a block');
  source.propose(block, 0);
  const { proposal } = source.state;
  const part = block.parts.parts[0];
  if (proposal === undefined || part === undefined) throw new Error('a proposal with a part');
  const { height, round } = proposal;
  const receive = (bytes: Uint8Array) => executor.receive('peer', bytes).kind;
  const partBytes = encodePeerMessage({ kind: 'block-part', height, round: toRound(round), part });
  expect(receive(encodePeerMessage({ kind: 'proposal', proposal }))).toBe('accept');
  expect([receive(partBytes), receive(partBytes)]).toEqual(['accept', 'ignore']);
  await executor.idle();
  expect(executor.state.collected?.get(0)?.bytes).toEqual(part.bytes);
});
