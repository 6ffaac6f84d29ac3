/**
 * The type-checker: the validation algorithm of the WebAssembly core specification (2.0, appendix "Validation
 * Algorithm"). Besides the verdict it measures what the rewriter must know of each function.
 */
import { defined } from '#core/assert.ts';
import type { Result } from '#core/result.ts';
import type { ModuleLimits } from '../limits.ts';
import { type BlockType, decode, type Instruction, newInstruction } from './instruction.ts';
import { OP, type Opcode } from './opcodes.ts';
import { checkLimit, type Reader, reader, refusals, refuse } from './reader.ts';
import { type FuncType, type FunctionBody, I32, type Module, slotsOf, typeName, type ValType } from './types.ts';

/** Measures of one function, in machine words where not said otherwise. */
export interface FunctionFacts {
  /** Parameters and declared locals. */
  readonly localWords: number;
  /** The operand stack at its highest. */
  readonly stackWords: number;
  /** Load instructions, each by the width of its result. */
  readonly loadWords: number;
  /** Whether it calls anything. */
  readonly calls: boolean;
}

/** A value of any type: what popping yields in code that cannot be reached. */
const ANY: ValType = 0;

interface Frame {
  readonly opcode: number;
  readonly start: readonly ValType[];
  readonly end: readonly ValType[];
  /** Height of the operand stack at entry. */
  readonly height: number;
  unreachable: boolean;
}

interface State {
  readonly module: Module;
  readonly limits: ModuleLimits;
  readonly reader: Reader;
  readonly locals: readonly ValType[];
  readonly operands: ValType[];
  readonly frames: Frame[];
  readonly it: Instruction;
  words: number;
  maxWords: number;
  loadWords: number;
  calls: boolean;
}

function invalid(s: State, message: string): never {
  return refuse('invalid', `offset ${s.it.start}: ${s.it.op.name}: ${message}`);
}

function push(s: State, type: ValType): void {
  s.operands.push(type);
  s.words += slotsOf(type);
  if (s.words > s.maxWords) s.maxWords = s.words;
}

function pushAll(s: State, types: readonly ValType[]): void {
  for (const type of types) push(s, type);
}

function top(s: State): Frame {
  return defined(s.frames.at(-1), 'an open block');
}

function popAny(s: State): ValType {
  const frame = top(s);
  if (s.operands.length === frame.height) {
    if (frame.unreachable) return ANY;
    return invalid(s, 'expected an operand, found an empty stack');
  }
  const type = s.operands.pop() as ValType;
  s.words -= slotsOf(type);
  return type;
}

function pop(s: State, expected: ValType): ValType {
  const found = popAny(s);
  if (found !== expected && found !== ANY && expected !== ANY)
    invalid(s, `expected an operand of type ${typeName(expected)}, found ${typeName(found)}`);
  return found;
}

function popAll(s: State, types: readonly ValType[]): ValType[] {
  const popped: ValType[] = [];
  for (let i = types.length - 1; i >= 0; i--) popped.push(pop(s, types[i] as ValType));
  return popped.reverse();
}

function pushFrame(s: State, opcode: number, start: readonly ValType[], end: readonly ValType[]): void {
  checkLimit(s.frames.length + 1, s.limits.nesting, 'nested blocks', s.it.start);
  s.frames.push({ opcode, start, end, height: s.operands.length, unreachable: false });
  pushAll(s, start);
}

function popFrame(s: State): Frame {
  const frame = top(s);
  popAll(s, frame.end);
  if (s.operands.length !== frame.height)
    invalid(s, `expected ${frame.height} operands at the end of the block, found ${s.operands.length}`);
  s.frames.pop();
  return frame;
}

/** The rest of the block cannot be reached: its stack is whatever is asked for. */
function setUnreachable(s: State): void {
  const frame = top(s);
  while (s.operands.length > frame.height) s.words -= slotsOf(s.operands.pop() as ValType);
  frame.unreachable = true;
}

function labelTypes(s: State, depth: number): readonly ValType[] {
  const frame = s.frames[s.frames.length - 1 - depth];
  if (frame === undefined) return invalid(s, `label ${depth}, expected below ${s.frames.length}`);
  return frame.opcode === OP.loop ? frame.start : frame.end;
}

function funcType(s: State, index: number): FuncType {
  return s.module.types[index] ?? invalid(s, `type ${index}, expected below ${s.module.types.length}`);
}

function blockFuncType(s: State, block: BlockType): FuncType {
  switch (block.kind) {
    case 'empty':
      return { params: [], results: [] };
    case 'value':
      return { params: [], results: [block.type] };
    case 'index':
      return funcType(s, block.index);
  }
}

function brTable(s: State, labels: readonly number[]): void {
  pop(s, I32);
  const last = labelTypes(s, defined(labels.at(-1), 'a default label'));
  for (const label of labels) {
    const types = labelTypes(s, label);
    if (types.length !== last.length)
      invalid(s, `label ${label} takes ${types.length} operands, the default label ${last.length}`);
    pushAll(s, popAll(s, types));
  }
  popAll(s, last);
  setUnreachable(s);
}

function call(s: State, type: FuncType): void {
  s.calls = true;
  popAll(s, type.params);
  pushAll(s, type.results);
}

function local(s: State): ValType {
  return s.locals[s.it.a] ?? invalid(s, `local ${s.it.a}, expected below ${s.locals.length}`);
}

function select(s: State): void {
  pop(s, I32);
  const second = popAny(s);
  const first = popAny(s);
  if (first !== second && first !== ANY && second !== ANY)
    invalid(s, `operands of types ${typeName(first)} and ${typeName(second)}, expected the same`);
  push(s, first === ANY ? second : first);
}

function needMemory(s: State): void {
  if (s.module.memories.length === 0) invalid(s, 'expected a memory, the module has none');
}

function needTable(s: State, index: number): void {
  if (index >= s.module.tables.length) invalid(s, `table ${index}, expected below ${s.module.tables.length}`);
}

function needData(s: State, index: number): void {
  if (s.module.dataCount === undefined)
    refuse('malformed', `offset ${s.it.start}: ${s.it.op.name}: expected a data count section before the code`);
  if (index >= s.module.data.length) invalid(s, `data segment ${index}, expected below ${s.module.data.length}`);
}

function needElement(s: State, index: number): void {
  const { length } = s.module.elements;
  if (index >= length) invalid(s, `element segment ${index}, expected below ${length}`);
}

function control(s: State): void {
  const { it } = s;
  switch (it.op.code) {
    case OP.nop:
      return;
    case OP.unreachable:
      setUnreachable(s);
      return;
    case OP.block:
    case OP.loop:
    case OP.if: {
      const type = blockFuncType(s, it.block);
      if (it.op.code === OP.if) pop(s, I32);
      popAll(s, type.params);
      pushFrame(s, it.op.code, type.params, type.results);
      return;
    }
    case OP.else: {
      if (top(s).opcode !== OP.if) invalid(s, 'expected inside an if');
      const frame = popFrame(s);
      pushFrame(s, OP.else, frame.start, frame.end);
      return;
    }
    case OP.end:
      end(s);
      return;
    case OP.br:
      popAll(s, labelTypes(s, it.a));
      setUnreachable(s);
      return;
    case OP.brIf: {
      pop(s, I32);
      const types = labelTypes(s, it.a);
      popAll(s, types);
      pushAll(s, types);
      return;
    }
    case OP.brTable:
      brTable(s, it.list);
      return;
    case OP.return:
      popAll(s, defined(s.frames[0], 'the function block').end);
      setUnreachable(s);
      return;
    default:
      other(s);
      return;
  }
}

function end(s: State): void {
  const frame = popFrame(s);
  if (frame.opcode === OP.if) {
    // An `if` without `else` has an empty second arm, which passes its parameters on.
    const same = frame.start.length === frame.end.length && frame.start.every((type, i) => type === frame.end[i]);
    if (!same) invalid(s, 'an if without else, expected parameters and results of the same types');
  }
  pushAll(s, frame.end);
}

function other(s: State): void {
  const { it, module } = s;
  switch (it.op.code) {
    case OP.call: {
      const type = module.functions[it.a];
      if (type === undefined) invalid(s, `function ${it.a}, expected below ${module.functions.length}`);
      call(s, funcType(s, type));
      return;
    }
    case OP.callIndirect:
      needTable(s, it.b);
      pop(s, I32);
      call(s, funcType(s, it.a));
      return;
    case OP.drop:
      popAny(s);
      return;
    case OP.select:
      select(s);
      return;
    case OP.selectTyped: {
      const type = defined(it.list[0], 'a select type');
      pop(s, I32);
      popAll(s, [type, type]);
      push(s, type);
      return;
    }
    case OP.localGet:
      push(s, local(s));
      return;
    case OP.localSet:
      pop(s, local(s));
      return;
    case OP.localTee: {
      const type = local(s);
      pop(s, type);
      push(s, type);
      return;
    }
    case OP.globalGet:
    case OP.globalSet: {
      const global = module.globalTypes[it.a];
      if (global === undefined) invalid(s, `global ${it.a}, expected below ${module.globalTypes.length}`);
      if (it.op.code === OP.globalGet) {
        push(s, global.type);
        return;
      }
      if (!global.mutable) invalid(s, `global ${it.a} expected to be mutable`);
      pop(s, global.type);
      return;
    }
    default:
      bulk(s);
      return;
  }
}

function bulk(s: State): void {
  const { it } = s;
  switch (it.op.code) {
    case OP.memorySize:
      needMemory(s);
      push(s, I32);
      return;
    case OP.memoryGrow:
      needMemory(s);
      pop(s, I32);
      push(s, I32);
      return;
    case OP.memoryInit:
      needMemory(s);
      needData(s, it.a);
      break;
    case OP.memoryCopy:
    case OP.memoryFill:
      needMemory(s);
      break;
    case OP.dataDrop:
      needData(s, it.a);
      return;
    case OP.elemDrop:
      needElement(s, it.a);
      return;
    case OP.tableInit:
      needElement(s, it.a);
      needTable(s, it.b);
      break;
    case OP.tableCopy:
      needTable(s, it.a);
      needTable(s, it.b);
      break;
  }
  popAll(s, [I32, I32, I32]);
}

function plain(s: State, op: Opcode, pops: readonly ValType[]): void {
  const { it } = s;
  if (op.immediate === 'memarg' || op.immediate === 'memarg-lane') {
    needMemory(s);
    if (it.a > op.align) invalid(s, `alignment 2^${it.a}, expected at most 2^${op.align}`);
    if (op.load) s.loadWords += slotsOf(defined(op.pushes[0], 'what a load pushes'));
  }
  for (let i = pops.length - 1; i >= 0; i--) pop(s, pops[i] as ValType);
  pushAll(s, op.pushes);
}

function checkBody(module: Module, limits: ModuleLimits, body: FunctionBody, type: FuncType): FunctionFacts {
  const locals = [...type.params, ...body.locals];
  const r = reader(module.bytes, body.code.start, body.code.end);
  const s: State = {
    module,
    limits,
    reader: r,
    locals,
    operands: [],
    frames: [],
    it: newInstruction(),
    words: 0,
    maxWords: 0,
    loadWords: 0,
    calls: false,
  };
  s.frames.push({ opcode: OP.block, start: [], end: type.results, height: 0, unreachable: false });
  while (s.frames.length > 0) {
    decode(r, s.it, limits.brTableLabels);
    const { pops } = s.it.op;
    if (pops === undefined) control(s);
    else plain(s, s.it.op, pops);
  }
  if (r.at !== r.end)
    refuse('malformed', `offset ${r.at}: function body expected to end, found ${r.end - r.at} more bytes`);
  const localWords = locals.reduce((words, local) => words + slotsOf(local), 0);
  return { localWords, stackWords: s.maxWords, loadWords: s.loadWords, calls: s.calls };
}

/** Type-checks every function body of a parsed module; answers the facts of each, in order. */
export function checkModule(module: Module, limits: ModuleLimits): Result<readonly FunctionFacts[]> {
  return refusals(() =>
    module.bodies.map((body, i) => {
      const type = module.types[module.functions[module.importedFunctions + i] ?? -1];
      return checkBody(module, limits, body, defined(type, 'a checked function type'));
    }),
  );
}
