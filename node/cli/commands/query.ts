import { Command } from 'commander';
import {
  CliError,
  chainClientOf,
  createOutput,
  type NodeFlags,
  nodeOption,
  type OutputFlags,
  outputOption,
  withOptions,
} from '../context.ts';
import { outcomeLines } from '../send-messages.ts';
import { addModuleQueries } from './module-commands.ts';
import { chainQueries } from './query-chain.ts';

type Flags = NodeFlags & OutputFlags;

const options = () => [nodeOption(), outputOption()];

export function queryCommand(): Command {
  const command = new Command('query')
    .alias('q')
    .description('ask a node about the chain')
    .addCommand(new Command('bank').description('coins').addCommand(balancesCommand()))
    .addCommand(new Command('auth').description('accounts').addCommand(accountCommand()))
    .addCommand(txCommand());
  for (const one of chainQueries()) command.addCommand(one);
  addModuleQueries(command);
  return command;
}

function balancesCommand(): Command {
  const command = new Command('balances').description('all coins of an account').argument('<address>');
  return withOptions(command, options()).action(async (address: string, flags: Flags) => {
    const balances = await chainClientOf(flags).balances(address);
    createOutput(flags.output).result(
      { balances },
      balances.length === 0 ? ['no coins'] : balances.map(({ denom, amount }) => `${amount}${denom}`),
    );
  });
}

function accountCommand(): Command {
  const command = new Command('account').description('number and sequence of an account').argument('<address>');
  return withOptions(command, options()).action(async (address: string, flags: Flags) => {
    const account = await chainClientOf(flags).account(address);
    if (account === undefined) throw new CliError(`${address} is not on the chain yet`);
    createOutput(flags.output).result({ address, ...account }, [
      `address         ${address}`,
      `account number  ${account.accountNumber}`,
      `sequence        ${account.sequence}`,
    ]);
  });
}

function txCommand(): Command {
  const command = new Command('tx').description('a transaction by its hash').argument('<hash>', '64 hex digits');
  return withOptions(command, options()).action(async (hash: string, flags: Flags) => {
    if (!/^[0-9a-fA-F]{64}$/.test(hash))
      throw new CliError(`expected a hash of 64 hex digits, got ${JSON.stringify(hash)}`);
    const outcome = await chainClientOf(flags).tx(hash.toUpperCase());
    if (outcome === undefined) throw new CliError(`no block has a transaction ${hash.toUpperCase()}`);
    createOutput(flags.output).result(outcome, outcomeLines(outcome));
  });
}
