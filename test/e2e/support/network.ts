import { mkdtempSync, rmSync } from 'node:fs';
import { readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { createChainClient } from '#node/client/chain-client.ts';
import { createRpcClient, type RpcClient } from '#node/client/rpc-client.ts';
import type { ConfigValues } from '#node/config/config.ts';
import { homePaths } from '#node/config/home.ts';
import { heightOf, waitForHeight } from '#node/localnet/localnet.ts';
import { generateNetwork, type Network, type NetworkNode, type NetworkPlan } from '#node/localnet/network.ts';
import { type NodeProcess, type ProcessExit, spawnNode, spawnScript } from '#node/localnet/node-process.ts';
import { freePorts } from '#node/localnet/ports.ts';
import type { Place } from './namespaces.ts';

export interface TestNetworkOptions {
  readonly validators: number;
  readonly fullNodes?: number;
  readonly config?: ConfigValues;
  readonly genesis?: NetworkPlan['genesis'];
  /** Network namespaces, one for each node. */
  readonly places?: readonly Place[];
}

/** One node of a test network: a real process, seen through its RPC and its log. */
export interface TestNode extends NetworkNode {
  readonly rpc: RpcClient;
  /** @param script a composition of a node in the place of `autond start`; its argument is the home folder. */
  start(script?: string): void;
  running(): boolean;
  /** SIGSTOP and SIGCONT, to a process that runs. */
  signal(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<ProcessExit>;
  stop(signal?: 'SIGTERM' | 'SIGINT'): Promise<ProcessExit>;
  /** Waits for an answer: on a busy machine it may take its time. */
  height(): Promise<bigint>;
  waitForHeight(height: bigint, timeoutMs?: number): Promise<void>;
  /** The JSON lines of its log since the process began. */
  log(): Promise<readonly LogLine[]>;
}

export interface LogLine {
  readonly msg: string;
  readonly level: string;
  readonly component?: string;
  readonly height?: string;
}

export interface TestNetwork {
  readonly network: Network;
  readonly nodes: readonly TestNode[];
  node(i: number): TestNode;
}

const WAIT_MS = 60_000;

/**
 * A network of real processes on free ports below a temporary folder. Ends with the test that made it; the logs stay
 * when the test has failed, and their place is printed.
 */
export async function createTestNetwork(options: TestNetworkOptions): Promise<TestNetwork> {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-e2e-'));
  const count = options.validators + (options.fullNodes ?? 0);
  const generated = await generateNetwork({
    folder,
    chainId: 'e2e',
    validators: options.validators,
    fullNodes: options.fullNodes ?? 0,
    ports: await freePorts(count),
    config: { 'consensus.timeout_commit': '200ms', log_format: 'json', ...options.config },
    genesis: options.genesis,
  });
  if (!generated.ok) throw new Error(generated.error);
  const { places } = options;
  const nodes = generated.value.nodes.map((node, i) => testNode(node, places?.[i]));
  if (places !== undefined) await settle(nodes, places);
  onTestFinished(async ({ task }) => {
    await Promise.all(nodes.map((node) => (node.running() ? node.kill() : undefined)));
    if (task.result?.state === 'fail') console.error(`the logs of the failed test are in ${folder}/*/node.log`);
    else rmSync(folder, { recursive: true, force: true });
  });
  return {
    network: generated.value,
    nodes,
    node(i) {
      const node = nodes[i];
      if (node === undefined) throw new RangeError(`the network has ${nodes.length} nodes, there is no ${i}`);
      return node;
    },
  };
}

const OUTSIDE = { rpc: 26_657, p2p: 26_656 };

/** Each node listens at its place, and dials those before it at theirs. */
async function settle(nodes: readonly TestNode[], places: readonly Place[]): Promise<void> {
  const addresses = places.map(({ address }, i) => `${nodes[i]?.nodeId}@${address}:${OUTSIDE.p2p}`);
  for (const [i, node] of nodes.entries()) {
    const address = places[i]?.address;
    await configure(node, 'rpc', { laddr: `tcp://${address}:${OUTSIDE.rpc}` });
    const peers = addresses.slice(0, i).join(',');
    await configure(node, 'p2p', { laddr: `tcp://${address}:${OUTSIDE.p2p}`, persistent_peers: peers, pex: false });
  }
}

function testNode(generated: NetworkNode, place: Place | undefined): TestNode {
  let process: NodeProcess | undefined;
  const node = place === undefined ? generated : { ...generated, rpcUrl: `http://${place.address}:${OUTSIDE.rpc}` };
  const before = place === undefined ? [] : ['ip', 'netns', 'exec', place.namespace];
  const rpc = createRpcClient(node.rpcUrl, { timeoutMs: 10_000 });
  const ended = (): Promise<ProcessExit> => {
    if (process === undefined) throw new Error(`${node.name} was never started`);
    return process.exited;
  };
  const hasEnded = async (exit: ProcessExit): Promise<Error> =>
    new Error(`${node.name} has ended with ${JSON.stringify(exit)}:\n${await process?.logTail(5)}`);
  return {
    ...node,
    rpc,
    start(script) {
      process =
        script === undefined
          ? spawnNode(node.home, before)
          : spawnScript(script, [node.home], join(node.home, 'node.log'), {}, before);
    },
    running: () => process !== undefined && process.exit() === undefined,
    signal: (signal) => process?.kill(signal),
    async kill() {
      process?.kill('SIGKILL');
      return ended();
    },
    async stop(signal = 'SIGTERM') {
      process?.kill(signal);
      return ended();
    },
    async height() {
      let height = -1n;
      await until(`${node.name} tells its height`, async () => {
        const exit = process?.exit();
        if (exit !== undefined) throw await hasEnded(exit);
        height = await heightOf(node);
        return height >= 0n;
      });
      return height;
    },
    async waitForHeight(height, timeoutMs = WAIT_MS) {
      const gone = ended().then(async (exit) => {
        throw await hasEnded(exit);
      });
      await Promise.race([waitForHeight([node], height, timeoutMs), gone]);
    },
    async log() {
      const text = await readFile(join(node.home, 'node.log'), 'utf8');
      return text.split('\n').flatMap(logLine);
    },
  };
}

/** None of what is no JSON object: other output, and a line that is still being written, or that a kill has cut off. */
function logLine(text: string): readonly LogLine[] {
  if (!text.startsWith('{')) return [];
  try {
    return [JSON.parse(text) as LogLine];
  } catch {
    return [];
  }
}

/** Sets values of one section in a node's config.toml; `''` is what stands above all sections. */
export async function configure(
  node: TestNode,
  section: string,
  values: Readonly<Record<string, unknown>>,
): Promise<void> {
  const path = homePaths(node.home).config;
  const text = await readFile(path, 'utf8');
  const at = section === '' ? 0 : text.indexOf(`[${section}]`);
  let body = text.slice(at);
  for (const [key, value] of Object.entries(values))
    body = body.replace(new RegExp(`^${key} = .*$`, 'm'), () => `${key} = ${JSON.stringify(value)}`);
  await writeFile(path, text.slice(0, at) + body);
}

/** @param height whose state is asked, in the place of the newest: it is the same however late the question comes. */
export function chainOf({ rpc }: TestNode, height?: bigint) {
  if (height === undefined) return createChainClient(rpc);
  const call: RpcClient['call'] = (method, params) =>
    rpc.call(method, method === 'abci_query' ? { ...params, height: String(height) } : params);
  return createChainClient({ ...rpc, call });
}

/** Resolves when `condition` does to true. @throws Error that names what was waited for. */
export async function until(what: string, condition: () => Promise<boolean>, timeoutMs = WAIT_MS): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; !(await condition()); ) {
    if (Date.now() > deadline) throw new Error(`after ${timeoutMs} ms still not: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}

/** What nodes must agree on at one height. */
export interface BlockFacts {
  readonly hash: string;
  readonly appHash: string;
  readonly evidence: number;
}

interface BlockAnswer {
  readonly block_id: { readonly hash: string };
  readonly block: {
    readonly header: { readonly app_hash: string };
    readonly evidence: { readonly evidence: readonly unknown[] };
  };
}

export async function blockFacts(node: TestNode, height: bigint): Promise<BlockFacts> {
  const { block_id, block } = await node.rpc.call<BlockAnswer>('block', { height: String(height) });
  return { hash: block_id.hash, appHash: block.header.app_hash, evidence: block.evidence.evidence.length };
}
