/** Rewriting one function body: gas, stack depth, traps with a reason, bulk operations by length, canonical NaNs. */
import { defined } from '#core/assert.ts';
import { FUNCTION_UNITS, gasPrices, LOOP_UNITS, NAN_UNITS, regionGas } from '../gas-table.ts';
import { MAX_PAGES } from '../limits.ts';
import { TRAP } from '../reserved.ts';
import type { FunctionFacts } from '../wasm/check.ts';
import { decode, type Instruction, newInstruction } from '../wasm/instruction.ts';
import { OP } from '../wasm/opcodes.ts';
import { reader } from '../wasm/reader.ts';
import { type FuncType, type FunctionBody, I64, type Module, type ValType } from '../wasm/types.ts';
import { put, putBytes, putSigned, putU32, type Writer, writer, written } from '../wasm/writer.ts';
import {
  type Added,
  frameWeight,
  putCharge,
  putEnterFrame,
  putGasIn,
  putGasOut,
  putI32,
  putI64,
  putIndexed,
  putLeaveFrame,
  putLocalCharge,
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
  /** In the units of the gas table. */
  readonly charges: readonly number[];
  /** Regions of loops in which nobody else needs to know how much gas is left: no calls, no operation charged by length. */
  readonly quiet: ReadonlySet<number>;
  /** Local for a value that is made canonical, by its type. */
  readonly scratch: ReadonlyMap<ValType, number>;
  /** Local for the gas, in functions with a quiet loop. */
  readonly gas: number | undefined;
}

/**
 * A function of more regions keeps its gas in the global: engines take time in the square of the number of loops, and
 * worse, to optimise a function with a local that all of them change.
 */
export const MAX_QUIET_REGIONS = 128;

const NOISY: ReadonlySet<number> = new Set([
  OP.call,
  OP.callIndirect,
  OP.memoryGrow,
  OP.memoryCopy,
  OP.memoryFill,
  OP.memoryInit,
  OP.tableCopy,
  OP.tableInit,
]);

/** Pages that the memory may reach, as the module declares it. */
function mostPages({ memories: [memory] }: Module): number {
  return memory === undefined ? 0 : (memory.max ?? MAX_PAGES);
}

/** What makes the values canonical that an instruction leaves, and locals before it. */
function nanUnits({ before, after }: NanPlan, ordinal: number): number {
  const result = after.get(ordinal);
  const own = result === undefined ? 0 : NAN_UNITS[result];
  return (before.get(ordinal) ?? []).reduce((sum, { kind }) => sum + NAN_UNITS[kind], own);
}

/**
 * A region is what runs at most once each time its header is passed: a function's body without its loops, or a loop's
 * body without the loops inside. Its header pays for all of it, both arms of each `if` included.
 */
function survey(input: BodyInput): Survey {
  const charges = [FUNCTION_UNITS];
  const regions = [0];
  const quiet = new Set<number>();
  const nans = planNans(input);
  const prices = gasPrices(mostPages(input.module));
  let ordinal = 0;
  walk(input, (it) => {
    const region = defined(regions.at(-1), 'the current region');
    const units = prices[it.op.gas] + nanUnits(nans, ordinal++);
    charges[region] = defined(charges[region], 'its charge') + units;
    if (NOISY.has(it.op.code)) for (const outer of regions) quiet.delete(outer);
    if (it.op.code === OP.loop) {
      quiet.add(charges.length);
      regions.push(charges.length);
      charges.push(LOOP_UNITS);
    } else if (it.op.code === OP.block || it.op.code === OP.if) regions.push(region);
    else if (it.op.code === OP.end) regions.pop();
  });
  const scratch = new Map<ValType, number>();
  const next = input.type.params.length + input.body.locals.length;
  for (const type of new Set([...nans.after.values()].map(scratchType))) scratch.set(type, next + scratch.size);
  if (charges.length > MAX_QUIET_REGIONS) quiet.clear();
  return { charges, quiet, nans, scratch, gas: quiet.size > 0 ? next + scratch.size : undefined };
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

/** A block that is open, or the function itself. */
interface Frame {
  /** Whether its inside lies in a quiet loop. */
  readonly quiet: boolean;
  /** Whether gas comes to its end that only the local knows of. */
  unsettled: boolean;
}

/**
 * In a function with a local for the gas, the local always has what is left, and the global has it too outside quiet
 * loops: for whoever is called, and for the host. An engine's trap inside a quiet loop finds an older value there, which
 * is why a fault costs the whole limit.
 */
interface Emission {
  readonly w: Writer;
  readonly input: BodyInput;
  readonly survey: Survey;
  /** The function, then the blocks open inside it. */
  readonly frames: Frame[];
  loops: number;
  /** Of the instruction that comes next. */
  ordinal: number;
}

function frame(e: Emission): Frame {
  return defined(e.frames.at(-1), 'an open block');
}

function charge(e: Emission, region: number): void {
  const amount = regionGas(defined(e.survey.charges[region], 'the charge of a region'));
  const { gas } = e.survey;
  if (gas === undefined)
    putCharge(e.w, e.input.added, (w) => {
      putI64(w, amount);
    });
  else putLocalCharge(e.w, e.input.added, amount, { local: gas, first: region === 0, quiet: frame(e).quiet });
}

function openFrame(e: Emission, quiet: boolean): void {
  e.frames.push({ quiet: quiet || frame(e).quiet, unsettled: false });
}

/** Somebody else has charged. */
function reload(e: Emission): void {
  if (e.survey.gas !== undefined) putGasIn(e.w, e.input.added, e.survey.gas);
}

function settle(e: Emission): void {
  putGasOut(e.w, e.input.added, defined(e.survey.gas, 'the local for the gas'));
}

/** A branch out of a quiet loop: whoever it reaches settles. A loop's header settles by its own charge. */
function leave(e: Emission, depth: number): void {
  const target = defined(e.frames[e.frames.length - 1 - depth], 'a checked label');
  if (frame(e).quiet && !target.quiet) target.unsettled = true;
}

/** Whether the function's code is inside a block of its own, so that all that leaves it comes by one place. */
function isWrapped(e: Emission): boolean {
  return e.input.facts.calls || e.survey.gas !== undefined;
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
      openFrame(e, e.survey.quiet.has(++e.loops));
      charge(e, e.loops);
      return;
    case OP.block:
    case OP.if:
      openFrame(e, false);
      break;
    case OP.end:
      end(e, it);
      return;
    case OP.br:
    case OP.brIf:
      leave(e, it.a);
      break;
    case OP.brTable:
      for (const depth of new Set(it.list)) leave(e, depth);
      break;
    case OP.return:
      if (!isWrapped(e)) break;
      leave(e, e.frames.length - 1);
      putIndexed(w, OP.br, e.frames.length - 1);
      return;
    case OP.unreachable:
      if (frame(e).quiet) settle(e);
      putI32(w, TRAP.unreachable);
      putIndexed(w, OP.globalSet, added.trap);
      break;
    case OP.call:
    case OP.callIndirect:
      copy(e, it);
      reload(e);
      return;
    case OP.memoryGrow:
      putIndexed(w, OP.call, added.grow);
      reload(e);
      return;
    case OP.memoryCopy:
    case OP.memoryFill:
    case OP.memoryInit:
      putIndexed(w, OP.call, added.chargeBytes);
      reload(e);
      break;
    case OP.tableCopy:
    case OP.tableInit:
      putIndexed(w, OP.call, added.chargeEntries);
      reload(e);
      break;
  }
  copy(e, it);
}

function end(e: Emission, it: Instruction): void {
  const { input, w } = e;
  const closed = defined(e.frames.pop(), 'an open block');
  const outside = e.frames.at(-1);
  if (outside !== undefined) {
    copy(e, it);
    if (closed.unsettled || (closed.quiet && !outside.quiet)) settle(e);
    return;
  }
  if (isWrapped(e)) put(w, OP.end);
  if (closed.unsettled) settle(e);
  if (input.facts.calls) putLeaveFrame(w, input.added, frameWeight(input.facts));
  put(w, OP.end);
}

/** The new body: locals, instructions, end. The module must have been checked. */
export function rewriteBody(input: BodyInput): Uint8Array {
  const w = writer(2 * (input.body.code.end - input.body.code.start) + 128);
  const surveyed = survey(input);
  const gas = surveyed.gas === undefined ? [] : [I64];
  putLocals(w, [...input.body.locals, ...surveyed.scratch.keys(), ...gas]);
  const frames = [{ quiet: false, unsettled: false }];
  const e: Emission = { w, input, survey: surveyed, frames, loops: 0, ordinal: 0 };
  charge(e, 0);
  putEnterFrame(w, input.added, frameWeight(input.facts), input.facts.calls);
  if (isWrapped(e)) {
    // Everything that leaves the function leaves this block instead: frame's weight and gas are given back in one place.
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
