import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { ConfigValues } from '#node/config/config.ts';
import { waitForHeight } from '#node/localnet/localnet.ts';
import { generateNetwork, type Network, type NetworkPlan } from '#node/localnet/network.ts';
import { spawnNode } from '#node/localnet/node-process.ts';
import { freePorts } from '#node/localnet/ports.ts';

/** One validator in a process of its own, for all tests of a file. */
export interface SharedChain {
  readonly network: Network;
  /** `http://127.0.0.1:port` of its JSON-RPC. */
  readonly rpcUrl: string;
  /** Ends it and removes its folder. */
  stop(): Promise<void>;
}

export async function startSharedChain(options: {
  readonly chainId: string;
  readonly genesis: NetworkPlan['genesis'];
  readonly config?: ConfigValues;
}): Promise<SharedChain> {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-e2e-'));
  const generated = await generateNetwork({
    folder,
    chainId: options.chainId,
    validators: 1,
    ports: await freePorts(1),
    config: { 'consensus.timeout_commit': '100ms', ...options.config },
    genesis: options.genesis,
  });
  if (!generated.ok) throw new Error(generated.error);
  const [node] = generated.value.nodes;
  if (node === undefined) throw new Error('a network of one validator has a node');
  const process = spawnNode(node.home);
  const gone = process.exited.then(async (exit) => {
    throw new Error(`the node has ended with ${JSON.stringify(exit)}:\n${await process.logTail(5)}`);
  });
  await Promise.race([waitForHeight([node], 2n, 60_000), gone]);
  gone.catch(() => {});
  return {
    network: generated.value,
    rpcUrl: node.rpcUrl,
    async stop() {
      await process.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
