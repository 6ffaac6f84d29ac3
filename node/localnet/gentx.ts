/**
 * A validator's transaction of the genesis ceremony: MsgCreateValidator, signed by its operator for account number and
 * sequence 0, in the JSON of the Cosmos SDK's `gentx`; the memo says where the validator's node is met.
 */
import { equal } from '#core/bytes.ts';
import { type AccountKeyPair, accountAddress } from '#core/crypto/keys.ts';
import type { PublicKey } from '#core/crypto/pubkey.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { parseDec } from '#core/dec.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { StakedValidator } from '#genesis/edit.ts';
import { type MsgCreateValidator, MsgCreateValidatorSchema } from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { SignMode } from '#proto/gen/cosmos/tx/signing/v1beta1/signing_pb.ts';
import { pack } from '#proto/message.ts';
import { type Coin, toProtoCoin } from '#runtime/coins.ts';
import type { ChainParams } from '#runtime/context.ts';
import { formatOperator } from '#runtime/modules/staking/addresses.ts';
import { readCreation } from '#runtime/modules/staking/create.ts';
import { CONSENSUS_KEY_TYPES, packKey } from '#runtime/modules/staking/records.ts';
import { sdkToJson } from '#runtime/sdk-json.ts';
import { readAccountKey } from '#runtime/tx/account-key.ts';
import { buildTx } from '#runtime/tx/build.ts';
import { decodeTx } from '#runtime/tx/decode.ts';
import { directSignBytes } from '#runtime/tx/sign-bytes.ts';
import { encodeTxParts, TX_TABLE, txFromJson, txToJson } from '../client/tx-json.ts';
import { parsePeers } from '../config/address.ts';

export interface GentxPlan {
  readonly chain: ChainParams;
  readonly operator: AccountKeyPair;
  readonly validatorKey: PublicKey;
  readonly moniker: string;
  /** What the operator stakes. */
  readonly stake: Coin;
  /** Decimals between 0 and 1, such as `0.1`. */
  readonly commission: { readonly rate: string; readonly maxRate: string; readonly maxChangeRate: string };
  readonly minSelfDelegation: bigint;
  readonly description?: {
    readonly identity?: string;
    readonly website?: string;
    readonly securityContact?: string;
    readonly details?: string;
  };
  /** `id@host:port` of the validator's node, or of the node that speaks for it; empty: nobody is told. */
  readonly peer: string;
}

export const DEFAULT_COMMISSION = { rate: '0.1', maxRate: '0.2', maxChangeRate: '0.01' } as const;
/** Written into the transaction, where nobody charges it. */
const GENTX_GAS = 200_000n;

/** Failure: which field is out of range, in a sentence. */
export function makeGentx(plan: GentxPlan): Result<string, string> {
  const { chain, operator, commission } = plan;
  const rates: string[] = [];
  for (const [name, text] of Object.entries(commission)) {
    const rate = parseDec(text, name);
    if (!rate.ok) return rate;
    rates.push(String(rate.value));
  }
  const [rate = '', maxRate = '', maxChangeRate = ''] = rates;
  const message = pack(MsgCreateValidatorSchema, {
    description: { moniker: plan.moniker, ...plan.description },
    commission: { rate, maxRate, maxChangeRate },
    minSelfDelegation: String(plan.minSelfDelegation),
    validatorAddress: formatOperator(chain, accountAddress(operator.publicKey)),
    pubkey: { ...packKey(plan.validatorKey) },
    value: toProtoCoin(plan.stake),
  });
  const tx = buildTx({ messages: [message], fee: [], gasLimit: GENTX_GAS, memo: plan.peer }, chain.chainId, [
    { key: operator, accountNumber: 0n, sequence: 0n },
  ]);
  const json = txToJson(tx);
  if (!json.ok) return json;
  const text = `${JSON.stringify(json.value, undefined, 2)}\n`;
  const checked = readGentx(text, chain);
  return checked.ok ? ok(text) : checked;
}

/** One that was read: its signature is good, and nothing about it depends on the state. */
export interface Gentx {
  readonly validator: StakedValidator;
  /** `id@host:port`, or empty. */
  readonly peer: string;
}

/** Failure: what is wrong with the file, in a sentence. */
export function readGentx(text: string, chain: ChainParams): Result<Gentx, string> {
  const parts = txFromJson(text);
  if (!parts.ok) return parts;
  const decoded = decodeTx(encodeTxParts(parts.value), TX_TABLE);
  if (!decoded.ok) return err(decoded.error.message);
  const { messages, body, authInfo, raw } = decoded.value;
  const [first, ...others] = messages;
  if (first === undefined || others.length > 0 || first.handler.schema.typeName !== MsgCreateValidatorSchema.typeName)
    return err('tx.body.messages: expected one MsgCreateValidator and nothing else');
  const message = first.message as MsgCreateValidator;
  const creation = readCreation(message, chain);
  if (!creation.ok) return err(creation.error.message);
  const { operator, key, value } = creation.value;
  const [signer, ...more] = authInfo.signerInfos;
  const signature = raw.signatures[0];
  if (signer?.publicKey === undefined || signature === undefined || more.length > 0 || raw.signatures.length > 1)
    return err('tx: expected one signer, the operator, with its public key');
  const mode = signer.modeInfo?.sum;
  if (mode?.case !== 'single' || mode.value.mode !== SignMode.DIRECT || signer.sequence !== 0n)
    return err('tx.auth_info.signer_infos[0]: expected SIGN_MODE_DIRECT and sequence 0');
  const signing = readAccountKey(signer.publicKey);
  if (!signing.ok || signing.value.kind !== 'secp256k1' || !equal(accountAddress(signing.value.bytes), operator))
    return err(`tx.auth_info.signer_infos[0].public_key: not the key of the operator ${message.validatorAddress}`);
  if (!pureVerifier.secp256k1(signing.value.bytes, directSignBytes(raw, chain.chainId, 0n), signature))
    return err(`tx.signatures[0]: not a signature of ${message.validatorAddress} for chain ${chain.chainId}`);
  const peers = parsePeers(body.memo);
  if (!peers.ok || peers.value.length > 1) return err(`tx.body.memo: expected id@host:port, got ${body.memo}`);
  return ok({
    validator: {
      operator,
      publicKey: key,
      name: message.description?.moniker ?? '',
      tokens: value.amount,
      message: sdkToJson(MsgCreateValidatorSchema, message, CONSENSUS_KEY_TYPES),
    },
    peer: body.memo,
  });
}
