import { afterEach, expect, test, vi } from 'vitest';
import { createProgress } from './progress.ts';

afterEach(() => {
  vi.restoreAllMocks();
});

/** The lines that a terminal was shown while `work` ran. */
function shown(isTerminal: boolean, work: () => void): string[] {
  const texts: string[] = [];
  const before = process.stderr.isTTY;
  vi.spyOn(process.stderr, 'write').mockImplementation((text) => {
    texts.push(String(text));
    return true;
  });
  process.stderr.isTTY = isTerminal;
  try {
    work();
  } finally {
    process.stderr.isTTY = before;
  }
  return texts;
}

test('a bar goes on with each step, has room for more, and ends its line once', () => {
  const texts = shown(true, () => {
    const progress = createProgress(2);
    progress.step();
    progress.expect(2);
    progress.step();
    progress.step();
    progress.step();
    progress.finish();
  });
  expect(texts.map((text) => text.slice(text.indexOf(']') + 2))).toEqual([
    '1 of 2',
    '2 of 4',
    '3 of 4',
    '3 of 4',
    '4 of 4\n',
  ]);
});

test('where no terminal is, nothing is shown', () => {
  expect(
    shown(false, () => {
      const progress = createProgress(1);
      progress.step();
      progress.finish();
    }),
  ).toEqual([]);
});
