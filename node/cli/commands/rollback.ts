import { Command } from 'commander';
import { toHexUpper } from '#core/bytes.ts';
import { rollbackHome } from '../../offline/rollback.ts';
import { createOutput, homeOption, type OutputFlags, outputOption, withOptions } from '../context.ts';

interface Flags extends OutputFlags {
  readonly home: string;
  readonly hard: boolean;
}

export function rollbackCommand(): Command {
  const command = new Command('rollback')
    .description(
      'take the state of a stopped node back by one height: the last block is executed again at the next start',
    )
    .option('--hard', 'remove the last block as well: it comes from the log or from peers again', false);
  return withOptions(command, [homeOption(), outputOption()]).action(async ({ home, hard, output }: Flags) => {
    const { height, appHash, removed, pending } = await rollbackHome(home, { hard });
    createOutput(output).result(
      { height, hash: toHexUpper(appHash), removed_block: removed ?? null, pending_block: pending ?? null },
      [
        `rolled back to height ${height} and app hash ${toHexUpper(appHash)}`,
        removed === undefined ? `block ${pending} is executed again at the next start` : `block ${removed} is removed`,
        'what the validator has signed stays on record',
      ],
    );
  });
}
