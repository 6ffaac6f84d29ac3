/** What a transformer has besides dense layers, with backpropagation. Activations are rows of numbers, one row a place. */
import type { Gaussian } from './functions.ts';
import { type Parameter, parameter } from './layers.ts';
import type { Random } from './random.ts';
import type { Address, Tensors } from './tensor.ts';

/** `rows` counts the batch's places; `backward` follows the `forward` it belongs to. */
export interface Normalization {
  readonly gain: Parameter;
  readonly shift: Parameter;
  forward(x: Address, rows: number): Address;
  /** d(loss)/d(input), written over the output's gradient. */
  backward(dy: Address): Address;
}

/** Keeps a row of equal numbers, which has no direction, from a division by zero. */
const EPSILON = 1e-6;

/** Each row of `width` numbers less its mean, divided by its deviation, times a gain, plus a shift (Ba et al. 2016). */
export function layerNorm(tensors: Tensors, width: number, maxRows: number): Normalization {
  const gain = parameter(tensors, width, undefined, 0);
  const shift = parameter(tensors, width, undefined, 0);
  tensors.view(gain.value, width).fill(1);
  const y = tensors.allocate(maxRows * width);
  const normal = tensors.allocate(maxRows * width);
  const scales = new Float64Array(maxRows);
  let rows = 0;
  return {
    gain,
    shift,
    forward(from, count) {
      rows = count;
      const [x, unit, out] = [from, normal, y].map((at) => tensors.view(at, rows * width)) as [F32, F32, F32];
      const [g, b] = [tensors.view(gain.value, width), tensors.view(shift.value, width)];
      for (let row = 0; row < rows; row++) {
        const at = row * width;
        let mean = 0;
        for (let i = 0; i < width; i++) mean += x[at + i] as number;
        mean /= width;
        let variance = 0;
        for (let i = 0; i < width; i++) {
          const off = (x[at + i] as number) - mean;
          variance += off * off;
        }
        const scale = 1 / Math.sqrt(variance / width + EPSILON);
        scales[row] = scale;
        for (let i = 0; i < width; i++) {
          const v = ((x[at + i] as number) - mean) * scale;
          unit[at + i] = v;
          out[at + i] = v * (g[i] as number) + (b[i] as number);
        }
      }
      return y;
    },
    backward(dy) {
      const [d, unit] = [tensors.view(dy, rows * width), tensors.view(normal, rows * width)];
      const g = tensors.view(gain.value, width);
      const [dg, db] = [tensors.view(gain.gradient, width), tensors.view(shift.gradient, width)];
      for (let row = 0; row < rows; row++) {
        const at = row * width;
        let sum = 0;
        let along = 0;
        for (let i = 0; i < width; i++) {
          const own = d[at + i] as number;
          const v = unit[at + i] as number;
          dg[i] = (dg[i] as number) + own * v;
          db[i] = (db[i] as number) + own;
          sum += own * (g[i] as number);
          along += own * (g[i] as number) * v;
        }
        for (let i = 0; i < width; i++) {
          const own = (d[at + i] as number) * (g[i] as number);
          d[at + i] = (scales[row] as number) * (own - sum / width - ((unit[at + i] as number) * along) / width);
        }
      }
      return dy;
    },
  };
}

type F32 = Float32Array;

/** One function of each number, without parameters. */
export interface Activation {
  forward(x: Address, n: number): Address;
  /** d(loss)/d(input), written over the output's gradient. */
  backward(dy: Address): Address;
}

/** x times the share of a standard normal distribution that lies below x (Hendrycks and Gimpel 2016). */
export function gelu(tensors: Tensors, { below, density }: Gaussian, max: number): Activation {
  const y = tensors.allocate(max);
  let x = 0;
  let n = 0;
  return {
    forward(from, count) {
      x = from;
      n = count;
      const [input, out] = [tensors.view(x, n), tensors.view(y, n)];
      for (let i = 0; i < n; i++) {
        const v = input[i] as number;
        out[i] = v * below(v);
      }
      return y;
    },
    backward(dy) {
      const [input, d] = [tensors.view(x, n), tensors.view(dy, n)];
      for (let i = 0; i < n; i++) {
        const v = input[i] as number;
        d[i] = (d[i] as number) * (below(v) + v * density(v));
      }
      return dy;
    },
  };
}

/** A table with a row for each class and one with a row for each place; what goes in is the sum of two rows. */
export interface Embedding {
  readonly classes: Parameter;
  readonly places: Parameter;
  /** `tokens` are classes, sequence after sequence of `length` places. */
  forward(tokens: Int32Array): Address;
  backward(dy: Address): void;
}

interface EmbeddingOptions {
  readonly tensors: Tensors;
  readonly random: Random;
  readonly classes: number;
  readonly length: number;
  readonly width: number;
  readonly maxRows: number;
}

export function embedding({ tensors, random, classes, length, width, maxRows }: EmbeddingOptions): Embedding {
  const table = parameter(tensors, classes * width, random, 0.5);
  const places = parameter(tensors, length * width, random, 0.1);
  const y = tensors.allocate(maxRows * width);
  let tokens: Int32Array = new Int32Array(0);
  return {
    classes: table,
    places,
    forward(given) {
      tokens = given;
      const out = tensors.view(y, tokens.length * width);
      const [rows, columns] = [tensors.view(table.value, table.n), tensors.view(places.value, places.n)];
      tokens.forEach((token, row) => {
        const [from, place] = [token * width, (row % length) * width];
        for (let i = 0; i < width; i++)
          out[row * width + i] = (rows[from + i] as number) + (columns[place + i] as number);
      });
      return y;
    },
    backward(dy) {
      const d = tensors.view(dy, tokens.length * width);
      const [rows, columns] = [tensors.view(table.gradient, table.n), tensors.view(places.gradient, places.n)];
      tokens.forEach((token, row) => {
        const [from, place] = [token * width, (row % length) * width];
        for (let i = 0; i < width; i++) {
          const own = d[row * width + i] as number;
          rows[from + i] = (rows[from + i] as number) + own;
          columns[place + i] = (columns[place + i] as number) + own;
        }
      });
    },
  };
}

export interface Attention {
  /** @param queries [places, heads * width] @param memory [places, width]; the result is [places, heads * width] */
  forward(queries: Address, memory: Address, sequences: number): Address;
  backward(dy: Address): { readonly queries: Address; readonly memory: Address };
}

interface AttentionOptions {
  readonly tensors: Tensors;
  readonly length: number;
  readonly heads: number;
  /** A multiple of 4, as `length` is. */
  readonly width: number;
  readonly maxSequences: number;
}

/**
 * Causal attention of several heads over one row of memory a place, which is key and value at once (what multi-head latent
 * attention comes to once its projections are multiplied out; DeepSeek-AI 2024): the mean of the rows up to the own place,
 * weighted by e^(query . row / sqrt(width)).
 */
export function attention({ tensors, length, heads, width, maxSequences }: AttentionOptions): Attention {
  const { kernels } = tensors;
  // Queries of one sequence are a matrix with a row for each place and head, in this order.
  const rows = length * heads;
  const weights = tensors.allocate(maxSequences * rows * length);
  const y = tensors.allocate(maxSequences * rows * width);
  const turned = tensors.allocate(length * width);
  const [dweights, dqueries, dmemory] = [rows * length, maxSequences * rows * width, maxSequences * length * width].map(
    (n) => tensors.allocate(n),
  ) as [Address, Address, Address];
  const scale = 1 / Math.sqrt(width);
  const of = (start: Address, sequence: number, n: number): Address => start + sequence * n * 4;
  let given = { queries: 0, memory: 0, sequences: 0 };
  return {
    forward(queries, memory, sequences) {
      given = { queries, memory, sequences };
      for (let s = 0; s < sequences; s++) {
        const [own, p] = [of(memory, s, length * width), of(weights, s, rows * length)];
        kernels.transpose(own, turned, length, width);
        kernels.gemm(of(queries, s, rows * width), turned, p, rows, length, width, 0);
        causalSoftmax(tensors, p, rows, length, heads, scale);
        kernels.gemm(p, own, of(y, s, rows * width), rows, width, length, 0);
      }
      return y;
    },
    backward(dy) {
      tensors.view(dmemory, given.sequences * length * width).fill(0);
      for (let s = 0; s < given.sequences; s++) {
        const [own, p] = [of(given.memory, s, length * width), of(weights, s, rows * length)];
        const [d, dm] = [of(dy, s, rows * width), of(dmemory, s, length * width)];
        kernels.transpose(own, turned, length, width);
        kernels.gemm(d, turned, dweights, rows, length, width, 0);
        kernels.gemmTransposedA(p, d, dm, rows, width, length);
        softmaxGradient(tensors, p, dweights, rows, length, heads, scale);
        kernels.gemm(dweights, own, of(dqueries, s, rows * width), rows, width, length, 0);
        kernels.gemmTransposedA(dweights, of(given.queries, s, rows * width), dm, rows, width, length);
      }
      return { queries: dqueries, memory: dmemory };
    },
  };
}

/** Row r becomes e^(scale * p) over its first r / heads + 1 numbers, divided by their sum; 0 behind them. */
function causalSoftmax(
  tensors: Tensors,
  at: Address,
  rows: number,
  length: number,
  heads: number,
  scale: number,
): void {
  const { expf } = tensors.kernels;
  const p = tensors.view(at, rows * length);
  for (let row = 0; row < rows; row++) {
    const start = row * length;
    const end = start + Math.floor(row / heads) + 1;
    let most = p[start] as number;
    for (let i = start + 1; i < end; i++) if ((p[i] as number) > most) most = p[i] as number;
    let sum = 0;
    for (let i = start; i < end; i++) {
      const power = expf(((p[i] as number) - most) * scale);
      p[i] = power;
      sum += power;
    }
    for (let i = start; i < end; i++) p[i] = (p[i] as number) / sum;
    p.fill(0, end, start + length);
  }
}

/** From d(loss)/d(weights) to d(loss)/d(scores), in place. */
function softmaxGradient(
  tensors: Tensors,
  weights: Address,
  gradient: Address,
  rows: number,
  length: number,
  heads: number,
  scale: number,
): void {
  const [p, d] = [tensors.view(weights, rows * length), tensors.view(gradient, rows * length)];
  for (let row = 0; row < rows; row++) {
    const start = row * length;
    const end = start + Math.floor(row / heads) + 1;
    let mean = 0;
    for (let i = start; i < end; i++) mean += (p[i] as number) * (d[i] as number);
    for (let i = start; i < end; i++) d[i] = (p[i] as number) * ((d[i] as number) - mean) * scale;
    d.fill(0, end, start + length);
  }
}

/**
 * Writes d(loss)/d(logits) of the mean cross entropy over the places whose target is a class (not negative); answers the loss in
 * nats. The exponential is the kernels' own; a host's logarithm may differ in its last bit, but the loss is only looked at.
 */
export function crossEntropy(
  tensors: Tensors,
  logits: Address,
  gradient: Address,
  targets: Int32Array,
  classes: number,
): number {
  const { expf } = tensors.kernels;
  const [x, d] = [tensors.view(logits, targets.length * classes), tensors.view(gradient, targets.length * classes)];
  const counted = targets.reduce((n, target) => n + Number(target >= 0), 0);
  let loss = 0;
  targets.forEach((target, row) => {
    const own = x.subarray(row * classes, (row + 1) * classes);
    const out = d.subarray(row * classes, (row + 1) * classes);
    if (target < 0) {
      out.fill(0);
      return;
    }
    let most = own[0] as number;
    for (const v of own) if (v > most) most = v;
    let sum = 0;
    for (let k = 0; k < classes; k++) {
      const power = expf((own[k] as number) - most);
      out[k] = power;
      sum += power;
    }
    loss -= Math.log((out[target] as number) / sum + 1e-12);
    for (let k = 0; k < classes; k++) out[k] = ((out[k] as number) / sum - Number(k === target)) / counted;
  });
  return loss / counted;
}
