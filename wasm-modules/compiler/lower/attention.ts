/** Scaled dot-product attention, and the turning of positions that goes before it. */
import { BINARY, REDUCE, TYPED_BINARY, UNARY } from '../opcodes.ts';
import type { Lowering, Operator } from '../operator.ts';
import { stridesOf, type Value } from '../plan.ts';
import { emitTriangle } from './arrange.ts';
import { broadcast } from './broadcast.ts';
import { counting, emitCopy, emitJoin, emitPart, emitTranspose, look, strides } from './copy.ts';
import { constantScalar, emitBinary, emitUnary } from './elementwise.ts';
import { emitProduct } from './matrix.ts';
import { emitReduce } from './reduce.ts';
import { emitCast, emitFill, emitGather, emitTypedBinary, emitWhere } from './typed.ts';

/** [batch, heads, length, size]. */
type Heads = Value & { readonly dims: readonly [number, number, number, number] };

/** Input `i` by heads; one of three dimensions has them side by side. */
function headsOf(op: Operator, i: number, count: number | undefined): Heads {
  const x = op.floats(i);
  if (x.dims.length === 4) return x as Heads;
  const [batch = 0, length = 0, width = 0] = x.dims;
  if (x.dims.length !== 3) op.invalid(`input ${i} has the shape [${x.dims}]; expected three or four dimensions`);
  const heads = count ?? op.invalid(`input ${i} has three dimensions, and no attribute says how many heads`);
  if (heads < 1 || width % heads !== 0) op.invalid(`input ${i}: ${width} numbers for ${heads} heads`);
  return emitTranspose(op, look(op, x, [batch, length, heads, width / heads]), [0, 2, 1, 3]) as Heads;
}

/** Keys or values so far, with those of this call behind them. */
function withPast(op: Operator, i: number, now: Heads): Heads {
  if (op.optional(i) === undefined) return now;
  const past = op.floats(i);
  const fits = past.dims.length === 4 && past.dims.every((d, k) => k === 2 || d === now.dims[k]);
  if (!fits) op.invalid(`input ${i} of shape [${past.dims}] before [${now.dims}]`);
  return emitJoin(op, [past, now], 2) as Heads;
}

/** [batch, heads, rows, columns]: for each head of q, alpha * q times its head of k (`turned`: transposed). */
function emitHeads(op: Operator, q: Heads, k: Heads, turned: boolean, alpha: number): Heads {
  const [batch, heads, rows, inner] = q.dims;
  const [, shared, length, size] = k.dims;
  const columns = turned ? length : size;
  const y = op.result([batch, heads, rows, columns]);
  for (let i = 0; i < batch * heads; i++) {
    const group = Math.floor(i / heads) * shared + Math.floor(((i % heads) * shared) / heads);
    emitProduct(op, {
      a: { buffer: q.buffer, offset: i * rows * inner * 4, row: inner * 4, column: 4 },
      b: {
        buffer: k.buffer,
        offset: group * length * size * 4,
        row: turned ? 4 : size * 4,
        column: turned ? size * 4 : 4,
      },
      y: y.buffer,
      yOffset: i * rows * columns * 4,
      m: rows,
      n: columns,
      k: inner,
      alpha,
    });
  }
  return y as Heads;
}

const minusInfinity = (op: Operator): Value => constantScalar(op, Number.NEGATIVE_INFINITY);

/** The mask as numbers to be added; a last dimension that is too short counts as masked. */
function maskOf(op: Operator, total: number): Value | undefined {
  const given = op.optional(3);
  if (given === undefined) return undefined;
  if (given.dtype !== 'bool' && given.dtype !== 'float32')
    op.refuse(`input 3 is ${given.dtype}; expected float32 or bool`);
  const bias = given.dtype === 'bool' ? emitWhere(op, given, constantScalar(op, 0), minusInfinity(op)) : given;
  const last = bias.dims.length - 1;
  const length = bias.dims[last] ?? 1;
  if (last >= 0 && length === total) return bias;
  if (length === 1)
    op.refuse(`input 3 of shape [${given.dims}]: whether its last dimension repeats or ends is not said`);
  if (length > total || last < 0) op.invalid(`input 3 of shape [${given.dims}] for ${total} keys`);
  const rest = op.result(bias.dims.map((d, i) => (i === last ? total - length : d)));
  emitFill(op, rest, new Uint8Array(Float32Array.of(Number.NEGATIVE_INFINITY).buffer));
  return emitJoin(op, [bias, rest], last);
}

/** -inf for keys that come after their query, which stands at `past` of all keys. */
function causalOf(op: Operator, rows: number, total: number, past: number): Value {
  const later = emitTriangle(op, rows, total, past + 1);
  return emitWhere(op, later, minusInfinity(op), constantScalar(op, 0));
}

/** -inf for keys beyond each batch's number of them. */
function paddingOf(op: Operator, batch: number, total: number): Value {
  const lengths = op.input(6);
  if (lengths.dtype !== 'int64' || lengths.dims.join() !== `${batch}`)
    op.invalid(`input 6 is ${lengths.dtype} [${lengths.dims}]; expected int64 [${batch}]`);
  const places = emitCast(op, counting(op, total, 3, 4), 'int64');
  const held = emitTypedBinary(op, TYPED_BINARY.Less, places, look(op, lengths, [batch, 1, 1, 1]));
  return emitWhere(op, held, constantScalar(op, 0), minusInfinity(op));
}

/** Along the last axis. A row whose every key is masked gives 0. */
function emitSoftmax(op: Operator, x: Value): Value {
  const axis = [x.dims.length - 1];
  const most = emitUnary(op, UNARY.Clip, emitReduce(op, REDUCE.max, x, axis, true), -3.4e38, Number.POSITIVE_INFINITY);
  const powers = emitUnary(op, UNARY.Exp, emitBinary(op, BINARY.Sub, x, most), 0, 0);
  // The greatest score of a row gives 1, so that only an empty row has less.
  const sum = emitUnary(op, UNARY.Clip, emitReduce(op, REDUCE.sum, powers, axis, true), 1, Number.POSITIVE_INFINITY);
  return emitBinary(op, BINARY.Div, powers, sum);
}

interface Scores {
  readonly raw: Value;
  readonly biased: Value;
  readonly capped: Value;
  readonly shares: Value;
}

function scoresOf(op: Operator, q: Heads, k: Heads, past: number): Scores {
  const [batch, heads, rows, size] = q.dims;
  const total = k.dims[2];
  const raw = emitHeads(op, q, k, true, op.float('scale', 1 / Math.sqrt(size)));
  const mask = maskOf(op, total);
  const causal = op.int('is_causal', 0) !== 0 ? causalOf(op, rows, total, past) : undefined;
  const padding = op.optional(6) === undefined ? undefined : paddingOf(op, batch, total);
  if (causal !== undefined && padding !== undefined)
    op.refuse('is_causal with nonpad_kv_seqlen: revisions of the operator differ in its meaning');
  const parts = [mask, causal, padding].filter((part) => part !== undefined);
  const softcap = op.float('softcap', 0);
  if (softcap !== 0 && parts.length > 0)
    op.refuse('softcap with a mask: revisions of the operator differ in which of them comes first');
  const biased = parts.reduce((sum, part) => {
    if (broadcast(op, sum.dims, part.dims).join() !== [batch, heads, rows, total].join())
      op.invalid(`a mask of shape [${part.dims}] for scores of [${sum.dims}]`);
    return emitBinary(op, BINARY.Add, sum, part);
  }, raw as Value);
  const capped = softcap === 0 ? biased : emitCap(op, biased, softcap);
  return { raw, biased, capped, shares: emitSoftmax(op, capped) };
}

function emitCap(op: Operator, x: Value, softcap: number): Value {
  const cap = constantScalar(op, softcap);
  return emitBinary(op, BINARY.Mul, emitUnary(op, UNARY.Tanh, emitBinary(op, BINARY.Div, x, cap), 0, 0), cap);
}

/** The fourth output. What revisions of the operator give different numbers is refused. */
function shownScores(op: Operator, { raw, biased, capped, shares }: Scores): Value {
  const mode = op.int('qk_matmul_output_mode', 0);
  const plain = capped === biased;
  if (mode === 0) return raw;
  if (mode === 1 && biased === raw && plain) return raw;
  if (mode === 2) return capped;
  if (mode === 3) return shares;
  return op.refuse(`qk_matmul_output_mode = ${mode}: revisions of the operator differ in its meaning`);
}

const attention: Lowering = {
  attributes: [
    'is_causal',
    'kv_num_heads',
    'q_num_heads',
    'qk_matmul_output_mode',
    'scale',
    'softcap',
    'softmax_precision',
  ],
  inputs: [3, 7],
  lower(op) {
    const precision = op.int('softmax_precision', 1);
    if (precision !== 1) op.refuse(`softmax_precision = ${precision} is not supported`);
    const count = (name: string): number | undefined => (op.int(name, 0) === 0 ? undefined : op.int(name, 0));
    const flat = op.input(0).dims.length === 3;
    const q = headsOf(op, 0, count('q_num_heads'));
    const [now, given] = [headsOf(op, 1, count('kv_num_heads')), headsOf(op, 2, count('kv_num_heads'))];
    if ((op.optional(4) === undefined) !== (op.optional(5) === undefined))
      op.invalid('past_key and past_value are only given together');
    if (op.optional(4) !== undefined && op.optional(6) !== undefined)
      op.invalid('nonpad_kv_seqlen is not given together with past_key');
    const [k, v] = [withPast(op, 4, now), withPast(op, 5, given)];
    checkHeads(op, q, k, v);
    const scores = scoresOf(op, q, k, k.dims[2] - now.dims[2]);
    const y = emitHeads(op, scores.shares as Heads, v, false, 1);
    const [batch, heads, rows, size] = y.dims;
    const turned = flat ? look(op, emitTranspose(op, y, [0, 2, 1, 3]), [batch, rows, heads * size]) : y;
    return [turned, k, v, ...(op.wants(3) ? [shownScores(op, scores)] : [])];
  },
};

function checkHeads(op: Operator, q: Heads, k: Heads, v: Heads): void {
  const fits =
    k.dims[0] === q.dims[0] &&
    v.dims[0] === q.dims[0] &&
    k.dims[1] === v.dims[1] &&
    k.dims[2] === v.dims[2] &&
    k.dims[3] === q.dims[3] &&
    q.dims[1] % k.dims[1] === 0;
  if (!fits) op.invalid(`queries [${q.dims}], keys [${k.dims}] and values [${v.dims}] do not fit`);
}

/** Rows of a cache by position: [batch, length, 1, half]; without positions the cache has these rows already. */
function cacheOf(op: Operator, i: number, batch: number, length: number, half: number): Value {
  const cache = op.floats(i);
  const positions = op.optional(3);
  if (positions === undefined) {
    if (cache.dims.join() !== [batch, length, half].join())
      op.invalid(`input ${i} has the shape [${cache.dims}]; expected [${batch},${length},${half}]`);
    return look(op, cache, [batch, length, 1, half]);
  }
  if (positions.dtype !== 'int64' || positions.dims.join() !== [batch, length].join())
    op.invalid(`input 3 is ${positions.dtype} [${positions.dims}]; expected int64 [${batch},${length}]`);
  if (cache.dims.length !== 2 || cache.dims[1] !== half)
    op.invalid(`input ${i} has the shape [${cache.dims}]; expected rows of ${half}`);
  return look(op, emitGather(op, cache, positions, 0), [batch, length, 1, half]);
}

const rotary: Lowering = {
  attributes: ['interleaved', 'num_heads', 'rotary_embedding_dim'],
  inputs: [3, 4],
  lower(op) {
    const given = op.floats(0);
    const flat = given.dims.length === 3;
    const heads = op.int('num_heads', 0);
    const [batch = 0, second = 0, third = 0, fourth = 0] = given.dims;
    if (flat && (heads < 1 || third % heads !== 0)) op.invalid(`${third} numbers for ${heads} heads`);
    if (!flat && given.dims.length !== 4) op.invalid(`input 0 has the shape [${given.dims}]`);
    // By position: [batch, length, heads, size].
    const x = flat ? look(op, given, [batch, second, heads, third / heads]) : emitTranspose(op, given, [0, 2, 1, 3]);
    const size = flat ? third / heads : fourth;
    const turned = op.int('rotary_embedding_dim', 0) || size;
    if (turned % 2 !== 0 || turned > size) op.invalid(`rotary_embedding_dim = ${turned} of ${size}`);
    const half = turned / 2;
    const [length = 0, count = 0] = x.dims.slice(1);
    const [cos, sin] = [1, 2].map((i) => cacheOf(op, i, batch, length, half)) as [Value, Value];
    const apart = op.int('interleaved', 0) !== 0;
    const pick = (k: number): Value => {
      const y = op.result([batch, length, count, half]);
      const own = strides(x);
      const steps = [...own.slice(0, 3), apart ? 8 : 4];
      emitCopy(op, x, steps, apart ? k * 4 : k * half * 4, y, strides(y), 0, y.dims);
      return y;
    };
    const [a, b] = [pick(0), pick(1)];
    const mul = (p: Value, q: Value): Value => emitBinary(op, BINARY.Mul, p, q);
    const real = emitBinary(op, BINARY.Sub, mul(cos, a), mul(sin, b));
    const imaginary = emitBinary(op, BINARY.Add, mul(sin, a), mul(cos, b));
    const y = op.result(x.dims);
    const own = stridesOf(x.dims);
    [real, imaginary].forEach((part, k) => {
      const steps = [...own.slice(0, 3), apart ? 8 : 4];
      emitCopy(op, part, strides(part), 0, y, steps, apart ? k * 4 : k * half * 4, part.dims);
    });
    if (turned < size) {
      const rest = emitPart(op, x, 3, turned, size - turned);
      emitCopy(op, rest, strides(rest), 0, y, own, turned * 4, rest.dims);
    }
    return [flat ? look(op, y, given.dims) : emitTranspose(op, y, [0, 2, 1, 3])];
  },
};

export const ATTENTION: Readonly<Record<string, Lowering>> = { Attention: attention, RotaryEmbedding: rotary };
