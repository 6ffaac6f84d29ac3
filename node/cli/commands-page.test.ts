/** The table of docs/cli.md has every command that there is, and no other. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { createProgram } from './program.ts';

test('docs/cli.md lists all commands in the order of the help text, with what follows each', async () => {
  const page = readFileSync(new URL('../../docs/cli.md', import.meta.url), 'utf8');
  const section = page.slice(page.indexOf('## All commands'), page.indexOf('## Settings'));
  const rows = section.split('\n').filter((line) => /^\| `[a-z]/.test(line) && !line.includes('…'));
  const named = (cell = '') => [...cell.matchAll(/`([a-z-]+)`/g)].map(([, name]) => name);
  const listed = rows.map((line) => line.split('|').slice(1, 3).map(named));
  const program = await createProgram();
  const there = program.commands.map((command) => [
    [command.name()],
    // Messages and queries stand below their modules: modules.md has those.
    command.commands.filter((child) => child.commands.length === 0).map((child) => child.name()),
  ]);
  const sorted = (table: typeof listed) => table.map(([name, children]) => [name, children?.toSorted()]);
  expect(sorted(listed)).toEqual(sorted(there));
});
