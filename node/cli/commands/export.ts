import { Command } from 'commander';
import { formatGenesis } from '#genesis/document.ts';
import { exportChain } from '../../localnet/export-chain.ts';
import { replaceFileDurably } from '../../storage/durable-file.ts';
import { HomeLockedError } from '../../storage/home-lock.ts';
import { CliError, homeOption, orFail, withOptions } from '../context.ts';
import { unsigned } from '../unsigned.ts';

interface Flags {
  readonly home: string;
  readonly height?: bigint;
  readonly chainId?: string;
  readonly forZeroHeight: boolean;
  readonly jailAllowedAddrs?: readonly string[];
  readonly outputDocument?: string;
}

/** `autond export`, and the same below `autond genesis`. */
export function exportCommand(): Command {
  const command = new Command('export')
    .description('the state of a stopped node as the genesis of a chain that goes on from it')
    .option('--height <height>', 'the state after this block; by default the last one', unsigned)
    .option('--chain-id <id>', 'id of the new chain; by default that of the old one')
    .option(
      '--for-zero-height',
      'the new chain, of another id, begins at height 1: rewards are paid out, heights set to 0',
      false,
    )
    .option(
      '--jail-allowed-addrs <operators>',
      'with --for-zero-height: who may validate, separated by commas; all others are jailed',
      (text: string) => text.split(',').map((address) => address.trim()),
    )
    .option('--output-document <file>', 'by default standard output');
  return withOptions(command, [homeOption()]).action(async (flags: Flags) => {
    const { home, height, chainId, forZeroHeight, jailAllowedAddrs: jailAllowed } = flags;
    if (jailAllowed !== undefined && !forZeroHeight)
      throw new CliError('--jail-allowed-addrs goes with --for-zero-height');
    const exported = await exportChain({
      home,
      ...(height === undefined ? {} : { height }),
      ...(chainId === undefined ? {} : { chainId }),
      ...(forZeroHeight ? { zeroHeight: { jailAllowed } } : {}),
    }).catch((error: unknown) => {
      if (error instanceof HomeLockedError) throw new CliError(error.message, { cause: error });
      throw error;
    });
    const document = orFail(exported);
    const text = formatGenesis(document);
    if (flags.outputDocument === undefined) process.stdout.write(text);
    else await replaceFileDurably(flags.outputDocument, text, 0o644);
    process.stderr.write(
      `state ${forZeroHeight ? '' : `after block ${document.initialHeight - 1n} `}of ${home}; the new chain ${document.chainId} begins at height ${document.initialHeight}\n`,
    );
  });
}
