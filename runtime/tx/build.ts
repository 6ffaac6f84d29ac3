/** Making and signing transactions, for command-line tools and tests. Wallets do the same with their own code. */
import { EMPTY } from '#core/bytes.ts';
import { type AccountKeyPair, signSecp256k1 } from '#core/crypto/keys.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/secp256k1/keys_pb.ts';
import { SignMode } from '#proto/gen/cosmos/tx/signing/v1beta1/signing_pb.ts';
import { AuthInfoSchema, TxBodySchema, TxRawSchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { encode, pack } from '#proto/message.ts';
import { type Coin, toProtoCoin } from '../coins.ts';
import { directSignBytes } from './sign-bytes.ts';

export interface TxPlan {
  /** Packed messages: `pack(MsgSendSchema, {...})`. */
  readonly messages: readonly { readonly typeUrl: string; readonly value: Uint8Array }[];
  readonly fee: readonly Coin[];
  readonly gasLimit: bigint;
  readonly memo?: string;
  /** Bech32 address of who pays, when it is not the first signer. It signs too. */
  readonly feePayer?: string;
  /** Bech32 address of whose coins pay the fee, when the payer has an allowance of it. */
  readonly feeGranter?: string;
  /** Last height at which it may stand in a block; 0 or absent: any. */
  readonly timeoutHeight?: bigint;
}

export interface TxSigner {
  readonly key: AccountKeyPair;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
}

function bodyOf(plan: TxPlan): Uint8Array {
  return encode(TxBodySchema, {
    messages: plan.messages.map((message) => ({ ...message })),
    memo: plan.memo ?? '',
    timeoutHeight: plan.timeoutHeight ?? 0n,
  });
}

function authInfoOf(plan: TxPlan, signers: readonly Omit<TxSigner, 'accountNumber'>[], mode: SignMode): Uint8Array {
  return encode(AuthInfoSchema, {
    signerInfos: signers.map(({ key, sequence }) => ({
      publicKey: pack(PubKeySchema, { key: key.publicKey }),
      modeInfo: { sum: { case: 'single' as const, value: { mode } } },
      sequence,
    })),
    fee: {
      amount: plan.fee.map(toProtoCoin),
      gasLimit: plan.gasLimit,
      payer: plan.feePayer ?? '',
      granter: plan.feeGranter ?? '',
    },
  });
}

/**
 * An encoded TxRaw, signed in SIGN_MODE_DIRECT by all signers in the order of the messages' signers.
 * @param sign 64 bytes over the SHA-256 of the message.
 */
export function buildTx(
  plan: TxPlan,
  chainId: string,
  signers: readonly TxSigner[],
  sign: typeof signSecp256k1 = signSecp256k1,
): Uint8Array {
  const bodyBytes = bodyOf(plan);
  const authInfoBytes = authInfoOf(plan, signers, SignMode.DIRECT);
  const signatures = signers.map(({ key, accountNumber }) =>
    sign(key.privateKey, directSignBytes({ bodyBytes, authInfoBytes }, chainId, accountNumber)),
  );
  return encode(TxRawSchema, { bodyBytes, authInfoBytes, signatures });
}

/** The form that wallets simulate with: mode unspecified, one empty signature a signer. */
export function buildSimulation(
  plan: TxPlan,
  signers: readonly { readonly publicKey: Uint8Array; readonly sequence: bigint }[],
): Uint8Array {
  const keyed = signers.map(({ publicKey, sequence }) => ({ key: { publicKey, privateKey: EMPTY }, sequence }));
  return encode(TxRawSchema, {
    bodyBytes: bodyOf(plan),
    authInfoBytes: authInfoOf({ ...plan, gasLimit: 0n, fee: [] }, keyed, SignMode.UNSPECIFIED),
    signatures: signers.map(() => EMPTY),
  });
}
