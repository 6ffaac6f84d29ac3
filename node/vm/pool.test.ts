import { afterEach, expect, test } from 'vitest';
import { sha256 } from '#core/crypto/hash.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { RECURSIONS } from '#test/vm/recursions.ts';
import { component, ECHO, guest, result, run } from '#test/vm/wat.ts';
import { CALL_LIMITS } from '#vm/limits.ts';
import { type ExecutionOutcome, outcomeName } from '#vm/outcome.ts';
import { createVmPool, type ExecuteRequest, type VmPool, type VmPoolOptions } from './pool.ts';

/** Processes start and engines tier up: seconds on an idle machine, more on a busy one. */
const SLOW = { timeout: 120_000 };
const GAS = 30_000_000n;
const pools: VmPool[] = [];

function pool(options: Partial<VmPoolOptions> = {}): VmPool {
  const made = createVmPool({ workers: 1, ...options }, { logger: silentLogger });
  pools.push(made);
  return made;
}

afterEach(async () => {
  await Promise.all(pools.splice(0).map((made) => made.close()));
});

function request(core: Uint8Array, change: Partial<ExecuteRequest> = {}): ExecuteRequest {
  const bytes = component(core);
  return {
    componentHash: sha256(bytes),
    component: () => Promise.resolve(bytes),
    input: Uint8Array.of(1, 2, 3),
    seed: 7n,
    gasLimit: GAS,
    limits: { ...CALL_LIMITS, outputBytes: 1 << 20, memoryPages: 256 },
    ...change,
  };
}

const ENDLESS = guest({ infer: '(loop $l (br $l)) (unreachable)' });

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

/** One of each: what the glue and the pool carry must be what this thread computes without either. */
const SHAPES: readonly (readonly [string, Uint8Array])[] = [
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

test('outcomes through glue and children are those of this thread, at every tier of the engine', SLOW, async () => {
  const made = [
    pool(),
    pool({ engineFlags: ['--liftoff', '--no-wasm-tier-up'] }),
    pool({ engineFlags: ['--no-liftoff'] }),
  ];
  for (const [name, core] of SHAPES) {
    const expected = run(core, { gasLimit: GAS });
    for (const each of made) {
      const outcome = await each.execute(request(core));
      expect(outcome, name).toEqual({
        ...expected,
        traceRoot: outcome.kind === 'host-fault' ? outcome : outcome.traceRoot,
      });
      if (outcome.kind !== 'host-fault' && expected.kind !== 'host-fault')
        expect(new Uint8Array(outcome.traceRoot), name).toEqual(expected.traceRoot);
    }
  }
});

test('a description comes back as text', async () => {
  expect(await pool().describe(request(guest()))).toEqual({ ok: true, value: '{"a":1}' });
});

test('the bytes of a model are asked for once, while a child holds it compiled', async () => {
  const made = pool();
  let asked = 0;
  const base = request(guest());
  const counted = {
    ...base,
    component: () => {
      asked++;
      return base.component();
    },
  };
  expect(outcomeName(await made.execute(counted))).toBe('ok');
  expect(outcomeName(await made.execute(counted))).toBe('ok');
  expect(asked).toBe(1);
});

test('a call that takes too long is killed as a host fault, and the pool goes on', async () => {
  const made = pool({ callTimeoutMs: 300, callTimeoutMsPerGigagas: 0 });
  await made.execute(request(guest()));
  expect(outcomeName(await made.execute(request(ENDLESS, { gasLimit: 100_000_000_000_000n })))).toBe(
    'host-fault(timeout)',
  );
  expect(outcomeName(await made.execute(request(guest())))).toBe('ok');
});

test('a child killed under a call costs a retry, a second one the call', SLOW, async () => {
  const made = pool();
  await made.execute(request(ENDLESS, { gasLimit: 1_000_000n }));
  const kill = async (than: number | undefined): Promise<number> => {
    await until(() => made.pids().some((pid) => pid !== than));
    const [pid] = made.pids();
    process.kill(pid ?? 0, 'SIGKILL');
    return pid ?? 0;
  };
  const once = made.execute(request(ENDLESS, { gasLimit: 1_000_000_000n }));
  await kill(undefined);
  expect(outcomeName(await once)).toBe('out-of-gas');
  const twice = made.execute(request(ENDLESS, { gasLimit: 1_000_000_000_000n }));
  await kill(await kill(undefined));
  expect(outcomeName(await twice)).toBe('host-fault(child-lost)');
  expect(outcomeName(await made.execute(request(guest())))).toBe('ok');
});

test('a component that cannot be had, or is none, is a host fault', async () => {
  const made = pool();
  const absent = request(guest(), { component: () => Promise.resolve(undefined) });
  const broken = request(guest(), { component: () => Promise.resolve(Uint8Array.of(1, 2, 3)) });
  const failing = request(guest(), { component: () => Promise.reject(new Error('disk')) });
  for (const bad of [absent, broken, failing])
    expect(outcomeName(await made.execute(bad))).toBe('host-fault(component-unavailable)');
});

test('calls beyond the number of workers wait, and all are answered', async () => {
  const made = pool({ workers: 2 });
  const calls = Array.from({ length: 12 }, (_, i) => made.execute(request(guest(), { input: Uint8Array.of(i) })));
  const outputs = (await Promise.all(calls)).map((outcome: ExecutionOutcome) =>
    outcome.kind === 'ok' ? outcome.output[0] : outcomeName(outcome),
  );
  expect(outputs).toEqual(Array.from({ length: 12 }, (_, i) => i));
});

test('closing answers what is still running, and nothing runs after it', async () => {
  const made = pool();
  const running = made.execute(request(ENDLESS, { gasLimit: 1_000_000_000_000n }));
  const waiting = made.execute(request(guest()));
  await until(() => made.pids().length > 0);
  await made.close();
  expect(outcomeName(await running)).toBe('host-fault(unavailable)');
  expect(outcomeName(await waiting)).toBe('host-fault(unavailable)');
  expect(outcomeName(await made.execute(request(guest())))).toBe('host-fault(unavailable)');
  expect(made.pids()).toEqual([]);
});
