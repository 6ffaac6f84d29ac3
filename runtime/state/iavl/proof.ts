/** ICS-23 proofs from a saved tree (the form of cosmos/iavl's proof_ics23.go, for `iavlSpec`). */
import { concat, EMPTY } from '#core/bytes.ts';
import { type CommitmentProof, type ExistenceProof, HASH_OP, type InnerOp, LENGTH_OP } from '#core/ics23/types.ts';
import { idOf } from '../key-id.ts';
import { ROOT } from './arena.ts';
import { nodeHeader } from './hash.ts';
import { HASH_BYTES } from './record.ts';
import type { IdRange, Tree } from './tree.ts';

const HASH_LENGTH = Uint8Array.of(HASH_BYTES);

/** Existence of `key` with its value, or its absence between its neighbours. Not for an empty tree. */
export function proveKey(
  tree: Tree,
  key: Uint8Array,
): { readonly value: Uint8Array | undefined; readonly proof: CommitmentProof } {
  const id = idOf(key);
  const exist = existence(tree, id);
  if (exist !== undefined) return { value: exist.value, proof: { kind: 'exist', exist } };
  const left = neighbour(tree, { gte: undefined, lt: id, reverse: true });
  const right = neighbour(tree, { gte: id, lt: undefined, reverse: false });
  return { value: undefined, proof: { kind: 'nonexist', nonexist: { key, left, right } } };
}

function neighbour(tree: Tree, range: IdRange): ExistenceProof | undefined {
  const { gte, lt } = range;
  for (const leaf of tree.collect(range, 2)) {
    const id = leaf.id ?? idOf(tree.nodes.leaf(leaf.version, leaf.nonce).key);
    if ((gte === undefined || id >= gte) && (lt === undefined || id < lt)) return existence(tree, id);
  }
  return undefined;
}

function existence(tree: Tree, id: string): ExistenceProof | undefined {
  const { arena } = tree;
  const path: InnerOp[] = [];
  const hashOf = (link: number) => arena.hashes.slice(link * HASH_BYTES, (link + 1) * HASH_BYTES);
  let link = ROOT;
  while (arena.height(link) > 0) {
    const node = tree.inner(link);
    const header = nodeHeader(arena.height(link), arena.size(link), arena.version(link));
    const left = 2 * node;
    if (id < arena.keyOf(node)) {
      const suffix = concat(HASH_LENGTH, hashOf(left + 1));
      path.push({ hash: HASH_OP.sha256, prefix: concat(header, HASH_LENGTH), suffix });
      link = left;
    } else {
      const prefix = concat(header, HASH_LENGTH, hashOf(left), HASH_LENGTH);
      path.push({ hash: HASH_OP.sha256, prefix, suffix: EMPTY });
      link = left + 1;
    }
  }
  const { key, value } = tree.leaf(link);
  if (idOf(key) !== id) return undefined;
  return {
    key,
    value,
    leaf: {
      hash: HASH_OP.sha256,
      prehashKey: HASH_OP.noHash,
      prehashValue: HASH_OP.sha256,
      length: LENGTH_OP.varProto,
      prefix: nodeHeader(0, 1, arena.version(link)),
    },
    path: path.reverse(),
  };
}
