import fc from 'fast-check';
import { expect, test } from 'vitest';
import { sha256 } from './hash.ts';
import { blocksOf, createSha256Lanes, digestAt, LANE_MESSAGE_BYTES, LANES, messageAt } from './sha256-lanes.ts';

const hasher = createSha256Lanes();

function check(messages: readonly Uint8Array[]): void {
  messages.forEach((message, lane) => void hasher.bytes.set(message, messageAt(lane)));
  hasher.run(messages.map(({ length }) => length));
  messages.forEach((message, lane) => {
    expect(hasher.bytes.slice(digestAt(lane), digestAt(lane) + 32)).toEqual(sha256(message));
  });
}

test('four messages at once have the digests of FIPS 180-4, at every length around block borders and at the longest', () => {
  for (let length = 0; length <= 200; length++)
    check(Array.from({ length: LANES }, (_, lane) => new Uint8Array(length).map((_, i) => i * 31 + lane * 7 + length)));
  check(Array.from({ length: LANES }, (_, lane) => new Uint8Array(LANE_MESSAGE_BYTES).fill(lane)));
});

test('lengths may differ where the blocks are as many, and nothing of earlier messages shows', () => {
  const message = fc.integer({ min: 1, max: 9 }).chain((blocks) => {
    const [least, most] = [Math.max(0, 64 * (blocks - 1) - 8), 64 * blocks - 9];
    return fc.array(fc.uint8Array({ minLength: least, maxLength: most }), { minLength: LANES, maxLength: LANES });
  });
  fc.assert(fc.property(message, check), { numRuns: 200 });
});

test('messages of different block counts, and one longer than a lane, are refused', () => {
  expect([55, 56, 119, 120].map(blocksOf)).toEqual([1, 2, 2, 3]);
  expect(() => hasher.run([10, 10, 10, 56])).toThrow('equally many blocks');
  const long = LANE_MESSAGE_BYTES + 1;
  expect(() => hasher.run([long, long, long, long])).toThrow('longer than a lane');
});
