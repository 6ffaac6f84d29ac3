import { expect, test } from 'vitest';
import { createGaussian } from './functions.ts';
import { createRandom, type Random } from './random.ts';
import { type Address, createTensors, type Tensors } from './tensor.ts';
import { attention, crossEntropy, embedding, gelu, layerNorm } from './transformer.ts';

const STEP = 1e-2;

function filled(tensors: Tensors, random: Random, n: number): Address {
  const at = tensors.allocate(n);
  const view = tensors.view(at, n);
  for (let i = 0; i < n; i++) view[i] = random.normal();
  return at;
}

interface Checked {
  readonly tensors: Tensors;
  /** What is moved, and the gradient that was found for it. */
  readonly at: Address;
  readonly n: number;
  readonly gradient: ArrayLike<number>;
  readonly loss: () => number;
}

/** Central differences in f32: what backpropagation says must be near, for numbers of the order of one. */
function expectSlopes({ tensors, at, n, gradient, loss }: Checked): void {
  for (let i = 0; i < n; i++) {
    const before = tensors.view(at, n)[i] as number;
    tensors.view(at, n)[i] = before + STEP;
    const above = loss();
    tensors.view(at, n)[i] = before - STEP;
    const below = loss();
    tensors.view(at, n)[i] = before;
    const slope = (above - below) / (2 * STEP);
    expect(Math.abs(slope - (gradient[i] as number)), `number ${i}: ${slope} and ${gradient[i]}`).toBeLessThan(
      0.02 * Math.abs(slope) + 3e-3,
    );
  }
}

/** The sum of the output's numbers, each times a random one: its gradient is those numbers. */
function along(tensors: Tensors, direction: Address, n: number): (y: Address) => number {
  return (y) => tensors.view(y, n).reduce((sum, v, i) => sum + v * (tensors.view(direction, n)[i] as number), 0);
}

const copied = (tensors: Tensors, at: Address, n: number): Float32Array => tensors.view(at, n).slice();

test('the gradient of a layer norm', () => {
  const [tensors, random, width, rows] = [createTensors(), createRandom(1), 8, 3];
  const n = width * rows;
  const norm = layerNorm(tensors, width, rows);
  const [x, direction, dy] = [filled(tensors, random, n), filled(tensors, random, n), tensors.allocate(n)];
  for (const { value } of [norm.gain, norm.shift])
    tensors.view(value, width).set(Array.from({ length: width }, () => random.normal()));
  const loss = () => along(tensors, direction, n)(norm.forward(x, rows));
  loss();
  tensors.view(dy, n).set(copied(tensors, direction, n));
  const dx = copied(tensors, norm.backward(dy), n);
  for (const [at, count, gradient] of [
    [x, n, dx],
    [norm.gain.value, width, copied(tensors, norm.gain.gradient, width)],
    [norm.shift.value, width, copied(tensors, norm.shift.gradient, width)],
  ] as const)
    expectSlopes({ tensors, at, n: count, gradient, loss });
});

test('the gradient of GELU, and its values', () => {
  const [tensors, random, n] = [createTensors(), createRandom(2), 40];
  const bent = gelu(tensors, createGaussian(tensors.kernels.expf), n);
  const [x, direction, dy] = [filled(tensors, random, n), filled(tensors, random, n), tensors.allocate(n)];
  const loss = () => along(tensors, direction, n)(bent.forward(x, n));
  loss();
  tensors.view(dy, n).set(copied(tensors, direction, n));
  expectSlopes({ tensors, at: x, n, gradient: copied(tensors, bent.backward(dy), n), loss });
  // x times the normal distribution function, from its tables: 0.8413447, 0.9986501, 0.1586553, 1.
  tensors.view(x, n).set([1, 3, -1, 9, -9, 0]);
  const values = tensors.view(bent.forward(x, n), 6);
  [0.8413447, 2.9959503, -0.1586553, 9, 0, 0].forEach((expected, i) => {
    expect(values[i]).toBeCloseTo(expected, 6);
  });
});

test('the gradient of an embedding', () => {
  const [tensors, random] = [createTensors(), createRandom(3)];
  const [classes, length, width, maxRows] = [3, 4, 4, 8];
  const entry = embedding({ tensors, random, classes, length, width, maxRows });
  const tokens = Int32Array.of(0, 2, 2, 1, 2, 0, 0, 0);
  const n = tokens.length * width;
  const direction = filled(tensors, random, n);
  const loss = () => along(tensors, direction, n)(entry.forward(tokens));
  loss();
  entry.backward(direction);
  for (const { value, gradient, n: count } of [entry.classes, entry.places])
    expectSlopes({ tensors, at: value, n: count, gradient: copied(tensors, gradient, count), loss });
});

const SHAPE = { length: 4, heads: 2, width: 4, sequences: 2 } as const;

function openAttention(seed: number) {
  const [tensors, random] = [createTensors(), createRandom(seed)];
  const { length, heads, width, sequences } = SHAPE;
  const layer = attention({ tensors, length, heads, width, maxSequences: sequences });
  const [q, m] = [sequences * length * heads * width, sequences * length * width];
  const [queries, memory, direction] = [q, m, q].map((n) => filled(tensors, random, n)) as [Address, Address, Address];
  return { tensors, layer, queries, memory, direction, q, m, forward: () => layer.forward(queries, memory, sequences) };
}

test('the gradient of attention', () => {
  const { tensors, layer, queries, memory, direction, q, m, forward } = openAttention(4);
  const loss = () => along(tensors, direction, q)(forward());
  loss();
  const found = layer.backward(direction);
  const [dq, dm] = [copied(tensors, found.queries, q), copied(tensors, found.memory, m)];
  expectSlopes({ tensors, at: queries, n: q, gradient: dq, loss });
  expectSlopes({ tensors, at: memory, n: m, gradient: dm, loss });
});

test('attention is what its formula says, and no place sees a later one or another sequence', () => {
  const { tensors, queries, memory, q, m, forward } = openAttention(5);
  const { length, heads, width } = SHAPE;
  const y = copied(tensors, forward(), q);
  const [queried, rows] = [tensors.view(queries, q), tensors.view(memory, m)];
  const [sequence, place, head] = [1, 2, 1];
  const dot = (at: number): number => {
    let sum = 0;
    for (let i = 0; i < width; i++)
      sum +=
        (queried[((sequence * length + place) * heads + head) * width + i] as number) *
        (rows[(sequence * length + at) * width + i] as number);
    return Math.exp(sum / Math.sqrt(width));
  };
  const powers = [0, 1, 2].map(dot);
  const total = powers.reduce((a, b) => a + b);
  for (let i = 0; i < width; i++) {
    const mean = powers.reduce((sum, p, at) => sum + p * (rows[(sequence * length + at) * width + i] as number), 0);
    expect(y[((sequence * length + place) * heads + head) * width + i]).toBeCloseTo(mean / total, 5);
  }
  rows.fill(7, (length + place + 1) * width);
  expect(copied(tensors, forward(), q).subarray(0, (length + place + 1) * heads * width)).toEqual(
    y.subarray(0, (length + place + 1) * heads * width),
  );
});

test('the gradient of the cross entropy; what does not count has none', () => {
  const [tensors, random, classes] = [createTensors(), createRandom(6), 5];
  const targets = Int32Array.of(1, -1, 4);
  const n = targets.length * classes;
  const [logits, gradient] = [filled(tensors, random, n), tensors.allocate(n)];
  const loss = () => crossEntropy(tensors, logits, gradient, targets, classes);
  loss();
  const found = copied(tensors, gradient, n);
  expectSlopes({ tensors, at: logits, n, gradient: found, loss });
  expect(found.subarray(classes, 2 * classes).every((v) => v === 0)).toBe(true);
});
