/**
 * Calling a WebAssembly export bit for bit: JavaScript can hold neither a v128 nor the bits of a NaN, so an adapter
 * module takes arguments from its memory, calls, and leaves results there.
 */
import { F32, F64, type FuncType, I32, I64, V128, type ValType } from '#vm/wasm/types.ts';
import { put, putName, putSized, putU32, type Writer, writer, written } from '#vm/wasm/writer.ts';

const SLOT = 16;
const RESULTS = 4096;

const LOAD: Readonly<Record<number, readonly number[]>> = {
  [I32]: [0x28],
  [I64]: [0x29],
  [F32]: [0x2a],
  [F64]: [0x2b],
  [V128]: [0xfd, 0x00],
};
const STORE: Readonly<Record<number, readonly number[]>> = {
  [I32]: [0x36],
  [I64]: [0x37],
  [F32]: [0x38],
  [F64]: [0x39],
  [V128]: [0xfd, 0x0b],
};

function section(out: Writer, id: number, write: (w: Writer) => void): void {
  const w = writer();
  write(w);
  put(out, id);
  putSized(out, written(w));
}

function types(w: Writer, list: readonly ValType[]): void {
  putU32(w, list.length);
  put(w, ...list);
}

function access(w: Writer, opcode: readonly number[] | undefined, offset: number): void {
  put(w, ...(opcode ?? []), 0);
  putU32(w, offset);
}

function body(type: FuncType): Uint8Array {
  const w = writer();
  putU32(w, type.results.length);
  for (const result of type.results) put(w, 1, result);
  type.params.forEach((param, i) => {
    put(w, 0x41, 0);
    access(w, LOAD[param], i * SLOT);
  });
  put(w, 0x10, 0);
  for (let i = type.results.length - 1; i >= 0; i--) {
    put(w, 0x21);
    putU32(w, i);
  }
  type.results.forEach((result, i) => {
    put(w, 0x41, 0, 0x20);
    putU32(w, i);
    access(w, STORE[result], RESULTS + i * SLOT);
  });
  put(w, 0x0b);
  return written(w);
}

function adapterModule(type: FuncType): Uint8Array {
  const out = writer();
  put(out, 0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
  section(out, 1, (w) => {
    put(w, 2, 0x60);
    types(w, type.params);
    types(w, type.results);
    put(w, 0x60, 0, 0);
  });
  section(out, 2, (w) => {
    put(w, 1);
    putName(w, 'm');
    putName(w, 'f');
    put(w, 0, 0);
  });
  section(out, 3, (w) => {
    put(w, 1, 1);
  });
  section(out, 5, (w) => {
    put(w, 1, 0, 1);
  });
  section(out, 7, (w) => {
    put(w, 2);
    putName(w, 'run');
    put(w, 0, 1);
    putName(w, 'memory');
    put(w, 2, 0);
  });
  section(out, 10, (w) => {
    put(w, 1);
    putSized(w, body(type));
  });
  return written(out);
}

const compiled = new Map<string, WebAssembly.Module>();

function compiledAdapter(type: FuncType): WebAssembly.Module {
  const key = `${type.params.join()}:${type.results.join()}`;
  const found = compiled.get(key) ?? new WebAssembly.Module(adapterModule(type));
  compiled.set(key, found);
  return found;
}

/** Calls with arguments of 16 little-endian bytes each, unused bytes zero; answers results likewise. */
export function callBits(f: unknown, type: FuncType, args: readonly Uint8Array[]): Uint8Array[] {
  const { exports } = new WebAssembly.Instance(compiledAdapter(type), { m: { f } });
  const memory = exports.memory as WebAssembly.Memory;
  args.forEach((arg, i) => {
    new Uint8Array(memory.buffer).set(arg, i * SLOT);
  });
  (exports.run as () => void)();
  return type.results.map((_, i) => new Uint8Array(memory.buffer).slice(RESULTS + i * SLOT, RESULTS + (i + 1) * SLOT));
}
