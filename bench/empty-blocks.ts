import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { toBase64 } from '#core/bytes.ts';
import { bech32Address, keyFromMnemonic } from '#core/crypto/keys.ts';
import { createChainClient } from '#node/client/chain-client.ts';
import { createRpcClient } from '#node/client/rpc-client.ts';
import { heightOf, type Localnet, startLocalnet } from '#node/localnet/localnet.ts';
import type { NetworkNode } from '#node/localnet/network.ts';
import { freePorts } from '#node/localnet/ports.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { buildTx } from '#runtime/tx/build.ts';
import { type Entry, percentile, type Sample } from './harness.ts';

const VALIDATORS = 4;
/** For compilers to have seen the code of a height a few dozen times. */
const WARM_UP_MS = 5_000;
const MEASURE_MS = 10_000;
const TXS = 100;

/** No pause after a commit, and the next height as soon as all precommits are in. */
const MINIMAL = { 'consensus.timeout_commit': '0', 'consensus.skip_timeout_commit': true, log_level: 'error' } as const;

async function blocksPerSecond(node: NetworkNode): Promise<number> {
  await new Promise((resolve) => setTimeout(resolve, WARM_UP_MS));
  const from = await heightOf(node);
  const began = performance.now();
  await new Promise((resolve) => setTimeout(resolve, MEASURE_MS));
  const to = await heightOf(node);
  return (Number(to - from) * 1_000) / (performance.now() - began);
}

/** Milliseconds from sending a transaction to the answer that it is in a block, one after the other. */
async function commitLatencies({ network }: Localnet, node: NetworkNode): Promise<number[]> {
  const rpc = createRpcClient(node.rpcUrl);
  const key = keyFromMnemonic(network.faucet.mnemonic);
  const address = bech32Address(key.publicKey, 'auton');
  const account = await createChainClient(rpc).account(address);
  if (account === undefined) throw new Error('the faucet is not on the chain');
  const send = pack(MsgSendSchema, {
    fromAddress: address,
    toAddress: address,
    amount: [{ denom: 'uauton', amount: '1' }],
  });
  const latencies: number[] = [];
  for (let i = 0n; i < TXS; i++) {
    const tx = buildTx({ messages: [send], fee: [], gasLimit: 200_000n }, network.chainId, [
      { key, accountNumber: account.accountNumber, sequence: account.sequence + i },
    ]);
    const began = performance.now();
    const done = await rpc.call<{ tx_result: { code: number; log: string }; height: string }>('broadcast_tx_commit', {
      tx: toBase64(tx),
    });
    if (done.height === '0' || done.tx_result.code !== 0)
      throw new Error(`transaction ${i} was not committed: ${JSON.stringify(done)}`);
    latencies.push(performance.now() - began);
  }
  return latencies;
}

async function run(): Promise<Sample> {
  const folder = await mkdtemp(join(tmpdir(), 'autonomy-bench-'));
  const localnet = await startLocalnet({
    chainId: 'bench',
    validators: VALIDATORS,
    ports: await freePorts(VALIDATORS),
    config: MINIMAL,
    folder,
  });
  try {
    const node = localnet.network.nodes[0] as NetworkNode;
    const rate = await blocksPerSecond(node);
    const latencies = await commitLatencies(localnet, node);
    return {
      'empty blocks': rate,
      'commit latency p50': percentile(latencies, 50),
      'commit latency p99': percentile(latencies, 99),
    };
  } finally {
    await localnet.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

export const emptyBlocks: Entry = {
  name: 'empty-blocks',
  description: `${VALIDATORS} validator processes on this machine, minimal timeouts: empty blocks a second; then, from broadcast to commit, ${TXS} transactions one after the other`,
  metrics: [
    { name: 'empty blocks', unit: 'blocks/s', better: 'higher' },
    { name: 'commit latency p50', unit: 'ms', better: 'lower' },
    { name: 'commit latency p99', unit: 'ms', better: 'lower' },
  ],
  runs: 3,
  run,
};
