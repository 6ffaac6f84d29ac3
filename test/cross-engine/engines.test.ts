/**
 * The same calls in different engines and tiers end in the same outcome, output, gas and trace. Where JavaScriptCore does
 * not run, V8's two tiers are compared with each other, and a line says so.
 */
import { expect, test } from 'vitest';
import { fuzzRuns } from '#test/fuzz/runs.ts';
import { OPCODES } from '#vm/wasm/opcodes.ts';
import {
  disagreements,
  ENGINES,
  JAVASCRIPTCORE,
  NO_JAVASCRIPTCORE,
  runInEngine,
  tierOf,
  V8_BASELINE,
  V8_OPTIMISING,
} from './engines.ts';
import { opcodesOf } from './opcodes-of.ts';
import { casesOf, type Suite } from './runner.ts';

/** Four engines compile everything in turn, each in a process of its own. */
const SLOW = { timeout: 600_000 };

if (NO_JAVASCRIPTCORE !== undefined)
  console.warn(`JavaScriptCore does not run here, V8 alone is compared with itself: ${NO_JAVASCRIPTCORE}`);

const SUITES: readonly (readonly [string, Suite, number])[] = [
  ['every way in which a call can end', 'shapes', 0],
  ['every shipped model', 'models', 0],
  ['random modules', 'random', fuzzRuns(40)],
];

test('the tiers of V8 are those that their names say, however hot the code', () => {
  expect(tierOf(V8_BASELINE.flags)).toBe('baseline');
  expect(tierOf(V8_OPTIMISING.flags)).toBe('optimising');
  expect(tierOf([])).toBe('optimising');
});

test.each(SUITES)('engines agree on %s', SLOW, async (_, suite, count) => {
  const order = { form: 'machine', suite, count } as const;
  const first = await runInEngine(V8_BASELINE, order);
  expect(first.length).toBe(casesOf(suite, 0, count).length);
  expect(first.filter(({ outcome }) => outcome.startsWith('host-fault'))).toEqual([]);
  if (suite !== 'shapes')
    expect(first.filter(({ outcome }) => outcome === 'ok').length * 2).toBeGreaterThan(first.length);
  for (const engine of ENGINES.slice(1))
    expect(disagreements(first, await runInEngine(engine, order)), engine.name).toEqual([]);
});

test('without the machine the same random modules leave other bits on another engine', SLOW, async () => {
  const order = { form: 'raw', suite: 'random', count: 20 } as const;
  const answers = await Promise.all(ENGINES.slice(0, 3).map((engine) => runInEngine(engine, order)));
  const [first = [], ...others] = answers;
  for (const other of others) expect(disagreements(first, other).length).toBeGreaterThan(0);
});

test('one gas constant more on one engine is a disagreement on every call that ends well', SLOW, async () => {
  const order = { suite: 'random', count: 5 } as const;
  const other = JAVASCRIPTCORE[0] ?? V8_BASELINE;
  const first = await runInEngine(V8_BASELINE, { ...order, form: 'machine' });
  const dearer = await runInEngine(other, { ...order, form: 'dearer' });
  const found = first.filter((one, i) => one.gasUsed !== dearer[i]?.gasUsed);
  expect(found.length).toBeGreaterThan(0);
  expect(disagreements(first, dearer).length).toBe(first.length);
});

/** Of these the generator makes none: they do nothing, or end the program at once. */
const NOT_RANDOM = ['unreachable', 'nop', 'data.drop', 'elem.drop'];

test('random modules have every instruction that a module may use', () => {
  const seen = new Set<string>();
  for (const { core } of casesOf('random', 0, 400)) for (const name of opcodesOf(core)) seen.add(name);
  const missing = [...OPCODES.values()].map(({ name }) => name).filter((name) => !seen.has(name));
  expect(missing.sort()).toEqual([...NOT_RANDOM].sort());
});
