/**
 * `npm run bench [-- entry …] [--list] [--json file] [--runs n]`: measures all entries or the named ones, prints a table
 * and, with `--json`, writes the report.
 */
import { writeFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { entries } from './entries.ts';
import { describeMachine, type Entry, type EntryResult, formatTable, measure, type Report } from './harness.ts';

const parse = () =>
  parseArgs({
    allowPositionals: true,
    options: { list: { type: 'boolean' }, json: { type: 'string' }, runs: { type: 'string' } },
  });

const choose = (names: readonly string[]): readonly Entry[] =>
  names.length === 0
    ? entries
    : names.map((name) => {
        const entry = entries.find((candidate) => candidate.name === name);
        if (!entry)
          throw new Error(`no entry "${name}": expected one of ${entries.map((known) => known.name).join(', ')}`);
        return entry;
      });

const main = async (): Promise<void> => {
  const { values, positionals } = parse();
  if (values.list) {
    for (const { name, description } of entries) console.log(`${name}: ${description}`);
    return;
  }
  const results: EntryResult[] = [];
  for (const entry of choose(positionals)) {
    const asked = values.runs === undefined ? entry : { ...entry, runs: Number(values.runs) };
    results.push(await measure(asked, (run) => console.error(`${entry.name}: run ${run} of ${asked.runs}`)));
  }
  console.log(formatTable(results));
  const report: Report = { at: new Date().toISOString(), ...describeMachine(), results };
  const { cores, model, memoryGiB } = report.machine;
  console.log(`\nNode ${report.node}, ${cores} cores (${model}), ${memoryGiB} GiB`);
  if (values.json !== undefined) writeFileSync(values.json, `${JSON.stringify(report, null, 2)}\n`);
};

try {
  await main();
} catch (error) {
  console.error(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
}
