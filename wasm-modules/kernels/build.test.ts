import { expect, test } from 'vitest';
import { buildKernel } from './build.ts';
import { committedKernel } from './committed.ts';

test.each(['runtime', 'training'] as const)(
  '%s.wasm is what its sources compile to, byte for byte',
  async (name) => {
    const built = await buildKernel(name);
    expect(built.length).toBe(committedKernel(name).length);
    expect(Buffer.compare(built, committedKernel(name))).toBe(0);
  },
  60_000,
);
