import type { Entry } from './harness.ts';
import { sha256 } from './sha256.ts';

/** Everything that `npm run bench` can measure, in order. */
export const entries: readonly Entry[] = [sha256];
