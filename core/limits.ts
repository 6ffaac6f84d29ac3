/** Named limits of the block and vote types. Values that CometBFT v0.38 fixes are its own. */
export const LIMITS = {
  /** types/params.go MaxBlockSizeBytes. */
  maxBlockBytes: 104_857_600,
  /** types/params.go BlockPartSizeBytes. */
  blockPartBytes: 65_536,
  /** ⌈maxBlockBytes ÷ blockPartBytes⌉ + 1, as types/params.go MaxBlockPartsCount. */
  maxBlockParts: 1_601,
  /** types/vote_set.go MaxVotesCount. */
  maxValidators: 10_000,
  /** types/genesis.go MaxChainIDLen. */
  maxChainIdBytes: 50,
  maxHashBytes: 32,
  maxSignatureBytes: 64,
  /** Bytes of one vote extension. */
  maxExtensionBytes: 65_536,
  maxTxBytes: 1_048_576,
  maxTxsPerBlock: 100_000,
  maxEvidencePerBlock: 1_000,
  /** Aunts of a Merkle proof: depth of a tree of 2^100 leaves, as crypto/merkle MaxAunts. */
  maxMerkleAunts: 100,
  /** types/validator_set.go MaxTotalVotingPower = ⌊(2^63 − 1) ÷ 8⌋. */
  maxTotalVotingPower: 1_152_921_504_606_846_975n,
} as const;

/** Bounds of ICS-23 proofs that come from outside. */
export const ICS23_LIMITS = {
  /** A whole encoded CommitmentProof. */
  proofBytes: 4 * 1024 * 1024,
  keyBytes: 64 * 1024,
  valueBytes: 2 * 1024 * 1024,
  /** Prefix of a leaf, prefix or suffix of an inner operation. */
  affixBytes: 4096,
  /** Inner operations of one existence proof: the depth of a sparse Merkle tree. */
  pathOps: 256,
  /** Depth allowed by a spec that names none (cosmos/ics23). */
  defaultDepth: 128,
  batchEntries: 4096,
  /** Inner operations after a compressed batch is unpacked. */
  batchOps: 65_536,
} as const;
