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
