/**
 * `npm run mutants [-- part of a name]`: takes each safety check of mutations.ts out, in a copy of the tree, and
 * requires that its named test passes without the mutation and fails with it.
 */
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdtempSync,
  readFileSync,
  realpathSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { vectorsRoot } from '#test/vectors/locate.ts';
import type { Mutation, NamedTest } from './mutation.ts';
import { mutations } from './mutations.ts';
import { countReport, type VitestReport } from './stages.ts';

/** `broken`: the test did not run to a verdict (no such test, a file that does not load, no end in time). */
export type TestVerdict = { readonly kind: 'passed' | 'failed' } | { readonly kind: 'broken'; readonly reason: string };

/** Runs one named test in a tree. */
export type TestRunner = (root: string, test: NamedTest) => Promise<TestVerdict>;

export interface MutantResult {
  readonly name: string;
  readonly killed: boolean;
  /** Why not, empty when killed. */
  readonly reason: string;
}

const notCopied = new Set(['node_modules', '.git', '.cache', 'dist', 'out', '.autonomy']);

/** A copy of the tree in a temporary folder, which shares its packages. */
export const copyTree = (root: string): string => {
  const copy = mkdtempSync(join(realpathSync(tmpdir()), 'autonomy-mutants-'));
  cpSync(root, copy, { recursive: true, filter: (path) => path === root || !notCopied.has(basename(path)) });
  if (existsSync(join(root, 'node_modules'))) symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
  return copy;
};

const describeVerdict = (verdict: TestVerdict): string => (verdict.kind === 'broken' ? verdict.reason : verdict.kind);

const testMutation = async (copy: string, mutation: Mutation, runTest: TestRunner): Promise<string> => {
  const path = join(copy, mutation.file);
  if (!existsSync(path)) return `${mutation.file} does not exist`;
  const original = readFileSync(path, 'utf8');
  const occurrences = original.split(mutation.search).length - 1;
  if (occurrences !== 1) return `the search text occurs ${occurrences} times in ${mutation.file}, expected once`;
  if (mutation.search === mutation.replace) return 'the mutation changes nothing';
  const before = await runTest(copy, mutation.test);
  if (before.kind !== 'passed') return `without the mutation the test does not pass: ${describeVerdict(before)}`;
  try {
    writeFileSync(path, original.split(mutation.search).join(mutation.replace));
    const after = await runTest(copy, mutation.test);
    return after.kind === 'failed' ? '' : `with the mutation the test does not fail: ${describeVerdict(after)}`;
  } finally {
    writeFileSync(path, original);
  }
};

/** Tries every mutation in one copy of `root`, in order; the copy is removed. */
export const runMutations = async (
  root: string,
  list: readonly Mutation[],
  runTest: TestRunner,
  onResult: (result: MutantResult) => void = () => {},
): Promise<MutantResult[]> => {
  const copy = copyTree(root);
  const results: MutantResult[] = [];
  try {
    for (const mutation of list) {
      const reason = await testMutation(copy, mutation, runTest);
      const result = { name: mutation.name, killed: reason === '', reason };
      results.push(result);
      onResult(result);
    }
  } finally {
    rmSync(copy, { recursive: true, force: true });
  }
  return results;
};

const testTimeoutMs = 10 * 60_000;

const escapePattern = (text: string): string => text.replace(/[.*+?^${}()|[\]\\]/g, '\\$&');

/** The verdict of Vitest's report: a file that does not load is broken, not failed. */
export const verdictOf = (report: VitestReport, exitedWell: boolean): TestVerdict => {
  if (report.numFailedTests > 0) return { kind: 'failed' };
  if (countReport(report, exitedWell, false).failed > 0)
    return {
      kind: 'broken',
      reason:
        report.numPassedTests > 0
          ? 'an error outside of the tests'
          : 'no test of that name ran, or its file does not load',
    };
  return { kind: 'passed' };
};

const runVitest: TestRunner = (root, test) =>
  new Promise((done) => {
    const reportFile = join(root, '.cache', 'mutant.json');
    rmSync(reportFile, { force: true });
    const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
    const args = [
      'run',
      '--project',
      test.project,
      test.file,
      '-t',
      escapePattern(test.name),
      '--reporter=json',
      `--outputFile=${reportFile}`,
    ];
    const env = {
      ...process.env,
      AUTONOMY_VECTORS: vectorsRoot(),
      PATH: [dirname(process.execPath), process.env.PATH ?? ''].join(delimiter),
    };
    const child = spawn(process.execPath, [vitest, ...args], { cwd: root, env, stdio: 'ignore' });
    const timer = setTimeout(() => child.kill('SIGKILL'), testTimeoutMs);
    child.on('error', (error) => done({ kind: 'broken', reason: error.message }));
    child.on('exit', (code, signal) => {
      clearTimeout(timer);
      try {
        done(verdictOf(JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport, code === 0));
      } catch {
        done({ kind: 'broken', reason: `no report (${signal ?? `exit code ${code}`})` });
      }
    });
  });

const main = async (): Promise<number> => {
  const part = process.argv[2] ?? '';
  const chosen = mutations.filter(({ name }) => name.includes(part));
  if (chosen.length === 0) {
    console.error(`no mutation has "${part}" in its name`);
    return 1;
  }
  const results = await runMutations(
    resolve(import.meta.dirname, '..'),
    chosen,
    runVitest,
    ({ name, killed, reason }) => console.log(killed ? `killed    ${name}` : `SURVIVED  ${name}: ${reason}`),
  );
  const killed = results.filter((result) => result.killed).length;
  console.log(`\n${killed} of ${results.length} mutants killed`);
  return killed === results.length ? 0 : 1;
};

if (import.meta.main) process.exitCode = await main();
