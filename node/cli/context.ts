import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import { type Command, InvalidArgumentError, Option } from 'commander';
import { plainText } from '#wasm-modules/text.ts';
import { type ChainClient, createChainClient } from '../client/chain-client.ts';
import { createRpcClient } from '../client/rpc-client.ts';
import { KEYRING_BACKENDS, type Keyring, type KeyringBackend, openKeyring } from '../keyring/keyring.ts';
import { readPassword } from './prompt.ts';

/** A command that cannot do what was asked: its message is all that the user sees, exit code 1. */
export class CliError extends Error {
  override readonly name = 'CliError';
}

/** What a command writes to. */
export interface Output {
  /** The result, on standard output: `value` as JSON, or the lines. */
  result(value: unknown, lines: readonly string[]): void;
  /** What happens meanwhile, on standard error. */
  note(line: string): void;
}

const json = (value: unknown): string =>
  JSON.stringify(value, (_key, item: unknown) => (typeof item === 'bigint' ? item.toString() : item), 2);

export function createOutput(format: 'text' | 'json'): Output {
  return {
    result(value, lines) {
      const text = () => lines.map((line) => `${plainText(line)}\n`).join('');
      process.stdout.write(format === 'json' ? `${json(value)}\n` : text());
    },
    note(line) {
      process.stderr.write(`${plainText(line)}\n`);
    },
  };
}

export const homeOption = () =>
  new Option('--home <folder>', 'folder of the node')
    .default(defaultHome(), '$AUTOND_HOME or ~/.autond')
    .argParser((text: string) => resolve(text));

export function defaultHome(): string {
  return resolve(process.env.AUTOND_HOME ?? join(homedir(), '.autond'));
}

export const outputOption = () =>
  new Option('-o, --output <format>', 'how results are printed').choices(['text', 'json']).default('text');

export const nodeOption = () =>
  new Option('--node <url>', 'RPC address of a node').default(
    process.env.AUTOND_NODE ?? 'http://127.0.0.1:26657',
    '$AUTOND_NODE or http://127.0.0.1:26657',
  );

export const keyringOption = () =>
  new Option(
    '--keyring-backend <backend>',
    "file: keys under a password; os: in the operating system's keyring; test: not encrypted",
  )
    .choices(KEYRING_BACKENDS)
    .default('file');

export interface OutputFlags {
  readonly output: 'text' | 'json';
}

export interface NodeFlags {
  readonly node: string;
}

export interface KeyringFlags {
  readonly home: string;
  readonly keyringBackend: KeyringBackend;
}

export function chainClientOf(flags: NodeFlags): ChainClient {
  return createChainClient(createRpcClient(flags.node));
}

export function keyringOf(flags: KeyringFlags): Keyring {
  return openKeyring(
    { backend: flags.keyringBackend, folder: join(flags.home, `keyring-${flags.keyringBackend}`) },
    { password: readPassword },
  );
}

/** The value, or the sentence as a {@link CliError}. */
export function orFail<T>(
  result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: string },
  what = '',
): T {
  if (result.ok) return result.value;
  throw new CliError(what === '' ? result.error : `${what}: ${result.error}`);
}

/** A whole number from a flag. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^\d+$/.test(text) || value < min || value > max)
      throw new InvalidArgumentError(`expected a whole number from ${min} to ${max}`);
    return value;
  };
}

/** Adds options that several commands share. */
export function withOptions(command: Command, options: readonly Option[]): Command {
  for (const option of options) command.addOption(option);
  return command;
}
