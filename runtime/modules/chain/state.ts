import { utf8 } from '#core/bytes.ts';
import { asInt64, asString, readFields } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { encodeTimestamp, readTimestamp, type Timestamp, ZERO_TIME } from '#core/types/timestamp.ts';
import type { ChainParams } from '../../context.ts';
import type { ValueCodec } from '../../state/codecs.ts';
import { item, storeLayout } from '../../state/collections.ts';
import type { StateView } from '../../state/kv-view.ts';

export const CHAIN_STORE = 'chain';

const layout = storeLayout(CHAIN_STORE, { params: 0x01, blockLimits: 0x02, blockTime: 0x03 });

const MAX_TEXT = 255;

const chainParamsValue: ValueCodec<ChainParams> = {
  encode: ({ chainId, bech32Prefix, baseDenom }) =>
    new ProtoWriter().bytes(1, utf8(chainId)).bytes(2, utf8(bech32Prefix)).bytes(3, utf8(baseDenom)).finish(),
  decode(bytes) {
    const texts = ['', '', ''];
    for (const field of readFields('chain params', bytes, { known: [1, 2, 3] }))
      texts[field.number - 1] = asString('chain params', field, MAX_TEXT);
    const [chainId = '', bech32Prefix = '', baseDenom = ''] = texts;
    return { chainId, bech32Prefix, baseDenom };
  },
};

/** What the consensus parameters allow a block; −1 gas: unlimited. */
export interface BlockLimits {
  readonly maxBytes: bigint;
  readonly maxGas: bigint;
}

const blockLimitsValue: ValueCodec<BlockLimits> = {
  encode: ({ maxBytes, maxGas }) => new ProtoWriter().varint(1, maxBytes).varint(2, maxGas).finish(),
  decode(bytes) {
    let maxBytes = 0n;
    let maxGas = 0n;
    for (const field of readFields('block limits', bytes, { known: [1, 2] })) {
      if (field.number === 1) maxBytes = asInt64('block limits', field);
      else maxGas = asInt64('block limits', field);
    }
    return { maxBytes, maxGas };
  },
};

export const chainParams = item(layout.params, chainParamsValue);
export const blockLimits = item(layout.blockLimits, blockLimitsValue);

/** Of the block whose state this is: what queries mean by now. */
export const blockTime = item<Timestamp>(layout.blockTime, {
  encode: encodeTimestamp,
  decode: (bytes) => readTimestamp('block time', bytes),
});

export function blockTimeOf(state: StateView): Timestamp {
  return blockTime.get(state.store(CHAIN_STORE)) ?? ZERO_TIME;
}
