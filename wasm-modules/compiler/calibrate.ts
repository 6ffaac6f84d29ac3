/** What values activations take over calibration data, and how far two models are apart over it. */
import { Refusal } from '../onnx/refusal.ts';
import type { CompiledModel } from './compile.ts';
import { openCore } from './harness.ts';

export interface Range {
  readonly least: number;
  readonly most: number;
}

export type Ranges = ReadonlyMap<string, Range>;

/** `minmax`: all that was seen. `percentile`: without the outermost share of it at either end. */
export type RangeMethod = 'minmax' | 'percentile';

/** The share that `percentile` leaves out, at both ends together. */
const OUTLIERS = 1e-4;
const BINS = 4_096;

interface Sample {
  readonly input: Uint8Array;
  readonly seed: bigint;
}

/** Runs the requests, twice for `percentile`, and gives each output's range. All outputs are float32. */
export function rangesOf(compiled: CompiledModel, samples: Iterable<Sample>, method: RangeMethod): Ranges {
  const core = openCore(compiled.module);
  const whole = new Map(compiled.outputs.map(({ name }) => [name, { least: 0, most: 0 }]));
  eachOutput(compiled, core, samples, (name, values) => {
    const { least, most } = whole.get(name) ?? { least: 0, most: 0 };
    whole.set(
      name,
      values.reduce((r, v) => ({ least: Math.min(r.least, v), most: Math.max(r.most, v) }), { least, most }),
    );
  });
  for (const [name, { least, most }] of whole)
    if (!Number.isFinite(most - least)) throw new Refusal('invalid', `${name} is not finite on the calibration data`);
  if (method === 'minmax') return whole;
  const bins = new Map(compiled.outputs.map(({ name }) => [name, new Float64Array(BINS)]));
  eachOutput(compiled, core, samples, (name, values) => {
    const { least, most } = whole.get(name) ?? { least: 0, most: 0 };
    const own = bins.get(name) ?? new Float64Array(BINS);
    for (const v of values) {
      const bin = Math.min(BINS - 1, Math.floor(((v - least) / (most - least || 1)) * BINS));
      own[bin] = (own[bin] ?? 0) + 1;
    }
  });
  return new Map([...whole].map(([name, range]) => [name, trimmed(range, bins.get(name) ?? new Float64Array(BINS))]));
}

function trimmed({ least, most }: Range, bins: Float64Array): Range {
  const spare = (bins.reduce((a, b) => a + b, 0) * OUTLIERS) / 2;
  const width = (most - least) / BINS;
  let [low, high] = [0, BINS];
  for (let sum = bins[low] ?? 0; sum <= spare && low < BINS - 1; sum += bins[low] ?? 0) low++;
  for (let sum = bins[high - 1] ?? 0; sum <= spare && high > low + 1; sum += bins[high - 1] ?? 0) high--;
  return { least: least + low * width, most: least + high * width };
}

function eachOutput(
  { outputs }: CompiledModel,
  core: ReturnType<typeof openCore>,
  samples: Iterable<Sample>,
  visit: (name: string, values: Float32Array) => void,
): void {
  let none = true;
  for (const { input, seed } of samples) {
    none = false;
    const answer = core.infer(input, seed);
    if (!answer.ok) throw new Refusal('invalid', `calibration data: ${answer.error}`);
    let at = 0;
    for (const { name, shape } of outputs) {
      const bytes = shape.reduce((product, d) => product * d, 4);
      visit(name, new Float32Array(answer.value.slice(at, at + bytes).buffer));
      at += bytes;
    }
  }
  if (none) throw new Refusal('invalid', 'there is no calibration data');
}

/** How far the answers of two models are apart, over all outputs and requests. */
export interface Difference {
  readonly largest: number;
  readonly mean: number;
  /** Power of the first model's answers over that of the difference, in decibels. */
  readonly decibels: number;
}

export function difference(one: CompiledModel, other: CompiledModel, samples: Iterable<Sample>): Difference {
  const [first, second] = [openCore(one.module), openCore(other.module)];
  let [largest, total, count, power, noise] = [0, 0, 0, 0, 0];
  for (const { input, seed } of samples) {
    const [a, b] = [first.infer(input, seed), second.infer(input, seed)];
    if (!a.ok || !b.ok) throw new Refusal('invalid', `calibration data: ${a.ok ? (b.ok ? '' : b.error) : a.error}`);
    const [x, y] = [numbersOf(one, a.value), numbersOf(other, b.value)];
    x.forEach((v, i) => {
      const d = Math.abs(v - (y[i] ?? Number.NaN));
      largest = Math.max(largest, d);
      total += d;
      count++;
      power += v * v;
      noise += d * d;
    });
  }
  return { largest, mean: total / count, decibels: 10 * Math.log10(power / noise) };
}

/** The float32 and the bytes of an answer, as numbers. */
function numbersOf({ outputs }: CompiledModel, answer: Uint8Array): readonly number[] {
  let at = 0;
  return outputs.flatMap(({ dtype, shape }) => {
    const count = shape.reduce((product, d) => product * d, 1);
    const width = dtype === 'float32' ? 4 : 1;
    const part = answer.slice(at, at + count * width);
    at += part.length;
    return dtype === 'float32' ? [...new Float32Array(part.buffer)] : [...part];
  });
}
