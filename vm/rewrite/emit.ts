/** Code that the rewriter inserts. Everything here leaves the operand stack as it found it, unless it says otherwise. */
import { FRAME_WEIGHT, MAX_STACK_WEIGHT } from '../limits.ts';
import { TRAP } from '../reserved.ts';
import type { FunctionFacts } from '../wasm/check.ts';
import { OP } from '../wasm/opcodes.ts';
import { put, putSigned, putU32, type Writer } from '../wasm/writer.ts';

const I32_ADD = 0x6a;
const I32_SUB = 0x6b;
const I32_GT_U = 0x4b;
const I64_LT_S = 0x53;
const I64_SUB = 0x7d;
const VOID = 0x40;

/** Indices of what the rewriter adds to a module. */
export interface Added {
  /** `(i32) -> i32` and `(i32) -> i64`. */
  readonly typeI32I32: number;
  readonly typeI32I64: number;
  /** Charge for the bytes, or the table entries, on top of the stack, and leave their number there. */
  readonly chargeBytes: number;
  readonly chargeEntries: number;
  /** memory.grow under the rules of this machine. */
  readonly grow: number;
  readonly globalWord: number;
  readonly gas: number;
  readonly trap: number;
  readonly depth: number;
}

export function putI32(w: Writer, value: number): void {
  put(w, OP.i32Const);
  putSigned(w, BigInt(value | 0));
}

export function putI64(w: Writer, value: bigint): void {
  put(w, OP.i64Const);
  putSigned(w, value);
}

export function putIndexed(w: Writer, op: number, index: number): void {
  put(w, op);
  putU32(w, index);
}

/** Records why, then traps. */
export function putTrap(w: Writer, added: Added, code: number): void {
  putI32(w, code);
  putIndexed(w, OP.globalSet, added.trap);
  put(w, OP.unreachable);
}

/** Traps when the i64 on top of the stack, the gas that is left, has fallen below zero. */
function putGasCheck(w: Writer, added: Added): void {
  putI64(w, 0n);
  put(w, I64_LT_S, OP.if, VOID);
  putTrap(w, added, TRAP.outOfGas);
  put(w, OP.end);
}

/** Subtracts the i64 that `amount` pushes from the gas left, and traps when the gas falls below zero. */
export function putCharge(w: Writer, added: Added, amount: (w: Writer) => void): void {
  putIndexed(w, OP.globalGet, added.gas);
  amount(w);
  put(w, I64_SUB);
  putIndexed(w, OP.globalSet, added.gas);
  putIndexed(w, OP.globalGet, added.gas);
  putGasCheck(w, added);
}

/** Where a charge of a function that has a local for the gas finds the gas, and where besides it leaves it. */
export interface LocalCharge {
  readonly local: number;
  /** The local is not set yet: the first charge of a function. */
  readonly first: boolean;
  /** The global keeps what it had: inside a quiet loop. */
  readonly quiet: boolean;
}

/** As {@link putCharge}, of a constant, with the gas in a local. */
export function putLocalCharge(w: Writer, added: Added, amount: bigint, { local, first, quiet }: LocalCharge): void {
  if (first) putIndexed(w, OP.globalGet, added.gas);
  else putIndexed(w, OP.localGet, local);
  putI64(w, amount);
  put(w, I64_SUB);
  putIndexed(w, OP.localTee, local);
  if (!quiet) {
    putIndexed(w, OP.globalSet, added.gas);
    putIndexed(w, OP.localGet, local);
  }
  putGasCheck(w, added);
}

/** The gas that the local has goes into the global. */
export function putGasOut(w: Writer, added: Added, local: number): void {
  putIndexed(w, OP.localGet, local);
  putIndexed(w, OP.globalSet, added.gas);
}

/** The gas that the global has goes into the local. */
export function putGasIn(w: Writer, added: Added, local: number): void {
  putIndexed(w, OP.globalGet, added.gas);
  putIndexed(w, OP.localSet, local);
}

/** What a frame of this function weighs: an upper bound, in machine words, that no engine's tier changes. */
export function frameWeight(facts: FunctionFacts): number {
  return FRAME_WEIGHT + facts.localWords + facts.stackWords + facts.loadWords;
}

/**
 * Traps where the frames would weigh more than the limit. A function that calls nothing need not tell anyone its
 * weight, so it leaves the counter alone.
 */
export function putEnterFrame(w: Writer, added: Added, weight: number, record: boolean): void {
  putIndexed(w, OP.globalGet, added.depth);
  putI32(w, weight);
  put(w, I32_ADD);
  if (record) {
    putIndexed(w, OP.globalSet, added.depth);
    putIndexed(w, OP.globalGet, added.depth);
  }
  putI32(w, MAX_STACK_WEIGHT);
  put(w, I32_GT_U, OP.if, VOID);
  putTrap(w, added, TRAP.stackOverflow);
  put(w, OP.end);
}

export function putLeaveFrame(w: Writer, added: Added, weight: number): void {
  putIndexed(w, OP.globalGet, added.depth);
  putI32(w, weight);
  put(w, I32_SUB);
  putIndexed(w, OP.globalSet, added.depth);
}
