/**
 * Running a rewritten model in this thread through the WebAssembly API, in Node and in browsers alike. What is decided
 * here is what an outcome is; how a call is killed when the engine misbehaves is its caller's business.
 */
import { assert } from '#core/assert.ts';
import { EMPTY, fromUtf8 } from '#core/bytes.ts';
import { vmError } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import { TRAIN_STEP } from './component.ts';
import { CALL_GAS, PAGE_GAS } from './gas-table.ts';
import { DESCRIBE_GAS, MAX_DESCRIBE_BYTES, MAX_ERROR_BYTES, MAX_GAS_LIMIT } from './limits.ts';
import {
  type ExecutionOutcome,
  GUEST_ERROR,
  type GuestErrorCode,
  type HostFault,
  type HostFaultReason,
  hostFault,
  type Outcome,
  outcomeCode,
  outcomeKindByte,
  outcomeName,
  TRAP_KIND,
  type TrapKind,
} from './outcome.ts';
import { RESERVED, TRAP } from './reserved.ts';
import { fullTrace, globalBytes, memoryRoot, type PageHash, portablePageHash, shortTrace } from './trace.ts';
import type { GlobalType } from './wasm/types.ts';

/** An instance of a rewritten module, seen through the exports that its host needs. */
export interface Guest {
  readonly memory: WebAssembly.Memory;
  readonly gas: WebAssembly.Global;
  readonly trap: WebAssembly.Global;
  readonly globalWord: (index: number) => bigint;
  readonly realloc: (oldPointer: number, oldSize: number, align: number, newSize: number) => number;
  readonly describe: () => number;
  readonly infer: (pointer: number, length: number, seed: bigint) => number;
  /** Of a model of world `trainable-model` alone. */
  readonly trainStep: TrainStep | undefined;
}

type TrainStep = (weights: number, weightsLength: number, data: number, dataLength: number, seed: bigint) => number;

/** What bounds a call, whichever it is. */
export interface CallBounds {
  readonly gasLimit: bigint;
  /** Bytes; a longer output is a guest error. */
  readonly maxOutputBytes: number;
  /** Types of the module's own globals. */
  readonly globals: readonly GlobalType[];
}

export interface CallRequest extends CallBounds {
  readonly input: Uint8Array;
  /** u64. */
  readonly seed: bigint;
}

export interface TrainRequest extends CallBounds {
  readonly weights: Uint8Array;
  readonly data: Uint8Array;
  /** u64. */
  readonly seed: bigint;
}

/** How a call ended, before its trace has been computed. */
type Ending =
  | { readonly kind: 'ok'; readonly output: Uint8Array }
  | { readonly kind: 'guest-error'; readonly code: GuestErrorCode; readonly message: Uint8Array }
  | { readonly kind: 'trap'; readonly code: TrapKind }
  | { readonly kind: 'out-of-gas' }
  | HostFault;

/**
 * One call. `realloc` and `infer` or `trainStep` stand for the guest's exports of those names: whoever drives the call (this
 * module, or the pinned component glue) calls them in this order, `realloc` once a list, which it writes at once. When the
 * call has ended otherwise than by a good result they throw
 * {@link STOP}.
 */
export interface OpenCall {
  readonly realloc: (oldPointer: number, oldSize: number, align: number, newSize: number) => number;
  readonly infer: (pointer: number, length: number, seed: bigint) => number;
  readonly trainStep: TrainStep;
  /** After `infer` has returned, or anything has thrown. */
  readonly finish: (pageHash?: PageHash) => ExecutionOutcome;
}

/** Thrown by {@link OpenCall} to whoever drives the call: it has ended. */
const STOP: unique symbol = Symbol('the call has ended');

/** Reads the exports of an instance of a rewritten module. */
function guestOf(instance: WebAssembly.Instance): Guest {
  const exports = instance.exports as Record<string, unknown>;
  return {
    memory: exports[RESERVED.memory] as WebAssembly.Memory,
    gas: exports[RESERVED.gas] as WebAssembly.Global,
    trap: exports[RESERVED.trap] as WebAssembly.Global,
    globalWord: exports[RESERVED.global] as (index: number) => bigint,
    realloc: exports.cabi_realloc as Guest['realloc'],
    describe: exports.describe as Guest['describe'],
    infer: exports.infer as Guest['infer'],
    trainStep: exports[TRAIN_STEP] as TrainStep | undefined,
  };
}

/** Whatever the engine threw, as an ending. Its message is for the operator's log and nothing else. */
function thrown(guest: Guest, error: unknown): Ending {
  if (!(error instanceof WebAssembly.RuntimeError)) return hostFault('engine', String(error));
  switch (guest.trap.value as number) {
    case TRAP.outOfGas:
      return { kind: 'out-of-gas' };
    case TRAP.stackOverflow:
      return { kind: 'trap', code: TRAP_KIND.stackOverflow };
    case TRAP.unreachable:
      return { kind: 'trap', code: TRAP_KIND.unreachable };
    case TRAP.growthRefused:
      return hostFault('memory-refused', 'memory.grow failed below the bound');
    default:
      return { kind: 'trap', code: TRAP_KIND.fault };
  }
}

function guestError(code: GuestErrorCode): Ending {
  return { kind: 'guest-error', code, message: EMPTY };
}

function isUtf8(bytes: Uint8Array): boolean {
  try {
    fromUtf8(bytes);
    return true;
  } catch {
    return false;
  }
}

/** A pair of u32: where a list lies. */
function listAt(memory: DataView, at: number): { readonly pointer: number; readonly length: number } {
  return { pointer: memory.getUint32(at, true), length: memory.getUint32(at + 4, true) };
}

/** The result area that `infer` returned, read by ourselves: the glue clamps lists that reach beyond memory. */
function readResult(memory: ArrayBuffer, area: number, maxOutputBytes: number): Ending {
  if ((area & 3) !== 0 || area + 12 > memory.byteLength) return guestError(GUEST_ERROR.resultOutOfRange);
  const view = new DataView(memory);
  const tag = view.getUint8(area);
  if (tag > 1) return guestError(GUEST_ERROR.resultBadTag);
  const { pointer, length } = listAt(view, area + 4);
  if (tag === 0 && length > maxOutputBytes) return guestError(GUEST_ERROR.outputTooLarge);
  if (tag === 1 && length > MAX_ERROR_BYTES) return guestError(GUEST_ERROR.errorTooLong);
  if (pointer + length > memory.byteLength) return guestError(GUEST_ERROR.resultOutOfRange);
  const bytes = new Uint8Array(memory, pointer, length).slice();
  if (tag === 0) return { kind: 'ok', output: bytes };
  if (!isUtf8(bytes)) return guestError(GUEST_ERROR.errorNotUtf8);
  return { kind: 'guest-error', code: GUEST_ERROR.returnedError, message: bytes };
}

function buffer(guest: Guest): ArrayBuffer {
  return guest.memory.buffer as ArrayBuffer;
}

/** What the call costs before the guest's first instruction, and what is left of the limit after it (maybe negative). */
function startGas(guest: Guest, gasLimit: bigint): bigint {
  assert(gasLimit >= 0n && gasLimit <= MAX_GAS_LIMIT, `gas limit ${gasLimit}: expected 0 to ${MAX_GAS_LIMIT}`);
  const pages = BigInt(buffer(guest).byteLength >>> 16);
  const left = gasLimit - CALL_GAS - pages * PAGE_GAS;
  guest.gas.value = left;
  return left;
}

/** Where the engine trapped, the rewriter's code may have had the gas in a local: what a fault costs is the whole limit. */
function usesAll(ending: Ending): boolean {
  return ending.kind === 'out-of-gas' || (ending.kind === 'trap' && ending.code === TRAP_KIND.fault);
}

function conclude(guest: Guest, call: CallBounds, ending: Ending, pageHash: PageHash): ExecutionOutcome {
  if (ending.kind === 'host-fault') return ending;
  const gasUsed = usesAll(ending) ? call.gasLimit : call.gasLimit - (guest.gas.value as bigint);
  if (ending.kind === 'ok' || (ending.kind === 'guest-error' && ending.code === GUEST_ERROR.returnedError)) {
    const globals = globalBytes(call.globals, guest.globalWord);
    return { ...ending, gasUsed, traceRoot: fullTrace(memoryRoot(buffer(guest), pageHash), globals, gasUsed) };
  }
  const bare: Outcome = { ...ending, gasUsed, traceRoot: EMPTY };
  return { ...bare, traceRoot: shortTrace(outcomeKindByte(bare), outcomeCode(bare), gasUsed) };
}

export function openCall(guest: Guest, call: CallBounds): OpenCall {
  let ending: Ending | undefined = startGas(guest, call.gasLimit) < 0n ? { kind: 'out-of-gas' } : undefined;
  const stop = (how: Ending): never => {
    ending = how;
    throw STOP;
  };
  const run = (body: () => number): number => {
    if (ending !== undefined) throw STOP;
    try {
      return body() >>> 0;
    } catch (error) {
      return stop(thrown(guest, error));
    }
  };
  const end = (body: () => number): number => {
    const area = run(body);
    ending = readResult(buffer(guest), area, call.maxOutputBytes);
    if (ending.kind !== 'ok') throw STOP;
    return area;
  };
  return {
    realloc: (oldPointer, oldSize, align, newSize) => {
      const pointer = run(() => guest.realloc(oldPointer, oldSize, align, newSize));
      if (pointer + newSize > buffer(guest).byteLength) stop(guestError(GUEST_ERROR.inputOutOfRange));
      return pointer;
    },
    infer: (pointer, length, seed) => end(() => guest.infer(pointer, length, seed)),
    trainStep: (...operands) => {
      const { trainStep } = guest;
      if (trainStep === undefined)
        return stop(hostFault('disagreement', 'a step of training of a model that has none'));
      return end(() => trainStep(...operands));
    },
    finish: (pageHash = portablePageHash) =>
      conclude(guest, call, ending ?? hostFault('disagreement', 'the call was never driven to its end'), pageHash),
  };
}

/** Where the guest wants a list, once it lies there. */
function lower(guest: Guest, open: OpenCall, list: Uint8Array): number {
  const pointer = open.realloc(0, 0, 1, list.length);
  new Uint8Array(buffer(guest), pointer, list.length).set(list);
  return pointer;
}

function drive(open: OpenCall, body: () => void, pageHash: PageHash | undefined): ExecutionOutcome {
  try {
    body();
  } catch (error) {
    if (error !== STOP) return hostFault('engine', String(error));
  }
  return open.finish(pageHash);
}

/** Drives a call without component glue: the canonical ABI of these worlds is a few steps. */
export function runInfer(guest: Guest, call: CallRequest, pageHash?: PageHash): ExecutionOutcome {
  const { input, seed } = call;
  const open = openCall(guest, call);
  const body = () => open.infer(lower(guest, open, input), input.length, BigInt.asIntN(64, seed));
  return drive(open, body, pageHash);
}

/** One step of training, likewise: the output is the new weights. */
export function runTrainStep(guest: Guest, call: TrainRequest, pageHash?: PageHash): ExecutionOutcome {
  const { weights, data, seed } = call;
  const open = openCall(guest, call);
  const body = () => {
    const from = lower(guest, open, weights);
    open.trainStep(from, weights.length, lower(guest, open, data), data.length, BigInt.asIntN(64, seed));
  };
  return drive(open, body, pageHash);
}

/** The model's description of itself, or why there is none. */
export function runDescribe(guest: Guest): Result<string> {
  startGas(guest, DESCRIBE_GAS);
  let area: number;
  try {
    area = guest.describe() >>> 0;
  } catch (error) {
    const ending = conclude(guest, DESCRIBE_CALL, thrown(guest, error), portablePageHash);
    const kind = ending.kind === 'host-fault' ? 'hostFault' : 'describe';
    return err(vmError(kind, `describe ended in ${outcomeName(ending)}`));
  }
  return readDescription(buffer(guest), area);
}

const DESCRIBE_CALL: CallRequest = { input: EMPTY, seed: 0n, gasLimit: DESCRIBE_GAS, maxOutputBytes: 0, globals: [] };

function readDescription(memory: ArrayBuffer, area: number): Result<string> {
  if ((area & 3) !== 0 || area + 8 > memory.byteLength)
    return err(vmError('describe', `describe returned address ${area}, expected a multiple of 4 inside memory`));
  const { pointer, length } = listAt(new DataView(memory), area);
  if (length > MAX_DESCRIBE_BYTES)
    return err(vmError('describe', `description of ${length} bytes, expected at most ${MAX_DESCRIBE_BYTES}`));
  if (pointer + length > memory.byteLength)
    return err(vmError('describe', `description at ${pointer} of ${length} bytes reaches beyond memory`));
  try {
    return ok(fromUtf8(new Uint8Array(memory, pointer, length).slice()));
  } catch {
    return err(vmError('describe', 'description expected to be UTF-8'));
  }
}

/**
 * Instantiates a compiled rewritten module. The engine may lack memory for it: a host fault.
 * Admission has excluded everything else that can go wrong here.
 */
export function instantiate(module: WebAssembly.Module): Result<Guest, HostFault> {
  try {
    return ok(guestOf(new WebAssembly.Instance(module, {})));
  } catch (error) {
    const reason: HostFaultReason = error instanceof RangeError ? 'memory-refused' : 'disagreement';
    return err(hostFault(reason, `instantiation: ${String(error)}`));
  }
}
