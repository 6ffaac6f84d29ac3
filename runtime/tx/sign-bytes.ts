import { ProtoWriter } from '#core/codec/proto-writer.ts';
import type { RawTx } from './decode.ts';

/** The encoded SignDoc of SIGN_MODE_DIRECT, over the bytes as they were received. */
export function directSignBytes(
  raw: Pick<RawTx, 'bodyBytes' | 'authInfoBytes'>,
  chainId: string,
  accountNumber: bigint,
): Uint8Array {
  return new ProtoWriter()
    .bytes(1, raw.bodyBytes)
    .bytes(2, raw.authInfoBytes)
    .string(3, chainId)
    .varint(4, accountNumber)
    .finish();
}
