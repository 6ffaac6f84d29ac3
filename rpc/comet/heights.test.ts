import { expect, test } from 'vitest';
import { toHeight } from '#core/types/brand.ts';
import type { Backend } from '../backend.ts';
import { resolveHeight } from './heights.ts';

const backend = (headers?: bigint) =>
  ({
    heights: () => ({
      base: toHeight(50n),
      latest: toHeight(60n),
      ...(headers === undefined ? {} : { headers: toHeight(headers) }),
    }),
  }) as Backend;

test('headers may be older than blocks, and each question is answered by what it asks for', () => {
  for (const [wanted, of, expected] of [
    [50n, 'blocks', true],
    [49n, 'blocks', false],
    [49n, 'headers', true],
    [20n, 'headers', true],
    [19n, 'headers', false],
  ] as const)
    expect(resolveHeight(backend(20n), wanted, 0n, of).ok, `${of} at ${wanted}`).toBe(expected);
  expect(resolveHeight(backend(20n), 19n, 0n, 'headers')).toMatchObject({
    error: { message: 'height 19 is not available, lowest height is 20' },
  });
  expect(resolveHeight(backend(), 49n, 0n, 'headers').ok).toBe(false);
});
