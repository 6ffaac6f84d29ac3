/** What metering costs: the same modules, as they were written and as they are run. */
import { setTimeout } from 'node:timers/promises';
import { admit, instrument } from '#vm/admission.ts';
import { MAX_GAS_LIMIT } from '#vm/limits.ts';
import { instantiate } from '#vm/run.ts';
import { type Entry, median, type Sample } from './harness.ts';
import { componentOf, convolution, hashes, int8Product, product, type Workload } from './vm-guests.ts';

type Infer = (pointer: number, length: number, seed: bigint) => number;
type Realloc = (old: number, oldSize: number, align: number, size: number) => number;

const ROUNDS = 5;
/** Of one side in one round, processor time of this thread: a hundred of the ticks that the system counts it in. */
const ROUND_MS = 400;
/** For the engine to compile what is hot. */
const WARM_MS = 300;
const WARMINGS = 4;

/** The least part of the unmetered speed that is aimed at. */
const GOALS = { 'f32 gemm': 0.9, 'int8 gemm': 0.9, 'f32 conv': 0.85, sha256: 0.75, xxhash32: 0.75, 'fnv-1a': 0.75 };

/** Processor time of this thread, ms: a busy machine takes the core away, and that is not the module's doing. */
export function threadMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1e3;
}

/** A function that runs the call once more in one and the same instance. */
function repeatable(
  exports: Readonly<Record<string, unknown>>,
  memory: WebAssembly.Memory,
  input: Uint8Array,
): () => void {
  const at = (exports.cabi_realloc as Realloc)(0, 0, 1, input.length) >>> 0;
  new Uint8Array(memory.buffer, at, input.length).set(input);
  const infer = exports.infer as Infer;
  return () => void infer(at, input.length, 7n);
}

export function plainCall({ core, input }: Workload): () => void {
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(new Uint8Array(core)), {});
  return repeatable(exports, exports.memory as WebAssembly.Memory, input);
}

export interface MeteredCall {
  readonly call: () => void;
  /** Of one call. */
  readonly gas: number;
}

export function meteredCall({ core, input }: Workload): MeteredCall {
  const model = admit(componentOf(core));
  if (!model.ok) throw new Error(model.error.message);
  const rewritten = instrument(model.value, 4_096);
  if (!rewritten.ok) throw new Error(rewritten.error.message);
  const guest = instantiate(new WebAssembly.Module(new Uint8Array(rewritten.value)));
  if (!guest.ok) throw new Error(guest.error.detail);
  const { gas, infer, realloc, memory } = guest.value;
  gas.value = MAX_GAS_LIMIT;
  const once = repeatable({ infer, cabi_realloc: realloc }, memory, input);
  const call = () => {
    gas.value = MAX_GAS_LIMIT;
    once();
  };
  // The first call may touch memory that later ones find there.
  call();
  call();
  return { call, gas: Number(MAX_GAS_LIMIT - (gas.value as bigint)) };
}

/** Processor time of a call, ms, over as many calls as take {@link ROUND_MS}. */
export function timed(call: () => void, calls: number): number {
  const begin = threadMs();
  for (let i = 0; i < calls; i++) call();
  return (threadMs() - begin) / calls;
}

/** Runs both until the engine's optimising tier has them; answers how many calls make a round. */
export async function warm(...calls: readonly (() => void)[]): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let i = 0; i < WARMINGS; i++) {
    for (const call of calls) {
      const begin = threadMs();
      let done = 0;
      for (; threadMs() - begin < WARM_MS / WARMINGS || done === 0; done++) call();
      least = Math.min(least, (threadMs() - begin) / done);
    }
    await setTimeout(50);
  }
  return Math.max(1, Math.round(ROUND_MS / least));
}

async function compared(workload: Workload): Promise<Sample> {
  const plain = plainCall(workload);
  const metered = meteredCall(workload);
  const calls = await warm(plain, metered.call);
  const rounds = Array.from({ length: ROUNDS }, () => ({ a: timed(plain, calls), b: timed(metered.call, calls) }));
  return {
    [`${workload.name}: metered speed`]: median(rounds.map(({ a, b }) => a / b)),
    [`${workload.name}: gas rate`]: metered.gas / median(rounds.map(({ b }) => b)) / 1e6,
  };
}

async function sample(): Promise<Sample> {
  const workloads = [product(192, 192, 192), await int8Product(), convolution(16, 32, 48), ...(await hashes())];
  const out: Record<string, number> = {};
  for (const workload of workloads) Object.assign(out, await compared(workload));
  return out;
}

export const vm: Entry = {
  name: 'vm',
  description:
    'speed of metered WebAssembly against the same module unmetered, and gas per nanosecond (1 is calibrated), by processor time',
  metrics: Object.entries(GOALS).flatMap(([name, goal]) => [
    { name: `${name}: metered speed`, unit: `× plain, goal ${goal}`, better: 'higher' as const },
    { name: `${name}: gas rate`, unit: 'gas/ns', better: 'higher' as const },
  ]),
  runs: 3,
  run: sample,
};
