import { equal } from '../bytes.ts';
import { asBytes, asMessage, DecodeError, readFields } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { LIMITS } from '../limits.ts';
import { merkleRootOfDigests } from '../merkle.ts';
import { type Commit, commitHash, encodeCommit, readCommit } from './commit.ts';
import { type Evidence, encodeEvidence, evidenceHash, readEvidence } from './evidence.ts';
import { encodeHeader, type Header, readHeader } from './header.ts';

export interface Block {
  readonly header: Header;
  readonly txs: readonly Uint8Array[];
  readonly evidence: readonly Evidence[];
  /** Precommits for the previous block; of height 0 in the first block. */
  readonly lastCommit: Commit;
}

/** `data_hash`: Merkle root over the SHA-256 of each transaction. */
export function txsHash(txs: readonly Uint8Array[]): Uint8Array {
  return merkleRootOfDigests(txs);
}

/** tendermint.types.Block: the bytes that are cut into parts. */
export function encodeBlock(block: Block): Uint8Array {
  const data = new ProtoWriter();
  for (const tx of block.txs) data.message(1, tx);
  const evidence = new ProtoWriter();
  for (const item of block.evidence) evidence.message(1, encodeEvidence(item));
  return new ProtoWriter()
    .message(1, encodeHeader(block.header))
    .message(2, data.finish())
    .message(3, evidence.finish())
    .message(4, encodeCommit(block.lastCommit))
    .finish();
}

function readElements(title: string, bytes: Uint8Array, limit: number): Uint8Array[] {
  // Reading stops behind the limit: two bytes are an element.
  const fields = readFields(title, bytes, { known: [1], repeated: [1], maxFields: limit + 1 });
  if (fields.length > limit) throw new DecodeError(`${title}: ${fields.length} elements exceed the limit of ${limit}`);
  return fields.map((field) => asMessage(title, field));
}

/**
 * Decodes a block and checks what it says of itself: the hashes of commit, transactions and evidence
 * (CometBFT types/block.go Block.ValidateBasic). @throws DecodeError
 */
export function readBlock(title: string, bytes: Uint8Array): Block {
  let header: Header | undefined;
  let txs: Uint8Array[] = [];
  let evidence: Evidence[] = [];
  let lastCommit: Commit | undefined;
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4] })) {
    const inner = asBytes(title, field, LIMITS.maxBlockBytes);
    if (field.number === 1) header = readHeader(`${title}.header`, inner);
    else if (field.number === 2)
      txs = readElements(`${title}.data`, inner, LIMITS.maxTxsPerBlock).map((tx) => tx.slice());
    else if (field.number === 3)
      evidence = readElements(`${title}.evidence`, inner, LIMITS.maxEvidencePerBlock).map((item, i) =>
        readEvidence(`${title}.evidence[${i}]`, item),
      );
    else lastCommit = readCommit(`${title}.last_commit`, inner);
  }
  if (header === undefined) throw new DecodeError(`${title}.header: missing`);
  if (lastCommit === undefined) throw new DecodeError(`${title}.last_commit: missing`);
  expectHash(`${title}.header.last_commit_hash`, header.lastCommitHash, commitHash(lastCommit));
  expectHash(`${title}.header.data_hash`, header.dataHash, txsHash(txs));
  expectHash(`${title}.header.evidence_hash`, header.evidenceHash, evidenceHash(evidence));
  return { header, txs, evidence, lastCommit };
}

function expectHash(title: string, stated: Uint8Array, computed: Uint8Array): void {
  if (!equal(stated, computed)) throw new DecodeError(`${title}: does not match the block's content`);
}
