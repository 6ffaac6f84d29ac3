/** {@link ChainState} and its parts as stored by this node. Nobody else reads these bytes. */
import { EMPTY } from '#core/bytes.ts';
import {
  asBytes,
  asInt64,
  asMessage,
  asString,
  asUint64,
  DecodeError,
  decode,
  readFields,
} from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { LIMITS } from '#core/limits.ts';
import type { Result } from '#core/result.ts';
import { encodeBlockId, NIL_BLOCK_ID, readBlockId } from '#core/types/block-id.ts';
import { toHeight } from '#core/types/brand.ts';
import { type ConsensusParams, DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { encodeTimestamp, readTimestamp, ZERO_TIME } from '#core/types/timestamp.ts';
import { EMPTY_SET, encodeValidatorSet, readValidatorSet } from '#core/types/validator-set.ts';
import type { ChainState } from './chain-state.ts';

export function encodeParams(params: ConsensusParams): Uint8Array {
  const writer = new ProtoWriter()
    .varint(1, params.block.maxBytes)
    .varint(2, params.block.maxGas)
    .varint(3, params.evidence.maxAgeNumBlocks)
    .varint(4, params.evidence.maxAgeNanos)
    .varint(5, params.evidence.maxBytes)
    .varint(6, params.version.app)
    .varint(7, params.abci.voteExtensionsEnableHeight);
  for (const type of params.validator.pubKeyTypes) writer.string(8, type);
  return writer.finish();
}

/** @throws DecodeError */
export function readParams(title: string, bytes: Uint8Array): ConsensusParams {
  const numbers = new Map<number, bigint>();
  const pubKeyTypes: string[] = [];
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5, 6, 7, 8], repeated: [8] })) {
    if (field.number === 8) pubKeyTypes.push(asString(`${title}.pub_key_types`, field, 32));
    else numbers.set(field.number, asInt64(title, field));
  }
  const at = (field: number) => numbers.get(field) ?? 0n;
  return {
    block: { maxBytes: at(1), maxGas: at(2) },
    evidence: { maxAgeNumBlocks: at(3), maxAgeNanos: at(4), maxBytes: at(5) },
    version: { app: BigInt.asUintN(64, at(6)) },
    abci: { voteExtensionsEnableHeight: at(7) },
    validator: { pubKeyTypes },
  };
}

export function encodeChainState(state: ChainState): Uint8Array {
  return new ProtoWriter()
    .string(1, state.chainId)
    .varint(2, state.initialHeight)
    .varint(3, state.lastBlockHeight)
    .message(4, encodeBlockId(state.lastBlockId))
    .message(5, encodeTimestamp(state.lastBlockTime))
    .message(6, encodeValidatorSet(state.validators))
    .message(7, encodeValidatorSet(state.nextValidators))
    .message(8, encodeValidatorSet(state.lastValidators))
    .varint(9, state.lastHeightValidatorsChanged)
    .message(10, encodeParams(state.params))
    .varint(11, state.lastHeightParamsChanged)
    .bytes(12, state.lastResultsHash)
    .bytes(13, state.appHash)
    .bytes(14, state.lastHeaderAppHash)
    .finish();
}

/** The error says what is wrong with the stored bytes. */
export function decodeChainState(bytes: Uint8Array): Result<ChainState, string> {
  return decode(() => readChainState('state', bytes));
}

function readChainState(title: string, bytes: Uint8Array): ChainState {
  let chainId = '';
  const heights = new Map<number, bigint>();
  const hashes = new Map<number, Uint8Array>();
  const sets = new Map([6, 7, 8].map((number) => [number, EMPTY_SET]));
  let lastBlockId = NIL_BLOCK_ID;
  let lastBlockTime = ZERO_TIME;
  let params = DEFAULT_CONSENSUS_PARAMS;
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14] })) {
    const { number } = field;
    if (number === 1) chainId = asString(`${title}.chain_id`, field, LIMITS.maxChainIdBytes);
    else if (number === 4) lastBlockId = readBlockId(`${title}.last_block_id`, asMessage(title, field));
    else if (number === 5) lastBlockTime = readTimestamp(`${title}.last_block_time`, asMessage(title, field));
    else if (number === 10) params = readParams(`${title}.params`, asMessage(title, field));
    else if (sets.has(number)) sets.set(number, readValidatorSet(`${title}.validators`, asMessage(title, field)));
    else if (number >= 12) hashes.set(number, asBytes(title, field, LIMITS.maxHashBytes).slice());
    else heights.set(number, asUint64(title, field));
  }
  const height = (number: number) => toHeight(heights.get(number) ?? 0n);
  if (chainId === '') throw new DecodeError(`${title}.chain_id: missing`);
  return {
    chainId,
    initialHeight: height(2),
    lastBlockHeight: height(3),
    lastBlockId,
    lastBlockTime,
    validators: sets.get(6) ?? EMPTY_SET,
    nextValidators: sets.get(7) ?? EMPTY_SET,
    lastValidators: sets.get(8) ?? EMPTY_SET,
    lastHeightValidatorsChanged: height(9),
    params,
    lastHeightParamsChanged: height(11),
    lastResultsHash: hashes.get(12) ?? EMPTY,
    appHash: hashes.get(13) ?? EMPTY,
    lastHeaderAppHash: hashes.get(14) ?? EMPTY,
  };
}
