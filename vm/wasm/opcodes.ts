/**
 * Every instruction that a module may use, as data: WebAssembly core specification 2.0, chapter 5.4, without the
 * reference-typed ones. An opcode behind a prefix byte is `prefix * 0x1000 + number`.
 */
import { defined } from '#core/assert.ts';
import type { GasClass } from '../gas-table.ts';
import { F32, F64, I32, I64, V128, type ValType } from './types.ts';

/** What follows the opcode. */
export type Immediate =
  | 'none'
  | 'block'
  | 'label'
  | 'labels'
  | 'func'
  | 'indirect'
  | 'local'
  | 'global'
  | 'types'
  | 'memarg'
  | 'memory'
  | 'i32'
  | 'i64'
  | 'f32'
  | 'f64'
  | 'v128'
  | 'shuffle'
  | 'lane'
  | 'memarg-lane'
  | 'memory.init'
  | 'data'
  | 'memory.copy'
  | 'table.init'
  | 'elem'
  | 'table.copy';

/** How floats lie in a value. */
export type Lanes = 'f32' | 'f64' | 'f32x4' | 'f64x2';

/** What the instruction makes of NaN bits: see `rewrite/nan.ts`. */
export type NanRole = 'none' | Lanes | 'blind';

export interface Opcode {
  readonly code: number;
  readonly name: string;
  readonly immediate: Immediate;
  /** Operands popped, the last on top; `undefined` where the type-checker has a rule of its own. */
  readonly pops: readonly ValType[] | undefined;
  readonly pushes: readonly ValType[];
  readonly gas: GasClass;
  /** log2 of the natural alignment of a memory access. */
  readonly align: number;
  /** Lanes that a lane immediate may name. */
  readonly lanes: number;
  /** `f32`…`f64x2`: its result may be a NaN of any bits. `blind`: it makes no NaN, and sees no NaN's bits. */
  readonly nan: NanRole;
  /** The shape in which it reads its operands, where it sees of a NaN only that it is one. */
  readonly reads: Lanes | undefined;
  readonly load: boolean;
}

/** code name immediate gas: instructions to which the type-checker applies a rule of its own. */
const SPECIAL = `
00 unreachable none free
01 nop none free
02 block block free
03 loop block free
04 if block branchIf
05 else none free
0b end none free
0c br label branch
0d br_if label branchIf
0e br_table labels brTable
0f return none branch
10 call func call
11 call_indirect indirect callIndirect
1a drop none free
1b select none select
1c select types select
20 local.get local simple
21 local.set local simple
22 local.tee local simple
23 global.get global global
24 global.set global global
3f memory.size memory simple
40 memory.grow memory grow
fc008 memory.init memory.init bulk
fc009 data.drop data bulk
fc00a memory.copy memory.copy bulk
fc00b memory.fill memory bulk
fc00c table.init table.init bulk
fc00d elem.drop elem bulk
fc00e table.copy table.copy bulk`;

/**
 * First code, signature, gas class, NaN role, then names of consecutive codes; `-` is a gap. Letters: i i32, l i64,
 * f f32, d f64, v v128.
 */
const PLAIN = `
45 i:i compare - i32.eqz
46 ii:i compare - i32.eq i32.ne i32.lt_s i32.lt_u i32.gt_s i32.gt_u i32.le_s i32.le_u i32.ge_s i32.ge_u
50 l:i compare - i64.eqz
51 ll:i compare - i64.eq i64.ne i64.lt_s i64.lt_u i64.gt_s i64.gt_u i64.le_s i64.le_u i64.ge_s i64.ge_u
5b ff:i floatCompare blind f32.eq f32.ne f32.lt f32.gt f32.le f32.ge
61 dd:i floatCompare blind f64.eq f64.ne f64.lt f64.gt f64.le f64.ge
67 i:i mul - i32.clz i32.ctz i32.popcnt
6a ii:i simple - i32.add i32.sub
6c ii:i mul - i32.mul
6d ii:i div - i32.div_s i32.div_u i32.rem_s i32.rem_u
71 ii:i simple - i32.and i32.or i32.xor i32.shl i32.shr_s i32.shr_u
77 ii:i rotate - i32.rotl i32.rotr
79 l:l mul - i64.clz i64.ctz i64.popcnt
7c ll:l simple - i64.add i64.sub
7e ll:l mul - i64.mul
7f ll:l div - i64.div_s i64.div_u i64.rem_s i64.rem_u
83 ll:l simple - i64.and i64.or i64.xor i64.shl i64.shr_s i64.shr_u
89 ll:l rotate - i64.rotl i64.rotr
8b f:f unary - f32.abs f32.neg
8d f:f round f32 f32.ceil f32.floor f32.trunc f32.nearest
91 f:f floatDiv f32 f32.sqrt
92 ff:f float f32 f32.add f32.sub f32.mul
95 ff:f floatDiv f32 f32.div
96 ff:f float f32 f32.min f32.max
98 ff:f copysign - f32.copysign
99 d:d unary - f64.abs f64.neg
9b d:d round f64 f64.ceil f64.floor f64.trunc f64.nearest
9f d:d floatDiv f64 f64.sqrt
a0 dd:d float f64 f64.add f64.sub f64.mul
a3 dd:d floatDiv f64 f64.div
a4 dd:d float f64 f64.min f64.max
a6 dd:d copysign - f64.copysign
a7 l:i unary - i32.wrap_i64
a8 f:i truncate blind i32.trunc_f32_s i32.trunc_f32_u
aa d:i truncate blind i32.trunc_f64_s i32.trunc_f64_u
ac i:l unary - i64.extend_i32_s i64.extend_i32_u
ae f:l truncate blind i64.trunc_f32_s i64.trunc_f32_u
b0 d:l truncate blind i64.trunc_f64_s i64.trunc_f64_u
b2 i:f convert - f32.convert_i32_s f32.convert_i32_u
b4 l:f convert - f32.convert_i64_s f32.convert_i64_u
b6 d:f round f32 f32.demote_f64
b7 i:d convert - f64.convert_i32_s f64.convert_i32_u
b9 l:d convert - f64.convert_i64_s f64.convert_i64_u
bb f:d round f64 f64.promote_f32
bc f:i toInteger - i32.reinterpret_f32
bd d:l toInteger - i64.reinterpret_f64
be i:f toFloat - f32.reinterpret_i32
bf l:d toFloat - f64.reinterpret_i64
c0 i:i unary - i32.extend8_s i32.extend16_s
c2 l:l unary - i64.extend8_s i64.extend16_s i64.extend32_s
fc000 f:i truncate blind i32.trunc_sat_f32_s i32.trunc_sat_f32_u
fc002 d:i truncate blind i32.trunc_sat_f64_s i32.trunc_sat_f64_u
fc004 f:l truncate blind i64.trunc_sat_f32_s i64.trunc_sat_f32_u
fc006 d:l truncate blind i64.trunc_sat_f64_s i64.trunc_sat_f64_u
fd00e vv:v simdTwo - i8x16.swizzle
fd00f i:v toVector - i8x16.splat i16x8.splat i32x4.splat
fd012 l:v toVector - i64x2.splat
fd013 f:v simdUnary - f32x4.splat
fd014 d:v simdUnary - f64x2.splat
fd023 vv:v simd - i8x16.eq
fd024 vv:v simdTwo - i8x16.ne
fd025 vv:v simd - i8x16.lt_s
fd026 vv:v simdMul - i8x16.lt_u
fd027 vv:v simd - i8x16.gt_s
fd028 vv:v simdMul - i8x16.gt_u
fd029 vv:v simdTwo - i8x16.le_s i8x16.le_u i8x16.ge_s i8x16.ge_u
fd02d vv:v simd - i16x8.eq
fd02e vv:v simdTwo - i16x8.ne
fd02f vv:v simd - i16x8.lt_s
fd030 vv:v simdMul - i16x8.lt_u
fd031 vv:v simd - i16x8.gt_s
fd032 vv:v simdMul - i16x8.gt_u
fd033 vv:v simdTwo - i16x8.le_s i16x8.le_u i16x8.ge_s i16x8.ge_u
fd037 vv:v simd - i32x4.eq
fd038 vv:v simdTwo - i32x4.ne
fd039 vv:v simd - i32x4.lt_s
fd03a vv:v simdMul - i32x4.lt_u
fd03b vv:v simd - i32x4.gt_s
fd03c vv:v simdMul - i32x4.gt_u
fd03d vv:v simdTwo - i32x4.le_s i32x4.le_u i32x4.ge_s i32x4.ge_u
fd041 vv:v simd blind f32x4.eq f32x4.ne f32x4.lt f32x4.gt f32x4.le f32x4.ge
fd047 vv:v simd blind f64x2.eq f64x2.ne f64x2.lt f64x2.gt f64x2.le f64x2.ge
fd04d v:v simdUnary - v128.not
fd04e vv:v simd - v128.and v128.andnot v128.or v128.xor
fd052 vvv:v simdTwo - v128.bitselect
fd053 v:i fromVector - v128.any_true
fd05e v:v simdConvert f32x4 f32x4.demote_f64x2_zero
fd05f v:v simdConvert f64x2 f64x2.promote_low_f32x4
fd060 v:v simdUnary - i8x16.abs i8x16.neg
fd062 v:v simdSlower - i8x16.popcnt
fd063 v:i fromVector - i8x16.all_true i8x16.bitmask
fd065 vv:v simd - i8x16.narrow_i16x8_s i8x16.narrow_i16x8_u
fd067 v:v simdRound f32x4 f32x4.ceil f32x4.floor f32x4.trunc f32x4.nearest
fd06b vi:v simdSlower - i8x16.shl i8x16.shr_s i8x16.shr_u
fd06e vv:v simd - i8x16.add i8x16.add_sat_s i8x16.add_sat_u i8x16.sub i8x16.sub_sat_s i8x16.sub_sat_u
fd074 v:v simdRound f64x2 f64x2.ceil f64x2.floor
fd076 vv:v simd - i8x16.min_s i8x16.min_u i8x16.max_s i8x16.max_u
fd07a v:v simdRound f64x2 f64x2.trunc
fd07b vv:v simd - i8x16.avgr_u
fd07c v:v simdSlow - i16x8.extadd_pairwise_i8x16_s i16x8.extadd_pairwise_i8x16_u i32x4.extadd_pairwise_i16x8_s i32x4.extadd_pairwise_i16x8_u
fd080 v:v simdUnary - i16x8.abs i16x8.neg
fd082 vv:v simdSlow - i16x8.q15mulr_sat_s
fd083 v:i fromVector - i16x8.all_true i16x8.bitmask
fd085 vv:v simd - i16x8.narrow_i32x4_s i16x8.narrow_i32x4_u
fd087 v:v simdTwo - i16x8.extend_low_i8x16_s i16x8.extend_high_i8x16_s i16x8.extend_low_i8x16_u i16x8.extend_high_i8x16_u
fd08b vi:v simdTwo - i16x8.shl i16x8.shr_s i16x8.shr_u
fd08e vv:v simd - i16x8.add i16x8.add_sat_s i16x8.add_sat_u i16x8.sub i16x8.sub_sat_s i16x8.sub_sat_u
fd094 v:v simdRound f64x2 f64x2.nearest
fd095 vv:v simdMul - i16x8.mul
fd096 vv:v simd - i16x8.min_s i16x8.min_u i16x8.max_s i16x8.max_u
fd09b vv:v simd - i16x8.avgr_u
fd09c vv:v simdSlow - i16x8.extmul_low_i8x16_s i16x8.extmul_high_i8x16_s i16x8.extmul_low_i8x16_u i16x8.extmul_high_i8x16_u
fd0a0 v:v simdUnary - i32x4.abs i32x4.neg
fd0a3 v:i fromVector - i32x4.all_true i32x4.bitmask
fd0a7 v:v simdTwo - i32x4.extend_low_i16x8_s i32x4.extend_high_i16x8_s i32x4.extend_low_i16x8_u i32x4.extend_high_i16x8_u
fd0ab vi:v simdTwo - i32x4.shl i32x4.shr_s i32x4.shr_u
fd0ae vv:v simd - i32x4.add
fd0b1 vv:v simd - i32x4.sub
fd0b5 vv:v simdMul - i32x4.mul
fd0b6 vv:v simd - i32x4.min_s i32x4.min_u i32x4.max_s i32x4.max_u
fd0ba vv:v simdMul - i32x4.dot_i16x8_s
fd0bc vv:v simdSlow - i32x4.extmul_low_i16x8_s i32x4.extmul_high_i16x8_s i32x4.extmul_low_i16x8_u i32x4.extmul_high_i16x8_u
fd0c0 v:v simdSlow - i64x2.abs i64x2.neg
fd0c3 v:i fromVector - i64x2.all_true i64x2.bitmask
fd0c7 v:v simdTwo - i64x2.extend_low_i32x4_s i64x2.extend_high_i32x4_s i64x2.extend_low_i32x4_u i64x2.extend_high_i32x4_u
fd0cb vi:v simdSlow - i64x2.shl i64x2.shr_s i64x2.shr_u
fd0ce vv:v simd - i64x2.add
fd0d1 vv:v simd - i64x2.sub
fd0d5 vv:v simdSlower - i64x2.mul
fd0d6 vv:v simdTwo - i64x2.eq i64x2.ne i64x2.lt_s i64x2.gt_s i64x2.le_s i64x2.ge_s
fd0dc vv:v simdSlow - i64x2.extmul_low_i32x4_s i64x2.extmul_high_i32x4_s i64x2.extmul_low_i32x4_u i64x2.extmul_high_i32x4_u
fd0e0 v:v simdUnary - f32x4.abs f32x4.neg
fd0e3 v:v simdFloatDiv f32x4 f32x4.sqrt
fd0e4 vv:v simdFloat f32x4 f32x4.add f32x4.sub f32x4.mul
fd0e7 vv:v simdFloatDiv f32x4 f32x4.div
fd0e8 vv:v simdMinMax f32x4 f32x4.min f32x4.max
fd0ea vv:v simd - f32x4.pmin f32x4.pmax
fd0ec v:v simdUnary - f64x2.abs f64x2.neg
fd0ef v:v simdFloatDiv f64x2 f64x2.sqrt
fd0f0 vv:v simdFloat f64x2 f64x2.add f64x2.sub f64x2.mul
fd0f3 vv:v simdFloatDiv f64x2 f64x2.div
fd0f4 vv:v simdMinMax f64x2 f64x2.min f64x2.max
fd0f6 vv:v simd - f64x2.pmin f64x2.pmax
fd0f8 v:v simdConvert blind i32x4.trunc_sat_f32x4_s
fd0f9 v:v simdConvertUnsigned blind i32x4.trunc_sat_f32x4_u
fd0fa v:v simdRound - f32x4.convert_i32x4_s
fd0fb v:v simdConvertUnsigned - f32x4.convert_i32x4_u
fd0fc v:v simdConvert blind i32x4.trunc_sat_f64x2_s_zero
fd0fd v:v simdConvertUnsigned blind i32x4.trunc_sat_f64x2_u_zero
fd0fe v:v simdConvert - f64x2.convert_low_i32x4_s f64x2.convert_low_i32x4_u`;

/** code signature log2(bytes) lanes name: memory accesses; lanes 0 where there is no lane immediate. */
const MEMORY = `
28 i:i 2 0 i32.load
29 i:l 3 0 i64.load
2a i:f 2 0 f32.load
2b i:d 3 0 f64.load
2c i:i 0 0 i32.load8_s
2d i:i 0 0 i32.load8_u
2e i:i 1 0 i32.load16_s
2f i:i 1 0 i32.load16_u
30 i:l 0 0 i64.load8_s
31 i:l 0 0 i64.load8_u
32 i:l 1 0 i64.load16_s
33 i:l 1 0 i64.load16_u
34 i:l 2 0 i64.load32_s
35 i:l 2 0 i64.load32_u
36 ii: 2 0 i32.store
37 il: 3 0 i64.store
38 if: 2 0 f32.store
39 id: 3 0 f64.store
3a ii: 0 0 i32.store8
3b ii: 1 0 i32.store16
3c il: 0 0 i64.store8
3d il: 1 0 i64.store16
3e il: 2 0 i64.store32
fd000 i:v 4 0 v128.load
fd001 i:v 3 0 v128.load8x8_s
fd002 i:v 3 0 v128.load8x8_u
fd003 i:v 3 0 v128.load16x4_s
fd004 i:v 3 0 v128.load16x4_u
fd005 i:v 3 0 v128.load32x2_s
fd006 i:v 3 0 v128.load32x2_u
fd007 i:v 0 0 v128.load8_splat
fd008 i:v 1 0 v128.load16_splat
fd009 i:v 2 0 v128.load32_splat
fd00a i:v 3 0 v128.load64_splat
fd00b iv: 4 0 v128.store
fd054 iv:v 0 16 v128.load8_lane
fd055 iv:v 1 8 v128.load16_lane
fd056 iv:v 2 4 v128.load32_lane
fd057 iv:v 3 2 v128.load64_lane
fd058 iv: 0 16 v128.store8_lane
fd059 iv: 1 8 v128.store16_lane
fd05a iv: 2 4 v128.store32_lane
fd05b iv: 3 2 v128.store64_lane
fd05c i:v 2 0 v128.load32_zero
fd05d i:v 3 0 v128.load64_zero`;

/** code signature gas lanes name */
const LANES = `
fd015 v:i fromVector 16 i8x16.extract_lane_s
fd016 v:i fromVector 16 i8x16.extract_lane_u
fd017 vi:v toVector 16 i8x16.replace_lane
fd018 v:i fromVector 8 i16x8.extract_lane_s
fd019 v:i fromVector 8 i16x8.extract_lane_u
fd01a vi:v toVector 8 i16x8.replace_lane
fd01b v:i fromVector 4 i32x4.extract_lane
fd01c vi:v toVector 4 i32x4.replace_lane
fd01d v:l fromVector 2 i64x2.extract_lane
fd01e vl:v toVector 2 i64x2.replace_lane
fd01f v:f simdUnary 4 f32x4.extract_lane
fd020 vf:v simdTwo 4 f32x4.replace_lane
fd021 v:d simdUnary 2 f64x2.extract_lane
fd022 vd:v simdTwo 2 f64x2.replace_lane`;

/** code signature gas name: constants, their immediate named after their type, and the shuffle. */
const CONSTANTS = `
41 :i simple i32 i32.const
42 :l simple i64 i64.const
43 :f simple f32 f32.const
44 :d simple f64 f64.const
fd00c :v simd v128 v128.const
fd00d vv:v simdSlower shuffle i8x16.shuffle`;

const LETTERS: Readonly<Record<string, ValType>> = { i: I32, l: I64, f: F32, d: F64, v: V128 };

function types(letters: string): ValType[] {
  return [...letters].map((letter) => defined(LETTERS[letter], `type letter ${letter}`));
}

function rows(text: string): string[][] {
  return text
    .trim()
    .split('\n')
    .map((line) => line.split(' '));
}

interface Draft {
  readonly code: number;
  readonly name: string;
  readonly gas: GasClass;
  readonly signature?: string;
  readonly immediate?: Immediate;
  readonly align?: number;
  readonly lanes?: number;
  readonly nan?: NanRole;
}

/** Lane shape of the operands of a float operation. Of a packed conversion it is the one named last. */
function readLanes(name: string, operand: ValType | undefined): Lanes {
  if (operand === F32) return 'f32';
  if (operand === F64) return 'f64';
  return name.lastIndexOf('f64x2') > name.lastIndexOf('f32x4') ? 'f64x2' : 'f32x4';
}

function opcode(draft: Draft): Opcode {
  const [pops, pushes] = (draft.signature ?? ':').split(':');
  const nan = draft.nan ?? 'none';
  return {
    code: draft.code,
    name: draft.name,
    immediate: draft.immediate ?? 'none',
    pops: draft.signature === undefined ? undefined : types(pops ?? ''),
    pushes: types(pushes ?? ''),
    gas: draft.gas,
    align: draft.align ?? 0,
    lanes: draft.lanes ?? 0,
    nan,
    reads: nan === 'none' ? undefined : readLanes(draft.name, types(pops ?? '')[0]),
    load: draft.name.includes('.load'),
  };
}

function buildTable(): ReadonlyMap<number, Opcode> {
  const table = new Map<number, Opcode>();
  const add = (draft: Draft): void => {
    table.set(draft.code, opcode(draft));
  };
  for (const [code = '', name = '', immediate, gas] of rows(SPECIAL))
    add({ code: Number.parseInt(code, 16), name, immediate: immediate as Immediate, gas: gas as GasClass });
  for (const [code = '', signature = '', gas, nan, ...names] of rows(PLAIN)) {
    names.forEach((name, i) => {
      const role = nan === '-' ? 'none' : (nan as NanRole);
      add({ code: Number.parseInt(code, 16) + i, name, signature, gas: gas as GasClass, nan: role });
    });
  }
  for (const [code = '', signature = '', align, lanes, name = ''] of rows(MEMORY)) {
    const immediate = lanes === '0' ? 'memarg' : 'memarg-lane';
    const shape = { align: Number(align), lanes: Number(lanes) };
    // Into an integer register: the next address may depend on it.
    const gas = signature.endsWith(':i') || signature.endsWith(':l') ? 'loadInteger' : 'access';
    add({ code: Number.parseInt(code, 16), name, signature, gas, immediate, ...shape });
  }
  for (const [code = '', signature = '', cost, lanes, name = ''] of rows(LANES)) {
    const gas = cost as GasClass;
    add({ code: Number.parseInt(code, 16), name, signature, gas, immediate: 'lane', lanes: Number(lanes) });
  }
  for (const [code = '', signature = '', gas, immediate, name = ''] of rows(CONSTANTS))
    add({
      code: Number.parseInt(code, 16),
      name,
      signature,
      gas: gas as GasClass,
      immediate: immediate as Immediate,
    });
  return table;
}

export const OPCODES: ReadonlyMap<number, Opcode> = buildTable();

/** Instructions that have a name in WebAssembly and are refused here: first code, last code, feature. */
const REFUSED: readonly (readonly [number, number, string])[] = [
  [0x06, 0x0a, 'exceptions'],
  [0x12, 0x13, 'tail calls'],
  [0x14, 0x15, 'typed function references'],
  [0x18, 0x19, 'exceptions'],
  [0x1f, 0x1f, 'exceptions'],
  [0x25, 0x26, 'reference-typed values'],
  [0xd0, 0xd6, 'reference-typed values'],
  [0xfc00f, 0xfc011, 'reference-typed values'],
  [0xfc013, 0xfc016, 'wide arithmetic'],
  [0xfd100, 0xfd1ff, 'relaxed SIMD'],
];

/** Prefixes that belong to a feature as a whole. */
export const REFUSED_PREFIXES: Readonly<Record<number, string>> = { 251: 'garbage collection', 254: 'threads' };

/** The feature that an unknown opcode belongs to, if it is one that WebAssembly has. */
export function refusedFeature(code: number): string | undefined {
  return REFUSED.find(([first, last]) => code >= first && code <= last)?.[2];
}

export const OP = {
  unreachable: 0x00,
  nop: 0x01,
  block: 0x02,
  loop: 0x03,
  if: 0x04,
  else: 0x05,
  end: 0x0b,
  br: 0x0c,
  brIf: 0x0d,
  brTable: 0x0e,
  return: 0x0f,
  call: 0x10,
  callIndirect: 0x11,
  drop: 0x1a,
  select: 0x1b,
  selectTyped: 0x1c,
  localGet: 0x20,
  localSet: 0x21,
  localTee: 0x22,
  globalGet: 0x23,
  globalSet: 0x24,
  memorySize: 0x3f,
  memoryGrow: 0x40,
  i32Const: 0x41,
  i64Const: 0x42,
  f32Const: 0x43,
  f64Const: 0x44,
  refNull: 0xd0,
  refFunc: 0xd2,
  memoryInit: 0xfc008,
  dataDrop: 0xfc009,
  memoryCopy: 0xfc00a,
  memoryFill: 0xfc00b,
  tableInit: 0xfc00c,
  elemDrop: 0xfc00d,
  tableCopy: 0xfc00e,
  v128Const: 0xfd00c,
} as const;
