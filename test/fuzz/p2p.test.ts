/** What peers say of transactions and of one another: taken or refused in a sentence, and never more kept than is named. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { CONSENSUS_LIMITS } from '#consensus/limits.ts';
import { keyOfHash, TX_MESSAGE, TxGossip } from '#consensus/mempool-gossip.ts';
import { concat, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { NODE_LIMITS } from '#node/limits.ts';
import { AddressBook } from '#node/p2p/address-book.ts';
import { Flood } from '#node/p2p/flood.ts';
import { decodeExchange, encodeExchange, PeerExchange } from '#node/p2p/peer-exchange.ts';
import { fuzzRuns } from './runs.ts';

const hashes = fc
  .array(fc.nat(30), { minLength: 1, maxLength: 12 })
  .map((numbers) => concat(...numbers.map((n) => sha256(utf8(`${n}`)))));
const gossipMessage = fc.oneof(
  fc
    .tuple(fc.constantFrom(...Object.values(TX_MESSAGE)), hashes)
    .map(([kind, content]) => concat(Uint8Array.of(kind), content)),
  fc.uint8Array({ maxLength: 100 }),
);
const peer = fc.constantFrom('a', 'b', 'c');

test('any talk about transactions, connections and time leaves nothing in flight once everybody is gone', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('message' as const), peer, bytes: gossipMessage }),
    fc.record({ kind: fc.constant('add' as const), peer }),
    fc.record({ kind: fc.constant('remove' as const), peer }),
    fc.record({ kind: fc.constant('arrived' as const), peer, n: fc.nat(30) }),
    fc.record({ kind: fc.constant('tick' as const), ms: fc.nat(2_000) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const pool = new Set<string>();
      let requested = 0;
      let now = 0;
      const gossip = new TxGossip({
        send(_to, bytes) {
          if (bytes[0] === TX_MESSAGE.request) requested += (bytes.length - 1) / 32;
        },
        sendTx: (_to, key) => (pool.has(key) ? 'sent' : 'absent'),
        has: (key) => pool.has(key),
        waits: (key) => pool.has(key),
        connected: () => true,
      });
      for (const each of steps) {
        if (each.kind === 'message') gossip.receive(each.peer, each.bytes, now);
        else if (each.kind === 'add') gossip.addPeer(each.peer, pool);
        else if (each.kind === 'remove') gossip.removePeer(each.peer);
        else if (each.kind === 'arrived') {
          const key = keyOfHash(sha256(utf8(`${each.n}`)));
          gossip.arrived(each.peer, key, now);
          pool.add(key);
          gossip.admitted(key, each.peer);
          gossip.flush();
        } else {
          now += each.ms;
          gossip.tick(now);
        }
        expect(gossip.wanted).toBeLessThanOrEqual(CONSENSUS_LIMITS.maxWantedTxs);
      }
      // Each announcement leads to two requests at most.
      const announced = steps.reduce((sum, each) => sum + (each.kind === 'message' ? each.bytes.length >>> 5 : 0), 0);
      expect(requested).toBeLessThanOrEqual(2 * announced);
      for (const id of ['a', 'b', 'c']) gossip.removePeer(id);
      expect([gossip.wanted, gossip.idle]).toEqual([0, true]);
    }),
    { numRuns: fuzzRuns(500) },
  );
});

test('any exchange of addresses is taken or refused, and the book stays within its bounds', () => {
  const host = fc.oneof(fc.ipV4(), fc.ipV6(), fc.string({ maxLength: 46 }));
  const id = fc.oneof(
    fc.constantFrom(
      '12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK',
      '12D3KooWBxU2HyaSX7FxvC4NRkFTVFsgsrQhyGsY6dbFUpT45MF4',
    ),
    fc.string({ maxLength: 65 }),
  );
  const message = fc.oneof(
    fc
      .array(fc.record({ id, host, port: fc.nat(70_000) }), { maxLength: 70 })
      .map((addresses) => encodeExchange({ kind: 'addresses', addresses })),
    fc.constant(encodeExchange({ kind: 'request' })),
    fc.uint8Array({ maxLength: 60 }),
  );
  fc.assert(
    fc.property(fc.array(fc.tuple(peer, message, fc.boolean()), { maxLength: 12 }), (talk) => {
      const book = new AddressBook({ hidden: new Set(), strict: true }, { now: () => 0, random: Math.random });
      const exchange = new PeerExchange({
        book,
        send: (_to, bytes) => expect(decodeExchange(bytes).ok).toBe(true),
        now: () => 0,
        isBanned: () => false,
      });
      for (const [from, bytes, asks] of talk) {
        if (asks) exchange.ask(from);
        const verdict = exchange.receive(from, bytes);
        if (verdict.kind === 'reject') expect(verdict.reason).not.toBe('');
      }
      expect(book.size).toBeLessThanOrEqual(NODE_LIMITS.maxBookAddresses);
      const other = new AddressBook({ hidden: new Set(), strict: true }, { now: () => 0, random: Math.random });
      expect(other.load(book.render() ?? '{"version":1,"addresses":[]}')).toBe(true);
      expect(other.size).toBe(book.size);
    }),
    { numRuns: fuzzRuns(500) },
  );
});

test('any list of neighbours is taken or refused; a message goes to few, once each, and never back', () => {
  const step = fc.oneof(
    fc.record({ kind: fc.constant('add' as const), peer }),
    fc.record({ kind: fc.constant('remove' as const), peer }),
    fc.record({ kind: fc.constant('names' as const), peer, bytes: fc.uint8Array({ maxLength: 40 }) }),
    fc.record({ kind: fc.constant('forward' as const), peer, bytes: fc.uint8Array({ minLength: 1, maxLength: 20 }) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const connected = new Set<string>();
      let sent: string[] = [];
      const flood = new Flood({ send: (to) => sent.push(to), isPrivate: (name) => name === 'c' });
      for (const each of steps) {
        sent = [];
        if (each.kind === 'add') {
          flood.addPeer(each.peer);
          connected.add(each.peer);
        } else if (each.kind === 'remove') {
          flood.removePeer(each.peer);
          connected.delete(each.peer);
        } else if (each.kind === 'names') {
          expect(flood.onNeighbours(each.peer, each.bytes)).toBe(each.bytes.length % 8 === 0);
        } else {
          flood.forward(each.peer, each.bytes);
          expect(sent).not.toContain(each.peer);
          expect(sent.length).toBeLessThanOrEqual(NODE_LIMITS.floodFanout);
        }
        expect(new Set(sent).size).toBe(sent.length);
        for (const to of sent) expect(connected).toContain(to);
      }
    }),
    { numRuns: fuzzRuns(500) },
  );
});
