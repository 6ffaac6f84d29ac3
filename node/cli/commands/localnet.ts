import { Command } from 'commander';
import { interrupted, type Localnet, LocalnetError, startLocalnet } from '../../localnet/localnet.ts';
import { DOCUMENTED_BASE_PORT, documentedPorts } from '../../localnet/network.ts';
import { CliError, wholeNumber } from '../context.ts';

interface Flags {
  readonly validators: number;
  readonly chainId: string;
  readonly basePort: number;
  readonly timeoutCommit: string;
  readonly folder?: string;
  readonly once: boolean;
  readonly logLevel: string;
}

export function localnetCommand(): Command {
  return new Command('localnet')
    .description('run a whole network on this machine until Ctrl-C')
    .option('--validators <count>', 'number of validators', wholeNumber(1, 16), 4)
    .option('--chain-id <id>', 'id of the chain', 'autonomy-localnet')
    .option(
      '--base-port <port>',
      'peer-to-peer port of the first node; RPC is one above, the next node ten',
      wholeNumber(1_024, 65_000),
      DOCUMENTED_BASE_PORT,
    )
    .option('--timeout-commit <duration>', 'time between blocks', '1s')
    .option('--folder <path>', 'where the homes go, new or empty; kept. Without it: a temporary folder')
    .option('--log-level <level>', 'of the nodes', 'info')
    .option('--once', 'stop as soon as blocks are being made', false)
    .action(async (flags: Flags) => {
      const note = (line: string): void => void process.stderr.write(`${line}\n`);
      const stop = interrupted();
      note(`starting ${flags.validators} validators …`);
      const localnet = await start(flags, stop);
      if (localnet === undefined) return note('stopped before the network was up');
      for (const line of describeLocalnet(localnet)) process.stdout.write(`${line}\n`);
      const ending = flags.once ? 'done' : await Promise.race([stop, localnet.failed]);
      note('stopping …');
      await localnet.stop();
      if (ending !== 'done' && !ending.startsWith('SIG')) throw new CliError(ending);
    });
}

/** Undefined: the user has stopped it while it was starting. */
async function start(flags: Flags, stop: Promise<unknown>): Promise<Localnet | undefined> {
  try {
    return await startLocalnet({
      chainId: flags.chainId,
      validators: flags.validators,
      ports: documentedPorts(flags.validators, flags.basePort),
      config: { 'consensus.timeout_commit': flags.timeoutCommit, log_level: flags.logLevel },
      stop,
      ...(flags.folder === undefined ? {} : { folder: flags.folder }),
    });
  } catch (error) {
    if (!(error instanceof LocalnetError)) throw error;
    if (error.interrupted) return undefined;
    throw new CliError(error.message);
  }
}

/** URLs, accounts, and what to try. */
export function describeLocalnet({ network }: Localnet): string[] {
  const [first] = network.nodes;
  const node = first === undefined ? '' : first.rpcUrl;
  return [
    '',
    `chain      ${network.chainId}`,
    ...network.nodes.map((item) => `${item.name.padEnd(10)} ${item.rpcUrl}   log ${item.home}/node.log`),
    `faucet     ${network.faucet.address}`,
    `mnemonic   ${network.faucet.mnemonic}`,
    '',
    'Try:',
    `  npm run -s autond -- status --node ${node}`,
    `  npm run -s autond -- query bank balances ${network.faucet.address} --node ${node}`,
    `  npm run -s autond -- keys add alice --keyring-backend test --home ${network.folder}`,
    `  npm run -s autond -- tx bank send faucet <address> 1000000uauton -y --keyring-backend test --home ${network.folder} --node ${node}`,
    '',
    'Ctrl-C stops it.',
  ];
}
