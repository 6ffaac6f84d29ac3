/**
 * Where NaNs must be made canonical. A producer's result is *dirty* until then; what cannot see NaN bits (arithmetic
 * and comparisons of the same lane shape) may consume it as it is. Everything else observes: stores, bit operations,
 * calls, results, block results. An observed value is made canonical where it was produced or read from a local.
 *
 * Locals carry dirt along: a tag for each at each point of the code. A value may only ever be made canonical in the
 * lane shape that it was produced in, and only if it was produced by arithmetic, since bits that were loaded are data.
 * So where paths meet with different tags, the dirty ones are cleaned on their edges. Loop headers are a greatest fixed
 * point; a function that needs too many passes for it gets clean loop headers instead.
 */
import { defined } from '#core/assert.ts';
import { decode, type Instruction, newInstruction } from '../wasm/instruction.ts';
import { OP } from '../wasm/opcodes.ts';
import { reader } from '../wasm/reader.ts';
import { F32, F64, type FuncType, type FunctionBody, type Module, V128 } from '../wasm/types.ts';
import { type Producer, producerOf } from './nan.ts';

/** What is known of a value's NaN bits. */
const FREE = 0; // no NaN in any lane shape
const CLEAN = 1; // bits that must stay as they are
type Tag = number;

/** Tags of dirty values begin here, in this order. */
const DIRTY = 2;
const KINDS: readonly Producer[] = ['f32', 'f64', 'f32x4', 'f64x2'];

function dirty(kind: Producer): Tag {
  return DIRTY + KINDS.indexOf(kind);
}

function kindOf(tag: Tag): Producer {
  return defined(KINDS[tag - DIRTY], 'the kind of a dirty value');
}

export interface LocalFix {
  readonly local: number;
  readonly kind: Producer;
}

/** By the ordinal of an instruction in its body. */
export interface NanPlan {
  /** Locals to make canonical before it. */
  readonly before: ReadonlyMap<number, readonly LocalFix[]>;
  /** Its result is to be made canonical. */
  readonly after: ReadonlyMap<number, Producer>;
}

export interface FlowInput {
  readonly module: Module;
  readonly body: FunctionBody;
  readonly type: FuncType;
}

/** Locals whose dirt is followed; that of others is removed when it is stored. Bounds the work for one block. */
const MAX_TRACKED = 64;
/** Passes after which loop headers are taken to be clean. */
const MAX_PASSES = 8;

/** Fixes of locals for each 2³ bytes of code: beyond it locals are not followed, so that code does not explode. */
const FIX_BYTES_LOG2 = 3;
const FEW_FIXES = 64;

interface Edge {
  readonly ordinal: number;
  readonly state: Uint8Array;
}

interface Frame {
  readonly opcode: number;
  readonly ordinal: number;
  /** Operands that a branch to the label carries, and that the block leaves. */
  readonly labelArity: number;
  readonly results: number;
  readonly height: number;
  /** State before an `if`, for its other arm. */
  readonly entry: Uint8Array;
  readonly entryReachable: boolean;
  /** Edges to the end of the block. */
  readonly edges: Edge[];
}

interface Pass {
  readonly input: FlowInput;
  /** Slot of each tracked local. */
  readonly tracked: ReadonlyMap<number, number>;
  readonly slots: readonly number[];
  /** Assumed state at each loop header. */
  readonly headers: Map<number, Uint8Array>;
  readonly pessimistic: boolean;
  readonly before: Map<number, LocalFix[]>;
  readonly after: Map<number, Producer>;
  readonly frames: Frame[];
  /** The operand stack: ordinal of the instruction that made the value (or −1), and its tag. */
  readonly origins: number[];
  readonly tags: Tag[];
  state: Uint8Array;
  reachable: boolean;
  lowered: boolean;
  ordinal: number;
}

function meet(a: Tag, b: Tag): Tag {
  if (a === b || b === FREE) return a;
  return a === FREE ? b : CLEAN;
}

/** Lowers `into`; answers whether that changed it. */
function meetInto(into: Uint8Array, other: Uint8Array): boolean {
  let changed = false;
  for (let i = 0; i < into.length; i++) {
    const tag = meet(into[i] as number, other[i] as number);
    if (tag !== into[i]) changed = true;
    into[i] = tag;
  }
  return changed;
}

/** On an edge from `from` to a point where `to` holds. */
function fixEdge(p: Pass, ordinal: number, from: Uint8Array, to: Uint8Array): void {
  for (let slot = 0; slot < from.length; slot++) {
    const tag = from[slot] as Tag;
    if (tag < DIRTY || to[slot] !== CLEAN) continue;
    const local = defined(p.slots[slot], 'a tracked local');
    const fixes = p.before.get(ordinal) ?? [];
    if (!fixes.some((fix) => fix.local === local)) fixes.push({ local, kind: kindOf(tag) });
    p.before.set(ordinal, fixes);
  }
}

function push(p: Pass, origin: number, tag: Tag): void {
  p.origins.push(origin);
  p.tags.push(tag);
}

function pushClean(p: Pass, count: number): void {
  for (let i = 0; i < count; i++) push(p, -1, CLEAN);
}

interface Value {
  readonly origin: number;
  readonly tag: Tag;
}

const UNKNOWN: Value = { origin: -1, tag: CLEAN };

function pop(p: Pass): Value {
  if (p.origins.length === defined(p.frames.at(-1), 'an open block').height) return UNKNOWN;
  return { origin: p.origins.pop() as number, tag: p.tags.pop() as Tag };
}

/** Pops what somebody sees bit by bit. */
function observe(p: Pass, count: number): void {
  for (let i = 0; i < count; i++) {
    const { origin, tag } = pop(p);
    if (tag >= DIRTY) p.after.set(origin, kindOf(tag));
  }
}

function unreachable(p: Pass): void {
  const { height } = defined(p.frames.at(-1), 'an open block');
  p.origins.length = height;
  p.tags.length = height;
  p.reachable = false;
}

function branch(p: Pass, depth: number): void {
  const frame = defined(p.frames[p.frames.length - 1 - depth], 'a checked label');
  if (!p.reachable) return;
  if (frame.opcode === OP.loop) {
    const header = defined(p.headers.get(frame.ordinal), 'the state at a loop header');
    fixEdge(p, p.ordinal, p.state, header);
    if (!p.pessimistic && meetInto(header, p.state)) p.lowered = true;
  } else if (p.frames.length - 1 !== depth) frame.edges.push({ ordinal: p.ordinal, state: p.state.slice() });
}

function labelArity(p: Pass, depth: number): number {
  return defined(p.frames[p.frames.length - 1 - depth], 'a checked label').labelArity;
}

function blockType(p: Pass, it: Instruction): FuncType {
  switch (it.block.kind) {
    case 'empty':
      return { params: [], results: [] };
    case 'value':
      return { params: [], results: [it.block.type] };
    case 'index':
      return defined(p.input.module.types[it.block.index], 'a checked type');
  }
}

function loopHeader(p: Pass): void {
  const known = p.headers.get(p.ordinal);
  const header = known ?? (p.pessimistic ? new Uint8Array(p.state.length).fill(CLEAN) : p.state.slice());
  p.headers.set(p.ordinal, header);
  if (!p.reachable) return;
  if (!p.pessimistic && known !== undefined && meetInto(header, p.state)) p.lowered = true;
  fixEdge(p, p.ordinal, p.state, header);
  p.state = header.slice();
}

function open(p: Pass, it: Instruction): void {
  const type = blockType(p, it);
  if (it.op.code === OP.if) pop(p);
  observe(p, type.params.length);
  const entry = p.state.slice();
  const loop = it.op.code === OP.loop;
  if (loop) loopHeader(p);
  p.frames.push({
    opcode: it.op.code,
    ordinal: p.ordinal,
    labelArity: loop ? type.params.length : type.results.length,
    results: type.results.length,
    height: p.origins.length,
    entry,
    entryReachable: p.reachable,
    edges: [],
  });
  pushClean(p, type.params.length);
}

/** Ends an arm: its results are observed, its state flows to the end of the block. */
function endArm(p: Pass, frame: Frame): void {
  observe(p, frame.results);
  if (p.reachable) frame.edges.push({ ordinal: p.ordinal, state: p.state.slice() });
  p.origins.length = frame.height;
  p.tags.length = frame.height;
}

function otherArm(p: Pass): void {
  const frame = defined(p.frames.pop(), 'an open if');
  p.frames.push({ ...frame, opcode: OP.else });
  endArm(p, frame);
  p.state = frame.entry.slice();
  p.reachable = frame.entryReachable;
  // The checker has seen that both arms take the same parameters; they were observed, so nothing is known of them.
}

function close(p: Pass): void {
  const frame = defined(p.frames.at(-1), 'an open block');
  endArm(p, frame);
  p.frames.pop();
  if (frame.opcode === OP.if && frame.entryReachable) frame.edges.push({ ordinal: frame.ordinal, state: frame.entry });
  const [first, ...rest] = frame.edges;
  p.reachable = first !== undefined;
  if (first !== undefined) {
    const joined = first.state.slice();
    for (const edge of rest) meetInto(joined, edge.state);
    for (const edge of frame.edges) fixEdge(p, edge.ordinal, edge.state, joined);
    p.state = joined;
  }
  pushClean(p, frame.results);
}

function setLocal(p: Pass, local: number, value: Value): void {
  const slot = p.tracked.get(local);
  if (slot !== undefined) p.state[slot] = value.tag;
  else if (value.tag >= DIRTY) p.after.set(value.origin, kindOf(value.tag));
}

function control(p: Pass, it: Instruction): void {
  switch (it.op.code) {
    case OP.block:
    case OP.loop:
    case OP.if:
      open(p, it);
      return;
    case OP.else:
      otherArm(p);
      return;
    case OP.end:
      close(p);
      return;
    case OP.br:
      observe(p, labelArity(p, it.a));
      branch(p, it.a);
      unreachable(p);
      return;
    case OP.brIf: {
      pop(p);
      const arity = labelArity(p, it.a);
      observe(p, arity);
      branch(p, it.a);
      pushClean(p, arity);
      return;
    }
    case OP.brTable:
      pop(p);
      observe(p, labelArity(p, defined(it.list[0], 'a label')));
      for (const depth of new Set(it.list)) branch(p, depth);
      unreachable(p);
      return;
    case OP.return:
      observe(p, p.input.type.results.length);
      unreachable(p);
      return;
    case OP.unreachable:
      unreachable(p);
      return;
    default:
      other(p, it);
  }
}

function call(p: Pass, type: FuncType): void {
  observe(p, type.params.length);
  pushClean(p, type.results.length);
}

function other(p: Pass, it: Instruction): void {
  const { module } = p.input;
  switch (it.op.code) {
    case OP.call:
      call(p, defined(module.types[module.functions[it.a] ?? -1], 'a checked type'));
      return;
    case OP.callIndirect:
      pop(p);
      call(p, defined(module.types[it.a], 'a checked type'));
      return;
    case OP.drop:
      pop(p);
      return;
    case OP.select:
    case OP.selectTyped:
      pop(p);
      observe(p, 2);
      pushClean(p, 1);
      return;
    case OP.localGet: {
      const slot = p.tracked.get(it.a);
      push(p, p.ordinal, slot === undefined ? CLEAN : (p.state[slot] as Tag));
      return;
    }
    case OP.localSet:
      setLocal(p, it.a, pop(p));
      return;
    case OP.localTee: {
      const value = pop(p);
      setLocal(p, it.a, value);
      push(p, value.origin, value.tag);
      return;
    }
    case OP.globalGet:
    case OP.memorySize:
      pushClean(p, 1);
      return;
    case OP.globalSet:
      observe(p, 1);
      return;
    case OP.memoryGrow:
      pop(p);
      pushClean(p, 1);
      return;
    case OP.memoryInit:
    case OP.memoryCopy:
    case OP.memoryFill:
    case OP.tableInit:
    case OP.tableCopy:
      observe(p, 3);
      return;
  }
}

/** Whether a constant has no NaN in any lane shape. */
function isFreeConstant(p: Pass, it: Instruction): boolean {
  const { bytes } = p.input.module;
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  switch (it.op.code) {
    case OP.f32Const:
      return (view.getUint32(it.end - 4, true) & 0x7fffffff) <= 0x7f800000;
    case OP.f64Const:
      return (view.getBigUint64(it.end - 8, true) & 0x7fffffffffffffffn) <= 0x7ff0000000000000n;
    case OP.v128Const:
      return bytes.subarray(it.end - 16, it.end).every((byte) => byte === 0);
    default:
      return false;
  }
}

function plain(p: Pass, it: Instruction, pops: number): void {
  const { reads } = it.op;
  for (let i = 0; i < pops; i++) {
    const { origin, tag } = pop(p);
    if (tag >= DIRTY && kindOf(tag) !== reads) p.after.set(origin, kindOf(tag));
  }
  const producer = producerOf(it.op);
  if (producer !== undefined) push(p, p.ordinal, dirty(producer));
  else if (it.op.pushes.length > 0) push(p, -1, isFreeConstant(p, it) ? FREE : CLEAN);
}

function walk(p: Pass): void {
  const { code } = p.input.body;
  const r = reader(p.input.module.bytes, code.start, code.end);
  const it = newInstruction();
  for (p.ordinal = 0; r.at < code.end; p.ordinal++) {
    decode(r, it, 0xffffffff);
    if (it.op.pops === undefined) control(p, it);
    else plain(p, it, it.op.pops.length);
  }
}

/** Locals that are worth following: of a type that can be dirty, and set somewhere. */
function trackedLocals(input: FlowInput): readonly number[] {
  const types = [...input.type.params, ...input.body.locals];
  const found = new Set<number>();
  const { code } = input.body;
  const r = reader(input.module.bytes, code.start, code.end);
  const it = newInstruction();
  while (r.at < code.end && found.size < MAX_TRACKED) {
    decode(r, it, 0xffffffff);
    if (it.op.code !== OP.localSet && it.op.code !== OP.localTee) continue;
    const type = types[it.a];
    if (type === F32 || type === F64 || type === V128) found.add(it.a);
  }
  return [...found];
}

function onePass(
  input: FlowInput,
  slots: readonly number[],
  headers: Map<number, Uint8Array>,
  pessimistic: boolean,
): Pass {
  const params = input.type.params.length;
  const results = input.type.results.length;
  const state = Uint8Array.from(slots, (local) => (local < params ? CLEAN : FREE));
  const frame = { opcode: OP.block, ordinal: -1, labelArity: results, results, height: 0, entry: state, edges: [] };
  const p: Pass = {
    input,
    tracked: new Map(slots.map((local, slot) => [local, slot])),
    slots,
    headers,
    pessimistic,
    before: new Map(),
    after: new Map(),
    frames: [{ ...frame, entryReachable: true }],
    origins: [],
    tags: [],
    state: state.slice(),
    reachable: true,
    lowered: false,
    ordinal: 0,
  };
  walk(p);
  return p;
}

function follow(input: FlowInput): NanPlan {
  const slots = trackedLocals(input);
  const headers = new Map<number, Uint8Array>();
  for (let i = 0; i < MAX_PASSES; i++) {
    const pass = onePass(input, slots, headers, false);
    if (!pass.lowered) return pass;
  }
  return onePass(input, slots, new Map(), true);
}

/** The plan for a checked function body. */
export function planNans(input: FlowInput): NanPlan {
  const plan = follow(input);
  let fixes = 0;
  for (const each of plan.before.values()) fixes += each.length;
  const { code } = input.body;
  if (fixes <= FEW_FIXES + ((code.end - code.start) >> FIX_BYTES_LOG2)) return plan;
  return onePass(input, [], new Map(), true);
}
