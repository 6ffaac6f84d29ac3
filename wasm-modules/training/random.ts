/** A seeded generator (splitmix32, Steele et al. 2014, 32-bit variant): the same numbers on every machine. */
export interface Random {
  /** A 32-bit unsigned integer. */
  u32(): number;
  /** Uniform in [0, 1), a multiple of 2^-24. */
  unit(): number;
  /** Approximately normal, by the sum of twelve uniform numbers: exact arithmetic, no host mathematics. */
  normal(): number;
  /** An integer in [0, n). */
  below(n: number): number;
}

export function createRandom(seed: number): Random {
  let state = seed >>> 0;
  const u32 = (): number => {
    state = (state + 0x9e3779b9) >>> 0;
    let z = state;
    z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
    z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
    return (z ^ (z >>> 15)) >>> 0;
  };
  const unit = (): number => (u32() >>> 8) / 16777216;
  const normal = (): number => {
    let sum = -6;
    for (let i = 0; i < 12; i++) sum += unit();
    return sum;
  };
  return { u32, unit, normal, below: (n) => Math.floor(unit() * n) };
}
