/** Loading and running models in this process: what a pool's child does. Faults of the host are values here too. */
import { createHash } from 'node:crypto';
import { equal } from '#core/bytes.ts';
import { vmError } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import { admit, instrument } from '#vm/admission.ts';
import { wrapComponent } from '#vm/component.ts';
import { MODULE_LIMITS } from '#vm/limits.ts';
import { type ExecutionOutcome, type HostFault, hostFault } from '#vm/outcome.ts';
import { type Guest, instantiate, type OpenCall, openCall, runDescribe } from '#vm/run.ts';
import type { PageHash } from '#vm/trace.ts';
import type { GlobalType } from '#vm/wasm/types.ts';
import { type CoreExports, glueFor, type Instantiate, type ModelExports } from './glue.ts';
import { withoutData } from './skeleton.ts';

export interface LoadedModel {
  readonly module: WebAssembly.Module;
  readonly instantiate: Instantiate;
  readonly globals: readonly GlobalType[];
}

interface Bounds {
  readonly seed: bigint;
  readonly gasLimit: bigint;
  readonly maxOutputBytes: number;
}

export interface Call extends Bounds {
  readonly input: Uint8Array;
}

export interface TrainCall extends Bounds {
  readonly weights: Uint8Array;
  readonly data: Uint8Array;
}

const LEAF_PREFIX = Uint8Array.of(0);

export function nativeSha256(bytes: Uint8Array): Uint8Array {
  return createHash('sha256').update(bytes).digest();
}

/** SHA-256(00 ‖ page) by OpenSSL. */
export const nativePageHash: PageHash = (page) => createHash('sha256').update(LEAF_PREFIX).update(page).digest();

/** From a component's bytes to a compiled self-metering module with its glue. */
export async function loadModel(component: Uint8Array, memoryPages: number): Promise<Result<LoadedModel, HostFault>> {
  const admitted = admit(component, MODULE_LIMITS, nativeSha256);
  if (!admitted.ok) return err(hostFault('component-unavailable', `not an admitted model: ${admitted.error.message}`));
  const model = admitted.value;
  const rewritten = instrument(model, memoryPages);
  if (!rewritten.ok) return err(hostFault('component-unavailable', `cannot be run: ${rewritten.error.message}`));
  const skeleton = withoutData(model.module);
  const glue = await glueFor(wrapComponent(skeleton, model.world), skeleton, model.world);
  if (!glue.ok) return glue;
  try {
    const module = await WebAssembly.compile(rewritten.value);
    return ok({ module, instantiate: glue.value, globals: model.module.globalTypes });
  } catch (error) {
    return err(hostFault('disagreement', `the engine does not compile what admission accepts: ${String(error)}`));
  }
}

function coreExports(guest: Guest, call: OpenCall): CoreExports {
  return {
    memory: guest.memory,
    cabi_realloc: call.realloc,
    describe: guest.describe,
    infer: call.infer,
    'train-step': call.trainStep,
  };
}

/** One inference in a fresh instance, driven by the pinned glue. */
export function execute(model: LoadedModel, request: Call): Promise<ExecutionOutcome> {
  return drive(model, request, (component) => component.infer(request.input, request.seed));
}

/** One step of training, likewise. */
export function trainStep(model: LoadedModel, request: TrainCall): Promise<ExecutionOutcome> {
  const { weights, data, seed } = request;
  return drive(model, request, (component) => component.trainStep?.(weights, data, seed));
}

async function drive(
  model: LoadedModel,
  bounds: Bounds,
  body: (component: ModelExports) => Uint8Array | undefined,
): Promise<ExecutionOutcome> {
  const instance = instantiate(model.module);
  if (!instance.ok) return instance.error;
  const guest = instance.value;
  const call = openCall(guest, { ...bounds, globals: model.globals });
  let output: Uint8Array | undefined;
  try {
    const component = await model.instantiate(
      () => model.module,
      {},
      () => ({ exports: coreExports(guest, call) }),
    );
    output = body(component);
  } catch {
    // The call knows how it ended; that the glue was stopped on the way says nothing more.
  }
  const outcome = call.finish(nativePageHash);
  if (outcome.kind === 'ok' && (output === undefined || !equal(output, outcome.output)))
    return hostFault('disagreement', 'the component glue lifts another output than this machine');
  return outcome;
}

export function describeModel(model: LoadedModel): Result<string> {
  const instance = instantiate(model.module);
  if (!instance.ok) return err(vmError('hostFault', instance.error.detail));
  return runDescribe(instance.value);
}
