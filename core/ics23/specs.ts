/** The stock proof specs of ICS-23 (go/proof.go of cosmos/ics23). */
import { EMPTY } from '../bytes.ts';
import { HASH_OP, LENGTH_OP, type ProofSpec } from './types.ts';

export const iavlSpec: ProofSpec = {
  leafSpec: {
    prefix: Uint8Array.of(0),
    prehashKey: HASH_OP.noHash,
    hash: HASH_OP.sha256,
    prehashValue: HASH_OP.sha256,
    length: LENGTH_OP.varProto,
  },
  innerSpec: {
    childOrder: [0, 1],
    minPrefixLength: 4,
    maxPrefixLength: 12,
    childSize: 33,
    emptyChild: EMPTY,
    hash: HASH_OP.sha256,
  },
  maxDepth: 0,
  minDepth: 0,
  prehashKeyBeforeComparison: false,
};

export const tendermintSpec: ProofSpec = {
  leafSpec: iavlSpec.leafSpec,
  innerSpec: {
    childOrder: [0, 1],
    minPrefixLength: 1,
    maxPrefixLength: 1,
    childSize: 32,
    emptyChild: EMPTY,
    hash: HASH_OP.sha256,
  },
  maxDepth: 0,
  minDepth: 0,
  prehashKeyBeforeComparison: false,
};

/** Sparse Merkle tree of celestiaorg/smt. */
export const smtSpec: ProofSpec = {
  leafSpec: {
    prefix: Uint8Array.of(0),
    prehashKey: HASH_OP.sha256,
    hash: HASH_OP.sha256,
    prehashValue: HASH_OP.sha256,
    length: LENGTH_OP.noPrefix,
  },
  innerSpec: {
    childOrder: [0, 1],
    minPrefixLength: 1,
    maxPrefixLength: 1,
    childSize: 32,
    emptyChild: new Uint8Array(32),
    hash: HASH_OP.sha256,
  },
  maxDepth: 256,
  minDepth: 0,
  prehashKeyBeforeComparison: true,
};

/** As cosmos/ics23 recognises IAVL, whose operations get the extra checks of its node format. */
export function isIavlSpec(spec: ProofSpec): boolean {
  const { leafSpec: leaf, innerSpec: inner } = spec;
  const { leafSpec, innerSpec } = iavlSpec;
  return (
    leaf.hash === leafSpec.hash &&
    leaf.prehashKey === leafSpec.prehashKey &&
    leaf.prehashValue === leafSpec.prehashValue &&
    leaf.length === leafSpec.length &&
    inner.hash === innerSpec.hash &&
    inner.minPrefixLength === innerSpec.minPrefixLength &&
    inner.maxPrefixLength === innerSpec.maxPrefixLength &&
    inner.childSize === innerSpec.childSize &&
    inner.childOrder.length === innerSpec.childOrder.length
  );
}
