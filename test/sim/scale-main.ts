/**
 * `npm run sim -- --latency wan [--nodes 175] [--heights 3]`: what consensus costs with 4, 16, 64 validators, and with
 * `--nodes` of them.
 */
import { parseArgs } from 'node:util';
import { LATENCIES, measureScale } from './scale.ts';

const { values } = parseArgs({
  options: {
    latency: { type: 'string', default: 'wan' },
    nodes: { type: 'string', default: '175' },
    heights: { type: 'string', default: '3' },
  },
});
const latency = LATENCIES.find((each) => each === values.latency);
if (latency === undefined) throw new Error(`--latency: expected one of ${LATENCIES.join(', ')}, got ${values.latency}`);
const most = Number(values.nodes);
const kib = (bytes: number) => (bytes / 1024).toFixed(1);
console.log(
  'nodes | block interval, ms | first delivery, messages/node/height (KiB) | status and repair, messages/node/height (KiB) | highest round',
);
for (const nodes of [...[4, 16, 64].filter((each) => each < most), most]) {
  const report = await measureScale(nodes, Number(values.heights), latency);
  console.log(
    `${nodes} | ${report.blockIntervalMs.toFixed(0)} | ${report.gossipMessages.toFixed(0)} (${kib(report.gossipBytes)}) | ` +
      `${report.directMessages.toFixed(0)} (${kib(report.directBytes)}) | ${report.highestRound}`,
  );
}
