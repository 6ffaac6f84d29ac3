/** The slashing store: who signed lately. Prefixes are those of the Cosmos SDK's x/slashing/types/keys.go. */
import { assert } from '#core/assert.ts';
import { asBool, asInt64, asMessage, readFields } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { decMul, decOf, decRound } from '#core/dec.ts';
import { divFloor } from '#core/int.ts';
import { encodeTimestamp, readTimestamp, type Timestamp } from '#core/types/timestamp.ts';
import { type Params, ParamsSchema } from '#proto/gen/cosmos/slashing/v1beta1/slashing_pb.ts';
import { create } from '#proto/message.ts';
import { bytesKey, bytesValue, pairKey, u64Key, type ValueCodec } from '../../state/codecs.ts';
import { item, map, storeLayout } from '../../state/collections.ts';
import type { KvReader, KvWriter } from '../../state/kv-view.ts';
import { protoValue } from '../../state/proto-value.ts';
import { rememberedValue } from '../../state/remembered.ts';

export const SLASHING_STORE = 'slashing';

const layout = storeLayout(SLASHING_STORE, { params: 0x00, signingInfo: 0x01, missedBlocks: 0x02 });

export const SLASHING_PREFIX = layout;

/** What ValidatorSigningInfo says beside the address. */
export interface SigningInfo {
  readonly startHeight: bigint;
  /** Blocks that it was asked to sign since the window began. */
  readonly indexOffset: bigint;
  readonly jailedUntil: Timestamp | undefined;
  readonly tombstoned: boolean;
  readonly missedBlocksCounter: bigint;
}

const SIGNING_INFO = 'a stored signing info';

/** cosmos.slashing.v1beta1.ValidatorSigningInfo without its address; by hand, because each block changes those of all signers. */
export const signingInfoValue: ValueCodec<SigningInfo> = {
  encode: ({ startHeight, indexOffset, jailedUntil, tombstoned, missedBlocksCounter }) =>
    new ProtoWriter()
      .varint(2, startHeight)
      .varint(3, indexOffset)
      .optional(4, jailedUntil && encodeTimestamp(jailedUntil))
      .bool(5, tombstoned)
      .varint(6, missedBlocksCounter)
      .finish(),
  decode(bytes) {
    const info: { -readonly [K in keyof SigningInfo]: SigningInfo[K] } = {
      startHeight: 0n,
      indexOffset: 0n,
      jailedUntil: undefined,
      tombstoned: false,
      missedBlocksCounter: 0n,
    };
    for (const field of readFields(SIGNING_INFO, bytes, { known: [2, 3, 4, 5, 6] })) {
      if (field.number === 2) info.startHeight = asInt64(SIGNING_INFO, field);
      else if (field.number === 3) info.indexOffset = asInt64(SIGNING_INFO, field);
      else if (field.number === 4) info.jailedUntil = readTimestamp(SIGNING_INFO, asMessage(SIGNING_INFO, field));
      else if (field.number === 5) info.tombstoned = asBool(SIGNING_INFO, field);
      else info.missedBlocksCounter = asInt64(SIGNING_INFO, field);
    }
    return info;
  },
};

/** By consensus address. */
export const signingInfos = map(layout.signingInfo, bytesKey, signingInfoValue);

/** Bits of missed blocks in chunks of {@link CHUNK_BITS}, by [consensus address, chunk]. */
const missedChunks = map(layout.missedBlocks, pairKey(bytesKey, u64Key), bytesValue);
const CHUNK_BITS = 1024n;
const CHUNK_BYTES = 128;

export const slashingParams = item(layout.params, rememberedValue(protoValue(ParamsSchema)));

const ASCII_ZERO = 48;

/** The digits of a decimal, as its bytes field holds them. */
export function decBytes(value: bigint): Uint8Array {
  return Uint8Array.from(String(value), (digit) => digit.charCodeAt(0));
}

export function bytesDec(bytes: Uint8Array): bigint {
  let value = 0n;
  for (const byte of bytes) {
    assert(byte >= ASCII_ZERO && byte <= ASCII_ZERO + 9, 'a stored decimal is not made of digits');
    value = value * 10n + BigInt(byte - ASCII_ZERO);
  }
  return value;
}

const DOUBLE_SIGN_FRACTION = 50_000_000_000_000_000n;
const DOWNTIME_FRACTION = 10_000_000_000_000_000n;
const MIN_SIGNED = 500_000_000_000_000_000n;

/** x/slashing/types/params.go DefaultParams. */
export const DEFAULT_PARAMS: Params = create(ParamsSchema, {
  signedBlocksWindow: 100n,
  minSignedPerWindow: decBytes(MIN_SIGNED),
  downtimeJailDuration: { seconds: 600n, nanos: 0 },
  slashFractionDoubleSign: decBytes(DOUBLE_SIGN_FRACTION),
  slashFractionDowntime: decBytes(DOWNTIME_FRACTION),
});

export function getParams(store: KvReader): Params {
  return slashingParams.get(store) ?? DEFAULT_PARAMS;
}

/** Blocks of the window that must be signed, rounded half to even. */
export function minSigned(params: Params): bigint {
  return decRound(decMul(bytesDec(params.minSignedPerWindow), decOf(params.signedBlocksWindow)));
}

export function newSigningInfo(startHeight: bigint): SigningInfo {
  return {
    startHeight,
    indexOffset: 0n,
    jailedUntil: { seconds: 0n, nanos: 0 },
    tombstoned: false,
    missedBlocksCounter: 0n,
  };
}

export function isTombstoned(store: KvReader, consensusAddress: Uint8Array): boolean {
  return signingInfos.get(store, consensusAddress)?.tombstoned ?? false;
}

function placeOf(index: bigint): { readonly chunk: bigint; readonly byte: number; readonly bit: number } {
  const chunk = divFloor(index, CHUNK_BITS);
  const within = Number(index - chunk * CHUNK_BITS);
  return { chunk, byte: within >> 3, bit: 1 << (within & 7) };
}

export function hasMissed(store: KvReader, consensusAddress: Uint8Array, index: bigint): boolean {
  const { chunk, byte, bit } = placeOf(index);
  const bits = missedChunks.get(store, [consensusAddress, chunk]);
  return bits !== undefined && ((bits[byte] ?? 0) & bit) !== 0;
}

export function setMissed(store: KvWriter, consensusAddress: Uint8Array, index: bigint, missed: boolean): void {
  const { chunk, byte, bit } = placeOf(index);
  const bits = (missedChunks.get(store, [consensusAddress, chunk]) ?? new Uint8Array(CHUNK_BYTES)).slice();
  bits[byte] = missed ? (bits[byte] ?? 0) | bit : (bits[byte] ?? 0) & ~bit;
  missedChunks.set(store, [consensusAddress, chunk], bits);
}

export function clearMissed(store: KvWriter, consensusAddress: Uint8Array): void {
  const under = pairKey(bytesKey, u64Key).prefix(consensusAddress);
  for (const [key] of [...missedChunks.entries(store, { under })]) missedChunks.delete(store, key);
}

/** Begins everybody's window anew: after it shrank, marks outside it would count for ever. */
export function restartWindows(store: KvWriter): void {
  for (const [address, info] of [...signingInfos.entries(store)]) {
    clearMissed(store, address);
    signingInfos.set(store, address, { ...info, indexOffset: 0n, missedBlocksCounter: 0n });
  }
}

/** Indexes of the missed blocks, ascending. */
export function missedIndexes(store: KvReader, consensusAddress: Uint8Array): readonly bigint[] {
  const under = pairKey(bytesKey, u64Key).prefix(consensusAddress);
  const indexes: bigint[] = [];
  for (const [[, chunk], bits] of missedChunks.entries(store, { under }))
    for (let i = 0n; i < CHUNK_BITS; i++) {
      const { byte, bit } = placeOf(i);
      if (((bits[byte] ?? 0) & bit) !== 0) indexes.push(chunk * CHUNK_BITS + i);
    }
  return indexes;
}
