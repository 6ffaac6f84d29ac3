/**
 * The WebAssembly project's core tests, as wast2json gives them: every invalid or malformed module is refused; every
 * module within the allowed features gives the results that the suite expects after rewriting.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { parseModule } from '#vm/wasm/parse.ts';
import type { FuncType } from '#vm/wasm/types.ts';
import { vectorsPath } from './locate.ts';
import { beforeCall, CONFORMANCE_LIMITS, instrument, isTrap, validate } from './subject-vm.ts';
import { callBits } from './wasm-adapter.ts';

interface Value {
  readonly type: string;
  readonly lane_type?: string;
  readonly value?: string | readonly string[];
}
interface Action {
  readonly type: 'invoke' | 'get';
  readonly module?: string;
  readonly field: string;
  readonly args?: readonly Value[];
}
interface Command {
  readonly type: string;
  readonly line: number;
  readonly name?: string;
  readonly as?: string;
  readonly filename?: string;
  readonly module_type?: string;
  readonly action?: Action;
  readonly expected?: readonly Value[];
}
interface Loaded {
  readonly instance: WebAssembly.Instance;
  readonly types: ReadonlyMap<string, FuncType>;
}
interface Run {
  readonly directory: string;
  readonly modules: Map<string, Loaded | undefined>;
  readonly registered: Record<string, object | undefined>;
  current: Loaded | undefined;
  readonly counts: { assertions: number; refusals: number; skipped: number };
  /** A refused module would have written into others before it trapped: what they hold then is not what is expected. */
  tainted: boolean;
  readonly failures: string[];
  /** All of them: they call each other, and a trap leaves its stack counter as it was. */
  readonly instances: WebAssembly.Instance[];
}

const archive = vectorsPath('wasm-testsuite', 'core2.tar.xz');
let directory = '';

function spectest(): Record<string, unknown> {
  const nothing = (): void => undefined;
  return {
    print: nothing,
    print_i32: nothing,
    print_i64: nothing,
    print_f32: nothing,
    print_f64: nothing,
    print_i32_f32: nothing,
    print_f64_f64: nothing,
    global_i32: new WebAssembly.Global({ value: 'i32' }, 666),
    global_i64: new WebAssembly.Global({ value: 'i64' }, 666n),
    global_f32: new WebAssembly.Global({ value: 'f32' }, 666.6),
    global_f64: new WebAssembly.Global({ value: 'f64' }, 666.6),
    table: new WebAssembly.Table({ element: 'anyfunc', initial: 10, maximum: 20 }),
    memory: new WebAssembly.Memory({ initial: 1, maximum: 2 }),
  };
}

function exportTypes(bytes: Uint8Array): Map<string, FuncType> {
  const parsed = parseModule(bytes, {
    limits: CONFORMANCE_LIMITS,
    allowImports: true,
  });
  const out = new Map<string, FuncType>();
  if (!parsed.ok) return out;
  for (const item of parsed.value.exports) {
    const type = parsed.value.types[parsed.value.functions[item.index] ?? -1];
    if (item.kind === 'func' && type !== undefined) out.set(item.name, type);
  }
  return out;
}

function refusalOf(bytes: Uint8Array): { readonly code: string; readonly message: string } | undefined {
  try {
    validate(bytes);
    return undefined;
  } catch (error) {
    return error as Error & { readonly code: string };
  }
}

/** A refusal says which feature models may not use. */
function isUnsupported(run: Run, bytes: Uint8Array): boolean {
  const refusal = refusalOf(bytes);
  if (refusal?.code !== 'unsupported') return false;
  if (!/which models may not (have|use)/.test(refusal.message)) run.failures.push(`unnamed: ${refusal.message}`);
  return true;
}

function load(run: Run, bytes: Uint8Array): Loaded | undefined {
  if (isUnsupported(run, bytes)) return undefined;
  const rewritten = instrument(bytes, { allowImports: true });
  const imports = run.registered as object;
  try {
    const instance = new WebAssembly.Instance(new WebAssembly.Module(rewritten), imports);
    run.instances.push(instance);
    return { instance, types: exportTypes(bytes) };
  } catch (error) {
    // An import comes from a module that has been refused.
    if (error instanceof TypeError || error instanceof WebAssembly.LinkError) return undefined;
    throw error;
  }
}

const WIDTH: Readonly<Record<string, number>> = { i8: 1, i16: 2, i32: 4, f32: 4, i64: 8, f64: 8 };

function lanesOf(value: Value): readonly (readonly [string, string])[] {
  if (value.type !== 'v128') return [[value.type, value.value as string]];
  return (value.value as readonly string[]).map((lane) => [value.lane_type ?? 'i32', lane]);
}

function littleEndian(bits: bigint, width: number): number[] {
  return Array.from({ length: width }, (_, i) => Number((BigInt.asUintN(64, bits) >> BigInt(8 * i)) & 0xffn));
}

function encode(value: Value): Uint8Array {
  const out = new Uint8Array(16);
  out.set(lanesOf(value).flatMap(([type, lane]) => littleEndian(BigInt(lane), WIDTH[type] ?? 0)));
  return out;
}

function isNan(type: string, bits: bigint, arithmetic: boolean): boolean {
  const [exponent, quiet, mantissa] =
    type === 'f32' ? [0x7f800000n, 0x400000n, 0x7fffffn] : [0x7ff0000000000000n, 0x8000000000000n, 0xfffffffffffffn];
  if ((bits & exponent) !== exponent) return false;
  return arithmetic ? (bits & quiet) !== 0n : (bits & mantissa) === quiet;
}

function matches(expected: Value, found: Uint8Array): boolean {
  let at = 0;
  return lanesOf(expected).every(([type, lane]) => {
    const width = WIDTH[type] ?? 0;
    const bytes = found.subarray(at, at + width);
    at += width;
    const bits = bytes.reduceRight((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
    if (lane.startsWith('nan:')) return isNan(type, bits, lane === 'nan:arithmetic');
    return bits === BigInt.asUintN(8 * width, BigInt(lane));
  });
}

function target(run: Run, action: Action): Loaded | undefined {
  return action.module === undefined ? run.current : run.modules.get(action.module);
}

const GLOBAL_TYPES = new Set(['i32', 'i64', 'f32', 'f64']);

function globalMatches(expected: Value, value: unknown): boolean {
  if (!GLOBAL_TYPES.has(expected.type)) return false;
  const bits = encode(expected);
  const view = new DataView(bits.buffer);
  if (expected.type === 'i32') return view.getInt32(0, true) === value;
  if (expected.type === 'i64') return view.getBigInt64(0, true) === value;
  return Object.is(expected.type === 'f32' ? view.getFloat32(0, true) : view.getFloat64(0, true), value);
}

/** Runs an action; answers whether its results are those expected, or throws what the guest's code threw. */
function act(run: Run, loaded: Loaded, action: Action, expected: readonly Value[]): boolean {
  const item = loaded.instance.exports[action.field];
  if (action.type === 'get') {
    const [value] = expected;
    return value !== undefined && globalMatches(value, (item as WebAssembly.Global).value);
  }
  for (const instance of run.instances) beforeCall(instance);
  const type = loaded.types.get(action.field);
  if (type === undefined) throw new Error(`no exported function ${action.field}`);
  const results = callBits(item, type, (action.args ?? []).map(encode));
  return expected.every((value, i) => matches(value, results[i] ?? new Uint8Array(16)));
}

function assertion(run: Run, command: Command, action: Action): void {
  const loaded = target(run, action);
  if (loaded === undefined || (run.tainted && action.module !== undefined)) {
    run.counts.skipped++;
    return;
  }
  run.counts.assertions++;
  const trapExpected = command.type === 'assert_trap' || command.type === 'assert_exhaustion';
  const where = `line ${command.line}: ${command.type} ${action.field}`;
  try {
    const good = act(run, loaded, action, command.expected ?? []);
    if (trapExpected) run.failures.push(`${where}: expected a trap`);
    else if (command.type === 'assert_return' && !good) run.failures.push(`${where}: other results`);
  } catch (error) {
    if (!trapExpected || !isTrap(error)) run.failures.push(`${where}: ${String(error)}`);
  }
}

function refused(run: Run, command: Command, bytes: Uint8Array): void {
  run.counts.refusals++;
  if (refusalOf(bytes) === undefined) run.failures.push(`line ${command.line}: ${command.type}: accepted`);
}

function uninstantiable(run: Run, command: Command, bytes: Uint8Array): void {
  if (isUnsupported(run, bytes)) {
    run.tainted = true;
    return;
  }
  try {
    if (load(run, bytes) !== undefined) run.failures.push(`line ${command.line}: instantiated`);
  } catch (error) {
    if (!isTrap(error)) run.failures.push(`line ${command.line}: ${String(error)}`);
  }
}

function step(run: Run, command: Command): void {
  if (command.action !== undefined) {
    assertion(run, command, command.action);
    return;
  }
  if (command.type === 'register') {
    const loaded = command.name === undefined ? run.current : run.modules.get(command.name);
    run.registered[command.as ?? ''] = loaded?.instance.exports;
    return;
  }
  if (command.filename === undefined || command.module_type === 'text') return;
  const bytes = new Uint8Array(readFileSync(join(run.directory, command.filename)));
  if (command.type === 'module') {
    run.current = load(run, bytes);
    if (command.name !== undefined) run.modules.set(command.name, run.current);
  } else if (command.type === 'assert_invalid' || command.type === 'assert_malformed') refused(run, command, bytes);
  else if (command.type === 'assert_uninstantiable') uninstantiable(run, command, bytes);
}

const total = { assertions: 0, refusals: 0, skipped: 0 };

function runFile(file: string): string[] {
  const counts = { assertions: 0, refusals: 0, skipped: 0 };
  const registered = { spectest: spectest() };
  const run: Run = {
    directory,
    modules: new Map(),
    registered,
    current: undefined,
    counts,
    failures: [],
    tainted: false,
    instances: [],
  };
  const { commands } = JSON.parse(readFileSync(join(directory, file), 'utf8')) as { commands: readonly Command[] };
  for (const command of commands) step(run, command);
  total.assertions += counts.assertions;
  total.refusals += counts.refusals;
  total.skipped += counts.skipped;
  return run.failures.map((failure) => `${file} ${failure}`);
}

describe.skipIf(archive === undefined)('WebAssembly core test suite', () => {
  beforeAll(() => {
    directory = mkdtempSync(join(tmpdir(), 'autonomy-wasm-'));
    execFileSync('tar', ['-xJf', archive ?? '', '-C', directory]);
  }, 120_000);
  afterAll(() => {
    rmSync(directory, { recursive: true, force: true });
  });

  test('refuses what is invalid, and computes what is expected after rewriting', { timeout: 120_000 }, () => {
    const files = readdirSync(directory).filter((file) => file.endsWith('.json'));
    expect(files.flatMap(runFile)).toEqual([]);
    console.info(
      `${total.assertions} assertions on rewritten modules, ${total.refusals} refusals, ${total.skipped} skipped (unsupported features)`,
    );
    expect(total.assertions).toBeGreaterThan(40_000);
    expect(total.refusals).toBeGreaterThan(2_800);
  });
});
