/** The machine here against wasmtime, whose answers `wasmtime/record.py` recorded: it says how to record them again. */
import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { MACHINE_VERSION } from '#vm/admission.ts';
import { modelCases, randomCases, shapeCases } from './cases.ts';
import { disagreements } from './engines.ts';
import { type Ended, runMachine } from './runner.ts';

interface Recorded {
  readonly engine: string;
  readonly machine: string;
  readonly calls: readonly Ended[];
}

const RECORDED = JSON.parse(
  readFileSync(new URL('./wasmtime/vectors.json', import.meta.url), 'utf8'),
) as unknown as Recorded;

/** Of the models all calls, of the random modules those that were recorded. */
const CASES = [...shapeCases(), ...modelCases(), ...randomCases(0, 60)];

test('the vectors are of this version of the machine, one for each call', () => {
  expect(RECORDED.machine).toBe(MACHINE_VERSION);
  expect(RECORDED.calls.map(({ name }) => name)).toEqual(CASES.map(({ name }) => name));
});

test('calls end here as they did in wasmtime: outcome, output, gas and trace', { timeout: 300_000 }, () => {
  const here = CASES.map((each) => runMachine(each));
  expect(disagreements(here, RECORDED.calls)).toEqual([]);
  const [first, ...rest] = RECORDED.calls;
  const forged = { ...(first as Ended), gasUsed: '1' };
  expect(disagreements(here, [forged, ...rest]).length).toBe(1);
});
