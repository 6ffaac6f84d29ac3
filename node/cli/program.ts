import { Command, CommanderError } from 'commander';
import { AppError } from '../client/chain-client.ts';
import { RpcClientError } from '../client/rpc-client.ts';
import { KeyFileError } from '../privval/key-files.ts';
import { HomeLockedError } from '../storage/home-lock.ts';
import { cometCommand } from './commands/comet.ts';
import { creditsCommand } from './commands/credits.ts';
import { inferenceCommand } from './commands/inference.ts';
import { initCommand } from './commands/init.ts';
import { keysCommand } from './commands/keys.ts';
import { localnetCommand } from './commands/localnet.ts';
import { modelCommand } from './commands/model.ts';
import { providerCommand } from './commands/provider.ts';
import { queryCommand } from './commands/query.ts';
import { startCommand } from './commands/start.ts';
import { statusCommand } from './commands/status.ts';
import { txCommand } from './commands/tx.ts';
import { versionCommand } from './commands/version.ts';
import { CliError } from './context.ts';

/** The whole command line. */
export function createProgram(): Command {
  const program = new Command('autond')
    .description('A node of the Autonomy chain, and its client')
    .showHelpAfterError('(autond --help lists what there is)')
    .showSuggestionAfterError(true)
    .addCommand(initCommand())
    .addCommand(startCommand())
    .addCommand(localnetCommand())
    .addCommand(keysCommand())
    .addCommand(txCommand())
    .addCommand(queryCommand())
    .addCommand(creditsCommand())
    .addCommand(modelCommand())
    .addCommand(inferenceCommand())
    .addCommand(providerCommand())
    .addCommand(statusCommand())
    .addCommand(cometCommand())
    .addCommand(versionCommand());
  forEachCommand(program, (command) => command.exitOverride());
  return program;
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}

/** Errors whose message is written for the user; any other is a bug, and is shown with its stack. */
const EXPECTED = [CliError, RpcClientError, AppError, KeyFileError, HomeLockedError];

/** Runs one command line. Answers the exit code: 0 done, 1 it failed, 2 it was not understood. */
export async function runProgram(args: readonly string[]): Promise<number> {
  try {
    await createProgram().parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    const expected = EXPECTED.some((kind) => error instanceof kind);
    const text = error instanceof Error ? (expected ? error.message : (error.stack ?? error.message)) : String(error);
    process.stderr.write(`autond: ${text}\n`);
    return 1;
  }
}
