import { Command, CommanderError } from 'commander';
import { plainText } from '#wasm-modules/text.ts';
import { applyClientConfig } from './client-defaults.ts';
import { homeOption } from './context.ts';

/**
 * The commands in the order of the help text. Each is loaded when it is asked for: reading a key should not wait for
 * the network's code, nor `status` for the compiler of models.
 */
const COMMANDS: Readonly<Record<string, () => Promise<Command>>> = {
  init: async () => (await import('./commands/init.ts')).initCommand(),
  start: async () => (await import('./commands/start.ts')).startCommand(),
  localnet: async () => (await import('./commands/localnet.ts')).localnetCommand(),
  testnet: async () => (await import('./commands/testnet.ts')).testnetCommand(),
  config: async () => (await import('./commands/config.ts')).configCommand(),
  genesis: async () => (await import('./commands/genesis.ts')).genesisCommand(),
  export: async () => (await import('./commands/export.ts')).exportCommand(),
  keys: async () => (await import('./commands/keys.ts')).keysCommand(),
  tx: async () => (await import('./commands/tx.ts')).txCommand(),
  query: async () => (await import('./commands/query.ts')).queryCommand(),
  credits: async () => (await import('./commands/credits.ts')).creditsCommand(),
  model: async () => (await import('./commands/model.ts')).modelCommand(),
  inference: async () => (await import('./commands/inference.ts')).inferenceCommand(),
  provider: async () => (await import('./commands/provider.ts')).providerCommand(),
  light: async () => (await import('./commands/light.ts')).lightCommand(),
  status: async () => (await import('./commands/status.ts')).statusCommand(),
  signer: async () => (await import('./commands/signer.ts')).signerCommand(),
  abci: async () => (await import('./commands/abci.ts')).abciCommand(),
  rollback: async () => (await import('./commands/rollback.ts')).rollbackCommand(),
  snapshots: async () => (await import('./commands/snapshots.ts')).snapshotsCommand(),
  prune: async () => (await import('./commands/prune.ts')).pruneCommand(),
  index: async () => (await import('./commands/index-data.ts')).indexCommand(),
  comet: async () => (await import('./commands/comet.ts')).cometCommand(),
  completion: async () => (await import('./commands/completion.ts')).completionCommand(() => createProgram()),
  version: async () => (await import('./commands/version.ts')).versionCommand(),
};

/** The command line with the command `wanted`, or with all of them when there is no such command. */
export async function createProgram(wanted?: string): Promise<Command> {
  const program = new Command('autond')
    .description('A node of the Autonomy chain, and its client')
    .showHelpAfterError('(autond --help lists what there is)')
    .showSuggestionAfterError(true);
  const one = wanted !== undefined && Object.hasOwn(COMMANDS, wanted) ? COMMANDS[wanted] : undefined;
  for (const load of one === undefined ? Object.values(COMMANDS) : [one]) program.addCommand(await load());
  forEachCommand(program, (command) => {
    command.exitOverride();
    // Which node is asked may stand in a home's client.toml, also where nothing else of a home is needed.
    if (has(command, '--node') && !has(command, '--home')) command.addOption(homeOption());
    showDefaults(command);
  });
  program.hook('preAction', (_, command) => applyClientConfig(command));
  return program;
}

const has = (command: Command, flag: string): boolean => command.options.some(({ long }) => long === flag);

/** Help shows defaults as JSON, which has no large integers: it is given their digits. */
function showDefaults(command: Command): void {
  for (const one of [...command.options, ...command.registeredArguments])
    if (typeof one.defaultValue === 'bigint') one.defaultValueDescription ??= String(one.defaultValue);
}

function forEachCommand(command: Command, visit: (command: Command) => void): void {
  visit(command);
  for (const child of command.commands) forEachCommand(child, visit);
}

/** Names of errors whose message is written for the user; any other is a bug, and is shown with its stack. */
const EXPECTED = new Set([
  'CliError',
  'PasswordError',
  'RpcClientError',
  'AppError',
  'KeyFileError',
  'OfflineError',
  'HomeLockedError',
]);

/** Runs one command line. Answers the exit code: 0 done, 1 it failed, 2 it was not understood. */
export async function runProgram(args: readonly string[]): Promise<number> {
  try {
    const program = await createProgram(args.find((arg) => !arg.startsWith('-')));
    await program.parseAsync(args, { from: 'user' });
    return 0;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : 2;
    process.stderr.write(`autond: ${plainText(explain(error))}\n`);
    return 1;
  }
}

function explain(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return EXPECTED.has(error.name) ? error.message : (error.stack ?? error.message);
}
