/** A test network whose validators are staked, seen and moved by its wallets. */
import { toBase64, toHexUpper } from '#core/bytes.ts';
import { decodeAddress } from '#core/codec/bech32.ts';
import { type AccountKeyPair, accountAddress } from '#core/crypto/keys.ts';
import { consensusAddress, ed25519Key } from '#core/crypto/pubkey.ts';
import { parseGasPrice } from '#node/client/amounts.ts';
import { AppError } from '#node/client/chain-client.ts';
import { createSender, type Sender } from '#node/client/sender.ts';
import { homePaths } from '#node/config/home.ts';
import type { GenesisParts, NetworkKeys, NetworkPlan } from '#node/localnet/network.ts';
import { readValidatorKey } from '#node/privval/key-files.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/ed25519/keys_pb.ts';
import * as sq from '#proto/gen/cosmos/slashing/v1beta1/query_pb.ts';
import type { ValidatorSigningInfo } from '#proto/gen/cosmos/slashing/v1beta1/slashing_pb.ts';
import * as q from '#proto/gen/cosmos/staking/v1beta1/query_pb.ts';
import type { Validator } from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import * as tx from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import type { Json } from '#runtime/module.ts';
import { formatConsensus, formatOperator } from '#runtime/modules/staking/addresses.ts';
import { chainOf, type TestNode, until } from './network.ts';
import { addressOf } from './workload.ts';

const CHAIN = { bech32Prefix: 'auton' };
export const DENOM = 'uauton';
/** Of each validator of the document, by its operator: ten of power. */
export const STAKE = 10_000_000n;
/** What operators and wallets have in the genesis document; operators stake from it. */
export const FUNDS = 1_000_000_000n;

export interface StakePlan {
  /** Further wallets with {@link FUNDS}. */
  readonly wallets: readonly AccountKeyPair[];
  readonly unbondingTime: string;
  /** x/slashing's parameters. */
  readonly slashing?: { readonly [name: string]: Json };
}

function coin(amount: bigint) {
  return { denom: DENOM, amount: String(amount) };
}

/** `auton…` → `autonvaloper…` */
export function operatorOf(account: string): string {
  const decoded = decodeAddress(account);
  if (!decoded.ok) throw new Error(`${account}: ${decoded.error}`);
  return formatOperator(CHAIN, decoded.value.bytes);
}

/** The validators of the document are staked by their operators. */
export function stakedGenesis(plan: StakePlan): NetworkPlan['genesis'] {
  return ({ validatorKeys, operators }: NetworkKeys): GenesisParts => ({
    accounts: [...operators.map(({ address }) => address), ...plan.wallets.map(addressOf)].map((address) => ({
      address,
      coins: [{ denom: DENOM, amount: FUNDS }],
    })),
    moduleState: {
      staking: {
        params: {
          unbonding_time: plan.unbondingTime,
          max_validators: 10,
          max_entries: 7,
          historical_entries: 5,
          bond_denom: DENOM,
          min_commission_rate: '0.0',
        },
        gen_validators: operators.map(({ address, name }, i) => ({
          description: { moniker: name },
          // What is left of a commission is paid when a validator is removed: without one, sums are those of stake alone.
          commission: { rate: '0.0', max_rate: '0.5', max_change_rate: '0.1' },
          min_self_delegation: '1',
          validator_address: operatorOf(address),
          pubkey: { '@type': '/cosmos.crypto.ed25519.PubKey', key: toBase64(validatorKeys[i] as Uint8Array) },
          value: coin(STAKE),
        })),
      },
      ...(plan.slashing === undefined ? {} : { slashing: { params: plan.slashing } }),
    },
  });
}

/** Sends through that node; its transactions wait for one another. */
export async function senderWith(node: TestNode, key: AccountKeyPair): Promise<Sender> {
  const gasPrice = parseGasPrice('0.025uauton');
  if (!gasPrice.ok) throw new Error(gasPrice.error);
  return createSender(chainOf(node), { key, gasPrice: gasPrice.value, timeoutMs: 60_000 });
}

export async function validatorKeyOf(node: TestNode): Promise<Uint8Array> {
  const key = await readValidatorKey(homePaths(node.home).validatorKey);
  if (key === undefined) throw new Error(`${node.name} has no key of a validator`);
  return key.publicKey;
}

/** As in headers and commits: upper-case hex. */
export async function consensusHexOf(node: TestNode): Promise<string> {
  return toHexUpper(consensusAddress(ed25519Key(await validatorKeyOf(node))));
}

export function createValidator(key: AccountKeyPair, publicKey: Uint8Array, amount: bigint) {
  return pack(tx.MsgCreateValidatorSchema, {
    description: { moniker: 'newcomer' },
    commission: {
      rate: '100000000000000000',
      maxRate: '500000000000000000',
      maxChangeRate: '100000000000000000',
    },
    minSelfDelegation: '1',
    validatorAddress: formatOperator(CHAIN, accountAddress(key.publicKey)),
    pubkey: { ...pack(PubKeySchema, { key: publicKey }) },
    value: coin(amount),
  });
}

export function delegate(delegatorAddress: string, validatorAddress: string, amount: bigint) {
  return pack(tx.MsgDelegateSchema, { delegatorAddress, validatorAddress, amount: coin(amount) });
}

export function undelegate(delegatorAddress: string, validatorAddress: string, amount: bigint) {
  return pack(tx.MsgUndelegateSchema, { delegatorAddress, validatorAddress, amount: coin(amount) });
}

export function redelegate(delegatorAddress: string, from: string, to: string, amount: bigint) {
  return pack(tx.MsgBeginRedelegateSchema, {
    delegatorAddress,
    validatorSrcAddress: from,
    validatorDstAddress: to,
    amount: coin(amount),
  });
}

const STAKING = '/cosmos.staking.v1beta1.Query';

/** `undefined`: there is none. */
async function found<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof AppError && /not found/i.test(error.message)) return undefined;
    throw error;
  }
}

export async function stakedValidator(node: TestNode, validatorAddr: string): Promise<Validator | undefined> {
  const path = `${STAKING}/Validator`;
  const query = chainOf(node).query(
    path,
    q.QueryValidatorRequestSchema,
    { validatorAddr },
    q.QueryValidatorResponseSchema,
  );
  return (await found(query))?.validator;
}

/** Shares (decimal, eighteen places, no point) and what they are worth. */
export async function delegation(
  node: TestNode,
  delegatorAddr: string,
  validatorAddr: string,
): Promise<{ readonly shares: bigint; readonly balance: bigint } | undefined> {
  const answer = await found(
    chainOf(node).query(
      `${STAKING}/Delegation`,
      q.QueryDelegationRequestSchema,
      { delegatorAddr, validatorAddr },
      q.QueryDelegationResponseSchema,
    ),
  );
  const response = answer?.delegationResponse;
  if (response === undefined) return undefined;
  return { shares: BigInt(response.delegation?.shares ?? ''), balance: BigInt(response.balance?.amount ?? '') };
}

/** Balances of what is on its way back, oldest first; after the block of `height`, or now. */
export async function unbonding(
  node: TestNode,
  delegatorAddr: string,
  validatorAddr: string,
  height?: bigint,
): Promise<readonly { readonly initial: bigint; readonly balance: bigint }[]> {
  const answer = await found(
    chainOf(node, height).query(
      `${STAKING}/UnbondingDelegation`,
      q.QueryUnbondingDelegationRequestSchema,
      { delegatorAddr, validatorAddr },
      q.QueryUnbondingDelegationResponseSchema,
    ),
  );
  return (answer?.unbond?.entries ?? []).map(({ initialBalance, balance }) => ({
    initial: BigInt(initialBalance),
    balance: BigInt(balance),
  }));
}

export async function pools(node: TestNode): Promise<{ readonly bonded: bigint; readonly notBonded: bigint }> {
  const { pool } = await chainOf(node).query(
    `${STAKING}/Pool`,
    q.QueryPoolRequestSchema,
    {},
    q.QueryPoolResponseSchema,
  );
  return { bonded: BigInt(pool?.bondedTokens ?? ''), notBonded: BigInt(pool?.notBondedTokens ?? '') };
}

export async function signingInfo(node: TestNode, publicKey: Uint8Array): Promise<ValidatorSigningInfo> {
  const answer = await chainOf(node).query(
    '/cosmos.slashing.v1beta1.Query/SigningInfo',
    sq.QuerySigningInfoRequestSchema,
    { consAddress: formatConsensus(CHAIN, consensusAddress(ed25519Key(publicKey))) },
    sq.QuerySigningInfoResponseSchema,
  );
  if (answer.valSigningInfo === undefined) throw new Error('an answer without signing info');
  return answer.valSigningInfo;
}

/** Consensus address → power, of the set that signs that height. */
export async function powersAt(node: TestNode, height: bigint): Promise<Readonly<Record<string, number>>> {
  const { validators } = await node.rpc.call<{
    readonly validators: readonly { readonly address: string; readonly voting_power: string }[];
  }>('validators', { height: String(height) });
  return Object.fromEntries(validators.map(({ address, voting_power }) => [address, Number(voting_power)]));
}

const FLAG_COMMIT = 2;

/** Who has signed the block of that height. */
export async function signersOf(node: TestNode, height: bigint): Promise<ReadonlySet<string>> {
  const { signed_header } = await node.rpc.call<{
    readonly signed_header: {
      readonly commit: {
        readonly signatures: readonly { readonly block_id_flag: number; readonly validator_address: string }[];
      };
    };
  }>('commit', { height: String(height) });
  const { signatures } = signed_header.commit;
  return new Set(
    signatures
      .filter(({ block_id_flag }) => block_id_flag === FLAG_COMMIT)
      .map((signature) => signature.validator_address),
  );
}

/** Until a block from that height on has a signature of `signer`. */
export async function waitForSignature(observer: TestNode, signer: TestNode, from: bigint): Promise<void> {
  const address = await consensusHexOf(signer);
  let height = from;
  await until(`${signer.name} signs a block from ${from} on`, async () => {
    for (const newest = await observer.height(); height < newest; height++)
      if ((await signersOf(observer, height)).has(address)) return true;
    return false;
  });
}
