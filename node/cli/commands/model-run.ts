/** Running models here, without a chain: what a node would do with a component, and how long it takes. */
import { spawn } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import { Command } from 'commander';
import { toHex } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { admit } from '#vm/admission.ts';
import { CALL_LIMITS } from '#vm/limits.ts';
import { type ExecutionOutcome, type Outcome, outcomeName } from '#vm/outcome.ts';
import { type Description, readDescription } from '#wasm-modules/description.ts';
import { showText } from '#wasm-modules/text.ts';
import { createVmPool, type VmPool } from '../../vm/pool.ts';
import {
  CliError,
  createOutput,
  type OutputFlags,
  orFail,
  outputOption,
  wholeNumber,
  withOptions,
} from '../context.ts';
import { answerFile, answerText, INPUT_HELP, OUT_HELP, readModelInput } from '../model-input.ts';
import { showProgress } from '../progress.ts';
import { readBytes } from '../read-bytes.ts';
import { unsigned } from '../unsigned.ts';

export const DEFAULT_GAS_LIMIT = 10_000_000_000n;

interface CallFlags extends OutputFlags {
  readonly input?: string;
  readonly seed?: bigint;
  readonly gasLimit: bigint;
}

interface Session {
  readonly description: Description;
  readonly input: Uint8Array;
  readonly seed: bigint;
  run(): Promise<ExecutionOutcome>;
}

/** A component in a child process of its own, as a node runs it. */
async function withModel<T>(path: string, flags: CallFlags, use: (session: Session) => Promise<T>): Promise<T> {
  const component = await readBytes(path);
  const admitted = admit(component);
  if (!admitted.ok) throw new CliError(`${path}: the chain would refuse it: ${admitted.error.message}`);
  const source = { componentHash: sha256(component), component: () => Promise.resolve(component) };
  const pool: VmPool = createVmPool({ workers: 1 }, { logger: silentLogger });
  try {
    const text = await pool.describe(source);
    if (!text.ok) throw new CliError(`${path}: ${text.error.message}`);
    const description = orFail(readDescription(text.value), path);
    const { example } = description;
    if (flags.input === undefined && example === undefined)
      throw new CliError(`${path} has no example of a request: give --input`);
    const given = flags.input;
    const input =
      given === undefined
        ? (example?.input ?? new Uint8Array(0))
        : await readModelInput(given, async () => description);
    const seed = flags.seed ?? example?.seed ?? 0n;
    const { gasLimit } = flags;
    const run = () => pool.execute({ ...source, input, seed, gasLimit, limits: CALL_LIMITS });
    return await use({ description, input, seed, run });
  } finally {
    await pool.close();
  }
}

function resultOf(outcome: ExecutionOutcome): Outcome {
  if (outcome.kind === 'host-fault') throw new CliError(`this machine could not run it: ${outcome.detail}`);
  return outcome;
}

/** The outcome of a call that made an output; anything else is an error that says how it ended. */
export function goodOutcome(outcome: ExecutionOutcome): Extract<Outcome, { readonly kind: 'ok' }> {
  const result = resultOf(outcome);
  if (result.kind === 'ok') return result;
  const said = result.kind === 'guest-error' ? `: ${showText(result.message)}` : '';
  throw new CliError(`the model ended in ${outcomeName(result)}${said} after ${result.gasUsed} gas`);
}

export function runCommand(): Command {
  const command = new Command('run')
    .description('run a component here, as a node would')
    .argument('<model.wasm>')
    .option('--input <what>', `${INPUT_HELP}; by default the model’s own example`)
    .option('--seed <number>', 'by default the example’s, or 0', unsigned)
    .option('--gas-limit <gas>', 'gas that the call may use', unsigned, DEFAULT_GAS_LIMIT)
    .option('--out <file>', OUT_HELP)
    .option('--scale <factor>', 'enlarge the picture', wholeNumber(1, 64), 1);
  return withOptions(command, [outputOption()]).action(
    (path: string, flags: CallFlags & { out?: string; scale: number }) =>
      withModel(path, flags, async ({ description, seed, run }) => {
        const began = performance.now();
        const { output, gasUsed, traceRoot } = goodOutcome(await run());
        const ms = Math.round(performance.now() - began);
        if (flags.out !== undefined)
          await writeFile(flags.out, answerFile(flags.out, output, description, flags.scale));
        const text = answerText(output, description);
        const facts = {
          text,
          outputBytes: output.length,
          outputHash: toHex(sha256(output)),
          gasUsed,
          traceRoot: toHex(traceRoot),
          seed,
          milliseconds: ms,
          file: flags.out,
        };
        createOutput(flags.output).result(facts, [
          ...(text === undefined ? [] : [text, '']),
          `output      ${output.length} bytes, SHA-256 ${facts.outputHash}`,
          `gas         ${gasUsed}`,
          `trace root  ${facts.traceRoot}`,
          `time        ${ms} ms, loading included`,
          ...(flags.out === undefined ? [] : [`written to  ${flags.out}`]),
        ]);
      }),
  );
}

export function benchCommand(): Command {
  const command = new Command('bench')
    .description('how fast a component runs here: from the file to the first answer, then call after call')
    .argument('<model.wasm>')
    .option('--input <what>', `${INPUT_HELP}; by default the model’s own example`)
    .option('--seed <number>', 'by default the example’s, or 0', unsigned)
    .option('--gas-limit <gas>', 'gas that a call may use', unsigned, DEFAULT_GAS_LIMIT)
    .option('--runs <count>', 'calls that are measured', wholeNumber(1, 100_000), 50);
  return withOptions(command, [outputOption()]).action((path: string, flags: CallFlags & { runs: number }) => {
    const began = performance.now();
    return withModel(path, flags, async ({ run }) => {
      const first = resultOf(await run());
      const firstMs = performance.now() - began;
      const times: number[] = [];
      for (let i = 0; i < flags.runs; i++) {
        const at = performance.now();
        resultOf(await run());
        times.push(performance.now() - at);
        showProgress(i + 1, flags.runs);
      }
      times.sort((a, b) => a - b);
      const quantile = (q: number): number => times[Math.min(times.length - 1, Math.floor(q * times.length))] ?? 0;
      const total = times.reduce((sum, ms) => sum + ms, 0);
      const facts = {
        outcome: outcomeName(first),
        gasUsed: first.gasUsed,
        firstAnswerMs: Number(firstMs.toFixed(1)),
        medianMs: Number(quantile(0.5).toFixed(2)),
        p99Ms: Number(quantile(0.99).toFixed(2)),
        callsPerSecond: Number(((1000 * times.length) / total).toFixed(1)),
        gasPerNanosecond: Number((Number(first.gasUsed) / (quantile(0.5) * 1e6)).toFixed(3)),
      };
      createOutput(flags.output).result(facts, [
        `outcome       ${facts.outcome}, ${facts.gasUsed} gas`,
        `first answer  ${facts.firstAnswerMs} ms after the start: process, admission, rewriting, compilation, call`,
        `calls         median ${facts.medianMs} ms, p99 ${facts.p99Ms} ms, ${facts.callsPerSecond} a second`,
        `gas rate      ${facts.gasPerNanosecond} gas a nanosecond (1 is what the table is calibrated to)`,
      ]);
    });
  });
}

const MODELS = new URL('../../../wasm-modules/models/', import.meta.url);

/** The shipped models that can be trained again. */
export function trainableModels(): readonly string[] {
  return readdirSync(MODELS).filter((name) => existsSync(new URL(`${name}/train.ts`, MODELS)));
}

export function trainCommand(): Command {
  return new Command('train')
    .description('train a shipped model again, and write what is committed of it: minutes on one core')
    .argument('<name>', trainableModels().join(', '))
    .action(async (name: string) => {
      if (!trainableModels().includes(name))
        throw new CliError(`there is no model "${name}" to train: expected one of ${trainableModels().join(', ')}`);
      const child = spawn(process.execPath, [fileURLToPath(new URL(`${name}/train.ts`, MODELS))], { stdio: 'inherit' });
      const code = await new Promise<number | null>((resolve, reject) => child.on('error', reject).on('exit', resolve));
      if (code !== 0) throw new CliError(`the training of ${name} failed`);
    });
}
