/**
 * Gas costs, version 1. One gas is about one nanosecond of the reference core in the engine's optimising tier, so that
 * 10⁹ gas is about one second: `npm run bench -- vm` prints what it is here. Static costs cannot see the cache: a
 * program made to miss it runs up to a hundred times slower than its gas says (docs/vm-gas.md), which time-outs bound.
 * Any change is a new version, because outcomes carry the gas that was used.
 */
export const GAS_VERSION = 1;

/** The costs of single instructions are in eighths of a gas; the sum over a region is rounded up to whole gas. */
export const UNITS_PER_GAS_LOG2 = 3;

/** Eighths of a gas. */
export const GAS_CLASSES = {
  /** No machine code of its own: block, end, nop, drop. */
  free: 0,
  /** One register-to-register instruction. */
  simple: 1,
  /** A load or store that hits the cache, with its bounds check. */
  memory: 2,
  /** Integer multiplication, bit counts. */
  mul: 2,
  /** Integer division and remainder. */
  div: 32,
  /** Float addition, multiplication, conversion; the check of the NaN rule is rare enough to be in it. */
  float: 3,
  /** Float division and square root. */
  floatDiv: 24,
  /** One packed instruction. */
  simd: 1,
  /** Packed float arithmetic, likewise. */
  simdFloat: 2,
  simdFloatDiv: 32,
  /** Packed operations that engines emit as several instructions. */
  simdSlow: 6,
  /** Conditional and unconditional branches. */
  branch: 1,
  brTable: 8,
  call: 8,
  callIndirect: 20,
  /** The fixed part of an operation whose length is charged on its own. */
  bulk: 80,
  grow: 16_000,
} as const;

export type GasClass = keyof typeof GAS_CLASSES;

/** Eighths of a gas, at the entry of every function: the prologue, and the accounting itself. */
export const FUNCTION_UNITS = 12;

/** Eighths of a gas, at every loop header each time it is passed: the accounting itself. */
export const LOOP_UNITS = 8;

/** Gas, rounded up, of a region's units. */
export function regionGas(units: number): bigint {
  return (BigInt(units) + (1n << BigInt(UNITS_PER_GAS_LOG2)) - 1n) >> BigInt(UNITS_PER_GAS_LOG2);
}

/** One gas for each 2³ bytes of memory.copy, memory.fill, memory.init. */
export const BYTES_PER_GAS_LOG2 = 3;

/** For each entry of table.copy and table.init. */
export const TABLE_ENTRY_GAS = 4n;

/** For each 64 KiB page that comes into being: zeroing it, and hashing it into the trace. */
export const PAGE_GAS = 40_000n;

/** For each call from outside: instantiation and hand-over. */
export const CALL_GAS = 100_000n;
