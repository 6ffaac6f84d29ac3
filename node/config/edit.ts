import { parse, TomlError } from 'smol-toml';
import { err, ok, type Result } from '#core/result.ts';
import type { SettingValue } from './schema.ts';

/**
 * The text of a TOML file with one setting changed, or added at the end of its section; comments and all else stay as they
 * are. Fails with a sentence when the text is no TOML, or so written that its lines cannot be told apart.
 */
export function editSetting(text: string, section: string, key: string, value: SettingValue): Result<string, string> {
  const before = tableOf(text);
  if (!before.ok) return before;
  const line = `${key} = ${JSON.stringify(value)}`;
  const lines = text.split('\n');
  const start = section === '' ? -1 : lines.findIndex((each) => each.trim() === `[${section}]`);
  if (section !== '' && start < 0) lines.push(`[${section}]`, line, '');
  else {
    const next = lines.findIndex((each, i) => i > start && /^\s*\[/.test(each));
    const end = next < 0 ? lines.length : next;
    const there = lines.findIndex((each, i) => i > start && i < end && keyOfLine(each) === key);
    if (there >= 0) lines[there] = `${line}${commentOf(lines[there] as string)}`;
    else lines.splice(endOfContent(lines, start, end), 0, line);
  }
  const edited = lines.join('\n');
  const after = tableOf(edited);
  const wanted = withValue(before.value, section, key, value);
  if (!after.ok || JSON.stringify(sorted(after.value)) !== JSON.stringify(sorted(wanted)))
    return err('the file is written in a way that cannot be edited here: change it by hand');
  return ok(edited);
}

type Table = Readonly<Record<string, unknown>>;

function tableOf(text: string): Result<Table, string> {
  try {
    return ok(parse(text));
  } catch (error) {
    if (error instanceof TomlError) return err(`not valid TOML: ${error.message.split('\n')[0]}`);
    throw error;
  }
}

const keyOfLine = (line: string): string | undefined => /^\s*([A-Za-z0-9_-]+)\s*=/.exec(line)?.[1];

/** The comment behind a setting, and the space before it; a `#` inside its text is none. */
function commentOf(line: string): string {
  for (let at = line.indexOf('#'); at >= 0; at = line.indexOf('#', at + 1)) {
    const setting = line.slice(0, at);
    if (tableOf(setting).ok) return line.slice(setting.trimEnd().length);
  }
  return '';
}

/** Behind the last line of a section that is not empty. */
function endOfContent(lines: readonly string[], start: number, end: number): number {
  let at = end;
  while (at > start + 1 && lines[at - 1]?.trim() === '') at--;
  return at;
}

function withValue(table: Table, section: string, key: string, value: SettingValue): Table {
  if (section === '') return { ...table, [key]: value };
  const inner = table[section];
  return { ...table, [section]: { ...(typeof inner === 'object' ? inner : {}), [key]: value } };
}

/** By their keys at every depth, so that only the contents are compared. */
function sorted(value: unknown): unknown {
  if (typeof value === 'bigint') return String(value);
  if (typeof value !== 'object' || value === null || Array.isArray(value) || value instanceof Date) return value;
  return Object.fromEntries(
    Object.entries(value)
      .map(([key, inner]): [string, unknown] => [key, sorted(inner)])
      .sort(([a], [b]) => (a < b ? -1 : 1)),
  );
}
