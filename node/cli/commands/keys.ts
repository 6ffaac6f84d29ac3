import { Command } from 'commander';
import { fromHex, toBase64, toHex } from '#core/bytes.ts';
import { bech32Address, COSMOS_PATH, isMnemonic, keyFromMnemonic, newMnemonic } from '#core/crypto/keys.ts';
import type { KeyInfo } from '../../keyring/keyring.ts';
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
  withOptions,
} from '../context.ts';
import { readLine } from '../prompt.ts';

interface KeyFlags extends KeyringFlags, OutputFlags {
  readonly prefix: string;
}

const shared = () => [homeOption(), keyringOption(), outputOption()];

function describe(key: KeyInfo, prefix: string) {
  return {
    name: key.name,
    type: 'secp256k1',
    address: bech32Address(key.publicKey, prefix),
    pub_key: toBase64(key.publicKey),
  };
}

function lines(key: KeyInfo, prefix: string): string[] {
  const { name, address, pub_key } = describe(key, prefix);
  return [`${name}`, `  address  ${address}`, `  pub_key  ${pub_key}`];
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

function addCommand(): Command {
  return command('add', 'make a new key, or recover one from its mnemonic')
    .argument('<name>')
    .option('--recover', 'read the mnemonic instead of making one', false)
    .option('--hd-path <path>', 'derivation path (BIP-44)', COSMOS_PATH)
    .action(async (name: string, flags: KeyFlags & { recover: boolean; hdPath: string }) => {
      const output = createOutput(flags.output);
      const mnemonic = flags.recover ? (await readLine('Mnemonic')).trim().replace(/\s+/g, ' ') : newMnemonic();
      if (!isMnemonic(mnemonic))
        throw new CliError('that is no mnemonic: expected 12 to 24 words of the English list with a right checksum');
      const pair = keyFromMnemonic(mnemonic, flags.hdPath);
      const key = orFail(await keyringOf(flags).add(name, pair.privateKey));
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
    .action(async (name: string, flags: KeyFlags & { address: boolean }) => {
      const key = orFail(await keyringOf(flags).find(name));
      const text = flags.address ? [bech32Address(key.publicKey, flags.prefix)] : lines(key, flags.prefix);
      createOutput(flags.output).result(describe(key, flags.prefix), text);
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
