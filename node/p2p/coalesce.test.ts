import type { MessageStream } from '@libp2p/interface';
import { expect, test } from 'vitest';
import { concat, toHex } from '#core/bytes.ts';
import { NODE_LIMITS } from '../limits.ts';
import { gatherTurns } from './coalesce.ts';

const turn = () => new Promise((resolve) => setImmediate(resolve));

function fakeStream() {
  const sent: Uint8Array[] = [];
  const stream = {
    sent,
    status: 'open' as MessageStream['status'],
    writableNeedsDrain: false,
    closed: false,
    send(data: Parameters<MessageStream['send']>[0]) {
      sent.push(data instanceof Uint8Array ? data : data.subarray());
      return !stream.writableNeedsDrain;
    },
    async close() {
      stream.closed = true;
    },
  };
  gatherTurns(stream);
  return stream;
}

test('what is sent in one turn leaves as one, in order', async () => {
  const stream = fakeStream();
  expect(stream.send(Uint8Array.of(1, 2))).toBe(true);
  expect(stream.send(Uint8Array.of(3))).toBe(true);
  expect(stream.sent).toEqual([]);
  await turn();
  stream.send(Uint8Array.of(4));
  await turn();
  expect(stream.sent.map(toHex)).toEqual(['010203', '04']);
});

test('much is not held back, and back-pressure is passed on', async () => {
  const stream = fakeStream();
  const large = new Uint8Array(NODE_LIMITS.streamWriteBytes);
  stream.send(Uint8Array.of(1));
  stream.writableNeedsDrain = true;
  expect(stream.send(large)).toBe(false);
  expect(stream.sent.length).toBe(1);
  expect(stream.send(Uint8Array.of(2))).toBe(false);
  expect(toHex(concat(...stream.sent))).toBe(`01${toHex(large)}02`);
  await turn();
  expect(stream.sent.length).toBe(2);
});

test('closing sends what is held; an aborted stream is not written to', async () => {
  const closing = fakeStream();
  closing.send(Uint8Array.of(1));
  await closing.close();
  expect(closing.sent.map(toHex)).toEqual(['01']);
  expect(closing.closed).toBe(true);
  const aborted = fakeStream();
  aborted.send(Uint8Array.of(1));
  aborted.status = 'aborted';
  await turn();
  expect(aborted.sent).toEqual([]);
});
