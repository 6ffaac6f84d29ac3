/** Bounds of proofs that come from outside. */
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
