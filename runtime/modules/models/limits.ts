/** Bounds of what a registration says about its model. */
export const MODEL_LIMITS = {
  nameBytes: 64,
  descriptionBytes: 2_048,
  licenceBytes: 64,
  /** A component inside a transaction, whatever the parameters say: known to CheckTx without any state. */
  componentBytes: 512 * 1024,
  /** ucredit: ten million dollars a call. */
  maxPrice: 1_000_000_000_000n,
  /** Of one query page. */
  pageEntries: 100,
  defaultPageEntries: 20,
} as const;
