import { existsSync } from 'node:fs';
import { readdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Command, Option } from 'commander';
import { admit } from '#vm/admission.ts';
import { packageModel } from '#vm/component.ts';
import type { RangeMethod } from '#wasm-modules/compiler/calibrate.ts';
import type { CompiledModel, CompileOptions } from '#wasm-modules/compiler/compile.ts';
import type { Request } from '#wasm-modules/compiler/quantize.ts';
import { readDescription } from '#wasm-modules/description.ts';
import { SHIPPED } from '#wasm-modules/models/shipped.ts';
import { readModel } from '#wasm-modules/onnx/reader.ts';
import { describeError, type ModelError } from '#wasm-modules/onnx/refusal.ts';
import { NODE_LIMITS } from '../../limits.ts';
import { CliError, createOutput, orFail } from '../context.ts';
import { fixedInput } from '../fixed-input.ts';
import { readModelInput } from '../model-input.ts';
import { createProgress, type Progress } from '../progress.ts';
import { readBytes } from '../read-bytes.ts';

/** A core module as a component, which the chain's own admission has looked at. */
export function packaged(core: Uint8Array): Uint8Array {
  const component = packageModel(core);
  if (!component.ok) throw new CliError(component.error.message);
  const admitted = admit(component.value);
  if (!admitted.ok) throw new CliError(`the chain would refuse it: ${admitted.error.message}`);
  return component.value;
}

interface CompileFlags {
  readonly out: string;
  readonly task?: string;
  readonly fix?: CompileOptions['constants'];
  readonly fuse: boolean;
  readonly quantize?: 'int8';
  readonly calibrate?: string;
  readonly range?: RangeMethod;
}

export function compileCommand(): Command {
  const command = new Command('compile')
    .description('compile an ONNX model into a component that the chain takes')
    .argument('<model.onnx>', `a file, or the name of a shipped model: ${[...SHIPPED.keys()].join(', ')}`)
    .requiredOption('-o, --out <file>', 'where the component goes')
    .option('--task <text>', 'what the model does; by default the name of its graph')
    .option('--fix <input=numbers>', 'fix an integer input of the graph, such as axes=0,1; may be repeated', fixedInput)
    .option('--no-fuse', 'keep every batch normalisation and activation a step of its own')
    .addOption(
      new Option('--quantize <type>', 'multiply integers of eight bits in convolutions and products').choices(['int8']),
    )
    .option('--calibrate <folder>', 'inputs (as for model run) that give the ranges of activations')
    .addOption(
      new Option('--range <method>', 'all that calibration saw, or without one ten-thousandth of outliers').choices([
        'minmax',
        'percentile',
      ]),
    );
  return command.action(async (path: string, flags: CompileFlags) => {
    if (flags.quantize === undefined && (flags.calibrate !== undefined || flags.range !== undefined))
      throw new CliError('--calibrate and --range go with --quantize int8');
    if (flags.range !== undefined && flags.calibrate === undefined) throw new CliError('--range goes with --calibrate');
    // Only this command needs the compiler.
    const { compileOnnx } = await import('#wasm-modules/compiler/compile.ts');
    const { task, fix: constants, fuse } = flags;
    const { bytes, options: own } = await sourceOf(path);
    const options = {
      ...own,
      fuse,
      ...(task === undefined ? {} : { task }),
      ...(constants === undefined ? {} : { constants }),
    };
    const compile = (model: Uint8Array): CompiledModel => orNamed(path, compileOnnx(model, options));
    const progress = createProgress(2);
    const plain = compile(bytes);
    progress.step();
    const { note } = createOutput('text');
    const { module, report } =
      flags.quantize === undefined
        ? { module: plain, report: [] }
        : await quantized(path, bytes, plain, options, flags, compile, progress);
    const component = packaged(module.module);
    await writeFile(flags.out, component);
    progress.finish();
    for (const line of report) note(line);
    note(`operators: ${operatorsOf(bytes)}`);
    note(`${flags.out}: ${component.length} bytes; a request is ${module.requestBytes} bytes`);
  });
}

/** A shipped model comes with how pictures, texts and words reach its graph. A file of the same name goes first. */
async function sourceOf(path: string): Promise<{ readonly bytes: Uint8Array; readonly options: CompileOptions }> {
  const shipped = existsSync(path) ? undefined : SHIPPED.get(path);
  if (shipped === undefined) return { bytes: await readBytes(path), options: {} };
  const { onnx, options } = await shipped();
  return { bytes: onnx, options };
}

/** The operators of a graph that has been compiled, each with how often it is there. */
function operatorsOf(bytes: Uint8Array): string {
  const counts = new Map<string, number>();
  const model = readModel(bytes);
  if (model.ok) for (const { op } of model.value.nodes) counts.set(op, (counts.get(op) ?? 0) + 1);
  return [...counts]
    .sort(([, a], [, b]) => b - a)
    .map(([op, count]) => `${count} ${op}`)
    .join(', ');
}

type Outcome<T> = { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: ModelError };

function orNamed<T>(path: string, result: Outcome<T>): T {
  if (!result.ok) throw new CliError(`${path}: ${describeError(result.error)}`);
  return result.value;
}

/** The model with integers, and a report of what became of it. */
async function quantized(
  path: string,
  bytes: Uint8Array,
  plain: CompiledModel,
  options: CompileOptions,
  flags: CompileFlags,
  compile: (model: Uint8Array) => CompiledModel,
  progress: Progress,
): Promise<{ readonly module: CompiledModel; readonly report: readonly string[] }> {
  const { quantizeOnnx } = await import('#wasm-modules/compiler/quantize.ts');
  const { difference } = await import('#wasm-modules/compiler/calibrate.ts');
  const requests = flags.calibrate === undefined ? undefined : await readRequests(flags.calibrate, plain);
  // The ranges, by percentile in two passes; the model again; the comparison.
  progress.expect((requests?.length ?? 0) * (flags.range === 'percentile' ? 3 : 2) + 1);
  const calibration = requests === undefined ? undefined : stepping(requests, progress);
  const made = orNamed(
    path,
    quantizeOnnx(bytes, {
      ...options,
      ...(calibration === undefined ? {} : { calibration }),
      ...(flags.range === undefined ? {} : { range: flags.range }),
    }),
  );
  if (made.nodes.length === 0) throw new CliError(`${path}: nothing in it can be quantised`);
  const module = compile(made.model);
  progress.step();
  const report = made.nodes.map(
    ({ name, op, activations, bytesBefore, bytesAfter }) =>
      `${op} ${name}: ${activations ? 'weights and activations' : 'weights'}, ${bytesBefore} to ${bytesAfter} bytes`,
  );
  report.push(`module: ${plain.module.length} to ${module.module.length} bytes`);
  if (calibration === undefined)
    report.push('ranges of activations are found in each call; without --calibrate no error is known');
  else {
    const { largest, mean, decibels } = difference(plain, module, calibration);
    report.push(
      `from the model of float32, over ${requests?.length} inputs: ${mean.toPrecision(3)} on average, ${largest.toPrecision(3)} at most; signal to noise ${decibels.toFixed(1)} dB`,
    );
  }
  return { module, report };
}

/** The requests, each pass over which moves the bar on. */
function stepping(requests: readonly Request[], progress: Progress): Iterable<Request> {
  return {
    *[Symbol.iterator]() {
      for (const request of requests) {
        yield request;
        progress.step();
      }
    },
  };
}

/** Every file of a folder, in the order of their names, as a request. */
async function readRequests(folder: string, model: CompiledModel): Promise<readonly Request[]> {
  const { openCore } = await import('#wasm-modules/compiler/harness.ts');
  let names: string[];
  try {
    names = (await readdir(folder))
      .filter((name) => /\.(bin|json|png|jpe?g)$/.test(name))
      .sort((a, b) => (a < b ? -1 : 1));
  } catch (error) {
    throw new CliError(`--calibrate: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (names.length === 0) throw new CliError(`--calibrate: ${folder} has no .bin, .json, .png or .jpg`);
  if (names.length > NODE_LIMITS.maxCalibrationInputs)
    throw new CliError(
      `--calibrate: ${folder} has ${names.length} inputs; at most ${NODE_LIMITS.maxCalibrationInputs} are read`,
    );
  const description = orFail(readDescription(openCore(model.module).describe()), folder);
  const requests: Request[] = [];
  for (const [i, name] of names.entries()) {
    const input = await readModelInput(join(folder, name), () => Promise.resolve(description));
    if (input.length !== model.requestBytes)
      throw new CliError(`${join(folder, name)} makes ${input.length} bytes; a request has ${model.requestBytes}`);
    requests.push({ input, seed: BigInt(i) });
  }
  return requests;
}
