/** Test modules in the text format. */

import wabtInit from 'wabt';
import { assert } from '#core/assert.ts';
import { type AdmittedModel, admit, instrument } from '#vm/admission.ts';
import { packageModel } from '#vm/component.ts';
import type { ExecutionOutcome } from '#vm/outcome.ts';
import { instantiate, runInfer } from '#vm/run.ts';

const wabt = await wabtInit();

export function wat(text: string): Uint8Array {
  const module = wabt.parseWat('test.wat', text, {
    mutable_globals: true,
    multi_value: true,
    simd: true,
    bulk_memory: true,
  });
  try {
    return module.toBinary({}).buffer;
  } finally {
    module.destroy();
  }
}

export interface Guest {
  /** Further fields of the module. */
  readonly fields?: string;
  /** Body of `infer`: locals 0 pointer, 1 length, 2 seed; it must leave the address of the result area. */
  readonly infer?: string;
  readonly memory?: string;
  readonly describe?: string;
}

/** A bump allocator, a description, and by default an echo of the input. */
export function guest({
  fields = '',
  infer = ECHO,
  memory = '1 16',
  describe = '(i32.const 8)',
}: Guest = {}): Uint8Array {
  return wat(`(module
    (memory (export "memory") ${memory})
    (global $heap (mut i32) (i32.const 1024))
    (func (export "cabi_realloc") (param i32 i32 i32 i32) (result i32) (local $at i32)
      (local.set $at (global.get $heap))
      (global.set $heap (i32.add (global.get $heap) (local.get 3)))
      (local.get $at))
    (data (i32.const 8) "\\10\\00\\00\\00\\07\\00\\00\\00{\\"a\\":1}")
    ${fields}
    (func (export "describe") (result i32) ${describe})
    (func (export "infer") (param $pointer i32) (param $length i32) (param $seed i64) (result i32) ${infer}))`);
}

/** Writes tag, pointer and length at address 64, and leaves 64. */
export function result(tag: number, pointer: string, length: string): string {
  return `(i32.store8 (i32.const 64) (i32.const ${tag}))
    (i32.store (i32.const 68) ${pointer}) (i32.store (i32.const 72) ${length}) (i32.const 64)`;
}

export const ECHO = result(0, '(local.get $pointer)', '(local.get $length)');

export function component(core: Uint8Array): Uint8Array {
  const packaged = packageModel(core);
  assert(packaged.ok, packaged.ok ? '' : packaged.error.message);
  return packaged.value;
}

export function admitted(core: Uint8Array): AdmittedModel {
  const model = admit(component(core));
  assert(model.ok, model.ok ? '' : model.error.message);
  return model.value;
}

export interface RunOptions {
  readonly input?: Uint8Array;
  readonly seed?: bigint;
  readonly gasLimit?: bigint;
  readonly maxOutputBytes?: number;
  readonly maxPages?: number;
}

/** Admits, rewrites and runs a core module in this thread. */
export function run(core: Uint8Array, options: RunOptions = {}): ExecutionOutcome {
  const model = admitted(core);
  const rewritten = instrument(model, options.maxPages ?? 256);
  assert(rewritten.ok, rewritten.ok ? '' : rewritten.error.message);
  const instance = instantiate(new WebAssembly.Module(rewritten.value));
  assert(instance.ok, instance.ok ? '' : instance.error.detail);
  return runInfer(instance.value, {
    input: options.input ?? Uint8Array.of(1, 2, 3),
    seed: options.seed ?? 7n,
    gasLimit: options.gasLimit ?? 1_000_000_000n,
    maxOutputBytes: options.maxOutputBytes ?? 1 << 20,
    globals: model.module.globalTypes,
  });
}
