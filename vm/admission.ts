/**
 * Admission: whether a component may be registered as a model. The verdict is a result of consensus, a pure function of
 * the bytes and the limits; no WebAssembly engine takes part in it.
 */
import { sha256 } from '#core/crypto/hash.ts';
import { vmError } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import { checkInterface, unwrapComponent, type World } from './component.ts';
import { GAS_VERSION } from './gas-table.ts';
import { MODULE_LIMITS, type ModuleLimits, PAGE_BYTES } from './limits.ts';
import { REWRITER_VERSION, rewriteModule } from './rewrite.ts';
import { checkModule, type FunctionFacts } from './wasm/check.ts';
import { parseModule } from './wasm/parse.ts';
import type { Module } from './wasm/types.ts';

/** Two nodes agree on outcomes only if they agree on this text. */
export const MACHINE_VERSION = `rewriter ${REWRITER_VERSION}, gas ${GAS_VERSION}`;

export interface AdmittedModel {
  /** SHA-256 of the component: what a model is registered under. */
  readonly componentHash: Uint8Array;
  /** SHA-256 of the core module inside. */
  readonly moduleHash: Uint8Array;
  readonly world: World;
  readonly coreModule: Uint8Array;
  readonly module: Module;
  readonly facts: readonly FunctionFacts[];
  /** Memory at the start of a call, 64 KiB pages. */
  readonly initialPages: number;
  /** Declared maximum, 64 KiB pages. */
  readonly maximumPages: number | undefined;
}

/** Active segments lie where the memory and the tables are when a call starts: instantiation never fails on one. */
function checkSegments(module: Module): Result<void> {
  const bytes = (module.memories[0]?.min ?? 0) * PAGE_BYTES;
  for (const [i, { active, length }] of module.data.entries()) {
    if (active !== undefined && (active.offset ?? 0) + length > bytes)
      return err(vmError('invalid', `data segment ${i}: ends at ${(active.offset ?? 0) + length}, memory at ${bytes}`));
  }
  for (const [i, { active, length }] of module.elements.entries()) {
    const entries = active === undefined ? 0 : (module.tables[active.index]?.min ?? 0);
    if (active !== undefined && (active.offset ?? 0) + length > entries)
      return err(
        vmError('invalid', `element segment ${i}: ends at ${(active.offset ?? 0) + length}, table at ${entries}`),
      );
  }
  return ok(undefined);
}

/**
 * The verdict on a component. A failure has the vm codespace and says what was wrong and what was expected.
 * `hash` is SHA-256: handed in where there is a native one, which tens of megabytes need.
 */
export function admit(
  component: Uint8Array,
  limits: ModuleLimits = MODULE_LIMITS,
  hash: (bytes: Uint8Array) => Uint8Array = sha256,
): Result<AdmittedModel> {
  const inside = unwrapComponent(component);
  if (!inside.ok) return inside;
  const { coreModule, world } = inside.value;
  const parsed = parseModule(coreModule, { limits });
  if (!parsed.ok) return parsed;
  const module = parsed.value;
  const exports = checkInterface(module, world);
  if (!exports.ok) return exports;
  const facts = checkModule(module, limits);
  if (!facts.ok) return facts;
  const segments = checkSegments(module);
  if (!segments.ok) return segments;
  return ok({
    componentHash: hash(component),
    moduleHash: hash(coreModule),
    world,
    coreModule,
    module,
    facts: facts.value,
    initialPages: module.memories[0]?.min ?? 0,
    maximumPages: module.memories[0]?.max,
  });
}

/** The core module that is really instantiated: it meters itself. */
export function instrument(model: AdmittedModel, maxMemoryPages: number): Result<Uint8Array> {
  return rewriteModule(model.module, model.facts, { maxMemoryPages });
}
