import fc from 'fast-check';
import { expect, test } from 'vitest';
import { NODE_LIMITS } from '../limits.ts';
import { AddressBook, isRoutable } from './address-book.ts';
import { nodeIdOf } from './node-id.ts';

const ids = await Promise.all(
  Array.from({ length: 200 }, (_, i) =>
    nodeIdOf(
      new Uint8Array(32)
        .fill(7)
        .fill(i, 0, 1)
        .fill(i >> 8, 1, 2),
    ),
  ),
);
const idOf = (i: number): string => ids[i] ?? '';
/** Of networks of their own. */
const address = (i: number) => ({ id: idOf(i), host: `${20 + (i >> 7)}.${i & 127}.0.1`, port: 26_656 });

function setup(strict = true) {
  let nowMs = 1_000;
  let seed = 1;
  const random = () => {
    seed = (seed * 48_271) % 2_147_483_647;
    return seed / 2_147_483_647;
  };
  const book = new AddressBook({ hidden: new Set([idOf(0)]), strict }, { now: () => nowMs, random });
  return { book, advance: (ms: number) => (nowMs += ms) };
}
const nobody = () => false;

test('one teller and one network get only so many places', () => {
  const { book } = setup();
  for (let i = 1; i < 200; i++) book.add(address(i), 'teller');
  expect(book.size).toBe(NODE_LIMITS.maxBookAddressesPerSource);
  for (let i = 100; i < 199; i++) book.add({ ...address(i), host: `99.99.${i}.1` }, `teller ${i}`);
  expect(book.size).toBe(NODE_LIMITS.maxBookAddressesPerSource + NODE_LIMITS.maxBookAddressesPerNetwork);
});

test('what is hidden, malformed or not routable is not kept', () => {
  const { book } = setup();
  expect(book.add(address(0), 't')).toBe(false);
  for (const wrong of [{ id: 'x' }, { host: 'example.org' }, { host: '10.0.0.1' }, { port: 0 }, { port: 65_536 }])
    expect(book.add({ ...address(1), ...wrong }, 't'), JSON.stringify(wrong)).toBe(false);
  expect(book.add(address(1), 't')).toBe(true);
  expect(setup(false).book.add({ ...address(1), host: '127.0.0.1' }, 't')).toBe(true);
  for (const host of [
    '127.0.0.1',
    '10.1.1.1',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.1.1',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '::1',
    'fe80::1',
    'fc00::1',
    '2001:db8::1',
  ])
    expect(isRoutable(host), host).toBe(false);
  for (const host of ['8.8.8.8', '172.32.0.1', '192.169.0.1', '2a00::1']) expect(isRoutable(host), host).toBe(true);
});

test('hearsay changes nothing that is known by experience or from elsewhere', () => {
  const { book } = setup();
  book.add(address(1), 'a');
  expect(book.add({ ...address(1), port: 1 }, 'b')).toBe(false);
  expect(book.add({ ...address(1), port: 2 }, 'a')).toBe(true);
  book.succeeded(address(1));
  expect(book.add({ ...address(1), port: 3 }, 'a')).toBe(false);
  expect(book.get(idOf(1))).toMatchObject({ port: 26_656, tried: true });
});

test('who fails waits longer each time, is not told of, and is forgotten in the end', () => {
  const { book, advance } = setup();
  book.add(address(1), 'a');
  expect(book.choose(nobody)?.id).toBe(idOf(1));
  book.failed(idOf(1));
  expect(book.choose(nobody)).toBeUndefined();
  expect(book.sample(10, nobody)).toEqual([]);
  advance(NODE_LIMITS.bookRetryMinMs);
  expect(book.choose(nobody)?.id).toBe(idOf(1));
  book.failed(idOf(1));
  advance(NODE_LIMITS.bookRetryMinMs);
  expect(book.choose(nobody)).toBeUndefined();
  for (let i = 2; i < NODE_LIMITS.bookFailuresOfNew; i++) book.failed(idOf(1));
  expect(book.size).toBe(0);
});

test('a sample has no doubles, none of the excluded, and at most what was asked for', () => {
  const { book } = setup();
  for (let i = 1; i <= 60; i++) book.add(address(i), `t${i % 5}`);
  fc.assert(
    fc.property(fc.nat(80), fc.nat(59), (count, excluded) => {
      const sample = book.sample(count, (id) => id === idOf(excluded + 1));
      expect(sample.length).toBe(Math.min(count, 59));
      expect(new Set(sample.map(({ id }) => id)).size).toBe(sample.length);
      expect(sample.some(({ id }) => id === idOf(excluded + 1))).toBe(false);
    }),
    { numRuns: 50 },
  );
});

test('the file reads back; a damaged one is refused whole', () => {
  const { book } = setup();
  expect(book.render()).toBeUndefined();
  book.add(address(1), 'a');
  book.succeeded(address(2));
  const text = book.render() ?? '';
  expect(book.render()).toBeUndefined();
  const again = setup().book;
  expect(again.load(text)).toBe(true);
  expect([again.get(idOf(1)), again.get(idOf(2))]).toEqual([book.get(idOf(1)), book.get(idOf(2))]);
  fc.assert(
    fc.property(fc.nat(text.length), fc.string({ maxLength: 5 }), (at, insert) => {
      const other = setup().book;
      if (!other.load(text.slice(0, at) + insert + text.slice(at + 1))) expect(other.size).toBe(0);
      expect(other.size).toBeLessThanOrEqual(2);
    }),
    { numRuns: 200 },
  );
});
