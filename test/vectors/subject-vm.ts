/** The machine's part of the conformance door. */

import { ERRORS } from '#core/errors.ts';
import type { Failure } from '#core/result.ts';
import { MAX_GAS_LIMIT, MAX_PAGES, MODULE_LIMITS } from '#vm/limits.ts';
import { RESERVED } from '#vm/reserved.ts';
import { rewriteModule } from '#vm/rewrite.ts';
import { checkModule, type FunctionFacts } from '#vm/wasm/check.ts';
import { parseModule } from '#vm/wasm/parse.ts';
import type { Module } from '#vm/wasm/types.ts';

/** A conformance suite has modules of any size and shape; what is tested with it is the rules, not our limits. */
export const CONFORMANCE_LIMITS = {
  ...MODULE_LIMITS,
  params: 1_000,
  results: 1_000,
  locals: 50_000,
  totalLocals: 1 << 20,
  functionBytes: 1 << 20,
  nesting: 100_000,
  brTableLabels: 1 << 20,
  exports: 10_000,
  tables: 100,
  tableEntries: 0xffffffff,
  nameBytes: 1 << 16,
  memoryPages: MAX_PAGES,
};

export interface InstrumentOptions {
  readonly allowImports?: boolean;
}

function fail(failure: Failure): never {
  const { unsupported, limit } = ERRORS.vm;
  const refused = failure.code === unsupported || failure.code === limit;
  throw Object.assign(new Error(failure.message), { code: refused ? 'unsupported' : 'invalid' });
}

function checked(bytes: Uint8Array, options: InstrumentOptions): { module: Module; facts: readonly FunctionFacts[] } {
  const module = parseModule(bytes, { limits: CONFORMANCE_LIMITS, allowImports: options.allowImports ?? false });
  if (!module.ok) return fail(module.error);
  const facts = checkModule(module.value, CONFORMANCE_LIMITS);
  return facts.ok ? { module: module.value, facts: facts.value } : fail(facts.error);
}

/** The self-metering form of a core module. Throws with `code` `unsupported` or `invalid`. */
export function instrument(bytes: Uint8Array, options: InstrumentOptions = {}): Uint8Array {
  const { module, facts } = checked(bytes, options);
  const rewritten = rewriteModule(module, facts, { maxMemoryPages: MAX_PAGES, initialGas: MAX_GAS_LIMIT });
  return rewritten.ok ? rewritten.value : fail(rewritten.error);
}

/** What an instrumented module imports besides its own imports: nothing. */
export function hostImports(): object {
  return {};
}

/** Fills the gas and empties the stack counter, which a trap leaves as it was. */
export function beforeCall(instance: WebAssembly.Instance): void {
  const globals = instance.exports as Record<string, WebAssembly.Global>;
  const set = (name: string, value: number | bigint): void => {
    const global = globals[name];
    if (global !== undefined) global.value = value;
  };
  set(RESERVED.gas, MAX_GAS_LIMIT);
  set(RESERVED.trap, 0);
  set(RESERVED.depth, 0);
}

export function isTrap(error: unknown): boolean {
  return error instanceof WebAssembly.RuntimeError;
}

/** Throws, as {@link instrument} does, unless the module is valid and within the allowed features. */
export function validate(bytes: Uint8Array, options: InstrumentOptions = { allowImports: true }): boolean {
  checked(bytes, options);
  return true;
}
