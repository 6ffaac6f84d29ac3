/**
 * A component's inference from end to end in this thread: what a browser does to check a receipt, and a command line to
 * try a model. The thread is busy for as long as the gas lasts; a node uses its pool of processes instead.
 */
import { vmError } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import { admit, instrument } from './admission.ts';
import type { CallLimits, ModuleLimits } from './limits.ts';
import { MODULE_LIMITS } from './limits.ts';
import { type ExecutionOutcome, hostFault } from './outcome.ts';
import { instantiate, runDescribe, runInfer } from './run.ts';
import type { PageHash } from './trace.ts';
import type { GlobalType } from './wasm/types.ts';

/** A component that has been admitted, rewritten and compiled. Each call gets a fresh instance. */
export interface PreparedModel {
  readonly module: WebAssembly.Module;
  readonly globals: readonly GlobalType[];
  readonly componentHash: Uint8Array;
}

export interface InferRequest {
  readonly input: Uint8Array;
  /** u64. */
  readonly seed: bigint;
  readonly gasLimit: bigint;
  readonly limits: CallLimits;
}

/** Fails where admission refuses the component, or (`hostFault`) where the engine does not follow. */
export async function prepareModel(
  component: Uint8Array,
  memoryPages: number,
  limits: ModuleLimits = MODULE_LIMITS,
): Promise<Result<PreparedModel>> {
  const model = admit(component, limits);
  if (!model.ok) return model;
  const rewritten = instrument(model.value, memoryPages);
  if (!rewritten.ok) return rewritten;
  try {
    const module = await WebAssembly.compile(rewritten.value);
    return ok({ module, globals: model.value.module.globalTypes, componentHash: model.value.componentHash });
  } catch (error) {
    return err(vmError('hostFault', `the engine does not compile what admission accepts: ${String(error)}`));
  }
}

export function inferHere(model: PreparedModel, request: InferRequest, pageHash?: PageHash): ExecutionOutcome {
  const { input, seed, gasLimit, limits } = request;
  if (input.length > limits.inputBytes)
    return hostFault('unavailable', `input of ${input.length} bytes, expected at most ${limits.inputBytes}`);
  const guest = instantiate(model.module);
  if (!guest.ok) return guest.error;
  const call = { input, seed, gasLimit, maxOutputBytes: limits.outputBytes, globals: model.globals };
  return runInfer(guest.value, call, pageHash);
}

export function describeHere(model: PreparedModel): Result<string> {
  const guest = instantiate(model.module);
  return guest.ok ? runDescribe(guest.value) : err(vmError('hostFault', guest.error.detail));
}
