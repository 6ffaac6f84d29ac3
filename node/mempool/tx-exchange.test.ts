import { afterEach, expect, test, vi } from 'vitest';
import { EMPTY, fromUtf8, utf8 } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { ACCEPT } from '../driver/intake.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { P2pHost } from '../p2p/host.ts';
import { addressOf, createLoopbackHost } from '../p2p/loopback-host.test-util.ts';
import { createMempool, type Mempool, refusalResponse } from './mempool.ts';
import { createTxExchange, type TxExchange } from './tx-exchange.ts';

const open: { readonly host: P2pHost; readonly exchange: TxExchange }[] = [];
afterEach(async () => {
  for (const { exchange, host } of open.splice(0)) {
    exchange.close();
    await host.close();
  }
});

/** A mempool with an application that takes every text but those with "bad" in them, and its network. */
async function start(seed: number, persistent: readonly P2pHost[]) {
  const received: string[] = [];
  const peers = new Set<string>();
  const host = await createLoopbackHost(seed, { persistentPeers: persistent.map(addressOf) });
  let exchange: TxExchange | undefined;
  const mempool: Mempool = createMempool(
    { maxTxs: 5_000, maxBytes: 10_000_000, maxTxBytes: 1_000_000, cacheEntries: 10_000, ttlMs: 0, ttlBlocks: 0n },
    {
      app: {
        async checkTx({ tx }) {
          const text = fromUtf8(tx);
          if (text.includes('bad')) return refusalResponse({ codespace: 'sdk', code: 5, message: 'bad' });
          return {
            ...refusalResponse({ codespace: '', code: 0, message: '' }),
            data: EMPTY,
            gasWanted: 1n,
            sender: text.slice(0, 12),
          };
        },
      },
      now: Date.now,
      admitted: (key, from) => exchange?.admitted(key, from),
      refused: (key) => exchange?.refused(key),
      committed: () => exchange?.committed(),
      available: () => undefined,
      logger: silentLogger,
    },
  );
  const started = createTxExchange({
    mempool,
    send: (peer, bytes) => host.send(peer, bytes),
    sendTx: (peer, tx) => host.sendTx(peer, tx),
    connected: (peer, other) => host.areConnected(peer, other),
    now: Date.now,
  });
  exchange = started;
  open.push({ host, exchange: started });
  await host.start({
    message: () => ACCEPT,
    txHashes: (peer, bytes) => started.hashes(peer, bytes),
    tx(peer, bytes) {
      received.push(fromUtf8(bytes));
      return started.tx(peer, bytes);
    },
    connected(peer) {
      peers.add(peer);
      started.addPeer(peer);
    },
    disconnected(peer) {
      peers.delete(peer);
      started.removePeer(peer);
    },
  });
  return { host, mempool, received, peers };
}

test('transactions spread over a real network, each to each node once, and to one that comes later', async () => {
  const a = await start(1, []);
  const b = await start(2, [a.host]);
  const c = await start(3, [a.host, b.host]);
  await vi.waitFor(() => expect([a, b, c].map(({ peers }) => peers.size)).toEqual([2, 2, 2]), { timeout: 10_000 });
  const texts = Array.from({ length: 60 }, (_, i) => `sender ${i}`.padEnd(200 + i * 50, '.'));
  const large = ['x', 'y', 'z'].map((letter) => letter.repeat(900_000));
  await Promise.all([
    ...texts.map((text, i) => (i % 2 === 0 ? a : b).mempool.submit(utf8(text))),
    ...large.map((text) => c.mempool.submit(utf8(text))),
  ]);
  const all = texts.length + large.length;
  await vi.waitFor(() => expect([a, b, c].map(({ mempool }) => mempool.count())).toEqual([all, all, all]), {
    timeout: 15_000,
  });
  for (const { received } of [a, b, c]) expect(new Set(received).size).toBe(received.length);
  expect(a.received.length + b.received.length + c.received.length).toBe(2 * all);
  const d = await start(4, [b.host]);
  await vi.waitFor(() => expect(d.mempool.count()).toBe(all), { timeout: 15_000 });
  expect(d.received).toHaveLength(all);
});

test('what was refused here is not fetched from the next peer; what is not hashes is held against its sender', async () => {
  const a = await start(1, []);
  const b = await start(2, [a.host]);
  await vi.waitFor(() => expect([a, b].map(({ peers }) => peers.size)).toEqual([1, 1]), { timeout: 10_000 });
  b.host.sendTx(a.host.id, utf8('bad'));
  await vi.waitFor(() => expect(a.received).toEqual(['bad']), { timeout: 10_000 });
  expect(a.mempool.count()).toBe(0);
  for (let i = 0; i < 25; i++) b.host.send(a.host.id, Uint8Array.of((12 << 3) | 2, i));
  await vi.waitFor(() => expect(a.peers.size).toBe(0), { timeout: 10_000 });
});

test('what comes alone is announced at once, what comes in a crowd together', () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setImmediate', 'clearImmediate', 'Date'] });
  try {
    const announced: number[] = [];
    const exchange = createTxExchange({
      mempool: { find: (key) => utf8(key), knows: () => true, receive: async () => ACCEPT, keys: () => [] },
      send: (_, bytes) => announced.push((bytes.length - 1) / 32),
      sendTx: () => true,
      connected: () => false,
      now: Date.now,
    });
    exchange.addPeer('peer');
    vi.advanceTimersByTime(1_000);
    const admit = (n: number) => exchange.admitted(String(n).padStart(32, '0'), undefined);
    admit(0);
    vi.advanceTimersByTime(0);
    expect(announced).toEqual([1]);
    for (let n = 1; n <= 10; n++) {
      admit(n);
      vi.advanceTimersByTime(0);
    }
    expect(announced).toEqual([1]);
    vi.advanceTimersByTime(NODE_LIMITS.txAnnounceMs);
    expect(announced).toEqual([1, 10]);
    // A clock that has been put back delays nothing.
    vi.setSystemTime(Date.now() - 3_600_000);
    admit(11);
    vi.advanceTimersByTime(0);
    expect(announced).toEqual([1, 10, 1]);
    exchange.close();
  } finally {
    vi.useRealTimers();
  }
});

test('a new peer is told the names of what waits, and nothing that waits is read for it', async () => {
  const unread = (): never => {
    throw new Error('nobody asks for the bytes');
  };
  const key = 'k'.repeat(32);
  const sent: Uint8Array[] = [];
  const exchange = createTxExchange({
    mempool: { find: unread, knows: () => true, receive: async () => ACCEPT, keys: () => [key] },
    send: (_peer, message) => void sent.push(message),
    sendTx: () => true,
    connected: () => false,
    now: () => 0,
  });
  exchange.addPeer('p');
  await vi.waitFor(() => expect(sent).toHaveLength(1));
  expect(fromUtf8((sent[0] as Uint8Array).subarray(1))).toBe(key);
  exchange.close();
});
