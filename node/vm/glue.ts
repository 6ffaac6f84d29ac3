/**
 * The component glue: JavaScript that jco makes for a component. For one world and fixed options it is the same for
 * every component, byte for byte, so its hash is pinned: a model contributes no JavaScript to its host.
 */
import { createHash } from 'node:crypto';
import { transpile } from '@bytecodealliance/jco';
import { equal, toHex } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { World } from '#vm/component.ts';
import { type HostFault, hostFault } from '#vm/outcome.ts';
import type { OpenCall } from '#vm/run.ts';

/** Of each world, jco 1.35.0 with the options below. A new jco is a new hash, looked at by a person. */
const GLUE_SHA256: Readonly<Record<World, string>> = {
  model: '94c269be2a2298ed7df00d467105e89606464162fff47e8a671d8f410b9f5a89',
  'trainable-model': '13f80fb9130799b1ca8d93bf2c1f40edf29bfe14a27d909cc549aa52538077c4',
};

const NAME = 'model';
const GLUE_FILE = 'model.js';
const CORE_FILE = 'model.core.wasm';

/** What the host gives the glue in place of an instance of the core module. */
export interface CoreExports {
  readonly memory: WebAssembly.Memory;
  readonly cabi_realloc: (oldPointer: number, oldSize: number, align: number, newSize: number) => number;
  readonly describe: () => number;
  readonly infer: (pointer: number, length: number, seed: bigint) => number;
  /** Asked for by the glue of world `trainable-model` alone. */
  readonly 'train-step': OpenCall['trainStep'];
}

export interface ModelExports {
  readonly describe: () => string;
  readonly infer: (input: Uint8Array, seed: bigint) => Uint8Array;
  /** Of world `trainable-model` alone. */
  readonly trainStep?: (weights: Uint8Array, data: Uint8Array, seed: bigint) => Uint8Array;
}

/** The glue's only export that we use. `getCoreModule` is asked for `model.core.wasm` and nothing else. */
export type Instantiate = (
  getCoreModule: (name: string) => WebAssembly.Module,
  imports: object,
  instantiateCore: (module: WebAssembly.Module) => { readonly exports: CoreExports },
) => ModelExports | Promise<ModelExports>;

const pinned = new Map<World, Promise<Instantiate>>();

async function importGlue(source: Uint8Array): Promise<Instantiate> {
  const url = `data:text/javascript;base64,${Buffer.from(source).toString('base64')}`;
  const module = (await import(url)) as { readonly instantiate: Instantiate };
  return module.instantiate;
}

/**
 * Has jco translate the component and answers the pinned glue. That jco sees another core module than our parser, or
 * makes other glue, is a fault of this host: our admission has already given the verdict.
 */
export async function glueFor(
  component: Uint8Array,
  coreModule: Uint8Array,
  world: World = 'model',
): Promise<Result<Instantiate, HostFault>> {
  let files: Readonly<Record<string, Uint8Array | string>>;
  try {
    ({ files } = await transpile(component, { name: NAME, instantiation: 'async', noTypescript: true }));
  } catch (error) {
    return err(hostFault('disagreement', `jco refuses the component: ${String(error)}`));
  }
  const core = files[CORE_FILE];
  if (!(core instanceof Uint8Array) || !equal(core, coreModule))
    return err(hostFault('disagreement', 'jco extracts another core module from the component'));
  const glue = files[GLUE_FILE];
  if (glue === undefined) return err(hostFault('disagreement', `jco makes no ${GLUE_FILE}`));
  const source = typeof glue === 'string' ? Buffer.from(glue) : glue;
  const hash = toHex(createHash('sha256').update(source).digest());
  if (hash !== GLUE_SHA256[world])
    return err(hostFault('disagreement', `component glue of hash ${hash}, expected ${GLUE_SHA256[world]}`));
  const glueOf = pinned.get(world) ?? importGlue(source);
  pinned.set(world, glueOf);
  return ok(await glueOf);
}
