/**
 * `npm run sim -- --exhaustive [--states 600000] [--mutation <name>]`: searches the orders of messages. `--mutation` names
 * one of scripts/mutations-consensus.ts, which is made to the source as it is loaded: the search must then find a fork.
 * Status 1 when a property does not hold.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { consensusMutations } from '#scripts/mutations-consensus.ts';
import type { SearchOptions, SearchReport } from './search.ts';

const { values } = parseArgs({
  options: {
    exhaustive: { type: 'boolean' },
    states: { type: 'string', default: '600000' },
    mutation: { type: 'string' },
  },
});

function mutate(name: string): void {
  const mutation = consensusMutations.find((each) => each.name === name);
  if (mutation === undefined) throw new Error(`--mutation: no mutation is named ${JSON.stringify(name)}`);
  registerHooks({
    load: (url, context, next) => {
      if (!url.endsWith(`/${mutation.file}`)) return next(url, context);
      const source = readFileSync(fileURLToPath(url), 'utf8');
      const changed = source.replace(mutation.search, mutation.replace);
      if (changed === source) throw new Error(`the mutation does not fit ${mutation.file}`);
      return { format: 'module-typescript', source: changed, shortCircuit: true };
    },
  });
}

if (values.mutation !== undefined) mutate(values.mutation);
// Only now: what it imports must be loaded with the mutation.
const { FORK_BOUNDS, Search } = await import('./search.ts');

let states = 0;
let failed = false;

function run(name: string, options: SearchOptions): SearchReport {
  const began = performance.now();
  const report = new Search(options).run();
  const seconds = (performance.now() - began) / 1000;
  states += report.states;
  console.log(
    `${name}: ${report.states} distinct states (${report.decided} with a decision), ${report.localStates} engine states, ` +
      `${report.steps} engine steps, complete to move ${report.complete}, ${seconds.toFixed(1)} s`,
  );
  for (const { property, depth, trace } of report.findings) {
    failed = true;
    console.log(`  ${property} does not hold after ${depth} moves:`);
    for (const line of trace) console.log(`    ${line || '(nothing)'}`);
  }
  return report;
}

run('bounds of the fork', FORK_BOUNDS);
if (values.mutation === undefined)
  for (const byzantine of [0, 1, 2])
    run(`validator ${byzantine} Byzantine`, {
      byzantine,
      menu: 'all',
      before: 9,
      after: 9,
      maxStates: Number(values.states),
    });
console.log(`${states} distinct states in all`);
process.exitCode = failed ? 1 : 0;
