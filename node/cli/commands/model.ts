import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { toHex } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MsgRegisterModelResponseSchema, MsgRegisterModelSchema } from '#proto/gen/autonomy/models/v1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { admit } from '#vm/admission.ts';
import { CALL_LIMITS } from '#vm/limits.ts';
import { outcomeName } from '#vm/outcome.ts';
import { readDescription } from '#wasm-modules/description.ts';
import { queryComponent, queryModel, queryModels, responseOf } from '../../client/inference-client.ts';
import { registrationGas } from '../../client/register-model.ts';
import { createVmPool } from '../../vm/pool.ts';
import {
  CliError,
  chainClientOf,
  createOutput,
  type NodeFlags,
  nodeOption,
  type OutputFlags,
  outputOption,
  withOptions,
} from '../context.ts';
import { readBytes } from '../read-bytes.ts';
import { type SenderFlags, senderOf, senderOptions } from '../sign-and-send.ts';
import { unsigned } from '../unsigned.ts';
import { compileCommand, packaged } from './model-compile.ts';
import { benchCommand, DEFAULT_GAS_LIMIT, runCommand, trainCommand } from './model-run.ts';
import { trainStepCommand } from './model-train-step.ts';

export function modelCommand(): Command {
  return new Command('model')
    .description('make, try, register and look at models')
    .addCommand(compileCommand())
    .addCommand(packageCommand())
    .addCommand(inspectCommand())
    .addCommand(runCommand())
    .addCommand(benchCommand())
    .addCommand(trainCommand())
    .addCommand(trainStepCommand())
    .addCommand(registerCommand())
    .addCommand(listCommand());
}

function packageCommand(): Command {
  const command = new Command('package')
    .description('wrap a core module of the model ABI (docs/model-abi.md) into a component')
    .argument('<core.wasm>')
    .requiredOption('-o, --out <file>', 'where the component goes');
  return command.action(async (path: string, flags: { out: string }) => {
    const component = packaged(await readBytes(path));
    await writeFile(flags.out, component);
    createOutput('text').note(`${flags.out}: ${component.length} bytes`);
  });
}

function inspectCommand(): Command {
  const command = new Command('inspect')
    .description('what a component is and says of itself')
    .argument('<file-or-id>', 'a component, or the number of a registered model');
  return withOptions(command, [nodeOption(), outputOption()]).action(
    async (what: string, flags: NodeFlags & OutputFlags) => {
      const registered = /^\d+$/.test(what) ? await queryModel(chainClientOf(flags), unsigned(what)) : undefined;
      const component =
        registered === undefined
          ? await readBytes(what)
          : await queryComponent(chainClientOf(flags), registered.componentHash);
      const admitted = admit(component);
      if (!admitted.ok) throw new CliError(`the chain would refuse it: ${admitted.error.message}`);
      const { description, example } = await tried(component);
      const { componentHash, moduleHash, world, initialPages, maximumPages } = admitted.value;
      const { $typeName: _, ...record } = registered ?? { $typeName: '' };
      const facts = {
        ...(registered === undefined ? {} : record),
        componentHash: toHex(componentHash),
        moduleHash: toHex(moduleHash),
        world,
        bytes: component.length,
        memoryPages: { initial: initialPages, maximum: maximumPages },
        ...(example === undefined ? {} : { example }),
        description: JSON.parse(description) as unknown,
      };
      createOutput(flags.output).result(facts, [
        ...(registered === undefined
          ? []
          : [
              `model           ${registered.id} ${registered.name}`,
              `creator         ${registered.creator}`,
              `licence         ${registered.licence}`,
              `price           ${registered.price}ucredit a call`,
              `gas limit       ${registered.gasLimitMax}`,
            ]),
        `component hash  ${facts.componentHash}`,
        `module hash     ${facts.moduleHash}`,
        `world           ${world}`,
        `size            ${component.length} bytes`,
        `memory          ${initialPages} to ${maximumPages ?? 'the chain’s limit of'} pages of 64 KiB`,
        ...(example === undefined ? [] : [`its example     ${example.outcome}, ${example.gasUsed} gas`]),
        `description     ${withoutExample(description)}`,
      ]);
    },
  );
}

/** For a person: an example may be thousands of hexadecimal digits. */
function withoutExample(description: string): string {
  const { example: _, ...rest } = JSON.parse(description) as Readonly<Record<string, unknown>>;
  return JSON.stringify(rest);
}

interface Tried {
  readonly description: string;
  /** How the model's own example ended, if it has one. */
  readonly example: { readonly outcome: string; readonly gasUsed: bigint } | undefined;
}

/** What a component says of itself, and what its example takes. */
async function tried(component: Uint8Array): Promise<Tried> {
  const source = { componentHash: sha256(component), component: () => Promise.resolve(component) };
  const pool = createVmPool({ workers: 1 }, { logger: silentLogger });
  try {
    const described = await pool.describe(source);
    if (!described.ok) throw new CliError(described.error.message);
    const description = described.value;
    const read = readDescription(description);
    if (!read.ok || read.value.example === undefined) return { description, example: undefined };
    const outcome = await pool.execute({
      ...source,
      ...read.value.example,
      gasLimit: DEFAULT_GAS_LIMIT,
      limits: CALL_LIMITS,
    });
    if (outcome.kind === 'host-fault') throw new CliError(`this machine could not run it: ${outcome.detail}`);
    return { description, example: { outcome: outcomeName(outcome), gasUsed: outcome.gasUsed } };
  } finally {
    await pool.close();
  }
}

interface RegisterFlags extends SenderFlags {
  readonly component: string;
  readonly name: string;
  readonly description: string;
  readonly licence: string;
  readonly price: bigint;
  readonly gasLimit: bigint;
}

function registerCommand(): Command {
  const command = new Command('register')
    .description('register a component as a model')
    .requiredOption('--component <file>', 'the component')
    .requiredOption('--name <text>', 'name of the model')
    .requiredOption('--price <ucredit>', 'what a call costs', unsigned)
    .option('--description <text>', 'what it does', '')
    .option('--licence <text>', 'SPDX identifier', 'Apache-2.0')
    .option('--gas-limit <gas>', 'gas that a call may use at most', unsigned, 1_000_000_000n);
  return withOptions(command, senderOptions()).action(async (flags: RegisterFlags) => {
    const component = await readBytes(flags.component);
    const sender = await senderOf(flags);
    const { name, description, licence, price, gasLimit: gasLimitMax } = flags;
    const message = { creator: sender.address, name, description, licence, component, price, gasLimitMax };
    const gas = await registrationGas(chainClientOf(flags), component.length);
    const outcome = await sender.send([pack(MsgRegisterModelSchema, message)], gas);
    const { id, componentHash } = responseOf(outcome, MsgRegisterModelResponseSchema);
    const hash = toHex(componentHash);
    createOutput(flags.output).result({ id, componentHash: hash, hash: outcome.hash, height: outcome.height }, [
      `model ${id} (${hash}), in block ${outcome.height}`,
    ]);
  });
}

function listCommand(): Command {
  const command = new Command('list').description('registered models, newest first');
  return withOptions(command, [nodeOption(), outputOption()]).action(async (flags: NodeFlags & OutputFlags) => {
    const models = (await queryModels(chainClientOf(flags))).map(({ $typeName: _, ...model }) => ({
      ...model,
      componentHash: toHex(model.componentHash),
      moduleHash: toHex(model.moduleHash),
    }));
    createOutput(flags.output).result(
      models,
      models.length === 0
        ? ['no models']
        : models.map(({ id, name, price, componentHash }) => `${id}  ${name}  ${price}ucredit  ${componentHash}`),
    );
  });
}
