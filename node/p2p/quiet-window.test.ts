import type { Stream } from '@libp2p/interface';
import { multiaddrConnectionPair } from '@libp2p/utils';
import { yamux } from '@libp2p/yamux';
import { expect, test, vi } from 'vitest';
import { quietWindow } from './quiet-window.ts';

/** Sends messages of so many bytes over a yamux stream; answers what arrived and how often the receiver wrote. */
async function transfer(count: number, bytes: number, quiet: boolean) {
  const [near, far] = multiaddrConnectionPair();
  const client = yamux()().createStreamMuxer(near);
  const server = yamux()().createStreamMuxer(far);
  const writes = vi.spyOn(far, 'send');
  const seen = { received: 0, writes: 0 };
  server.addEventListener('stream', ({ detail }: CustomEvent<Stream>) => {
    if (quiet) quietWindow(detail);
    detail.addEventListener('message', ({ data }) => {
      seen.received += data.byteLength;
    });
  });
  const stream = await client.createStream();
  for (let i = 0; i < count; i++) {
    if (!stream.send(new Uint8Array(bytes))) await new Promise((resolve) => stream.addEventListener('drain', resolve));
    await vi.waitFor(() => expect(stream.writableNeedsDrain).toBe(false), { timeout: 5_000 });
  }
  await vi.waitFor(() => expect(seen.received).toBe(count * bytes), { timeout: 5_000 });
  seen.writes = writes.mock.calls.length;
  client.abort(new Error('done'));
  server.abort(new Error('done'));
  return seen;
}

test('small messages are not each answered with a grant of room', async () => {
  const loud = await transfer(30, 200, false);
  const quiet = await transfer(30, 200, true);
  expect(loud.writes).toBeGreaterThanOrEqual(30);
  expect(quiet.writes).toBeLessThan(5);
});

test('more than the window goes through', async () => {
  const quiet = await transfer(40, 30_000, true);
  expect(quiet.received).toBe(1_200_000);
});
