import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { heightOf } from '#node/localnet/localnet.ts';
import type { NetworkNode } from '#node/localnet/network.ts';
import { type NodeProcess, spawnNode } from '#node/localnet/node-process.ts';
import type { Entry, Sample } from './harness.ts';
import { prepareChain } from './prepared-chain.ts';
import { cpuMs } from './process-time.ts';

const VALIDATORS = 4;
const BLOCKS = 2_400;
const POLL_MS = 100;
const TIMEOUT_MS = 120_000;
/** The node that syncs stops being behind here: the rest comes like any new block. */
const LAST = BLOCKS - 10;

interface Seen {
  readonly atMs: number;
  readonly height: number;
  /** Processor time that the follower had used. */
  readonly cpuMs: number;
}

/** When the follower had which height, from its first block to the last. */
async function follow(
  node: NetworkNode,
  own: NodeProcess,
  processes: readonly NodeProcess[],
): Promise<readonly Seen[]> {
  const seen: Seen[] = [];
  const deadline = performance.now() + TIMEOUT_MS;
  for (;;) {
    const height = Number(await heightOf(node));
    if (height > 0) seen.push({ atMs: performance.now(), height, cpuMs: await cpuMs(own) });
    if (height >= LAST) return seen;
    for (const process of processes)
      if (process.exit() !== undefined) throw new Error(`a node has ended:\n${await process.logTail(20)}`);
    if (performance.now() > deadline) throw new Error(`height ${height} of ${LAST} after ${TIMEOUT_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** Blocks a second between two heights, interpolated between what was seen. */
function rate(seen: readonly Seen[], from: number, to: number): number {
  const at = (height: number): number => {
    const after = seen.findIndex((one) => one.height >= height);
    const [low, high] = [seen[Math.max(0, after - 1)] as Seen, seen[after] as Seen];
    if (high.height === low.height) return high.atMs;
    return low.atMs + ((height - low.height) / (high.height - low.height)) * (high.atMs - low.atMs);
  };
  return ((to - from) * 1_000) / (at(to) - at(from));
}

async function run(): Promise<Sample> {
  const folder = await mkdtemp(join(tmpdir(), 'autonomy-bench-'));
  const processes: NodeProcess[] = [];
  try {
    const { server, follower } = await prepareChain(folder, BLOCKS, VALIDATORS);
    processes.push(spawnNode(server.home));
    while ((await heightOf(server)) < BLOCKS) await new Promise((resolve) => setTimeout(resolve, POLL_MS));
    const syncing = spawnNode(follower.home);
    processes.push(syncing);
    const seen = await follow(follower, syncing, processes);
    const [begin, end] = [seen[0], seen.at(-1)] as [Seen, Seen];
    const first = begin.height;
    const third = Math.floor((LAST - first) / 3);
    return {
      'block sync': rate(seen, first, LAST),
      'its first third': rate(seen, first, first + third),
      'its last third': rate(seen, LAST - third, LAST),
      'its processor time': (end.cpuMs - begin.cpuMs) / (end.height - begin.height),
    };
  } finally {
    for (const process of processes.reverse()) await process.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

export const blockSync: Entry = {
  name: 'block-sync',
  description: `a node process syncs ${BLOCKS} blocks from another on this machine: ${VALIDATORS} signers, vote extensions, one transaction a block`,
  metrics: [
    { name: 'block sync', unit: 'blocks/s', better: 'higher' },
    { name: 'its first third', unit: 'blocks/s', better: 'higher' },
    { name: 'its last third', unit: 'blocks/s', better: 'higher' },
    { name: 'its processor time', unit: 'ms a block', better: 'lower' },
  ],
  runs: 3,
  run,
};
