import { assert } from '../assert.ts';
import { equal } from '../bytes.ts';
import { asBytes, asInt64, asMessage, asUint32, DecodeError, readFields } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { divCeilSafe } from '../int.ts';
import { LIMITS } from '../limits.ts';
import { type MerkleLeafHash, type MerkleProof, merkleProofs, verifyMerkleProof } from '../merkle.ts';
import type { PartSetHeader } from './block-id.ts';

/** A slice of an encoded block, with the proof that it belongs to the part set's root. */
export interface Part {
  readonly index: number;
  readonly bytes: Uint8Array;
  readonly proof: MerkleProof;
}

export interface PartSet {
  readonly header: PartSetHeader;
  readonly parts: readonly Part[];
}

/** Cuts an encoded block into parts of 65,536 bytes. */
export function createPartSet(block: Uint8Array): PartSet {
  assert(block.length > 0, 'an encoded block is never empty');
  const count = divCeilSafe(block.length, LIMITS.blockPartBytes);
  const slices = Array.from({ length: count }, (_, i) =>
    block.subarray(i * LIMITS.blockPartBytes, (i + 1) * LIMITS.blockPartBytes),
  );
  const { root, proofs } = merkleProofs(slices);
  const parts = slices.map((bytes, index) => ({ index, bytes, proof: proofs[index] as MerkleProof }));
  return { header: { total: count, hash: root }, parts };
}

/** The root that a part's proof was found to lead to. Parts pass several checks, and hashing 64 KiB is most of each. */
const provenRoots = new WeakMap<Part, Uint8Array>();

/**
 * Whether the part belongs to the set: index, proof position and total agree, and the proof leads to the root.
 * @param leafHash for who has a faster one
 */
export function verifyPart(header: PartSetHeader, part: Part, leafHash?: MerkleLeafHash): boolean {
  const { index, bytes, proof } = part;
  if (index >= header.total || proof.index !== index || proof.total !== header.total) return false;
  const proven = provenRoots.get(part);
  if (proven !== undefined && equal(proven, header.hash)) return true;
  if (!verifyMerkleProof(proof, header.hash, bytes, leafHash).ok) return false;
  provenRoots.set(part, header.hash);
  return true;
}

function encodeMerkleProof(proof: MerkleProof): Uint8Array {
  const writer = new ProtoWriter().varint(1, proof.total).varint(2, proof.index).bytes(3, proof.leafHash);
  for (const aunt of proof.aunts) writer.message(4, aunt);
  return writer.finish();
}

/** tendermint.types.Part. */
export function encodePart(part: Part): Uint8Array {
  return new ProtoWriter()
    .varint(1, part.index)
    .bytes(2, part.bytes)
    .message(3, encodeMerkleProof(part.proof))
    .finish();
}

/** @throws DecodeError on sizes out of range; a last part may be short, all others are full. */
export function readPart(title: string, bytes: Uint8Array): Part {
  let index = 0;
  let content: Uint8Array | undefined;
  let proof: MerkleProof | undefined;
  for (const field of readFields(title, bytes, { known: [1, 2, 3] })) {
    if (field.number === 1) index = asUint32(`${title}.index`, field);
    else if (field.number === 2) content = asBytes(`${title}.bytes`, field, LIMITS.blockPartBytes);
    else proof = readMerkleProof(`${title}.proof`, asMessage(`${title}.proof`, field));
  }
  if (content === undefined || content.length === 0) throw new DecodeError(`${title}.bytes: missing`);
  if (proof === undefined) throw new DecodeError(`${title}.proof: missing`);
  if (index >= LIMITS.maxBlockParts)
    throw new DecodeError(`${title}.index: expected < ${LIMITS.maxBlockParts}, got ${index}`);
  if (proof.index !== index) throw new DecodeError(`${title}.proof.index: expected ${index}, got ${proof.index}`);
  if (index < proof.total - 1 && content.length !== LIMITS.blockPartBytes)
    throw new DecodeError(
      `${title}.bytes: a part before the last has ${LIMITS.blockPartBytes} bytes, got ${content.length}`,
    );
  return { index, bytes: content.slice(), proof };
}

/** tendermint.crypto.Proof. @throws DecodeError */
function readMerkleProof(title: string, bytes: Uint8Array): MerkleProof {
  let total = 0n;
  let index = 0n;
  let leafHash: Uint8Array | undefined;
  const aunts: Uint8Array[] = [];
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4], repeated: [4] })) {
    if (field.number === 1) total = asInt64(`${title}.total`, field);
    else if (field.number === 2) index = asInt64(`${title}.index`, field);
    else {
      const hash = asBytes(`${title}.hash`, field, LIMITS.maxHashBytes).slice();
      if (hash.length !== LIMITS.maxHashBytes)
        throw new DecodeError(`${title}: a hash has ${hash.length} bytes, expected 32`);
      if (field.number === 3) leafHash = hash;
      else aunts.push(hash);
    }
  }
  if (leafHash === undefined) throw new DecodeError(`${title}.leaf_hash: missing`);
  if (aunts.length > LIMITS.maxMerkleAunts)
    throw new DecodeError(`${title}.aunts: ${aunts.length} exceed the limit of ${LIMITS.maxMerkleAunts}`);
  if (total < 1n || total > 0xffff_ffffn) throw new DecodeError(`${title}.total: ${total} is out of range`);
  if (index < 0n || index >= total) throw new DecodeError(`${title}.index: expected 0 … ${total - 1n}, got ${index}`);
  return { total: Number(total), index: Number(index), leafHash, aunts };
}
