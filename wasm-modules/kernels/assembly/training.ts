// Tensor kernels for the training scripts: dense matrices in channels-last order, f32, SIMD. This module never runs on
// the chain; it exists so that a model is trained in minutes on one core, and reproducibly (no host mathematics).
import { expf, sigmoidf } from './math';

/** c[m,n] (+)= a[m,k] * b[k,n]; n is a multiple of 4. */
export function gemm(a: usize, b: usize, c: usize, m: i32, n: i32, k: i32, accumulate: bool): void {
  const n8 = n & ~7;
  let i = 0;
  for (; i + 4 <= m; i += 4) {
    const a0 = a + ((<usize>(i * k)) << 2);
    for (let j = 0; j < n8; j += 8)
      gemm4x8(a0, b + ((<usize>j) << 2), c + ((<usize>(i * n + j)) << 2), n, k, accumulate);
    for (let j = n8; j < n; j += 4) {
      for (let r = 0; r < 4; r++) {
        gemm1x4(
          a0 + ((<usize>(r * k)) << 2),
          b + ((<usize>j) << 2),
          c + ((<usize>((i + r) * n + j)) << 2),
          n,
          k,
          accumulate,
        );
      }
    }
  }
  for (; i < m; i++) {
    for (let j = 0; j < n; j += 4) {
      gemm1x4(a + ((<usize>(i * k)) << 2), b + ((<usize>j) << 2), c + ((<usize>(i * n + j)) << 2), n, k, accumulate);
    }
  }
}

function gemm4x8(a0: usize, b: usize, c0: usize, n: i32, k: i32, accumulate: bool): void {
  const as = (<usize>k) << 2;
  const cs = (<usize>n) << 2;
  const a1 = a0 + as;
  const a2 = a1 + as;
  const a3 = a2 + as;
  let x0 = f32x4.splat(0);
  let x1 = x0;
  let x2 = x0;
  let x3 = x0;
  let x4 = x0;
  let x5 = x0;
  let x6 = x0;
  let x7 = x0;
  const end = as;
  for (let p: usize = 0; p < end; p += 4) {
    const u = v128.load(b);
    const v = v128.load(b, 16);
    b += cs;
    let s = v128.load_splat<f32>(a0 + p);
    x0 = f32x4.add(x0, f32x4.mul(s, u));
    x1 = f32x4.add(x1, f32x4.mul(s, v));
    s = v128.load_splat<f32>(a1 + p);
    x2 = f32x4.add(x2, f32x4.mul(s, u));
    x3 = f32x4.add(x3, f32x4.mul(s, v));
    s = v128.load_splat<f32>(a2 + p);
    x4 = f32x4.add(x4, f32x4.mul(s, u));
    x5 = f32x4.add(x5, f32x4.mul(s, v));
    s = v128.load_splat<f32>(a3 + p);
    x6 = f32x4.add(x6, f32x4.mul(s, u));
    x7 = f32x4.add(x7, f32x4.mul(s, v));
  }
  put(c0, x0, x1, accumulate);
  put(c0 + cs, x2, x3, accumulate);
  put(c0 + cs * 2, x4, x5, accumulate);
  put(c0 + cs * 3, x6, x7, accumulate);
}

function put(c: usize, u: v128, v: v128, accumulate: bool): void {
  if (accumulate) {
    v128.store(c, f32x4.add(v128.load(c), u));
    v128.store(c, f32x4.add(v128.load(c, 16), v), 16);
  } else {
    v128.store(c, u);
    v128.store(c, v, 16);
  }
}

function gemm1x4(a: usize, b: usize, c: usize, n: i32, k: i32, accumulate: bool): void {
  let x = f32x4.splat(0);
  const cs = (<usize>n) << 2;
  for (let p = 0; p < k; p++) {
    x = f32x4.add(x, f32x4.mul(v128.load_splat<f32>(a), v128.load(b)));
    a += 4;
    b += cs;
  }
  v128.store(c, accumulate ? f32x4.add(v128.load(c), x) : x);
}

/** c[k,n] += transpose(a[m,k]) * b[m,n]; k and n are multiples of 4. Rows go in panels that stay in the cache. */
export function gemmTransposedA(a: usize, b: usize, c: usize, m: i32, n: i32, k: i32): void {
  const panel = 128;
  for (let i = 0; i < m; i += panel) {
    const rows = min(panel, m - i);
    const ai = a + ((<usize>(i * k)) << 2);
    const bi = b + ((<usize>(i * n)) << 2);
    for (let p = 0; p < k; p += 4) {
      for (let j = 0; j < n; j += 4) {
        outer4x4(ai + ((<usize>p) << 2), bi + ((<usize>j) << 2), c + ((<usize>(p * n + j)) << 2), rows, n, k);
      }
    }
  }
}

function outer4x4(a: usize, b: usize, c: usize, rows: i32, n: i32, k: i32): void {
  const as = (<usize>k) << 2;
  const bs = (<usize>n) << 2;
  let x0 = v128.load(c);
  let x1 = v128.load(c + bs);
  let x2 = v128.load(c + bs * 2);
  let x3 = v128.load(c + bs * 3);
  for (let r = 0; r < rows; r++) {
    const v = v128.load(b);
    x0 = f32x4.add(x0, f32x4.mul(v128.load_splat<f32>(a), v));
    x1 = f32x4.add(x1, f32x4.mul(v128.load_splat<f32>(a, 4), v));
    x2 = f32x4.add(x2, f32x4.mul(v128.load_splat<f32>(a, 8), v));
    x3 = f32x4.add(x3, f32x4.mul(v128.load_splat<f32>(a, 12), v));
    a += as;
    b += bs;
  }
  v128.store(c, x0);
  v128.store(c + bs, x1);
  v128.store(c + bs * 2, x2);
  v128.store(c + bs * 3, x3);
}

/** y[cols,rows] = transpose(x[rows,cols]). */
export function transpose(x: usize, y: usize, rows: i32, cols: i32): void {
  for (let r = 0; r < rows; r++) {
    for (let c = 0; c < cols; c++) {
      store<f32>(y + ((<usize>(c * rows + r)) << 2), load<f32>(x + ((<usize>(r * cols + c)) << 2)));
    }
  }
}

/** Gathers (scatter = false) or adds back (true) the k x k patches of x[b,h,w,c], c a multiple of 4, as rows [b*oh*ow, k*k*c]. */
export function patches(
  x: usize,
  rows: usize,
  batch: i32,
  h: i32,
  w: i32,
  c: i32,
  k: i32,
  stride: i32,
  pad: i32,
  oh: i32,
  ow: i32,
  scatter: bool,
): void {
  const bytes = (<usize>c) << 2;
  for (let n = 0; n < batch; n++) {
    for (let oy = 0; oy < oh; oy++) {
      for (let ox = 0; ox < ow; ox++) {
        for (let ky = 0; ky < k; ky++) {
          const y = oy * stride - pad + ky;
          for (let kx = 0; kx < k; kx++) {
            const px = ox * stride - pad + kx;
            const inside = y >= 0 && y < h && px >= 0 && px < w;
            const at = x + ((<usize>(((n * h + y) * w + px) * c)) << 2);
            if (scatter) {
              if (inside) {
                for (let o: usize = 0; o < bytes; o += 16) {
                  v128.store(at + o, f32x4.add(v128.load(at + o), v128.load(rows + o)));
                }
              }
            } else if (inside) {
              for (let o: usize = 0; o < bytes; o += 16) v128.store(rows + o, v128.load(at + o));
            } else {
              memory.fill(rows, 0, bytes);
            }
            rows += bytes;
          }
        }
      }
    }
  }
}

/** y[rows,n] += bias[n], then y = max(y, slope * y): slope 1 leaves y, 0 is Relu. */
export function biasActivate(y: usize, bias: usize, rows: i32, n: i32, slope: f32): void {
  const s = f32x4.splat(slope);
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < n; j += 4) {
      const v = f32x4.add(v128.load(y), v128.load(bias + ((<usize>j) << 2)));
      v128.store(y, f32x4.max(v, f32x4.mul(v, s)));
      y += 16;
    }
  }
}

/** dy *= slope where y < 0 (y after activation); db[n] += column sums of dy. */
export function biasActivateGrad(y: usize, dy: usize, db: usize, rows: i32, n: i32, slope: f32): void {
  for (let r = 0; r < rows; r++) {
    for (let j = 0; j < n; j++) {
      let g = load<f32>(dy);
      if (load<f32>(y) <= 0) {
        g *= slope;
        store<f32>(dy, g);
      }
      const at = db + ((<usize>j) << 2);
      store<f32>(at, load<f32>(at) + g);
      y += 4;
      dy += 4;
    }
  }
}

/**
 * Pixels of 4 channels, the last one dead: turns logits into sigmoid(logits), writes d(cross entropy)/d(logits) times
 * `scale`, and returns the sum of squared errors.
 */
export function imageLoss(logits: usize, target: usize, grad: usize, pixels: i32, scale: f32): f64 {
  let sum: f64 = 0;
  for (let i = 0; i < pixels; i++) {
    for (let c: usize = 0; c < 12; c += 4) {
      const p = sigmoidf(load<f32>(logits + c));
      const e = p - load<f32>(target + c);
      sum += <f64>(e * e);
      store<f32>(logits + c, p);
      store<f32>(grad + c, e * scale);
    }
    store<f32>(grad, 0, 12);
    logits += 16;
    target += 16;
    grad += 16;
  }
  return sum;
}

/** One Adam step (Kingma and Ba 2015, algorithm 1); `rate` carries the bias corrections; gradients are cleared. */
export function adam(p: usize, g: usize, m: usize, v: usize, n: i32, rate: f32): void {
  for (let i = 0; i < n; i++) {
    const d = load<f32>(g);
    const mm = load<f32>(m) * <f32>0.9 + d * <f32>0.1;
    const vv = load<f32>(v) * <f32>0.999 + d * d * <f32>0.001;
    store<f32>(m, mm);
    store<f32>(v, vv);
    store<f32>(p, load<f32>(p) - (rate * mm) / (sqrt(vv) + <f32>1e-8));
    store<f32>(g, 0);
    p += 4;
    g += 4;
    m += 4;
    v += 4;
  }
}

/** For the few places where a training script itself needs e^x: the same bits on every machine. */
export { expf };

/** Grows the memory so that addresses below `end` exist; their content is 0 until written. */
export function reserve(end: usize): void {
  const missing = <i32>((end + 65535) >> 16) - memory.size();
  if (missing > 0 && memory.grow(missing) < 0) unreachable();
}
