/** The command line of `npm run app-sim`: what it may say, and what is wrong with it otherwise. */
import { parseArgs } from 'node:util';
import { err, ok, type Result } from '#core/result.ts';

export const USAGE = `npm run app-sim -- [--seeds 10] [--from 1] [--blocks 2000] …
  random blocks on several applications at once; a failure prints the command that replays it, and ends with status 1
    --seeds N      how many seeds; default 10
    --from N       the first one; default 1. A seed is the same run everywhere
    --blocks N     blocks of each; default 2000. From 2000 in all on, every operation must have succeeded
    --in-memory    the application that restarts does not lie on a disk
    --minutes N    begins no new seed after so many minutes
    --only H,H,…   transactions of these heights alone, of one seed: what a failure was made smaller to
    --no-shrink    a failure is not tried again with fewer transactions
`;

/** Blocks, of all seeds together, from which on each operation must have been seen to succeed. */
export const LONG = 2_000;

export interface AppSimArguments {
  readonly seeds: number;
  readonly from: number;
  readonly blocks: number;
  readonly inMemory: boolean;
  readonly minutes: number | undefined;
  readonly shrink: boolean;
  /** Heights whose transactions are sent; undefined: all. */
  readonly only: ReadonlySet<number> | undefined;
}

const MAX_SEED = 0xffff_ffff;

function whole(name: string, text: string, low: number, high: number): number {
  const value = /^[0-9]{1,10}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= low && value <= high) return value;
  throw new RangeError(`--${name}: expected a whole number ${low} … ${high}, got ${text}`);
}

function heights(text: string): ReadonlySet<number> {
  return new Set(text.split(',').map((one) => whole('only', one, 1, 1_000_000)));
}

/** `undefined`: help is asked for. */
export function readArguments(args: readonly string[]): Result<AppSimArguments | undefined, string> {
  try {
    const { values } = parseArgs({
      args: [...args],
      options: {
        help: { type: 'boolean', short: 'h' },
        seeds: { type: 'string', default: '10' },
        from: { type: 'string', default: '1' },
        blocks: { type: 'string', default: '2000' },
        'in-memory': { type: 'boolean', default: false },
        minutes: { type: 'string' },
        only: { type: 'string' },
        'no-shrink': { type: 'boolean', default: false },
      },
    });
    if (values.help === true) return ok(undefined);
    const from = whole('from', values.from, 0, MAX_SEED);
    return ok({
      seeds: whole('seeds', values.seeds, 1, MAX_SEED - from + 1),
      from,
      blocks: whole('blocks', values.blocks, 1, 1_000_000),
      inMemory: values['in-memory'],
      minutes: values.minutes === undefined ? undefined : whole('minutes', values.minutes, 1, 1_000_000),
      shrink: !values['no-shrink'],
      only: values.only === undefined ? undefined : heights(values.only),
    });
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
}

export function replayCommand(seed: number, blocks: number, only?: Iterable<number>): string {
  const some = only === undefined ? '' : ` --only ${[...only].join()}`;
  return `npm run app-sim -- --seeds 1 --from ${seed} --blocks ${blocks}${some}`;
}
