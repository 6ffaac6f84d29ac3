import fc from 'fast-check';
import { afterEach, expect, test, vi } from 'vitest';
import { concat, equal, toHex, utf8 } from '#core/bytes.ts';
import { ACCEPT, type Verdict } from '../driver/intake.ts';
import { NODE_LIMITS } from '../limits.ts';
import { FrameReader, frameHead } from './framing.ts';
import type { P2pHost, P2pOptions, PeerHandlers } from './host.ts';
import { addressOf, createLoopbackHost } from './loopback-host.test-util.ts';
import { nodeIdOf } from './node-id.ts';
import { PeerGuard } from './peer-guard.ts';

const open: P2pHost[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((host) => host.close()));
});

interface Recorded {
  readonly host: P2pHost;
  readonly messages: string[];
  readonly txs: string[];
  readonly connected: Set<string>;
}

async function start(
  seed: number,
  options: Partial<P2pOptions> = {},
  verdict: (text: string) => Verdict = () => ACCEPT,
): Promise<Recorded> {
  const host = await createLoopbackHost(seed, options);
  const recorded: Recorded = { host, messages: [], txs: [], connected: new Set() };
  const handlers: PeerHandlers = {
    message(_peer, bytes) {
      const text = new TextDecoder().decode(bytes);
      recorded.messages.push(text);
      return verdict(text);
    },
    txHashes: () => ACCEPT,
    async tx(_peer, bytes) {
      recorded.txs.push(new TextDecoder().decode(bytes));
      return ACCEPT;
    },
    connected: (peer) => recorded.connected.add(peer),
    disconnected: (peer) => recorded.connected.delete(peer),
  };
  open.push(host);
  await host.start(handlers);
  return recorded;
}

const until = (condition: () => boolean) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout: 10_000, interval: 20 });

test('gossip reaches everybody along a line, direct messages the one they are for', async () => {
  const a = await start(1);
  const b = await start(2, { persistentPeers: [addressOf(a.host)] });
  const c = await start(3, { persistentPeers: [addressOf(b.host)] });
  await until(() => a.connected.has(b.host.id) && b.connected.size === 2 && c.connected.has(b.host.id));
  // A message is published anew until the meshes have formed.
  let serial = 0;
  await vi.waitFor(
    () => {
      a.host.publish(utf8(`gossip ${serial++}`));
      expect(c.messages.some((text) => text.startsWith('gossip'))).toBe(true);
    },
    { timeout: 10_000, interval: 100 },
  );
  expect(b.host.sendTx(c.host.id, utf8('tx'))).toBe(true);
  expect(b.host.sendTx('nobody', utf8('tx'))).toBe(false);
  await until(() => c.txs.includes('tx'));
  expect(a.txs).toEqual([]);
  b.host.send(c.host.id, utf8('only c'));
  b.host.send('nobody', utf8('lost'));
  await until(() => c.messages.includes('only c'));
  expect(a.messages).not.toContain('only c');
  expect(
    b.host
      .peers()
      .map((peer) => peer.moniker)
      .sort(),
  ).toEqual(['n1', 'n3']);
});

test('large messages arrive whole and in order over the direct stream', async () => {
  const a = await start(1);
  const b = await start(2, { persistentPeers: [addressOf(a.host)] });
  await until(() => b.connected.has(a.host.id));
  const sent = Array.from({ length: 40 }, (_, i) => `${i}`.padEnd(i * 5_000 + 3, '.'));
  for (const text of sent) b.host.send(a.host.id, utf8(text));
  await until(() => a.messages.length === sent.length);
  expect(a.messages).toEqual(sent);
});

test('what came over the wire with a long message does not keep it', async () => {
  const taken: Uint8Array[] = [];
  const take = (_peer: string, bytes: Uint8Array) => {
    taken.push(bytes);
    return ACCEPT;
  };
  const host = await createLoopbackHost(1, {});
  open.push(host);
  const ignore = () => undefined;
  await host.start({ message: take, tx: take, txHashes: () => ACCEPT, connected: ignore, disconnected: ignore });
  const sender = await start(2, { persistentPeers: [addressOf(host)] });
  await until(() => sender.connected.has(host.id));
  sender.host.send(host.id, new Uint8Array(50_000).fill(65));
  expect(sender.host.sendTx(host.id, new Uint8Array(200).fill(66))).toBe(true);
  await until(() => taken.length === 2);
  for (const bytes of taken) {
    expect(Buffer.isBuffer(bytes)).toBe(false);
    expect(bytes.buffer.byteLength).toBeLessThanOrEqual(2 * bytes.length);
  }
});

test('what is rejected is not forwarded, and its sender is banned in the end', async () => {
  const refusing = await start(1, {}, (text) =>
    text.startsWith('wrong') ? { kind: 'reject', reason: 'wrong' } : ACCEPT,
  );
  const sender = await start(2, { persistentPeers: [addressOf(refusing.host)] });
  const beyond = await start(3, { persistentPeers: [addressOf(refusing.host)] });
  await until(() => refusing.connected.size === 2 && sender.connected.size === 1 && beyond.connected.size === 1);
  for (let i = 0; i < NODE_LIMITS.peerFaultsPerMinute; i++) sender.host.send(refusing.host.id, utf8(`wrong ${i}`));
  await until(() => !refusing.connected.has(sender.host.id));
  expect(refusing.connected.has(beyond.host.id)).toBe(true);
  expect(beyond.messages).toEqual([]);
});

test('a node of another genesis is disconnected', async () => {
  const a = await start(1);
  const other = await start(2, { genesisHash: new Uint8Array(32).fill(1), persistentPeers: [addressOf(a.host)] });
  const same = await start(3, { persistentPeers: [addressOf(a.host)] });
  await until(() => same.connected.has(a.host.id));
  await until(() => a.host.peers().length === 1);
  expect(a.connected.has(other.host.id)).toBe(false);
  expect(other.connected.size).toBe(0);
});

test('a persistent peer that comes back is found again', async () => {
  const a = await start(1);
  const b = await start(2, { persistentPeers: [addressOf(a.host)] });
  await until(() => b.connected.has(a.host.id));
  const { host, port } = addressOf(a.host);
  await a.host.close();
  await until(() => b.connected.size === 0);
  const again = await start(1, { listen: { host, port } });
  await until(() => b.connected.has(again.host.id) && again.connected.has(b.host.id));
});

test('a busy port is named', async () => {
  const a = await start(1);
  const { host, port } = addressOf(a.host);
  await expect(start(2, { listen: { host, port } })).rejects.toThrow(`127.0.0.1:${port} is busy`);
});

test('the node id is the peer id of the node key', async () => {
  const a = await start(7);
  expect(await nodeIdOf(new Uint8Array(32).fill(7))).toBe(a.host.id);
});

const framed = (message: Uint8Array) => concat(frameHead(message), message);

test('frames are cut right however the stream is split, and too long ones are refused at their head', () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 50 })),
      fc.infiniteStream(fc.integer({ min: 1, max: 9 })),
      (messages, sizes) => {
        const stream = concat(...messages.map(framed));
        const reader = new FrameReader(() => 50);
        const seen: string[] = [];
        for (let at = 0; at < stream.length; ) {
          const size = sizes.next().value ?? 1;
          const result = reader.push(stream.subarray(at, at + size));
          if (result.ok) seen.push(...result.value.map(toHex));
          at += size;
        }
        expect(seen).toEqual(messages.map(toHex));
      },
    ),
  );
  const reader = new FrameReader((first) => (first === 7 ? 100 : 10));
  expect(reader.push(Uint8Array.of(0, 0, 0, 11, 7))).toEqual({ ok: true, value: [] });
  expect(new FrameReader(() => 10).push(Uint8Array.of(0, 0, 0, 11, 7)).ok).toBe(false);
  expect(new FrameReader(() => 10).push(Uint8Array.of(0, 0, 0, 0, 0)).ok).toBe(false);
});

test('a message that trickles in byte by byte is no crash, and no work that grows with its square', () => {
  const message = new Uint8Array(1_000_000).fill(7);
  const stream = framed(message);
  const reader = new FrameReader(() => message.length);
  let seen: readonly Uint8Array[] = [];
  for (let at = 0; at < stream.length; at++) {
    const result = reader.push(stream.subarray(at, at + 1));
    if (!result.ok) throw new Error(result.error);
    if (result.value.length > 0) seen = result.value;
  }
  expect(seen.map((one) => equal(one, message))).toEqual([true]);
});

test('no message keeps much more memory than its own, whatever came with it', () => {
  const lengths = fc.array(fc.oneof(fc.integer({ min: 1, max: 400 }), fc.integer({ min: 1, max: 90_000 })), {
    minLength: 1,
    maxLength: 20,
  });
  fc.assert(
    fc.property(lengths, fc.integer({ min: 1, max: 100_000 }), (all, size) => {
      const stream = Buffer.from(concat(...all.map((length) => framed(new Uint8Array(length).fill(7)))));
      const reader = new FrameReader(() => 90_000);
      let count = 0;
      for (let at = 0; at < stream.length; at += size) {
        const read = reader.push(stream.subarray(at, at + size));
        for (const message of read.ok ? read.value : []) {
          count++;
          // A Buffer's slice() would not be the copy that others take it for.
          expect(Buffer.isBuffer(message)).toBe(false);
          expect(message.buffer.byteLength).toBeLessThanOrEqual(2 * message.length);
        }
      }
      expect(count).toBe(all.length);
    }),
    { numRuns: 40 },
  );
});

test('rates refill, faults are forgotten after a minute, bans end', () => {
  let now = 0;
  const guard = new PeerGuard(() => now);
  let admitted = 0;
  while (guard.admitMessage('p', 10)) admitted++;
  expect(admitted).toBe(2 * NODE_LIMITS.peerMessagesPerSecond);
  const megabyte = 1_048_576;
  let txs = 0;
  while (guard.admitTx('p', megabyte)) txs++;
  expect(txs).toBe(Math.floor((2 * NODE_LIMITS.peerTxBytesPerSecond) / megabyte));
  expect(guard.admitTx('p', 10)).toBe(false);
  now += 100;
  expect(guard.admitTx('p', 10)).toBe(true);
  expect(guard.admitMessage('p', 10)).toBe(true);
  expect(guard.admitMessage('q', 10)).toBe(true);
  for (let i = 1; i < NODE_LIMITS.peerFaultsPerMinute; i++) expect(guard.fault('p')).toBe(false);
  now += 60_001;
  expect(guard.fault('p')).toBe(false);
  expect(guard.fault('p', NODE_LIMITS.peerFaultsPerMinute)).toBe(true);
  expect(guard.isBanned('p')).toBe(true);
  now += NODE_LIMITS.banMs;
  expect(guard.isBanned('p')).toBe(false);
});
