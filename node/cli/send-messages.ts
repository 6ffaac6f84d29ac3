import { InvalidArgumentError, Option } from 'commander';
import { toBase64 } from '#core/bytes.ts';
import { type AccountKeyPair, bech32Address } from '#core/crypto/keys.ts';
import type { Coin } from '#runtime/coins.ts';
import type { AnyMessage } from '#runtime/context.ts';
import { buildSimulation, buildTx } from '#runtime/tx/build.ts';
import { feeFor, parseCoins, parseGasPrice } from '../client/amounts.ts';
import type { TxOutcome } from '../client/chain-client.ts';
import { txToJson } from '../client/tx-json.ts';
import {
  CliError,
  chainClientOf,
  type KeyringFlags,
  keyringOf,
  type NodeFlags,
  type Output,
  type OutputFlags,
  orFail,
} from './context.ts';
import { readLine } from './prompt.ts';

export interface TxFlags extends KeyringFlags, NodeFlags, OutputFlags {
  readonly chainId?: string;
  readonly gas: string;
  readonly gasAdjustment: number;
  readonly gasPrices: string;
  readonly fees?: string;
  readonly memo: string;
  readonly dryRun: boolean;
  readonly generateOnly: boolean;
  readonly yes: boolean;
}

/** How long a transaction is waited for. */
const INCLUSION_TIMEOUT_MS = 60_000;

export const txOptions = (): Option[] => [
  new Option('--chain-id <id>', 'id of the chain; without it the node is asked'),
  new Option('--gas <limit>', 'gas limit, or auto to simulate').default('auto').argParser(gasLimit),
  new Option('--gas-adjustment <factor>', 'what simulated gas is multiplied with').default(1.3).argParser(factor),
  new Option('--gas-prices <price>', 'price of a unit of gas').default('0.025uauton'),
  new Option('--fees <coins>', 'the whole fee; instead of --gas-prices'),
  new Option('--memo <text>', 'note in the transaction').default(''),
  new Option('--dry-run', 'sign nothing: print what it would cost').default(false),
  new Option('--generate-only', 'sign nothing: print the transaction for autond tx sign').default(false),
  new Option('-y, --yes', 'do not ask').default(false),
];

function gasLimit(text: string): string {
  if (text !== 'auto' && !/^[1-9]\d{0,17}$/.test(text))
    throw new InvalidArgumentError('expected auto or a whole number');
  return text;
}

function factor(text: string): number {
  const value = Number(text);
  if (!(value >= 1 && value <= 10)) throw new InvalidArgumentError('expected a number from 1 to 10');
  return value;
}

/** Signs with the key `from`, sends, waits until a block has it, prints the outcome. @throws CliError when it fails. */
export async function sendMessages(
  from: string,
  flags: TxFlags,
  output: Output,
  messagesOf: (signer: { readonly key: AccountKeyPair; readonly prefix: string }) => readonly AnyMessage[],
): Promise<TxOutcome | undefined> {
  const chain = chainClientOf(flags);
  const network = (await chain.status()).node_info.network;
  const chainId = flags.chainId ?? network;
  if (chainId !== network) throw new CliError(`--chain-id is ${chainId}, but ${flags.node} is a node of ${network}`);
  const prefix = await chain.bech32Prefix();
  const key = orFail(await keyringOf(flags).unlock(from));
  const address = bech32Address(key.publicKey, prefix);
  const account = await chain.account(address);
  if (account === undefined)
    throw new CliError(`${address} is not on the chain yet: it needs coins before it can send`);
  const content = { messages: messagesOf({ key, prefix }), memo: flags.memo };
  const asked = { publicKey: key.publicKey, sequence: account.sequence };
  const simulation = buildSimulation({ ...content, fee: [], gasLimit: 0n }, [asked]);
  const gas = flags.gas === 'auto' ? adjust(await chain.simulate(simulation), flags.gasAdjustment) : BigInt(flags.gas);
  const fee = feeOf(flags, gas);
  if (flags.dryRun) {
    output.result({ gas, fee }, [`gas ${gas}, fee ${showCoins(fee)}`]);
    return undefined;
  }
  if (flags.generateOnly) {
    const unsignedTx = buildTx({ ...content, fee, gasLimit: gas }, chainId, []);
    process.stdout.write(`${JSON.stringify(orFail(txToJson(unsignedTx)), undefined, 2)}\n`);
    return undefined;
  }
  await confirm(flags, output, `Send from ${address} with gas ${gas} and fee ${showCoins(fee)}`);
  const tx = buildTx({ ...content, fee, gasLimit: gas }, chainId, [{ key, ...account }]);
  const hash = await chain.broadcast(tx);
  output.note(`sent ${hash}, waiting for a block …`);
  const outcome = await chain.waitForTx(hash, INCLUSION_TIMEOUT_MS);
  output.result({ ...outcome, tx: toBase64(tx) }, outcomeLines(outcome));
  if (outcome.code !== 0)
    throw new CliError(
      `the transaction failed in block ${outcome.height}: ${outcome.log} (${outcome.codespace} ${outcome.code})`,
    );
  return outcome;
}

export function outcomeLines(outcome: TxOutcome): string[] {
  return [
    `hash     ${outcome.hash}`,
    `height   ${outcome.height}`,
    `code     ${outcome.code}${outcome.code === 0 ? '' : ` (${outcome.codespace})`}`,
    ...(outcome.log === '' ? [] : [`log      ${outcome.log}`]),
    `gas      ${outcome.gasUsed} of ${outcome.gasWanted}`,
  ];
}

export function showCoins(coins: readonly Coin[]): string {
  return coins.length === 0 ? 'nothing' : coins.map(({ amount, denom }) => `${amount}${denom}`).join(',');
}

/** Per mille, rounded up: no floating point in what is signed. */
function adjust(gas: bigint, by: number): bigint {
  return (gas * BigInt(Math.ceil(by * 1_000)) + 999n) / 1_000n;
}

function feeOf(flags: TxFlags, gas: bigint): readonly Coin[] {
  if (flags.fees !== undefined) return orFail(parseCoins(flags.fees), '--fees');
  return feeFor(gas, orFail(parseGasPrice(flags.gasPrices), '--gas-prices'));
}

async function confirm(flags: TxFlags, output: Output, question: string): Promise<void> {
  if (flags.yes) return;
  if (!process.stdin.isTTY) throw new CliError(`${question}? Nobody can answer here: say -y`);
  const answer = await readLine(`${question}? [y/N]`);
  if (!/^y(es)?$/i.test(answer.trim())) throw new CliError('not sent');
  output.note('');
}
