/** The Gaussian functions that GELU is made of, from tables: the same bits on every machine, and no host mathematics. */
export interface Gaussian {
  /** The share of a standard normal distribution below x; error below 3e-7. */
  below(x: number): number;
  /** Its density at x; error below 3e-7. */
  density(x: number): number;
}

/** Beyond it the functions are taken as 0 or 1: the share that is left is below 1e-7. */
const REACH = 5.25;
const STEPS_PER_UNIT = 1_024;

/** @param exp e^x of the kernels, rounded to f32 */
export function createGaussian(exp: (x: number) => number): Gaussian {
  const size = REACH * STEPS_PER_UNIT;
  const shares = new Float64Array(size + 2);
  const densities = new Float64Array(size + 2);
  for (let i = 0; i < size + 2; i++) {
    const x = i / STEPS_PER_UNIT;
    densities[i] = 0.3989422804014327 * exp((-x * x) / 2);
    // The series with positive terms (Abramowitz and Stegun 26.2.11).
    let term = x;
    let sum = x;
    for (let n = 3; term > sum * 1e-15; n += 2) {
      term *= (x * x) / n;
      sum += term;
    }
    shares[i] = 0.5 + (densities[i] ?? 0) * sum;
  }
  const between = (table: Float64Array, at: number): number => {
    const i = Math.floor(at);
    const low = table[i] ?? 0;
    return low + ((table[i + 1] ?? 0) - low) * (at - i);
  };
  return {
    below(x) {
      const at = Math.abs(x) * STEPS_PER_UNIT;
      const share = at >= size ? 1 : between(shares, at);
      return x < 0 ? 1 - share : share;
    },
    density(x) {
      const at = Math.abs(x) * STEPS_PER_UNIT;
      return at >= size ? 0 : between(densities, at);
    },
  };
}
