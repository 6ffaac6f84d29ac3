/**
 * `npm run sim -- --seeds 1000 --nodes 4..16 [--from 1] [--byzantine 0..f] [--kind twins] [--chaos 10000] [--no-crashes] [--plain]
 * [--heights 20] [--minutes 8]`:
 * runs seeds one after another and prints what was decided and what was done to it. A failure ends with status 1 and
 * the one command that replays it.
 */
import { parseArgs } from 'node:util';
import { BYZANTINE_KINDS, type ByzantineKind } from './byzantine.ts';
import { Rng } from './rng.ts';
import { DEFAULT_SIM, type SimOptions, type SimReport, simulate } from './run.ts';

interface Range {
  readonly low: number;
  readonly high: number;
}

function range(name: string, text: string): Range {
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(text);
  if (match === null) throw new Error(`--${name}: expected a number or a range such as 4..16, got ${text}`);
  const low = Number(match[1]);
  return { low, high: Number(match[2] ?? low) };
}

function kindsOf(text: string | undefined): readonly ByzantineKind[] | undefined {
  if (text === undefined) return undefined;
  const kind = BYZANTINE_KINDS.find((each) => each === text);
  if (kind === undefined) throw new Error(`--kind: expected one of ${BYZANTINE_KINDS.join(', ')}, got ${text}`);
  return [kind];
}

const { values } = parseArgs({
  options: {
    seeds: { type: 'string', default: '100' },
    from: { type: 'string', default: '1' },
    nodes: { type: 'string', default: '4' },
    byzantine: { type: 'string' },
    kind: { type: 'string' },
    chaos: { type: 'string', default: String(DEFAULT_SIM.chaosMs) },
    'no-crashes': { type: 'boolean', default: false },
    minutes: { type: 'string' },
    plain: { type: 'boolean', default: false },
    heights: { type: 'string', default: String(DEFAULT_SIM.healHeights) },
  },
});

/** The number of nodes and of Byzantine ones follow from the seed, so that one seed names one run. */
function optionsOf(seed: number): SimOptions {
  const rng = new Rng(seed ^ 0x5eed);
  const nodes = range('nodes', values.nodes);
  const count = rng.between(nodes.low, nodes.high);
  const tolerated = Math.floor((count - 1) / 3);
  const byzantine = values.byzantine === undefined ? { low: 0, high: tolerated } : range('byzantine', values.byzantine);
  return {
    ...DEFAULT_SIM,
    seed,
    nodes: count,
    byzantine: rng.between(byzantine.low, byzantine.high),
    kinds: kindsOf(values.kind),
    chaosMs: Number(values.chaos),
    crashes: !values['no-crashes'],
    changes: !values.plain,
    healHeights: Number(values.heights),
    healMs: Math.max(DEFAULT_SIM.healMs, 3_000 * Number(values.heights)),
  };
}

function replayCommand(options: SimOptions): string {
  const parts = ['npm run sim -- --seeds 1', `--from ${options.seed}`, `--nodes ${options.nodes}`];
  parts.push(`--byzantine ${options.byzantine}`, `--chaos ${options.chaosMs}`);
  if (options.kinds !== undefined) parts.push(`--kind ${options.kinds.join()}`);
  if (!options.crashes) parts.push('--no-crashes');
  if (!options.changes) parts.push('--plain');
  if (options.healHeights !== DEFAULT_SIM.healHeights) parts.push(`--heights ${options.healHeights}`);
  return parts.join(' ');
}

const total = {
  heights: 0n,
  messages: 0,
  lost: 0,
  duplicated: 0,
  cut: 0,
  partitions: 0,
  crashes: 0,
  torn: 0,
  evidence: 0,
  interleaved: 0,
  setChanges: 0,
};

function add(report: SimReport): void {
  const { faults } = report;
  total.heights += report.height - report.firstHeight + 1n;
  total.interleaved += faults.interleaved;
  total.setChanges += report.setChanges;
  total.messages += report.messages;
  total.lost += faults.lost;
  total.duplicated += faults.duplicated;
  total.cut += faults.cut;
  total.partitions += faults.partitions;
  total.crashes += faults.crashes;
  total.torn += faults.lostWalRecords;
  total.evidence += report.evidence;
}

const started = performance.now();
const from = Number(values.from);
const seeds = Number(values.seeds);
const most = values.minutes === undefined ? Number.POSITIVE_INFINITY : Number(values.minutes) * 60_000;
let highestRound = 0;
let failed = false;
let done = 0;
for (let seed = from; seed < from + seeds && !failed && performance.now() - started < most; seed++) {
  const options = optionsOf(seed);
  const report = await simulate(options);
  add(report);
  done++;
  highestRound = Math.max(highestRound, report.highestRound);
  if (report.violation !== undefined) {
    failed = true;
    console.error(`seed ${seed} fails: ${report.violation.message}`);
    console.error(`replay it with: ${replayCommand(options)}`);
  }
}
const seconds = (performance.now() - started) / 1000;
console.log(
  [
    `seeds ${from}…${from + done - 1}: ${total.heights} heights decided, highest deciding round ${highestRound}`,
    `faults: ${total.crashes} crashes (${total.torn} log records lost), ${total.partitions} partitions, ` +
      `${total.lost} messages lost, ${total.duplicated} duplicated, ${total.cut} cut, of ${total.messages}`,
    `validator updates: ${total.setChanges}, messages during unfinished effects: ${total.interleaved}`,
    `evidence committed: ${total.evidence}`,
    `${(process.cpuUsage().user / 1e6).toFixed(1)} s of processor time, ${((Number(total.heights) * 1e6) / process.cpuUsage().user).toFixed(0)} heights per processor second`,
    `${seconds.toFixed(1)} s, ${(done / seconds).toFixed(2)} seeds/s, ${(Number(total.heights) / seconds).toFixed(0)} heights/s`,
  ].join('\n'),
);
process.exitCode = failed ? 1 : 0;
