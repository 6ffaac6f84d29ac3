import { expect, test } from 'vitest';
import { maxParts } from '#consensus/actions.ts';
import { encodePeerMessage } from '#consensus/messages.ts';
import { GENESIS_TIME } from '#consensus/test-kit.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { startDriver } from './test-kit.ts';

async function receiving(height: bigint, more: number) {
  const driver = await startDriver({ self: -1 });
  const total = maxParts(driver.executor.state) + more;
  const hash = new Uint8Array(32).fill(1);
  const proposal = {
    height: toHeight(height),
    round: toRound(0),
    polRound: toRound(-1),
    blockId: { hash, partSetHeader: { total, hash } },
    timestamp: GENESIS_TIME,
    signature: new Uint8Array(64).fill(1),
  };
  const verdict = driver.executor.receive('peer', encodePeerMessage({ kind: 'proposal', proposal }));
  await driver.executor.idle();
  return { verdict, total, state: driver.executor.state };
}

test('a proposal with more parts than a block may have is refused, and not handed on', async () => {
  const { verdict, total, state } = await receiving(1n, 1);
  expect(verdict).toEqual({
    kind: 'reject',
    reason: `proposal.block_id.parts.total: expected at most ${total - 1}, got ${total}`,
  });
  expect(state.proposal).toBeUndefined();
  expect((await receiving(1n, 0)).verdict.kind).toBe('accept');
});

test('one of the next height is judged when that height begins, and not handed on before', async () => {
  expect((await receiving(2n, 1)).verdict.kind).toBe('ignore');
  expect((await receiving(2n, 0)).verdict.kind).toBe('accept');
});
