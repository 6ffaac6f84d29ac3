/** Steps of training of a trainable model, here and without a chain: what its world promises. */
import { writeFile } from 'node:fs/promises';
import { Command } from 'commander';
import { toHex } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { admit } from '#vm/admission.ts';
import { CALL_LIMITS } from '#vm/limits.ts';
import { createVmPool } from '../../vm/pool.ts';
import { CliError, createOutput, type OutputFlags, outputOption, wholeNumber, withOptions } from '../context.ts';
import { bytesInput } from '../model-input.ts';
import { showProgress } from '../progress.ts';
import { readBytes } from '../read-bytes.ts';
import { unsigned } from '../unsigned.ts';
import { DEFAULT_GAS_LIMIT, goodOutcome } from './model-run.ts';

interface TrainStepFlags extends OutputFlags {
  readonly weights: string;
  readonly data: string;
  readonly seed: bigint;
  readonly steps: number;
  readonly gasLimit: bigint;
  readonly out?: string;
}

export function trainStepCommand(): Command {
  const command = new Command('train-step')
    .description('train a component of world trainable-model here: each step makes new weights of weights and data')
    .argument('<model.wasm>')
    .requiredOption('--weights <what>', 'a file of the weights to begin with, or hex:…')
    .requiredOption('--data <what>', 'a file of what is learned from, or hex:…')
    .option('--seed <number>', 'of the first step; each further one has the next number', unsigned, 0n)
    .option('--steps <count>', 'steps, one after the other', wholeNumber(1, 1_000_000), 1)
    .option('--gas-limit <gas>', 'gas that a step may use', unsigned, DEFAULT_GAS_LIMIT)
    .option('--out <file>', 'where the last weights go');
  return withOptions(command, [outputOption()]).action(trainSteps);
}

async function trainSteps(path: string, flags: TrainStepFlags): Promise<void> {
  const component = await readBytes(path);
  const admitted = admit(component);
  if (!admitted.ok) throw new CliError(`${path}: the chain would refuse it: ${admitted.error.message}`);
  if (admitted.value.world !== 'trainable-model')
    throw new CliError(`${path} is of world ${admitted.value.world}: it has no step of training`);
  let weights = await bytesInput(flags.weights, '--weights');
  const data = await bytesInput(flags.data, '--data');
  const source = { componentHash: sha256(component), component: () => Promise.resolve(component) };
  const { gasLimit, steps } = flags;
  const pool = createVmPool({ workers: 1 }, { logger: silentLogger });
  let gasUsed = 0n;
  let traceRoot: Uint8Array = new Uint8Array(0);
  try {
    for (let i = 0; i < steps; i++) {
      const bytes = weights.length + data.length;
      if (bytes > CALL_LIMITS.inputBytes)
        throw new CliError(`weights and data have ${bytes} bytes; a step takes at most ${CALL_LIMITS.inputBytes}`);
      const seed = BigInt.asUintN(64, flags.seed + BigInt(i));
      const outcome = goodOutcome(
        await pool.trainStep({ ...source, weights, data, seed, gasLimit, limits: CALL_LIMITS }),
      );
      weights = outcome.output;
      gasUsed += outcome.gasUsed;
      traceRoot = outcome.traceRoot;
      showProgress(i + 1, steps);
    }
  } finally {
    await pool.close();
  }
  if (flags.out !== undefined) await writeFile(flags.out, weights);
  const facts = {
    steps,
    weightsBytes: weights.length,
    weightsHash: toHex(sha256(weights)),
    gasUsed,
    traceRoot: toHex(traceRoot),
    file: flags.out,
  };
  createOutput(flags.output).result(facts, [
    `weights     ${weights.length} bytes, SHA-256 ${facts.weightsHash}`,
    `gas         ${gasUsed} in ${steps} steps`,
    `trace root  ${facts.traceRoot} of the last step`,
    ...(flags.out === undefined ? [] : [`written to  ${flags.out}`]),
  ]);
}
