import { afterEach, expect, test } from 'vitest';
import { sha256 } from '#core/crypto/hash.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { ENDLESS, OUTCOME_SHAPES } from '#test/vm/outcome-shapes.ts';
import { floatBytes, lineTrainer, trainHere } from '#test/vm/trainable.ts';
import { component, guest, run } from '#test/vm/wat.ts';
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

async function until(condition: () => boolean): Promise<void> {
  while (!condition()) await new Promise((resolve) => setImmediate(resolve));
}

test('outcomes through glue and children are those of this thread, at every tier of the engine', SLOW, async () => {
  const made = [pool(), pool({ engineFlags: ['--liftoff-only'] }), pool({ engineFlags: ['--no-liftoff'] })];
  for (const [name, core] of OUTCOME_SHAPES) {
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

test('a call that takes too long is killed as a host fault, and the pool goes on', SLOW, async () => {
  // Time enough for the others on a busy machine.
  const made = pool({ callTimeoutMs: 2_000, callTimeoutMsPerGigagas: 0 });
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

test(
  'a step of training through glue and child is the one of this thread; of another model it is a fault',
  SLOW,
  async () => {
    const made = pool();
    const call = { weights: floatBytes(0, 0), data: floatBytes(1, 2, 2, 5), seed: 3n, gasLimit: GAS };
    const step = (core: Uint8Array) => made.trainStep({ ...request(core), ...call });
    const [found, expected] = [
      await step(lineTrainer()),
      trainHere(lineTrainer(), { ...call, maxOutputBytes: 1 << 20 }),
    ];
    if (found.kind !== 'ok' || expected.kind !== 'ok')
      throw new Error(`${outcomeName(found)}, ${outcomeName(expected)}`);
    expect(found.gasUsed).toBe(expected.gasUsed);
    expect(new Uint8Array(found.output)).toEqual(floatBytes(1, 0.5));
    expect(new Uint8Array(found.traceRoot)).toEqual(expected.traceRoot);
    expect(outcomeName(await step(guest()))).toBe('host-fault(disagreement)');
    expect(outcomeName(await made.execute(request(lineTrainer(), { input: new Uint8Array(8) })))).toBe('ok');
  },
);
