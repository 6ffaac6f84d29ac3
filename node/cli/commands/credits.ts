import { Command } from 'commander';
import { MsgBuyCreditsResponseSchema, MsgBuyCreditsSchema } from '#proto/gen/autonomy/credits/v1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { parseCoin } from '../../client/amounts.ts';
import { queryPool, responseOf } from '../../client/inference-client.ts';
import {
  CliError,
  chainClientOf,
  createOutput,
  type NodeFlags,
  nodeOption,
  type OutputFlags,
  orFail,
  outputOption,
  withOptions,
} from '../context.ts';
import { type SenderFlags, senderOf, senderOptions } from '../sign-and-send.ts';
import { unsigned } from '../unsigned.ts';

export function creditsCommand(): Command {
  return new Command('credits')
    .description('compute credits: what inference is paid with')
    .addCommand(buyCommand())
    .addCommand(poolCommand());
}

function buyCommand(): Command {
  const command = new Command('buy')
    .description('burn AUTON for credits')
    .argument('<amount>', 'what is burned, such as 10000000uauton')
    .option('--min-credits <count>', 'refuse fewer', unsigned, 0n);
  return withOptions(command, senderOptions()).action(
    async (text: string, flags: SenderFlags & { minCredits: bigint }) => {
      const coin = orFail(parseCoin(text), 'amount');
      if (coin.denom !== 'uauton') throw new CliError(`credits are bought with uauton, got ${coin.denom}`);
      const sender = await senderOf(flags);
      const message = { buyer: sender.address, amount: coin.amount, minCredits: flags.minCredits };
      const outcome = await sender.send([pack(MsgBuyCreditsSchema, message)]);
      const { credits } = responseOf(outcome, MsgBuyCreditsResponseSchema);
      createOutput(flags.output).result({ credits, burned: coin.amount, hash: outcome.hash, height: outcome.height }, [
        `${credits}ucredit for ${coin.amount}uauton, in block ${outcome.height}`,
      ]);
    },
  );
}

function poolCommand(): Command {
  const command = new Command('pool').description('what is burned, minted again and destroyed');
  return withOptions(command, [nodeOption(), outputOption()]).action(async (flags: NodeFlags & OutputFlags) => {
    const { $typeName: _, ...pool } = await queryPool(chainClientOf(flags));
    createOutput(flags.output).result(pool, poolLines(pool));
  });
}

export function poolLines(pool: Omit<Awaited<ReturnType<typeof queryPool>>, '$typeName'>): string[] {
  return [
    `supply          ${pool.supply}uauton = genesis ${pool.genesisSupply} − burned ${pool.burned} + reminted ${pool.reminted}`,
    `pool            ${pool.pool}uauton behind ${pool.outstanding}ucredit`,
    `destroyed       ${pool.destroyed}uauton`,
  ];
}
