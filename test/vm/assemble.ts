/** Core modules put together from their parts, byte by byte: what is too large, or too odd, for the text format. */
import { putI32 } from '#vm/rewrite/emit.ts';
import { SECTION } from '#vm/wasm/parse.ts';
import { type FuncType, type GlobalType, I32, I64, type Limits, type ValType } from '#vm/wasm/types.ts';
import { put, putBytes, putName, putSized, putU32, type Writer, writer, written } from '#vm/wasm/writer.ts';

export interface CoreFunction {
  readonly type: FuncType;
  /** Declared locals, parameters excluded. */
  readonly locals: readonly ValType[];
  /** Without the end byte. */
  readonly code: Uint8Array;
}

export interface CoreParts {
  /** The type of function i has index i. */
  readonly functions: readonly CoreFunction[];
  /** Further types, for blocks: their indices follow those of the functions. */
  readonly blockTypes?: readonly FuncType[];
  readonly globals?: readonly { readonly type: GlobalType /** Without the end byte. */; readonly init: Uint8Array }[];
  readonly memory: Limits;
  /** Functions in the only table. */
  readonly table?: readonly number[];
  /** Functions of the only passive element segment, which is segment 1 where there is a table. */
  readonly elements?: readonly number[];
  /** Active data. */
  readonly data?: { readonly offset: number; readonly bytes: Uint8Array };
  /** The only passive data segment: segment 1. */
  readonly passive?: Uint8Array;
  /** Functions by their exported names. */
  readonly exports: Readonly<Record<string, number>>;
}

function putTypes(w: Writer, types: readonly ValType[]): void {
  putU32(w, types.length);
  put(w, ...types);
}

function putLimits(w: Writer, { min, max }: Limits): void {
  put(w, max === undefined ? 0 : 1);
  putU32(w, min);
  if (max !== undefined) putU32(w, max);
}

function section(out: Writer, id: number, write: (w: Writer) => void): void {
  const w = writer();
  write(w);
  put(out, id);
  putSized(out, written(w));
}

function each<T>(w: Writer, items: readonly T[], write: (item: T, index: number) => void): void {
  putU32(w, items.length);
  items.forEach(write);
}

function putOffset(w: Writer, at: number): void {
  putI32(w, at);
  put(w, 0x0b);
}

function putCode(w: Writer, { locals, code }: CoreFunction): void {
  const body = writer(code.length + 16);
  each(body, locals, (type) => put(body, 1, type));
  putBytes(body, code);
  put(body, 0x0b);
  putSized(w, written(body));
}

function putElements(w: Writer, parts: CoreParts): void {
  const { table, elements } = parts;
  putU32(w, (table === undefined ? 0 : 1) + (elements === undefined ? 0 : 1));
  if (table !== undefined) {
    put(w, 0);
    putOffset(w, 0);
    each(w, table, (index) => putU32(w, index));
  }
  if (elements !== undefined) {
    put(w, 1, 0);
    each(w, elements, (index) => putU32(w, index));
  }
}

function putData(w: Writer, { data, passive }: CoreParts): void {
  putU32(w, (data === undefined ? 0 : 1) + (passive === undefined ? 0 : 1));
  if (data !== undefined) {
    put(w, 0);
    putOffset(w, data.offset);
    putSized(w, data.bytes);
  }
  if (passive !== undefined) {
    put(w, 1);
    putSized(w, passive);
  }
}

/** The module's bytes; nothing is checked. */
export function assemble(parts: CoreParts): Uint8Array {
  const { functions, globals = [], table, elements, exports } = parts;
  const out = writer(4096);
  put(out, 0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  const types = [...functions.map((f) => f.type), ...(parts.blockTypes ?? [])];
  section(out, SECTION.type, (w) => {
    each(w, types, (type) => {
      put(w, 0x60);
      putTypes(w, type.params);
      putTypes(w, type.results);
    });
  });
  section(out, SECTION.function, (w) => each(w, functions, (_, i) => putU32(w, i)));
  if (table !== undefined)
    section(out, SECTION.table, (w) => {
      put(w, 1, 0x70);
      putLimits(w, { min: table.length, max: table.length });
    });
  section(out, SECTION.memory, (w) => {
    put(w, 1);
    putLimits(w, parts.memory);
  });
  section(out, SECTION.global, (w) =>
    each(w, globals, ({ type, init }) => {
      put(w, type.type, type.mutable ? 1 : 0);
      putBytes(w, init);
      put(w, 0x0b);
    }),
  );
  const names = Object.entries(exports);
  section(out, SECTION.export, (w) => {
    putU32(w, names.length + 1);
    putName(w, 'memory');
    put(w, 2, 0);
    for (const [name, index] of names) {
      putName(w, name);
      put(w, 0);
      putU32(w, index);
    }
  });
  if (table !== undefined || elements !== undefined) section(out, SECTION.element, (w) => putElements(w, parts));
  section(out, SECTION.dataCount, (w) =>
    putU32(w, (parts.data === undefined ? 0 : 1) + (parts.passive === undefined ? 0 : 1)),
  );
  section(out, SECTION.code, (w) => each(w, functions, (f) => putCode(w, f)));
  section(out, SECTION.data, (w) => putData(w, parts));
  return written(out).slice();
}

function code(write: (w: Writer) => void): Uint8Array {
  const w = writer();
  write(w);
  return written(w).slice();
}

const HEAP = 0;

/** Global 0 and functions 0 and 1 of a model: a bump allocator's heap, the allocator, a description of no bytes. */
export const ABI = {
  heap: {
    type: { type: I32, mutable: true },
    init: code((w) => putI32(w, 8192)),
  },
  realloc: {
    type: { params: [I32, I32, I32, I32], results: [I32] },
    locals: [],
    // heap, then heap += size
    code: code((w) => put(w, 0x23, HEAP, 0x23, HEAP, 0x20, 3, 0x6a, 0x24, HEAP)),
  },
  describe: { type: { params: [], results: [I32] }, locals: [], code: code((w) => putI32(w, 0)) },
  /** Type of `infer`, whose function index is 2. */
  infer: { params: [I32, I32, I64], results: [I32] },
  exports: { cabi_realloc: 0, describe: 1, infer: 2 },
} as const satisfies {
  readonly heap: { readonly type: GlobalType; readonly init: Uint8Array };
  readonly realloc: CoreFunction;
  readonly describe: CoreFunction;
  readonly infer: FuncType;
  readonly exports: Readonly<Record<string, number>>;
};
