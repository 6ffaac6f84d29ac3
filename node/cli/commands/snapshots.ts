import { Argument, Command, InvalidArgumentError } from 'commander';
import type { Snapshot } from '#core/abci.ts';
import { toHexUpper } from '#core/bytes.ts';
import { SNAPSHOT_FORMAT } from '#runtime/state/snapshot/format.ts';
import {
  deleteSnapshot,
  dumpToFile,
  exportSnapshot,
  listSnapshots,
  loadFromFile,
  restoreSnapshot,
} from '../../offline/snapshots.ts';
import { createOutput, homeOption, type OutputFlags, outputOption, wholeNumber, withOptions } from '../context.ts';
import { showProgress } from '../progress.ts';
import { unsigned } from '../unsigned.ts';

interface Flags extends OutputFlags {
  readonly home: string;
}

const described = ({ height, format, chunks, hash }: Snapshot) => ({ height, format, chunks, hash: toHexUpper(hash) });
const line = ({ height, format, chunks, hash }: Snapshot): string =>
  `height ${height}  format ${format}  chunks ${chunks}  hash ${toHexUpper(hash)}`;

function readHeight(text: string): bigint {
  const height = unsigned(text);
  if (height < 1n) throw new InvalidArgumentError('expected a height from 1');
  return height;
}

function command(name: string, description: string): Command {
  return withOptions(new Command(name).description(description), [homeOption(), outputOption()]);
}

/** Which one is meant. There is one format so far. */
function meant(made: Command): Command {
  return made
    .addArgument(new Argument('<height>', 'of the snapshot').argParser(readHeight))
    .addArgument(new Argument('[format]', 'of the snapshot').argParser(wholeNumber(1, 255)).default(SNAPSHOT_FORMAT));
}

export function snapshotsCommand(): Command {
  return new Command('snapshots')
    .description('snapshots of the state of a stopped node')
    .addCommand(
      command('list', 'those that there are, newest first').action(async ({ home, output }: Flags) => {
        const all = await listSnapshots(home);
        createOutput(output).result(all.map(described), all.length === 0 ? ['there are no snapshots'] : all.map(line));
      }),
    )
    .addCommand(
      command('export', 'take one of the state after a block')
        .option('--height <height>', 'by default the last block', readHeight)
        .action(async ({ home, output, height }: Flags & { readonly height?: bigint }) => {
          const made = await exportSnapshot(home, height);
          createOutput(output).result(described(made), [line(made)]);
        }),
    )
    .addCommand(
      meant(command('dump', 'write one into a file to carry'))
        .option('--output-document <file>', 'by default <height>-<format>.tar.gz here')
        .action(async (height: bigint, format: number, flags: Flags & { readonly outputDocument?: string }) => {
          const file = flags.outputDocument ?? `${height}-${format}.tar.gz`;
          const dumped = await dumpToFile(flags.home, height, format, file, showProgress);
          createOutput(flags.output).result({ ...described(dumped), file }, [`${line(dumped)}`, `written to ${file}`]);
        }),
    )
    .addCommand(
      command('load', 'add one from a file')
        .argument('<file>', 'that dump has written')
        .action(async (file: string, { home, output }: Flags) => {
          const loaded = await loadFromFile(home, file, showProgress);
          createOutput(output).result(described(loaded), [line(loaded)]);
        }),
    )
    .addCommand(
      meant(command('restore', "put the application's state back to one; the blocks above are executed again")).action(
        async (height: bigint, format: number, { home, output }: Flags) => {
          const { appHash, toReplay } = await restoreSnapshot(home, height, format, showProgress);
          createOutput(output).result({ height, hash: toHexUpper(appHash), blocks_to_replay: toReplay }, [
            `the state is that after block ${height}, app hash ${toHexUpper(appHash)}`,
            `the next start executes ${toReplay} blocks on top of it`,
          ]);
        },
      ),
    )
    .addCommand(
      meant(command('delete', 'remove one')).action(async (height: bigint, format: number, { home, output }: Flags) => {
        await deleteSnapshot(home, height, format);
        createOutput(output).result({ height, format }, [`the snapshot of height ${height} is removed`]);
      }),
    );
}
