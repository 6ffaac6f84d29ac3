/**
 * The component glue: JavaScript that jco makes for a component. For one world and fixed options it is the same for
 * every component, byte for byte, so its hash is pinned: a model contributes no JavaScript to its host.
 */
import { createHash } from 'node:crypto';
import { transpile } from '@bytecodealliance/jco';
import { equal, toHex } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type HostFault, hostFault } from '#vm/outcome.ts';

/** Of world `model`, jco 1.35.0 with the options below. A new jco is a new hash, looked at by a person. */
export const MODEL_GLUE_SHA256 = '94c269be2a2298ed7df00d467105e89606464162fff47e8a671d8f410b9f5a89';

const NAME = 'model';
const GLUE_FILE = 'model.js';
const CORE_FILE = 'model.core.wasm';

/** What the host gives the glue in place of an instance of the core module. */
export interface CoreExports {
  readonly memory: WebAssembly.Memory;
  readonly cabi_realloc: (oldPointer: number, oldSize: number, align: number, newSize: number) => number;
  readonly describe: () => number;
  readonly infer: (pointer: number, length: number, seed: bigint) => number;
}

export interface ModelExports {
  readonly describe: () => string;
  readonly infer: (input: Uint8Array, seed: bigint) => Uint8Array;
}

/** The glue's only export that we use. `getCoreModule` is asked for `model.core.wasm` and nothing else. */
export type Instantiate = (
  getCoreModule: (name: string) => WebAssembly.Module,
  imports: object,
  instantiateCore: (module: WebAssembly.Module) => { readonly exports: CoreExports },
) => ModelExports | Promise<ModelExports>;

let pinned: Promise<Instantiate> | undefined;

async function importGlue(source: Uint8Array): Promise<Instantiate> {
  const url = `data:text/javascript;base64,${Buffer.from(source).toString('base64')}`;
  const module = (await import(url)) as { readonly instantiate: Instantiate };
  return module.instantiate;
}

/**
 * Has jco translate the component and answers the pinned glue. That jco sees another core module than our parser, or
 * makes other glue, is a fault of this host: our admission has already given the verdict.
 */
export async function glueFor(component: Uint8Array, coreModule: Uint8Array): Promise<Result<Instantiate, HostFault>> {
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
  if (hash !== MODEL_GLUE_SHA256)
    return err(hostFault('disagreement', `component glue of hash ${hash}, expected ${MODEL_GLUE_SHA256}`));
  pinned ??= importGlue(source);
  return ok(await pinned);
}
