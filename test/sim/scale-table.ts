/** What consensus costs with 4, 16, 64 validators, and with as many as asked for. */
import type { Latency } from './options.ts';
import { measureScale } from './scale.ts';

const kib = (bytes: number) => (bytes / 1024).toFixed(1);

export async function printScale(args: {
  readonly latency: Latency;
  readonly nodes: number;
  readonly heights: number;
}): Promise<void> {
  console.log(
    'nodes | block interval, ms | first delivery, messages/node/height (KiB) | status and repair, messages/node/height (KiB) | highest round',
  );
  for (const nodes of [...[4, 16, 64].filter((each) => each < args.nodes), args.nodes]) {
    const report = await measureScale(nodes, args.heights, args.latency);
    console.log(
      `${nodes} | ${report.blockIntervalMs.toFixed(0)} | ${report.gossipMessages.toFixed(0)} (${kib(report.gossipBytes)}) | ` +
        `${report.directMessages.toFixed(0)} (${kib(report.directBytes)}) | ${report.highestRound}`,
    );
  }
}
