import { EMPTY } from '../bytes.ts';
import { asBytes, asInt64, asMessage, asString, asUint64, DecodeError, readFields } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { LIMITS } from '../limits.ts';
import { merkleRoot } from '../merkle.ts';
import { type BlockId, encodeBlockId, NIL_BLOCK_ID, readBlockId, readHash } from './block-id.ts';
import { type Height, toHeight } from './brand.ts';
import { encodeTimestamp, readTimestamp, type Timestamp, ZERO_TIME } from './timestamp.ts';

/** Block protocol of CometBFT v0.38 (version/version.go BlockProtocol). */
export const BLOCK_PROTOCOL = 11n;

/** tendermint.types.Header. Hashes are 32 bytes, or empty where CometBFT leaves them empty; `appHash` is the application's. */
export interface Header {
  readonly version: { readonly block: bigint; readonly app: bigint };
  readonly chainId: string;
  readonly height: Height;
  readonly time: Timestamp;
  readonly lastBlockId: BlockId;
  readonly lastCommitHash: Uint8Array;
  readonly dataHash: Uint8Array;
  readonly validatorsHash: Uint8Array;
  readonly nextValidatorsHash: Uint8Array;
  readonly consensusHash: Uint8Array;
  readonly appHash: Uint8Array;
  readonly lastResultsHash: Uint8Array;
  readonly evidenceHash: Uint8Array;
  readonly proposerAddress: Uint8Array;
}

function encodeVersion(version: Header['version']): Uint8Array {
  return new ProtoWriter().varint(1, version.block).varint(2, version.app).finish();
}

/** A scalar in its google.protobuf wrapper message, as CometBFT's cdcEncode writes the leaves of the header hash. */
const leaf = {
  bytes: (value: Uint8Array) => new ProtoWriter().bytes(1, value).finish(),
  string: (value: string) => new ProtoWriter().string(1, value).finish(),
  int64: (value: bigint) => new ProtoWriter().varint(1, value).finish(),
};

/** Merkle root over the fourteen fields (CometBFT types/block.go Header.Hash). */
export function headerHash(header: Header): Uint8Array {
  return merkleRoot([
    encodeVersion(header.version),
    leaf.string(header.chainId),
    leaf.int64(header.height),
    encodeTimestamp(header.time),
    encodeBlockId(header.lastBlockId),
    leaf.bytes(header.lastCommitHash),
    leaf.bytes(header.dataHash),
    leaf.bytes(header.validatorsHash),
    leaf.bytes(header.nextValidatorsHash),
    leaf.bytes(header.consensusHash),
    leaf.bytes(header.appHash),
    leaf.bytes(header.lastResultsHash),
    leaf.bytes(header.evidenceHash),
    leaf.bytes(header.proposerAddress),
  ]);
}

export function encodeHeader(header: Header): Uint8Array {
  return new ProtoWriter()
    .message(1, encodeVersion(header.version))
    .string(2, header.chainId)
    .varint(3, header.height)
    .message(4, encodeTimestamp(header.time))
    .message(5, encodeBlockId(header.lastBlockId))
    .bytes(6, header.lastCommitHash)
    .bytes(7, header.dataHash)
    .bytes(8, header.validatorsHash)
    .bytes(9, header.nextValidatorsHash)
    .bytes(10, header.consensusHash)
    .bytes(11, header.appHash)
    .bytes(12, header.lastResultsHash)
    .bytes(13, header.evidenceHash)
    .bytes(14, header.proposerAddress)
    .finish();
}

function readVersion(title: string, bytes: Uint8Array): Header['version'] {
  let block = 0n;
  let app = 0n;
  for (const field of readFields(title, bytes, { known: [1, 2] })) {
    if (field.number === 1) block = asUint64(`${title}.block`, field);
    else app = asUint64(`${title}.app`, field);
  }
  return { block, app };
}

const HASH_FIELDS = {
  6: 'lastCommitHash',
  7: 'dataHash',
  8: 'validatorsHash',
  9: 'nextValidatorsHash',
  10: 'consensusHash',
  12: 'lastResultsHash',
  13: 'evidenceHash',
} as const;

/** Decodes and validates as CometBFT's Header.ValidateBasic does. @throws DecodeError */
export function readHeader(title: string, bytes: Uint8Array): Header {
  let version = { block: 0n, app: 0n };
  let chainId = '';
  let height = 0n;
  let time = ZERO_TIME;
  let lastBlockId = NIL_BLOCK_ID;
  let appHash: Uint8Array = EMPTY;
  let proposerAddress: Uint8Array = EMPTY;
  const hashes = {
    lastCommitHash: EMPTY,
    dataHash: EMPTY,
    validatorsHash: EMPTY,
    nextValidatorsHash: EMPTY,
    consensusHash: EMPTY,
    lastResultsHash: EMPTY,
    evidenceHash: EMPTY,
  };
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14] })) {
    const { number } = field;
    if (number === 1) version = readVersion(`${title}.version`, asMessage(`${title}.version`, field));
    else if (number === 2) chainId = asString(`${title}.chain_id`, field, LIMITS.maxChainIdBytes);
    else if (number === 3) height = asInt64(`${title}.height`, field);
    else if (number === 4) time = readTimestamp(`${title}.time`, asMessage(`${title}.time`, field));
    else if (number === 5)
      lastBlockId = readBlockId(`${title}.last_block_id`, asMessage(`${title}.last_block_id`, field));
    else if (number === 11) appHash = asBytes(`${title}.app_hash`, field, LIMITS.maxHashBytes).slice();
    else if (number === 14) proposerAddress = asBytes(`${title}.proposer_address`, field, 20).slice();
    else {
      const name = HASH_FIELDS[number as keyof typeof HASH_FIELDS];
      hashes[name] = readHash(`${title}.${name}`, asBytes(`${title}.${name}`, field, LIMITS.maxHashBytes));
    }
  }
  if (version.block !== BLOCK_PROTOCOL)
    throw new DecodeError(`${title}.version.block: expected ${BLOCK_PROTOCOL}, got ${version.block}`);
  if (height <= 0n) throw new DecodeError(`${title}.height: expected ≥ 1, got ${height}`);
  if (proposerAddress.length !== 20)
    throw new DecodeError(`${title}.proposer_address: expected 20 bytes, got ${proposerAddress.length}`);
  return { version, chainId, height: toHeight(height), time, lastBlockId, ...hashes, appHash, proposerAddress };
}
