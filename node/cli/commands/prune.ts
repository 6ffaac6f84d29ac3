import { Argument, Command } from 'commander';
import type { PruningPolicy } from '#runtime/state/pruning.ts';
import { type KeptRange, pruneHome } from '../../offline/prune.ts';
import { formatBytes } from '../bytes-text.ts';
import { CliError, createOutput, homeOption, type OutputFlags, outputOption, withOptions } from '../context.ts';
import { unsigned } from '../unsigned.ts';

interface Flags extends OutputFlags {
  readonly home: string;
  readonly pruningKeepRecent?: bigint;
  readonly pruningInterval?: bigint;
  readonly minRetainBlocks?: bigint;
}

const METHODS = ['default', 'nothing', 'everything', 'custom'] as const;
const CUSTOM_INTERVAL = 10n;

function policyOf(method: (typeof METHODS)[number] | undefined, flags: Flags): PruningPolicy | undefined {
  const { pruningKeepRecent: keepRecent, pruningInterval: interval } = flags;
  if (method !== 'custom') {
    if (keepRecent !== undefined || interval !== undefined)
      throw new CliError(
        '--pruning-keep-recent and --pruning-interval go with the method custom: autond prune custom …',
      );
    return method === undefined ? undefined : { kind: method };
  }
  if (keepRecent === undefined) throw new CliError('custom needs --pruning-keep-recent: how many states are kept');
  return { kind: 'custom', keepRecent, interval: interval ?? CUSTOM_INTERVAL };
}

const KEPT_FOR = {
  snapshot: '         some stay for a snapshot: autond snapshots list',
  evidence: '         some stay because evidence of their heights may be punished still',
} as const;

const rangeText = ({ from, to }: KeptRange): string => `${from} … ${to}`;

export function pruneCommand(): Command {
  const command = new Command('prune')
    .description('free old states, blocks and index entries of a stopped node, and give the disk back what they took')
    .addArgument(new Argument('[method]', 'which states are kept; by default as config.toml says').choices(METHODS))
    .option('--pruning-keep-recent <count>', 'with custom: how many states are kept, 2 or more', unsigned)
    .option(
      '--pruning-interval <blocks>',
      'with custom: the last multiple of it counts; 10, the default, or more',
      unsigned,
    )
    .option('--min-retain-blocks <count>', 'blocks that are kept; 0: all; by default as config.toml says', unsigned);
  return withOptions(command, [homeOption(), outputOption()]).action(
    async (method: (typeof METHODS)[number] | undefined, flags: Flags) => {
      const output = createOutput(flags.output);
      const policy = policyOf(method, flags);
      const { minRetainBlocks } = flags;
      const { states, blocks, keptFor, disk } = await pruneHome(
        {
          home: flags.home,
          ...(policy === undefined ? {} : { policy }),
          ...(minRetainBlocks === undefined ? {} : { minRetainBlocks }),
        },
        (stage) => output.note(`${stage} …`),
      );
      const freed = disk.reduce((sum, { before, after }) => sum + before - after, 0);
      output.result({ states, blocks, kept_for: keptFor ?? null, disk, freed_bytes: freed }, [
        `states   ${rangeText(states.before)}, now ${rangeText(states.after)}`,
        `blocks   ${rangeText(blocks.before)}, now ${rangeText(blocks.after)}`,
        ...(keptFor === undefined ? [] : [KEPT_FOR[keptFor]]),
        ...disk.map(
          ({ name, before, after }) => `${name.padEnd(16)} ${formatBytes(before)}, now ${formatBytes(after)}`,
        ),
        `freed    ${formatBytes(freed)}`,
      ]);
    },
  );
}
