import { Command } from 'commander';
import { dropIndex, indexStatus, rebuildIndex } from '../../offline/indexing.ts';
import { formatBytes } from '../bytes-text.ts';
import { CliError, createOutput, homeOption, type OutputFlags, outputOption, withOptions } from '../context.ts';
import { showProgress } from '../progress.ts';
import { unsigned } from '../unsigned.ts';

interface Flags extends OutputFlags {
  readonly home: string;
}

interface RebuildFlags extends Flags {
  readonly startHeight?: bigint;
  readonly endHeight?: bigint;
}

function statusCommand(): Command {
  const command = new Command('status').description('how far the index of a stopped node is, and what it takes');
  return withOptions(command, [homeOption(), outputOption()]).action(async ({ home, output }: Flags) => {
    const { enabled, indexedHeight, firstBlock, lastBlock, bytes } = await indexStatus(home);
    createOutput(output).result(
      { enabled, indexed_height: indexedHeight, first_block: firstBlock, last_block: lastBlock, bytes },
      [
        `enabled  ${enabled ? 'yes' : 'no: tx_index.enabled is false'}`,
        `indexed  ${indexedHeight === 0n ? 'nothing' : `up to height ${indexedHeight}`}`,
        `blocks   ${firstBlock} … ${lastBlock}`,
        `on disk  ${formatBytes(bytes)}`,
      ],
    );
  });
}

function rebuildCommand(): Command {
  const command = new Command('rebuild')
    .alias('reindex-event')
    .description(
      'write the entries of blocks anew, from blocks and results; PostgreSQL gets those that it does not have',
    )
    .option('--start-height <height>', 'by default the first block that is kept', unsigned)
    .option('--end-height <height>', 'by default the last block', unsigned);
  return withOptions(command, [homeOption(), outputOption()]).action(async (flags: RebuildFlags) => {
    const { home, output, startHeight: from, endHeight: to } = flags;
    const done = await rebuildIndex(
      home,
      { ...(from === undefined ? {} : { from }), ...(to === undefined ? {} : { to }) },
      (height, of) => showProgress(Number(height), Number(of)),
    );
    createOutput(output).result(
      {
        start_height: done.from,
        end_height: done.to,
        ...(done.written === undefined ? {} : { written: done.written }),
        ...(done.added === undefined ? {} : { added_to_postgresql: done.added }),
        missing: done.missing,
        indexed_height: done.indexedHeight,
      },
      [
        ...(done.written === undefined ? [] : [`heights ${done.from} to ${done.to}: ${done.written} written`]),
        ...(done.added === undefined ? [] : [`heights ${done.from} to ${done.to}: ${done.added} added to PostgreSQL`]),
        ...(done.missing === 0 ? [] : [`${done.missing} left out: their block or results are not kept`]),
      ],
    );
  });
}

function dropCommand(): Command {
  const command = new Command('drop')
    .description('remove the whole index; the node makes it anew from the blocks that it keeps')
    .option('-y, --yes', 'yes, remove it', false);
  return withOptions(command, [homeOption(), outputOption()]).action(
    async (flags: Flags & { readonly yes: boolean }) => {
      if (!flags.yes) throw new CliError('that removes the whole index: say --yes');
      const bytes = await dropIndex(flags.home);
      createOutput(flags.output).result({ freed_bytes: bytes }, [
        bytes === 0 ? 'there is no index' : `the index is gone, ${formatBytes(bytes)} are free`,
      ]);
    },
  );
}

export function indexCommand(): Command {
  return new Command('index')
    .description('the index of transactions and events of a stopped node')
    .addCommand(statusCommand())
    .addCommand(rebuildCommand())
    .addCommand(dropCommand());
}
