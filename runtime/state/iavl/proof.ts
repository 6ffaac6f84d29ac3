/** ICS-23 proofs from a saved tree (the form of cosmos/iavl's proof_ics23.go, for `iavlSpec`). */
import { compare, concat, EMPTY, equal } from '#core/bytes.ts';
import { type CommitmentProof, type ExistenceProof, HASH_OP, type InnerOp, LENGTH_OP } from '#core/ics23/types.ts';
import { type NodeRef, nodeHeader } from './node.ts';
import type { NodeStore } from './node-store.ts';
import { TreeReader } from './tree.ts';

const HASH_LENGTH = Uint8Array.of(32);

/** Existence of `key` with its value, or its absence between its neighbours. */
export function proveKey(
  nodes: NodeStore,
  root: NodeRef,
  key: Uint8Array,
): { readonly value: Uint8Array | undefined; readonly proof: CommitmentProof } {
  const exist = existence(nodes, root, key);
  if (exist !== undefined) return { value: exist.value, proof: { kind: 'exist', exist } };
  const reader = new TreeReader(nodes, root);
  const neighbour = (found: Iterable<readonly [Uint8Array, Uint8Array]>) => {
    for (const [at] of found) return existence(nodes, root, at);
    return undefined;
  };
  const left = neighbour(reader.entries({ lt: key, reverse: true, limit: 1 }));
  const right = neighbour(reader.entries({ gte: key, limit: 1 }));
  return { value: undefined, proof: { kind: 'nonexist', nonexist: { key, left, right } } };
}

function existence(nodes: NodeStore, root: NodeRef, key: Uint8Array): ExistenceProof | undefined {
  const path: InnerOp[] = [];
  let ref = root;
  let node = nodes.load(ref);
  while (node.kind === 'inner') {
    const { left, right } = node;
    if (left.kind !== 'ref' || right.kind !== 'ref') return undefined;
    const header = nodeHeader(node.height, node.size, ref.version);
    if (compare(key, node.key) < 0) {
      path.push({
        hash: HASH_OP.sha256,
        prefix: concat(header, HASH_LENGTH),
        suffix: concat(HASH_LENGTH, right.hash),
      });
      ref = left;
    } else {
      path.push({ hash: HASH_OP.sha256, prefix: concat(header, HASH_LENGTH, left.hash, HASH_LENGTH), suffix: EMPTY });
      ref = right;
    }
    node = nodes.load(ref);
  }
  if (!equal(node.key, key)) return undefined;
  return {
    key: node.key,
    value: node.value,
    leaf: {
      hash: HASH_OP.sha256,
      prehashKey: HASH_OP.noHash,
      prehashValue: HASH_OP.sha256,
      length: LENGTH_OP.varProto,
      prefix: nodeHeader(0, 1, ref.version),
    },
    path: path.reverse(),
  };
}
