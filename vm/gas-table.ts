/**
 * Gas costs, version 1. One gas is about one nanosecond of the reference core (10⁹ gas ≈ 1 s), never less: a charge may
 * be too high, it must not be too low. Any change is a new version, because outcomes carry the gas that was used.
 */
export const GAS_VERSION = 1;

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
  div: 12,
  /** Float addition, multiplication, conversion, with the check of the NaN rule. */
  float: 3,
  /** Float division and square root. */
  floatDiv: 10,
  /** One packed instruction. */
  simd: 1,
  /** Packed float arithmetic, with the check of the NaN rule. */
  simdFloat: 3,
  simdFloatDiv: 16,
  /** Packed operations that engines emit as several instructions. */
  simdSlow: 6,
  /** Conditional and unconditional branches. */
  branch: 1,
  brTable: 4,
  call: 4,
  callIndirect: 10,
  /** The fixed part of an operation whose length is charged on its own. */
  bulk: 40,
  grow: 2_000,
} as const;

export type GasClass = keyof typeof GAS_CLASSES;

/** At the entry of every function: the prologue, and the accounting itself. */
export const FUNCTION_GAS = 6n;

/** At every loop header, each time it is passed: the accounting itself. */
export const LOOP_GAS = 2n;

/** One gas for each 2³ bytes of memory.copy, memory.fill, memory.init. */
export const BYTES_PER_GAS_LOG2 = 3;

/** For each entry of table.copy and table.init. */
export const TABLE_ENTRY_GAS = 4n;

/** For each 64 KiB page that comes into being: zeroing it, and hashing it into the trace. */
export const PAGE_GAS = 40_000n;

/** For each call from outside: instantiation and hand-over. */
export const CALL_GAS = 100_000n;
