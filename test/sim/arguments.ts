/** The command line of `npm run sim`: what it may say, and what is wrong with it otherwise. */
import { parseArgs } from 'node:util';
import { err, ok, type Result } from '#core/result.ts';
import {
  BYZANTINE_KINDS,
  type ByzantineKind,
  DEFAULT_SIM,
  LATENCIES,
  type Latency,
  type SimOptions,
} from './options.ts';
import { Rng } from './rng.ts';

export const USAGE = `npm run sim -- [--seeds 100] [--from 1] [--nodes 4] …
  runs seeds one after another; a failure prints the command that replays it, and ends with status 1
    --seeds N         how many seeds; default 100
    --from N          the first one; default 1. Ranges may be shared among processes: a seed is the same run in each
    --nodes N|A..B    validators; of a range the seed picks; default 4
    --byzantine N|A..B  Byzantine ones among them; default 0 up to below a third
    --kind K[,K…]     what they do: ${BYZANTINE_KINDS.join(', ')}
    --chaos MS        simulated milliseconds of faults; default ${DEFAULT_SIM.chaosMs}; 0: a calm network
    --heights N       heights that each honest node must gain once all is healed; default ${DEFAULT_SIM.healHeights}
    --settle MS       between healing and the first of them; default ${DEFAULT_SIM.settleMs}
    --no-crashes      nobody crashes
    --plain           equal powers, no changes of validators, fast disks and processors, clocks that do not jump
    --failures N      goes on until so many seeds have failed; default 1
    --minutes N       begins no new seed after so many minutes

npm run sim -- --exhaustive [--states 600000]
  all orders of messages of two rounds within bounds

npm run sim -- --latency ${LATENCIES.join('|')} [--nodes 175] [--heights 3]
  what consensus costs by the number of validators
`;

/** Both included. */
interface Range {
  readonly low: number;
  readonly high: number;
}

export interface SeedArguments {
  readonly mode: 'seeds';
  readonly from: number;
  readonly seeds: number;
  readonly nodes: Range;
  /** `undefined`: any number that is tolerated. */
  readonly byzantine: Range | undefined;
  readonly kinds: readonly ByzantineKind[] | undefined;
  readonly chaosMs: number;
  readonly healHeights: number;
  readonly settleMs: number;
  readonly crashes: boolean;
  readonly plain: boolean;
  readonly failures: number;
  readonly minutes: number | undefined;
}

export type SimArguments =
  | { readonly mode: 'help' }
  | SeedArguments
  | { readonly mode: 'exhaustive'; readonly states: number; readonly mutation: string | undefined }
  | {
      readonly mode: 'latency';
      readonly latency: Latency;
      readonly nodes: number;
      readonly heights: number;
    };

const OPTIONS = {
  help: { type: 'boolean', short: 'h' },
  seeds: { type: 'string' },
  from: { type: 'string' },
  nodes: { type: 'string' },
  byzantine: { type: 'string' },
  kind: { type: 'string' },
  chaos: { type: 'string' },
  heights: { type: 'string' },
  settle: { type: 'string' },
  'no-crashes': { type: 'boolean' },
  plain: { type: 'boolean' },
  failures: { type: 'string' },
  minutes: { type: 'string' },
  exhaustive: { type: 'boolean' },
  states: { type: 'string' },
  mutation: { type: 'string' },
  latency: { type: 'string' },
} as const;

type Values = ReturnType<typeof parseArgs<{ options: typeof OPTIONS }>>['values'];

const SEED_OPTIONS = [
  'seeds',
  'from',
  'nodes',
  'byzantine',
  'kind',
  'chaos',
  'heights',
  'settle',
  'no-crashes',
  'plain',
] as const;

/** What each mode takes, besides the option that names it. */
const MODES = {
  seeds: [...SEED_OPTIONS, 'failures', 'minutes'],
  exhaustive: ['exhaustive', 'states', 'mutation'],
  latency: ['latency', 'nodes', 'heights'],
} as const;

/** Seeds are 32 bits. */
const MAX_SEED = 0xffff_ffff;
const MAX_NODES = 1_000;

export function readArguments(args: readonly string[]): Result<SimArguments, string> {
  let values: Values;
  try {
    values = parseArgs({ args: [...args], options: OPTIONS }).values;
  } catch (error) {
    return err(error instanceof Error ? error.message : String(error));
  }
  if (values.help === true) return ok({ mode: 'help' });
  const mode = values.exhaustive === true ? 'exhaustive' : values.latency !== undefined ? 'latency' : 'seeds';
  const known: readonly string[] = MODES[mode];
  const stray = Object.keys(values).find((name) => !known.includes(name));
  if (stray !== undefined) return err(`--${stray} has no meaning ${mode === 'seeds' ? 'here' : `with --${mode}`}`);
  try {
    return ok(interpret(mode, values));
  } catch (error) {
    if (error instanceof Misuse) return err(error.message);
    throw error;
  }
}

class Misuse extends Error {
  override readonly name = 'Misuse';
}

function interpret(mode: keyof typeof MODES, values: Values): SimArguments {
  switch (mode) {
    case 'exhaustive':
      return { mode, states: whole('states', values.states ?? '600000', 1), mutation: values.mutation };
    case 'latency': {
      const latency = LATENCIES.find((each) => each === values.latency);
      if (latency === undefined)
        throw new Misuse(`--latency: expected one of ${LATENCIES.join(', ')}, got ${values.latency}`);
      const nodes = whole('nodes', values.nodes ?? '175', 4, MAX_NODES);
      return { mode, latency, nodes, heights: whole('heights', values.heights ?? '3', 1) };
    }
    case 'seeds':
      return seedArguments(values);
  }
}

function seedArguments(values: Values): SeedArguments {
  const from = whole('from', values.from ?? '1', 0, MAX_SEED);
  const nodes = range('nodes', values.nodes ?? '4', 1, MAX_NODES);
  // More than are tolerated may be asked for: to see what breaks. But somebody must be honest.
  const byzantine = values.byzantine === undefined ? undefined : range('byzantine', values.byzantine, 0, nodes.low - 1);
  return {
    mode: 'seeds',
    from,
    seeds: whole('seeds', values.seeds ?? '100', 1, MAX_SEED - from + 1),
    nodes,
    byzantine,
    kinds: values.kind?.split(',').map(kindOf),
    chaosMs: whole('chaos', values.chaos ?? String(DEFAULT_SIM.chaosMs), 0),
    healHeights: whole('heights', values.heights ?? String(DEFAULT_SIM.healHeights), 1),
    settleMs: whole('settle', values.settle ?? String(DEFAULT_SIM.settleMs), 0),
    crashes: values['no-crashes'] !== true,
    plain: values.plain === true,
    failures: whole('failures', values.failures ?? '1', 1),
    minutes: values.minutes === undefined ? undefined : minutesOf(values.minutes),
  };
}

function whole(name: string, text: string, low: number, high: number = Number.MAX_SAFE_INTEGER): number {
  const value = /^\d{1,16}$/.test(text) ? Number(text) : Number.NaN;
  if (value >= low && value <= high) return value;
  const expected = high === Number.MAX_SAFE_INTEGER ? `of ${low} or more` : `from ${low} to ${high}`;
  throw new Misuse(`--${name}: expected a whole number ${expected}, got ${JSON.stringify(text)}`);
}

function range(name: string, text: string, low: number, high: number): Range {
  const match = /^(\d+)(?:\.\.(\d+))?$/.exec(text);
  const [, first, last = first] = match ?? [];
  if (first === undefined || last === undefined)
    throw new Misuse(`--${name}: expected a number or a range such as 4..16, got ${JSON.stringify(text)}`);
  const read = { low: whole(name, first, low, high), high: whole(name, last, low, high) };
  if (read.low > read.high) throw new Misuse(`--${name}: expected a range that ascends, got ${JSON.stringify(text)}`);
  return read;
}

function kindOf(text: string): ByzantineKind {
  const kind = BYZANTINE_KINDS.find((each) => each === text);
  if (kind === undefined)
    throw new Misuse(`--kind: expected one of ${BYZANTINE_KINDS.join(', ')}, got ${JSON.stringify(text)}`);
  return kind;
}

function minutesOf(text: string): number {
  const value = /^\d{1,6}(\.\d{1,6})?$/.test(text) ? Number(text) : 0;
  if (value > 0) return value;
  throw new Misuse(`--minutes: expected a number of minutes such as 8 or 1.5, got ${JSON.stringify(text)}`);
}

/** The number of nodes and of Byzantine ones follow from the seed, so that one seed names one run. */
export function optionsOf(args: SeedArguments, seed: number): SimOptions {
  const rng = new Rng(seed ^ 0x5eed);
  const nodes = rng.between(args.nodes.low, args.nodes.high);
  const tolerated = Math.floor((nodes - 1) / 3);
  const { low, high } = args.byzantine ?? { low: 0, high: tolerated };
  return {
    ...DEFAULT_SIM,
    seed,
    nodes,
    byzantine: rng.between(low, high),
    kinds: args.kinds,
    chaosMs: args.chaosMs,
    crashes: args.crashes,
    changes: !args.plain,
    strain: !args.plain,
    healHeights: args.healHeights,
    settleMs: args.settleMs,
    healMs: Math.max(DEFAULT_SIM.healMs, 3_000 * args.healHeights),
  };
}

/** What runs `options` again, and nothing else. */
export function replayCommand(options: SimOptions): string {
  const parts = ['npm run sim -- --seeds 1', `--from ${options.seed}`, `--nodes ${options.nodes}`];
  parts.push(`--byzantine ${options.byzantine}`, `--chaos ${options.chaosMs}`, `--heights ${options.healHeights}`);
  if (options.kinds !== undefined) parts.push(`--kind ${options.kinds.join()}`);
  if (options.settleMs !== DEFAULT_SIM.settleMs) parts.push(`--settle ${options.settleMs}`);
  if (!options.crashes) parts.push('--no-crashes');
  if (!options.changes) parts.push('--plain');
  return parts.join(' ');
}
