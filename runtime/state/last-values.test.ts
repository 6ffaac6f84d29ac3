import fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { STATE_LIMITS } from '../limits.ts';
import { GenerationCache } from './generation-cache.ts';
import { idOf } from './key-id.ts';
import type { KvReader } from './kv-view.ts';
import { ABSENT, LastValues } from './last-values.ts';
import { MultiStore } from './multistore.ts';

const VALUE = utf8('one');
const LARGE = new Uint8Array(STATE_LIMITS.cachedValueBytes + 1);

test('a commit changes what is known, and adds to it', () => {
  const values = new LastValues(new GenerationCache(100_000));
  values.learn('there', VALUE);
  values.learn('not there', undefined);
  values.learn('grows', VALUE);
  values.learn('stays', VALUE);
  values.update([
    { id: 'there', value: undefined },
    { id: 'not there', value: VALUE },
    { id: 'grows', value: LARGE },
    { id: 'new', value: VALUE },
  ]);
  expect(values.get('there')).toBe(ABSENT);
  expect(values.get('not there')).toEqual(VALUE);
  expect(values.get('stays')).toEqual(VALUE);
  expect(values.get('new')).toEqual(VALUE);
  expect(values.get('grows')).toBeUndefined();
});

test('Limit: cachedValueBytes, and an empty value is not an absent one', () => {
  const values = new LastValues(new GenerationCache(100_000));
  values.learn('large', LARGE);
  values.learn('largest', LARGE.subarray(1));
  values.learn('empty', new Uint8Array(0));
  expect(values.get('large')).toBeUndefined();
  expect(values.get('largest')).toHaveLength(STATE_LIMITS.cachedValueBytes);
  expect(values.get('empty')).toHaveLength(0);
  expect(values.get('empty')).not.toBe(ABSENT);
});

test('a small value cut from a large piece of memory does not keep it', () => {
  const values = new LastValues(new GenerationCache(100_000));
  const large = new Uint8Array(1 << 20).fill(7);
  values.learn('read', large.subarray(0, 40));
  values.update([{ id: 'written', value: large.subarray(40, 80) }]);
  for (const id of ['read', 'written']) {
    expect(values.get(id)).toEqual(new Uint8Array(40).fill(7));
    expect(values.get(id)?.buffer.byteLength).toBe(40);
  }
  large.fill(8);
  expect(values.get('read')).toEqual(new Uint8Array(40).fill(7));
});

test('a value that changes with every block takes the room of one, and those beside it stay', () => {
  const values = new LastValues(new GenerationCache(4_000));
  values.learn('used now and then', VALUE);
  for (let block = 0; block < 1_000; block++) values.update([{ id: 'hot', value: VALUE.slice() }]);
  expect(values.get('used now and then')).toEqual(VALUE);
});

type Step =
  | { readonly do: 'set'; readonly key: number; readonly bytes: number }
  | { readonly do: 'delete' | 'get' | 'has' | 'get of the version before'; readonly key: number }
  | { readonly do: 'scan' | 'seal' | 'commit' | 'rollback' | 'reopen' };

const KEYS = 12;
const key = fc.nat(KEYS - 1);
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('set' as const),
      key,
      bytes: fc.constantFrom(0, 1, 40, STATE_LIMITS.cachedValueBytes, STATE_LIMITS.cachedValueBytes + 1),
    }),
  },
  {
    weight: 12,
    arbitrary: fc.record({ do: fc.constantFrom('delete', 'get', 'has', 'get of the version before'), key }),
  },
  {
    weight: 6,
    arbitrary: fc.record({ do: fc.constantFrom('scan', 'seal', 'commit', 'commit', 'rollback', 'reopen') }),
  },
);

const keyAt = (n: number): Uint8Array => Uint8Array.of(n + 1);
const lengths = (store: KvReader) => [...store.entries({})].map(([k, v]) => [idOf(k), v.length, v[0]]);

test('whatever was read before, a version shows what was written to it, with a memory of any size', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { maxLength: 80 }), fc.constantFrom(1, 9_000, 10_000_000), async (steps, bytes) => {
      const kv = new MemoryKv();
      const open = () => MultiStore.open(kv, ['bank'], { nodeCacheBytes: bytes });
      let store = open();
      type Model = ReadonlyMap<string, Uint8Array>;
      let [committed, pending]: [Model, Map<string, Uint8Array>] = [new Map(), new Map()];
      let before: { readonly model: Model; readonly view: KvReader } = {
        model: committed,
        view: store.latest().store('bank'),
      };
      const inOrder = (model: Model) =>
        [...model].sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, v.length, v[0]]);
      for (const [turn, what] of steps.entries()) {
        const working = store.workingBranch().store('bank');
        const last = store.latest().store('bank');
        switch (what.do) {
          case 'set': {
            const value = new Uint8Array(what.bytes).fill(turn);
            working.set(keyAt(what.key), value);
            pending.set(idOf(keyAt(what.key)), value);
            break;
          }
          case 'delete':
            working.delete(keyAt(what.key));
            pending.delete(idOf(keyAt(what.key)));
            break;
          case 'get':
            expect(last.get(keyAt(what.key))).toEqual(committed.get(idOf(keyAt(what.key))));
            expect(working.get(keyAt(what.key))).toEqual(pending.get(idOf(keyAt(what.key))));
            break;
          case 'has':
            expect(last.has(keyAt(what.key))).toBe(committed.has(idOf(keyAt(what.key))));
            expect(working.has(keyAt(what.key))).toBe(pending.has(idOf(keyAt(what.key))));
            break;
          case 'get of the version before':
            expect(before.view.get(keyAt(what.key))).toEqual(before.model.get(idOf(keyAt(what.key))));
            break;
          case 'scan':
            expect(lengths(last)).toEqual(inOrder(committed));
            expect(lengths(before.view)).toEqual(inOrder(before.model));
            break;
          case 'seal':
            store.workingHash();
            break;
          case 'commit':
            before = { model: committed, view: last };
            await store.commit();
            committed = new Map(pending);
            break;
          case 'rollback':
            store.rollback();
            pending = new Map(committed);
            break;
          case 'reopen':
            store = open();
            pending = new Map(committed);
            before = { model: committed, view: store.latest().store('bank') };
            break;
        }
      }
      expect(lengths(store.latest().store('bank'))).toEqual(inOrder(committed));
    }),
    { numRuns: 200 },
  );
});
