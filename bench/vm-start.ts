/** From a registered component of 50 MB to its first answer, stage by stage in this process and whole through a pool. */
import { silentLogger } from '#core/ports/logger.ts';
import { nativePageHash, nativeSha256 } from '#node/vm/executor.ts';
import { glueFor } from '#node/vm/glue.ts';
import { createVmPool } from '#node/vm/pool.ts';
import { withoutData } from '#node/vm/skeleton.ts';
import { admit, instrument } from '#vm/admission.ts';
import { wrapComponent } from '#vm/component.ts';
import { CALL_LIMITS, MODULE_LIMITS } from '#vm/limits.ts';
import { outcomeName } from '#vm/outcome.ts';
import { instantiate, runInfer } from '#vm/run.ts';
import { compileOnnx } from '#wasm-modules/compiler/compile.ts';
import { floatTensor, modelOf, node } from '#wasm-modules/testing/graph.ts';
import type { Entry, Sample } from './harness.ts';
import { componentOf, numbers } from './vm-guests.ts';

/** Two layers: 12.6 million weights of f32. */
const WIDTHS = [1_024, 4_096, 2_048] as const;
const GAS = 10_000_000_000n;

function weights(name: string, rows: number, columns: number) {
  return floatTensor(name, [rows, columns], [...numbers(rows * columns, rows)]);
}

function onnxModel(): Uint8Array {
  const [input, hidden, output] = WIDTHS;
  const nodes = [
    node('MatMul', 'first', ['x0', 'w0'], ['h']),
    node('Relu', 'rectified', ['h'], ['r']),
    node('MatMul', 'second', ['r', 'w1'], ['y']),
  ];
  return modelOf(nodes, {
    constants: [weights('w0', input, hidden), weights('w1', hidden, output)],
    inputs: [{ name: 'x0', dtype: 1, dims: [1, input] }],
  });
}

/** Milliseconds of each stage, by its name. */
class Stages {
  readonly times: Record<string, number> = {};
  #last = performance.now();

  lap(name: string): void {
    const now = performance.now();
    this.times[name] = now - this.#last;
    this.#last = now;
  }
}

const STAGES = ['admission', 'rewriting', 'component glue', 'engine', 'instance', 'first call', 'second call'] as const;
const POOL = ['first answer of a pool', 'second answer', 'third answer'] as const;

function must<T, E>(result: { readonly ok: true; readonly value: T } | { readonly ok: false; readonly error: E }): T {
  if (!result.ok) throw new Error(JSON.stringify(result.error));
  return result.value;
}

async function here(component: Uint8Array, input: Uint8Array): Promise<Record<string, number>> {
  const stages = new Stages();
  const model = must(admit(component, MODULE_LIMITS, nativeSha256));
  stages.lap('admission');
  const rewritten = must(instrument(model, CALL_LIMITS.memoryPages));
  stages.lap('rewriting');
  const skeleton = withoutData(model.module);
  must(await glueFor(wrapComponent(skeleton), skeleton));
  stages.lap('component glue');
  const module = await WebAssembly.compile(new Uint8Array(rewritten));
  stages.lap('engine');
  const call = {
    input,
    seed: 7n,
    gasLimit: GAS,
    maxOutputBytes: CALL_LIMITS.outputBytes,
    globals: model.module.globalTypes,
  };
  for (const name of ['first call', 'second call']) {
    const guest = must(instantiate(module));
    if (name === 'first call') stages.lap('instance');
    const outcome = runInfer(guest, call, nativePageHash);
    if (outcome.kind !== 'ok') throw new Error(outcomeName(outcome));
    stages.lap(name);
  }
  return stages.times;
}

async function pooled(component: Uint8Array, input: Uint8Array): Promise<Record<string, number>> {
  const pool = createVmPool({ workers: 1 }, { logger: silentLogger });
  try {
    const stages = new Stages();
    const componentHash = nativeSha256(component);
    const source = { componentHash, component: () => Promise.resolve(component) };
    for (const name of POOL) {
      const outcome = await pool.execute({ ...source, input, seed: 7n, gasLimit: GAS, limits: CALL_LIMITS });
      if (outcome.kind !== 'ok') throw new Error(outcomeName(outcome));
      stages.lap(name);
    }
    return stages.times;
  } finally {
    await pool.close();
  }
}

/** A component of 50 MB, an input for it, and how long the compiler took for it, ms. */
export function largeModel(): { readonly component: Uint8Array; readonly input: Uint8Array; readonly ms: number } {
  const onnx = onnxModel();
  const begin = performance.now();
  const component = componentOf(must(compileOnnx(onnx)).module);
  const ms = performance.now() - begin;
  return { component, input: new Uint8Array(numbers(WIDTHS[0], 5).buffer), ms };
}

async function run(): Promise<Sample> {
  const { component, input, ms } = largeModel();
  return {
    'from ONNX to component': ms,
    ...(await here(component, input)),
    ...(await pooled(component, input)),
  };
}

export const vmStart: Entry = {
  name: 'vm-start',
  description: 'a model of 50 MB from its component to its first answer, by stage and through a pool of one child',
  metrics: ['from ONNX to component', ...STAGES, ...POOL].map((name) => ({
    name,
    unit: 'ms',
    better: 'lower' as const,
  })),
  runs: 3,
  run,
};
