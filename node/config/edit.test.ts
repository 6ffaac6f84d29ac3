import fc from 'fast-check';
import { parse } from 'smol-toml';
import { expect, test } from 'vitest';
import { checkConfig, renderConfig } from './config.ts';
import { editSetting } from './edit.ts';
import { SETTINGS } from './schema.ts';

test('one line changes, and nothing else', () => {
  const text = renderConfig({});
  const edited = editSetting(text, 'storage', 'pruning', 'everything');
  if (!edited.ok) throw new Error(edited.error);
  const lines = text.split('\n');
  const changed = edited.value.split('\n').flatMap((line, i) => (line === lines[i] ? [] : [line]));
  expect(changed).toEqual(['pruning = "everything"']);
});

test('what the file lacks is added at the end of its section, and a section at the end of the file', () => {
  const text = '# mine\nmoniker = "a" # to be\n\n[p2p] \n# theirs\npex = true\n\n\n[storage]\npruning = "nothing"\n';
  expect(editSetting(text, 'p2p', 'seeds', '')).toEqual({
    ok: true,
    value: text.replace('true\n', 'true\nseeds = ""\n'),
  });
  expect(editSetting(text, '', 'log_level', 'warn')).toMatchObject({
    value: expect.stringContaining('moniker = "a" # to be\nlog_level = "warn"\n\n[p2p]'),
  });
  expect(editSetting(text, 'rpc', 'laddr', '')).toMatchObject({
    value: expect.stringMatching(/\n\[rpc\]\nladdr = ""\n$/),
  });
  // A key of the same name elsewhere stays.
  expect(editSetting(text, '', 'pruning', 'x')).toMatchObject({
    value: expect.stringContaining('[storage]\npruning = "nothing"'),
  });
});

test('a comment behind the setting that changes stays', () => {
  const text = 'moniker = "a # b" \t# the # name\nlog_level = "#"\n[p2p]\npex = true#no\r\n';
  const edits = [
    ['', 'moniker', 'c', 'moniker = "a # b" ', 'moniker = "c" '],
    ['', 'log_level', 'warn', 'log_level = "#"', 'log_level = "warn"'],
    ['p2p', 'pex', false, 'true#no', 'false#no'],
  ] as const;
  for (const [section, key, value, before, after] of edits)
    expect(editSetting(text, section, key, value)).toEqual({ ok: true, value: text.replace(before, after) });
});

test('a file whose lines do not say what they seem to is left alone', () => {
  const tricky = 'moniker = """\n[p2p]\nseeds = "no"\n"""\n';
  expect(editSetting(tricky, 'p2p', 'seeds', 'yes').ok).toBe(false);
  expect(editSetting('p2p = { seeds = "a" }\n', 'p2p', 'seeds', 'b').ok).toBe(false);
  expect(editSetting('no toml', 'p2p', 'seeds', 'b')).toMatchObject({
    error: expect.stringMatching(/^not valid TOML/),
  });
});

test('any setting set to any text is read back as that text, whatever was taken out of the file before', () => {
  const rendered = renderConfig({}).split('\n');
  fc.assert(
    fc.property(
      fc.constantFrom(...SETTINGS),
      fc.string({ unit: 'grapheme', maxLength: 30 }),
      fc.array(fc.nat(rendered.length - 1), { maxLength: 3 }),
      ({ section, key }, value, gone) => {
        // Headers stay: settings of another section would be read as those of the one above.
        const text = rendered.filter((line, i) => !gone.includes(i) || line.startsWith('[')).join('\n');
        const edited = editSetting(text, section, key, value);
        if (!edited.ok) throw new Error(edited.error);
        const table = parse(edited.value) as Record<string, Record<string, string>>;
        expect(section === '' ? table[key] : table[section]?.[key]).toBe(value);
        const name = section === '' ? key : `${section}.${key}`;
        expect(checkConfig(edited.value).errors.every((error) => error.startsWith(`${name}: `))).toBe(true);
      },
    ),
    { numRuns: 300 },
  );
});
