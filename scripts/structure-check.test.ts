import { resolve } from 'node:path';
import { expect, test } from 'vitest';
import { layers } from './layers.ts';
import { checkTree } from './structure-check.ts';
import { checkManifest, checkSources, checkWords, type Manifest, type SourceFile } from './structure-rules.ts';

const manifest: Manifest = {
  dependencies: { '@noble/hashes': '2.4.0', 'classic-level': '3.0.0', fastify: '5.12.8' },
  devDependencies: { vitest: '5.1.1' },
};

/** `[rule]` of each violation in files given as path → text. */
const rulesBroken = (files: Record<string, string>): string[] => {
  const sources: SourceFile[] = Object.entries(files).map(([path, text]) => ({ path, text }));
  return checkSources(sources, manifest).map(({ rule }) => rule);
};

interface Example {
  readonly rule: string;
  readonly name: string;
  readonly bad: Record<string, string>;
  readonly good: Record<string, string>;
}

const examples: readonly Example[] = [
  {
    rule: 'layers',
    name: 'consensus does not see the runtime',
    bad: { 'consensus/step.ts': "import { table } from '#runtime/module-table.ts';" },
    good: { 'consensus/step.ts': "import type { Application } from '#core/abci.ts';" },
  },
  {
    rule: 'layers',
    name: 'types count as imports',
    bad: { 'core/a.ts': "import type { Node } from '#node/node.ts';" },
    good: { 'node/node.ts': "import type { A } from '#core/a.ts';" },
  },
  {
    rule: 'layers',
    name: 'import() counts, in expressions and in types',
    bad: { 'light/a.ts': "type A = import('#consensus/step.ts').A;" },
    good: { 'light/a.ts': "type A = import('#core/bytes.ts').A;" },
  },
  {
    rule: 'layers',
    name: 'runtime sees only the admission of vm',
    bad: { 'runtime/a.ts': "import { run } from '#vm/run.ts';" },
    good: {
      'runtime/a.ts': "import { admit } from '#vm/admission.ts';",
      'runtime/b.ts': "import { x } from '#vm/admission/x.ts';",
    },
  },
  {
    rule: 'layers',
    name: 'only the backend port of rpc sees the runtime',
    bad: { 'rpc/comet/routes.ts': "import { table } from '#runtime/module-table.ts';" },
    good: { 'rpc/backend.ts': "import { table } from '#runtime/module-table.ts';" },
  },
  {
    rule: 'layers',
    name: 'unit tests keep to the layers of their subject, and may use test/',
    bad: { 'vm/a.test.ts': "import { x } from '#runtime/x.ts';" },
    good: { 'vm/a.test.ts': "import { vectorsPath } from '#test/vectors/locate.ts';" },
  },
  {
    rule: 'layers',
    name: 'a new top-level folder must be declared',
    bad: { 'misc/a.ts': 'export const a = 1;' },
    good: { 'vitest.config.ts': 'export const a = 1;' },
  },
  {
    rule: 'paths',
    name: 'across layers by #layer',
    bad: { 'light/a.ts': "import { x } from '../core/bytes.ts';" },
    good: { 'light/a.ts': "import { x } from '#core/bytes.ts';" },
  },
  {
    rule: 'paths',
    name: 'inside a layer by relative path',
    bad: { 'core/a/b.ts': "import { x } from '#core/bytes.ts';" },
    good: {
      'core/a/b.ts': "import { x } from '../bytes.ts';",
      'test/fuzz/core.test.ts': "import { x } from '#test/arbitrary/block.ts';",
    },
  },
  {
    rule: 'paths',
    name: 'relative imports have their extension',
    bad: { 'core/a.ts': "import { x } from './bytes';" },
    good: { 'core/a.ts': "import { x } from './bytes.ts';" },
  },
  {
    rule: 'packages',
    name: 'each layer has its packages',
    bad: { 'runtime/a.ts': "import { sha256 } from '@noble/hashes/sha2.js';" },
    good: {
      'core/a.ts': "import { sha256 } from '@noble/hashes/sha2.js';",
      'node/a.ts': "import { ClassicLevel } from 'classic-level';",
    },
  },
  {
    rule: 'packages',
    name: 'a package that nobody declared',
    bad: { 'node/a.ts': "import x from 'left-pad';" },
    good: { 'rpc/a.ts': "import x from 'fastify';", 'core/a.test.ts': "import { test } from 'vitest';" },
  },
  {
    rule: 'builtins',
    name: 'the pure layers run in a browser',
    bad: { 'vm/a.ts': "import { readFileSync } from 'node:fs';" },
    good: { 'node/a.ts': "import { readFileSync } from 'node:fs';" },
  },
  {
    rule: 'builtins',
    name: 'also without the node: prefix',
    bad: { 'core/a.ts': "import { createHash } from 'crypto';" },
    good: { 'core/a.test.ts': "import { createHash } from 'node:crypto';" },
  },
  {
    rule: 'barrels',
    name: 'export *',
    bad: { 'core/all.ts': "export const a = 1; export * from './bytes.ts';" },
    good: { 'core/all.ts': 'export const a = 1;' },
  },
  {
    rule: 'barrels',
    name: 'a file that only re-exports',
    bad: { 'core/all.ts': "export { a } from './a.ts'; export type { B } from './b.ts';" },
    good: { 'core/all.ts': "import { a } from './a.ts'; export const twice = a + a;" },
  },
  {
    rule: 'barrels',
    name: 'index.ts',
    bad: { 'core/types/index.ts': 'export const a = 1;' },
    good: { 'core/types/vote.ts': 'export const a = 1;' },
  },
  {
    rule: 'mocked',
    name: 'a test that replaces a module has a process of its own',
    bad: { 'core/a.test.ts': `vi.${'mock'}('./a.ts');` },
    good: { 'core/a.mocked.test.ts': `vi.${'mock'}('./a.ts');`, 'core/b.test.ts': 'vi.fn();' },
  },
  {
    rule: 'cycles',
    name: 'a cycle over three files, one edge a type',
    bad: {
      'core/a.ts': "import './b.ts';",
      'core/b.ts': "import type { C } from './c.ts';",
      'core/c.ts': "import { a } from './a.ts';",
    },
    good: {
      'core/a.ts': "import './b.ts'; import './c.ts';",
      'core/b.ts': "import './c.ts';",
      'core/c.ts': 'export {};',
    },
  },
  {
    rule: 'cycles',
    name: 'a cycle across layers',
    bad: { 'test/a.ts': "import '#bench/b.ts';", 'bench/b.ts': "import '#test/a.ts';" },
    good: { 'test/a.ts': "import '#bench/b.ts';", 'bench/b.ts': 'export {};' },
  },
  {
    rule: 'syntax',
    name: 'a file that does not parse',
    bad: { 'core/a.ts': 'const = 1;' },
    good: { 'core/a.ts': 'const a = 1;' },
  },
];

test.each(examples)('$rule: $name', ({ rule, bad, good }) => {
  expect(rulesBroken(bad)).toEqual([rule]);
  expect(rulesBroken(good)).toEqual([]);
});

const banned = [
  'Date.now()',
  'let d: Date',
  'const x = a / b',
  'x /= 2',
  'a ** 2n',
  'const x = 0.5',
  'const x = 1.0',
  'const x = 1e-3',
  'Math.floor(x)',
  'Math["random"]()',
  'const { floor } = Math',
  'parseFloat(x)',
  'Number.parseFloat(x)',
  'x.toFixed(2)',
  'a.localeCompare(b)',
  'new Intl.NumberFormat()',
  'list.sort()',
  'list.toSorted()',
  'process.env',
  'setTimeout(f, 1)',
  'performance.now()',
  'const o = { process }',
];

const allowed = [
  'Math.imul(a, b) + Math.clz32(a) + Math.min(a, b) + Math.max(a, b)',
  'list.sort(compare)',
  'const x = 1e3 + 0xff + 1_000',
  'application.process(x)',
  'const o = { process: x, Date: y }',
  'interface I { process(): void; date: string }',
  'const s = "a / b ** 0.5 Date"',
  'const r = /Date/',
  '// Date.now() / 2',
];

test.each(banned)('banned in every deterministic layer: %s', (code) => {
  for (const layer of ['core', 'consensus', 'light', 'vm', 'runtime'])
    expect(new Set(rulesBroken({ [`${layer}/a.ts`]: code })), layer).toEqual(new Set(['tokens']));
  expect(rulesBroken({ 'node/a.ts': code, 'core/a.test.ts': code })).toEqual([]);
});

test.each(allowed)('allowed in a deterministic layer: %s', (code) => {
  expect(rulesBroken({ 'core/a.ts': code })).toEqual([]);
});

test('division has one place', () => {
  expect(rulesBroken({ 'core/int.ts': 'const x = a / b' })).toEqual([]);
});

test.each([
  'async function f() {}',
  'const f = async () => 1',
  'const o = { async m() {} }',
  'await x',
  'let p: Promise<void>',
])('consensus is synchronous: %s', (code) => {
  expect(new Set(rulesBroken({ 'consensus/a.ts': code }))).toEqual(new Set(['tokens']));
  expect(rulesBroken({ 'core/ports/a.ts': code })).toEqual([]);
});

test.each(['// TODO: later', '/* FIXME */', 'XXX', "test.only('x', f)", "describe.skip('x', f)", "test.todo('x')"])(
  'unfinished: %s',
  (text) => {
    expect(checkWords({ path: 'core/a.test.ts', text }).map(({ rule }) => rule)).toEqual(['words']);
  },
);

test('words in other words are no words', () => {
  expect(checkWords({ path: 'core/a.ts', text: 'TODOS xxx todo test.skipIf(x)("y", f) onlyOnce()' })).toEqual([]);
});

test('a violation says where it is', () => {
  const [violation] = checkSources([{ path: 'core/a.ts', text: '\n\nconst x = a / b;' }], manifest);
  expect(violation).toMatchObject({ path: 'core/a.ts', line: 3 });
});

test('pins are exact, in overrides too', () => {
  const loose: Manifest = { dependencies: { a: '^1.0.0', b: '1.x' }, overrides: { c: { d: '~2.0.0' } } };
  const page = '| `a` | x |\n| `b` | x |\n';
  expect(checkManifest(loose, page).map(({ rule }) => rule)).toEqual(['pins', 'pins', 'pins']);
  const exact: Manifest = { dependencies: { a: '1.0.0', b: '1.0.0-rc.1' }, overrides: { c: { d: '2.0.0' } } };
  expect(checkManifest(exact, page)).toEqual([]);
});

test('each dependency has a line, and each line a dependency', () => {
  const one: Manifest = { devDependencies: { a: '1.0.0' } };
  expect(checkManifest(one, '').map(({ rule }) => rule)).toEqual(['dependencies']);
  expect(checkManifest(one, '| `a` | x |\n| `gone` | x |\n').map(({ message }) => message)).toEqual([
    '"gone" is no dependency any more',
  ]);
  expect(checkManifest(one, '| package | for |\n|---|---|\n| `a` | x |\n')).toEqual([]);
});

test('the layer table names only layers', () => {
  const names = new Set(layers.map(({ name }) => name));
  for (const layer of layers) {
    const imports = layer.imports === 'all' ? [] : layer.imports;
    for (const target of imports) expect(names).toContain(typeof target === 'string' ? target : target.layer);
  }
});

test('the whole tree is read', () => {
  const { files } = checkTree(resolve(import.meta.dirname, '..'));
  expect(files).toBeGreaterThan(10);
});
