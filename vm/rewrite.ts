/**
 * The rewriter: from a checked module to one that meters itself. It adds globals, functions and exports at the ends of
 * their index spaces, so that nothing in the module's own code changes its number.
 */
import { defined } from '#core/assert.ts';
import { vmError } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import { MAX_PAGES } from './limits.ts';
import { RESERVED, RESERVED_PREFIX } from './reserved.ts';
import { rewriteBody } from './rewrite/body.ts';
import type { Added } from './rewrite/emit.ts';
import { putI32, putI64 } from './rewrite/emit.ts';
import { helpers, type MemoryBound } from './rewrite/helpers.ts';
import type { FunctionFacts } from './wasm/check.ts';
import { OP } from './wasm/opcodes.ts';
import { SECTION } from './wasm/parse.ts';
import { type FuncType, I32, I64, type Module, type ValType } from './wasm/types.ts';
import { put, putBytes, putName, putSized, putU32, type Writer, writer, written } from './wasm/writer.ts';

/** Version of the transformation: outcomes depend on it, so a change is a new version. */
export const REWRITER_VERSION = 2;

export interface RewriteOptions {
  /** Pages that the memory may reach, whatever it declares. */
  readonly maxMemoryPages: number;
  /** Gas that an instance has before its host sets any: none, save in suites whose instances call each other. */
  readonly initialGas?: bigint;
}

interface Plan {
  readonly module: Module;
  readonly facts: readonly FunctionFacts[];
  readonly added: Added;
  readonly types: readonly FuncType[];
  /** Block type of each distinct list of results, by its text. */
  readonly resultBlocks: ReadonlyMap<string, bigint>;
  readonly memoryBound: MemoryBound | undefined;
  readonly initialGas: bigint;
}

const VOID_BLOCK = -64n;

function resultsKey(results: readonly ValType[]): string {
  return results.join(' ');
}

function memoryBound(module: Module, maxMemoryPages: number): MemoryBound | undefined {
  const memory = module.memories[0];
  if (memory === undefined) return undefined;
  return { bound: Math.min(memory.max ?? MAX_PAGES, maxMemoryPages), own: module.importedMemories === 0 };
}

function plan(module: Module, facts: readonly FunctionFacts[], options: RewriteOptions): Plan {
  const types = [...module.types];
  const typeI32I32 = types.push({ params: [I32], results: [I32] }) - 1;
  const typeI32I64 = types.push({ params: [I32], results: [I64] }) - 1;
  const resultBlocks = new Map<string, bigint>();
  for (const index of module.functions) {
    const { results } = defined(module.types[index], 'a checked type');
    const key = resultsKey(results);
    if (resultBlocks.has(key)) continue;
    const [only] = results;
    if (only === undefined) resultBlocks.set(key, VOID_BLOCK);
    else if (results.length === 1) resultBlocks.set(key, BigInt(only - 0x80));
    else resultBlocks.set(key, BigInt(types.push({ params: [], results }) - 1));
  }
  const functions = module.functions.length;
  const globals = module.globalTypes.length;
  const added: Added = {
    typeI32I32,
    typeI32I64,
    chargeBytes: functions,
    chargeEntries: functions + 1,
    globalWord: functions + 2,
    grow: functions + 3,
    gas: globals,
    trap: globals + 1,
    depth: globals + 2,
  };
  const bound = memoryBound(module, options.maxMemoryPages);
  return { module, facts, added, types, resultBlocks, memoryBound: bound, initialGas: options.initialGas ?? 0n };
}

function putTypes(w: Writer, types: readonly ValType[]): void {
  putU32(w, types.length);
  put(w, ...types);
}

function typeSection(p: Plan, w: Writer): void {
  putU32(w, p.types.length);
  for (const type of p.types) {
    put(w, 0x60);
    putTypes(w, type.params);
    putTypes(w, type.results);
  }
}

function functionSection(p: Plan, w: Writer): void {
  const own = p.module.functions.slice(p.module.importedFunctions);
  const all = [...own, ...helpers(p.added, p.module.globalTypes, p.memoryBound).map((helper) => helper.type)];
  putU32(w, all.length);
  for (const type of all) putU32(w, type);
}

function memorySection(p: Plan, w: Writer): void {
  const own = p.module.memories.slice(p.module.importedMemories);
  putU32(w, own.length);
  for (const memory of own) {
    put(w, 1);
    putU32(w, memory.min);
    putU32(w, defined(p.memoryBound, 'the bound of a memory').bound);
  }
}

function globalSection(p: Plan, w: Writer): void {
  putU32(w, p.module.globals.length + 3);
  for (const { global, init } of p.module.globals) {
    put(w, global.type, global.mutable ? 1 : 0);
    putBytes(w, p.module.bytes.subarray(init.start, init.end));
  }
  put(w, I64, 1);
  putI64(w, p.initialGas);
  put(w, OP.end);
  for (let i = 0; i < 2; i++) {
    put(w, I32, 1);
    putI32(w, 0);
    put(w, OP.end);
  }
}

const KIND_CODES = { func: 0, table: 1, memory: 2, global: 3 } as const;

function exportSection(p: Plan, w: Writer): void {
  const { module, added } = p;
  const all = [
    ...module.exports,
    { name: RESERVED.gas, kind: 'global', index: added.gas } as const,
    { name: RESERVED.trap, kind: 'global', index: added.trap } as const,
    { name: RESERVED.depth, kind: 'global', index: added.depth } as const,
    { name: RESERVED.global, kind: 'func', index: added.globalWord } as const,
  ];
  if (module.memories.length > 0) all.push({ name: RESERVED.memory, kind: 'memory', index: 0 });
  putU32(w, all.length);
  for (const item of all) {
    putName(w, item.name);
    put(w, KIND_CODES[item.kind]);
    putU32(w, item.index);
  }
}

function codeSection(p: Plan, w: Writer): void {
  const { module, added } = p;
  const extra = helpers(added, module.globalTypes, p.memoryBound);
  putU32(w, module.bodies.length + extra.length);
  module.bodies.forEach((body, i) => {
    const type = defined(module.types[module.functions[module.importedFunctions + i] ?? -1], 'a checked type');
    const resultBlock = defined(p.resultBlocks.get(resultsKey(type.results)), 'a block type for the results');
    const facts = defined(p.facts[i], 'facts of a function');
    putSized(w, rewriteBody({ module, body, facts, type, resultBlock, added }));
  });
  for (const { body } of extra) putSized(w, body);
}

function putSection(out: Writer, id: number, content: Uint8Array): void {
  put(out, id);
  putSized(out, content);
}

function made(p: Plan, write: (p: Plan, w: Writer) => void): Uint8Array {
  const w = writer();
  write(p, w);
  return written(w);
}

/** For the sections besides code and data that become longer. */
const SPARE_BYTES = 64 << 10;

/** Sections in their prescribed order: rewritten where a writer stands here, else copied, custom sections dropped. */
function assemble(p: Plan): Uint8Array {
  const { module } = p;
  const code = made(p, codeSection);
  // Room for all of it at once: weights are tens of megabytes, and a buffer that grows copies them.
  const out = writer(module.bytes.length + code.length + SPARE_BYTES);
  put(out, 0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const copied = (id: number): void => {
    const range = module.sections.get(id);
    if (range !== undefined) putSection(out, id, module.bytes.subarray(range.start, range.end));
  };
  putSection(out, SECTION.type, made(p, typeSection));
  copied(SECTION.import);
  putSection(out, SECTION.function, made(p, functionSection));
  copied(SECTION.table);
  if (module.memories.length > module.importedMemories) putSection(out, SECTION.memory, made(p, memorySection));
  putSection(out, SECTION.global, made(p, globalSection));
  putSection(out, SECTION.export, made(p, exportSection));
  copied(SECTION.element);
  copied(SECTION.dataCount);
  putSection(out, SECTION.code, code);
  copied(SECTION.data);
  return written(out);
}

/**
 * The self-metering form of a module that {@link checkModule} accepted with these facts.
 * Fails where the memory's minimum exceeds the bound, or an export has a reserved name.
 */
export function rewriteModule(
  module: Module,
  facts: readonly FunctionFacts[],
  options: RewriteOptions,
): Result<Uint8Array> {
  const reserved = module.exports.find((item) => item.name.startsWith(RESERVED_PREFIX));
  if (reserved !== undefined)
    return err(
      vmError('interface', `export ${JSON.stringify(reserved.name)}: names in ${RESERVED_PREFIX} are reserved`),
    );
  const min = module.memories[0]?.min ?? 0;
  if (min > options.maxMemoryPages)
    return err(vmError('limit', `${min} pages of initial memory, expected at most ${options.maxMemoryPages}`));
  return ok(assemble(plan(module, facts, options)));
}
