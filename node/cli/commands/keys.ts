import { Command, Option } from 'commander';
import { fromHex, toHex } from '#core/bytes.ts';
import { COSMOS_PATH, isMnemonic, keyFromMnemonic, newMnemonic } from '#core/crypto/keys.ts';
import type { Json } from '#runtime/module.ts';
import { formatOperator } from '#runtime/modules/staking/addresses.ts';
import { type AccountKey, addressOfKey } from '#runtime/tx/account-key.ts';
import { accountKeyFromJson, accountKeyJson, keyAddress, multisigKey } from '../../client/account-keys.ts';
import type { KeyInfo, Keyring } from '../../keyring/keyring.ts';
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
    const keys = await keyringOf(flags).list();
    createOutput(flags.output).result(
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

function importCommand(): Command {
  return command('import', 'add a key from its private key: 64 hex digits, read from standard input')
    .argument('<name>')
    .action(async (name: string, flags: KeyFlags) => {
      const text = (await readLine('Private key in hex')).trim();
      if (!/^[0-9a-fA-F]{64}$/.test(text)) throw new CliError(`expected 64 hex digits, got ${text.length} characters`);
      const key = orFail(await keyringOf(flags).add(name, fromHex(text)));
      createOutput(flags.output).result(describe(key, flags.prefix), lines(key, flags.prefix));
    });
}

function exportCommand(): Command {
  return command('export', 'print the private key, not encrypted, in hex')
    .argument('<name>')
    .requiredOption('--unsafe', 'yes, print the secret')
    .action(async (name: string, flags: KeyFlags) => {
      const pair = orFail(await keyringOf(flags).unlock(name));
      const secret = toHex(pair.privateKey);
      createOutput(flags.output).result({ name, private_key: secret }, [secret]);
    });
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
