/** A trainable model in the text format: a line through points, by stochastic gradient descent. */
import { instrument } from '#vm/admission.ts';
import type { ExecutionOutcome } from '#vm/outcome.ts';
import { instantiate, runTrainStep, type TrainRequest } from '#vm/run.ts';
import { admitted, wat } from './wat.ts';

/** The result area at 64, with the 8 bytes of weights at `pointer`. */
const done = (pointer: string) =>
  `(i32.store8 (i32.const 64) (i32.const 0)) (i32.store (i32.const 68) ${pointer}) (i32.store (i32.const 72) (i32.const 8))
   (i32.const 64)`;

const complain = `(i32.store8 (i32.const 64) (i32.const 1)) (i32.store (i32.const 68) (i32.const 96))
  (i32.store (i32.const 72) (i32.const 25)) (return (i32.const 64))`;

/** f32 at an address that a local holds, moved by so many bytes. */
const at = (local: string, offset: number) => `(f32.load offset=${offset} (local.get $${local}))`;

/**
 * Weights: slope and intercept. Data: points of x and y. All are f32. A step takes the point number seed mod count, and goes a
 * tenth of the way against the gradient of its squared error's half. `infer` answers its input, as weights to be tried.
 */
export function lineTrainer(name = 'train-step'): Uint8Array {
  return wat(`(module
    (memory (export "memory") 1 16)
    (global $heap (mut i32) (i32.const 1024))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (global.get $heap))
      (global.set $heap (i32.and (i32.add (i32.add (global.get $heap) (local.get 3)) (i32.const 7)) (i32.const -8)))
      (local.get $at))
    (data (i32.const 8) "\\10\\00\\00\\00\\07\\00\\00\\00{\\"a\\":1}")
    (data (i32.const 96) "expected 8 bytes, points!")
    (func (export "describe") (result i32) (i32.const 8))
    (func (export "infer") (param $pointer i32) (param $length i32) (param $seed i64) (result i32)
      ${done('(local.get $pointer)')})
    (func (export "${name}") (param $w i32) (param $wn i32) (param $d i32) (param $dn i32) (param $seed i64) (result i32)
      (local $e f32)
      (if (i32.or (i32.ne (local.get $wn) (i32.const 8))
                  (i32.or (i32.eqz (local.get $dn)) (i32.and (local.get $dn) (i32.const 7)))) (then ${complain}))
      (local.set $d (i32.add (local.get $d) (i32.shl (i32.wrap_i64 (i64.rem_u (local.get $seed)
        (i64.extend_i32_u (i32.shr_u (local.get $dn) (i32.const 3))))) (i32.const 3))))
      (local.set $e (f32.mul (f32.const 0.1)
        (f32.sub (f32.add (f32.mul ${at('w', 0)} ${at('d', 0)}) ${at('w', 4)}) ${at('d', 4)})))
      (f32.store (local.get $w) (f32.sub ${at('w', 0)} (f32.mul (local.get $e) ${at('d', 0)})))
      (f32.store offset=4 (local.get $w) (f32.sub ${at('w', 4)} (local.get $e)))
      ${done('(local.get $w)')}))`);
}

/** Numbers as the bytes of f32, least significant first. */
export function floatBytes(...numbers: readonly number[]): Uint8Array {
  return new Uint8Array(Float32Array.from(numbers).buffer);
}

export function bytesToFloats(bytes: Uint8Array): number[] {
  return [...new Float32Array(bytes.slice().buffer)];
}

/** One step in this thread, in a fresh instance. */
export function trainHere(core: Uint8Array, call: Omit<TrainRequest, 'globals'>): ExecutionOutcome {
  const model = admitted(core);
  const rewritten = instrument(model, 256);
  if (!rewritten.ok) throw new Error(rewritten.error.message);
  const instance = instantiate(new WebAssembly.Module(new Uint8Array(rewritten.value)));
  if (!instance.ok) throw new Error(instance.error.detail);
  return runTrainStep(instance.value, { ...call, globals: model.module.globalTypes });
}
