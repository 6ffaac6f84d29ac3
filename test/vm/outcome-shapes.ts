import { RECURSIONS } from './recursions.ts';
import { ECHO, guest, result } from './wat.ts';

export const ENDLESS = guest({ infer: '(loop $l (br $l)) (unreachable)' });

/** Core modules, one for each way a call can end, and some whose results an engine could get wrong. */
export const OUTCOME_SHAPES: readonly (readonly [string, Uint8Array])[] = [
  ['an echo', guest()],
  ['an endless loop', ENDLESS],
  ['a returned error', guest({ infer: result(1, '(i32.const 16)', '(i32.const 7)') })],
  ['a list beyond memory', guest({ infer: result(0, '(i32.const 65000)', '(i32.const 1000)') })],
  ['a bad tag', guest({ infer: result(9, '(i32.const 0)', '(i32.const 0)') })],
  ['an unreachable', guest({ infer: '(unreachable)' })],
  ['a fault', guest({ infer: '(i32.load (i32.const -4))' })],
  ...Object.entries(RECURSIONS).map(
    ([name, fields]) => [`deep recursion ${name}`, guest({ fields, infer: `(call $r) ${ECHO}` })] as const,
  ),
  ['a grown memory', guest({ infer: `(drop (memory.grow (i32.const 9))) ${ECHO}` })],
  [
    'floats that overflow into NaNs, hot enough to tier up',
    guest({
      fields: '(global $bits (mut i64) (i64.const 0)) (global $v (mut v128) (v128.const i64x2 0 0))',
      infer: `(local $i i32) (local $x f64) (local $y f32) (local $v v128)
        (local.set $x (f64.convert_i64_u (local.get $seed))) (local.set $y (f32.const 3))
        (loop $l
          (local.set $x (f64.sub (f64.mul (local.get $x) (local.get $x)) (f64.const 1.5)))
          (local.set $y (f32.div (f32.sub (local.get $y) (local.get $y)) (f32.demote_f64 (local.get $x))))
          (local.set $v (f32x4.mul (f32x4.sub (local.get $v) (f32x4.splat (local.get $y)))
            (f32x4.splat (f32.neg (f32.convert_i32_s (local.get $i))))))
          (global.set $bits (i64.xor (i64.rotl (global.get $bits) (i64.const 7)) (i64.reinterpret_f64 (local.get $x))))
          (global.set $v (v128.xor (global.get $v) (f32x4.neg (local.get $v))))
          (local.set $x (select (local.get $x) (f64.convert_i32_s (local.get $i))
            (f64.lt (f64.abs (local.get $x)) (f64.const 1e100))))
          (local.set $i (i32.add (local.get $i) (i32.const 1)))
          (br_if $l (i32.lt_u (local.get $i) (i32.const 300000))))
        (v128.store (i32.const 128) (global.get $v)) (i64.store (i32.const 144) (global.get $bits))
        ${result(0, '(i32.const 128)', '(i32.const 24)')}`,
    }),
  ],
];
