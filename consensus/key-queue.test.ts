import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { KeyQueue } from './key-queue.ts';

const anyKey = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f');
const anyStep = fc.oneof(
  fc.tuple(fc.constantFrom('add', 'delete'), anyKey),
  fc.tuple(fc.constantFrom('drop', 'clear'), fc.constant('')),
);

test('it is a list of which the first goes, whatever was done before', () => {
  fc.assert(
    fc.property(fc.array(anyStep, { maxLength: 60 }), (steps) => {
      const queue = new KeyQueue();
      let list: string[] = [];
      for (const [what, key] of steps) {
        const without = list.filter((each) => each !== key);
        if (what === 'add') {
          expect(queue.add(key)).toBe(!list.includes(key));
          list = [...without, key];
        } else if (what === 'delete') {
          expect(queue.delete(key)).toBe(list.includes(key));
          list = without;
        } else if (what === 'drop') {
          queue.dropOldest();
          list = list.slice(1);
        } else {
          queue.clear();
          list = [];
        }
        expect([...queue]).toEqual(list);
        expect(queue.size).toBe(list.length);
        for (const each of 'abcdef') expect(queue.has(each)).toBe(list.includes(each));
      }
    }),
  );
});

test('what has come and gone is not held', () => {
  setFlagsFromString('--expose-gc');
  const collect = runInNewContext('gc') as () => void;
  const heapMiB = (): number => {
    collect();
    return process.memoryUsage().heapUsed / 1_048_576;
  };
  const queue = new KeyQueue();
  queue.add('stays');
  const before = heapMiB();
  for (let i = 0; i < 300_000; i++) {
    queue.add(`${i}`);
    queue.delete(`${i - 10}`);
  }
  expect(heapMiB() - before).toBeLessThan(2);
  expect(queue.has('stays')).toBe(true);
});
