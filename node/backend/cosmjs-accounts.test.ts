/** What accounts can do, done by unmodified CosmJS over JSON-RPC. */
import {
  createMultisigThresholdPubkey,
  encodeSecp256k1Pubkey,
  pubkeyToAddress,
  Secp256k1HdWallet,
} from '@cosmjs/amino';
import { fromBase64 } from '@cosmjs/encoding';
import type { OfflineSigner } from '@cosmjs/proto-signing';
import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing';
import {
  coins,
  isDeliverTxSuccess,
  makeMultisignedTxBytes,
  QueryClient,
  type SignerData,
  SigningStargateClient,
  type StdFee,
  setupAuthzExtension,
  setupFeegrantExtension,
} from '@cosmjs/stargate';
import { connectComet } from '@cosmjs/tendermint-rpc';
import { GenericAuthorization } from 'cosmjs-types/cosmos/authz/v1beta1/authz';
import { MsgExec, MsgGrant } from 'cosmjs-types/cosmos/authz/v1beta1/tx';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { BasicAllowance } from 'cosmjs-types/cosmos/feegrant/v1beta1/feegrant';
import { MsgGrantAllowance } from 'cosmjs-types/cosmos/feegrant/v1beta1/tx';
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defined } from '#core/assert.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { type CometServer, startCometServer } from '#rpc/comet/server.ts';
import { DEFAULT_SERVER_LIMITS } from '#rpc/limits.ts';
import { type SoloChain, startSoloChain } from './solo-chain.test-util.ts';

const CHAIN_ID = 'autonomy-accounts-1';
const WORDS = [
  'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about',
  'legal winner thank year wave sausage worth useful legal winner thank yellow',
  'letter advice cage absurd amount doctor acoustic avoid letter advice cage above',
] as const;
const FEE: StdFee = { amount: coins(5_000, 'uauton'), gas: '200000' };

let wallets: Secp256k1HdWallet[];
let addresses: string[];
let keys: ReturnType<typeof encodeSecp256k1Pubkey>[];
let multisig: ReturnType<typeof createMultisigThresholdPubkey>;
let multisigAddress: string;
let chain: SoloChain;
let server: CometServer;

const connect = (signer: OfflineSigner) =>
  SigningStargateClient.connectWithSigner(server.url, signer, {
    broadcastPollIntervalMs: 20,
    broadcastTimeoutMs: 10_000,
  });

const wallet = (i: number): Secp256k1HdWallet => defined(wallets[i], 'a wallet');
const address = (i: number): string => defined(addresses[i], 'an address');

beforeAll(async () => {
  wallets = await Promise.all(WORDS.map((words) => Secp256k1HdWallet.fromMnemonic(words, { prefix: 'auton' })));
  const accounts = await Promise.all(wallets.map(async (one) => defined((await one.getAccounts())[0], 'an account')));
  addresses = accounts.map((account) => account.address);
  keys = accounts.map((account) => encodeSecp256k1Pubkey(account.pubkey));
  multisig = createMultisigThresholdPubkey(keys, 2);
  multisigAddress = pubkeyToAddress(multisig, 'auton');
  chain = await startSoloChain({
    chainId: CHAIN_ID,
    appState: {
      bank: {
        balances: [...addresses, multisigAddress].map((one) => ({
          address: one,
          coins: [{ denom: 'uauton', amount: '1000000000' }],
        })),
      },
    },
    available: () => void setImmediate(() => void chain.produce()),
  });
  await chain.produce();
  server = await startCometServer(
    { host: '127.0.0.1', port: 0, corsOrigins: [], limits: DEFAULT_SERVER_LIMITS },
    { backend: chain.backend, logger: silentLogger },
  );
});

afterAll(async () => {
  await server?.close();
});

test('amino-signed: send and multisend, with a memo that JSON escapes', async () => {
  const client = await connect(wallet(0));
  const sent = await client.sendTokens(address(0), address(1), coins(7, 'uauton'), FEE, 'a < b & c > d "e" \n');
  expect(sent).toMatchObject({ code: 0, rawLog: '' });
  const multi = {
    typeUrl: '/cosmos.bank.v1beta1.MsgMultiSend',
    value: {
      inputs: [{ address: address(0), coins: coins(3, 'uauton') }],
      outputs: [
        { address: address(1), coins: coins(1, 'uauton') },
        { address: address(2), coins: coins(2, 'uauton') },
      ],
    },
  };
  const result = await client.signAndBroadcast(address(0), [multi], FEE);
  expect(result).toMatchObject({ code: 0 });
});

test('an amino signature over another document is refused with what to check', async () => {
  const client = await connect(wallet(0));
  const { accountNumber, sequence } = await client.getSequence(address(0));
  const message = {
    typeUrl: MsgSend.typeUrl,
    value: { fromAddress: address(0), toAddress: address(1), amount: coins(1, 'uauton') },
  };
  const broadcast = async (data: SignerData) => {
    const raw = await client.sign(address(0), [message], FEE, '', data);
    return client.broadcastTxSync(TxRaw.encode(raw).finish());
  };
  await expect(broadcast({ accountNumber, sequence, chainId: 'another-1' })).rejects.toThrow(
    `signature verification failed; please verify account number (${accountNumber}), sequence (${sequence}) and chain-id (${CHAIN_ID})`,
  );
  await expect(broadcast({ accountNumber, sequence: sequence + 3, chainId: CHAIN_ID })).rejects.toThrow(
    `account sequence mismatch, expected ${sequence}, got ${sequence + 3}: incorrect account sequence`,
  );
});

async function multisigned(signers: readonly number[], sequence: number, accountNumber: bigint) {
  const message = {
    typeUrl: MsgSend.typeUrl,
    value: { fromAddress: multisigAddress, toAddress: address(1), amount: coins(1_234, 'uauton') },
  };
  const signed = await Promise.all(
    signers.map(async (i) => {
      const client = await SigningStargateClient.offline(wallet(i));
      const data = { accountNumber, sequence, chainId: CHAIN_ID };
      const { bodyBytes, signatures } = await client.sign(address(i), [message], FEE, 'together', data);
      return { bodyBytes, entry: [address(i), defined(signatures[0], 'a signature')] as const };
    }),
  );
  const { bodyBytes } = defined(signed[0], 'a signer');
  return makeMultisignedTxBytes(multisig, sequence, FEE, bodyBytes, new Map(signed.map(({ entry }) => entry)));
}

test('two of three sign for a multisig account; one is not enough; its key is on chain afterwards', async () => {
  const client = await connect(wallet(0));
  const before = await client.getBalance(address(1), 'uauton');
  const { accountNumber, sequence } = await client.getSequence(multisigAddress);
  await expect(client.broadcastTxSync(await multisigned([1], sequence, accountNumber))).rejects.toThrow(
    '1 signatures, expected at least 2',
  );
  const first = await client.broadcastTx(await multisigned([0, 2], sequence, accountNumber), 10_000, 20);
  expect(first).toMatchObject({ code: 0 });
  const second = await client.broadcastTx(await multisigned([1, 2], sequence + 1, accountNumber), 10_000, 20);
  expect(isDeliverTxSuccess(second)).toBe(true);
  const after = await client.getBalance(address(1), 'uauton');
  expect(BigInt(after.amount) - BigInt(before.amount)).toBe(2_468n);
  const account = await client.getAccount(multisigAddress);
  expect(account).toMatchObject({ sequence: sequence + 2, pubkey: multisig });
});

test('a timeout height that has passed is refused, one to come is not', async () => {
  const client = await connect(await DirectSecp256k1HdWallet.fromMnemonic(WORDS[1], { prefix: 'auton' }));
  const message = {
    typeUrl: MsgSend.typeUrl,
    value: { fromAddress: address(1), toAddress: address(0), amount: coins(1, 'uauton') },
  };
  const height = BigInt(await client.getHeight());
  await expect(client.signAndBroadcast(address(1), [message], FEE, '', height)).rejects.toThrow('tx timeout height');
  expect(await client.signAndBroadcast(address(1), [message], FEE, '', height + 100n)).toMatchObject({ code: 0 });
});

test('gas is estimated for a wallet that signs amino', async () => {
  const client = await connect(wallet(2));
  const message = {
    typeUrl: MsgSend.typeUrl,
    value: { fromAddress: address(2), toAddress: address(0), amount: coins(1, 'uauton') },
  };
  const gas = await client.simulate(address(2), [message], 'estimate');
  expect(gas).toBeGreaterThan(50_000);
  expect(gas).toBeLessThan(75_000);
  const result = await client.signAndBroadcast(
    address(2),
    [message],
    { ...FEE, gas: String(Math.ceil(gas * 1.3)) },
    'estimate',
  );
  expect(result).toMatchObject({ code: 0 });
  expect(Number(result.gasUsed)).toBeLessThanOrEqual(gas * 1.05);
});

test('the account of a key is what its wallet says', async () => {
  const client = await connect(wallet(0));
  const account = await client.getAccount(address(0));
  expect(account?.pubkey).toEqual(keys[0]);
  expect(fromBase64(defined(keys[0], 'a key').value)).toHaveLength(33);
});

const NOBODY = 'zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo zoo wrong';

test('a fee granter pays for an account without coins, signed direct and amino', async () => {
  const poor = await DirectSecp256k1HdWallet.fromMnemonic(NOBODY, { prefix: 'auton' });
  const grantee = defined((await poor.getAccounts())[0], 'an account').address;
  const rich = await connect(await DirectSecp256k1HdWallet.fromMnemonic(WORDS[0], { prefix: 'auton' }));
  const allowance = {
    typeUrl: '/cosmos.feegrant.v1beta1.BasicAllowance',
    value: BasicAllowance.encode(BasicAllowance.fromPartial({ spendLimit: coins(15_000, 'uauton') })).finish(),
  };
  const grant = {
    typeUrl: '/cosmos.feegrant.v1beta1.MsgGrantAllowance',
    value: MsgGrantAllowance.fromPartial({ granter: address(0), grantee, allowance }),
  };
  expect(await rich.signAndBroadcast(address(0), [grant], FEE)).toMatchObject({ code: 0 });
  const before = await rich.getBalance(address(0), 'uauton');
  const message = {
    typeUrl: MsgSend.typeUrl,
    value: { fromAddress: grantee, toAddress: address(1), amount: coins(1, 'uauton') },
  };
  const fee = { ...FEE, granter: address(0) };
  const amino = await Secp256k1HdWallet.fromMnemonic(NOBODY, { prefix: 'auton' });
  for (const signer of [poor, amino]) {
    const client = await connect(signer);
    const result = await client.signAndBroadcast(grantee, [message], fee);
    // The fee is paid; the coins to send are not there.
    expect(result).toMatchObject({ code: 5 });
  }
  const after = await rich.getBalance(address(0), 'uauton');
  expect(BigInt(before.amount) - BigInt(after.amount)).toBe(10_000n);
  const query = QueryClient.withExtensions(await connectComet(server.url), setupFeegrantExtension);
  const left = await query.feegrant.allowance(address(0), grantee);
  const value = defined(left.allowance?.allowance, 'an allowance').value;
  expect(BasicAllowance.decode(value).spendLimit).toEqual(coins(5_000, 'uauton'));
  expect((await query.feegrant.allowances(grantee)).allowances).toHaveLength(1);
});

test('a vesting account is created, shown and cannot spend', async () => {
  const heir = await Secp256k1HdWallet.generate(12, { prefix: 'auton' });
  const toAddress = defined((await heir.getAccounts())[0], 'an account').address;
  const client = await connect(wallet(0));
  const create = {
    typeUrl: '/cosmos.vesting.v1beta1.MsgCreateVestingAccount',
    value: {
      fromAddress: address(0),
      toAddress,
      amount: coins(1_000_000, 'uauton'),
      endTime: 1_838_718_434n,
      delayed: true,
    },
  };
  expect(await client.signAndBroadcast(address(0), [create], FEE)).toMatchObject({ code: 0 });
  expect(await client.getAccount(toAddress)).toMatchObject({ address: toAddress, sequence: 0 });
  expect(await client.getBalance(toAddress, 'uauton')).toMatchObject({ amount: '1000000' });
  const poor = await connect(heir);
  await expect(poor.sendTokens(toAddress, address(1), coins(1, 'uauton'), FEE)).rejects.toThrow(
    'spendable balance 0uauton is smaller than 5000uauton',
  );
});

test('authz: a grantee sends for its granter, and the grants are listed', async () => {
  const granter = await connect(await DirectSecp256k1HdWallet.fromMnemonic(WORDS[0], { prefix: 'auton' }));
  const grantee = await connect(await DirectSecp256k1HdWallet.fromMnemonic(WORDS[1], { prefix: 'auton' }));
  const authorization = {
    typeUrl: '/cosmos.authz.v1beta1.GenericAuthorization',
    value: GenericAuthorization.encode({ msg: MsgSend.typeUrl }).finish(),
  };
  const grant = {
    typeUrl: MsgGrant.typeUrl,
    value: MsgGrant.fromPartial({ granter: address(0), grantee: address(1), grant: { authorization } }),
  };
  expect(await granter.signAndBroadcast(address(0), [grant], FEE)).toMatchObject({ code: 0 });
  const send = MsgSend.fromPartial({ fromAddress: address(0), toAddress: address(2), amount: coins(9, 'uauton') });
  const exec = {
    typeUrl: MsgExec.typeUrl,
    value: MsgExec.fromPartial({
      grantee: address(1),
      msgs: [{ typeUrl: MsgSend.typeUrl, value: MsgSend.encode(send).finish() }],
    }),
  };
  const before = await granter.getBalance(address(2), 'uauton');
  expect(await grantee.signAndBroadcast(address(1), [exec], FEE)).toMatchObject({ code: 0 });
  const after = await granter.getBalance(address(2), 'uauton');
  expect(BigInt(after.amount) - BigInt(before.amount)).toBe(9n);
  const query = QueryClient.withExtensions(await connectComet(server.url), setupAuthzExtension);
  expect((await query.authz.grants(address(0), address(1), MsgSend.typeUrl)).grants).toHaveLength(1);
  expect((await query.authz.granterGrants(address(0))).grants).toHaveLength(1);
  expect((await query.authz.granteeGrants(address(1))).grants).toMatchObject([{ granter: address(0) }]);
});
