/** The slashing store: who signed lately. Prefixes are those of the Cosmos SDK's x/slashing/types/keys.go. */
import { assert } from '#core/assert.ts';
import { decMul, decOf, decRound } from '#core/dec.ts';
import { divFloor } from '#core/int.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import {
  type Params,
  ParamsSchema,
  type ValidatorSigningInfo,
  ValidatorSigningInfoSchema,
} from '#proto/gen/cosmos/slashing/v1beta1/slashing_pb.ts';
import { create } from '#proto/message.ts';
import { bytesKey, bytesValue, pairKey, u64Key } from '../../state/codecs.ts';
import { item, map, storeLayout } from '../../state/collections.ts';
import type { KvReader, KvWriter } from '../../state/kv-view.ts';
import { protoValue } from '../../state/proto-value.ts';

export const SLASHING_STORE = 'slashing';

const layout = storeLayout(SLASHING_STORE, { params: 0x00, signingInfo: 0x01, missedBlocks: 0x02 });

export const SLASHING_PREFIX = layout;

const signingInfoValue = protoValue(ValidatorSigningInfoSchema);
/** By consensus address; `address` is empty inside the store. */
export const signingInfos = map(layout.signingInfo, bytesKey, signingInfoValue);

export function decodeSigningInfo(bytes: Uint8Array): ValidatorSigningInfo {
  return signingInfoValue.decode(bytes);
}

/** Bits of missed blocks in chunks of {@link CHUNK_BITS}, by [consensus address, chunk]. */
const missedChunks = map(layout.missedBlocks, pairKey(bytesKey, u64Key), bytesValue);
const CHUNK_BITS = 1024n;
const CHUNK_BYTES = 128;

export const slashingParams = item(layout.params, protoValue(ParamsSchema));

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

export function newSigningInfo(startHeight: bigint): ValidatorSigningInfo {
  return create(ValidatorSigningInfoSchema, { startHeight, jailedUntil: { seconds: 0n, nanos: 0 } });
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

export function setJailedUntil(info: ValidatorSigningInfo, until: Timestamp): ValidatorSigningInfo {
  const { jailedUntil } = create(ValidatorSigningInfoSchema, { jailedUntil: { ...until } });
  return jailedUntil === undefined ? info : { ...info, jailedUntil };
}
