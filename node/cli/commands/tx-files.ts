/** Transactions in files: made here, signed where the key is, sent from somewhere else. */
import { Command, Option } from 'commander';
import { equal, fromBase64, toBase64 } from '#core/bytes.ts';
import { decodeAddress, encodeAddress } from '#core/codec/bech32.ts';
import { type AccountKeyPair, accountAddress, bech32Address } from '#core/crypto/keys.ts';
import { addressOfKey } from '#runtime/tx/account-key.ts';
import type { RawTx } from '#runtime/tx/decode.ts';
import { keyAddress } from '../../client/account-keys.ts';
import {
  neededSigners,
  type SigningFor,
  type SigningMode,
  signatureFile,
  signersIn,
  signPart,
  withSigners,
} from '../../client/signatures.ts';
import { encodeTxParts, txFromJson, txToJson } from '../../client/tx-json.ts';
import type { Keyring } from '../../keyring/keyring.ts';
import { replaceFileDurably } from '../../storage/durable-file.ts';
import {
  CliError,
  chainClientOf,
  createOutput,
  homeOption,
  type KeyringFlags,
  keyringOf,
  keyringOption,
  type NodeFlags,
  nodeOption,
  type OutputFlags,
  orFail,
  outputOption,
  withOptions,
} from '../context.ts';
import { readBytes } from '../read-bytes.ts';
import { outcomeLines, signModeOption } from '../send-messages.ts';
import { unsigned } from '../unsigned.ts';

const INCLUSION_TIMEOUT_MS = 60_000;

/** Prints the transaction, or writes it to the file. */
export async function writeTx(tx: Uint8Array, file: string | undefined): Promise<void> {
  await writeText(`${JSON.stringify(orFail(txToJson(tx)), undefined, 2)}\n`, file);
}

export async function writeText(text: string, file: string | undefined): Promise<void> {
  if (file === undefined) process.stdout.write(text);
  else await replaceFileDurably(file, text, 0o644);
}

export async function readText(file: string): Promise<string> {
  return new TextDecoder().decode(await readBytes(file));
}

export async function readTx(file: string): Promise<RawTx> {
  return orFail(txFromJson(await readText(file)), file);
}

/** What is asked of a node, or told when there is none. */
export interface AccountFlags extends NodeFlags {
  readonly chainId?: string;
  readonly offline: boolean;
  readonly accountNumber?: bigint;
  readonly sequence?: bigint;
}

export const accountOptions = (): Option[] => [
  new Option('--chain-id <id>', 'id of the chain; without it the node is asked'),
  new Option('--offline', 'ask no node').default(false),
  new Option('--account-number <number>', 'of the account that is signed for').argParser(unsigned),
  new Option('--sequence <number>', 'of the account that is signed for').argParser(unsigned),
];

/** @param addressOf the account that is signed for, on a chain with this prefix. */
export async function signingFor(flags: AccountFlags, addressOf: (prefix: string) => string): Promise<SigningFor> {
  const { chainId, accountNumber, sequence } = flags;
  if (flags.offline) {
    if (chainId === undefined || accountNumber === undefined || sequence === undefined)
      throw new CliError('--offline needs --chain-id, --account-number and --sequence: there is no node to ask');
    return { chainId, accountNumber, sequence };
  }
  const chain = chainClientOf(flags);
  const address = addressOf(await chain.bech32Prefix());
  const account = await chain.account(address);
  if (account === undefined) throw new CliError(`${address} is not on the chain yet`);
  return {
    chainId: chainId ?? (await chain.status()).node_info.network,
    accountNumber: accountNumber ?? account.accountNumber,
    sequence: sequence ?? account.sequence,
  };
}

interface SignFlags extends KeyringFlags, AccountFlags {
  readonly from: string;
  readonly multisig?: string;
  readonly signMode: SigningMode;
  readonly signatureOnly: boolean;
  readonly overwrite: boolean;
  readonly outputDocument?: string;
}

/** The multisig account that is signed for: a key of the keyring, of which the signer must be a member, or an address. */
async function multisigAddress(
  ring: Keyring,
  named: string,
  signer: AccountKeyPair,
): Promise<(prefix: string) => string> {
  if (decodeAddress(named).ok) return () => named;
  const { key } = orFail(await ring.find(named), '--multisig');
  if (key.kind !== 'multisig') throw new CliError(`--multisig: ${named} is a simple key`);
  const isMember = key.keys.some((one) => equal(addressOfKey(one), accountAddress(signer.publicKey)));
  if (!isMember) throw new CliError(`the key that signs is no member of ${named}`);
  return (prefix) => keyAddress(key, prefix);
}

function signCommand(): Command {
  const command = new Command('sign')
    .description('sign a transaction in a file, as --generate-only writes it')
    .argument('<file>', 'JSON of the transaction')
    .requiredOption('--from <key>', 'name of the key that signs')
    .option(
      '--multisig <key or address>',
      'sign as a member of this account, for autond tx multisign: the signature alone',
    )
    .option('--signature-only', 'print the signature alone', false)
    .option('--overwrite', 'in the place of the signatures that are there, not after them', false)
    .option('--output-document <file>', 'by default standard output');
  withOptions(command, [...accountOptions(), signModeOption(), homeOption(), keyringOption(), nodeOption()]);
  return command.action(async (file: string, flags: SignFlags, self: Command) => {
    const { multisig } = flags;
    const ring = keyringOf(flags);
    const parts = await readTx(file);
    const before = flags.overwrite ? [] : orFail(signersIn(parts), file);
    const key = orFail(await ring.unlock(flags.from));
    const own = (prefix: string): string => bech32Address(key.publicKey, prefix);
    const addressOf = multisig === undefined ? own : await multisigAddress(ring, multisig, key);
    if (multisig !== undefined && self.getOptionValueSource('signMode') !== 'default' && flags.signMode === 'direct')
      throw new CliError("--multisig signs in amino-json: in direct mode the others' signatures would be part of it");
    const mode = multisig === undefined ? flags.signMode : 'amino-json';
    if (before.length > 0 && mode === 'direct' && multisig === undefined && !flags.signatureOnly)
      throw new CliError(
        `${file} is signed already: say --overwrite, or --sign-mode amino-json to sign after the others`,
      );
    if (!flags.offline && multisig === undefined && !flags.signatureOnly)
      expectTurn(parts, before.length, accountAddress(key.publicKey), await chainClientOf(flags).bech32Prefix());
    const made = orFail(signPart(parts, key, mode, await signingFor(flags, addressOf)));
    if (multisig !== undefined || flags.signatureOnly)
      return writeText(orFail(signatureFile(made)), flags.outputDocument);
    return writeTx(encodeTxParts(orFail(withSigners(parts, [...before, made]))), flags.outputDocument);
  });
}

/** Signatures stand in the order in which the messages name their signers. @throws CliError when it is another's turn. */
export function expectTurn(parts: RawTx, signed: number, signer: Uint8Array, prefix: string): void {
  const needed = orFail(neededSigners(parts, prefix));
  const next = needed[signed];
  if (next === undefined) throw new CliError(`all ${needed.length} signers have signed: --overwrite begins anew`);
  if (equal(next, signer)) return;
  const turn = needed.findIndex((address) => equal(address, signer));
  const who = turn < 0 ? 'is no signer of it' : turn < signed ? 'has signed already' : 'signs later';
  throw new CliError(`the next to sign is ${encodeAddress(prefix, next)}; ${encodeAddress(prefix, signer)} ${who}`);
}

function broadcastCommand(): Command {
  const command = new Command('broadcast')
    .description('send a signed transaction in a file, and wait until a block has it')
    .argument('<file>', 'JSON of the transaction');
  return withOptions(command, [nodeOption(), outputOption()]).action(
    async (file: string, flags: NodeFlags & OutputFlags) => {
      const chain = chainClientOf(flags);
      const output = createOutput(flags.output);
      const hash = await chain.broadcast(encodeTxParts(await readTx(file)));
      output.note(`sent ${hash}, waiting for a block …`);
      const outcome = await chain.waitForTx(hash, INCLUSION_TIMEOUT_MS);
      output.result(outcome, outcomeLines(outcome));
      if (outcome.code !== 0) throw new CliError(`the transaction failed in block ${outcome.height}: ${outcome.log}`);
    },
  );
}

function simulateCommand(): Command {
  const command = new Command('simulate')
    .description('how much gas a transaction in a file would use')
    .argument('<file>', 'JSON of the transaction, signed or not');
  return withOptions(command, [nodeOption(), outputOption()]).action(
    async (file: string, flags: NodeFlags & OutputFlags) => {
      const gas = await chainClientOf(flags).simulate(encodeTxParts(await readTx(file)));
      createOutput(flags.output).result({ gas }, [`gas ${gas}`]);
    },
  );
}

function encodeCommand(): Command {
  return new Command('encode')
    .description('the transaction in a file as base64 of its bytes')
    .argument('<file>', 'JSON of the transaction')
    .action(async (file: string) => {
      process.stdout.write(`${toBase64(encodeTxParts(await readTx(file)))}\n`);
    });
}

function decodeCommand(): Command {
  return new Command('decode')
    .description('the transaction in base64 as JSON')
    .argument('<base64>', 'as blocks have it')
    .addOption(new Option('--output-document <file>', 'by default standard output'))
    .action(async (text: string, flags: { readonly outputDocument?: string }) => {
      let bytes: Uint8Array;
      try {
        bytes = fromBase64(text, 'the transaction');
      } catch (error) {
        throw new CliError(error instanceof Error ? error.message : String(error));
      }
      await writeTx(bytes, flags.outputDocument);
    });
}

export function txFileCommands(): readonly Command[] {
  return [signCommand(), broadcastCommand(), simulateCommand(), encodeCommand(), decodeCommand()];
}
