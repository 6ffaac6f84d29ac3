/**
 * `npm run soak -- --minutes 20`: four validator processes with pruning under a steady load. Each minute a table of what
 * they take of the machine; at the end the verdict. Exits with 1 when a criterion is not met.
 */
import { appendFile, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { minBig } from '#core/int.ts';
import { createRpcClient } from '#node/client/rpc-client.ts';
import { heightOf, interrupted, type Localnet, startLocalnet } from '#node/localnet/localnet.ts';
import type { NetworkNode } from '#node/localnet/network.ts';
import { freePorts } from '#node/localnet/ports.ts';
import { fundedAtGenesis, type Load, type LoadCounts, soakAccounts, startLoad } from './soak-load.ts';
import { PROBE_EVERY_MS, type ProcessSample, sampleProcess } from './soak-sample.ts';
import { CRITERIA, judge, type Measured, type SoakRun, type ValidatorRun } from './soak-verdict.ts';

const VALIDATORS = 4;
const CHAIN_ID = 'soak';
/** Blocks, states and index entries that a validator keeps. */
const KEPT = 100;
const MS_PER_MINUTE = 60_000;
/** What a node that stays up for years is given (docs/soak.md): by V8, and by the allocator of what is not JavaScript's. */
const V8_FLAGS = '--max-semi-space-size=4';
const ALLOCATOR = { MALLOC_ARENA_MAX: '2', MALLOC_MMAP_THRESHOLD_: '32768', MALLOC_TRIM_THRESHOLD_: '131072' } as const;

const say = (line: string): void => void process.stdout.write(`${line}\n`);

interface Options {
  readonly minutes: number;
  readonly txsPerSecond: number;
  readonly queriesPerSecond: number;
  readonly accounts: number;
  /** Where homes and readings go, and stay. */
  readonly folder: string | undefined;
}

/** @throws RangeError that names the flag. */
function readOptions(): Options {
  const { values } = parseArgs({
    options: {
      minutes: { type: 'string', default: '20' },
      rate: { type: 'string', default: '50' },
      queries: { type: 'string', default: '10' },
      accounts: { type: 'string', default: '400' },
      folder: { type: 'string' },
    },
  });
  const number = (flag: 'minutes' | 'rate' | 'queries' | 'accounts', min: number, max: number): number => {
    const value = Number(values[flag]);
    if (!(value >= min && value <= max))
      throw new RangeError(`--${flag}: expected a number from ${min} to ${max}, got ${values[flag]}`);
    return value;
  };
  return {
    minutes: number('minutes', 0.1, 10_000),
    txsPerSecond: number('rate', 1, 1_000),
    queriesPerSecond: number('queries', 1, 1_000),
    accounts: Math.floor(number('accounts', 4, 100_000)),
    folder: values.folder,
  };
}

async function startNetwork(options: Options, folder: string, probeFolder: string, stop: Promise<unknown>) {
  // Each process of the network loads the probe; it writes only where this folder is named.
  const probe = pathToFileURL(join(import.meta.dirname, 'soak-probe.ts')).href;
  process.env.NODE_OPTIONS = `${process.env.NODE_OPTIONS ?? ''} ${V8_FLAGS} --import=${probe}`.trim();
  process.env.SOAK_PROBE_FOLDER = probeFolder;
  for (const [name, value] of Object.entries(ALLOCATOR)) process.env[name] = process.env[name] ?? value;
  return startLocalnet({
    chainId: CHAIN_ID,
    validators: VALIDATORS,
    ports: await freePorts(VALIDATORS),
    folder,
    stop,
    config: {
      log_level: 'warn',
      // Full before growth is judged: what is bounded may grow up to its bound, and hides what is not.
      'storage.cache_bytes': 1_048_576,
      'storage.state_cache_bytes': 8_388_608,
      'storage.index_buffer_bytes': 4_194_304,
      'storage.pruning': 'custom',
      'storage.pruning_keep_recent': KEPT,
      'storage.pruning_interval': 10,
      'storage.min_retain_blocks': KEPT,
    },
    genesis: {
      accounts: fundedAtGenesis(soakAccounts(options.accounts)),
      // Evidence must expire before the blocks that it is judged by may go.
      consensusParams: { evidence: { maxAgeNumBlocks: 50n, maxAgeNanos: 50_000_000_000n, maxBytes: 1_048_576n } },
    },
  });
}

/** Samples of each validator, in the order of the network's nodes. */
type Samples = readonly ProcessSample[][];

/** Takes samples and prints tables until the time is over. @returns a sentence when it ended before. */
async function observe(
  localnet: Localnet,
  load: Load,
  samples: Samples,
  plan: { readonly minutes: number; readonly probeFolder: string; readonly stop: Promise<string> },
): Promise<string | undefined> {
  const began = performance.now();
  const minute = () => (performance.now() - began) / MS_PER_MINUTE;
  let ended: string | undefined;
  void Promise.race([plan.stop, localnet.failed]).then((reason) => {
    ended = reason;
  });
  for (let turn = 1, printed = 0; ended === undefined && minute() < plan.minutes; turn++) {
    await untilOrEnd(began + turn * PROBE_EVERY_MS, () => ended !== undefined);
    if (ended !== undefined) return ended;
    for (const [i, process] of localnet.processes.entries()) {
      const home = localnet.network.nodes[i]?.home ?? '';
      const sample = await sampleProcess({ pid: process.pid, home, probeFolder: plan.probeFolder }, minute());
      samples[i]?.push(sample);
      await appendFile(join(plan.probeFolder, `validator${i}.jsonl`), `${JSON.stringify(sample)}\n`);
    }
    if (minute() < printed + 1 && minute() < plan.minutes) continue;
    printed = Math.floor(minute());
    for (const line of await table(localnet.network.nodes, samples, load.counts(), minute())) say(line);
  }
  return ended;
}

async function untilOrEnd(at: number, end: () => boolean): Promise<void> {
  while (performance.now() < at && !end()) await new Promise((resolve) => setTimeout(resolve, 100));
}

async function table(
  nodes: readonly NetworkNode[],
  samples: Samples,
  load: LoadCounts,
  minute: number,
): Promise<string[]> {
  const heights = await Promise.all(nodes.map(heightOf));
  const latencies = load.latenciesMs.toSorted((a, b) => a - b);
  const latency = (share: number) => latencies[Math.floor(share * (latencies.length - 1))]?.toFixed(0) ?? '–';
  return [
    `\nminute ${minute.toFixed(1)}: ${load.accepted} transactions accepted, ${load.committed} in blocks, ${load.refused} refused; ` +
      `accepted to seen in a block p50 ${latency(0.5)} ms, p99 ${latency(0.99)} ms; ` +
      `${load.queries} queries, ${load.failedQueries} failed`,
    ...load.complaints.map((complaint) => `  ${complaint}`),
    '            height  rss    anon   heap   ext    held   live   chain  app    index  wal    files thr  loop p99 (MiB, ms)',
    ...nodes.map((node, i) => {
      const sample = samples[i]?.at(-1);
      return `${node.name.padEnd(12)}${String(heights[i]).padEnd(8)}${sample === undefined ? '' : cells(sample)}`;
    }),
  ];
}

function cells({ anonymousMiB, residentMiB, probe, disk, openFiles, threads }: ProcessSample): string {
  const mib = (value: number | null | undefined) => (value?.toFixed(1) ?? '–').padEnd(7);
  return [
    ...[residentMiB, anonymousMiB, probe?.heapUsedMiB, probe?.externalMiB].map(mib),
    ...[probe?.held?.anonymousMiB, probe?.held?.heapMiB].map(mib),
    ...[disk.chain, disk.application, disk.index, disk.wal].map(mib),
    String(openFiles).padEnd(6),
    String(threads).padEnd(5),
    (probe?.eventLoopDelayP99Ms.toFixed(1) ?? '–').padEnd(7),
  ].join('');
}

/** Memory is taken once for each collection, however often it was sampled. */
function measured(samples: readonly ProcessSample[]): Measured[] {
  let last = 0;
  return samples.map(({ minute, probe, disk, openFiles }) => {
    const held = probe?.held?.number === last ? undefined : (probe?.held ?? undefined);
    last = held?.number ?? last;
    return { minute, memory: held?.anonymousMiB, prunedDisk: disk.chain + disk.application + disk.index, openFiles };
  });
}

/** Heights as they are now, and the hash of the highest block that all have. */
async function validatorRuns(nodes: readonly NetworkNode[], samples: Samples): Promise<ValidatorRun[]> {
  const heights = await Promise.all(nodes.map(heightOf));
  const common = heights.reduce(minBig);
  return Promise.all(
    nodes.map(async (node, i) => ({
      name: node.name,
      samples: measured(samples[i] ?? []),
      height: heights[i] ?? -1n,
      blockHash: await createRpcClient(node.rpcUrl)
        .call<{ block_id: { hash: string } }>('block', { height: String(common) })
        .then(
          ({ block_id }) => block_id.hash,
          () => '',
        ),
    })),
  );
}

/** Whether all criteria are met. */
function tell(run: SoakRun): boolean {
  say('\nVerdict');
  const findings = judge(run, CRITERIA);
  for (const { ok, sentence } of findings) say(`  ${ok ? 'good' : 'BAD '}  ${sentence}`);
  const good = findings.every(({ ok }) => ok);
  say(good ? '\nThe run was good.' : '\nThe run was NOT good.');
  return good;
}

async function main(): Promise<number> {
  const options = readOptions();
  const stop = interrupted();
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'autonomy-soak-')));
  const probeFolder = join(folder, 'readings');
  await mkdir(probeFolder, { recursive: true });
  say(
    `${VALIDATORS} validators, ${options.txsPerSecond} transactions and ${options.queriesPerSecond} queries a second, ` +
      `${options.minutes} minutes; everything older than ${KEPT} blocks is pruned. Homes: ${folder}`,
  );
  const localnet = await startNetwork(options, folder, probeFolder, stop);
  const { nodes } = localnet.network;
  const samples: Samples = nodes.map(() => []);
  let good = false;
  let load: Load | undefined;
  try {
    load = await startLoad({
      chainId: CHAIN_ID,
      rpcUrls: nodes.map(({ rpcUrl }) => rpcUrl),
      accounts: soakAccounts(options.accounts),
      txsPerSecond: options.txsPerSecond,
      queriesPerSecond: options.queriesPerSecond,
    });
    const ended = await observe(localnet, load, samples, { minutes: options.minutes, probeFolder, stop });
    if (ended !== undefined) say(`\nended before its time: ${ended}`);
    const counts = await load.finish();
    for (const complaint of counts.complaints) say(`  ${complaint}`);
    good = tell({ validators: await validatorRuns(nodes, samples), load: counts }) && ended === undefined;
  } finally {
    load?.abort();
    await localnet.stop();
    if (options.folder === undefined && good) await rm(folder, { recursive: true, force: true });
  }
  return good ? 0 : 1;
}

try {
  process.exitCode = await main();
} catch (error) {
  process.stderr.write(`npm run soak: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
}
