import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentKeys } from './recent-keys.ts';

const LIMIT = 5;
const KEYS = Array.from({ length: 20 }, (_, n) => String(n));
const key = fc.constantFrom(...KEYS);
const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ add: key }) },
  fc.record({ useful: fc.uniqueArray(key, { maxLength: LIMIT }) }),
);

test('it holds the last keys, at most twice as many; what is of no use goes by the second age, what is useful stays', () => {
  fc.assert(
    fc.property(fc.array(step, { maxLength: 80 }), (steps) => {
      const keys = new RecentKeys(LIMIT);
      const held = () => KEYS.filter((each) => keys.has(each));
      /** Since the last age, the last first. */
      let added: string[] = [];
      for (const one of steps) {
        const before = held();
        if ('add' in one) {
          keys.add(one.add);
          added = [one.add, ...added.filter((each) => each !== one.add)];
          for (const each of added.slice(0, LIMIT)) expect(held()).toContain(each);
          for (const each of held()) expect([one.add, ...before]).toContain(each);
        } else {
          keys.age((each) => one.useful.includes(each));
          for (const each of held()) expect(before).toContain(each);
          for (const each of held()) expect([...added, ...one.useful]).toContain(each);
          if (before.length <= LIMIT)
            for (const each of before.filter((known) => one.useful.includes(known))) expect(held()).toContain(each);
          added = [];
        }
        expect(held().length).toBeLessThanOrEqual(2 * LIMIT);
      }
      keys.clear();
      expect(held()).toEqual([]);
    }),
  );
});
