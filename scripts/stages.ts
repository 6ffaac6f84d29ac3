/** Stages of `npm test` and `npm run check`: each a process, its outcome counted, nothing silently left out. */
import { spawn } from 'node:child_process';
import { mkdirSync, readFileSync, rmSync } from 'node:fs';
import { delimiter, dirname, join, resolve } from 'node:path';

export interface Counts {
  readonly passed: number;
  readonly failed: number;
  readonly skipped: number;
}

export interface Stage {
  readonly name: string;
  readonly timeoutMs: number;
  run(): Promise<Counts>;
}

/** What this file reads of Vitest's JSON report. */
export interface VitestReport {
  readonly numPassedTests: number;
  readonly numFailedTests: number;
  readonly numPendingTests: number;
  readonly numTodoTests: number;
  readonly testResults: readonly {
    readonly status: string;
    readonly assertionResults: readonly { readonly status: string }[];
  }[];
}

interface Ending {
  /** Exit code 0 in time. */
  readonly ok: boolean;
  /** Why not, in words. */
  readonly reason: string;
}

const root = resolve(import.meta.dirname, '..');
const bin = join(root, 'node_modules', '.bin');
const minute = 60_000;
const killAfterMs = 10_000;

const environment = (extra: Readonly<Record<string, string>>): NodeJS.ProcessEnv => ({
  ...process.env,
  ...extra,
  PATH: [bin, dirname(process.execPath), process.env.PATH ?? ''].join(delimiter),
});

/** Runs a command in the project root. Signals to this process go to the command, and this process then ends. */
const runCommand = (
  command: string,
  args: readonly string[],
  timeoutMs: number,
  env: Readonly<Record<string, string>> = {},
): Promise<Ending> =>
  new Promise((done) => {
    const child = spawn(command, args, { cwd: root, stdio: ['ignore', 'inherit', 'inherit'], env: environment(env) });
    let timedOut = false;
    let interrupted = false;
    const stop = (): void => {
      child.kill('SIGTERM');
      setTimeout(() => child.kill('SIGKILL'), killAfterMs).unref();
    };
    const interrupt = (): void => {
      interrupted = true;
      stop();
    };
    const timer = setTimeout(() => {
      timedOut = true;
      stop();
    }, timeoutMs);
    process.on('SIGINT', interrupt).on('SIGTERM', interrupt);
    const end = (ending: Ending): void => {
      clearTimeout(timer);
      process.off('SIGINT', interrupt).off('SIGTERM', interrupt);
      if (interrupted) process.exit(130);
      done(ending);
    };
    child.on('error', (error) => end({ ok: false, reason: `could not be started: ${error.message}` }));
    child.on('exit', (code, signal) => {
      if (timedOut) end({ ok: false, reason: `took longer than ${timeoutMs} ms` });
      else end({ ok: code === 0, reason: signal === null ? `exit code ${code}` : `ended by ${signal}` });
    });
  });

/**
 * Counts of a report. What is no failed test and yet no success counts as one failure more: a file that does not load,
 * an unhandled error (`ok` false without a failed test), and a run without tests unless `mayBeEmpty` (all skipped).
 */
export const countReport = (report: VitestReport, ok: boolean, mayBeEmpty: boolean): Counts => {
  const brokenFiles = report.testResults.filter(
    (file) => file.status === 'failed' && !file.assertionResults.some(({ status }) => status === 'failed'),
  ).length;
  const passed = report.numPassedTests;
  const skipped = report.numPendingTests + report.numTodoTests;
  let failed = report.numFailedTests + brokenFiles;
  if (failed === 0 && !ok) failed = 1;
  if (failed === 0 && passed === 0 && !(mayBeEmpty && skipped > 0)) failed = 1;
  return { passed, failed, skipped };
};

/** A stage that is one command: it passes or fails as a whole. */
export const commandStage = (name: string, command: string, args: readonly string[]): Stage => {
  const timeoutMs = 15 * minute;
  return {
    name,
    timeoutMs,
    async run() {
      const ending = await runCommand(command, args, timeoutMs);
      if (!ending.ok) console.error(`${name}: ${ending.reason}`);
      return { passed: ending.ok ? 1 : 0, failed: ending.ok ? 0 : 1, skipped: 0 };
    },
  };
};

export interface VitestOptions {
  readonly timeoutMs: number;
  /** All tests may be skipped: the outside vectors are not on this machine. */
  readonly mayBeEmpty?: boolean;
  readonly env?: Readonly<Record<string, string>>;
  readonly args?: readonly string[];
}

/** A stage that is one project of vitest.config.ts. */
export const vitestStage = (project: string, options: VitestOptions): Stage => ({
  name: project,
  timeoutMs: options.timeoutMs,
  async run() {
    const folder = join(root, '.cache', 'reports');
    const reportFile = join(folder, `${project}.json`);
    mkdirSync(folder, { recursive: true });
    rmSync(reportFile, { force: true });
    const args = [
      'run',
      '--project',
      project,
      '--reporter=default',
      '--reporter=json',
      `--outputFile.json=${reportFile}`,
      ...(options.args ?? []),
    ];
    const ending = await runCommand('vitest', args, options.timeoutMs, options.env);
    let report: VitestReport;
    try {
      report = JSON.parse(readFileSync(reportFile, 'utf8')) as VitestReport;
    } catch {
      console.error(`${project}: no report (${ending.reason})`);
      return { passed: 0, failed: 1, skipped: 0 };
    }
    const counts = countReport(report, ending.ok, options.mayBeEmpty ?? false);
    if (counts.failed > 0) console.error(`${project}: ${counts.failed} failed (${ending.reason})`);
    return counts;
  },
});

/** The stages before any test: format and lint, types, structure, generated code. */
export const staticStages = (): Stage[] => [
  commandStage('biome', 'biome', ['check', '--error-on-warnings']),
  commandStage('types', 'tsc', ['-p', 'tsconfig.json']),
  commandStage('structure', process.execPath, ['scripts/structure-check.ts']),
  commandStage('proto', process.execPath, ['scripts/proto.ts', '--check']),
];

const sum = (all: readonly Counts[], field: keyof Counts): number =>
  all.reduce((total, counts) => total + counts[field], 0);

/** Runs all stages, also after a failure, and ends with the line `N passed, N failed`. Returns the exit code. */
export const runStages = async (stages: readonly Stage[]): Promise<number> => {
  const results: { name: string; counts: Counts; ms: number }[] = [];
  for (const stage of stages) {
    console.log(`\n── ${stage.name}`);
    const begin = performance.now();
    const counts = await stage.run().catch((error: unknown): Counts => {
      console.error(error);
      return { passed: 0, failed: 1, skipped: 0 };
    });
    results.push({ name: stage.name, counts, ms: performance.now() - begin });
  }
  console.log('');
  for (const { name, counts, ms } of results) {
    const skipped = counts.skipped > 0 ? `, ${counts.skipped} skipped` : '';
    console.log(
      `${name.padEnd(10)} ${counts.passed} passed, ${counts.failed} failed${skipped} in ${(ms / 1000).toFixed(1)} s`,
    );
  }
  const all = results.map(({ counts }) => counts);
  const failed = sum(all, 'failed');
  console.log(`\n${sum(all, 'passed')} passed, ${failed} failed`);
  return failed === 0 && stages.length > 0 ? 0 : 1;
};

export const vectorsStage = (present: boolean, env: VitestOptions['env'] = {}): Stage =>
  vitestStage('vectors', { timeoutMs: 10 * minute, mayBeEmpty: !present, env });

/** Pages in a headless browser; without one the stage is left out, and said to be. */
export const browserStage = (ensureBrowser: () => boolean): Stage => {
  const tests = vitestStage('browser', { timeoutMs: 10 * minute });
  return { ...tests, run: async () => (ensureBrowser() ? tests.run() : { passed: 0, failed: 0, skipped: 1 }) };
};
