/** Snapshot chunks come from peers: whatever comes gives records or a sentence, never anything else. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { Rebuild } from '#runtime/state/snapshot/rebuild.ts';
import { fuzzRuns } from './runs.ts';

const NAMES = ['a', 'bank'];

/** Mostly well-formed items, so that the walk gets past the first byte. */
const item: fc.Arbitrary<readonly number[]> = fc.oneof(
  fc.constantFrom<readonly number[]>([0, 1, 97], [0, 4, 98, 97, 110, 107]),
  fc
    .tuple(fc.nat(4), fc.uint8Array({ maxLength: 3, max: 5 }), fc.uint8Array({ maxLength: 3 }))
    .map(([version, key, value]) => [1, 0, 0, 0, version, 0, key.length, 0, 0, 0, value.length, ...key, ...value]),
  fc.nat(4).map((version) => [2, 0, 0, 0, version]),
  fc.uint8Array({ maxLength: 14 }).map((bytes) => [...bytes]),
);

test('any stream, cut anywhere, gives the same records or the same sentence', () => {
  fc.assert(
    fc.property(fc.array(item, { maxLength: 25 }), fc.array(fc.nat(40), { maxLength: 6 }), (items, cuts) => {
      const stream = Uint8Array.from(items.flat());
      const whole = new Rebuild(3n, NAMES);
      const atOnce = whole.feed(stream);
      const ended = atOnce.ok ? whole.finish() : atOnce;
      if (!ended.ok) expect(ended.error).toMatch(/^(a|an|the|more|store) /);
      const pieces = new Rebuild(3n, NAMES);
      const records: unknown[] = [];
      let [at, failed] = [0, ''];
      for (const cut of [...cuts, stream.length]) {
        const fed = pieces.feed(stream.subarray(at, at + cut));
        at += cut;
        if (fed.ok) records.push(...fed.value);
        else {
          failed = fed.error;
          break;
        }
      }
      if (atOnce.ok) expect(records).toEqual(atOnce.value);
      else expect(failed).toBe(atOnce.error);
      if (atOnce.ok) expect(pieces.finish()).toEqual(ended);
    }),
    { numRuns: fuzzRuns() },
  );
});
