/** Rewriting one function body: gas, stack depth, traps with a reason, bulk operations by length, canonical NaNs. */
import { defined } from '#core/assert.ts';
import { FUNCTION_UNITS, GAS_CLASSES, LOOP_UNITS, regionGas } from '../gas-table.ts';
import { TRAP } from '../reserved.ts';
import type { FunctionFacts } from '../wasm/check.ts';
import { decode, type Instruction, newInstruction } from '../wasm/instruction.ts';
import { OP } from '../wasm/opcodes.ts';
import { reader } from '../wasm/reader.ts';
import type { FuncType, FunctionBody, Module, ValType } from '../wasm/types.ts';
import { put, putBytes, putSigned, putU32, type Writer, writer, written } from '../wasm/writer.ts';
import {
  type Added,
  frameWeight,
  putCharge,
  putEnterFrame,
  putI32,
  putI64,
  putIndexed,
  putLeaveFrame,
} from './emit.ts';
import { putCanonical, putCanonicalLocal, scratchType } from './nan.ts';
import { type NanPlan, planNans } from './nan-flow.ts';

export interface BodyInput {
  readonly module: Module;
  readonly body: FunctionBody;
  readonly facts: FunctionFacts;
  readonly type: FuncType;
  /** The block type, as s33, of a block that gives the function's results. */
  readonly resultBlock: bigint;
  readonly added: Added;
}

/** br_table was bounded when the body was checked. */
const ANY_LENGTH = 0xffffffff;

function walk(input: BodyInput, visit: (it: Instruction) => void): void {
  const { code } = input.body;
  const r = reader(input.module.bytes, code.start, code.end);
  const it = newInstruction();
  while (r.at < code.end) {
    decode(r, it, ANY_LENGTH);
    visit(it);
  }
}

/** Charges of the function's region (index 0) and of each loop's, in the order of the loop headers; and what NaNs need. */
interface Survey {
  readonly nans: NanPlan;
  /** Local for a value that is made canonical, by its type. */
  /** In the units of the gas table. */
  readonly charges: number[];
  readonly scratch: ReadonlyMap<ValType, number>;
}

/**
 * A region is what runs at most once each time its header is passed: a function's body without its loops, or a loop's
 * body without the loops inside. Its header pays for all of it, both arms of each `if` included.
 */
function survey(input: BodyInput): Survey {
  const charges = [FUNCTION_UNITS];
  const regions = [0];
  walk(input, (it) => {
    const region = defined(regions.at(-1), 'the current region');
    charges[region] = defined(charges[region], 'its charge') + GAS_CLASSES[it.op.gas];
    if (it.op.code === OP.loop) {
      regions.push(charges.length);
      charges.push(LOOP_UNITS);
    } else if (it.op.code === OP.block || it.op.code === OP.if) regions.push(region);
    else if (it.op.code === OP.end) regions.pop();
  });
  const nans = planNans(input);
  const scratch = new Map<ValType, number>();
  const next = input.type.params.length + input.body.locals.length;
  for (const type of new Set([...nans.after.values()].map(scratchType))) scratch.set(type, next + scratch.size);
  return { charges, nans, scratch };
}

function putLocals(w: Writer, locals: readonly ValType[]): void {
  const groups: { type: ValType; count: number }[] = [];
  for (const type of locals) {
    const last = groups.at(-1);
    if (last !== undefined && last.type === type) last.count++;
    else groups.push({ type, count: 1 });
  }
  putU32(w, groups.length);
  for (const group of groups) {
    putU32(w, group.count);
    put(w, group.type);
  }
}

interface Emission {
  readonly w: Writer;
  readonly input: BodyInput;
  readonly survey: Survey;
  /** Blocks open inside the function. */
  depth: number;
  loops: number;
  /** Of the instruction that comes next. */
  ordinal: number;
}

function charge(e: Emission, region: number): void {
  const amount = regionGas(defined(e.survey.charges[region], 'the charge of a region'));
  putCharge(e.w, e.input.added, (w) => {
    putI64(w, amount);
  });
}

function copy(e: Emission, it: Instruction): void {
  putBytes(e.w, e.input.module.bytes.subarray(it.start, it.end));
}

function instruction(e: Emission, it: Instruction): void {
  const { w, input } = e;
  const { added } = input;
  switch (it.op.code) {
    case OP.loop:
      copy(e, it);
      e.depth++;
      charge(e, ++e.loops);
      return;
    case OP.block:
    case OP.if:
      e.depth++;
      break;
    case OP.end:
      if (e.depth-- === 0) {
        finish(e);
        return;
      }
      break;
    case OP.return:
      if (!input.facts.calls) break;
      putIndexed(w, OP.br, e.depth);
      return;
    case OP.unreachable:
      putI32(w, TRAP.unreachable);
      putIndexed(w, OP.globalSet, added.trap);
      break;
    case OP.memoryGrow:
      putIndexed(w, OP.call, added.grow);
      return;
    case OP.memoryCopy:
    case OP.memoryFill:
    case OP.memoryInit:
      putIndexed(w, OP.call, added.chargeBytes);
      break;
    case OP.tableCopy:
    case OP.tableInit:
      putIndexed(w, OP.call, added.chargeEntries);
      break;
  }
  copy(e, it);
}

function finish(e: Emission): void {
  const { input, w } = e;
  if (input.facts.calls) {
    put(w, OP.end);
    putLeaveFrame(w, input.added, frameWeight(input.facts));
  }
  put(w, OP.end);
}

/** The new body: locals, instructions, end. The module must have been checked. */
export function rewriteBody(input: BodyInput): Uint8Array {
  const w = writer(2 * (input.body.code.end - input.body.code.start) + 128);
  const surveyed = survey(input);
  putLocals(w, [...input.body.locals, ...surveyed.scratch.keys()]);
  const e: Emission = { w, input, survey: surveyed, depth: 0, loops: 0, ordinal: 0 };
  charge(e, 0);
  putEnterFrame(w, input.added, frameWeight(input.facts), input.facts.calls);
  if (input.facts.calls) {
    // Everything that leaves the function leaves this block instead, so that the frame's weight is taken back once.
    put(w, OP.block);
    putSigned(w, input.resultBlock);
  }
  walk(input, (it) => {
    const ordinal = e.ordinal++;
    for (const { local, kind } of surveyed.nans.before.get(ordinal) ?? []) putCanonicalLocal(w, kind, local);
    instruction(e, it);
    const kind = surveyed.nans.after.get(ordinal);
    if (kind !== undefined) putCanonical(w, kind, defined(surveyed.scratch.get(scratchType(kind)), 'a scratch local'));
  });
  return written(w);
}
