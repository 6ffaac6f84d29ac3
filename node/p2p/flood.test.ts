import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { NODE_LIMITS } from '../limits.ts';
import { FLOOD_TAG, Flood, NEIGHBOURS_TAG } from './flood.ts';

/** Nodes that do as the message gate does; messages arrive in the order of sending, or in another. */
function network(count: number, links: readonly (readonly [number, number])[]) {
  const queue: { readonly from: number; readonly to: number; readonly bytes: Uint8Array }[] = [];
  const accepted = Array.from({ length: count }, () => 0);
  const floods = Array.from(
    { length: count },
    (_, from) =>
      new Flood({ send: (peer, bytes) => queue.push({ from, to: Number(peer), bytes }), isPrivate: () => false }),
  );
  let sends = 0;

  function deliver(choose: (length: number) => number): void {
    while (queue.length > 0) {
      const [item] = queue.splice(choose(queue.length), 1);
      const flood = item && floods[item.to];
      if (item === undefined || flood === undefined) throw new Error('no such node');
      const rest = item.bytes.subarray(1);
      if (item.bytes[0] === NEIGHBOURS_TAG) expect(flood.onNeighbours(String(item.from), rest)).toBe(true);
      if (item.bytes[0] !== FLOOD_TAG) continue;
      sends += 1;
      const name = flood.nameOfNew(rest);
      if (name === undefined) continue;
      accepted[item.to] = (accepted[item.to] ?? 0) + 1;
      flood.accept(name);
      flood.forward(String(item.from), item.bytes);
    }
  }

  for (const [a, b] of links) {
    floods[a]?.addPeer(String(b));
    floods[b]?.addPeer(String(a));
  }
  deliver(() => 0);
  return {
    floods,
    accepted,
    publish(from: number, text: string, choose: (length: number) => number = () => 0): number {
      sends = 0;
      floods[from]?.publish(utf8(text));
      deliver(choose);
      return sends;
    },
  };
}

const everyPair = (count: number) =>
  Array.from({ length: count }, (_, a) => Array.from({ length: a }, (_, b) => [a, b] as const)).flat();

test('where everybody is connected a message goes once to each', () => {
  const net = network(6, everyPair(6));
  expect(net.publish(2, 'vote')).toBe(5);
  expect(net.accepted).toEqual([1, 1, 0, 1, 1, 1]);
});

test('along a line it goes from hop to hop, and once only', () => {
  const net = network(5, [
    [0, 1],
    [1, 2],
    [2, 3],
    [3, 4],
  ]);
  expect(net.publish(0, 'vote')).toBe(4);
  expect(net.accepted).toEqual([0, 1, 1, 1, 1]);
  expect(net.publish(0, 'vote')).toBe(1);
});

test('a peer that has gone from the neighbours of another is handed messages again', () => {
  const net = network(3, everyPair(3));
  net.floods[0]?.removePeer('2');
  net.floods[2]?.removePeer('0');
  expect(net.publish(0, 'first')).toBe(2);
  expect(net.accepted).toEqual([0, 1, 1]);
});

test('two peers are taken for connected when both say so', () => {
  const net = network(3, everyPair(3));
  const flood = net.floods[0];
  expect(flood?.areConnected('1', '2')).toBe(true);
  expect(flood?.areConnected('1', '7')).toBe(false);
  flood?.onNeighbours('2', new Uint8Array(0));
  expect([flood?.areConnected('1', '2'), flood?.areConnected('2', '1')]).toEqual([false, false]);
});

test('in any connected network of few neighbours everybody accepts it once, in whatever order messages arrive', () => {
  const tree = fc.array(fc.nat(), { minLength: 1, maxLength: 11 });
  fc.assert(
    fc.property(
      tree,
      fc.array(fc.tuple(fc.nat(), fc.nat()), { maxLength: 12 }),
      fc.infiniteStream(fc.nat()),
      (parents, more, order) => {
        const count = parents.length + 1;
        const keys = new Map<string, readonly [number, number]>();
        const degree = Array.from({ length: count }, () => 0);
        const link = (a: number, b: number, force: boolean) => {
          const key = `${Math.min(a, b)}-${Math.max(a, b)}`;
          if (a === b || keys.has(key)) return;
          if (!force && Math.max(degree[a] ?? 0, degree[b] ?? 0) >= NODE_LIMITS.floodFanout) return;
          keys.set(key, [a, b]);
          degree[a] = (degree[a] ?? 0) + 1;
          degree[b] = (degree[b] ?? 0) + 1;
        };
        // A tree first, of at most three children to each.
        for (const [i, parent] of parents.entries()) link(i + 1, Math.max(Math.floor(i / 3), i - (parent % 3)), true);
        for (const [a, b] of more) link(a % count, b % count, false);
        const net = network(count, [...keys.values()]);
        net.publish(0, 'vote', (length) => order.next().value % length);
        expect(net.accepted).toEqual([0, ...parents.map(() => 1)]);
      },
    ),
  );
});

test('of many that lack it a message of somebody else is handed to a few, in turn', () => {
  const sent: string[] = [];
  const flood = new Flood({ send: (peer, bytes) => bytes[0] === FLOOD_TAG && sent.push(peer), isPrivate: () => false });
  for (let i = 0; i < 25; i++) flood.addPeer(`peer ${i}`);
  const tagged = Uint8Array.of(FLOOD_TAG, 1);
  flood.forward('peer 0', tagged);
  expect(sent.length).toBe(NODE_LIMITS.floodFanout);
  for (let i = 0; i < 2; i++) flood.forward('peer 0', tagged);
  expect(new Set(sent).size).toBe(24);
  expect(sent).not.toContain('peer 0');
});

test('only what was accepted is known, and not for ever', () => {
  const flood = new Flood({ send: () => {}, isPrivate: () => false });
  const message = utf8('a vote');
  const name = flood.nameOfNew(message);
  expect(flood.nameOfNew(message)).toBe(name);
  if (name === undefined) throw new Error('new');
  flood.accept(name);
  expect(flood.nameOfNew(message)).toBeUndefined();
  for (let i = 0; i < 2 * NODE_LIMITS.rememberedMessages; i++) flood.accept(`other ${i}`);
  expect(flood.nameOfNew(message)).toBe(name);
});

test('a list of neighbours that is cut or too long is refused', () => {
  const flood = new Flood({ send: () => {}, isPrivate: () => false });
  flood.addPeer('a');
  expect(flood.onNeighbours('a', new Uint8Array(15))).toBe(false);
  expect(flood.onNeighbours('a', new Uint8Array(8 * (NODE_LIMITS.maxNeighbours + 1)))).toBe(false);
  expect(flood.onNeighbours('a', new Uint8Array(16))).toBe(true);
  expect(flood.onNeighbours('nobody', new Uint8Array(16))).toBe(true);
});

test('nobody is told of a private peer', () => {
  const lists: Uint8Array[] = [];
  const flood = new Flood({ send: (_, bytes) => lists.push(bytes), isPrivate: (peer) => peer === 'validator' });
  flood.addPeer('validator');
  flood.addPeer('anybody');
  expect(lists.map((list) => list.length)).toEqual([1, 9, 9]);
});
