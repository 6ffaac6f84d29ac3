/**
 * How fast the shipped kernels are, metered, beside the same algorithm over JavaScript's typed arrays and beside ONNX
 * Runtime with one thread: its native build where `BENCH_ONNXRUNTIME` names a folder that has it
 * (`npm i --prefix FOLDER --ignore-scripts onnxruntime-node@1.30.0`), else its build for the web.
 */
import { createRequire } from 'node:module';
import { join } from 'node:path';
import type { InferenceSession, Tensor } from 'onnxruntime-web';
import { type Entry, median, type Sample } from './harness.ts';
import { meteredCall, warm } from './vm.ts';
import { convolution, numbers, type OnnxWorkload, product } from './vm-guests.ts';

const SIDE = 256;
const CONV = { channels: 32, filters: 64, side: 32 } as const;
const ROUNDS = 15;

type Call = () => Promise<unknown> | undefined;

/** Rows of y one after the other, each the sum of b's rows in their order: the kernel's terms, the kernel's bits. */
function multiply(a: Float32Array, b: Float32Array, y: Float32Array, m: number, n: number, k: number): void {
  y.fill(0);
  for (let i = 0; i < m; i++) {
    const row = y.subarray(i * n, (i + 1) * n);
    for (let l = 0; l < k; l++) {
      const v = a[i * k + l] as number;
      const at = l * n;
      for (let j = 0; j < n; j++) row[j] = (row[j] as number) + Math.fround(v * (b[at + j] as number));
    }
  }
}

function gather(x: Float32Array, columns: Float32Array, channels: number, side: number): void {
  let at = 0;
  for (let c = 0; c < channels; c++)
    for (let ky = -1; ky <= 1; ky++)
      for (let kx = -1; kx <= 1; kx++)
        for (let y = ky; y < side + ky; y++)
          for (let z = kx; z < side + kx; z++)
            columns[at++] = y < 0 || y >= side || z < 0 || z >= side ? 0 : (x[(c * side + y) * side + z] as number);
}

function scripted(): Readonly<Record<string, Call>> {
  const a = numbers(SIDE * SIDE, 1);
  const b = numbers(SIDE * SIDE, 2);
  const y = new Float32Array(SIDE * SIDE);
  const { channels, filters, side } = CONV;
  const x = numbers(channels * side * side, 1);
  const w = numbers(filters * channels * 9, 2);
  const columns = new Float32Array(channels * 9 * side * side);
  const z = new Float32Array(filters * side * side);
  return {
    'f32 gemm': () => void multiply(a, b, y, SIDE, SIDE, SIDE),
    'f32 conv': () => {
      gather(x, columns, channels, side);
      multiply(w, columns, z, filters, side * side, channels * 9);
      return undefined;
    },
  };
}

interface Runtime {
  readonly InferenceSession: {
    create(model: Uint8Array, options: InferenceSession.SessionOptions): Promise<InferenceSession>;
  };
  readonly Tensor: new (type: 'float32', data: Float32Array, dims: readonly number[]) => Tensor;
}

const FOLDER = process.env.BENCH_ONNXRUNTIME;
const RUNTIME = FOLDER === undefined ? 'ONNX Runtime for the web' : 'native ONNX Runtime';

async function onnxRuntime(): Promise<Runtime> {
  if (FOLDER !== undefined) return createRequire(join(FOLDER, 'package.json'))('onnxruntime-node') as Runtime;
  const web = await import('onnxruntime-web');
  web.env.wasm.numThreads = 1;
  return web;
}

async function reference({ onnx, feeds }: OnnxWorkload): Promise<Call> {
  const runtime = await onnxRuntime();
  const session = await runtime.InferenceSession.create(onnx, {
    executionProviders: [FOLDER === undefined ? 'wasm' : 'cpu'],
    intraOpNumThreads: 1,
    interOpNumThreads: 1,
  });
  const tensors = Object.entries(feeds).map(([name, { dims, data }]) => [
    name,
    new runtime.Tensor('float32', data, dims),
  ]);
  const inputs = Object.fromEntries(tensors) as InferenceSession.OnnxValueMapType;
  return () => session.run(inputs);
}

/** Of all threads, ms: another runtime may compute on one of its own. */
function processMs(): number {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1e3;
}

async function timed(call: Call, calls: number): Promise<number> {
  const begin = processMs();
  for (let i = 0; i < calls; i++) await call();
  return (processMs() - begin) / calls;
}

async function compared(workload: OnnxWorkload, script: Call): Promise<Sample> {
  const shipped = meteredCall(workload).call;
  const other = await reference(workload);
  const calls = await warm(shipped);
  // The script is slower by an order of magnitude.
  const few = Math.max(1, calls >> 3);
  const own: Call = () => void shipped();
  await timed(script, 2 * few);
  await timed(other, calls);
  const rounds: { readonly own: number; readonly script: number; readonly other: number }[] = [];
  for (let i = 0; i < ROUNDS; i++)
    rounds.push({
      own: await timed(own, calls),
      script: await timed(script, few),
      other: await timed(other, calls),
    });
  const rate = (ms: number) => workload.operations / ms / 1e6;
  const { name } = workload;
  return {
    [`${name}: shipped kernel`]: median(rounds.map((r) => rate(r.own))),
    [`${name}: JavaScript`]: median(rounds.map((r) => rate(r.script))),
    [`${name}: ${RUNTIME}`]: median(rounds.map((r) => rate(r.other))),
    [`${name}: against JavaScript`]: median(rounds.map((r) => r.script / r.own)),
    [`${name}: against ${RUNTIME}`]: median(rounds.map((r) => r.other / r.own)),
  };
}

async function run(): Promise<Sample> {
  const scripts = scripted();
  const { channels, filters, side } = CONV;
  const out: Record<string, number> = {};
  for (const workload of [product(SIDE, SIDE, SIDE), convolution(channels, filters, side)]) {
    const script = scripts[workload.name];
    if (script === undefined) throw new Error(`no script for ${workload.name}`);
    Object.assign(out, await compared(workload, script));
  }
  return out;
}

export const vmKernels: Entry = {
  name: 'vm-kernels',
  description: `the shipped kernels, metered, against JavaScript and ${RUNTIME} with one thread, by processor time`,
  metrics: ['f32 gemm', 'f32 conv'].flatMap((name) => [
    ...['shipped kernel', 'JavaScript', RUNTIME].map((who) => ({
      name: `${name}: ${who}`,
      unit: 'GFLOP/s',
      better: 'higher' as const,
    })),
    { name: `${name}: against JavaScript`, unit: '×', better: 'higher' as const },
    { name: `${name}: against ${RUNTIME}`, unit: '×, goal 0.2', better: 'higher' as const },
  ]),
  runs: 3,
  run,
};
