/** Models and jobs on a test network: a requester with credits, a bonded provider in a process of its own. */
import { join } from 'node:path';
import { onTestFinished } from 'vitest';
import { parseGasPrice } from '#node/client/amounts.ts';
import { createChainClient } from '#node/client/chain-client.ts';
import { responseOf } from '#node/client/inference-client.ts';
import { createRpcClient } from '#node/client/rpc-client.ts';
import { createSender, type Sender } from '#node/client/sender.ts';
import { openKeyring } from '#node/keyring/keyring.ts';
import { type NodeProcess, spawnAutond, spawnScript } from '#node/localnet/node-process.ts';
import { MsgBuyCreditsSchema } from '#proto/gen/autonomy/credits/v1/tx_pb.ts';
import {
  MsgBondProviderSchema,
  MsgRequestInferenceResponseSchema,
  MsgRequestInferenceSchema,
} from '#proto/gen/autonomy/inference/v1/tx_pb.ts';
import { MsgRegisterModelResponseSchema, MsgRegisterModelSchema } from '#proto/gen/autonomy/models/v1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import type { TestNetwork } from './network.ts';

export const PRICE = 25_000n;

export async function senderOf({ network, nodes }: TestNetwork, name: string): Promise<Sender> {
  const keyring = openKeyring(
    { backend: 'test', folder: join(network.folder, 'keyring-test') },
    { password: async () => '' },
  );
  const key = await keyring.unlock(name);
  const gasPrice = parseGasPrice('0.025uauton');
  if (!key.ok || !gasPrice.ok) throw new Error(`no key ${name}`);
  const chain = createChainClient(createRpcClient(nodes[0]?.rpcUrl ?? ''));
  return createSender(chain, { key: key.value, gasPrice: gasPrice.value, timeoutMs: 60_000 });
}

/** The provider's process; `script` in the place of `autond provider start`. It is killed with the test. */
export function startProvider({ network, nodes }: TestNetwork, script?: string): NodeProcess {
  const logFile = join(network.folder, 'provider.log');
  const url = nodes[0]?.rpcUrl ?? '';
  const home = ['--home', network.folder, '--keyring-backend', 'test'];
  const args = ['provider', 'start', '--from', network.provider.name, '--node', url, '--poll', '100', ...home];
  const started =
    script === undefined ? spawnAutond(args, logFile) : spawnScript(script, [network.folder, url], logFile);
  onTestFinished(async () => {
    started.kill('SIGKILL');
    await started.exited;
  });
  return started;
}

/** Bonds the provider, buys the faucet credits, registers the component; answers the model's number. */
export async function prepareMarket(net: TestNetwork, faucet: Sender, component: Uint8Array): Promise<bigint> {
  const provider = await senderOf(net, 'provider');
  const registration = {
    creator: faucet.address,
    name: 'echo',
    licence: 'Apache-2.0',
    component,
    price: PRICE,
    gasLimitMax: 20_000_000_000n,
  };
  const [, registered] = await Promise.all([
    provider.send([pack(MsgBondProviderSchema, { provider: provider.address, amount: 10_000_000n })]),
    faucet.send([pack(MsgRegisterModelSchema, registration)]),
    faucet.send([pack(MsgBuyCreditsSchema, { buyer: faucet.address, amount: 10_000_000n, minCredits: 0n })]),
  ]);
  return responseOf(registered, MsgRegisterModelResponseSchema).id;
}

/** Far more than the job needs: windows grow with it, so that all four have their say on a busy machine; they end early. */
const GAS_LIMIT = 10_000_000_000n;

export async function requestJob(
  net: TestNetwork,
  faucet: Sender,
  modelId: bigint,
  change: { readonly gasLimit?: bigint; readonly input?: Uint8Array } = {},
): Promise<bigint> {
  const message = {
    requester: faucet.address,
    modelId,
    input: change.input ?? Uint8Array.of(1, 2, 3),
    seed: 7n,
    gasLimit: change.gasLimit ?? GAS_LIMIT,
    maxFee: PRICE,
    provider: net.network.provider.address,
    deadline: (await net.node(0).height()) + 500n,
  };
  return responseOf(await faucet.send([pack(MsgRequestInferenceSchema, message)]), MsgRequestInferenceResponseSchema)
    .jobId;
}
