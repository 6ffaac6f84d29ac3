import { Option } from 'commander';
import { parseGasPrice } from '../client/amounts.ts';
import { createSender, type Sender } from '../client/sender.ts';
import {
  chainClientOf,
  homeOption,
  type KeyringFlags,
  keyringOf,
  keyringOption,
  type NodeFlags,
  nodeOption,
  type OutputFlags,
  orFail,
  outputOption,
} from './context.ts';

export interface SenderFlags extends KeyringFlags, NodeFlags, OutputFlags {
  readonly from: string;
  readonly gasPrices: string;
}

/** Options of a command that sends transactions of one key. */
export const senderOptions = (): Option[] => [
  new Option('--from <key>', 'name of the key that signs').makeOptionMandatory(),
  new Option('--gas-prices <price>', 'price of a unit of gas').default('0.025uauton'),
  homeOption(),
  keyringOption(),
  nodeOption(),
  outputOption(),
];

const INCLUSION_TIMEOUT_MS = 60_000;

export async function senderOf(flags: SenderFlags): Promise<Sender> {
  return createSender(chainClientOf(flags), {
    key: orFail(await keyringOf(flags).unlock(flags.from)),
    gasPrice: orFail(parseGasPrice(flags.gasPrices), '--gas-prices'),
    timeoutMs: INCLUSION_TIMEOUT_MS,
  });
}
