/** The roots of all stores at one version, and the app hash over them (cosmos-sdk store/types/commit_info.go, v0.50). */
import { assert } from '#core/assert.ts';
import { compare, concat, EMPTY, fromUtf8, utf8 } from '#core/bytes.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { tendermintSpec } from '#core/ics23/specs.ts';
import { type ExistenceProof, HASH_OP } from '#core/ics23/types.ts';
import { merkleLeafHash, merkleProofs, merkleRootOfLeafHashes, merkleSides } from '#core/merkle.ts';
import { LINK_BYTES, type NodeLink, readLink, writeLink } from './iavl/record.ts';
import { rememberedByBytes } from './remembered.ts';

const INNER_PREFIX = Uint8Array.of(1);

// Most stores have the root that they had a block ago.
const hashOfRoot = rememberedByBytes(sha256);
const leafHash = rememberedByBytes(merkleLeafHash);

/** Names in byte order with their 32-byte store roots. */
function leavesOf(hashes: ReadonlyMap<string, Uint8Array>): {
  readonly names: readonly Uint8Array[];
  readonly leaves: Uint8Array[];
} {
  const sorted = [...hashes].map(([name, hash]) => [utf8(name), hash] as const).sort((a, b) => compare(a[0], b[0]));
  const leaves = sorted.map(([name, hash]) => {
    const valueHash = hashOfRoot(hash);
    return new ProtoWriter().rawVarint(name.length).raw(name).rawVarint(valueHash.length).raw(valueHash).finish();
  });
  return { names: sorted.map(([name]) => name), leaves };
}

/** 32 bytes: simple-Merkle root over the stores by name; SHA-256 of nothing when there are none. */
export function multistoreHash(hashes: ReadonlyMap<string, Uint8Array>): Uint8Array {
  return merkleRootOfLeafHashes(leavesOf(hashes).leaves.map(leafHash));
}

/** That store `name` has its root in the app hash, for `tendermintSpec`. */
export function proveStore(hashes: ReadonlyMap<string, Uint8Array>, name: string): ExistenceProof {
  const key = utf8(name);
  const { names, leaves } = leavesOf(hashes);
  const index = names.findIndex((each) => compare(each, key) === 0);
  const proof = merkleProofs(leaves).proofs[index];
  const value = hashes.get(name);
  assert(proof !== undefined && value !== undefined, `there is no store ${name}`);
  const sides = merkleSides(proof.total, proof.index);
  return {
    key,
    value,
    leaf: tendermintSpec.leafSpec,
    path: proof.aunts.map((aunt, level) =>
      sides[level] === 'left'
        ? { hash: HASH_OP.sha256, prefix: INNER_PREFIX, suffix: aunt }
        : { hash: HASH_OP.sha256, prefix: concat(INNER_PREFIX, aunt), suffix: EMPTY },
    ),
  };
}

export type StoreRoots = ReadonlyMap<string, NodeLink | undefined>;

/** How records are laid out: the first byte of a commit record. Others are refused when the database is opened. */
const LAYOUT_VERSION = 0x82;

/** Layout version; then for each store: name length u8 ‖ name ‖ 00 when empty, else 01 ‖ link to the root. */
export function encodeRoots(roots: StoreRoots): Uint8Array {
  return concat(
    Uint8Array.of(LAYOUT_VERSION),
    ...[...roots].map(([name, root]) => {
      const bytes = utf8(name);
      const head = concat(Uint8Array.of(bytes.length), bytes, Uint8Array.of(root === undefined ? 0 : 1));
      if (root === undefined) return head;
      const tail = new Uint8Array(LINK_BYTES);
      writeLink(tail, 0, root);
      return concat(head, tail);
    }),
  );
}

/**
 * @throws RangeError for a database of another layout.
 * @throws AssertionError on a record that we did not write: the database is damaged.
 */
export function decodeRoots(record: Uint8Array): Map<string, NodeLink | undefined> {
  if (record[0] !== LAYOUT_VERSION)
    throw new RangeError(
      `the state database has layout ${record[0]}, expected ${LAYOUT_VERSION}: it was written by another version of this program`,
    );
  const roots = new Map<string, NodeLink | undefined>();
  for (let at = 1; at < record.length; ) {
    const nameEnd = at + 1 + (record[at] as number);
    const flag = record[nameEnd];
    assert(flag === 0 || flag === 1, 'a commit record is damaged');
    const next = nameEnd + 1 + (flag === 1 ? LINK_BYTES : 0);
    assert(next <= record.length, 'a commit record is cut short');
    roots.set(fromUtf8(record.subarray(at + 1, nameEnd)), flag === 1 ? readLink(record, nameEnd + 1) : undefined);
    at = next;
  }
  return roots;
}
