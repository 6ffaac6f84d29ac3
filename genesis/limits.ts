/** Named limits of genesis documents. */
export const GENESIS_LIMITS = {
  /** Bytes of the JSON text. */
  maxDocumentBytes: 536_870_912,
  /** Validators at genesis. */
  maxValidators: 1_000,
  maxNameCharacters: 70,
} as const;
