/** What an operator reads in docs/settings.md is what the program has: every setting, its default and its range. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { CLIENT_SETTINGS } from './client-config.ts';
import { formatDuration } from './duration.ts';
import { fallbackValue, SETTINGS, type Setting } from './schema.ts';

/** The cells of every row whose first cell is a name. */
const rows = readFileSync(new URL('../../docs/settings.md', import.meta.url), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('| `'))
  .map((line) =>
    line
      .split('|')
      .slice(1, -1)
      .map((cell) => cell.trim()),
  );

const choices = (values: readonly unknown[]): string => values.map((value) => `\`${value}\``).join(', ');

const FORMS = { listen: 'address', signer: 'address', peers: 'list', ids: 'list' } as const;

function rangeOf(setting: Setting): string {
  if (setting.kind === 'integer') return `${setting.min} to ${setting.max}`;
  if (setting.kind === 'duration') return `0 to ${formatDuration(setting.maxMs)}`;
  if (setting.kind === 'flag') return choices([true, false]);
  if (setting.kind === 'text') return setting.oneOf === undefined ? 'text' : choices(setting.oneOf);
  return FORMS[setting.kind];
}

test('docs/settings.md has every setting of both files in their order, with default and range', () => {
  const ofNode = SETTINGS.map((setting) => [
    `\`${setting.section === '' ? '' : `${setting.section}.`}${setting.key}\``,
    `\`${JSON.stringify(fallbackValue(setting))}\``,
    rangeOf(setting),
  ]);
  const ofClient = CLIENT_SETTINGS.map(({ key, fallback, oneOf }) => [
    `\`${key}\``,
    `\`${JSON.stringify(fallback)}\``,
    oneOf === undefined ? 'text' : choices(oneOf),
  ]);
  expect(rows.map((cells) => cells.slice(0, 3))).toEqual([...ofNode, ...ofClient]);
});

test('each is explained, in the words of the file itself where it has some', () => {
  for (const { section, key, comment } of SETTINGS) {
    const name = section === '' ? key : `${section}.${key}`;
    const explained = rows.find(([cell]) => cell === `\`${name}\``)?.[3] ?? '';
    expect(explained, name).toMatch(/\S \S/);
    // Comments that speak of the line above or below are said in full on the page.
    if (!['', 'The same for precommits.'].includes(comment) && key !== 'trust_height')
      expect(explained, name).toBe(comment);
  }
});
