/** A node's own timing (config.toml [consensus] of CometBFT v0.38). It may differ between nodes. Milliseconds. */
export interface EngineConfig {
  readonly timeoutProposeMs: number;
  readonly timeoutProposeDeltaMs: number;
  readonly timeoutPrevoteMs: number;
  readonly timeoutPrevoteDeltaMs: number;
  readonly timeoutPrecommitMs: number;
  readonly timeoutPrecommitDeltaMs: number;
  readonly timeoutCommitMs: number;
  /** Begin the next height as soon as every validator's precommit is in. */
  readonly skipTimeoutCommit: boolean;
  readonly createEmptyBlocks: boolean;
  /** With `createEmptyBlocks` off: propose an empty block after this long without transactions; 0: never. */
  readonly createEmptyBlocksIntervalMs: number;
}

/** config/config.go DefaultConsensusConfig. */
export const DEFAULT_ENGINE_CONFIG: EngineConfig = {
  timeoutProposeMs: 3000,
  timeoutProposeDeltaMs: 500,
  timeoutPrevoteMs: 1000,
  timeoutPrevoteDeltaMs: 500,
  timeoutPrecommitMs: 1000,
  timeoutPrecommitDeltaMs: 500,
  timeoutCommitMs: 1000,
  skipTimeoutCommit: false,
  createEmptyBlocks: true,
  createEmptyBlocksIntervalMs: 0,
};
