import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import { silentLogger } from '#core/ports/logger.ts';
import { parseGasPrice } from '#node/client/amounts.ts';
import { type ChainClient, createChainClient } from '#node/client/chain-client.ts';
import {
  queryJob,
  queryOutput,
  queryPool,
  readReceipt,
  receiptLines,
  responseOf,
  waitForJob,
} from '#node/client/inference-client.ts';
import { pngOf } from '#node/client/picture.ts';
import { registrationGas } from '#node/client/register-model.ts';
import { createRpcClient } from '#node/client/rpc-client.ts';
import { createSender, type Sender } from '#node/client/sender.ts';
import { openKeyring } from '#node/keyring/keyring.ts';
import { addProvider } from '#node/localnet/localnet.ts';
import { describeComponent } from '#node/vm/describe-component.ts';
import { MsgBuyCreditsResponseSchema, MsgBuyCreditsSchema } from '#proto/gen/autonomy/credits/v1/tx_pb.ts';
import { JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import {
  MsgBondProviderSchema,
  MsgRequestInferenceResponseSchema,
  MsgRequestInferenceSchema,
} from '#proto/gen/autonomy/inference/v1/tx_pb.ts';
import { MsgRegisterModelResponseSchema, MsgRegisterModelSchema } from '#proto/gen/autonomy/models/v1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { statusName } from '#runtime/modules/inference/reasons.ts';
import { packageModel } from '#vm/component.ts';
import { encodeRequest, pictureOf, readDescription } from '#wasm-modules/description.ts';
import { buildSpritesCore } from '#wasm-modules/models/sprites/build.ts';
import { type DemoContext, DemoError, type DemoStep } from './step.ts';

/** An orange owl with a blue belly. */
const REQUEST = { species: 'owl', body: '#e88c30', accent: '#6096eb' };
const SEED = 7n;
const PRICE = 25_000n;
const GAS_LIMIT = 1_000_000_000n;
const BOND = 100_000_000n;
const BURNED = 10_000_000n;
const WAIT_MS = 60_000;
const PIXELS = 8;

function ok<T>(result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: unknown }): T {
  if (result.ok) return result.value;
  throw new DemoError(JSON.stringify(result.error));
}

async function senderOf(chain: ChainClient, { localnet }: DemoContext, name: string): Promise<Sender> {
  const folder = join(localnet.network.folder, 'keyring-test');
  const keyring = openKeyring({ backend: 'test', folder }, { password: async () => '' });
  return createSender(chain, {
    key: ok(await keyring.unlock(name)),
    gasPrice: ok(parseGasPrice('0.025uauton')),
    timeoutMs: WAIT_MS,
  });
}

async function register(chain: ChainClient, creator: Sender, component: Uint8Array): Promise<bigint> {
  const message = {
    creator: creator.address,
    name: 'sprites',
    description: 'Creatures of 32 x 32 pixels: species, two colours, and a seed.',
    licence: 'Apache-2.0',
    component,
    price: PRICE,
    gasLimitMax: GAS_LIMIT,
  };
  const gas = await registrationGas(chain, component.length);
  return responseOf(await creator.send([pack(MsgRegisterModelSchema, message)], gas), MsgRegisterModelResponseSchema)
    .id;
}

async function request(chain: ChainClient, requester: Sender, provider: string, model: bigint, input: Uint8Array) {
  const { latest_block_height: height } = (await chain.status()).sync_info;
  const message = {
    requester: requester.address,
    modelId: model,
    input,
    seed: SEED,
    gasLimit: GAS_LIMIT,
    maxFee: PRICE,
    provider,
    deadline: BigInt(height) + 50n,
  };
  return responseOf(await requester.send([pack(MsgRequestInferenceSchema, message)]), MsgRequestInferenceResponseSchema)
    .jobId;
}

/** Where the demonstration's picture goes. */
const PICTURE = resolve('out', 'owl.png');

/** A model registered, an inference paid, executed, executed again by every validator, and settled. */
export const inferPicture: DemoStep = {
  title: 'register a model, pay for an inference, and let every validator check it',
  async run(context) {
    const { localnet, rpcUrl, say } = context;
    const chain = createChainClient(createRpcClient(rpcUrl));
    addProvider(localnet);
    const faucet = await senderOf(chain, context, 'faucet');
    const provider = await senderOf(chain, context, 'provider');
    const component = ok(packageModel(buildSpritesCore()));
    const description = ok(readDescription(ok(await describeComponent(component, silentLogger))));
    const before = await queryPool(chain);

    const [model] = await Promise.all([
      register(chain, faucet, component),
      provider.send([pack(MsgBondProviderSchema, { provider: provider.address, amount: BOND })]),
    ]);
    say(`model ${model}: sprites, ${component.length} bytes of WebAssembly on the chain`);
    const purchase = { buyer: faucet.address, amount: BURNED, minCredits: PRICE };
    const bought = responseOf(await faucet.send([pack(MsgBuyCreditsSchema, purchase)]), MsgBuyCreditsResponseSchema);
    say(`${BURNED}uauton burned for ${bought.credits}ucredit`);
    const input = ok(encodeRequest(description, REQUEST));
    const job = await request(chain, faucet, provider.address, model, input);
    say(`job ${job}: ${JSON.stringify(REQUEST)}, seed ${SEED}`);

    const done = await waitForJob(chain, job, WAIT_MS, ({ status }) => say(`job ${job} is ${statusName(status)}`));
    if (done.status !== JobStatus.SETTLED)
      throw new DemoError(`job ${job} should settle, but: ${(await queryJob(chain, job)).refundSentence}`);
    const picture = pictureOf(description, await queryOutput(chain, done));
    if (picture === undefined) throw new DemoError('the output should be a picture');
    await mkdir(dirname(PICTURE), { recursive: true });
    await writeFile(PICTURE, pngOf(picture, PIXELS));
    say('');
    for (const line of receiptLines(await readReceipt(chain, job))) say(line);
    const after = await queryPool(chain);
    say('');
    say(`supply before  ${before.supply}uauton`);
    say(
      `supply after   ${after.supply}uauton = ${before.supply} − ${after.burned - before.burned} burned + ${after.reminted - before.reminted} minted again`,
    );
    if (after.supply !== after.genesisSupply - after.burned + after.reminted)
      throw new DemoError('the supply should be genesis − burned + reminted');
    say(`picture        ${PICTURE}`);
  },
  hints({ localnet, rpcUrl }) {
    const { folder, provider } = localnet.network;
    const autond = 'npm run -s autond --';
    const key = `--from faucet --keyring-backend test --home ${folder} --node ${rpcUrl}`;
    const cat = `'{"species":"cat","body":"#3a3a55","accent":"#ffd25e"}'`;
    return [
      `${autond} inference request --model 1 --input ${cat} --provider ${provider.address} ${key}`,
      `${autond} inference wait 2 --out out/cat.png --scale 8 --node ${rpcUrl}`,
      `${autond} inference receipt 2 --node ${rpcUrl}`,
    ];
  },
};
