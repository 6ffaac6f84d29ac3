/** The signatures of a multisig key's members, each made where that member is, put together. */
import { Command } from 'commander';
import { equal } from '#core/bytes.ts';
import type { SignatureDescriptor } from '#proto/gen/cosmos/tx/signing/v1beta1/signing_pb.ts';
import { RUNTIME_LIMITS } from '#runtime/limits.ts';
import { addressOfKey } from '#runtime/tx/account-key.ts';
import { keyAddress } from '../../client/account-keys.ts';
import { multisign, readSignatureFile, signatureFile, withSigners } from '../../client/signatures.ts';
import { encodeTxParts } from '../../client/tx-json.ts';
import {
  CliError,
  homeOption,
  type KeyringFlags,
  keyringOf,
  keyringOption,
  nodeOption,
  orFail,
  withOptions,
} from '../context.ts';
import { type AccountFlags, accountOptions, readText, readTx, signingFor, writeText, writeTx } from './tx-files.ts';

interface MultisignFlags extends KeyringFlags, AccountFlags {
  readonly signatureOnly: boolean;
  readonly prefix: string;
  readonly outputDocument?: string;
}

export function multisignCommand(): Command {
  const command = new Command('multisign')
    .alias('multi-sign')
    .description('sign a transaction in a file for a multisig key, with the signatures that its members have made')
    .argument('<file>', 'JSON of the transaction')
    .argument('<key>', 'name of the multisig key in the keyring')
    .argument('<signatures...>', 'files that autond tx sign --multisig has written')
    .option('--signature-only', 'print the signature alone: this key is itself a member of another', false)
    .option('--prefix <text>', 'prefix of addresses, where a member has no name here', 'auton')
    .option('--output-document <file>', 'by default standard output');
  withOptions(command, [...accountOptions(), homeOption(), keyringOption(), nodeOption()]);
  return command.action(async (file: string, name: string, files: readonly string[], flags: MultisignFlags) => {
    const ring = keyringOf(flags);
    const { key } = orFail(await ring.find(name));
    if (key.kind !== 'multisig')
      throw new CliError(`${name} is a simple key: make a multisig key with autond keys add --multisig`);
    const names = await ring.list();
    const nameOf = (one: typeof key | (typeof key.keys)[number]): string =>
      names.find((known) => equal(addressOfKey(known.key), addressOfKey(one)))?.name ?? keyAddress(one, flags.prefix);
    const parts = await readTx(file);
    const descriptors = await readSignatures(files);
    const signing = await signingFor(flags, (prefix) => keyAddress(key, prefix));
    const made = orFail(multisign(parts, key, signing, descriptors, nameOf));
    if (flags.signatureOnly) return writeText(orFail(signatureFile(made)), flags.outputDocument);
    return writeTx(encodeTxParts(orFail(withSigners(parts, [made]))), flags.outputDocument);
  });
}

async function readSignatures(files: readonly string[]): Promise<readonly SignatureDescriptor[]> {
  if (files.length > RUNTIME_LIMITS.maxMultisigKeys)
    throw new CliError(`${files.length} files of signatures exceed the limit of ${RUNTIME_LIMITS.maxMultisigKeys}`);
  const found: SignatureDescriptor[] = [];
  for (const file of files) found.push(...orFail(readSignatureFile(await readText(file)), file));
  return found;
}
