/**
 * `npm run sim -- --exhaustive`: searches the orders of messages. `--mutation` names one of
 * scripts/mutations-consensus.ts, which is made to the source as it is loaded: the search must then find a fork.
 */
import { readFileSync } from 'node:fs';
import { registerHooks } from 'node:module';
import { fileURLToPath } from 'node:url';
import { consensusMutations } from '#scripts/mutations-consensus.ts';
import type { SearchOptions, SearchReport } from './search.ts';

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

/** Whether every property holds. */
export async function runSearches(args: {
  readonly states: number;
  readonly mutation: string | undefined;
}): Promise<boolean> {
  if (args.mutation !== undefined) mutate(args.mutation);
  // Only now: what it imports must be loaded with the mutation.
  const { FORK_BOUNDS, NO_BYZANTINE, Search } = await import('./search.ts');
  let states = 0;
  let holds = true;
  const run = (name: string, options: SearchOptions): void => {
    const began = performance.now();
    const report = new Search(options).run();
    states += report.states;
    if (report.findings.length > 0) holds = false;
    tell(name, report, (performance.now() - began) / 1000);
  };
  run('bounds of the fork', FORK_BOUNDS);
  if (args.mutation === undefined) {
    for (const byzantine of [0, 1, 2])
      run(`validator ${byzantine} Byzantine`, {
        validators: 4,
        byzantine,
        menu: 'all',
        before: 9,
        after: 9,
        maxStates: args.states,
      });
    run('three validators, none Byzantine', { ...NO_BYZANTINE, maxStates: args.states });
  }
  console.log(`${states} distinct states in all`);
  return holds;
}

function tell(name: string, report: SearchReport, seconds: number): void {
  console.log(
    `${name}: ${report.states} distinct states (${report.decided} with a decision), ${report.localStates} engine states, ` +
      `${report.steps} engine steps, ${report.exhausted ? 'complete' : `complete to move ${report.complete}`}, ` +
      `${seconds.toFixed(1)} s`,
  );
  for (const { property, depth, trace } of report.findings) {
    console.log(`  ${property} does not hold after ${depth} moves:`);
    for (const line of trace) console.log(`    ${line || '(nothing)'}`);
  }
}
