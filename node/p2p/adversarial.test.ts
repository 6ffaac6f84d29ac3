/** Peers that are no peers: silent connections by the thousand, readers that do not read, frames that claim more than they are. */
import { connect, type Socket } from 'node:net';
import type { Stream } from '@libp2p/interface';
import { noise } from '@libp2p/noise';
import { tcp } from '@libp2p/tcp';
import { yamux } from '@libp2p/yamux';
import { multiaddr } from '@multiformats/multiaddr';
import { createLibp2p, type Libp2p } from 'libp2p';
import { afterEach, expect, test, vi } from 'vitest';
import { concat, u32be, utf8 } from '#core/bytes.ts';
import { siteOf } from '#core/site.ts';
import { ACCEPT } from '../driver/intake.ts';
import { NODE_LIMITS } from '../limits.ts';
import { DirectSender } from './direct-stream.ts';
import type { P2pHost, P2pOptions } from './host.ts';
import { addressOf, createLoopbackHost, LOOPBACK_CHAIN, LOOPBACK_GENESIS_HASH } from './loopback-host.test-util.ts';
import { networkNames } from './network-names.ts';
import { PendingInbound } from './pending-inbound.ts';

const cleanUp: (() => Promise<unknown> | unknown)[] = [];
afterEach(async () => {
  for (const each of cleanUp.splice(0).reverse()) await each();
});

interface Recorded {
  readonly host: P2pHost;
  readonly messages: string[];
}

async function start(seed: number, options: Partial<P2pOptions> = {}): Promise<Recorded> {
  const host = await createLoopbackHost(seed, options);
  cleanUp.push(() => host.close());
  const messages: string[] = [];
  await host.start({
    message(_peer, bytes) {
      messages.push(new TextDecoder().decode(bytes));
      return ACCEPT;
    },
    txHashes: () => ACCEPT,
    tx: async () => ACCEPT,
    connected: () => {},
    disconnected: () => {},
  });
  return { host, messages };
}

const until = (condition: () => boolean, timeout = 15_000) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout, interval: 20 });

/** A peer that speaks the network's language as the test wants; its direct streams are what the others open to it. */
async function stranger(victim: Recorded, onStream: (stream: Stream) => void): Promise<Libp2p> {
  const node = await createLibp2p({
    addresses: { listen: [] },
    transports: [tcp()],
    connectionEncrypters: [noise()],
    streamMuxers: [yamux()],
  });
  cleanUp.push(() => node.stop());
  await node.handle(networkNames(LOOPBACK_CHAIN, LOOPBACK_GENESIS_HASH).directProtocol, onStream);
  const { host, port, id } = addressOf(victim.host);
  await node.dial(multiaddr(`/ip4/${host}/tcp/${port}/p2p/${id}`));
  return node;
}

test('Limit: a thousand connections from one address keep nobody else out', async () => {
  const victim = await start(1);
  const { port } = addressOf(victim.host);
  const sockets: Socket[] = [];
  cleanUp.push(() => {
    for (const socket of sockets) socket.destroy();
  });
  let closed = 0;
  const settled: Promise<void>[] = [];
  for (let i = 0; i < 1_000; i++) {
    const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.66' });
    sockets.push(socket);
    socket.on('error', () => {});
    socket.resume();
    settled.push(
      new Promise((resolve) => {
        socket.once('connect', () => resolve());
        socket.once('close', () => {
          closed++;
          resolve();
        });
      }),
    );
  }
  await Promise.all(settled);
  // Nearly all are refused; those that may wait for their handshake are few, and not all the room there is.
  await until(() => 1_000 - closed <= NODE_LIMITS.maxPendingInboundPerHost);
  const honest = await start(2, { persistentPeers: [addressOf(victim.host)] });
  await until(() => victim.host.peers().some(({ id }) => id === honest.host.id));
  honest.host.send(victim.host.id, utf8('hello'));
  await until(() => victim.messages.includes('hello'));
});

test('Limit: a thousand identities from one address get max_peers_per_ip places', async () => {
  const victim = await start(1, { maxPeersPerHost: 3 });
  const strangers = await Promise.allSettled(Array.from({ length: 12 }, () => stranger(victim, () => {})));
  expect(strangers.length).toBe(12);
  await until(() => victim.host.peers().length === 3);
  expect(victim.host.peers().every(({ remoteIp }) => remoteIp === '127.0.0.1')).toBe(true);
});

test('Limit: one network of IPv6 addresses is one address', () => {
  for (const [host, site] of [
    ['192.0.2.7', '192.0.2.7'],
    ['::ffff:192.0.2.7', '192.0.2.7'],
    ['2001:db8:1:2:3:4:5:6', '2001:db8:1:2'],
    ['2001:0DB8:0001:0002::1', '2001:db8:1:2'],
    ['2001:db8::1', '2001:db8:0:0'],
    ['::1', '0:0:0:0'],
  ])
    expect(siteOf(host ?? '')).toBe(site);
  const pending = new PendingInbound();
  const admitted = Array.from({ length: 100 }, (_, i) => pending.admit(`a${i}`, `2001:db8::${i}`)).filter(Boolean);
  expect(admitted.length).toBe(NODE_LIMITS.maxPendingInboundPerHost);
  expect(pending.admit('b', '2001:db8:0:1::1')).toBe(true);
  pending.settle('a0');
  expect(pending.admit('c', '2001:db8::ffff')).toBe(true);
});

test('Limit: slow-reading peers cost a bounded queue, and nobody else waits for them', async () => {
  const victim = await start(1);
  const slow = await stranger(victim, (stream) => stream.pause());
  const honest = await start(2, { persistentPeers: [addressOf(victim.host)] });
  await until(() => victim.host.peers().length === 2);
  const slowId = slow.peerId.toString();
  const large = new Uint8Array(200_000).fill(66);
  // Transactions stop first, at a megabyte that waits.
  let taken = 0;
  await until(() => {
    if (victim.host.sendTx(slowId, large)) taken++;
    return taken > 3 && !victim.host.sendTx(slowId, large);
  });
  expect(taken * large.length).toBeLessThan(8 * NODE_LIMITS.maxPeerTxQueueBytes);
  for (let i = 0; i < 200; i++) victim.host.send(slowId, large);
  for (let i = 0; i < 20; i++) victim.host.send(honest.host.id, utf8(`to the honest ${i}`));
  await until(() => honest.messages.length === 20);
  expect(victim.host.sendTx(slowId, utf8('tx'))).toBe(false);
  expect(victim.host.sendTx(honest.host.id, utf8('tx'))).toBe(true);
});

test('Limit: maxPeerQueueBytes, what waits for a peer that never reads', () => {
  const stream = { writableNeedsDrain: true, addEventListener: () => {}, send: () => false };
  const sender = new DirectSender(stream as unknown as Stream, () => {});
  const message = new Uint8Array(100_000);
  let taken = 0;
  for (let i = 0; i < 1_000; i++) if (sender.send(message)) taken += message.length;
  expect(taken).toBeGreaterThan(NODE_LIMITS.maxPeerQueueBytes - 2 * message.length);
  expect(sender.queuedBytes).toBeLessThanOrEqual(NODE_LIMITS.maxPeerQueueBytes + message.length);
});

test('Limit: frames that claim more than is permitted end the stream and the acquaintance', async () => {
  const victim = await start(1);
  const honest = await start(2, { persistentPeers: [addressOf(victim.host)] });
  await until(() => victim.host.peers().length === 1);
  const direct = networkNames(LOOPBACK_CHAIN, LOOPBACK_GENESIS_HASH).directProtocol;
  for (const head of [
    // Four gigabytes; a bit more than a message may have; nothing at all.
    concat(u32be(0xffff_ffff), Uint8Array.of(0x1a)),
    concat(u32be(262_145), Uint8Array.of(0x1a)),
    concat(u32be(0), Uint8Array.of(0x1a)),
  ]) {
    const attacker = await stranger(victim, () => {});
    const [connection] = attacker.getConnections();
    if (connection === undefined) throw new Error('a connection');
    const stream = await connection.newStream(direct);
    stream.send(head);
    const id = attacker.peerId.toString();
    await until(() => attacker.getConnections().length === 0 || !victim.host.peers().some((peer) => peer.id === id));
    await attacker.stop();
  }
  honest.host.send(victim.host.id, utf8('still here'));
  await until(() => victim.messages.includes('still here'));
  expect(victim.host.peers().map(({ id }) => id)).toContain(honest.host.id);
});
