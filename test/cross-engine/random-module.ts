/**
 * Random models over every instruction that a module may use, the same for the same seed everywhere. They end by
 * themselves or by their gas; most of them end well, so that memory and globals count, and not only how the call ended.
 */
import { ABI, assemble, type CoreFunction, type CoreParts } from '#test/vm/assemble.ts';
import { putI32, putI64, putIndexed } from '#vm/rewrite/emit.ts';
import { OP, OPCODES, type Opcode } from '#vm/wasm/opcodes.ts';
import { F32, F64, type FuncType, type GlobalType, I32, I64, V128, type ValType } from '#vm/wasm/types.ts';
import { put, putU32, type Writer, writer, written } from '#vm/wasm/writer.ts';
import { chosen, floatBits, type Pick, putBits, putConstant, putOp, randomOf } from './random-values.ts';

const TYPES: readonly ValType[] = [I32, I64, F32, F64, V128];
/** Functions 0 to 2 are those of the ABI. */
const FIRST_HELPER = 3;
const OUTPUT = { at: 4096, bytes: 512 };
/** Addresses are masked to this, so that memory is shared by loads and stores; the rest of memory is out of the way. */
const ADDRESS_MASK = 0x1fff;

interface Plan {
  readonly pick: Pick;
  readonly types: readonly FuncType[];
  readonly globals: readonly GlobalType[];
  /** Type index of the block of two results of each kind. */
  readonly pairs: readonly { readonly index: number; readonly type: FuncType }[];
  /** Function of each entry of the table. */
  readonly table: readonly number[];
}

interface Body extends Plan {
  readonly self: number;
  readonly w: Writer;
  /** Types of parameters and locals. */
  readonly locals: ValType[];
  /** Locals that count loops: nothing else writes to them. */
  readonly counters: Set<number>;
  /** Instructions that may still be written. */
  budget: number;
  loops: number;
}

/** Instructions by the only value that they leave, and those that store. */
const MAKING = new Map<ValType, Opcode[]>(TYPES.map((type) => [type, []]));
const STORING: Opcode[] = [];
for (const op of OPCODES.values()) {
  const [only, more] = op.pushes;
  if (op.pops === undefined || op.pops.length === 0 || more !== undefined) continue;
  if (only === undefined) STORING.push(op);
  else MAKING.get(only)?.push(op);
}

function localOf(body: Body, type: ValType, write: boolean): number | undefined {
  const fitting = body.locals.flatMap((each, i) => (each === type && !(write && body.counters.has(i)) ? [i] : []));
  return fitting.length === 0 ? undefined : chosen(body.pick, fitting);
}

function globalOf(body: Body, type: ValType): number | undefined {
  // Global 0 is the heap, which the program leaves alone.
  const fitting = body.globals.flatMap((each, i) => (each.type === type && i > 0 ? [i] : []));
  return fitting.length === 0 ? undefined : chosen(body.pick, fitting);
}

function putLeaf(body: Body, type: ValType): void {
  const { w, pick } = body;
  const place = pick(3);
  const local = place === 0 ? localOf(body, type, false) : undefined;
  const global = place === 1 ? globalOf(body, type) : undefined;
  if (local !== undefined) putIndexed(w, OP.localGet, local);
  else if (global !== undefined) putIndexed(w, OP.globalGet, global);
  else putConstant(w, pick, type);
}

/** An address that is nearly always inside memory. */
function putAddress(body: Body, depth: number): void {
  putValue(body, I32, depth);
  if (body.pick(200) === 0) return;
  putI32(body.w, ADDRESS_MASK);
  put(body.w, 0x71);
}

function putImmediate(body: Body, op: Opcode): void {
  const { w, pick } = body;
  switch (op.immediate) {
    case 'memarg':
    case 'memarg-lane':
      putU32(w, pick(op.align + 1));
      putU32(w, pick(64));
      if (op.immediate === 'memarg-lane') put(w, pick(op.lanes));
      return;
    case 'lane':
      put(w, pick(op.lanes));
      return;
    case 'shuffle':
      for (let i = 0; i < 16; i++) put(w, pick(32));
      return;
    default:
  }
}

const DIVISIONS = /^i(32|64)\.(div|rem)_/;
const TRAPPING = /^i(32|64)\.trunc_f/;

function putOperation(body: Body, op: Opcode, depth: number): void {
  const { w, pick } = body;
  const pops = op.pops ?? [];
  const addressed = op.immediate === 'memarg' || op.immediate === 'memarg-lane';
  pops.forEach((type, i) => {
    if (addressed && i === 0) putAddress(body, depth - 1);
    else putValue(body, type, depth - 1);
  });
  if (DIVISIONS.test(op.name) && pick(100) > 0) {
    // An odd divisor is never zero; -1 may still overflow, which is a fault of the module.
    if (pops[0] === I32) putI32(w, 1);
    else putI64(w, 1n);
    put(w, pops[0] === I32 ? 0x72 : 0x84);
  }
  putOp(w, op.code);
  putImmediate(body, op);
}

/** Callees come after their callers, so that programs end. */
function calleeOf(body: Body, result: ValType): number | undefined {
  const fitting = body.types.flatMap((type, i) =>
    i > Math.max(body.self, FIRST_HELPER - 1) && type.results[0] === result ? [i] : [],
  );
  return fitting.length === 0 ? undefined : chosen(body.pick, fitting);
}

function putCall(body: Body, result: ValType, depth: number): void {
  const { w, pick } = body;
  const callee = calleeOf(body, result);
  // In a loop inside a loop calls would multiply beyond any gas.
  if (callee === undefined || body.loops > 1) {
    putLeaf(body, result);
    return;
  }
  const { params, results } = body.types[callee] as FuncType;
  for (const param of params) putValue(body, param, depth - 1);
  const entry = body.table.indexOf(callee);
  if (entry >= 0 && pick(2) === 0) {
    putI32(w, entry);
    putIndexed(w, OP.callIndirect, callee);
    put(w, 0);
  } else putIndexed(w, OP.call, callee);
  for (let i = 1; i < results.length; i++) put(w, OP.drop);
}

type Form = (body: Body, type: ValType, depth: number) => void;

function putOperationOf(body: Body, type: ValType, depth: number): void {
  const op = chosen(body.pick, MAKING.get(type) ?? []);
  if (TRAPPING.test(op.name) && body.pick(50) > 0) putLeaf(body, type);
  else putOperation(body, op, depth);
}

const putTee: Form = (body, type, depth) => {
  putValue(body, type, depth - 1);
  const local = localOf(body, type, true);
  if (local !== undefined) putIndexed(body.w, OP.localTee, local);
};

const putSelect: Form = (body, type, depth) => {
  putValue(body, type, depth - 1);
  putValue(body, type, depth - 1);
  putValue(body, I32, depth - 1);
  if (body.pick(2) === 0) put(body.w, OP.select);
  else put(body.w, OP.selectTyped, 1, type);
};

const putIf: Form = (body, type, depth) => {
  putValue(body, I32, depth - 1);
  put(body.w, OP.if, type);
  putStatement(body, depth - 2);
  putValue(body, type, depth - 1);
  put(body.w, OP.else);
  putValue(body, type, depth - 1);
  put(body.w, OP.end);
};

const putBlock: Form = (body, type, depth) => {
  put(body.w, OP.block, type);
  putStatement(body, depth - 2);
  putValue(body, type, depth - 1);
  putValue(body, I32, depth - 1);
  putIndexed(body.w, OP.brIf, 0);
  put(body.w, OP.drop);
  putValue(body, type, depth - 1);
  put(body.w, OP.end);
};

const putMemorySize: Form = (body, type) => {
  if (type !== I32) {
    putLeaf(body, type);
    return;
  }
  if (body.pick(4) > 0) put(body.w, OP.memorySize, 0);
  else {
    putI32(body.w, body.pick(3));
    put(body.w, OP.memoryGrow, 0);
  }
};

const FORMS: readonly Form[] = [
  ...Array.from({ length: 12 }, () => putOperationOf),
  putTee,
  putSelect,
  putIf,
  putBlock,
  putCall,
  putMemorySize,
];

function putValue(body: Body, type: ValType, depth: number): void {
  body.budget--;
  if (depth <= 0 || body.budget <= 0) putLeaf(body, type);
  else chosen(body.pick, FORMS)(body, type, depth);
}

function putSetLocal(body: Body, depth: number): void {
  const type = chosen(body.pick, TYPES);
  putValue(body, type, depth);
  const local = localOf(body, type, true);
  if (local === undefined) put(body.w, OP.drop);
  else putIndexed(body.w, OP.localSet, local);
}

function putSetGlobal(body: Body, depth: number): void {
  const type = chosen(body.pick, TYPES);
  putValue(body, type, depth);
  const global = globalOf(body, type);
  if (global === undefined) put(body.w, OP.drop);
  else putIndexed(body.w, OP.globalSet, global);
}

function putLoop(body: Body, depth: number): void {
  const { w, pick } = body;
  if (body.loops > 1) return;
  const counter = body.locals.push(I32) - 1;
  body.counters.add(counter);
  body.loops++;
  putI32(w, 0);
  putIndexed(w, OP.localSet, counter);
  put(w, OP.loop, 0x40);
  putStatements(body, depth - 1, 3);
  putIndexed(w, OP.localGet, counter);
  putI32(w, 1);
  put(w, 0x6a);
  putIndexed(w, OP.localTee, counter);
  putI32(w, 1 + pick(20));
  put(w, 0x49);
  putIndexed(w, OP.brIf, 0);
  put(w, OP.end);
  body.loops--;
}

function putSwitch(body: Body, depth: number): void {
  const { w } = body;
  put(w, OP.block, 0x40, OP.block, 0x40, OP.block, 0x40);
  putValue(body, I32, depth - 1);
  put(w, OP.brTable, 4, 2, 0, 1, 0, 1, OP.end);
  putStatement(body, depth - 1);
  put(w, OP.br, 1, OP.end);
  putStatement(body, depth - 1);
  put(w, OP.end);
}

function putCondition(body: Body, depth: number): void {
  const { w, pick } = body;
  putValue(body, I32, depth - 1);
  put(w, OP.if, 0x40);
  putStatements(body, depth - 1, 2);
  if (pick(2) === 0) {
    put(w, OP.else);
    putStatements(body, depth - 1, 2);
  }
  put(w, OP.end);
}

function putPair(body: Body, depth: number): void {
  const { w, pick } = body;
  const { index, type } = chosen(pick, body.pairs);
  put(w, OP.block);
  putU32(w, index);
  for (const result of type.results) putValue(body, result, depth - 1);
  putValue(body, I32, depth - 1);
  putIndexed(w, OP.brIf, 0);
  put(w, OP.end);
  for (const result of [...type.results].reverse()) {
    const local = localOf(body, result, true);
    if (local === undefined) put(w, OP.drop);
    else putIndexed(w, OP.localSet, local);
  }
}

/** Bulk operations; the segments and the table have 32 bytes and entries at least. */
function putBulk(body: Body, depth: number): void {
  const { w, pick } = body;
  const kind = pick(5);
  if (kind < 2) {
    putAddress(body, depth - 1);
    if (kind === 0) putValue(body, I32, depth - 1);
    else putAddress(body, depth - 1);
    putI32(w, pick(300));
    putOp(w, kind === 0 ? OP.memoryFill : OP.memoryCopy);
    put(w, ...(kind === 0 ? [0] : [0, 0]));
    return;
  }
  const length = pick(5);
  if (kind === 2) putAddress(body, depth - 1);
  else putI32(w, pick(2));
  putI32(w, pick(4));
  // Table entries move only to where the same functions are: the callee of an entry stays what the program expects.
  putI32(w, kind === 2 ? length : 0);
  if (kind === 2) {
    putOp(w, OP.memoryInit);
    put(w, 1, 0);
  } else {
    putOp(w, kind === 3 ? OP.tableInit : OP.tableCopy);
    put(w, ...(kind === 3 ? [1, 0] : [0, 0]));
  }
}

function putLeave(body: Body, depth: number): void {
  const { w, pick } = body;
  if (body.self < FIRST_HELPER || pick(3) > 0) return;
  putValue(body, I32, depth - 1);
  put(w, OP.if, 0x40);
  for (const result of body.types[body.self]?.results ?? []) putValue(body, result, depth - 2);
  put(w, OP.return, OP.end);
}

function putStore(body: Body, depth: number): void {
  putOperation(body, chosen(body.pick, STORING), depth);
}

const STATEMENTS: readonly ((body: Body, depth: number) => void)[] = [
  putSetLocal,
  putSetLocal,
  putSetLocal,
  putSetGlobal,
  putStore,
  putStore,
  putStore,
  putLoop,
  putSwitch,
  putCondition,
  putPair,
  putBulk,
  putLeave,
];

function putStatement(body: Body, depth: number): void {
  if (depth > 0 && body.budget > 0) chosen(body.pick, STATEMENTS)(body, depth);
}

function putStatements(body: Body, depth: number, most: number): void {
  for (let n = 1 + body.pick(most); n > 0; n--) putStatement(body, depth);
}

function storeOf(type: ValType): number {
  switch (type) {
    case I32:
      return 0x36;
    case I64:
      return 0x37;
    case F32:
      return 0x38;
    case F64:
      return 0x39;
    default:
      return 0xfd00b;
  }
}

/** Every local into the output, and the result area. */
function putEnding(body: Body): void {
  const { w } = body;
  body.locals.slice(0, OUTPUT.bytes >>> 4).forEach((type, i) => {
    putI32(w, OUTPUT.at + 16 * i);
    putIndexed(w, OP.localGet, i);
    putOp(w, storeOf(type));
    put(w, 0, 0);
  });
  const fields: readonly (readonly [number, number])[] = [
    [64, 0],
    [68, OUTPUT.at],
    [72, OUTPUT.bytes],
  ];
  for (const [address, value] of fields) {
    putI32(w, address);
    putI32(w, value);
    put(w, 0x36, 2, 0);
  }
  putI32(w, 64);
}

function functionOf(plan: Plan, self: number): CoreFunction {
  const type = plan.types[self] as FuncType;
  const locals = [...type.params, ...TYPES, ...Array.from({ length: plan.pick(4) }, () => chosen(plan.pick, TYPES))];
  const body: Body = { ...plan, self, w: writer(), locals, counters: new Set(), budget: 400, loops: 0 };
  const depth = 3 + plan.pick(3);
  for (let n = 3 + plan.pick(8); n > 0; n--) putStatement(body, depth);
  if (self < FIRST_HELPER) putEnding(body);
  else for (const result of type.results) putValue(body, result, 2);
  return { type, locals: body.locals.slice(type.params.length), code: written(body.w).slice() };
}

function someTypes(pick: Pick, least: number, most: number): ValType[] {
  return Array.from({ length: least + pick(most - least + 1) }, () => chosen(pick, TYPES));
}

function constant(pick: Pick, type: ValType): Uint8Array {
  const w = writer();
  putConstant(w, pick, type);
  return written(w).slice();
}

/** The parts of a core module of the model ABI that admission accepts. */
export function randomParts(seed: number): CoreParts {
  const pick = randomOf(seed);
  const helpers = Array.from({ length: 2 + pick(6) }, () => ({
    params: someTypes(pick, 0, 4),
    results: someTypes(pick, 1, 3),
  }));
  const types: FuncType[] = [ABI.realloc.type, ABI.describe.type, ABI.infer, ...helpers];
  const pairs = Array.from({ length: 4 }, (_, i) => ({
    index: types.length + i,
    type: { params: [], results: someTypes(pick, 2, 3) },
  }));
  const globals = [...TYPES, ...someTypes(pick, 0, 3)].map((type) => ({ type, mutable: true }));
  const table = helpers.map((_, i) => FIRST_HELPER + i);
  const all = [ABI.heap.type, ...globals];
  const plan: Plan = { pick, types, globals: all, pairs, table };
  const bytes = (length: number): Uint8Array => {
    const w = writer(length);
    while (w.length < length) putBits(w, floatBits(pick, pick(2) === 0 ? F32 : F64), 8);
    return written(w).slice(0, length);
  };
  const own = helpers.map((_, i) => functionOf(plan, FIRST_HELPER + i));
  return {
    functions: [ABI.realloc, ABI.describe, functionOf(plan, 2), ...own],
    blockTypes: pairs.map(({ type }) => type),
    globals: [ABI.heap, ...globals.map((type) => ({ type, init: constant(pick, type.type) }))],
    memory: { min: 1, max: 3 },
    table,
    elements: table,
    data: { offset: 512, bytes: bytes(2048) },
    passive: bytes(32),
    exports: ABI.exports,
  };
}

export function randomModule(seed: number): Uint8Array {
  return assemble(randomParts(seed));
}
