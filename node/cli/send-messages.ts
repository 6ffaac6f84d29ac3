import { InvalidArgumentError, Option } from 'commander';
import { toBase64 } from '#core/bytes.ts';
import { decodeAddress, encodeAddress } from '#core/codec/bech32.ts';
import type { Coin } from '#runtime/coins.ts';
import type { AnyMessage } from '#runtime/context.ts';
import { type AccountKey, addressOfKey } from '#runtime/tx/account-key.ts';
import { buildTx, type TxPlan } from '#runtime/tx/build.ts';
import { decodeTx, type RawTx } from '#runtime/tx/decode.ts';
import { feeFor, parseCoins, parseGasPrice } from '../client/amounts.ts';
import type { ChainClient, TxOutcome } from '../client/chain-client.ts';
import { type SignerPart, type SigningMode, signPart, simulatedPart, withSigners } from '../client/signatures.ts';
import { encodeTxParts, TX_TABLE, txToJson } from '../client/tx-json.ts';
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
import { unsigned } from './unsigned.ts';

export interface TxFlags extends KeyringFlags, NodeFlags, OutputFlags {
  readonly chainId?: string;
  readonly gas: string;
  readonly gasAdjustment: number;
  readonly gasPrices: string;
  readonly fees?: string;
  readonly memo: string;
  readonly feePayer?: string;
  readonly feeGranter?: string;
  readonly timeoutHeight?: bigint;
  readonly signMode: SigningMode;
  readonly prefix: string;
  readonly offline: boolean;
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
  new Option(
    '--fee-payer <address>',
    'who pays the fee in the place of the signer, and signs too: with --generate-only',
  ),
  new Option('--fee-granter <address>', 'who pays the fee, by an allowance for the signer'),
  new Option('--timeout-height <height>', 'last block in which it may stand').argParser(unsigned),
  signModeOption(),
  new Option('--dry-run', 'sign nothing: print what it would cost').default(false),
  new Option('--generate-only', 'sign nothing: print the transaction for autond tx sign').default(false),
  new Option('--offline', 'with --generate-only: ask no node').default(false),
  new Option('--prefix <text>', 'prefix of addresses, with --offline').default('auton'),
  new Option('-y, --yes', 'do not ask').default(false),
];

export const signModeOption = (): Option =>
  new Option('--sign-mode <mode>', 'direct; amino-json is what hardware wallets show and sign')
    .choices(['direct', 'amino-json'])
    .default('direct');

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

/** Who sends, as far as it is known without asking for a password. */
interface From {
  readonly address: Uint8Array;
  /** Undefined: an address was named, and no key. */
  readonly key: AccountKey | undefined;
}

async function fromOf(from: string, flags: TxFlags): Promise<From> {
  const address = decodeAddress(from);
  if (address.ok && flags.generateOnly) return { address: address.value.bytes, key: undefined };
  const { type, key } = orFail(await keyringOf(flags).find(from));
  if (type !== 'local' && !flags.generateOnly && !flags.dryRun)
    throw new CliError(
      `the secret of ${from} is not here: say --generate-only, then ` +
        `${type === 'multi' ? `autond tx sign --multisig ${from} of each member and autond tx multisign` : 'autond tx sign where it is'}`,
    );
  return { address: addressOfKey(key), key };
}

export type MessagesOf = (signer: { readonly address: Uint8Array; readonly prefix: string }) => readonly AnyMessage[];

const unsignedParts = (plan: TxPlan): RawTx => {
  const decoded = decodeTx(buildTx(plan, '', []), TX_TABLE);
  if (!decoded.ok) throw new CliError(decoded.error.message);
  return decoded.value.raw;
};

/** Whoever pays in the place of the signer: a second one. */
async function payerOf(chain: ChainClient, flags: TxFlags, signer: string): Promise<readonly SignerPart[]> {
  const { feePayer } = flags;
  if (feePayer === undefined || feePayer === signer) return [];
  if (!flags.generateOnly && !flags.dryRun)
    throw new CliError(
      `${feePayer} signs too: say --generate-only, then autond tx sign --sign-mode amino-json of each`,
    );
  const { sequence } = await accountOf(chain, feePayer);
  return [simulatedPart(undefined, sequence)];
}

async function accountOf(chain: ChainClient, address: string) {
  const account = await chain.account(address);
  if (account === undefined)
    throw new CliError(`${address} is not on the chain yet: it needs coins before it can send`);
  return account;
}

/** The transaction that is not signed, without asking anybody. @throws CliError when something had to be asked. */
async function generateOffline(from: string, flags: TxFlags, messagesOf: MessagesOf): Promise<void> {
  if (!flags.generateOnly || flags.gas === 'auto')
    throw new CliError('--offline needs --generate-only and --gas with a number: there is no node to ask');
  const named = decodeAddress(from);
  const prefix = named.ok ? named.value.prefix : flags.prefix;
  const { address } = await fromOf(from, flags);
  const gas = BigInt(flags.gas);
  printUnsigned({ ...contentOf(flags, messagesOf({ address, prefix })), fee: feeOf(flags, gas), gasLimit: gas });
}

function printUnsigned(plan: TxPlan): void {
  process.stdout.write(`${JSON.stringify(orFail(txToJson(buildTx(plan, '', []))), undefined, 2)}\n`);
}

function contentOf({ memo, feePayer, feeGranter, timeoutHeight }: TxFlags, messages: readonly AnyMessage[]) {
  return {
    messages,
    memo,
    ...(feePayer === undefined ? {} : { feePayer }),
    ...(feeGranter === undefined ? {} : { feeGranter }),
    ...(timeoutHeight === undefined ? {} : { timeoutHeight }),
  };
}

/** Signs with the key `from`, sends, waits until a block has it, prints the outcome. @throws CliError when it fails. */
export async function sendMessages(
  from: string,
  flags: TxFlags,
  output: Output,
  messagesOf: MessagesOf,
): Promise<TxOutcome | undefined> {
  if (flags.offline) {
    await generateOffline(from, flags, messagesOf);
    return undefined;
  }
  const sender = await fromOf(from, flags);
  const chain = chainClientOf(flags);
  const network = (await chain.status()).node_info.network;
  const chainId = flags.chainId ?? network;
  if (chainId !== network) throw new CliError(`--chain-id is ${chainId}, but ${flags.node} is a node of ${network}`);
  const prefix = await chain.bech32Prefix();
  const address = encodeAddress(prefix, sender.address);
  const account = await accountOf(chain, address);
  const payer = await payerOf(chain, flags, address);
  const content = contentOf(flags, messagesOf({ address: sender.address, prefix }));
  const free = unsignedParts({ ...content, fee: [], gasLimit: 0n });
  const signers = [simulatedPart(sender.key, account.sequence), ...payer];
  const gas =
    flags.gas === 'auto'
      ? adjust(await chain.simulate(encodeTxParts(orFail(withSigners(free, signers)))), flags.gasAdjustment)
      : BigInt(flags.gas);
  const fee = feeOf(flags, gas);
  const plan: TxPlan = { ...content, fee, gasLimit: gas };
  if (flags.dryRun) {
    output.result({ gas, fee }, [`gas ${gas}, fee ${showCoins(fee)}`]);
    return undefined;
  }
  if (flags.generateOnly) {
    printUnsigned(plan);
    return undefined;
  }
  const key = orFail(await keyringOf(flags).unlock(from));
  await confirm(flags, output, `Send from ${address} with gas ${gas} and fee ${showCoins(fee)}`);
  const parts = unsignedParts(plan);
  const signed = orFail(signPart(parts, key, flags.signMode, { chainId, ...account }));
  return broadcast(chain, encodeTxParts(orFail(withSigners(parts, [signed]))), output);
}

async function broadcast(chain: ChainClient, tx: Uint8Array, output: Output): Promise<TxOutcome> {
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
