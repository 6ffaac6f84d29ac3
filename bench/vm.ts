/** What metering costs: the same module, as it was written and as it is run. */
import { admitted, ECHO, guest } from '#test/vm/wat.ts';
import { instrument } from '#vm/admission.ts';
import { MAX_GAS_LIMIT } from '#vm/limits.ts';
import { instantiate } from '#vm/run.ts';
import type { Entry, Sample } from './harness.ts';

function counted(times: number, body: string, locals: string, tail: string): string {
  return `${locals} (local $i i32) (local $hash i32)
    (loop $outer ${body}
      (local.set $i (i32.add (local.get $i) (i32.const 1)))
      (br_if $outer (i32.lt_u (local.get $i) (i32.const ${times}))))
    (i32.store (i32.const 2048) (local.get $hash)) ${tail} ${ECHO}`;
}

const HASH = counted(
  20_000_000,
  '(local.set $hash (i32.mul (i32.xor (local.get $hash) (local.get $i)) (i32.const 16777619)))',
  '',
  '',
);

/** A 4 × 16 tile of f32 GEMM over k = 256, one k-step per loop body. */
function gemm(): string {
  const rows = [0, 1, 2, 3];
  const step = [
    ...rows.map((c) => `(local.set $b${c} (v128.load offset=${c * 16} (local.get $b)))`),
    ...rows.flatMap((r) => [
      `(local.set $t (v128.load32_splat offset=${r * 1024} (local.get $a)))`,
      ...rows.map(
        (c) =>
          `(local.set $c${r}${c} (f32x4.add (local.get $c${r}${c}) (f32x4.mul (local.get $t) (local.get $b${c}))))`,
      ),
    ]),
  ].join(' ');
  const body = `(local.set $k (i32.const 0)) (local.set $a (i32.const 4096)) (local.set $b (i32.const 16384))
    (loop $inner ${step}
      (local.set $a (i32.add (local.get $a) (i32.const 4))) (local.set $b (i32.add (local.get $b) (i32.const 64)))
      (local.set $k (i32.add (local.get $k) (i32.const 1)))
      (br_if $inner (i32.lt_u (local.get $k) (i32.const 256))))`;
  const tile = rows.flatMap((r) => rows.map((c) => `$c${r}${c}`));
  const locals = `(local $k i32) (local $a i32) (local $b i32) (local $t v128)
    ${[...rows.map((c) => `$b${c}`), ...tile].map((name) => `(local ${name} v128)`).join(' ')}`;
  const tail = tile.map((name, i) => `(v128.store offset=${512 + 16 * i} (i32.const 0) (local.get ${name}))`).join(' ');
  return counted(30_000, body, locals, tail);
}

const KERNELS: readonly (readonly [string, Uint8Array])[] = [
  ['scalar hash', guest({ infer: HASH, memory: '1 16' })],
  ['f32 gemm', guest({ infer: gemm(), memory: '8 16' })],
];

type Infer = (pointer: number, length: number, seed: bigint) => number;

/** Best of three: the first runs in the engine's baseline tier. */
function fastestMs(run: () => void): number {
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < 3; i++) {
    const begin = performance.now();
    run();
    best = Math.min(best, performance.now() - begin);
  }
  return best;
}

function plain(core: Uint8Array): number {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(core), {});
  return fastestMs(() => {
    (exports.infer as Infer)(0, 0, 0n);
  });
}

function metered(core: Uint8Array): { readonly ms: number; readonly gas: number } {
  const rewritten = instrument(admitted(core), 16);
  if (!rewritten.ok) throw new Error(rewritten.error.message);
  const guest = instantiate(new WebAssembly.Module(rewritten.value));
  if (!guest.ok) throw new Error(guest.error.detail);
  const { gas, infer } = guest.value;
  const ms = fastestMs(() => {
    gas.value = MAX_GAS_LIMIT;
    infer(0, 0, 0n);
  });
  return { ms, gas: Number(MAX_GAS_LIMIT - (gas.value as bigint)) };
}

function sample(): Sample {
  const out: Record<string, number> = {};
  for (const [name, core] of KERNELS) {
    const { ms, gas } = metered(core);
    out[`${name}: metered speed`] = plain(core) / ms;
    out[`${name}: gas rate`] = gas / ms / 1e6;
  }
  return out;
}

export const vm: Entry = {
  name: 'vm',
  description:
    'speed of metered WebAssembly against the same module unmetered, and gas per nanosecond (1 is calibrated)',
  metrics: KERNELS.flatMap(([name]) => [
    { name: `${name}: metered speed`, unit: '× plain', better: 'higher' as const },
    { name: `${name}: gas rate`, unit: 'gas/ns', better: 'higher' as const },
  ]),
  runs: 3,
  run: () => Promise.resolve(sample()),
};
