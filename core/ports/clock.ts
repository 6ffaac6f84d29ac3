import type { Timestamp } from '../types/timestamp.ts';

/** Wall-clock time, for stamping votes and proposals. Never read inside the deterministic layers. */
export interface Clock {
  now(): Timestamp;
}
