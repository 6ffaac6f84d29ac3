/**
 * The gas table against this machine, instruction by instruction: each in a loop of nothing else, its result the operand of
 * the next, so that nothing overlaps. Where the result has another type, the shortest way back is in the loop too. For
 * each class the instruction that takes longest for its gas.
 */

import { defined } from '#core/assert.ts';
import { ECHO, guest } from '#test/vm/wat.ts';
import type { GasClass } from '#vm/gas-table.ts';
import { OPCODES, type Opcode } from '#vm/wasm/opcodes.ts';
import { F32, F64, I32, I64, V128, type ValType } from '#vm/wasm/types.ts';
import type { Entry, Sample } from './harness.ts';
import { meteredCall, threadMs } from './vm.ts';

const TIMES = 32;
const TURNS = 5_000;
const ROUNDS = 5;
/** Processor time of a round, ms. */
const ROUND_MS = 25;

const LETTERS: ReadonlyMap<ValType, string> = new Map([
  [I32, 'i'],
  [I64, 'l'],
  [F32, 'f'],
  [F64, 'd'],
  [V128, 'v'],
]);

/** From the type of a result to that of an operand. */
const BACK: Readonly<Record<string, readonly [string, string]>> = {
  il: ['(i64.extend_i32_u', ')'],
  li: ['(i32.wrap_i64', ')'],
  if: ['(f32.reinterpret_i32', ')'],
  fi: ['(i32.reinterpret_f32', ')'],
  ld: ['(f64.reinterpret_i64', ')'],
  dl: ['(i64.reinterpret_f64', ')'],
  iv: ['(i32x4.splat', ')'],
  vi: ['(i32x4.extract_lane 0', ')'],
  lv: ['(i64x2.splat', ')'],
  vl: ['(i64x2.extract_lane 0', ')'],
  fv: ['(f32x4.splat', ')'],
  vf: ['(f32x4.extract_lane 0', ')'],
  dv: ['(f64x2.splat', ')'],
  vd: ['(f64x2.extract_lane 0', ')'],
  fd: ['(f64.promote_f32', ')'],
  df: ['(f32.demote_f64', ')'],
  id: ['(f64.reinterpret_i64 (i64.extend_i32_u', '))'],
  di: ['(i32.wrap_i64 (i64.reinterpret_f64', '))'],
  lf: ['(f32.reinterpret_i32 (i32.wrap_i64', '))'],
  fl: ['(i64.extend_i32_u (i32.reinterpret_f32', '))'],
};

const DATA = String.raw`(data (i32.const 3000) "\03\00\00\00\00\00\00\00\05\00\00\00\00\00\00\00\00\00\90\3f\00\00\00\00\00\00\00\00\00\00\f2\3f\00\00\90\3f\00\00\a0\3f\00\00\90\3f\00\00\b0\3f")`;

function letter(type: ValType | undefined): string {
  return defined(LETTERS.get(type ?? I32), 'the letter of a type');
}

function immediateOf({ immediate }: Opcode): string {
  if (immediate === 'shuffle') return ' 0 17 2 19 4 21 6 23 8 25 10 27 12 29 14 31';
  return immediate === 'lane' || immediate === 'memarg-lane' ? ' 1' : '';
}

/** The instruction on an operand, and the type of both. */
function chainOf(op: Opcode): { readonly type: string; readonly once: (x: string) => string } {
  const pops = defined(op.pops, 'operands');
  const name = `${op.name}${immediateOf(op)}`;
  const type = op.immediate === 'memarg-lane' ? 'v' : letter(pops[0]);
  const rest = pops.slice(1).map((each) => `(local.get $${letter(each)}2)`);
  const own = (x: string): string => {
    if (op.immediate === 'memarg') return `(${name} (i32.and ${x} (i32.const 0)))`;
    return op.immediate === 'memarg-lane' ? `(${name} (i32.const 64) ${x})` : `(${name} ${x} ${rest.join(' ')})`;
  };
  const result = letter(op.pushes[0]);
  if (result === type) return { type, once: own };
  const [before, after] = defined(BACK[`${result}${type}`], 'a way back');
  return { type, once: (x) => `${before} ${own(x)}${after}` };
}

function moduleOf(op: Opcode): Uint8Array {
  const { type, once } = chainOf(op);
  let value = `(local.get $${type})`;
  for (let i = 0; i < TIMES; i++) value = once(value);
  const infer = `(local $k i32) (local $i i32) (local $l i64) (local $f f32) (local $d f64) (local $v v128)
    (local $i2 i32) (local $l2 i64) (local $f2 f32) (local $d2 f64) (local $v2 v128)
    (local.set $i (i32.const 12345)) (local.set $l (i64.const 987654321987)) (local.set $f (f32.const 1.25))
    (local.set $d (f64.const 1.25)) (local.set $v (v128.const f32x4 1.25 1.5 1.75 2.5))
    (local.set $i2 (i32.load (i32.const 3000))) (local.set $l2 (i64.load (i32.const 3008)))
    (local.set $f2 (f32.load (i32.const 3016))) (local.set $d2 (f64.load (i32.const 3020)))
    (local.set $v2 (v128.load (i32.const 3028)))
    (loop $again (local.set $${type} ${value}) (local.set $k (i32.add (local.get $k) (i32.const 1)))
      (br_if $again (i32.lt_u (local.get $k) (i32.const ${TURNS}))))
    (i32.store (i32.const 2048) (local.get $i)) (i64.store (i32.const 2056) (local.get $l))
    (f32.store (i32.const 2064) (local.get $f)) (f64.store (i32.const 2072) (local.get $d))
    (v128.store (i32.const 2080) (local.get $v)) ${ECHO}`;
  return guest({ fields: DATA, infer, memory: '1 1' });
}

/** Of the fastest round. */
function nsPerGas(op: Opcode): number {
  const { call, gas } = meteredCall({ name: op.name, core: moduleOf(op), input: new Uint8Array(8), operations: 0 });
  let calls = 1;
  for (;;) {
    const begin = threadMs();
    for (let i = 0; i < calls; i++) call();
    const took = threadMs() - begin;
    if (took > ROUND_MS / 2) {
      calls = Math.max(1, Math.round((calls * ROUND_MS) / took));
      break;
    }
    calls *= 2;
  }
  let least = Number.POSITIVE_INFINITY;
  for (let round = 0; round < ROUNDS; round++) {
    const begin = threadMs();
    for (let i = 0; i < calls; i++) call();
    least = Math.min(least, (threadMs() - begin) / calls);
  }
  return (least * 1e6) / gas;
}

/** Every instruction that takes operands and leaves one result. */
const MEASURED = [...OPCODES.values()].filter(({ pops, pushes }) => (pops?.length ?? 0) > 0 && pushes.length === 1);
const CLASSES = [...new Set<GasClass>(MEASURED.map(({ gas }) => gas))];

async function run(): Promise<Sample> {
  const worst = new Map<string, { readonly name: string; readonly rate: number }>();
  for (const op of MEASURED) {
    const rate = nsPerGas(op);
    if (rate > (worst.get(op.gas)?.rate ?? 0)) worst.set(op.gas, { name: op.name, rate });
  }
  const all = [...worst].sort(([, a], [, b]) => b.rate - a.rate);
  for (const [gas, { name, rate }] of all) console.error(`${gas}: ${name} ${rate.toFixed(2)} ns/gas`);
  return Object.fromEntries(all.map(([gas, { rate }]) => [gas, rate]));
}

export const vmGasEach: Entry = {
  name: 'vm-gas-each',
  description: `nanoseconds a gas of each of ${MEASURED.length} instructions, the worst of each class (at most 1.5): run with node --no-liftoff, and with --liftoff-only`,
  metrics: CLASSES.map((name) => ({ name, unit: 'ns/gas, goal 1.5', better: 'lower' as const })),
  runs: 1,
  run,
};
