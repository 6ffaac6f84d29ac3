/** The binary format of core modules (WebAssembly core specification 2.0, chapter 5), safe against hostile bytes. */
import { defined } from '#core/assert.ts';
import type { Result } from '#core/result.ts';
import { MAX_PAGES, type ModuleLimits } from '../limits.ts';
import { constant, refType } from './constants.ts';
import { type Draft, emptyDraft } from './draft.ts';
import { hex, valueType } from './instruction.ts';
import { byte, checkLimit, count, name, type Reader, reader, refusals, refuse, skip, u32 } from './reader.ts';
import { dataSection, elementSection } from './segments.ts';
import type { ExternKind, FuncType, GlobalType, ImportDesc, Limits, Module, ValType } from './types.ts';

export interface ParseOptions {
  readonly limits: ModuleLimits;
  /** Test suites have modules with imports; product code never sets it. */
  readonly allowImports?: boolean;
}

export const SECTION = {
  custom: 0,
  type: 1,
  import: 2,
  function: 3,
  table: 4,
  memory: 5,
  global: 6,
  export: 7,
  start: 8,
  element: 9,
  code: 10,
  data: 11,
  dataCount: 12,
} as const;

/** Sections by their place in the order that the format prescribes. */
const ORDER: readonly number[] = [1, 2, 3, 4, 5, 6, 7, 8, 9, 12, 10, 11];

function header(r: Reader): void {
  for (const [i, expected] of [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0].entries()) {
    const found = byte(r, 'the header "\\0asm" version 1');
    if (found !== expected)
      refuse('malformed', `offset ${i}: expected the header "\\0asm" version 1, found byte ${hex(found)}`);
  }
}

function types(r: Reader, limit: number, what: string): ValType[] {
  const out: ValType[] = [];
  const length = count(r, limit, what);
  for (let i = 0; i < length; i++) out.push(valueType(r, `the type of one of the ${what}`));
  return out;
}

function typeSection(r: Reader, draft: Draft, limits: ModuleLimits): void {
  const length = count(r, limits.types, 'types');
  for (let i = 0; i < length; i++) {
    const at = r.at;
    const form = byte(r, 'a function type');
    if (form >= 0x4d && form <= 0x5f)
      refuse(
        'unsupported',
        `offset ${at}: type form ${hex(form)} belongs to garbage collection, which models may not use`,
      );
    if (form !== 0x60) refuse('malformed', `offset ${at}: expected a function type 0x60, found ${hex(form)}`);
    draft.types.push({ params: types(r, limits.params, 'parameters'), results: types(r, limits.results, 'results') });
  }
}

function limitsOf(r: Reader, what: 'memory' | 'table'): Limits {
  const at = r.at;
  const flag = byte(r, `the limits of a ${what}`);
  if (flag >= 2 && flag <= 3)
    refuse('unsupported', `offset ${at}: a shared ${what} belongs to threads, which models may not use`);
  if (flag >= 4 && flag <= 7)
    refuse('unsupported', `offset ${at}: a 64-bit ${what} belongs to memory64, which models may not use`);
  if (flag > 1) refuse('malformed', `offset ${at}: limits flag expected to be 0 or 1, found ${hex(flag)}`);
  const min = u32(r, `the minimum of a ${what}`);
  const max = flag === 1 ? u32(r, `the maximum of a ${what}`) : undefined;
  if (max !== undefined && min > max) refuse('invalid', `offset ${at}: ${what} of minimum ${min} and maximum ${max}`);
  return { min, max };
}

function memoryLimits(r: Reader): Limits {
  const at = r.at;
  const limits = limitsOf(r, 'memory');
  if (limits.min > MAX_PAGES || (limits.max ?? 0) > MAX_PAGES)
    refuse('invalid', `offset ${at}: memory of ${limits.max ?? limits.min} pages, expected at most ${MAX_PAGES}`);
  return limits;
}

function tableLimits(r: Reader): Limits {
  refType(r, 'the element type of a table');
  return limitsOf(r, 'table');
}

function globalType(r: Reader): GlobalType {
  const type = valueType(r, 'the type of a global');
  const at = r.at;
  const mutable = byte(r, 'the mutability of a global');
  if (mutable > 1) refuse('malformed', `offset ${at}: mutability expected to be 0 or 1, found ${hex(mutable)}`);
  return { type, mutable: mutable === 1 };
}

function importDesc(r: Reader, draft: Draft): ImportDesc {
  const at = r.at;
  const kind = byte(r, 'the kind of an import');
  switch (kind) {
    case 0: {
      const type = u32(r, 'a type index');
      typeAt(draft, type, at);
      draft.functions.push(type);
      draft.importedFunctions++;
      return { kind: 'func', type };
    }
    case 1: {
      const limits = tableLimits(r);
      draft.tables.push(limits);
      draft.importedTables++;
      return { kind: 'table', limits };
    }
    case 2: {
      const limits = memoryLimits(r);
      draft.memories.push(limits);
      draft.importedMemories++;
      return { kind: 'memory', limits };
    }
    case 3: {
      const global = globalType(r);
      draft.globalTypes.push(global);
      draft.importedGlobals++;
      return { kind: 'global', global };
    }
    case 4:
      return refuse('unsupported', `offset ${at}: an imported tag belongs to exceptions, which models may not use`);
    default:
      return refuse('malformed', `offset ${at}: kind of an import expected to be 0 to 3, found ${hex(kind)}`);
  }
}

function importSection(r: Reader, draft: Draft, options: ParseOptions): void {
  const at = r.at;
  if (options.allowImports !== true)
    refuse(
      'unsupported',
      `offset ${at}: an import section, which models may not have: a model sees nothing of the outside`,
    );
  const length = count(r, 10_000, 'imports');
  for (let i = 0; i < length; i++) {
    const module = name(r, options.limits.nameBytes, "an import's module name");
    const field = name(r, options.limits.nameBytes, "an import's name");
    draft.imports.push({ module, name: field, desc: importDesc(r, draft) });
  }
}

function typeAt(draft: Draft, index: number, at: number): FuncType {
  const type = draft.types[index];
  return type ?? refuse('invalid', `offset ${at}: type ${index}, expected below ${draft.types.length}`);
}

function functionSection(r: Reader, draft: Draft, limits: ModuleLimits): void {
  const length = count(r, limits.functions, 'functions');
  for (let i = 0; i < length; i++) {
    const at = r.at;
    const type = u32(r, 'a type index');
    typeAt(draft, type, at);
    draft.functions.push(type);
  }
}

function tableSection(r: Reader, draft: Draft, limits: ModuleLimits): void {
  const length = count(r, limits.tables, 'tables');
  for (let i = 0; i < length; i++) draft.tables.push(tableLimits(r));
}

function memorySection(r: Reader, draft: Draft): void {
  const at = r.at;
  const length = count(r, r.end, 'memories');
  for (let i = 0; i < length; i++) draft.memories.push(memoryLimits(r));
  if (draft.memories.length > 1)
    refuse('unsupported', `offset ${at}: ${draft.memories.length} memories, expected at most 1 (multiple memories)`);
}

function globalSection(r: Reader, draft: Draft, limits: ModuleLimits): void {
  const length = count(r, limits.globals, 'globals');
  for (let i = 0; i < length; i++) {
    const global = globalType(r);
    const start = r.at;
    constant(r, draft, global.type);
    draft.globals.push({ global, init: { start, end: r.at } });
    draft.globalTypes.push(global);
  }
}

const EXTERN_KINDS: readonly ExternKind[] = ['func', 'table', 'memory', 'global'];

function exportSection(r: Reader, draft: Draft, limits: ModuleLimits): void {
  const length = count(r, limits.exports, 'exports');
  const seen = new Set<string>();
  for (let i = 0; i < length; i++) {
    const at = r.at;
    const field = name(r, limits.nameBytes, "an export's name");
    if (seen.has(field)) refuse('invalid', `offset ${at}: a second export of the name ${JSON.stringify(field)}`);
    seen.add(field);
    const code = byte(r, 'the kind of an export');
    const kind = EXTERN_KINDS[code];
    if (code === 4)
      refuse('unsupported', `offset ${at}: an exported tag belongs to exceptions, which models may not use`);
    if (kind === undefined) refuse('malformed', `offset ${at}: kind of an export expected 0 to 3, found ${hex(code)}`);
    const index = u32(r, "an export's index");
    const space = { func: draft.functions, table: draft.tables, memory: draft.memories, global: draft.globalTypes };
    if (index >= space[kind].length)
      refuse('invalid', `offset ${at}: export of ${kind} ${index}, expected below ${space[kind].length}`);
    draft.exports.push({ name: field, kind, index });
  }
}

function locals(r: Reader, params: number, limit: number): ValType[] {
  const groups = count(r, r.end, 'groups of locals');
  const out: ValType[] = [];
  for (let i = 0; i < groups; i++) {
    const at = r.at;
    const n = u32(r, 'a number of locals');
    checkLimit(params + out.length + n, limit, 'parameters and locals', at);
    const type = valueType(r, 'the type of a local');
    for (let k = 0; k < n; k++) out.push(type);
  }
  return out;
}

function codeSection(r: Reader, draft: Draft, limits: ModuleLimits): void {
  const at = r.at;
  checkLimit(r.end - r.at, limits.codeBytes, 'bytes of code', at);
  const length = count(r, limits.functions, 'function bodies');
  let declaredLocals = 0;
  const expected = draft.functions.length - draft.importedFunctions;
  if (length !== expected) refuse('malformed', `offset ${at}: ${length} function bodies, expected ${expected}`);
  for (let i = 0; i < length; i++) {
    const sizeAt = r.at;
    const size = u32(r, 'the size of a function body');
    checkLimit(size, limits.functionBytes, 'bytes in a function body', sizeAt);
    const start = r.at;
    skip(r, size, 'a function body');
    const body = reader(r.bytes, start, r.at);
    const type = defined(draft.types[draft.functions[draft.importedFunctions + i] ?? -1], 'a checked function type');
    const declared = locals(body, type.params.length, limits.locals);
    declaredLocals += declared.length;
    checkLimit(declaredLocals, limits.totalLocals, 'locals in all functions', start);
    draft.bodies.push({
      localsRange: { start, end: body.at },
      code: { start: body.at, end: r.at },
      locals: declared,
    });
  }
}

function startSection(r: Reader): void {
  refuse('unsupported', `offset ${r.at}: a start function, which models may not have: nothing runs before a call`);
}

function section(r: Reader, id: number, draft: Draft, options: ParseOptions): void {
  const { limits } = options;
  switch (id) {
    case SECTION.type:
      typeSection(r, draft, limits);
      return;
    case SECTION.import:
      importSection(r, draft, options);
      return;
    case SECTION.function:
      functionSection(r, draft, limits);
      return;
    case SECTION.table:
      tableSection(r, draft, limits);
      return;
    case SECTION.memory:
      memorySection(r, draft);
      return;
    case SECTION.global:
      globalSection(r, draft, limits);
      return;
    case SECTION.export:
      exportSection(r, draft, limits);
      return;
    case SECTION.start:
      startSection(r);
      return;
    case SECTION.element:
      elementSection(r, draft, limits);
      return;
    case SECTION.dataCount:
      draft.dataCount = u32(r, 'the number of data segments');
      return;
    case SECTION.code:
      codeSection(r, draft, limits);
      return;
    case SECTION.data:
      dataSection(r, draft, limits);
      return;
  }
}

function customSection(r: Reader, draft: Draft, limits: ModuleLimits): void {
  draft.customSections++;
  checkLimit(draft.customSections, limits.customSections, 'custom sections', r.at);
  // The name alone must be well-formed (5.5.3); it may be as long as the section.
  name(r, r.end, "a custom section's name");
}

function sections(r: Reader, draft: Draft, options: ParseOptions): void {
  let place = -1;
  while (r.at < r.end) {
    const at = r.at;
    const id = byte(r, 'a section');
    const size = u32(r, 'the size of a section');
    const start = r.at;
    skip(r, size, 'a section');
    const inner = reader(r.bytes, start, r.at);
    if (id === SECTION.custom) {
      customSection(inner, draft, options.limits);
      continue;
    }
    if (id === 13) refuse('unsupported', `offset ${at}: a tag section belongs to exceptions, which models may not use`);
    const next = ORDER.indexOf(id);
    if (next < 0) refuse('malformed', `offset ${at}: section ${id}, expected 0 to 12`);
    if (next <= place) refuse('malformed', `offset ${at}: section ${id} out of order or a second time`);
    place = next;
    section(inner, id, draft, options);
    if (inner.at !== inner.end)
      refuse(
        'malformed',
        `offset ${inner.at}: section ${id} expected to end, found ${inner.end - inner.at} more bytes`,
      );
    draft.sections.set(id, { start, end: r.at });
  }
}

/** What the sections must agree on once all are read. */
function agreement(draft: Draft, end: number, limits: ModuleLimits): void {
  const missing = draft.functions.length - draft.importedFunctions - draft.bodies.length;
  if (missing !== 0) refuse('malformed', `offset ${end}: expected ${missing} more function bodies in a code section`);
  if (draft.dataCount !== undefined && draft.dataCount !== draft.data.length)
    refuse('malformed', `offset ${end}: ${draft.data.length} data segments, ${draft.dataCount} announced`);
  if (draft.memories.length > 1) refuse('unsupported', `${draft.memories.length} memories, expected at most 1`);
  for (const memory of draft.memories) checkLimit(memory.min, limits.memoryPages, 'pages of initial memory', 0);
  for (const table of draft.tables) checkLimit(table.min, limits.tableEntries, 'entries of a table', 0);
}

/** Parses a core module. It has not been type-checked: see {@link checkModule}. */
export function parseModule(bytes: Uint8Array, options: ParseOptions): Result<Module> {
  return refusals(() => {
    checkLimit(bytes.length, options.limits.moduleBytes, 'bytes of module', 0);
    const r = reader(bytes, 0, bytes.length);
    const draft = emptyDraft();
    header(r);
    sections(r, draft, options);
    agreement(draft, r.end, options.limits);
    const { customSections: _, ...module } = draft;
    return { ...module, bytes };
  });
}
