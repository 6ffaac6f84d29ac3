import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { type AccountKeyPair, signSecp256k1 } from '#core/crypto/keys.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/secp256k1/keys_pb.ts';
import { SignMode } from '#proto/gen/cosmos/tx/signing/v1beta1/signing_pb.ts';
import { AuthInfoSchema, TxBodySchema, TxRawSchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { encode, pack } from '#proto/message.ts';

export interface Coin {
  readonly denom: string;
  readonly amount: bigint;
}

/** A message in its Any. */
export interface PackedMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export interface TxContent {
  readonly messages: readonly PackedMessage[];
  readonly memo: string;
  readonly fee: readonly Coin[];
  readonly gasLimit: bigint;
}

export interface SigningAccount {
  readonly key: AccountKeyPair;
  readonly chainId: string;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
}

/** TxRaw bytes signed with SIGN_MODE_DIRECT. */
export function signTx(content: TxContent, account: SigningAccount): Uint8Array {
  const { bodyBytes, authInfoBytes } = encodeTx(content, account);
  const signDoc = new ProtoWriter()
    .bytes(1, bodyBytes)
    .bytes(2, authInfoBytes)
    .string(3, account.chainId)
    .varint(4, account.accountNumber)
    .finish();
  const signature = signSecp256k1(account.key.privateKey, signDoc);
  return encode(TxRawSchema, { bodyBytes, authInfoBytes, signatures: [signature] });
}

/** The same transaction with an empty signature: what is simulated. */
export function unsignedTx(content: TxContent, account: Pick<SigningAccount, 'key' | 'sequence'>): Uint8Array {
  const { bodyBytes, authInfoBytes } = encodeTx(content, account);
  return encode(TxRawSchema, { bodyBytes, authInfoBytes, signatures: [new Uint8Array(0)] });
}

function encodeTx(content: TxContent, account: Pick<SigningAccount, 'key' | 'sequence'>) {
  const bodyBytes = encode(TxBodySchema, { messages: [...content.messages], memo: content.memo });
  const authInfoBytes = encode(AuthInfoSchema, {
    signerInfos: [
      {
        publicKey: pack(PubKeySchema, { key: account.key.publicKey }),
        modeInfo: { sum: { case: 'single', value: { mode: SignMode.DIRECT } } },
        sequence: account.sequence,
      },
    ],
    fee: {
      amount: content.fee.map(({ denom, amount }) => ({ denom, amount: amount.toString() })),
      gasLimit: content.gasLimit,
    },
  });
  return { bodyBytes, authInfoBytes };
}
