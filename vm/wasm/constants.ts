/** Constant expressions, and the one reference type that there is. */
import type { Draft } from './draft.ts';
import { hex } from './instruction.ts';
import { OP } from './opcodes.ts';
import { byte, type Reader, refuse, s32, s64, skip, u32 } from './reader.ts';
import { EXTERNREF, F32, F64, FUNCREF, I32, I64, typeName, V128, type ValType } from './types.ts';

export function refType(r: Reader, what: string): void {
  const at = r.at;
  const type = byte(r, what);
  if (type === FUNCREF) return;
  if (type === EXTERNREF || (type >= 0x63 && type <= 0x74) || type === 0x40)
    refuse(
      'unsupported',
      `offset ${at}: ${what} expected to be funcref, found ${typeName(type)}, which models may not use`,
    );
  refuse('malformed', `offset ${at}: ${what} expected to be funcref, found ${hex(type)}`);
}

/** A constant expression of type `expected`; answers its value where it is an i32 constant. */
export function constant(r: Reader, draft: Draft, expected: ValType): number | undefined {
  const at = r.at;
  const op = byte(r, 'a constant expression');
  let type: ValType = 0;
  let value: number | undefined;
  switch (op) {
    case OP.i32Const:
      type = I32;
      value = s32(r, 'an i32 constant') >>> 0;
      break;
    case OP.i64Const:
      type = I64;
      s64(r, 'an i64 constant');
      break;
    case OP.f32Const:
      type = F32;
      skip(r, 4, 'an f32 constant');
      break;
    case OP.f64Const:
      type = F64;
      skip(r, 8, 'an f64 constant');
      break;
    case OP.globalGet:
      type = constantGlobal(draft, u32(r, 'a global index'), at);
      break;
    case 0xfd:
      if (u32(r, 'an opcode behind a prefix') !== 12) refuse('invalid', `offset ${at}: expected a constant expression`);
      type = V128;
      skip(r, 16, 'a v128 constant');
      break;
    case OP.refNull:
    case OP.refFunc:
      return refuse('unsupported', `offset ${at}: a reference-typed constant, which models may not use`);
    case OP.end:
      return refuse('invalid', `offset ${at}: an empty constant expression`);
    default:
      return refuse('invalid', `offset ${at}: instruction ${hex(op)} in a constant expression, expected a constant`);
  }
  if (type !== expected)
    refuse('invalid', `offset ${at}: constant expression of type ${typeName(type)}, expected ${typeName(expected)}`);
  endOfConstant(r);
  return value;
}

function constantGlobal(draft: Draft, index: number, at: number): ValType {
  const global = draft.globalTypes[index];
  if (global === undefined || index >= draft.importedGlobals || global.mutable)
    return refuse('invalid', `offset ${at}: global ${index} in a constant expression, expected an immutable import`);
  return global.type;
}

export function endOfConstant(r: Reader): void {
  const at = r.at;
  const end = byte(r, 'the end of a constant expression');
  if (end !== OP.end) refuse('invalid', `offset ${at}: constant expression expected to end, found ${hex(end)}`);
}
