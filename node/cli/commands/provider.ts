import { join } from 'node:path';
import { Command, Option } from 'commander';
import * as q from '#proto/gen/autonomy/inference/v1/query_pb.ts';
import { MsgBondProviderSchema, MsgUnbondProviderSchema } from '#proto/gen/autonomy/inference/v1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { parseCoin } from '../../client/amounts.ts';
import {
  CliError,
  chainClientOf,
  createOutput,
  type NodeFlags,
  nodeOption,
  type OutputFlags,
  orFail,
  outputOption,
  wholeNumber,
  withOptions,
} from '../context.ts';
import { type SenderFlags, senderOf, senderOptions } from '../sign-and-send.ts';

export function providerCommand(): Command {
  return new Command('provider')
    .description('serve models: execute jobs, and be paid for them')
    .addCommand(startCommand())
    .addCommand(bondCommand())
    .addCommand(unbondCommand())
    .addCommand(listCommand());
}

interface StartFlags extends SenderFlags {
  readonly workers: number;
  readonly poll: number;
  readonly logLevel: 'debug' | 'info' | 'warn' | 'error' | 'silent';
  readonly logFormat: 'text' | 'json';
}

function startCommand(): Command {
  const command = new Command('start')
    .description('execute the jobs that name this provider, until Ctrl-C')
    .option('--workers <count>', 'jobs executed at a time', wholeNumber(1, 64), 1)
    .option('--poll <ms>', 'how often the chain is asked for work', wholeNumber(50, 60_000), 400)
    .addOption(
      new Option('--log-level <level>', 'what is logged')
        .choices(['debug', 'info', 'warn', 'error', 'silent'])
        .default('info'),
    )
    .addOption(new Option('--log-format <format>', 'of the log').choices(['text', 'json']).default('text'));
  return withOptions(command, senderOptions()).action(async (flags: StartFlags) => {
    const { promise: stopped, resolve: stop } = Promise.withResolvers<string>();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(signal));
    // The other commands do without the pool of children.
    const { runProvider } = await import('../../provider/run.ts');
    await runProvider(
      {
        secretFile: join(flags.home, 'config', 'provider_duty_key.json'),
        workers: flags.workers,
        pollMs: flags.poll,
        logLevel: flags.logLevel,
        logFormat: flags.logFormat,
      },
      { chain: chainClientOf(flags), sender: await senderOf(flags), stopped },
    );
  });
}

type Schema = typeof MsgBondProviderSchema | typeof MsgUnbondProviderSchema;

function bondChange(name: string, description: string, schema: Schema): Command {
  const command = new Command(name).description(description).argument('<amount>', 'such as 1000000uauton');
  return withOptions(command, senderOptions()).action(async (text: string, flags: SenderFlags) => {
    const coin = orFail(parseCoin(text), 'amount');
    if (coin.denom !== 'uauton') throw new CliError(`a bond is of uauton, got ${coin.denom}`);
    const sender = await senderOf(flags);
    const outcome = await sender.send([pack(schema, { provider: sender.address, amount: coin.amount })]);
    createOutput(flags.output).result({ provider: sender.address, hash: outcome.hash, height: outcome.height }, [
      `${sender.address}: ${name}ed ${coin.amount}uauton in block ${outcome.height}`,
    ]);
  });
}

function bondCommand(): Command {
  return bondChange('bond', 'add to the bond that stands behind results', MsgBondProviderSchema);
}

function unbondCommand(): Command {
  return bondChange('unbond', 'take back what no job reserves', MsgUnbondProviderSchema);
}

function listCommand(): Command {
  const command = new Command('list').description('providers and their bonds');
  return withOptions(command, [nodeOption(), outputOption()]).action(async (flags: NodeFlags & OutputFlags) => {
    const path = '/autonomy.inference.v1.Query/Providers';
    const answer = await chainClientOf(flags).query(
      path,
      q.QueryProvidersRequestSchema,
      {},
      q.QueryProvidersResponseSchema,
    );
    const providers = answer.providers.map(({ address, bonded, reserved }) => ({ address, bonded, reserved }));
    createOutput(flags.output).result(
      providers,
      providers.length === 0
        ? ['no providers']
        : providers.map(
            ({ address, bonded, reserved }) => `${address}  bonded ${bonded}uauton, reserved ${reserved}uauton`,
          ),
    );
  });
}
