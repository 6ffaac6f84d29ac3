import { EMPTY, equal, toHexUpper } from '../bytes.ts';
import { asBytes, asMessage, asUint32, DecodeError, readFields } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { LIMITS } from '../limits.ts';

/** Number of parts of a block and the Merkle root over them. */
export interface PartSetHeader {
  readonly total: number;
  readonly hash: Uint8Array;
}

/** A block is named by its header's hash and its parts' header; nil (a vote for no block) has both empty. */
export interface BlockId {
  readonly hash: Uint8Array;
  readonly partSetHeader: PartSetHeader;
}

export const NIL_BLOCK_ID: BlockId = { hash: EMPTY, partSetHeader: { total: 0, hash: EMPTY } };

export function isNilBlockId(id: BlockId): boolean {
  return id.hash.length === 0 && id.partSetHeader.total === 0 && id.partSetHeader.hash.length === 0;
}

/** Both hashes are 32 bytes and there is at least one part. */
export function isCompleteBlockId(id: BlockId): boolean {
  return id.hash.length === 32 && id.partSetHeader.total > 0 && id.partSetHeader.hash.length === 32;
}

export function equalPartSetHeader(a: PartSetHeader, b: PartSetHeader): boolean {
  return a.total === b.total && equal(a.hash, b.hash);
}

export function equalBlockId(a: BlockId, b: BlockId): boolean {
  return equal(a.hash, b.hash) && equalPartSetHeader(a.partSetHeader, b.partSetHeader);
}

/**
 * A text that is the same exactly for equal ids: for use as a map key. Its order is that of CometBFT's BlockID.Key,
 * which decides the order of the two votes of an evidence: nil first (`/` precedes every hex digit).
 */
export function blockIdKey(id: BlockId): string {
  return `${blockHashPrefix(id.hash)}${toHexUpper(encodePartSetHeader(id.partSetHeader))}`;
}

/** What the keys of all block ids with this hash begin with, and no others. */
export function blockHashPrefix(hash: Uint8Array): string {
  return `${toHexUpper(hash)}/`;
}

export function encodePartSetHeader(header: PartSetHeader): Uint8Array {
  return new ProtoWriter().varint(1, header.total).bytes(2, header.hash).finish();
}

/** tendermint.types.BlockID; also the form of CanonicalBlockID, whose field numbers are the same. */
export function encodeBlockId(id: BlockId): Uint8Array {
  return new ProtoWriter().bytes(1, id.hash).message(2, encodePartSetHeader(id.partSetHeader)).finish();
}

export function readPartSetHeader(title: string, bytes: Uint8Array): PartSetHeader {
  let total = 0;
  let hash: Uint8Array = EMPTY;
  for (const field of readFields(title, bytes, { known: [1, 2] })) {
    if (field.number === 1) total = asUint32(`${title}.total`, field);
    else hash = readHash(`${title}.hash`, asBytes(`${title}.hash`, field, LIMITS.maxHashBytes));
  }
  if (total > LIMITS.maxBlockParts)
    throw new DecodeError(`${title}.total: ${total} parts exceed the limit of ${LIMITS.maxBlockParts}`);
  return { total, hash };
}

export function readBlockId(title: string, bytes: Uint8Array): BlockId {
  let hash: Uint8Array = EMPTY;
  let partSetHeader: PartSetHeader = NIL_BLOCK_ID.partSetHeader;
  for (const field of readFields(title, bytes, { known: [1, 2] })) {
    if (field.number === 1) hash = readHash(`${title}.hash`, asBytes(`${title}.hash`, field, LIMITS.maxHashBytes));
    else partSetHeader = readPartSetHeader(`${title}.part_set_header`, asMessage(`${title}.part_set_header`, field));
  }
  return { hash, partSetHeader };
}

/** A hash field: empty or exactly 32 bytes (CometBFT types/validation.go ValidateHash). */
export function readHash(title: string, bytes: Uint8Array): Uint8Array {
  if (bytes.length !== 0 && bytes.length !== 32)
    throw new DecodeError(`${title}: expected 0 or 32 bytes, got ${bytes.length}`);
  return bytes.slice();
}
