import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createRpcClient } from '../client/rpc-client.ts';
import type { ConfigValues } from '../config/config.ts';
import { generateNetwork, type Network, type NetworkNode, type NetworkPlan, type NodePorts } from './network.ts';
import { type NodeProcess, spawnAutond, spawnNode } from './node-process.ts';
import { expectFreePorts } from './ports.ts';

export interface LocalnetOptions {
  readonly chainId: string;
  readonly validators: number;
  readonly ports: readonly NodePorts[];
  readonly config: ConfigValues;
  /** Where the homes go; kept. Without it: a temporary folder that is removed when the network stops cleanly. */
  readonly folder?: string;
  readonly genesis?: NetworkPlan['genesis'];
  /** Resolves when the network is no longer wanted, also while it is being started. */
  readonly stop?: Promise<unknown>;
}

/** A network that cannot start or go on; the message is for the user. */
export class LocalnetError extends Error {
  override readonly name = 'LocalnetError';
  /** It was asked to stop before it was up: nothing is wrong. */
  readonly interrupted: boolean;

  constructor(message: string, interrupted = false) {
    super(message);
    this.interrupted = interrupted;
  }
}

/** A whole network of processes on this machine. */
export interface Localnet {
  readonly network: Network;
  /** The nodes, in the order of `network.nodes`. */
  readonly processes: readonly NodeProcess[];
  /** Takes in a further process, which ends before the nodes do. */
  add(name: string, process: NodeProcess): void;
  /** Resolves with a sentence when a process has ended on its own. */
  readonly failed: Promise<string>;
  /** SIGTERM to all; resolves when all have ended. @throws LocalnetError when one had to be killed or did not exit 0. */
  stop(): Promise<void>;
}

const START_TIMEOUT_MS = 60_000;
const POLL_MS = 100;

/** Makes the homes, starts the processes, waits until every node has `blocks` blocks. @throws LocalnetError */
export async function startLocalnet(options: LocalnetOptions, blocks = 2n): Promise<Localnet> {
  const free = await expectFreePorts(options.ports);
  if (!free.ok) throw new LocalnetError(free.error);
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'autonomy-localnet-')));
  const generated = await generateNetwork({ ...options, folder, staked: true });
  if (!generated.ok) throw new LocalnetError(generated.error);
  const network = generated.value;
  const processes = network.nodes.map((node) => spawnNode(node.home));
  const localnet = watch(network, processes, options.folder === undefined);
  const settled = new AbortController();
  try {
    await Promise.race([
      waitForHeight(network.nodes, blocks, START_TIMEOUT_MS, settled.signal),
      localnet.failed.then((reason) => {
        throw new LocalnetError(reason);
      }),
      ...(options.stop === undefined ? [] : [options.stop.then(() => interruptedAtStart())]),
    ]);
    return localnet;
  } catch (error) {
    await localnet.stop().catch(() => {
      // What went wrong first is what the user must see.
    });
    throw error;
  } finally {
    settled.abort();
  }
}

function watch(network: Network, processes: readonly NodeProcess[], temporary: boolean): Localnet {
  let stopping = false;
  const { promise: failed, resolve } = Promise.withResolvers<string>();
  const helpers: Member[] = [];
  function observe({ name, process }: Member): void {
    void process.exited.then(async (exit) => {
      if (stopping) return;
      const how = exit.signal === undefined ? `with code ${exit.code}` : `by ${exit.signal}`;
      resolve(`${name} has ended ${how}; its log ${process.logFile} ends:\n${await process.logTail(8)}`);
    });
  }
  const nodes = processes.map((process, i) => ({ name: network.nodes[i]?.name ?? '', process }));
  for (const node of nodes) observe(node);
  return {
    network,
    processes,
    failed,
    add(name, process) {
      helpers.push({ name, process });
      observe({ name, process });
    },
    async stop() {
      stopping = true;
      const bad = [...(await stopAll(helpers)), ...(await stopAll(nodes))];
      if (bad[0] !== undefined) throw new LocalnetError(bad[0]);
      if (temporary) await rm(network.folder, { recursive: true, force: true });
    },
  };
}

interface Member {
  readonly name: string;
  readonly process: NodeProcess;
}

/** A sentence for each that did not exit 0. */
async function stopAll(members: readonly Member[]): Promise<string[]> {
  const exits = await Promise.all(members.map(({ process }) => process.stop()));
  return members.flatMap(({ name, process }, i) => {
    const exit = exits[i];
    if (exit?.code === 0) return [];
    return [`${name} did not stop cleanly (${exit?.signal ?? `code ${exit?.code}`}); see ${process.logFile}`];
  });
}

/** Starts the network's provider, which talks to the first node. */
export function addProvider(localnet: Localnet): void {
  const { folder, provider, nodes } = localnet.network;
  const args = [
    ...['provider', 'start', '--from', provider.name],
    ...['--home', folder, '--keyring-backend', 'test'],
    ...['--node', nodes[0]?.rpcUrl ?? ''],
  ];
  localnet.add('provider', spawnAutond(args, join(folder, 'provider.log')));
}

/**
 * Resolves when every node has a block at `height`, or `signal` says that nobody waits any more.
 * @throws LocalnetError that names the nodes that have not.
 */
export async function waitForHeight(
  nodes: readonly Pick<NetworkNode, 'name' | 'rpcUrl'>[],
  height: bigint,
  timeoutMs: number,
  signal?: AbortSignal,
): Promise<void> {
  const waiting = new Set(nodes);
  for (const deadline = Date.now() + timeoutMs; signal?.aborted !== true; ) {
    for (const node of [...waiting]) if ((await heightOf(node)) >= height) waiting.delete(node);
    if (waiting.size === 0) return;
    if (Date.now() > deadline)
      throw new LocalnetError(
        `${[...waiting].map((node) => node.name).join(', ')} did not reach height ${height} within ${timeoutMs / 1_000} s`,
      );
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

/** −1 while the node does not answer. */
export async function heightOf(node: Pick<NetworkNode, 'rpcUrl'>): Promise<bigint> {
  try {
    const status = await createRpcClient(node.rpcUrl, { timeoutMs: 2_000 }).call<{
      sync_info: { latest_block_height: string };
    }>('status');
    return BigInt(status.sync_info.latest_block_height);
  } catch {
    return -1n;
  }
}

function interruptedAtStart(): never {
  throw new LocalnetError('interrupted before the network was up', true);
}

/** Resolves with the first SIGINT, SIGTERM or SIGHUP. Later ones are taken for the same one: Ctrl-C may arrive twice. */
export function interrupted(): Promise<NodeJS.Signals> {
  return new Promise((resolve) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => resolve(signal));
  });
}
