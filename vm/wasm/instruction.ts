/** Decoding one instruction: shared by the type-checker and the rewriter, so that both see the same program. */
import { OP, OPCODES, type Opcode, REFUSED_PREFIXES, refusedFeature } from './opcodes.ts';
import { byte, checkLimit, count, type Reader, refuse, s32, s33, s64, skip, u32 } from './reader.ts';
import { EXTERNREF, FUNCREF, isNumberOrVector } from './types.ts';

/** A block's type: nothing, one result, or the index of a function type. */
export type BlockType =
  | { readonly kind: 'empty' }
  | { readonly kind: 'value'; readonly type: number }
  | { readonly kind: 'index'; readonly index: number };

/** Reused from instruction to instruction; the immediates that the opcode does not have keep old values. */
export interface Instruction {
  op: Opcode;
  /** Offset of the opcode and of the byte after the last immediate. */
  start: number;
  end: number;
  /** First immediate: an index, a depth, a lane, log2 of an alignment. */
  a: number;
  /** Second immediate. */
  b: number;
  block: BlockType;
  /** Labels of br_table, the default last; result types of a typed select. */
  list: readonly number[];
}

const EMPTY_BLOCK: BlockType = { kind: 'empty' };

export function newInstruction(): Instruction {
  const op = OPCODES.get(OP.unreachable) as Opcode;
  return { op, start: 0, end: 0, a: 0, b: 0, block: EMPTY_BLOCK, list: [] };
}

export function hex(code: number): string {
  return `0x${code.toString(16)}`;
}

function unknownOpcode(code: number, at: number): never {
  const feature = refusedFeature(code);
  if (feature !== undefined)
    refuse('unsupported', `offset ${at}: opcode ${hex(code)} belongs to ${feature}, which models may not use`);
  return refuse('malformed', `offset ${at}: unknown opcode ${hex(code)}`);
}

function opcodeAt(r: Reader): Opcode {
  const at = r.at;
  let code = byte(r, 'an instruction');
  const prefix = REFUSED_PREFIXES[code];
  if (prefix !== undefined)
    refuse('unsupported', `offset ${at}: opcode ${hex(code)} belongs to ${prefix}, which models may not use`);
  if (code === 0xfc || code === 0xfd) {
    const number = u32(r, 'an opcode behind a prefix');
    code = number < 0x1000 ? code * 0x1000 + number : -1;
  }
  return OPCODES.get(code) ?? unknownOpcode(code, at);
}

/** A value type; a reference type is refused by name. */
export function valueType(r: Reader, what: string): number {
  const at = r.at;
  const type = byte(r, what);
  if (isNumberOrVector(type)) return type;
  if (type === FUNCREF || type === EXTERNREF || (type >= 0x63 && type <= 0x74))
    refuse('unsupported', `offset ${at}: ${what} is a reference type, which models may not use`);
  return refuse('malformed', `offset ${at}: ${what} expected to be a value type, found ${hex(type)}`);
}

function blockType(r: Reader): BlockType {
  const next = r.at < r.end ? (r.bytes[r.at] as number) : 0;
  if (next === 0x40) {
    r.at++;
    return EMPTY_BLOCK;
  }
  if (next >= 0x60 && next <= 0x7f) return { kind: 'value', type: valueType(r, 'a block type') };
  const at = r.at;
  const index = s33(r, 'a block type');
  if (index < 0) refuse('malformed', `offset ${at}: block type expected to be a type index, found ${index}`);
  return { kind: 'index', index };
}

function zeroByte(r: Reader, what: string): void {
  const at = r.at;
  const found = byte(r, what);
  if (found !== 0) refuse('malformed', `offset ${at}: ${what} expected to be the byte 0, found ${hex(found)}`);
}

function memarg(r: Reader, into: Instruction): void {
  const at = r.at;
  into.a = u32(r, 'an alignment');
  if (into.a >= 32) refuse('malformed', `offset ${at}: alignment 2^${into.a}, expected at most 2^31`);
  into.b = u32(r, 'a memory offset');
}

function laneBytes(r: Reader, lanes: number, count: number): void {
  for (let i = 0; i < count; i++) {
    const at = r.at;
    const lane = byte(r, 'a lane');
    if (lane >= lanes) refuse('invalid', `offset ${at}: lane ${lane}, expected below ${lanes}`);
  }
}

function labels(r: Reader, limit: number): number[] {
  const at = r.at;
  const length = count(r, r.end, 'br_table labels');
  checkLimit(length, limit, 'br_table labels', at);
  const out: number[] = [];
  for (let i = 0; i <= length; i++) out.push(u32(r, 'a label'));
  return out;
}

function selectTypes(r: Reader): number[] {
  const at = r.at;
  const length = count(r, r.end, 'select types');
  if (length !== 1) refuse('invalid', `offset ${at}: select with ${length} result types, expected 1`);
  return [valueType(r, 'a select type')];
}

function immediates(r: Reader, into: Instruction, brTableLabels: number): void {
  switch (into.op.immediate) {
    case 'none':
      return;
    case 'block':
      into.block = blockType(r);
      return;
    case 'label':
    case 'func':
    case 'local':
    case 'global':
    case 'data':
    case 'elem':
      into.a = u32(r, 'an index');
      return;
    case 'labels':
      into.list = labels(r, brTableLabels);
      return;
    case 'types':
      into.list = selectTypes(r);
      return;
    case 'indirect':
    case 'table.init':
    case 'table.copy':
      into.a = u32(r, 'an index');
      into.b = u32(r, 'a table index');
      return;
    case 'memarg':
      memarg(r, into);
      return;
    case 'memarg-lane':
      memarg(r, into);
      laneBytes(r, into.op.lanes, 1);
      return;
    case 'lane':
      laneBytes(r, into.op.lanes, 1);
      return;
    case 'shuffle':
      laneBytes(r, 32, 16);
      return;
    case 'memory':
      zeroByte(r, 'the memory index');
      return;
    case 'memory.init':
      into.a = u32(r, 'a data index');
      zeroByte(r, 'the memory index');
      return;
    case 'memory.copy':
      zeroByte(r, 'the target memory index');
      zeroByte(r, 'the source memory index');
      return;
    case 'i32':
      s32(r, 'an i32 constant');
      return;
    case 'i64':
      s64(r, 'an i64 constant');
      return;
    case 'f32':
      skip(r, 4, 'an f32 constant');
      return;
    case 'f64':
      skip(r, 8, 'an f64 constant');
      return;
    case 'v128':
      skip(r, 16, 'a v128 constant');
      return;
  }
}

/** Decodes the instruction at the reader's position into `into`. */
export function decode(r: Reader, into: Instruction, brTableLabels: number): void {
  into.start = r.at;
  into.op = opcodeAt(r);
  immediates(r, into, brTableLabels);
  into.end = r.at;
}
