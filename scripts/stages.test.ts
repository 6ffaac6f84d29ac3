import { expect, test, vi } from 'vitest';
import { type Counts, commandStage, countReport, runStages, type Stage, type VitestReport } from './stages.ts';

const report = (
  passed: number,
  failed: number,
  skipped: number,
  files: VitestReport['testResults'] = [],
): VitestReport => ({
  numPassedTests: passed,
  numFailedTests: failed,
  numPendingTests: skipped,
  numTodoTests: 0,
  testResults: files,
});

test('a good run', () => {
  expect(countReport(report(3, 0, 1), true, false)).toEqual({ passed: 3, failed: 0, skipped: 1 });
});

test('a file that does not load is a failure', () => {
  const files = [{ status: 'failed', assertionResults: [] }];
  expect(countReport(report(3, 0, 0, files), false, false).failed).toBe(1);
});

test('a file with failed tests is counted by its tests', () => {
  const files = [{ status: 'failed', assertionResults: [{ status: 'failed' }, { status: 'failed' }] }];
  expect(countReport(report(3, 2, 0, files), false, false).failed).toBe(2);
});

test('an exit code without a failed test is a failure', () => {
  expect(countReport(report(3, 0, 0), false, false).failed).toBe(1);
});

test('no tests is a failure, all skipped too, unless the stage may be empty', () => {
  expect(countReport(report(0, 0, 0), true, true).failed).toBe(1);
  expect(countReport(report(0, 0, 5), true, false).failed).toBe(1);
  expect(countReport(report(0, 0, 5), true, true).failed).toBe(0);
});

const stage = (run: () => Promise<Counts>): Stage => ({ name: 'stage', timeoutMs: 1000, run });

const runQuietly = async (stages: readonly Stage[]): Promise<{ code: number; last: string }> => {
  const log = vi.spyOn(console, 'log').mockImplementation(() => {});
  const error = vi.spyOn(console, 'error').mockImplementation(() => {});
  try {
    const code = await runStages(stages);
    return { code, last: String(log.mock.lastCall?.[0]).trim() };
  } finally {
    log.mockRestore();
    error.mockRestore();
  }
};

test('the last line sums all stages, and a failure does not stop the others', async () => {
  const bad = stage(async () => ({ passed: 1, failed: 2, skipped: 0 }));
  const crash = stage(() => Promise.reject(new Error('crash')));
  const good = stage(async () => ({ passed: 4, failed: 0, skipped: 3 }));
  expect(await runQuietly([bad, crash, good])).toEqual({ code: 1, last: '5 passed, 3 failed' });
  expect(await runQuietly([good, good])).toEqual({ code: 0, last: '8 passed, 0 failed' });
});

test('a command passes by its exit code; one that cannot be started fails', async () => {
  const node = process.execPath;
  expect(await runQuietly([commandStage('a', node, ['-e', ''])])).toEqual({ code: 0, last: '1 passed, 0 failed' });
  expect(await runQuietly([commandStage('b', node, ['-e', 'process.exit(3)'])])).toMatchObject({ code: 1 });
  expect(await runQuietly([commandStage('c', node, ['-e', 'process.kill(process.pid, "SIGKILL")'])])).toMatchObject({
    code: 1,
  });
  expect(await runQuietly([commandStage('d', 'no-such-command-here', [])])).toEqual({
    code: 1,
    last: '0 passed, 1 failed',
  });
});
