import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat } from '../bytes.ts';
import { sha256 } from './hash.ts';
import { LaneQueue, sha256Many } from './sha256-queue.ts';

const message = fc.oneof(
  fc.uint8Array({ maxLength: 200 }),
  // About as long as a lane is, and longer.
  fc
    .tuple(fc.integer({ min: 2_030, max: 2_100 }), fc.nat(255))
    .map(([length, byte]) => new Uint8Array(length).fill(byte)),
);

test('messages of any lengths have their digests in their places, behind any prefix', () => {
  fc.assert(
    fc.property(fc.array(message, { maxLength: 30 }), fc.uint8Array({ maxLength: 3 }), (messages, prefix) => {
      const expected = concat(...messages.map((each) => sha256(concat(prefix, each))));
      expect(sha256Many(messages, prefix)).toEqual(expected);
    }),
  );
});

test('of two queues in turn each has its own messages', () => {
  const messages = Array.from({ length: 7 }, (_, i) => new Uint8Array(10 * i).fill(i));
  const queueOf = (out: Uint8Array) =>
    new LaneQueue(
      (item, bytes, at) => {
        bytes.set(messages[item] as Uint8Array, at);
        return at + (messages[item] as Uint8Array).length;
      },
      out,
      (item) => 32 * item,
    );
  const outs = [new Uint8Array(7 * 32), new Uint8Array(7 * 32)] as const;
  const queues = outs.map(queueOf);
  messages.forEach(({ length }, item) => {
    for (const queue of queues) queue.add(item, length);
  });
  for (const queue of queues) queue.finish();
  for (const out of outs) expect(out).toEqual(concat(...messages.map((each) => sha256(each))));
});
