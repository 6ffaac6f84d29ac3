/**
 * `npm run sim`: seeds one after another; with `--exhaustive` all orders of messages within bounds; with `--latency` what
 * consensus costs by the number of validators. Status 1: a property does not hold; 2: the command line makes no sense.
 */
import { setFlagsFromString } from 'node:v8';
import { readArguments, USAGE } from './arguments.ts';

// Nearly all that a simulation allocates is short-lived: a larger nursery halves the time spent in collecting it.
setFlagsFromString('--max-semi-space-size=64');
setFlagsFromString('--min-semi-space-size=32');

// What runs is loaded after the flags are set, and for a mutated search after the mutation is made.
const read = readArguments(process.argv.slice(2));
if (!read.ok) {
  console.error(`${read.error}\n\n${USAGE}`);
  process.exitCode = 2;
} else {
  const args = read.value;
  switch (args.mode) {
    case 'help':
      console.log(USAGE);
      break;
    case 'exhaustive': {
      const { runSearches } = await import('./search/main.ts');
      process.exitCode = (await runSearches(args)) ? 0 : 1;
      break;
    }
    case 'latency': {
      const { printScale } = await import('./scale-table.ts');
      await printScale(args);
      break;
    }
    case 'seeds': {
      const { runSeeds } = await import('./seeds.ts');
      process.exitCode = (await runSeeds(args)) > 0 ? 1 : 0;
      break;
    }
  }
}
