/** What a call ends in. See `docs/model-abi.md` for when each comes about. */
import { assertNever } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';

export const GUEST_ERROR = {
  returnedError: 1,
  errorNotUtf8: 2,
  errorTooLong: 3,
  resultOutOfRange: 4,
  resultBadTag: 5,
  inputOutOfRange: 6,
  outputTooLarge: 7,
} as const;
export type GuestErrorCode = (typeof GUEST_ERROR)[keyof typeof GUEST_ERROR];

export const TRAP_KIND = { unreachable: 1, stackOverflow: 2, fault: 3 } as const;
export type TrapKind = (typeof TRAP_KIND)[keyof typeof TRAP_KIND];

/** A result: the same on every machine for the same module, input, seed, gas limit and limits. */
export type Outcome = { readonly gasUsed: bigint /** 32 bytes. */; readonly traceRoot: Uint8Array } & (
  | { readonly kind: 'ok'; readonly output: Uint8Array }
  | {
      readonly kind: 'guest-error';
      readonly code: GuestErrorCode;
      /** UTF-8, for {@link GUEST_ERROR.returnedError} alone; else empty. */
      readonly message: Uint8Array;
    }
  | { readonly kind: 'trap'; readonly code: TrapKind }
  | { readonly kind: 'out-of-gas' }
);

export type HostFaultReason =
  /** The call took longer than the operator allows. */
  | 'timeout'
  /** The child process ended during the call, twice. */
  | 'child-lost'
  /** The engine ran out of stack, or threw what WebAssembly does not know. */
  | 'engine'
  /** The engine refused memory that the rules allow. */
  | 'memory-refused'
  /** The engine or the component tools disagree with our verdict on the module. */
  | 'disagreement'
  /** The component's bytes could not be had, or are not those of the hash. */
  | 'component-unavailable'
  /** The pool's queue is full, or the pool is closed. */
  | 'unavailable';

/** Never a result: whoever gets it abstains, and tells the operator. */
export interface HostFault {
  readonly kind: 'host-fault';
  readonly reason: HostFaultReason;
  /** For the operator's log; it never enters a result. */
  readonly detail: string;
}

export type ExecutionOutcome = Outcome | HostFault;

export function hostFault(reason: HostFaultReason, detail: string): HostFault {
  return { kind: 'host-fault', reason, detail };
}

/** The byte that stands for the kind in hashes. */
export function outcomeKindByte(outcome: Outcome): 0 | 1 | 2 | 3 {
  switch (outcome.kind) {
    case 'ok':
      return 0;
    case 'guest-error':
      return 1;
    case 'trap':
      return 2;
    case 'out-of-gas':
      return 3;
    default:
      return assertNever(outcome, 'outcome');
  }
}

/** u32; 0 where the kind has no code. */
export function outcomeCode(outcome: Outcome): number {
  return outcome.kind === 'guest-error' || outcome.kind === 'trap' ? outcome.code : 0;
}

/** The output of `ok`, the message of a returned error, else empty. */
export function outcomeOutput(outcome: Outcome): Uint8Array {
  if (outcome.kind === 'ok') return outcome.output;
  return outcome.kind === 'guest-error' ? outcome.message : EMPTY;
}

const TRAP_NAMES: Readonly<Record<TrapKind, string>> = { 1: 'unreachable', 2: 'stack-overflow', 3: 'fault' };
const GUEST_ERROR_NAMES: Readonly<Record<GuestErrorCode, string>> = {
  1: 'returned-error',
  2: 'error-not-utf8',
  3: 'error-too-long',
  4: 'result-out-of-range',
  5: 'result-bad-tag',
  6: 'input-out-of-range',
  7: 'output-too-large',
};

/** For people: `ok`, `guest-error(output-too-large)`, `trap(stack-overflow)`, `out-of-gas`, `host-fault(timeout)`. */
export function outcomeName(outcome: ExecutionOutcome): string {
  switch (outcome.kind) {
    case 'guest-error':
      return `guest-error(${GUEST_ERROR_NAMES[outcome.code]})`;
    case 'trap':
      return `trap(${TRAP_NAMES[outcome.code]})`;
    case 'host-fault':
      return `host-fault(${outcome.reason})`;
    default:
      return outcome.kind;
  }
}
