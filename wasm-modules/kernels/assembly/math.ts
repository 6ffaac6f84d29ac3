// Transcendental functions of the kernel runtime. They are written here, in f64 and from +, -, * and / alone, because a
// host's own differ from engine to engine; the same module must give the same bits everywhere.
// Rounding the f64 result to f32 leaves at most 0.51 ulp of error over the whole range.

const LOG2E: f64 = 1.4426950408889634;
// ln 2 in two parts: k * LN2_HI is exact for |k| < 2^20.
const LN2_HI: f64 = 6.9314718036912381649e-1;
const LN2_LO: f64 = 1.90821492927058770002e-10;

/** e^x for a result that is rounded to f32 afterwards: relative error below 1e-14; saturates outside f32's range. */
export function exp64(x: f64): f64 {
  if (x != x) return x;
  // As f32, e^-110 rounds to 0 and e^110 to infinity, and so do their reciprocals.
  if (x < -110.0) x = -110.0;
  if (x > 110.0) x = 110.0;
  const k = nearest(x * LOG2E);
  const r = x - k * LN2_HI - k * LN2_LO;
  // Taylor series to degree 11 on |r| <= ln2 / 2.
  let p: f64 = 1.0 / 39916800.0;
  p = p * r + 1.0 / 3628800.0;
  p = p * r + 1.0 / 362880.0;
  p = p * r + 1.0 / 40320.0;
  p = p * r + 1.0 / 5040.0;
  p = p * r + 1.0 / 720.0;
  p = p * r + 1.0 / 120.0;
  p = p * r + 1.0 / 24.0;
  p = p * r + 1.0 / 6.0;
  p = p * r + 0.5;
  p = p * r + 1.0;
  p = p * r + 1.0;
  const scale = reinterpret<f64>((<i64>k + 1023) << 52);
  return p * scale;
}

export function expf(x: f32): f32 {
  return <f32>exp64(<f64>x);
}

export function sigmoidf(x: f32): f32 {
  return <f32>(1.0 / (1.0 + exp64(-(<f64>x))));
}

export function tanhf(x: f32): f32 {
  const v = <f64>x;
  const a = abs(v);
  // Below 1e-4 the next term of the series (2x^5/15) is far under half an ulp, and e^2x - 1 would cancel.
  if (a < 0.0001) return <f32>(v - (v * v * v) / 3.0);
  // From 10 on, tanh rounds to 1.
  const e = exp64(2.0 * min(a, 10.0));
  const t = (e - 1.0) / (e + 1.0);
  return <f32>copysign(t, v);
}

/** ln x, relative error below 1e-13: x = m * 2^e with m near 1, then the series of the inverse hyperbolic tangent. */
export function log64(x: f64): f64 {
  if (!(x > 0)) return x == 0 ? -Infinity : NaN;
  if (x == Infinity) return x;
  // Every f32, subnormal ones too, is a normal f64.
  const bits = reinterpret<u64>(x);
  let e = <i32>(bits >> 52) - 1023;
  let m = reinterpret<f64>((bits & 0x000fffffffffffff) | 0x3ff0000000000000);
  if (m > 1.4142135623730951) {
    m *= 0.5;
    e++;
  }
  const s = (m - 1.0) / (m + 1.0);
  const z = s * s;
  let p: f64 = 1.0 / 19.0;
  p = p * z + 1.0 / 17.0;
  p = p * z + 1.0 / 15.0;
  p = p * z + 1.0 / 13.0;
  p = p * z + 1.0 / 11.0;
  p = p * z + 1.0 / 9.0;
  p = p * z + 1.0 / 7.0;
  p = p * z + 1.0 / 5.0;
  p = p * z + 1.0 / 3.0;
  p = p * z + 1.0;
  return <f64>e * LN2_HI + (2.0 * s * p + <f64>e * LN2_LO);
}

export function logf(x: f32): f32 {
  return <f32>log64(<f64>x);
}

/** The error function by the series with positive terms (Abramowitz and Stegun 7.1.6). */
export function erf64(x: f64): f64 {
  const a = abs(x);
  // Also for NaN. From 4 on it rounds to 1 as f32.
  if (!(a < 4.0)) return a >= 4.0 ? copysign(1.0, x) : x;
  let term = a;
  let sum = a;
  for (let n: f64 = 3.0; term > sum * 1e-13; n += 2.0) {
    term *= (2.0 * a * a) / n;
    sum += term;
  }
  return copysign(1.1283791670955126 * exp64(-a * a) * sum, x);
}

/** x^y with the special cases of IEEE 754. */
export function powf(x: f32, y: f32): f32 {
  if (y == 0 || x == 1) return 1;
  if (x != x || y != y) return x + y;
  const whole = floor(y) == y;
  // Beyond 2^24 every f32 is even.
  const odd = whole && abs(y) < 16777216 && (<i32>y & 1) != 0;
  if (x < 0 && !whole && x != -Infinity) return <f32>NaN;
  const a = abs(<f64>x);
  const r = a == 1 ? 1.0 : abs(y) == Infinity ? (a > 1 == y > 0 ? Infinity : 0) : exp64(<f64>y * log64(a));
  return <f32>(odd ? copysign(r, <f64>x) : r);
}
