import { expect, test } from 'vitest';
import { measureScale } from './scale.ts';

test('on a mesh over continents twelve validators decide each height in its first round', async () => {
  const report = await measureScale(12, 2, 'wan');
  expect(report.highestRound).toBe(0);
  // The commit wait of a second, and a few crossings of an ocean.
  expect(report.blockIntervalMs).toBeGreaterThan(1_000);
  expect(report.blockIntervalMs).toBeLessThan(2_500);
  // Twelve validators' two votes each cross every link of the mesh at least once, in one direction.
  expect(report.gossipMessages).toBeGreaterThan(24);
});
