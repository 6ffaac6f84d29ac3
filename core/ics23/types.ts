/**
 * Vector commitments: the data of ICS-23 (https://github.com/cosmos/ibc/tree/main/spec/core/ics-023-vector-commitments,
 * messages cosmos.ics23.v1). Operation numbers are those of the protobuf enums.
 */

export const HASH_OP = {
  noHash: 0,
  sha256: 1,
  sha512: 2,
  keccak256: 3,
  ripemd160: 4,
  bitcoin: 5,
  sha512_256: 6,
  blake2b512: 7,
  blake2s256: 8,
  blake3: 9,
} as const;

export const LENGTH_OP = {
  noPrefix: 0,
  varProto: 1,
  varRlp: 2,
  fixed32Big: 3,
  fixed32Little: 4,
  fixed64Big: 5,
  fixed64Little: 6,
  require32Bytes: 7,
  require64Bytes: 8,
} as const;

/** How key and value become the hash of a leaf: hash(prefix ‖ length(prehash(key)) ‖ length(prehash(value))). */
export interface LeafOp {
  readonly hash: number;
  readonly prehashKey: number;
  readonly prehashValue: number;
  readonly length: number;
  readonly prefix: Uint8Array;
}

/** One step towards the root: hash(prefix ‖ child ‖ suffix). */
export interface InnerOp {
  readonly hash: number;
  readonly prefix: Uint8Array;
  readonly suffix: Uint8Array;
}

export interface ExistenceProof {
  readonly key: Uint8Array;
  readonly value: Uint8Array;
  readonly leaf: LeafOp | undefined;
  /** From the leaf's parent to the root. */
  readonly path: readonly InnerOp[];
}

export interface NonExistenceProof {
  readonly key: Uint8Array;
  /** The neighbour below `key`; undefined when there is none. */
  readonly left: ExistenceProof | undefined;
  readonly right: ExistenceProof | undefined;
}

export type SingleProof =
  | { readonly kind: 'exist'; readonly exist: ExistenceProof }
  | { readonly kind: 'nonexist'; readonly nonexist: NonExistenceProof };

/** A compressed batch is unpacked by the decoder. */
export type CommitmentProof = SingleProof | { readonly kind: 'batch'; readonly entries: readonly SingleProof[] };

export interface InnerSpec {
  /** Order of the children in the hash, as branch numbers. */
  readonly childOrder: readonly number[];
  /** Bytes that one child takes, a length byte included. */
  readonly childSize: number;
  readonly minPrefixLength: number;
  readonly maxPrefixLength: number;
  /** What stands for an absent child; empty when the tree has none. */
  readonly emptyChild: Uint8Array;
  readonly hash: number;
}

export interface ProofSpec {
  readonly leafSpec: LeafOp;
  readonly innerSpec: InnerSpec;
  /** 0: the default of 128. */
  readonly maxDepth: number;
  readonly minDepth: number;
  /** Neighbours are ordered by the hash of their keys. */
  readonly prehashKeyBeforeComparison: boolean;
}
