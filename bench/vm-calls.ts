/** Calls a second of a model of 1 KiB: in this process, and through children that can be killed. */
import { silentLogger } from '#core/ports/logger.ts';
import { execute, loadModel, nativePageHash, nativeSha256 } from '#node/vm/executor.ts';
import { createVmPool } from '#node/vm/pool.ts';
import { guest } from '#test/vm/wat.ts';
import { inferHere, type PreparedModel, prepareModel } from '#vm/execute.ts';
import { CALL_LIMITS } from '#vm/limits.ts';
import { outcomeName } from '#vm/outcome.ts';
import type { Entry, Sample } from './harness.ts';
import { componentOf } from './vm-guests.ts';

const CALLS = 2_000;
const GAS = 10_000_000n;

/** An echo with data that fills it up to a KiB. */
function small(): Uint8Array {
  const bare = componentOf(guest({ fields: '(data (i32.const 2048) "x")' })).length;
  return componentOf(guest({ fields: `(data (i32.const 2048) "${'x'.repeat(1_024 - bare)}")` }));
}

const input = Uint8Array.from({ length: 256 }, (_, i) => i);
const request = { input, seed: 7n, gasLimit: GAS, limits: CALL_LIMITS };

function must(name: string): void {
  if (name !== 'ok') throw new Error(`a call ended in ${name}`);
}

function rate(begin: number): number {
  return CALLS / ((performance.now() - begin) / 1e3);
}

function here(model: PreparedModel): number {
  const begin = performance.now();
  for (let i = 0; i < CALLS; i++) must(outcomeName(inferHere(model, request, nativePageHash)));
  return rate(begin);
}

/** What a child does for each call. */
async function glued(component: Uint8Array): Promise<number> {
  const model = await loadModel(component, CALL_LIMITS.memoryPages);
  if (!model.ok) throw new Error(model.error.detail);
  const call = { input, seed: 7n, gasLimit: GAS, maxOutputBytes: CALL_LIMITS.outputBytes };
  const calls = async () => {
    const begin = performance.now();
    for (let i = 0; i < CALLS; i++) must(outcomeName(await execute(model.value, call)));
    return rate(begin);
  };
  await calls();
  return calls();
}

async function pooled(component: Uint8Array, workers: number): Promise<number> {
  const pool = createVmPool({ workers }, { logger: silentLogger });
  const source = { componentHash: nativeSha256(component), component: () => Promise.resolve(component) };
  const call = async () => must(outcomeName(await pool.execute({ ...source, ...request })));
  try {
    // Children start, load, and their engines warm up.
    await Promise.all(Array.from({ length: 100 * workers }, call));
    const begin = performance.now();
    let left = CALLS;
    const caller = async () => {
      while (left-- > 0) await call();
    };
    await Promise.all(Array.from({ length: 2 * workers }, caller));
    return rate(begin);
  } finally {
    await pool.close();
  }
}

async function run(): Promise<Sample> {
  const component = small();
  const model = await prepareModel(component, CALL_LIMITS.memoryPages);
  if (!model.ok) throw new Error(model.error.message);
  here(model.value);
  return {
    'in this process': here(model.value),
    'in this process, as a child does it': await glued(component),
    'one child': await pooled(component, 1),
    'two children': await pooled(component, 2),
  };
}

export const vmCalls: Entry = {
  name: 'vm-calls',
  description: 'calls of a model of 1 KiB with an input of 256 bytes, each in a fresh instance',
  metrics: ['in this process', 'in this process, as a child does it', 'one child', 'two children'].map((name) => ({
    name,
    unit: 'calls/s',
    better: 'higher' as const,
  })),
  runs: 3,
  run,
};
