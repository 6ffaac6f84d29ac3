/** A remote signer may take seconds. What comes meanwhile is taken in, answered and kept in order; nothing is lost. */
import { setImmediate } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { decodePeerMessage, encodePeerMessage, type PeerMessage } from '#consensus/messages.ts';
import { roundStatus } from '#consensus/state.ts';
import { Kit } from '#consensus/test-kit.ts';
import { toHeight } from '#core/types/brand.ts';
import { PRECOMMIT, PREVOTE } from '#core/types/vote.ts';
import type { Signer } from './ports.ts';
import { startDriver, yesSigner } from './test-kit.ts';

/** Answers when the test says so. */
function slowSigner() {
  const { promise: answered, resolve: answer } = Promise.withResolvers<void>();
  let asked = 0;
  const wait = async <T>(run: () => Promise<T>): Promise<T> => {
    asked++;
    await answered;
    return run();
  };
  const prompt = yesSigner(0);
  const signer: Signer = {
    publicKey: prompt.publicKey,
    signVote: (...request) => wait(() => prompt.signVote(...request)),
    signProposal: (...request) => wait(() => prompt.signProposal(...request)),
  };
  return { signer, answer, asked: () => asked };
}

test('while a signature is awaited messages are taken in, peers are answered, timeouts kept', async () => {
  const { signer, answer, asked } = slowSigner();
  const driver = await startDriver({ signer, validators: 4, self: 0 });
  const { executor, self } = driver;
  const others = [0, 1, 2, 3].filter((index) => index !== self);
  // The same chain, played by the test: the blocks and votes of the others.
  const kit = new Kit({ self: -1 }).fire('new-height');
  void driver.fire();
  // Everything is in memory: by the next turn the engine waits for the signer, or for a timeout.
  await setImmediate();
  // Its own proposal, or its nil prevote after the propose timeout, waits for the signer.
  if (asked() === 0) void driver.fire();
  await expect.poll(asked).toBe(1);
  const { height, round } = executor.state;

  const receive = (message: PeerMessage) => executor.receive('peer', encodePeerMessage(message)).kind;
  const block = kit.block('of another');
  executor.addPeer('peer');
  const told = driver.sent.length;
  for (const index of others)
    expect(receive({ kind: 'vote', vote: kit.vote(PREVOTE, index, 0, block) })).toBe('accept');
  for (const index of others)
    expect(receive({ kind: 'vote', vote: kit.vote(PRECOMMIT, index, 0, block) })).toBe('accept');
  for (const part of block.parts.parts) receive({ kind: 'block-part', height: toHeight(1n), round, part });
  // Status and requests are answered at once.
  receive({ kind: 'status', status: roundStatus(kit.state, toHeight(0n)) });
  receive({ kind: 'block-request', height: toHeight(1n) });
  driver.tick();
  const answers = driver.sent.slice(told).map(({ bytes }) => decodePeerMessage(bytes));
  expect(answers.map((each) => (each.ok ? each.value.kind : each.error))).toEqual(
    expect.arrayContaining(['block-response', 'status']),
  );
  // None of it has reached the engine: it goes on with the answer that it waits for.
  expect(executor.state.height).toBe(height);
  expect(executor.state.votes.prevotes(0).size).toBe(0);

  answer();
  await executor.idle();
  expect(driver.failures).toEqual([]);
  expect(executor.state.height).toBe(2n);
  expect(driver.blocks.meta(1n)?.blockId).toEqual(block.blockId);
});
