import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { ACCEPT } from '../driver/intake.ts';
import { NODE_LIMITS } from '../limits.ts';
import { AddressBook } from './address-book.ts';
import type { P2pHost, P2pOptions } from './host.ts';
import { addressOf, createLoopbackHost } from './loopback-host.test-util.ts';
import { nodeIdOf } from './node-id.ts';
import { decodeExchange, encodeExchange, MAX_EXCHANGE_BYTES, PeerExchange } from './peer-exchange.ts';
import { PeerGuard } from './peer-guard.ts';

const folder = mkdtempSync(join(tmpdir(), 'autonomy-peers-'));
afterAll(() => rmSync(folder, { recursive: true }));
const open: P2pHost[] = [];
afterEach(async () => {
  await Promise.all(open.splice(0).map((host) => host.close()));
});

async function start(seed: number, options: Partial<P2pOptions> = {}): Promise<P2pHost> {
  const host = await createLoopbackHost(seed, { exchangeAddresses: true, ...options });
  open.push(host);
  await host.start({
    message: () => ACCEPT,
    txHashes: () => ACCEPT,
    tx: async () => ACCEPT,
    connected: () => undefined,
    disconnected: () => undefined,
  });
  return host;
}

const idsOf = (host: P2pHost) => host.peers().map(({ id }) => id);
const until = (condition: () => boolean, timeout = 20_000) =>
  vi.waitFor(() => expect(condition()).toBe(true), { timeout, interval: 50 });

test('nodes that know only a seed find one another, never the private one, and again by the book without the seed', async () => {
  const seed = await start(1, { privatePeers: [await nodeIdOf(new Uint8Array(32).fill(9))], maxOutboundPeers: 0 });
  const hidden = await start(9, { persistentPeers: [addressOf(seed)], exchangeAddresses: false });
  const seeds = [addressOf(seed)];
  const book = join(folder, 'addrbook.json');
  const a = await start(2, { seeds, addressBookFile: book });
  await until(() => idsOf(seed).includes(a.id) && idsOf(seed).includes(hidden.id));
  const b = await start(3, { seeds });
  await until(() => idsOf(a).includes(b.id) && idsOf(b).includes(a.id));
  expect(idsOf(a)).not.toContain(hidden.id);
  expect(idsOf(b)).not.toContain(hidden.id);
  const [one] = a.peers().filter(({ id }) => id === b.id);
  expect(one).toMatchObject({ moniker: 'n3', remoteIp: '127.0.0.1' });
  expect(a.peers().some(({ outbound }) => outbound) && b.peers().some(({ outbound }) => outbound)).toBe(true);

  await a.close();
  expect(readFileSync(book, 'utf8')).not.toContain(hidden.id);
  expect(readFileSync(book, 'utf8')).toContain(seed.id);
  const back = await start(2, { addressBookFile: book });
  await until(() => idsOf(back).length > 0);
});

test('beyond the inbound limits nobody gets in, but persistent peers', async () => {
  const full = await start(1, {
    maxInboundPeers: 1,
    exchangeAddresses: false,
    persistentPeers: [{ id: await nodeIdOf(new Uint8Array(32).fill(4)), host: '127.0.0.1', port: 1 }],
  });
  const persistentPeers = [addressOf(full)];
  const first = await start(2, { persistentPeers });
  await until(() => idsOf(full).includes(first.id));
  const second = await start(3, { persistentPeers });
  const trusted = await start(4, { persistentPeers });
  await until(() => idsOf(full).includes(trusted.id));
  expect(idsOf(full)).not.toContain(second.id);
  const crowded = await start(5, { maxPeersPerHost: 1, exchangeAddresses: false });
  const guests = [
    await start(6, { persistentPeers: [addressOf(crowded)] }),
    await start(7, { persistentPeers: [addressOf(crowded)] }),
  ];
  await until(() => idsOf(crowded).length === 1);
  expect(guests.filter(({ id }) => idsOf(crowded).includes(id))).toHaveLength(1);
});

test('Adversarial 25: addresses that nobody asked for, too many of them, and requests in a row end the acquaintance; honest peers stay', async () => {
  const victim = await start(1, { maxOutboundPeers: 0 });
  const persistentPeers = [addressOf(victim)];
  const honest = await start(2, { persistentPeers });
  const some = { id: honest.id, host: '8.8.8.8', port: 1 };
  const attacks = [
    [encodeExchange({ kind: 'addresses', addresses: [] })],
    [encodeExchange({ kind: 'addresses', addresses: Array.from({ length: 65 }, () => some) })],
    Array.from({ length: 6 }, () => encodeExchange({ kind: 'request' })),
  ];
  for (const [i, messages] of attacks.entries()) {
    const liar = await start(3 + i, { persistentPeers, exchangeAddresses: false });
    await until(() => idsOf(victim).length === 2 && idsOf(liar).includes(victim.id));
    for (const message of messages) liar.send(victim.id, message);
    await until(() => !idsOf(victim).includes(liar.id));
    expect(idsOf(victim)).toEqual([honest.id]);
  }
});

function exchange() {
  let nowMs = 100_000;
  const sent: string[] = [];
  const book = new AddressBook({ hidden: new Set(), strict: false }, { now: () => nowMs, random: Math.random });
  const reactor = new PeerExchange({
    book,
    send(peer, bytes) {
      const message = decodeExchange(bytes);
      sent.push(`${peer} ${message.ok ? message.value.kind : message.error}`);
    },
    now: () => nowMs,
    isBanned: () => false,
  });
  return { reactor, book, sent, advance: (ms: number) => (nowMs += ms) };
}

test('too many addresses, answers not asked for and requests too early are held against a peer', async () => {
  const { reactor, book, sent, advance } = exchange();
  const many = await Promise.all(
    Array.from({ length: NODE_LIMITS.maxExchangedAddresses + 1 }, async (_, i) => ({
      id: await nodeIdOf(new Uint8Array(32).fill(i)),
      host: `8.${i}.0.1`,
      port: 1,
    })),
  );
  const answer = (count: number) => encodeExchange({ kind: 'addresses', addresses: many.slice(0, count) });
  const ask = encodeExchange({ kind: 'request' });
  expect(reactor.receive('p', answer(1))).toMatchObject({ kind: 'reject', grave: true });
  reactor.ask('p');
  reactor.ask('p');
  expect(sent).toEqual(['p request']);
  expect(answer(NODE_LIMITS.maxExchangedAddresses).length).toBeLessThan(MAX_EXCHANGE_BYTES);
  expect(reactor.receive('p', answer(NODE_LIMITS.maxExchangedAddresses + 1))).toMatchObject({
    kind: 'reject',
    grave: true,
  });
  expect(reactor.receive('p', answer(5)).kind).toBe('ignore');
  expect(book.size).toBe(5);
  expect(reactor.receive('p', answer(5))).toMatchObject({ kind: 'reject', grave: true });
  expect(reactor.receive('q', ask).kind).toBe('ignore');
  expect(reactor.receive('q', ask)).toMatchObject({ kind: 'reject', reason: 'asks for addresses again after 0 ms' });
  advance(NODE_LIMITS.exchangeMinIntervalMs);
  expect(reactor.receive('q', ask).kind).toBe('ignore');
  expect(sent).toEqual(['p request', 'q addresses', 'q addresses']);
});

test('bytes of an exchange decode to what encodes to the same, or are refused', () => {
  fc.assert(
    fc.property(
      fc.oneof(
        fc.uint8Array({ maxLength: 80 }),
        fc
          .array(fc.record({ id: fc.string({ maxLength: 70 }), host: fc.string({ maxLength: 50 }), port: fc.nat() }), {
            maxLength: 70,
          })
          .map((addresses) => encodeExchange({ kind: 'addresses', addresses })),
      ),
      (bytes) => {
        const result = decodeExchange(bytes);
        if (result.ok) expect(decodeExchange(encodeExchange(result.value))).toEqual(result);
        else expect(result.error).not.toBe('');
      },
    ),
    { numRuns: 500 },
  );
});

test('each ban is twice as long as the one before, and scores remember', () => {
  let now = 0;
  const guard = new PeerGuard(() => now);
  expect(guard.score('p')).toBe(0);
  guard.fault('p', 3);
  expect(guard.score('p')).toBe(-3);
  const length = () => {
    guard.ban('p');
    const from = now;
    while (guard.isBanned('p')) now += 1_000;
    return now - from;
  };
  expect(length()).toBe(NODE_LIMITS.banMs);
  expect(length()).toBe(2 * NODE_LIMITS.banMs);
  expect(length()).toBe(4 * NODE_LIMITS.banMs);
  for (let i = 0; i < 10; i++) length();
  expect(length()).toBe(NODE_LIMITS.maxBanMs);
  expect(guard.score('p')).toBeLessThanOrEqual(-100);
});
