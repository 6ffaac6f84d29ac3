import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { expect, test } from 'vitest';

const root = resolve(import.meta.dirname, '..');
const page = readFileSync(resolve(root, 'docs/attack-surface.md'), 'utf8');

interface Row {
  readonly line: string;
  readonly file: string;
  readonly name: string;
}

/** The rows whose last cells are `file`, `test name` and what happens. A row without a line of its own belongs to the one above. */
function rows(): Row[] {
  const found: Row[] = [];
  for (const text of page.split('\n')) {
    const match = /^\|([^|]*)\|[^|]*\| `([^`|]+\.test\.ts)` \| `([^`]+)` \|/.exec(text);
    if (match === null) continue;
    const [, line = '', file = '', name = ''] = match;
    found.push({ line: line.trim() === '' ? (found.at(-1)?.line ?? '') : line.trim(), file, name });
  }
  return found;
}

const LIMIT_LINES = [
  'part index and total',
  'part proofs',
  'bit arrays',
  'far heights and rounds',
  'future timestamps',
  'non-proposer',
  'POLRound',
  'unsorted or duplicate validators',
  'total power',
  'zero-power sets',
  'extension on nil or on a prevote',
  'extension signature by another',
  'extension bytes',
  'evidence from the future or expired',
  'block over max bytes or max gas',
  'block-sync peer',
  'snapshot chunks that lie',
  'compressed bombs',
  'slow-reading peers',
  'a thousand connections',
  'unknown protobuf fields',
  'non-canonical varints',
];

/** 37, 38 and 42 are the machine's. */
const ADVERSARIAL_LINES = Array.from({ length: 43 }, (_, i) => i + 1).filter((line) => ![37, 38, 42].includes(line));

test('each line of the attack surface has a row, and each row a test of that name in that file', () => {
  const all = rows();
  for (const { file, name } of all) {
    const source = readFileSync(resolve(root, file), 'utf8');
    expect(source.includes(`'${name}'`), `${file} has no test '${name}'`).toBe(true);
  }
  const names = all.map(({ name }) => name).join('\n');
  for (const line of ADVERSARIAL_LINES) {
    expect(
      all.some((row) => row.line === String(line)),
      `no row for line ${line}`,
    ).toBe(true);
    expect(names, `no test names line ${line}`).toMatch(new RegExp(`Adversarial ${line}:`));
  }
  for (const line of LIMIT_LINES)
    expect(
      all.some((row) => row.line === line),
      `no row for ${line}`,
    ).toBe(true);
});
