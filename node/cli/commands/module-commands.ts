/** `autond query <module> …` and `autond tx <module> …` for every query and message of the module table, by its descriptors. */
import { Command, Option } from 'commander';
import { equal } from '#core/bytes.ts';
import { encode } from '#proto/message.ts';
import { formatAddress } from '#runtime/address.ts';
import type { AnyMessage, ChainParams } from '#runtime/context.ts';
import { isObject } from '#runtime/json.ts';
import type { Json, MessageHandler, QueryHandler } from '#runtime/module.ts';
import { formatOperator } from '#runtime/modules/staking/addresses.ts';
import { sdkFromJson, sdkToJson } from '#runtime/sdk-json.ts';
import { TX_TABLE, TX_TYPES } from '../../client/tx-json.ts';
import {
  CliError,
  chainClientOf,
  createOutput,
  homeOption,
  keyringOption,
  type NodeFlags,
  nodeOption,
  type OutputFlags,
  orFail,
  outputOption,
  withOptions,
} from '../context.ts';
import { type FlagValues, fieldOptions, kebab, messageJson } from '../message-flags.ts';
import { sendMessages, type TxFlags, txOptions } from '../send-messages.ts';
import { unsigned } from '../unsigned.ts';

/** `cosmos.bank.v1beta1` → `bank`. */
function moduleOf(packageName: string): string {
  const parts = packageName.split('.');
  return parts.at(-2) ?? packageName;
}

/** The command of a module below `parent`; made when it is not there. */
function moduleCommand(parent: Command, name: string, what: string): Command {
  const there = parent.commands.find((command) => command.name() === name);
  if (there !== undefined) return there;
  const made = new Command(name).description(`${what} of module ${name}`);
  parent.addCommand(made);
  return made;
}

/** Adds the command, unless one with that name has been written by hand. */
function addUnlessThere(parent: Command, command: Command): void {
  if (!parent.commands.some((there) => there.name() === command.name())) parent.addCommand(command);
}

const namesOf = (options: readonly Option[]): ReadonlySet<string> =>
  new Set(options.map((option) => option.name()).concat('json', 'from'));

const jsonOption = () => new Option('--json <text>', 'the whole of it as JSON, or fields beside the flags');

/** What flags and --json make together; a flag goes before. */
function jsonOf(flags: FlagValues, fromFlags: { readonly [name: string]: Json }): { readonly [name: string]: Json } {
  if (typeof flags.json !== 'string') return fromFlags;
  let given: Json;
  try {
    given = JSON.parse(flags.json) as Json;
  } catch {
    throw new CliError('--json: expected JSON');
  }
  if (!isObject(given)) throw new CliError('--json: expected an object');
  return { ...given, ...fromFlags };
}

/** Where a request has a height of its own, `--height` is that. */
const stateHeightOption = () =>
  new Option('--height <height>', 'ask the state after this block; by default the newest').argParser(unsigned);

export function addModuleQueries(parent: Command): void {
  for (const handler of TX_TABLE.queries.values()) {
    const match = /^\/([\w.]+)\.Query\/(\w+)$/.exec(handler.path);
    if (match === null) continue;
    const [, packageName = '', method = ''] = match;
    const module = moduleCommand(parent, moduleOf(packageName), 'queries');
    addUnlessThere(module, moduleQuery(kebab(method), handler));
  }
}

function moduleQuery(name: string, handler: QueryHandler): Command {
  const { path, request, response } = handler;
  const asked = request.fields.some((field) => kebab(field.name) === 'height') ? [] : [stateHeightOption()];
  const shared = [nodeOption(), outputOption(), jsonOption(), ...asked];
  const command = new Command(name).description(`${path}; the answer is JSON`);
  withOptions(command, [...fieldOptions(request, namesOf(shared)), ...shared]);
  return command.action(async (flags: NodeFlags & OutputFlags & FlagValues) => {
    const json = jsonOf(flags, orFail(messageJson(request, flags)));
    const init = orFail(sdkFromJson(request, json, 'request', TX_TYPES));
    const height = typeof flags.height === 'bigint' ? flags.height : 0n;
    const answer = await chainClientOf(flags).query(path, request, init, response, height);
    const shown = sdkToJson(response, answer, TX_TYPES);
    createOutput(flags.output).result(shown, [JSON.stringify(shown, undefined, 2)]);
  });
}

export function addModuleTxs(parent: Command): void {
  for (const handler of TX_TABLE.messages.values()) {
    const match = /^\/([\w.]+)\.Msg(\w+)$/.exec(handler.typeUrl);
    // What the governance account alone may do is nobody's to sign.
    if (match === null || handler.schema.fields.some(({ name }) => name === 'authority')) continue;
    const [, packageName = '', method = ''] = match;
    const module = moduleCommand(parent, moduleOf(packageName), 'transactions');
    addUnlessThere(module, moduleTx(kebab(method), handler));
  }
}

function moduleTx(name: string, handler: MessageHandler): Command {
  const shared = [homeOption(), keyringOption(), nodeOption(), outputOption(), ...txOptions(), jsonOption()];
  const command = new Command(name)
    .description(`${handler.typeUrl.slice(1)}, signed by --from, whose address needs no flag`)
    .requiredOption('--from <key>', 'name of the key that signs; with --generate-only also an address');
  withOptions(command, [...fieldOptions(handler.schema, namesOf(shared)), ...shared]);
  return command.action(async (flags: TxFlags & FlagValues & { readonly from: string }) => {
    const json = jsonOf(flags, orFail(messageJson(handler.schema, flags)));
    await sendMessages(flags.from, flags, createOutput(flags.output), ({ address, prefix }) => [
      messageOf(handler, json, address, prefix),
    ]);
  });
}

/** The message, with the signer's address in the field that says who signs. */
export function messageOf(
  handler: MessageHandler,
  json: { readonly [name: string]: Json },
  signer: Uint8Array,
  prefix: string,
): AnyMessage {
  const { schema, typeUrl } = handler;
  const chain: ChainParams = { chainId: '', bech32Prefix: prefix, baseDenom: '' };
  const field = signerField(handler, chain, signer);
  const filled = field === undefined ? json : { [field.name]: field.text, ...json };
  const message = orFail(sdkFromJson(schema, filled, typeUrl.slice(1), TX_TYPES));
  const signers = handler.signers(message, chain);
  if (!signers.ok) throw new CliError(signers.error.message);
  if (!signers.value.some((one) => equal(one, signer)))
    throw new CliError(`${formatAddress(chain, signer)} does not sign this message: who signs stands in its fields`);
  return { typeUrl, value: encode(schema, message) };
}

/** The one text field that makes its content the signer, as an account or as an operator; undefined: there is none. */
function signerField(handler: MessageHandler, chain: ChainParams, signer: Uint8Array) {
  const forms = [formatAddress(chain, signer), formatOperator(chain, signer)];
  for (const { fieldKind, name } of handler.schema.fields) {
    if (fieldKind !== 'scalar') continue;
    for (const text of forms) {
      const trial = sdkFromJson(handler.schema, { [name]: text }, name, TX_TYPES);
      const signers = trial.ok ? handler.signers(trial.value, chain) : undefined;
      if (signers?.ok === true && signers.value.length > 0 && signers.value.every((one) => equal(one, signer)))
        return { name, text };
    }
  }
  return undefined;
}
