import { DEFAULT_SIM } from '#test/sim/options.ts';
import { simulate } from '#test/sim/run.ts';
import type { Entry, Sample } from './harness.ts';

const NODES = 4;
/** For compilers to have seen the code of a height a few hundred times. */
const WARM_UP_HEIGHTS = 300;
const HEIGHTS = 1_500;

/** A calm network: what a height costs, checkers included. */
async function heights(count: number): Promise<void> {
  const options = { ...DEFAULT_SIM, seed: 1, nodes: NODES, chaosMs: 0, healHeights: count, healMs: 3_000 * count };
  const report = await simulate(options);
  if (report.violation !== undefined) throw report.violation;
}

async function run(): Promise<Sample> {
  await heights(WARM_UP_HEIGHTS);
  const began = process.cpuUsage();
  await heights(HEIGHTS);
  const { user, system } = process.cpuUsage(began);
  // One core for a minute: what others do on the machine meanwhile does not count.
  return { heights: (HEIGHTS * 60e6) / (user + system) };
}

export const sim: Entry = {
  name: 'sim',
  description: `the simulator with ${NODES} validators on a calm network: heights a minute of one core's time`,
  metrics: [{ name: 'heights', unit: 'heights/min', better: 'higher' }],
  runs: 3,
  run,
};
