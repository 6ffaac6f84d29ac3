import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import type { KvRange } from '#core/ports/kv.ts';
import { Branch, StateBranch } from './branch.ts';
import type { KvReader, KvWriter } from './kv-view.ts';
import { modelStore, slice } from './model-store.test-util.ts';

const key = fc.uint8Array({ minLength: 1, maxLength: 2, max: 3 });
const value = fc.uint8Array({ maxLength: 3 });
const range: fc.Arbitrary<KvRange> = fc.record(
  { gte: key, lt: key, reverse: fc.boolean(), limit: fc.nat({ max: 6 }) },
  { requiredKeys: [] },
);
type Step =
  | { readonly do: 'set'; readonly key: Uint8Array; readonly value: Uint8Array }
  | { readonly do: 'delete'; readonly key: Uint8Array }
  | { readonly do: 'look'; readonly key: Uint8Array; readonly range: KvRange }
  | { readonly do: 'branch' | 'write' | 'drop' };
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 4, arbitrary: fc.record({ do: fc.constant('set' as const), key, value }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('delete' as const), key }) },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('look' as const), key, range }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('branch' as const, 'write' as const, 'drop' as const) }) },
);

const plain = (entries: Iterable<readonly [Uint8Array, Uint8Array]>) =>
  [...entries].map(([k, v]) => [toHex(k), toHex(v)]);

test('nested branches behave as copies of the whole map', () => {
  fc.assert(
    fc.property(fc.array(fc.tuple(key, value)), fc.array(step, { maxLength: 60 }), (initial, steps) => {
      const base = modelStore();
      for (const [k, v] of initial) base.set(k, v);
      const branches: Branch[] = [new Branch(base)];
      const models: Map<string, Uint8Array>[] = [new Map(base.map)];
      for (const each of steps) {
        const branch = branches.at(-1) as Branch;
        const model = models.at(-1) as Map<string, Uint8Array>;
        switch (each.do) {
          case 'set':
            branch.set(each.key, each.value);
            model.set(toHex(each.key), each.value);
            break;
          case 'delete':
            branch.delete(each.key);
            model.delete(toHex(each.key));
            break;
          case 'look':
            expect(branch.get(each.key)).toEqual(model.get(toHex(each.key)));
            expect(branch.has(each.key)).toBe(model.has(toHex(each.key)));
            expect(plain(branch.entries(each.range))).toEqual(plain(slice(model, each.range)));
            break;
          case 'branch':
            branches.push(branch.branch());
            models.push(new Map(model));
            break;
          case 'write':
            branch.write();
            if (branches.length > 1) {
              branches.pop();
              models.splice(-2, 1);
            }
            break;
          case 'drop':
            if (branches.length > 1) {
              branches.pop();
              models.pop();
            } else {
              branch.clear();
              models[0] = new Map(base.map);
            }
            break;
        }
      }
      while (branches.length > 0) branches.pop()?.write();
      expect(plain(base.entries({}))).toEqual(plain(slice(models.at(-1) as Map<string, Uint8Array>, {})));
    }),
    { numRuns: 300 },
  );
});

test('iterating sees the moment of the call, whatever is written meanwhile', () => {
  const branch = new Branch(modelStore());
  for (let i = 1; i <= 5; i++) branch.set(Uint8Array.of(i), Uint8Array.of(i));
  const entries = branch.entries({});
  branch.delete(Uint8Array.of(2));
  const seen: number[] = [];
  for (const [k] of entries) {
    seen.push(k[0] as number);
    branch.delete(k);
    branch.set(Uint8Array.of(100 + seen.length), Uint8Array.of(0));
  }
  expect(seen).toEqual([1, 2, 3, 4, 5]);
  expect([...branch.entries({})].length).toBe(5);
});

test('long keys keep their order', () => {
  const branch = new Branch(modelStore());
  const long = (last: number) => Uint8Array.of(...new Uint8Array(3000).fill(200), last);
  for (const last of [255, 0, 127]) branch.set(long(last), Uint8Array.of(last));
  expect([...branch.entries({ gte: long(1) })].map(([, v]) => v[0])).toEqual([127, 255]);
  expect(branch.get(long(0))).toEqual(Uint8Array.of(0));
});

test('a key that is empty or too long is refused, and writing to a read-only parent is a bug', () => {
  expect(() => new Branch(modelStore()).set(new Uint8Array(0), Uint8Array.of(1))).toThrow(/1 … 65535 bytes, got 0/);
  expect(() => new Branch(modelStore()).set(new Uint8Array(65_536), Uint8Array.of(1))).toThrow(/got 65536/);
  const { get, has, entries } = modelStore();
  const reader: KvReader = { get, has, entries };
  expect(() => new Branch(reader).write()).toThrow(/read-only/);
});

test('a state branch keeps its stores apart and writes them together', () => {
  const stores = new Map([
    ['a', modelStore()],
    ['b', modelStore()],
  ]);
  const parent = { store: (name: string) => stores.get(name) as KvWriter };
  const state = new StateBranch(parent);
  const inner = state.branch();
  inner.store('a').set(Uint8Array.of(1), Uint8Array.of(10));
  inner.store('b').set(Uint8Array.of(1), Uint8Array.of(20));
  expect(state.store('a').has(Uint8Array.of(1))).toBe(false);
  const before = state.revision;
  inner.write();
  expect(state.revision).toBeGreaterThan(before);
  expect(stores.get('b')?.map.size).toBe(0);
  state.write();
  expect([...stores.values()].map(({ map }) => [...map])).toEqual([
    [['01', Uint8Array.of(10)]],
    [['01', Uint8Array.of(20)]],
  ]);
});
