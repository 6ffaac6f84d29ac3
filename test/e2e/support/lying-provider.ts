/** A provider whose executor flips one bit: `node lying-provider.ts <folder of the network> <RPC URL>`. */
import { join } from 'node:path';
import { parseGasPrice } from '#node/client/amounts.ts';
import { createChainClient } from '#node/client/chain-client.ts';
import { createRpcClient } from '#node/client/rpc-client.ts';
import { createSender } from '#node/client/sender.ts';
import { openKeyring } from '#node/keyring/keyring.ts';
import { runProvider } from '#node/provider/run.ts';
import { flipBit } from './flip-bit.ts';

const [folder, url] = process.argv.slice(2);
if (folder === undefined || url === undefined) throw new Error('usage: lying-provider.ts <folder> <url>');
const keyring = openKeyring({ backend: 'test', folder: join(folder, 'keyring-test') }, { password: async () => '' });
const key = await keyring.unlock('provider');
const gasPrice = parseGasPrice('0.025uauton');
if (!key.ok || !gasPrice.ok) throw new Error('no key of the provider');
const { promise: stopped, resolve: stop } = Promise.withResolvers<string>();
process.on('SIGTERM', () => stop('SIGTERM'));
const chain = createChainClient(createRpcClient(url));
const sender = await createSender(chain, { key: key.value, gasPrice: gasPrice.value, timeoutMs: 60_000 });
await runProvider(
  {
    secretFile: join(folder, 'config', 'provider_duty_key.json'),
    workers: 1,
    pollMs: 200,
    logLevel: 'info',
    logFormat: 'text',
  },
  { chain, sender, stopped, executeModel: flipBit },
);
