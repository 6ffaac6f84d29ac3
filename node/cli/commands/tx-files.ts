/** Transactions in files: made here, signed where the key is, sent from somewhere else. */
import { readFile } from 'node:fs/promises';
import { Command, Option } from 'commander';
import { fromBase64, toBase64 } from '#core/bytes.ts';
import { type AccountKeyPair, bech32Address, signSecp256k1 } from '#core/crypto/keys.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/secp256k1/keys_pb.ts';
import { SignMode } from '#proto/gen/cosmos/tx/signing/v1beta1/signing_pb.ts';
import { AuthInfoSchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { decodeStrict, encode, pack } from '#proto/message.ts';
import type { RawTx } from '#runtime/tx/decode.ts';
import { directSignBytes } from '#runtime/tx/sign-bytes.ts';
import { encodeTxParts, txFromJson, txToJson } from '../../client/tx-json.ts';
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
import { outcomeLines } from '../send-messages.ts';
import { unsigned } from '../unsigned.ts';

const INCLUSION_TIMEOUT_MS = 60_000;

/** Prints the transaction, or writes it to the file. */
export async function writeTx(tx: Uint8Array, file: string | undefined): Promise<void> {
  const text = `${JSON.stringify(orFail(txToJson(tx)), undefined, 2)}\n`;
  if (file === undefined) process.stdout.write(text);
  else await replaceFileDurably(file, text, 0o644);
}

async function readTx(file: string): Promise<RawTx> {
  const text = await readFile(file, 'utf8').catch(() => {
    throw new CliError(`${file} cannot be read`);
  });
  return orFail(txFromJson(text), file);
}

interface SignFlags extends KeyringFlags, NodeFlags {
  readonly from: string;
  readonly chainId?: string;
  readonly offline: boolean;
  readonly accountNumber?: bigint;
  readonly sequence?: bigint;
  readonly outputDocument?: string;
}

/** For whom a transaction is signed; offline all of it is told. */
interface SigningFor {
  readonly chainId: string;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
}

async function signingFor(flags: SignFlags, key: AccountKeyPair): Promise<SigningFor> {
  const { chainId, accountNumber, sequence } = flags;
  if (flags.offline) {
    if (chainId === undefined || accountNumber === undefined || sequence === undefined)
      throw new CliError('--offline needs --chain-id, --account-number and --sequence: there is no node to ask');
    return { chainId, accountNumber, sequence };
  }
  const chain = chainClientOf(flags);
  const address = bech32Address(key.publicKey, await chain.bech32Prefix());
  const account = await chain.account(address);
  if (account === undefined) throw new CliError(`${address} is not on the chain yet`);
  return {
    chainId: chainId ?? (await chain.status()).node_info.network,
    accountNumber: accountNumber ?? account.accountNumber,
    sequence: sequence ?? account.sequence,
  };
}

/** The transaction with one signature in SIGN_MODE_DIRECT. Failure: its auth_info cannot be read. */
export function signParts(parts: RawTx, key: AccountKeyPair, signing: SigningFor): Uint8Array {
  const { $typeName: _, ...before } = orFail(decodeStrict(AuthInfoSchema, parts.authInfoBytes), 'auth_info');
  const authInfoBytes = encode(AuthInfoSchema, {
    ...before,
    signerInfos: [
      {
        publicKey: pack(PubKeySchema, { key: key.publicKey }),
        modeInfo: { sum: { case: 'single', value: { mode: SignMode.DIRECT } } },
        sequence: signing.sequence,
      },
    ],
  });
  const { bodyBytes } = parts;
  const bytes = directSignBytes({ bodyBytes, authInfoBytes }, signing.chainId, signing.accountNumber);
  return encodeTxParts({ bodyBytes, authInfoBytes, signatures: [signSecp256k1(key.privateKey, bytes)] });
}

function signCommand(): Command {
  const command = new Command('sign')
    .description('sign a transaction in a file, as --generate-only writes it')
    .argument('<file>', 'JSON of the transaction')
    .requiredOption('--from <key>', 'name of the key that signs')
    .option('--chain-id <id>', 'id of the chain; without it the node is asked')
    .option('--offline', 'ask no node', false)
    .option('--account-number <number>', 'of the signer', unsigned)
    .option('--sequence <number>', 'of the signer', unsigned)
    .option('--output-document <file>', 'by default standard output');
  return withOptions(command, [homeOption(), keyringOption(), nodeOption()]).action(
    async (file: string, flags: SignFlags) => {
      const key = orFail(await keyringOf(flags).unlock(flags.from));
      const signed = signParts(await readTx(file), key, await signingFor(flags, key));
      await writeTx(signed, flags.outputDocument);
    },
  );
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
