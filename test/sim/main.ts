/**
 * `npm run sim`: seeds one after another; with `--exhaustive` all orders of messages within bounds; with `--latency` what
 * consensus costs by the number of validators.
 */
import { setFlagsFromString } from 'node:v8';

// Nearly all that a simulation allocates is short-lived: a larger nursery halves the time spent in collecting it.
setFlagsFromString('--max-semi-space-size=64');
setFlagsFromString('--min-semi-space-size=32');
if (process.argv.includes('--exhaustive')) await import('./search/main.ts');
else if (process.argv.some((each) => each.startsWith('--latency'))) await import('./scale-main.ts');
else await import('./seeds.ts');
