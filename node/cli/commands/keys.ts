import { Command, Option } from 'commander';
import { fromHex, fromUtf8, toHex, toHexUpper } from '#core/bytes.ts';
import { decodeAddress, encodeAddress } from '#core/codec/bech32.ts';
import { COSMOS_PATH, isMnemonic, isPrivateKey, keyFromMnemonic, newMnemonic } from '#core/crypto/keys.ts';
import type { Json } from '#runtime/module.ts';
import { formatConsensus, formatOperator } from '#runtime/modules/staking/addresses.ts';
import { type AccountKey, addressOfKey } from '#runtime/tx/account-key.ts';
import { accountKeyFromJson, accountKeyJson, keyAddress, multisigKey } from '../../client/account-keys.ts';
import type { KeyInfo, Keyring } from '../../keyring/keyring.ts';
import { ARMOR_TYPE, armorKey, openArmoredKey } from '../../keyring/sdk-key.ts';
import { NODE_LIMITS } from '../../limits.ts';
import { readFileBounded } from '../../storage/durable-file.ts';
import {
  CliError,
  createOutput,
  homeOption,
  type KeyringFlags,
  keyringOf,
  keyringOption,
  type OutputFlags,
  orFail,
  outputOption,
  wholeNumber,
  withOptions,
} from '../context.ts';
import { readLine, readPassword } from '../prompt.ts';

interface KeyFlags extends KeyringFlags, OutputFlags {
  readonly prefix: string;
}

const shared = () => [homeOption(), keyringOption(), outputOption()];

/** The fields that the Cosmos SDK's tools print. */
function describe({ name, type, key }: KeyInfo, prefix: string) {
  return { name, type, address: keyAddress(key, prefix), pubkey: JSON.stringify(accountKeyJson(key)) };
}

function lines(key: KeyInfo, prefix: string): string[] {
  const { name, type, address, pubkey } = describe(key, prefix);
  return [`${name}`, `  type     ${type}`, `  address  ${address}`, `  pubkey   ${pubkey}`];
}

function command(name: string, description: string): Command {
  return withOptions(new Command(name).description(description), shared()).option(
    '--prefix <text>',
    'prefix of addresses',
    'auton',
  );
}

export function keysCommand(): Command {
  return new Command('keys')
    .description('manage account keys')
    .addCommand(addCommand())
    .addCommand(listCommand())
    .addCommand(showCommand())
    .addCommand(importCommand())
    .addCommand(exportCommand())
    .addCommand(renameCommand())
    .addCommand(parseCommand())
    .addCommand(deleteCommand());
}

interface AddFlags extends KeyFlags {
  readonly recover: boolean;
  readonly hdPath?: string;
  readonly account: number;
  readonly index: number;
  readonly bip39Passphrase: boolean;
  readonly multisig?: string;
  readonly multisigThreshold: number;
  readonly nosort: boolean;
  readonly pubkey?: string;
}

const MAX_HARDENED = 2_147_483_647;

function addCommand(): Command {
  const index = wholeNumber(0, MAX_HARDENED);
  const made = command('add', 'make a new key, recover one from its mnemonic, or keep one that others sign for')
    .argument('<name>')
    .option('--recover', 'read the mnemonic instead of making one', false)
    .option('--bip39-passphrase', 'also ask for a passphrase, which the mnemonic does not hold', false)
    .addOption(new Option('--hd-path <path>', `derivation path (BIP-44); by default ${COSMOS_PATH}`))
    .option('--account <number>', 'account of the default path', index, 0)
    .option('--index <number>', 'address of the default path', index, 0)
    .option('--pubkey <json>', "a public key alone, as keys show --pubkey prints it: its secret is somewhere else's")
    .option('--multisig <names>', 'a multisig key of these keys, separated by commas')
    .option('--multisig-threshold <count>', 'how many of them must sign', wholeNumber(1, 64), 1)
    .option('--nosort', 'members in the order in which they are named, not in that of their addresses', false);
  return made.action(async (name: string, flags: AddFlags) => {
    const output = createOutput(flags.output);
    const ring = keyringOf(flags);
    const without = await publicKeyOf(ring, flags);
    if (without !== undefined) {
      const key = orFail(await ring.addPublic(name, without));
      output.result(describe(key, flags.prefix), lines(key, flags.prefix));
      return;
    }
    const mnemonic = flags.recover ? (await readLine('Mnemonic')).trim().replace(/\s+/g, ' ') : newMnemonic();
    if (!isMnemonic(mnemonic))
      throw new CliError('that is no mnemonic: expected 12 to 24 words of the English list with a right checksum');
    const pair = keyFromMnemonic(mnemonic, pathOf(flags), await passphraseOf(flags));
    const key = orFail(await ring.add(name, pair.privateKey));
    const words = flags.recover ? {} : { mnemonic };
    const shown = flags.recover
      ? []
      : [
          '',
          'Write these words down: who has them has the key, and without them it cannot be recovered.',
          '',
          mnemonic,
        ];
    output.result({ ...describe(key, flags.prefix), ...words }, [...lines(key, flags.prefix), ...shown]);
  });
}

function pathOf({ hdPath, account, index }: AddFlags): string {
  if (hdPath === undefined) return `m/44'/118'/${account}'/0/${index}`;
  if (!/^m(\/\d{1,10}'?){1,10}$/.test(hdPath)) throw new CliError(`--hd-path: expected such as ${COSMOS_PATH}`);
  return hdPath;
}

async function passphraseOf({ bip39Passphrase, recover }: AddFlags): Promise<string> {
  return bip39Passphrase ? readPassword('BIP-39 passphrase', !recover) : '';
}

/** Undefined: the key has its secret here. */
async function publicKeyOf(ring: Keyring, flags: AddFlags): Promise<AccountKey | undefined> {
  const { pubkey, multisig, multisigThreshold, nosort } = flags;
  if (pubkey !== undefined && multisig !== undefined) throw new CliError('--pubkey and --multisig exclude each other');
  if (pubkey !== undefined) {
    let json: Json;
    try {
      json = JSON.parse(pubkey) as Json;
    } catch {
      throw new CliError('--pubkey: expected JSON with @type and key');
    }
    return orFail(accountKeyFromJson(json, '--pubkey'));
  }
  if (multisig === undefined) return undefined;
  const members: AccountKey[] = [];
  for (const name of multisig.split(',')) members.push(orFail(await ring.find(name.trim()), '--multisig').key);
  return orFail(multisigKey(multisigThreshold, members, !nosort), '--multisig');
}

function listCommand(): Command {
  return command('list', 'list the keys').action(async (flags: KeyFlags) => {
    const ring = keyringOf(flags);
    const output = createOutput(flags.output);
    const keys = await ring.list();
    for (const sentence of await ring.unreadable()) output.note(`left out: ${sentence}`);
    output.result(
      keys.map((key) => describe(key, flags.prefix)),
      keys.length === 0
        ? ['no keys; make one with: autond keys add <name>']
        : keys.flatMap((key) => lines(key, flags.prefix)),
    );
  });
}

function showCommand(): Command {
  return command('show', 'show one key')
    .argument('<name>')
    .option('-a, --address', 'print the address alone', false)
    .option('-p, --pubkey', 'print the public key alone', false)
    .addOption(
      new Option('--bech <form>', 'acc: of an account; val: of an operator').choices(['acc', 'val']).default('acc'),
    )
    .action(async (name: string, flags: KeyFlags & { address: boolean; pubkey: boolean; bech: 'acc' | 'val' }) => {
      const key = orFail(await keyringOf(flags).find(name));
      const shown = { ...describe(key, flags.prefix) };
      if (flags.bech === 'val') shown.address = formatOperator({ bech32Prefix: flags.prefix }, addressOfKey(key.key));
      const { address, pubkey } = shown;
      if (flags.address || flags.pubkey) process.stdout.write(`${flags.address ? address : pubkey}\n`);
      else createOutput(flags.output).result(shown, lines(key, flags.prefix).with(2, `  address  ${address}`));
    });
}

/** Not the keyring's own password. */
const ARMOR_PASSPHRASE = 'AUTOND_ARMOR_PASSPHRASE';
const ARMOR_END = /^-----END /;

/** A file, or standard input: one line of hex, or the lines of an armor. */
async function readSecret(file: string | undefined): Promise<string> {
  if (file !== undefined) {
    const bytes = await readFileBounded(file, NODE_LIMITS.maxConfigFileBytes);
    if (bytes === undefined) throw new CliError(`there is no file ${file}`);
    return fromUtf8(bytes).trim();
  }
  const first = (await readLine('Private key: an ASCII armor, or 64 hex digits')).trim();
  if (!first.startsWith('-----')) return first;
  const lines = [first];
  // An empty line stands behind the headers; two of them are an input that has ended.
  while (!ARMOR_END.test(lines.at(-1) ?? '') && !(lines.at(-1) === '' && lines.at(-2) === ''))
    lines.push((await readLine('')).trim());
  return lines.join('\n');
}

async function privateKeyIn(secret: string): Promise<Uint8Array> {
  if (secret.startsWith('-----'))
    return orFail(openArmoredKey(secret, await readPassword('Passphrase of the armor', false, ARMOR_PASSPHRASE)));
  if (!/^[0-9a-fA-F]{64}$/.test(secret))
    throw new CliError(
      `expected an armor -----BEGIN ${ARMOR_TYPE}----- or 64 hex digits, got ${secret.length} characters`,
    );
  return fromHex(secret);
}

function importCommand(): Command {
  return command('import', "add a key from an ASCII armor, as the Cosmos SDK's tools export it, or from 64 hex digits")
    .argument('<name>')
    .argument('[file]', 'with the armor or the digits; by default standard input')
    .action(async (name: string, file: string | undefined, flags: KeyFlags) => {
      const secret = await privateKeyIn(await readSecret(file));
      if (!isPrivateKey(secret))
        throw new CliError('that is no private key of secp256k1: 0, or not below the order of the group');
      const key = orFail(await keyringOf(flags).add(name, secret));
      createOutput(flags.output).result(describe(key, flags.prefix), lines(key, flags.prefix));
    });
}

function exportCommand(): Command {
  return command(
    'export',
    "print the private key in ASCII armor under a passphrase, as the Cosmos SDK's tools import it",
  )
    .argument('<name>')
    .option('--unarmored-hex', 'print it in hex, not encrypted; needs --unsafe', false)
    .option('--unsafe', 'with --unarmored-hex: yes, print the secret', false)
    .action(async (name: string, flags: KeyFlags & { readonly unarmoredHex: boolean; readonly unsafe: boolean }) => {
      if (flags.unarmoredHex !== flags.unsafe)
        throw new CliError(
          '--unarmored-hex and --unsafe go together: they print the secret; without them it comes in armor',
        );
      const output = createOutput(flags.output);
      const pair = orFail(await keyringOf(flags).unlock(name));
      if (flags.unsafe) {
        const secret = toHex(pair.privateKey);
        output.result({ name, private_key: secret }, [secret]);
        return;
      }
      const armor = armorKey(pair.privateKey, await readPassword('Passphrase for the armor', true, ARMOR_PASSPHRASE));
      output.result({ name, armor }, armor.split('\n'));
    });
}

function renameCommand(): Command {
  return command('rename', 'give a key another name; its secret is sealed anew')
    .argument('<name>')
    .argument('<new name>')
    .action(async (name: string, next: string, flags: KeyFlags) => {
      const ring = keyringOf(flags);
      const { type, key } = orFail(await ring.find(name));
      // The name is part of what a secret is sealed with. The old file goes when the new one is there.
      const renamed =
        type === 'local'
          ? await ring.add(next, orFail(await ring.unlock(name)).privateKey)
          : await ring.addPublic(next, key);
      const made = orFail(renamed);
      orFail(await ring.remove(name));
      createOutput(flags.output).result(describe(made, flags.prefix), lines(made, flags.prefix));
    });
}

/** Every form of one address, whichever of them is known. */
function parseCommand(): Command {
  const made = new Command('parse')
    .description('an address in every form: hex, of an account, of an operator, of a validator')
    .argument('<address>', 'hex digits, or an address with any prefix')
    .option('--prefix <text>', 'prefix of the addresses that are printed', 'auton')
    .addOption(outputOption());
  return made.action((text: string, { prefix, output }: OutputFlags & { readonly prefix: string }) => {
    const bytes = addressBytes(text);
    const chain = { bech32Prefix: prefix };
    const forms = {
      hex: toHexUpper(bytes),
      account: encodeAddress(prefix, bytes),
      operator: formatOperator(chain, bytes),
      consensus: formatConsensus(chain, bytes),
    };
    createOutput(output).result(
      forms,
      Object.entries(forms).map(([name, form]) => `${name.padEnd(9)}  ${form}`),
    );
  });
}

function addressBytes(text: string): Uint8Array {
  const digits = text.replace(/^0x/, '');
  if (/^([0-9a-fA-F]{2}){20}$|^([0-9a-fA-F]{2}){32}$/.test(digits)) return fromHex(digits);
  const address = decodeAddress(text);
  if (!address.ok) throw new CliError(`expected 40 or 64 hex digits, or an address: ${address.error}`);
  return address.value.bytes;
}

function deleteCommand(): Command {
  return command('delete', 'delete a key for ever')
    .argument('<name>')
    .requiredOption('-y, --yes', 'yes, delete it')
    .action(async (name: string, flags: KeyFlags) => {
      const key = orFail(await keyringOf(flags).remove(name));
      createOutput(flags.output).result(describe(key, flags.prefix), [`${name} is deleted`]);
    });
}
