import { expect, test } from 'vitest';
import { CollectedParts } from './collected-parts.ts';
import { Kit } from './test-kit.ts';

test('a set that was cut here is what its parts make one by one', () => {
  const { parts } = new Kit({ self: 0 }).block('a');
  const added = new CollectedParts(parts.header);
  for (const part of parts.parts) expect(added.add(part)).toBe('added');
  const whole = CollectedParts.whole(parts);
  expect(whole.complete).toBe(true);
  expect(whole.partSet()).toEqual(parts);
  for (const part of parts.parts) expect(whole.add(part)).toBe('duplicate');
  const size = parts.parts.reduce((sum, { bytes }) => sum + bytes.length, 0);
  for (const limit of [size, size - 1]) expect(whole.decode(limit)).toEqual(added.decode(limit));
  expect(whole.decode(size - 1).ok).toBe(false);
  expect(whole.decode(size).ok).toBe(true);
});
