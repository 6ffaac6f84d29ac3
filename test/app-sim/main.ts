/** `npm run app-sim`: random lives of a chain. Status 1: something does not hold; 2: the command line makes no sense. */
import { setFlagsFromString } from 'node:v8';
import { type AppSimArguments, LONG, readArguments, replayCommand, USAGE } from './arguments.ts';
import type { Report } from './run.ts';
import { Tally } from './tally.ts';

// Nearly all that is allocated is short-lived: a larger nursery spares much collecting.
setFlagsFromString('--max-semi-space-size=64');
setFlagsFromString('--min-semi-space-size=32');

const read = readArguments(process.argv.slice(2));
if (!read.ok) {
  console.error(`${read.error}\n\n${USAGE}`);
  process.exitCode = 2;
} else if (read.value === undefined) console.log(USAGE);
else process.exitCode = (await runSeeds(read.value)) ? 0 : 1;

/** Why a report is a failure even though every block was right. */
async function neverSeen(all: Tally): Promise<readonly string[]> {
  const { MUST_BE_TRIED, MUST_SUCCEED } = await import('./transactions.ts');
  return [
    ...MUST_BE_TRIED.filter((name) => all.tried(name) === 0).map((name) => `"${name}" was never tried`),
    ...MUST_SUCCEED.filter((name) => all.tried(name) > 0 && all.succeeded(name) === 0).map(
      (name) => `"${name}" has never succeeded`,
    ),
  ];
}

async function tellFailure(args: AppSimArguments, { seed, blocks, failure }: Report): Promise<void> {
  const { shrink, inMemory, only } = args;
  console.error(`seed ${seed} fails in block ${blocks + 1}: ${failure}`);
  console.error(`replay it with: ${replayCommand(seed, blocks + 1, only)}${inMemory ? ' --in-memory' : ''}`);
  if (!shrink || only !== undefined) return;
  const { shrinkSeed } = await import('./shrink.ts');
  console.error(await shrinkSeed({ seed, blocks: blocks + 1 }));
}

async function runSeeds(args: AppSimArguments): Promise<boolean> {
  // What runs is loaded after the flags are set.
  const { simulate } = await import('./run.ts');
  const began = performance.now();
  const total = new Tally();
  let [done, failed] = [0, 0];
  for (let seed = args.from; seed < args.from + args.seeds; seed++) {
    if (args.minutes !== undefined && performance.now() - began > args.minutes * 60_000) break;
    const from = performance.now();
    const report = await simulate({ seed, blocks: args.blocks, onDisk: !args.inMemory, only: args.only });
    done++;
    total.merge(report.tally);
    const seconds = ((performance.now() - from) / 1000).toFixed(0);
    console.log(
      `seed ${seed}: ${report.blocks} blocks in ${seconds} s${report.failure === undefined ? '' : ', failed'}`,
    );
    if (report.failure === undefined) continue;
    failed++;
    await tellFailure(args, report);
  }
  console.log(`\n${total.lines().join('\n')}\n`);
  for (const [what, times] of [...total.counts].toSorted()) console.log(`${what}: ${times}`);
  const unseen = (total.counts.get('blocks') ?? 0) >= LONG ? await neverSeen(total) : [];
  for (const sentence of unseen) console.error(sentence);
  console.log(
    `seeds ${args.from}…${args.from + done - 1}: ${done - failed} passed, ${failed} failed; ` +
      `${((performance.now() - began) / 1000).toFixed(0)} s, ${(process.cpuUsage().user / 1e6).toFixed(0)} s of processor time`,
  );
  return failed === 0 && unseen.length === 0;
}
