import { expect, test } from 'vitest';
import { LANE_MESSAGE_BYTES } from '#core/crypto/sha256-lanes.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { MultiStore } from '../multistore.ts';
import { reachable } from '../records.test-util.ts';

test('what is hashed four at a time equals what is hashed alone, whatever lengths meet in one version', async () => {
  const kv = new MemoryKv();
  const state = MultiStore.open(kv, ['a', 'b']);
  const lengths = [0, 1, 31, 55, 56, 63, 64, 119, 120, 1023, 1024, 1025, LANE_MESSAGE_BYTES, 5000];
  const keyLengths = [1, 20, 32, 33, 200, 1800, LANE_MESSAGE_BYTES - 128, LANE_MESSAGE_BYTES - 127, 3000, 65_535];
  let made = 0;
  for (let version = 1; version <= 6; version++) {
    for (const [i, length] of lengths.entries()) {
      const key = new Uint8Array(keyLengths[(i * version) % keyLengths.length] as number).fill(version + i);
      state
        .workingBranch()
        .store(i % 5 === 0 ? 'b' : 'a')
        .set(key, new Uint8Array(length).fill(i));
      made++;
    }
    await state.commit();
  }
  expect(made).toBe(84);
  // Each hash is compared on the way.
  expect(reachable(kv, 6n).size).toBeGreaterThan(50);
});
