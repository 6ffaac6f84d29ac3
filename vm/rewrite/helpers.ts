/** Functions that the rewriter adds to a module. */
import { BYTES_PER_GAS_LOG2, PAGE_GAS, TABLE_ENTRY_GAS } from '../gas-table.ts';
import { TRAP } from '../reserved.ts';
import { OP } from '../wasm/opcodes.ts';
import { F32, F64, type GlobalType, I32, V128 } from '../wasm/types.ts';
import { put, type Writer, writer, written } from '../wasm/writer.ts';
import { type Added, putCharge, putI32, putI64, putIndexed, putTrap } from './emit.ts';

const VOID = 0x40;
const I32_EQ = 0x46;
const I32_GT_U = 0x4b;
const I32_SUB = 0x6b;
const I64_EXTEND_I32_U = 0xad;
const I64_SHR_U = 0x88;
const I64_MUL = 0x7e;
const I32_REINTERPRET_F32 = 0xbc;
const I64_REINTERPRET_F64 = 0xbd;
const SIMD = 0xfd;
const I64X2_EXTRACT_LANE = 0x1d;

const NO_LOCALS = 0;

export interface MemoryBound {
  /** Pages. */
  readonly bound: number;
  /** Whether the module defines its memory; an imported one (test suites) may have a lower maximum of its own. */
  readonly own: boolean;
}

function argument(w: Writer): void {
  putIndexed(w, OP.localGet, 0);
  put(w, I64_EXTEND_I32_U);
}

/** `(n) -> n`, charging n ÷ 2³ gas, rounded down: the operation's own fixed cost covers the rest. */
function chargeBytes(added: Added): Uint8Array {
  const w = writer();
  put(w, NO_LOCALS);
  putCharge(w, added, (into) => {
    argument(into);
    putI64(into, BigInt(BYTES_PER_GAS_LOG2));
    put(into, I64_SHR_U);
  });
  putIndexed(w, OP.localGet, 0);
  put(w, OP.end);
  return written(w);
}

function chargeProduct(w: Writer, added: Added, factor: bigint): void {
  putCharge(w, added, (into) => {
    argument(into);
    putI64(into, factor);
    put(into, I64_MUL);
  });
}

function chargeEntries(added: Added): Uint8Array {
  const w = writer();
  put(w, NO_LOCALS);
  chargeProduct(w, added, TABLE_ENTRY_GAS);
  putIndexed(w, OP.localGet, 0);
  put(w, OP.end);
  return written(w);
}

/**
 * memory.grow: −1 beyond the bound, on every machine, free of charge; below it the pages are paid for, and an engine
 * that cannot provide them ends the call as a host fault, because other machines could.
 */
function grow(added: Added, { bound, own }: MemoryBound): Uint8Array {
  const w = writer();
  put(w, NO_LOCALS);
  putIndexed(w, OP.localGet, 0);
  putI32(w, bound);
  put(w, OP.memorySize, 0, I32_SUB, I32_GT_U, OP.if, VOID);
  putI32(w, -1);
  put(w, OP.return, OP.end);
  chargeProduct(w, added, PAGE_GAS);
  putIndexed(w, OP.localGet, 0);
  put(w, OP.memoryGrow, 0);
  putIndexed(w, OP.localSet, 0);
  if (own) {
    putIndexed(w, OP.localGet, 0);
    putI32(w, -1);
    put(w, I32_EQ, OP.if, VOID);
    putTrap(w, added, TRAP.growthRefused);
    put(w, OP.end);
  }
  putIndexed(w, OP.localGet, 0);
  put(w, OP.end);
  return written(w);
}

function globalWords(type: GlobalType): readonly ((w: Writer, index: number) => void)[] {
  const lane = (n: number) => (w: Writer, index: number) => {
    putIndexed(w, OP.globalGet, index);
    put(w, SIMD, I64X2_EXTRACT_LANE, n);
  };
  switch (type.type) {
    case V128:
      return [lane(0), lane(1)];
    case I32:
    case F32:
      return [
        (w, index) => {
          putIndexed(w, OP.globalGet, index);
          if (type.type === F32) put(w, I32_REINTERPRET_F32);
          put(w, I64_EXTEND_I32_U);
        },
      ];
    default:
      return [
        (w, index) => {
          putIndexed(w, OP.globalGet, index);
          if (type.type === F64) put(w, I64_REINTERPRET_F64);
        },
      ];
  }
}

/** The n-th word of the module's globals: JavaScript can read neither a v128 nor the bits of a NaN. */
function globalWord(globals: readonly GlobalType[]): Uint8Array {
  const w = writer();
  put(w, NO_LOCALS);
  let word = 0;
  globals.forEach((type, index) => {
    for (const value of globalWords(type)) {
      putIndexed(w, OP.localGet, 0);
      putI32(w, word++);
      put(w, I32_EQ, OP.if, VOID);
      value(w, index);
      put(w, OP.return, OP.end);
    }
  });
  putI64(w, 0n);
  put(w, OP.end);
  return written(w);
}

/** Type index and body of each added function, in the order of their indices. */
export function helpers(
  added: Added,
  globals: readonly GlobalType[],
  memoryBound: MemoryBound | undefined,
): readonly { readonly type: number; readonly body: Uint8Array }[] {
  const out = [
    { type: added.typeI32I32, body: chargeBytes(added) },
    { type: added.typeI32I32, body: chargeEntries(added) },
    { type: added.typeI32I64, body: globalWord(globals) },
  ];
  if (memoryBound !== undefined) out.push({ type: added.typeI32I32, body: grow(added, memoryBound) });
  return out;
}
