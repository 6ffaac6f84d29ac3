import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, u32be } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { CONSENSUS_LIMITS } from './limits.ts';
import { keyOfHash, TX_MESSAGE, TxGossip } from './mempool-gossip.ts';

const keyOf = (n: number): string => keyOfHash(sha256(u32be(n)));
const message = (kind: number, keys: readonly string[]) =>
  concat(Uint8Array.of(kind), ...keys.map((key) => Uint8Array.from(key, (char) => char.charCodeAt(0))));
const peerOf = (i: number) => `n${i}`;

interface Event {
  readonly at: number;
  readonly run: () => void;
}

/** Nodes over links with delays. A node's mempool is a set; what it has it keeps. */
class Network {
  readonly pools: Set<string>[];
  readonly gossips: TxGossip[];
  /** By `from>to`: copies of transactions, bytes of hashes. */
  readonly txs = new Map<string, number>();
  readonly hashBytes = new Map<string, number>();
  /** Copies of one transaction over one link, at most. */
  mostCopies = 0;
  readonly #copies = new Map<string, number>();
  readonly #events: Event[] = [];
  readonly #delay: () => number;
  readonly #lost: (from: number, to: number) => boolean;
  readonly #links: ReadonlySet<string>;
  now = 0;

  constructor(
    count: number,
    links: readonly (readonly [number, number])[],
    delay: () => number,
    lost: (from: number, to: number) => boolean = () => false,
  ) {
    this.#delay = delay;
    this.#lost = lost;
    this.#links = new Set(links.flatMap(([a, b]) => [`${peerOf(a)}-${peerOf(b)}`, `${peerOf(b)}-${peerOf(a)}`]));
    this.pools = Array.from({ length: count }, () => new Set<string>());
    this.gossips = this.pools.map(
      (pool, from) =>
        new TxGossip({
          send: (to, bytes) => {
            this.#count(this.hashBytes, `${peerOf(from)}>${to}`, bytes.length);
            this.deliver(from, to, (gossip) => gossip.receive(peerOf(from), bytes, this.now));
          },
          sendTx: (to, key) => {
            if (!pool.has(key)) return 'absent';
            this.#count(this.txs, `${peerOf(from)}>${to}`, 1);
            const link = [peerOf(from), to].sort().join('-');
            this.mostCopies = Math.max(this.mostCopies, this.#count(this.#copies, `${link} ${key}`, 1));
            this.deliver(from, to, (gossip, node) => {
              gossip.arrived(peerOf(from), key, this.now);
              this.submit(node, key, peerOf(from));
            });
            return 'sent';
          },
          has: (key) => pool.has(key),
          waits: (key) => pool.has(key),
          connected: (a, b) => this.#links.has(`${a}-${b}`),
        }),
    );
    for (const [a, b] of links) {
      this.gossips[a]?.addPeer(peerOf(b), this.pools[a] ?? []);
      this.gossips[b]?.addPeer(peerOf(a), this.pools[b] ?? []);
    }
  }

  #count(counts: Map<string, number>, name: string, by: number): number {
    const sum = (counts.get(name) ?? 0) + by;
    counts.set(name, sum);
    return sum;
  }

  deliver(from: number, to: string, run: (gossip: TxGossip, node: number) => void): void {
    const node = this.gossips.findIndex((_, i) => peerOf(i) === to);
    const gossip = this.gossips[node];
    if (gossip === undefined || this.#lost(from, node)) return;
    this.at(this.#delay(), () => run(gossip, node));
  }

  at(delayMs: number, run: () => void): void {
    this.#events.push({ at: this.now + delayMs, run });
  }

  submit(node: number, key: string, bearer?: string): void {
    if (this.pools[node]?.has(key)) return;
    this.pools[node]?.add(key);
    this.gossips[node]?.admitted(key, bearer);
    this.at(1, () => this.gossips[node]?.flush());
  }

  /** Until nothing happens any more, with a tick every 250 ms; at most `forMs`. */
  run(forMs: number): void {
    const end = this.now + forMs;
    let nextTick = this.now + 250;
    for (;;) {
      this.#events.sort((a, b) => a.at - b.at);
      const event = this.#events[0];
      if (event !== undefined && event.at <= nextTick) {
        this.#events.shift();
        this.now = Math.max(this.now, event.at);
        event.run();
        continue;
      }
      if (nextTick > end || (event === undefined && this.gossips.every((gossip) => gossip.idle))) return;
      this.now = nextTick;
      nextTick += 250;
      for (const gossip of this.gossips) gossip.tick(this.now);
    }
  }
}

/** A ring, and chords: connected, with several ways everywhere. */
const topology = fc
  .record({
    count: fc.integer({ min: 2, max: 7 }),
    chords: fc.array(fc.tuple(fc.nat(6), fc.nat(6)), { maxLength: 8 }),
  })
  .map(({ count, chords }) => {
    const links = new Map<string, readonly [number, number]>();
    const add = (a: number, b: number) => {
      if (a !== b) links.set([a, b].sort().join(), [a, b]);
    };
    for (let i = 0; i < count; i++) add(i, (i + 1) % count);
    for (const [a, b] of chords) add(a % count, b % count);
    return { count, links: [...links.values()] };
  });
const delays = fc.infiniteStream(fc.integer({ min: 1, max: 200 }));

test('every transaction reaches every node exactly once, and crosses no link twice', () => {
  fc.assert(
    fc.property(topology, delays, fc.array(fc.nat(6), { minLength: 1, maxLength: 40 }), (shape, stream, origins) => {
      const net = new Network(shape.count, shape.links, () => stream.next().value ?? 1);
      for (const [n, origin] of origins.entries()) net.at(n * 7, () => net.submit(origin % shape.count, keyOf(n)));
      net.run(60_000);
      for (const pool of net.pools) expect(pool.size).toBe(origins.length);
      const copies = [...net.txs.values()].reduce((sum, count) => sum + count, 0);
      expect(copies).toBe(origins.length * (shape.count - 1));
      expect(net.mostCopies).toBeLessThanOrEqual(1);
      // And of hashes: announced one way or both, asked for once.
      for (const [link, bytes] of net.hashBytes) expect(bytes, link).toBeLessThanOrEqual(origins.length * 3 * 33);
    }),
    { numRuns: 60 },
  );
});

test('with links that lose a tenth of all, everything comes to an end, and no link carries anything three times one way', () => {
  fc.assert(
    fc.property(topology, delays, fc.infiniteStream(fc.integer({ min: 0, max: 9 })), (shape, stream, dice) => {
      const lost = () => (dice.next().value ?? 1) === 0;
      const net = new Network(shape.count, shape.links, () => stream.next().value ?? 1, lost);
      for (let n = 0; n < 20; n++) net.submit(n % shape.count, keyOf(n));
      net.run(60_000);
      expect(net.mostCopies).toBeLessThanOrEqual(4);
      for (const gossip of net.gossips) {
        expect(gossip.idle).toBe(true);
        expect(gossip.wanted).toBe(0);
      }
    }),
    { numRuns: 40 },
  );
});

test('who announces what he does not have delays little and costs little', () => {
  // 0 and 1 are honest; 2 announces everything to 1 before 0 does, and never sends any.
  const txs = 200;
  const net = new Network(2, [[0, 1]], () => 10);
  const victim = net.gossips[1];
  victim?.addPeer('liar', []);
  const keys = Array.from({ length: txs }, (_, n) => keyOf(n));
  victim?.receive('liar', message(TX_MESSAGE.announce, keys), 0);
  for (const [n, key] of keys.entries()) net.at(5 + n, () => net.submit(0, key));
  net.run(60_000);
  expect(net.pools[1]?.size).toBe(txs);
  expect(net.mostCopies).toBe(1);
  expect(net.now).toBeLessThan(2 * CONSENSUS_LIMITS.txRequestTimeoutMs + 500);
  // Two requests for each hash, and our own announcements: nothing beside the liar's own bytes.
  expect(net.hashBytes.get('n1>liar')).toBeLessThan(3 * 33 * txs);
  const before = net.hashBytes.get('n1>liar') ?? 0;
  // From then on his word does not make anybody wait.
  const later = Array.from({ length: 50 }, (_, n) => keyOf(1_000 + n));
  victim?.receive('liar', message(TX_MESSAGE.announce, later), net.now);
  const since = net.now;
  for (const key of later) net.submit(0, key);
  net.run(60_000);
  expect(net.pools[1]?.size).toBe(txs + later.length);
  expect(net.now - since).toBeLessThan(CONSENSUS_LIMITS.txRequestTimeoutMs);
  expect((net.hashBytes.get('n1>liar') ?? 0) - before).toBeLessThan(3 * 33 * later.length);
});

/** One node, whose peers the test plays. */
function node(has: (key: string) => boolean = () => false, neighbours: readonly string[] = []) {
  const sent: { to: string; kind: number | undefined; keys: number }[] = [];
  const served: string[] = [];
  let busy = false;
  const gossip = new TxGossip({
    send: (to, bytes) => sent.push({ to, kind: bytes[0], keys: (bytes.length - 1) / 32 }),
    sendTx: (to, key) => {
      if (busy) return 'busy';
      if (!has(key)) return 'absent';
      served.push(`${to} ${key.slice(0, 4)}`);
      return 'sent';
    },
    has,
    waits: has,
    connected: (peer, other) => neighbours.includes(peer) && neighbours.includes(other),
  });
  return { gossip, sent, served, setBusy: (to: boolean) => (busy = to) };
}

test('wants, flights and services are bounded, whatever is announced and asked for', () => {
  const { gossip, sent } = node();
  gossip.addPeer('a', []);
  let n = 0;
  for (let i = 0; i < 40; i++) {
    const keys = Array.from({ length: CONSENSUS_LIMITS.maxHashesPerTxMessage }, () => keyOf(n++));
    expect(gossip.receive('a', message(TX_MESSAGE.announce, keys), 0).ok).toBe(true);
  }
  expect(gossip.wanted).toBe(CONSENSUS_LIMITS.maxWantedTxsPerPeer);
  expect(sent.reduce((sum, { keys }) => sum + keys, 0)).toBe(CONSENSUS_LIMITS.maxTxsInFlight);
  gossip.removePeer('a');
  expect(gossip.wanted).toBe(0);
  expect(gossip.idle).toBe(true);
});

test('what waits for room in flight is asked for together, when half of that room is free', () => {
  const { gossip, sent } = node();
  gossip.addPeer('a', []);
  const { maxTxsInFlight, maxHashesPerTxMessage } = CONSENSUS_LIMITS;
  const keys = Array.from({ length: maxTxsInFlight + 88 }, (_, n) => keyOf(n));
  for (let at = 0; at < keys.length; at += maxHashesPerTxMessage)
    gossip.receive('a', message(TX_MESSAGE.announce, keys.slice(at, at + maxHashesPerTxMessage)), 0);
  const asked = () => sent.map((one) => one.keys).reduce((sum, count) => sum + count, 0);
  expect(asked()).toBe(maxTxsInFlight);
  const before = sent.length;
  const half = maxTxsInFlight / 2;
  for (const key of keys.slice(0, half - 1)) gossip.arrived('a', key, 0);
  expect(sent.length).toBe(before);
  gossip.arrived('a', keys[half - 1] as string, 0);
  expect(sent.slice(before).map((one) => one.keys)).toEqual([88]);
});

test('what is asked for a third time is not sent; who reads slowly is served later', () => {
  const { gossip, served, sent, setBusy } = node((key) => key === keyOf(1) || key === keyOf(2));
  gossip.addPeer('a', []);
  for (let i = 0; i < 5; i++) gossip.receive('a', message(TX_MESSAGE.request, [keyOf(1)]), 0);
  expect(served).toHaveLength(2);
  setBusy(true);
  gossip.receive('a', message(TX_MESSAGE.request, [keyOf(2), keyOf(3)]), 0);
  expect(served).toHaveLength(2);
  expect(gossip.idle).toBe(false);
  setBusy(false);
  gossip.tick(250);
  expect(served).toHaveLength(3);
  expect(sent).toEqual([{ to: 'a', kind: TX_MESSAGE.missing, keys: 1 }]);
});

test('a peer that goes away hands over to the next, and what was refused waits for a block', () => {
  const { gossip, sent } = node();
  for (const peer of ['a', 'b']) gossip.addPeer(peer, []);
  gossip.receive('a', message(TX_MESSAGE.announce, [keyOf(1)]), 0);
  gossip.receive('b', message(TX_MESSAGE.announce, [keyOf(1)]), 0);
  gossip.removePeer('a');
  expect(sent.map(({ to }) => to)).toEqual(['a', 'b']);
  gossip.arrived('b', keyOf(1), 5);
  gossip.refused(keyOf(1));
  gossip.addPeer('c', []);
  gossip.receive('c', message(TX_MESSAGE.announce, [keyOf(1)]), 6);
  expect(sent).toHaveLength(2);
  gossip.committed();
  gossip.receive('c', message(TX_MESSAGE.announce, [keyOf(1)]), 7);
  expect(sent.at(-1)).toEqual({ to: 'c', kind: TX_MESSAGE.request, keys: 1 });
});

test('who knew of a transaction, and was sent it, is forgotten some blocks after it has left the mempool', () => {
  const pool = new Set([keyOf(1)]);
  const { gossip, sent, served } = node((key) => pool.has(key));
  gossip.addPeer('a', pool);
  gossip.flush();
  for (let i = 0; i < 3; i++) gossip.receive('a', message(TX_MESSAGE.request, [keyOf(1)]), 0);
  for (let block = 0; block < 3; block++) gossip.committed();
  // It waits as long as that: nothing is forgotten.
  gossip.admitted(keyOf(1));
  gossip.flush();
  gossip.receive('a', message(TX_MESSAGE.request, [keyOf(1)]), 0);
  expect({ announced: sent.length, served: served.length }).toEqual({ announced: 1, served: 2 });
  pool.clear();
  for (let block = 0; block < 3; block++) gossip.committed();
  // It had become invalid, say, and is sent again later: a new one.
  pool.add(keyOf(1));
  gossip.admitted(keyOf(1));
  gossip.flush();
  gossip.receive('a', message(TX_MESSAGE.request, [keyOf(1)]), 0);
  expect({ announced: sent.length, served: served.length }).toEqual({ announced: 2, served: 3 });
});

test('where everybody is connected each hash crosses each link once, from who had it first', () => {
  const links = [0, 1, 2, 3].flatMap((a) => [0, 1, 2, 3].filter((b) => b < a).map((b) => [a, b] as const));
  const net = new Network(4, links, () => 10);
  const txs = 100;
  for (let n = 0; n < txs; n++) net.submit(n % 4, keyOf(n));
  net.run(60_000);
  expect(net.pools.map((pool) => pool.size)).toEqual([txs, txs, txs, txs]);
  // Each way a quarter of them is announced and another asked for, in four messages at most.
  for (const bytes of net.hashBytes.values()) expect(bytes).toBeLessThanOrEqual((txs / 2) * 32 + 4);
});

test('what its bearer should have announced, and did not, is announced when it has waited for two blocks', () => {
  const pool = new Set<string>();
  const { gossip, sent } = node((key) => pool.has(key), ['a', 'b']);
  for (const peer of ['a', 'b', 'c']) gossip.addPeer(peer, []);
  const take = (key: string) => {
    gossip.arrived('a', key, 0);
    pool.add(key);
    gossip.admitted(key, 'a');
  };
  take(keyOf(1));
  take(keyOf(2));
  gossip.flush();
  // Nobody says that a reaches c.
  expect(sent).toEqual([{ to: 'c', kind: TX_MESSAGE.announce, keys: 2 }]);
  gossip.receive('c', message(TX_MESSAGE.request, [keyOf(2)]), 0);
  gossip.committed();
  expect(sent).toHaveLength(1);
  pool.delete(keyOf(1));
  gossip.committed();
  expect(sent.slice(1)).toEqual([{ to: 'b', kind: TX_MESSAGE.announce, keys: 1 }]);
  for (let block = 0; block < 4; block++) gossip.committed();
  expect(sent).toHaveLength(2);
});

test('an announcement that came before the peer knew of the connection is made again after two blocks', () => {
  const key = keyOf(1);
  const ours = node((one) => one === key);
  ours.gossip.addPeer('b', [key]);
  ours.gossip.flush();
  const theirs = node();
  expect(theirs.gossip.receive('a', message(TX_MESSAGE.announce, [key]), 0).ok).toBe(true);
  theirs.gossip.addPeer('a', []);
  expect(theirs.gossip.wanted).toBe(0);
  ours.gossip.committed();
  expect(ours.sent).toHaveLength(1);
  ours.gossip.committed();
  expect(ours.sent.slice(1)).toEqual([{ to: 'b', kind: TX_MESSAGE.announce, keys: 1 }]);
  // Who says nothing to it is told no third time.
  for (let block = 0; block < 4; block++) ours.gossip.committed();
  expect(ours.sent).toHaveLength(2);
});

test('of what is withheld no more is remembered than a limit: the others are announced at once', () => {
  const { gossip, sent } = node(() => true, ['a', 'b']);
  for (const peer of ['a', 'b']) gossip.addPeer(peer, []);
  const more = 100;
  for (let n = 0; n < CONSENSUS_LIMITS.maxKnownTxs + more; n++) {
    gossip.arrived('a', keyOf(n), 0);
    gossip.admitted(keyOf(n), 'a');
  }
  gossip.flush();
  expect(sent).toEqual([{ to: 'b', kind: TX_MESSAGE.announce, keys: more }]);
});

test('a message that is not hashes is refused', () => {
  const { gossip } = node();
  gossip.addPeer('a', []);
  const errorOf = (bytes: Uint8Array) => {
    const result = gossip.receive('a', bytes, 0);
    return result.ok ? 'accepted' : result.error;
  };
  expect(errorOf(Uint8Array.of(TX_MESSAGE.announce))).toMatch(/expected 1 … 512 of 32 bytes, got 0 bytes/);
  expect(errorOf(new Uint8Array(34).fill(TX_MESSAGE.announce))).toMatch(/got 33 bytes/);
  expect(errorOf(new Uint8Array(1 + 32 * 513).fill(TX_MESSAGE.request))).toMatch(/got 16416 bytes/);
  expect(errorOf(new Uint8Array(33))).toMatch(/unknown message 0/);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
      const result = gossip.receive('a', bytes, 0);
      if (!result.ok) expect(result.error).not.toBe('');
    }),
  );
});
