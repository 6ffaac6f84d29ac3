import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, toHex, utf8 } from '#core/bytes.ts';
import { bytesKey, intValue, pairKey, presentValue, stringKey, stringValue, u64Key, u64Value } from './codecs.ts';
import { index, indexedMap, item, keySet, map, sequence, storeLayout } from './collections.ts';
import { idOf, keyOf } from './key-id.ts';
import { modelStore } from './model-store.test-util.ts';

const P = Uint8Array.of(7);

test('a layout whose prefixes collide, or are not one byte, is a bug', () => {
  expect(() => storeLayout('bank', { balances: 2, supply: 2 })).toThrow(
    'store bank: supply and balances share prefix 2',
  );
  expect(() => storeLayout('bank', { balances: 256 })).toThrow(/must be one byte/);
  expect(storeLayout('bank', { balances: 2, supply: 0 })).toEqual({
    balances: Uint8Array.of(2),
    supply: Uint8Array.of(0),
  });
});

test('items and sequences', () => {
  const store = modelStore();
  const params = item(P, stringValue);
  expect(params.get(store)).toBeUndefined();
  params.set(store, 'x');
  expect([params.get(store), params.has(store)]).toEqual(['x', true]);
  params.delete(store);
  expect(params.has(store)).toBe(false);
  const ids = sequence(Uint8Array.of(8), 1n);
  expect([ids.peek(store), ids.next(store), ids.next(store), ids.peek(store)]).toEqual([1n, 1n, 2n, 3n]);
  ids.set(store, 10n);
  expect(ids.next(store)).toBe(10n);
});

test('a map iterates in key order, within ranges and under a first part', () => {
  const store = modelStore();
  const balances = map(P, pairKey(bytesKey, stringKey), intValue);
  const [alice, bob] = [utf8('alice'), utf8('bob')];
  balances.set(store, [alice, 'uauton'], 5n);
  balances.set(store, [alice, 'ucredit'], 6n);
  balances.set(store, [bob, 'uauton'], 7n);
  const under = pairKey(bytesKey, stringKey).prefix(alice);
  const show = (entries: Iterable<readonly [readonly [Uint8Array, string], bigint]>) =>
    [...entries].map(([[who, denom], amount]) => `${toHex(who)} ${denom} ${amount}`);
  expect(show(balances.entries(store, { under }))).toEqual(['616c696365 uauton 5', '616c696365 ucredit 6']);
  expect(show(balances.entries(store, { under, reverse: true, limit: 1 }))).toEqual(['616c696365 ucredit 6']);
  expect(show(balances.entries(store, { under, gte: [alice, 'ub'] }))).toEqual(['616c696365 ucredit 6']);
  expect(show(balances.entries(store, { under, lt: [alice, 'ub'] }))).toEqual(['616c696365 uauton 5']);
  // The length byte comes first: shorter addresses sort before longer ones.
  expect(show(balances.entries(store))[0]).toBe('626f62 uauton 7');
  expect(balances.get(store, [bob, 'uauton'])).toBe(7n);
  balances.delete(store, [bob, 'uauton']);
  expect(balances.has(store, [bob, 'uauton'])).toBe(false);
  expect(toHex(balances.storeKey([bob, 'u']))).toBe('0703626f6275');
  const entry = balances.at([bob, 'u']);
  entry.set(store, 8n);
  expect([balances.get(store, [bob, 'u']), entry.get(store), store.map.has('0703626f6275')]).toEqual([8n, 8n, true]);
  entry.delete(store);
  expect(entry.has(store)).toBe(false);
});

test('the largest prefix has an end of its range too', () => {
  const store = modelStore();
  const last = map(Uint8Array.of(255), u64Key, u64Value);
  last.set(store, 1n, 2n);
  expect([...last.entries(store)]).toEqual([[1n, 2n]]);
});

test('key codecs: what is encoded decodes, alone and as a part', () => {
  const codec = pairKey(stringKey, pairKey(u64Key, pairKey(bytesKey, stringKey)));
  const u64 = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });
  const short = fc.string({ maxLength: 60, unit: 'grapheme' });
  fc.assert(
    fc.property(short, u64, fc.uint8Array({ maxLength: 255 }), short, (a, b, c, d) => {
      const key = [a, [b, [c, d]]] as const;
      expect(codec.decode(codec.encode(key))).toEqual(key);
      const part = codec.encodePart(key);
      expect(codec.decodePart(part, 0)).toEqual({ key, next: part.length });
      expect(keyOf(codec.id(key, 'p'))).toEqual(concat(utf8('p'), codec.encode(key)));
      expect(keyOf(codec.idPart(key, ''))).toEqual(part);
      for (const under of ['', 'u', 'under']) {
        const address = new Uint8Array(20).map((_, i) => c[i] ?? i);
        expect(keyOf(idOf(address, under))).toEqual(concat(utf8(under), address));
      }
    }),
  );
  for (const part of [bytesKey.encodePart, bytesKey.idPart])
    expect(() => part(new Uint8Array(256), '')).toThrow(/at most 255 bytes, got 256/);
  expect(() => stringKey.idPart('ä'.repeat(128), '')).toThrow(/at most 255 bytes, got 256/);
  expect(presentValue.decode(presentValue.encode(true))).toBe(true);
});

test('an indexed map keeps its indexes in step with any sequence of writes', () => {
  const jobs = indexedMap(P, u64Key, stringValue, {
    byOwner: index(Uint8Array.of(8), stringKey, u64Key, (value: string) => value.slice(0, 1) || undefined),
  });
  const write = fc.tuple(fc.bigInt({ min: 0n, max: 5n }), fc.option(fc.constantFrom('', 'a1', 'a2', 'b1')));
  fc.assert(
    fc.property(fc.array(write), (writes) => {
      const store = modelStore();
      const model = new Map<bigint, string>();
      for (const [id, value] of writes) {
        if (value === null) {
          jobs.delete(store, id);
          model.delete(id);
        } else {
          jobs.set(store, id, value);
          model.set(id, value);
        }
      }
      for (const owner of ['a', 'b'])
        expect([...jobs.indexes.byOwner.keysOf(store, owner)]).toEqual(
          [...model]
            .filter(([, value]) => value.startsWith(owner))
            .map(([id]) => id)
            .sort((x, y) => (x < y ? -1 : 1)),
        );
      expect(new Map(jobs.entries(store))).toEqual(model);
      const indexed = [...model.values()].filter((value) => value !== '').length;
      expect([...jobs.indexes.byOwner.entries(store)].length).toBe(indexed);
    }),
  );
});

test('a key set', () => {
  const store = modelStore();
  const jailed = keySet(P, u64Key);
  jailed.add(store, 2n);
  jailed.add(store, 1n);
  expect([...jailed.keys(store)]).toEqual([1n, 2n]);
  jailed.delete(store, 1n);
  expect([jailed.has(store, 1n), jailed.has(store, 2n)]).toEqual([false, true]);
});
