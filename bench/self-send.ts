import { type AccountKeyPair, bech32Address } from '#core/crypto/keys.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { buildTx } from '#runtime/tx/build.ts';

/** One uauton from an account to itself: the smallest transaction that changes state. */
export function selfSend(key: AccountKeyPair, chainId: string, accountNumber: bigint, sequence: bigint): Uint8Array {
  const address = bech32Address(key.publicKey, 'auton');
  const send = pack(MsgSendSchema, {
    fromAddress: address,
    toAddress: address,
    amount: [{ denom: 'uauton', amount: '1' }],
  });
  return buildTx({ messages: [send], fee: [], gasLimit: 200_000n }, chainId, [{ key, accountNumber, sequence }]);
}
