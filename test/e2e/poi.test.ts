/** Proof of intelligence between real processes: four validators and a provider. */
import { spawnSync } from 'node:child_process';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { decode } from 'fast-png';
import { expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import { queryJob, queryPool, type Receipt, readReceipt, waitForJob } from '#node/client/inference-client.ts';
import { JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { component, guest } from '#test/vm/wat.ts';
import { packageModel } from '#vm/component.ts';
import { buildSpritesCore } from '#wasm-modules/models/sprites/build.ts';
import { prepareMarket, requestJob, senderOf, startProvider } from './support/jobs.ts';
import { blockFacts, chainOf, createTestNetwork, type TestNetwork, until } from './support/network.ts';

const WAIT_MS = 120_000;
const script = (name: string) => fileURLToPath(new URL(`support/${name}`, import.meta.url));

async function startNetwork(flipping: readonly number[] = [], fullNodes = 0): Promise<TestNetwork> {
  const net = await createTestNetwork({ validators: 4, fullNodes });
  const validators = net.nodes.slice(0, 4);
  for (const [i, node] of validators.entries())
    node.start(flipping.includes(i) ? script('flipping-node.ts') : undefined);
  await Promise.all(validators.map((node) => node.waitForHeight(2n)));
  return net;
}

function opened(receipt: Receipt) {
  return receipt.validators.map((validator) =>
    validator.committed && validator.opened
      ? { root: validator.output_root, bound: validator.commitment_matches, agrees: validator.agrees_with_provider }
      : undefined,
  );
}

test('from an ONNX-born model to a paid picture, by the command line alone; a late node replays it', async () => {
  const net = await startNetwork([], 1);
  const { folder, provider, faucet } = net.network;
  const shared = ['--keyring-backend', 'test', '--home', folder, '--node', net.node(1).rpcUrl];
  const run = (...args: string[]) => {
    const done = spawnSync(process.execPath, ['node/cli/autond.ts', ...args], { encoding: 'utf8', timeout: WAIT_MS });
    if (done.status !== 0) throw new Error(`autond ${args.join(' ')}\n${done.stderr}`);
    return done.stdout;
  };
  const json = (...args: string[]) => JSON.parse(run(...args, '-o', 'json')) as Record<string, unknown>;
  const made = packageModel(buildSpritesCore());
  if (!made.ok) throw new Error(made.error.message);
  mkdirSync(join(folder, 'work'));
  const file = join(folder, 'work', 'sprites.wasm');
  writeFileSync(file, made.value);

  expect(run('model', 'inspect', file)).toContain('creature of 32 x 32 pixels');
  const names = ['--component', file, '--name', 'sprites', '--from', 'faucet'];
  const registration = [...names, '--price', '25000', '--gas-limit', '20000000000'];
  expect(json('model', 'register', ...registration, ...shared)).toMatchObject({ id: '1' });
  run('provider', 'bond', '5000000uauton', '--from', 'provider', ...shared);
  const serving = startProvider(net);
  const before = json('credits', 'pool', '--node', net.node(1).rpcUrl);
  run('credits', 'buy', '1000000uauton', '--from', 'faucet', ...shared);
  const input = '{"species":"owl","body":"#e88c30","accent":"#6096eb"}';
  const request = ['--model', '1', '--input', input, '--seed', '7', '--provider', provider.address, '--from', 'faucet'];
  expect(json('inference', 'request', ...request, ...shared)).toMatchObject({ job: '1' });
  const png = join(folder, 'work', 'owl.png');
  run('inference', 'wait', '1', '--out', png, '--node', net.node(2).rpcUrl);
  expect(decode(readFileSync(png))).toMatchObject({ width: 32, height: 32, channels: 3 });

  const receipt = json('inference', 'receipt', '1', '--node', net.node(3).rpcUrl) as unknown as Receipt;
  expect(receipt).toMatchObject({
    status: 'SETTLED',
    requester: faucet.address,
    result: { outcome: 'ok', output_bytes: 3_072, seal_matches: true },
    fee: '25000ucredit',
  });
  expect(opened(receipt)).toEqual(
    receipt.validators.map(() => ({ root: receipt.result?.output_root, bound: true, agrees: true })),
  );
  const paid = receipt.settlement?.payments.map(({ role }) => role);
  expect(paid).toEqual(['provider', 'creator', 'validator', 'validator', 'validator', 'validator', 'treasury']);
  const after = json('credits', 'pool', '--node', net.node(0).rpcUrl);
  expect(BigInt(String(after.supply))).toBe(
    BigInt(String(before.supply)) - 1_000_000n + BigInt(String(after.reminted)),
  );
  expect(after.reminted).not.toBe('0');

  expect(await serving.stop()).toMatchObject({ code: 0 });

  // Who was not there executes no model: all that settled the job stands in the blocks.
  const late = net.node(4);
  late.start();
  const height = await net.node(0).height();
  await late.waitForHeight(height);
  expect(await blockFacts(late, height)).toEqual(await blockFacts(net.node(0), height));
  const there = json('inference', 'receipt', '1', '--node', late.rpcUrl);
  expect(there).toEqual(receipt);
  expect((await Promise.all(net.nodes.map((node) => node.stop()))).map(({ code }) => code)).toEqual([0, 0, 0, 0, 0]);
});

test('one flipped bit in one validator’s executor: its word differs, and the job refunds', async () => {
  const net = await startNetwork([3]);
  const faucet = await senderOf(net, 'faucet');
  const model = await prepareMarket(net, faucet, component(guest()));
  startProvider(net);
  const chain = chainOf(net.node(0));
  const job = await requestJob(net, faucet, model);
  expect((await waitForJob(chain, job, WAIT_MS)).status).toBe(JobStatus.REFUNDED);
  expect(await queryJob(chain, job)).toMatchObject({ refundSentence: 'the validators opened different results' });
  const receipt = await readReceipt(chain, job);
  const words = opened(receipt);
  expect(words.every((word) => word?.bound === true)).toBe(true);
  expect(words.filter((word) => word?.agrees === false).length).toBe(1);
  expect(new Set(words.map((word) => word?.root)).size).toBe(2);
  expect(await queryPool(chain)).toMatchObject({ reminted: 0n, destroyed: 0n });
});

test('a provider that lies about one bit is not paid', async () => {
  const net = await startNetwork();
  const faucet = await senderOf(net, 'faucet');
  const model = await prepareMarket(net, faucet, component(guest()));
  startProvider(net, script('lying-provider.ts'));
  const chain = chainOf(net.node(0));
  const before = (await queryPool(chain)).outstanding;
  const job = await requestJob(net, faucet, model);
  expect((await waitForJob(chain, job, WAIT_MS)).status).toBe(JobStatus.REFUNDED);
  expect(await queryJob(chain, job)).toMatchObject({
    refundSentence: 'the validators agree on another result than the provider’s',
  });
  const receipt = await readReceipt(chain, job);
  expect(receipt.result?.seal_matches).toBe(true);
  expect(opened(receipt).map((word) => word?.agrees)).toEqual([false, false, false, false]);
  expect(await queryPool(chain)).toMatchObject({ reminted: 0n, outstanding: before });
});

test('a provider and a validator killed in the middle open the same after their restart', async () => {
  const net = await startNetwork();
  const faucet = await senderOf(net, 'faucet');
  const model = await prepareMarket(net, faucet, component(guest()));
  const provider = startProvider(net);
  const chain = chainOf(net.node(0));
  // A large gas limit makes for long windows: time to start processes again on a busy machine.
  const job = await requestJob(net, faucet, model, { gasLimit: 20_000_000_000n });
  const status = async () => (await queryJob(chain, job)).job.status;
  const sealed: readonly JobStatus[] = [JobStatus.COMMITTING, JobStatus.REVEALING];
  await until('the provider has sealed its result', async () => sealed.includes(await status()));
  provider.kill('SIGKILL');
  await provider.exited;
  // It stays so, without the one that opens first.
  await until('all have committed', async () => (await status()) === JobStatus.REVEALING);
  await net.node(2).kill();
  const halfway = (await queryJob(chain, job)).job;
  const again = startProvider(net);
  net.node(2).start();
  const done = await waitForJob(chain, job, WAIT_MS);
  expect(done.status).toBe(JobStatus.SETTLED);
  const receipt = await readReceipt(chain, job);
  expect(opened(receipt).map((word) => word?.agrees)).toEqual([true, true, true, true]);
  expect(toHex(done.seal)).toBe(toHex(halfway.seal));
  expect(await again.stop()).toMatchObject({ code: 0 });
});
