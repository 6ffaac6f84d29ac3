import { Command } from 'commander';
import { encodeAddress } from '#core/codec/bech32.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { parseCoins } from '../../client/amounts.ts';
import { createOutput, homeOption, keyringOption, nodeOption, orFail, outputOption, withOptions } from '../context.ts';
import { sendMessages, type TxFlags, txOptions } from '../send-messages.ts';
import { addModuleTxs } from './module-commands.ts';
import { txFileCommands } from './tx-files.ts';
import { multisignCommand } from './tx-multisign.ts';

export function txCommand(): Command {
  const command = new Command('tx').description('sign and send transactions').addCommand(bankCommand());
  for (const one of txFileCommands()) command.addCommand(one);
  command.addCommand(multisignCommand());
  addModuleTxs(command);
  return command;
}

function bankCommand(): Command {
  const send = new Command('send')
    .description('send coins')
    .argument('<from>', 'name of the sending key; with --generate-only also an address')
    .argument('<to>', 'receiving address')
    .argument('<amount>', 'coins, such as 1000uauton');
  withOptions(send, [homeOption(), keyringOption(), nodeOption(), outputOption(), ...txOptions()]);
  send.action(async (from: string, to: string, amount: string, flags: TxFlags) => {
    const coins = orFail(parseCoins(amount), 'amount');
    await sendMessages(from, flags, createOutput(flags.output), ({ address, prefix }) => [
      pack(MsgSendSchema, {
        fromAddress: encodeAddress(prefix, address),
        toAddress: to,
        amount: coins.map((coin) => ({ denom: coin.denom, amount: coin.amount.toString() })),
      }),
    ]);
  });
  return new Command('bank').description('coins').addCommand(send);
}
