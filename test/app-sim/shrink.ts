/** Makes a failing run smaller: which blocks' transactions does it take? */
import { replayCommand } from './arguments.ts';
import { type SimulationOptions, simulate } from './run.ts';

/** Runs begun after so long are not worth the wait. */
const PATIENCE_MS = 180_000;

export interface Shrunk {
  readonly blocks: number;
  /** Heights whose transactions are sent. */
  readonly only: readonly number[];
  readonly failure: string;
}

/**
 * Leaves out the transactions of ever fewer blocks at once, as long as some block of the run still fails. Runs take turns
 * until `patience` milliseconds are over.
 */
export async function shrink(options: SimulationOptions, patience: number): Promise<Shrunk | undefined> {
  const until = performance.now() + patience;
  let best: Shrunk | undefined;
  let kept = Array.from({ length: options.blocks }, (_, i) => i + 1);
  for (let size = Math.ceil(kept.length / 2); size > 0; size = size === 1 ? 0 : Math.ceil(size / 2)) {
    for (let at = 0; at < kept.length && performance.now() < until; ) {
      const fewer = [...kept.slice(0, at), ...kept.slice(at + size)];
      const blocks = best?.blocks ?? options.blocks;
      const report = await simulate({ ...options, blocks, only: new Set(fewer) });
      if (report.failure === undefined) {
        at += size;
        continue;
      }
      const last = report.blocks + 1;
      kept = fewer.filter((height) => height <= last);
      best = { blocks: last, only: kept, failure: report.failure };
    }
  }
  return best;
}

export async function shrinkSeed(options: SimulationOptions): Promise<string> {
  console.error('trying with fewer transactions …');
  const shrunk = await shrink(options, PATIENCE_MS);
  if (shrunk === undefined) return 'it takes the transactions of nearly all blocks';
  const { blocks, only, failure } = shrunk;
  return `also without most transactions: ${failure}\n${replayCommand(options.seed, blocks, only)}`;
}
