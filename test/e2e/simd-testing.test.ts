/** The same program as another chain: what the suite of CosmJS expects of a Cosmos SDK node called `simd-testing`. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { encodeEd25519Pubkey } from '@cosmjs/amino';
import { fromBech32, toBech32 } from '@cosmjs/encoding';
import { DirectSecp256k1HdWallet, encodePubkey } from '@cosmjs/proto-signing';
import { assertIsDeliverTxSuccess, coins, GasPrice, SigningStargateClient } from '@cosmjs/stargate';
import { type Comet38Client, connectComet } from '@cosmjs/tendermint-rpc';
import { MsgCreateValidator } from 'cosmjs-types/cosmos/staking/v1beta1/tx';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defined } from '#core/assert.ts';
import { toBase64 } from '#core/bytes.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { buildGenesis } from '#genesis/builder.ts';
import { formatGenesis } from '#genesis/document.ts';
import { prepareHome, writeHomeFiles } from '#node/localnet/home.ts';
import { waitForHeight } from '#node/localnet/localnet.ts';
import { type NodeProcess, spawnNode } from '#node/localnet/node-process.ts';
import { freePorts } from '#node/localnet/ports.ts';
import { sdkMint } from '#runtime/modules/mint/sdk-genesis.test-util.ts';
import { everyQuery } from './support/cosmjs-chain.ts';
import { until } from './support/network.ts';

const CHAIN_ID = 'simd-testing';
/** What each of the 21 accounts has. */
const FUNDS = [
  { denom: 'ucosm', amount: 1_000_000_000n },
  { denom: 'ustake', amount: 2_000_000_000n },
];
const ustake = (amount: number) => ({ denom: 'ustake', amount: String(amount) });
const folder = mkdtempSync(join(tmpdir(), 'autonomy-e2e-'));

let node: NodeProcess;
let comet: Comet38Client;
let client: SigningStargateClient;
let address: string;
let validator: string;

async function addresses(count: number): Promise<{ wallet: DirectSecp256k1HdWallet; all: string[] }> {
  const wallet = await DirectSecp256k1HdWallet.generate(12);
  const [own] = await wallet.getAccounts();
  const others = Array.from({ length: count - 1 }, (_, i) => toBech32('cosmos', new Uint8Array(20).fill(i + 1)));
  return { wallet, all: [defined(own, 'an account').address, ...others] };
}

beforeAll(async () => {
  const { paths, validator: key } = await prepareHome(folder);
  const { wallet, all } = await addresses(21);
  address = defined(all[0], 'an address');
  const operator = defined(all[1], 'an operator');
  validator = toBech32('cosmosvaloper', fromBech32(operator).data);
  const genesis = buildGenesis({
    chainId: CHAIN_ID,
    genesisTime: fromMillis(BigInt(Date.now())),
    bech32Prefix: 'cosmos',
    baseDenom: 'ucosm',
    validators: [{ publicKey: ed25519Key(key.publicKey), power: 3n, name: 'simd' }],
    accounts: all.map((one) => ({ address: one, coins: FUNDS })),
    moduleState: {
      staking: {
        params: {
          unbonding_time: '1814400s',
          max_validators: 100,
          max_entries: 7,
          historical_entries: 10_000,
          bond_denom: 'ustake',
          min_commission_rate: '0.0',
        },
        gen_validators: [
          {
            description: { moniker: 'simd' },
            commission: { rate: '0.1', max_rate: '0.2', max_change_rate: '0.01' },
            min_self_delegation: '1',
            validator_address: validator,
            pubkey: { '@type': '/cosmos.crypto.ed25519.PubKey', key: toBase64(key.publicKey) },
            value: ustake(3_000_000),
          },
        ],
      },
      mint: sdkMint('ustake'),
    },
  });
  if (!genesis.ok) throw new Error(genesis.error);
  const [ports] = await freePorts(1);
  const { rpc, p2p } = defined(ports, 'ports');
  const config = {
    'rpc.laddr': `tcp://127.0.0.1:${rpc}`,
    'p2p.laddr': `tcp://127.0.0.1:${p2p}`,
    'consensus.timeout_commit': '100ms',
  };
  await writeHomeFiles(paths, config, formatGenesis(genesis.value));
  node = spawnNode(folder);
  const rpcUrl = `http://127.0.0.1:${rpc}`;
  await waitForHeight([{ rpcUrl, name: 'simd' }], 2n, 60_000);
  comet = (await connectComet(rpcUrl)) as Comet38Client;
  client = await SigningStargateClient.connectWithSigner(rpcUrl, wallet, {
    gasPrice: GasPrice.fromString('0.01ucosm'),
    broadcastPollIntervalMs: 50,
  });
});

afterAll(async () => {
  client?.disconnect();
  comet?.disconnect();
  await node?.stop();
  rmSync(folder, { recursive: true, force: true });
});

test('simd-testing: prefix, denominations and parameters are those of its genesis', async () => {
  expect(await client.getChainId()).toBe(CHAIN_ID);
  expect(await client.getAllBalances(address)).toEqual([
    ...coins(1_000_000_000, 'ucosm'),
    ...coins(2_000_000_000, 'ustake'),
  ]);
  const { bank, staking, mint } = everyQuery(comet);
  expect(await bank.supplyOf('ucosm')).toEqual({ denom: 'ucosm', amount: '21000000000' });
  const { params } = await staking.params();
  expect(params).toMatchObject({ bondDenom: 'ustake', maxValidators: 100, maxEntries: 7, historicalEntries: 10_000 });
  expect(params?.unbondingTime?.seconds).toBe(1_814_400n);
  expect((await mint.params()).mintDenom).toBe('ustake');
  expect((await staking.validator(validator)).validator).toMatchObject({
    operatorAddress: validator,
    tokens: '3000000',
  });
});

test('simd-testing: a delegation simulates at 101k to 200k; what fails with 99,000 gas has used 40k to 99k', async () => {
  const message = {
    typeUrl: '/cosmos.staking.v1beta1.MsgDelegate',
    value: { delegatorAddress: address, validatorAddress: validator, amount: ustake(1_234_567) },
  };
  const gas = await client.simulate(address, [message], '');
  expect(gas).toBeGreaterThan(101_000);
  expect(gas).toBeLessThan(200_000);
  assertIsDeliverTxSuccess(await client.signAndBroadcast(address, [message], 'auto'));
  expect(await client.getDelegation(address, validator)).toEqual(ustake(1_234_567));
  const fee = { amount: coins(2_000, 'ucosm'), gas: '99000' };
  const elsewhere = toBech32('cosmos', new Uint8Array(20).fill(99));
  const tooMuch = await client.sendTokens(address, elsewhere, coins(700_000_000_000, 'ucosm'), fee);
  expect(tooMuch).toMatchObject({ code: 5, gasWanted: 99_000n });
  expect(tooMuch.gasUsed).toBeGreaterThan(40_000n);
  expect(tooMuch.gasUsed).toBeLessThan(99_000n);
});

test('simd-testing: one ustake makes a validator without power; an address of another chain is refused with code 4', async () => {
  const created = toBech32('cosmosvaloper', fromBech32(address).data);
  const create = {
    typeUrl: MsgCreateValidator.typeUrl,
    value: MsgCreateValidator.fromPartial({
      description: { moniker: 'small' },
      commission: { rate: '10000000000000000', maxRate: '200000000000000000', maxChangeRate: '10000000000000000' },
      minSelfDelegation: '1',
      delegatorAddress: address,
      validatorAddress: created,
      pubkey: encodePubkey(encodeEd25519Pubkey(new Uint8Array(32).fill(7))),
      value: ustake(1),
    }),
  };
  assertIsDeliverTxSuccess(await client.signAndBroadcast(address, [create], 'auto'));
  const { block } = await comet.block();
  await until('two more blocks', async () => (await client.getHeight()) >= block.header.height + 2);
  expect((await comet.validatorsAll()).validators.map(({ votingPower }) => votingPower)).toEqual([4n]);
  const elsewhere = toBech32('tgrade', new Uint8Array(20));
  const fee = { amount: coins(2_000, 'ucosm'), gas: '200000' };
  await expect(client.sendTokens(address, elsewhere, coins(1, 'ucosm'), fee)).rejects.toMatchObject({
    code: 4,
    codespace: 'sdk',
  });
});
