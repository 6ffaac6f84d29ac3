/** How late the event loop of a process is whose pool keeps two children busy: it is where consensus runs. */
import { loadavg } from 'node:os';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setTimeout } from 'node:timers/promises';
import { silentLogger } from '#core/ports/logger.ts';
import { nativeSha256 } from '#node/vm/executor.ts';
import { createVmPool, type VmPool } from '#node/vm/pool.ts';
import { ENDLESS, OUTCOME_SHAPES } from '#test/vm/outcome-shapes.ts';
import { CALL_LIMITS } from '#vm/limits.ts';
import type { Entry, Sample } from './harness.ts';
import { componentOf, product, type Workload } from './vm-guests.ts';
import { largeModel } from './vm-start.ts';

const SECONDS = 10;
/** ms between two looks at the clock. */
const RESOLUTION = 1;

interface Asked {
  readonly component: Uint8Array;
  readonly input: Uint8Array;
  readonly gasLimit: bigint;
  readonly memoryPages: number;
}

function of({ core, input }: Pick<Workload, 'core' | 'input'>): Asked {
  return { component: componentOf(core), input, gasLimit: 4_000_000_000n, memoryPages: CALL_LIMITS.memoryPages };
}

/** Endless loops, every way to end, products, and a model of 50 MB whose memory bound changes, so that it is loaded anew. */
function work(): readonly Asked[] {
  const shapes = OUTCOME_SHAPES.map(([, core]) => of({ core, input: new Uint8Array(65_536) }));
  const endless = { ...of({ core: ENDLESS, input: new Uint8Array(1 << 20) }), gasLimit: 300_000_000n };
  const { component, input } = largeModel();
  const large = Array.from({ length: 40 }, (_, i) => ({
    component,
    input,
    gasLimit: 10_000_000_000n,
    memoryPages: CALL_LIMITS.memoryPages - i,
  }));
  const rest = [endless, of(product(256, 256, 256)), ...shapes.map((shape) => ({ ...shape, gasLimit: 30_000_000n }))];
  return large.flatMap((each) => [each, endless, ...rest]);
}

async function keepBusy(pool: VmPool, asked: readonly Asked[], until: number): Promise<number> {
  let next = 0;
  let done = 0;
  const caller = async () => {
    while (performance.now() < until) {
      const one = asked[next++ % asked.length] as Asked;
      await pool.execute({
        componentHash: hashes.get(one.component) ?? nativeSha256(one.component),
        component: () => Promise.resolve(one.component),
        input: one.input,
        seed: 7n,
        gasLimit: one.gasLimit,
        limits: { ...CALL_LIMITS, memoryPages: one.memoryPages },
      });
      done++;
    }
  };
  // One call waits for each child besides the one that it runs.
  await Promise.all(Array.from({ length: 4 }, caller));
  return done;
}

const hashes = new Map<Uint8Array, Uint8Array>();

async function run(): Promise<Sample> {
  const asked = work();
  for (const { component } of asked) if (!hashes.has(component)) hashes.set(component, nativeSha256(component));
  const pool = createVmPool({ workers: 2 }, { logger: silentLogger });
  const delay = monitorEventLoopDelay({ resolution: RESOLUTION });
  try {
    await keepBusy(pool, asked, performance.now() + 1_000);
    await setTimeout(10);
    delay.enable();
    const calls = await keepBusy(pool, asked, performance.now() + SECONDS * 1_000);
    delay.disable();
    return {
      'delay, median': delay.percentile(50) / 1e6,
      'delay, p99': delay.percentile(99) / 1e6,
      'delay, longest': delay.max / 1e6,
      'calls meanwhile': calls,
      'load average': loadavg()[0] as number,
    };
  } finally {
    await pool.close();
  }
}

export const vmEventLoop: Entry = {
  name: 'vm-event-loop',
  description: `event-loop delay of a process whose two model children are busy for ${SECONDS} s with endless loops, products and a model of 50 MB (the clock is looked at each ms, which is part of the delay)`,
  metrics: [
    { name: 'delay, median', unit: 'ms', better: 'lower' },
    { name: 'delay, p99', unit: 'ms, goal 50', better: 'lower' },
    { name: 'delay, longest', unit: 'ms', better: 'lower' },
    { name: 'calls meanwhile', unit: 'calls', better: 'higher' },
    { name: 'load average', unit: 'processes', better: 'lower' },
  ],
  runs: 3,
  run,
};
