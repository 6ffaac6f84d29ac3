import fc from 'fast-check';
import { expect, test } from 'vitest';
import { RecentKeys } from './recent-keys.ts';

const LIMIT = 5;

test('it holds the last keys, as an array would, and what is useful outlives two ages', () => {
  const step = fc.oneof(
    { weight: 4, arbitrary: fc.record({ add: fc.integer({ min: 0, max: 9 }).map(String) }) },
    fc.record({ useful: fc.array(fc.integer({ min: 0, max: 9 }).map(String)) }),
  );
  fc.assert(
    fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
      const keys = new RecentKeys(LIMIT);
      let model: { readonly key: string; readonly aged: boolean }[] = [];
      for (const one of steps) {
        if ('add' in one) {
          keys.add(one.add);
          model = [...model.filter(({ key }) => key !== one.add), { key: one.add, aged: false }].slice(-LIMIT);
        } else {
          keys.age((key) => one.useful.includes(key));
          model = model
            .filter(({ key, aged }) => !aged || one.useful.includes(key))
            .map(({ key }) => ({ key, aged: true }));
        }
        expect(keys.size).toBe(model.length);
        for (let n = 0; n < 10; n++) expect(keys.has(String(n))).toBe(model.some(({ key }) => key === String(n)));
      }
      keys.clear();
      expect(keys.size).toBe(0);
    }),
  );
});
