/**
 * Gas costs, version 2. One gas is about one nanosecond of the reference core. Whatever a single instruction waits for is
 * priced, in either tier of the engine, because a call stays in the baseline tier if it began there: none takes longer than
 * one and a half times its gas says, as long as the first cache has what it reads. Accesses cost by the size that the memory
 * may reach, because no static price sees a cache; patterns that miss it take up to six times of their gas (docs/vm-gas.md
 * has the measurements and the reasons).
 * Any change is a new version, because outcomes carry the gas that was used.
 */
import { defined } from '#core/assert.ts';
import { MAX_PAGES } from './limits.ts';

export const GAS_VERSION = 2;

/** The costs of single instructions are in eighths of a gas; the sum over a region is rounded up to whole gas. */
const UNITS_PER_GAS_LOG2 = 3;

/** Eighths of a gas, before what the size of the memory adds. */
const GAS_CLASSES = {
  /** No machine code of its own: block, end, nop, drop. */
  free: 0,
  /** One register-to-register instruction of two operands; a constant; a local variable. */
  simple: 1,
  /** The same of one operand: nothing else beside it pays for what it takes. */
  unary: 2,
  global: 2,
  /** A load into an integer, and every other load or store: only what the size of the memory adds. */
  loadInteger: 0,
  access: 0,
  /** Integer comparisons whose result is a number. */
  compare: 5,
  /** Integer multiplication, bit counts. */
  mul: 4,
  /** Rotation: one instruction, but V8's baseline tier calls a function for it. */
  rotate: 24,
  /** Integer division and remainder. */
  div: 32,
  /** Float addition, subtraction, multiplication, least and greatest. */
  float: 4,
  /** The baseline tier takes it through integer registers. */
  copysign: 13,
  /** Rounding, and from one float width to the other. */
  round: 5,
  /** Float division and square root. */
  floatDiv: 34,
  /** From integer to float register, as bits and as a number. */
  toFloat: 5,
  convert: 12,
  /** From float to integer register, as bits, as a number, and as a comparison. */
  toInteger: 5,
  truncate: 18,
  floatCompare: 11,
  /** One packed instruction of two operands, of one; and what engines emit as two. */
  simd: 1,
  simdUnary: 2,
  simdTwo: 3,
  /** Packed multiplication, and comparisons without sign. */
  simdMul: 4,
  /** Packed operations that engines emit as three, four and more instructions. */
  simdSlow: 8,
  simdSlower: 11,
  /** From integer to vector register, and back. */
  toVector: 6,
  fromVector: 11,
  /** Packed float addition, subtraction, multiplication. */
  simdFloat: 4,
  simdRound: 5,
  /** Least and greatest with the rules for zeros and NaNs. */
  simdMinMax: 20,
  simdFloatDiv: 36,
  simdConvert: 13,
  simdConvertUnsigned: 24,
  /** A choice between two values, by a jump where engines have nothing better. */
  select: 8,
  /** A branch that is always taken; one that the processor may guess wrongly. */
  branch: 1,
  branchIf: 8,
  brTable: 32,
  call: 10,
  callIndirect: 56,
  /** The fixed part of an operation whose length is charged on its own. */
  bulk: 96,
  grow: 16_000,
} as const;

export type GasClass = keyof typeof GAS_CLASSES;

interface MemoryPrices {
  /** 64 KiB pages that the memory may reach at most, as the module declares it. */
  readonly pages: number;
  /** Eighths of a gas for a load into an integer: the next address may depend on it, so that nothing overlaps. */
  readonly integer: number;
  /** For any other load or store: many of them are under way at once. */
  readonly other: number;
}

/**
 * The steps are the reference core's caches, with what the translation of addresses takes: its own of 512 KiB, what it
 * translates without a walk (about 4 MiB), its part of the third level, main memory.
 */
const MEMORY_PRICES: readonly MemoryPrices[] = [
  { pages: 16, integer: 20, other: 2 },
  { pages: 64, integer: 44, other: 4 },
  { pages: 128, integer: 136, other: 12 },
  { pages: MAX_PAGES, integer: 272, other: 48 },
];

/** Eighths of a gas for an instruction of each class. */
export type GasPrices = Readonly<Record<GasClass, number>>;

/**
 * What came out of memory as a float or a vector has paid for an access of many. Where it becomes an integer, an address
 * may depend on it: there it pays the rest of what a load into an integer costs.
 */
function pricesOf({ integer, other }: MemoryPrices): GasPrices {
  const rest = integer - other;
  return {
    ...GAS_CLASSES,
    loadInteger: integer,
    access: other,
    toInteger: GAS_CLASSES.toInteger + rest,
    truncate: GAS_CLASSES.truncate + rest,
    floatCompare: GAS_CLASSES.floatCompare + rest,
    fromVector: GAS_CLASSES.fromVector + rest,
  };
}

const PRICES = MEMORY_PRICES.map((step) => ({ pages: step.pages, prices: pricesOf(step) }));

/** Prices in a module whose memory may reach so many pages: what it declares, so that no parameter changes its gas. */
export function gasPrices(pages: number): GasPrices {
  return defined(
    PRICES.find((step) => pages <= step.pages),
    'prices for a memory of this size',
  ).prices;
}

/** Eighths of a gas, at the entry of every function: the prologue, and the accounting itself. */
export const FUNCTION_UNITS = 12;

/** Eighths of a gas, at every loop header each time it is passed: the accounting itself. */
export const LOOP_UNITS = 4;

/** Eighths of a gas for each place where a float, or a vector of them, is made canonical (the NaN rule). */
export const NAN_UNITS = { f32: 16, f64: 16, f32x4: 16, f64x2: 16 } as const;

/** Gas, rounded up, of a region's units. */
export function regionGas(units: number): bigint {
  return (BigInt(units) + (1n << BigInt(UNITS_PER_GAS_LOG2)) - 1n) >> BigInt(UNITS_PER_GAS_LOG2);
}

/** One gas for each 2³ bytes of memory.copy, memory.fill, memory.init. */
export const BYTES_PER_GAS_LOG2 = 3;

/** For each entry of table.copy and table.init: a reference is looked up, counted and written. */
export const TABLE_ENTRY_GAS = 28n;

/** For each 64 KiB page that comes into being: the system's zeroing it piece by piece, and hashing it into the trace. */
export const PAGE_GAS = 60_000n;

/** For each call from outside: the way into the child process and out of it, instantiation, the component's glue. */
export const CALL_GAS = 400_000n;
