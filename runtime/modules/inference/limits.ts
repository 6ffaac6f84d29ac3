export const INFERENCE_LIMITS = {
  /** Jobs of one query page. */
  pageEntries: 100,
  defaultPageEntries: 20,
  /** Providers in one answer. */
  providersAnswered: 1_000,
  /** An input or output inside a transaction, whatever the parameters say. */
  inlineBytes: 64 * 1024,
} as const;
