/** A live chain with real stake, and CosmJS clients of people who have coins there. */
import { Secp256k1HdWallet } from '@cosmjs/amino';
import { fromBech32, toBech32 } from '@cosmjs/encoding';
import { DirectSecp256k1HdWallet, type OfflineSigner } from '@cosmjs/proto-signing';
import {
  coins,
  GasPrice,
  QueryClient,
  SigningStargateClient,
  type StdFee,
  setupAuthExtension,
  setupAuthzExtension,
  setupBankExtension,
  setupDistributionExtension,
  setupFeegrantExtension,
  setupMintExtension,
  setupSlashingExtension,
  setupStakingExtension,
  setupTxExtension,
} from '@cosmjs/stargate';
import { type Comet38Client, connectComet } from '@cosmjs/tendermint-rpc';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { defined } from '#core/assert.ts';
import { toBase64 } from '#core/bytes.ts';
import type { ConfigValues } from '#node/config/config.ts';
import { sdkMint } from '#runtime/modules/mint/sdk-genesis.test-util.ts';
import { startSharedChain } from './shared-chain.ts';

export const CHAIN_ID = 'cosmjs-1';
export const DENOM = 'uauton';
export const FEE: StdFee = { amount: coins(5_000, DENOM), gas: '200000' };
export const STAKING_FEE: StdFee = { amount: coins(10_000, DENOM), gas: '400000' };
/** Of nobody. */
export const ABSENT = toBech32('auton', new Uint8Array(20));
/** What each person has at the beginning. */
export const FUNDS = 1_000_000_000n;
/** Makes power 10, the power of the validator in the genesis document. */
const STAKE = 10_000_000n;

export interface Person {
  readonly address: string;
  readonly direct: DirectSecp256k1HdWallet;
  readonly amino: Secp256k1HdWallet;
  /** Signs in the mode DIRECT. */
  readonly client: SigningStargateClient;
}

export interface CosmjsChain {
  readonly rpcUrl: string;
  readonly websocketUrl: string;
  /** The validator's `autonvaloper1…`. */
  readonly validator: string;
  readonly comet: Comet38Client;
  person(i: number): Person;
  /** Somebody who has nothing. */
  stranger(): Promise<Person>;
  connectAs(signer: OfflineSigner): Promise<SigningStargateClient>;
  stop(): Promise<void>;
}

export const operatorOf = (address: string): string => toBech32('autonvaloper', fromBech32(address).data);

export function send(from: string, to: string, amount: number) {
  return {
    typeUrl: MsgSend.typeUrl,
    value: MsgSend.fromPartial({ fromAddress: from, toAddress: to, amount: coins(amount, DENOM) }),
  };
}

export function everyQuery(comet: Comet38Client) {
  return QueryClient.withExtensions(
    comet,
    setupAuthExtension,
    setupAuthzExtension,
    setupBankExtension,
    setupDistributionExtension,
    setupFeegrantExtension,
    setupMintExtension,
    setupSlashingExtension,
    setupStakingExtension,
    setupTxExtension,
  );
}

/** The stake of the one validator, as the genesis document has it. */
function stakingState(operator: string, validatorKey: Uint8Array) {
  return {
    params: {
      unbonding_time: '1814400s',
      max_validators: 10,
      max_entries: 7,
      historical_entries: 100,
      bond_denom: DENOM,
      min_commission_rate: '0.0',
    },
    gen_validators: [
      {
        description: { moniker: 'validator0' },
        commission: { rate: '0.1', max_rate: '0.5', max_change_rate: '0.1' },
        min_self_delegation: '1',
        validator_address: operatorOf(operator),
        pubkey: { '@type': '/cosmos.crypto.ed25519.PubKey', key: toBase64(validatorKey) },
        value: { denom: DENOM, amount: String(STAKE) },
      },
    ],
  };
}

export async function startCosmjsChain(count: number, config: ConfigValues = {}): Promise<CosmjsChain> {
  const words: string[] = [];
  const addresses: string[] = [];
  for (let i = 0; i < count; i++) {
    const wallet = await DirectSecp256k1HdWallet.generate(12, { prefix: 'auton' });
    words.push(wallet.mnemonic);
    addresses.push(defined((await wallet.getAccounts())[0], 'an account').address);
  }
  let validator = '';
  const chain = await startSharedChain({
    chainId: CHAIN_ID,
    config,
    genesis({ operators, validatorKeys }) {
      const operator = defined(operators[0], 'an operator').address;
      validator = operatorOf(operator);
      return {
        accounts: [...addresses, operator].map((address) => ({ address, coins: [{ denom: DENOM, amount: FUNDS }] })),
        moduleState: {
          staking: stakingState(operator, defined(validatorKeys[0], 'a validator key')),
          mint: { params: sdkMint(DENOM).params },
        },
      };
    },
  });
  const comet = (await connectComet(chain.rpcUrl)) as Comet38Client;
  const connectAs = (signer: OfflineSigner) =>
    SigningStargateClient.connectWithSigner(chain.rpcUrl, signer, {
      gasPrice: GasPrice.fromString('0.025uauton'),
      broadcastPollIntervalMs: 50,
      broadcastTimeoutMs: 30_000,
    });
  async function joined(mnemonic: string): Promise<Person> {
    const direct = await DirectSecp256k1HdWallet.fromMnemonic(mnemonic, { prefix: 'auton' });
    const amino = await Secp256k1HdWallet.fromMnemonic(mnemonic, { prefix: 'auton' });
    const { address } = defined((await direct.getAccounts())[0], 'an account');
    return { address, direct, amino, client: await connectAs(direct) };
  }
  const people = await Promise.all(words.map(joined));
  return {
    rpcUrl: chain.rpcUrl,
    websocketUrl: chain.rpcUrl.replace('http', 'ws'),
    validator,
    comet,
    person: (i) => defined(people[i], 'a person'),
    stranger: async () => joined((await DirectSecp256k1HdWallet.generate(12, { prefix: 'auton' })).mnemonic),
    connectAs,
    async stop() {
      for (const { client } of people) client.disconnect();
      comet.disconnect();
      await chain.stop();
    },
  };
}
