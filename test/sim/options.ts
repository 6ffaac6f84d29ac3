/** What a simulation can be told. Imports nothing: the search reads it before it loads an engine that it has mutated. */

/**
 * How Byzantine validators misbehave.
 * `twins`: two processes with one key and no memory of what was signed, each playing for one half of the network.
 * `equivocate`: sends every other peer a second vote. `withhold`: drops half of what it should send.
 * `amnesia`: loses its log and what it has signed at every crash, and crashes often: it votes again, lock or no lock.
 * `bad-proposals`: proposes what the application refuses. `bad-extensions`: extends its votes wrongly.
 * `two-proposals`: in its turn shows every other peer a second block, and votes for each block where it was shown.
 */
export const BYZANTINE_KINDS = [
  'twins',
  'equivocate',
  'withhold',
  'amnesia',
  'bad-proposals',
  'bad-extensions',
  'two-proposals',
] as const;
export type ByzantineKind = (typeof BYZANTINE_KINDS)[number];

export const LATENCIES = ['lan', 'wan'] as const;
export type Latency = (typeof LATENCIES)[number];

export interface SimOptions {
  readonly seed: number;
  /** Number of validators. */
  readonly nodes: number;
  /** Byzantine ones among them, and what they do; `undefined`: drawn by the seed. */
  readonly byzantine: number;
  readonly kinds: readonly ByzantineKind[] | undefined;
  /** Loss, partitions, crashes for so long; 0: a calm network all the way. Simulated milliseconds. */
  readonly chaosMs: number;
  /** So long after healing the clock for liveness starts; earlier than 3,000 it waits for those who are still down. */
  readonly settleMs: number;
  /** After healing every honest node must gain `healHeights` within this time. */
  readonly healMs: number;
  readonly healHeights: number;
  readonly crashes: boolean;
  /**
   * Powers differ, validators join and leave, disks are slow, the chain begins at a later height and switches vote
   * extensions on while it runs.
   */
  readonly changes: boolean;
  /** While there is chaos, processors are slow or stand still for a while, and clocks jump. */
  readonly strain: boolean;
  /** The first node crashes once, after this many port calls from when it has committed two blocks. */
  readonly crashAfter?: number;
  /** How long it then stays down; 50 when left out. */
  readonly downMs?: number;
  /** After so many port calls from its return, while it catches up, it crashes once more. */
  readonly crashAgainAfter?: number;
}

export const DEFAULT_SIM: Omit<SimOptions, 'seed'> = {
  nodes: 4,
  byzantine: 0,
  kinds: undefined,
  chaosMs: 10_000,
  settleMs: 3_000,
  healMs: 30_000,
  healHeights: 5,
  crashes: true,
  changes: false,
  strain: false,
};
