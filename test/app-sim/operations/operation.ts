/** What an operation is: one kind of transaction that somebody may send, made for the state as it is. */
import { maxBig } from '#core/int.ts';
import { formatOperator } from '#runtime/modules/staking/addresses.ts';
import type { Rng } from '#test/sim/rng.ts';
import type { Census } from '../census.ts';
import { type Actor, DENOM, PREFIX } from '../scenario.ts';

export interface Message {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

export interface Scene {
  readonly rng: Rng;
  readonly census: Census;
  /** Who may sign. */
  readonly actors: readonly Actor[];
  /** Whether something of theirs stands before this in the block: what they grant there, the committed state does not know. */
  hasSigned(actor: Actor): boolean;
  /** Somebody who has no account yet; from now on among the actors. */
  newcomer(): Actor;
  /** A consensus key that was never used before. */
  freshConsensusKey(): number;
}

export interface Draft {
  readonly signer: Actor;
  readonly messages: readonly Message[];
  readonly gasLimit?: bigint;
}

export interface Operation {
  readonly name: string;
  /** How often among the others. */
  readonly weight: number;
  /** Undefined: nothing in this state that it could be about. */
  make(scene: Scene): Draft | undefined;
  /** It can never succeed; a run does not wait for it to. */
  readonly refused?: true;
}

export const coin = (amount: bigint, denom: string = DENOM) => ({ denom, amount: String(amount) });

export const operatorText = (operator: Uint8Array): string => formatOperator(PREFIX, operator);

export function pickFrom<T>(rng: Rng, list: readonly T[]): T | undefined {
  return list.length === 0 ? undefined : rng.pick(list);
}

/** Somebody, without a reason. */
export function somebody({ rng, actors }: Scene): Actor {
  return rng.pick(actors);
}

/** Mostly a small part of `whole`, sometimes its edges, sometimes more than there is. */
export function amountOf(rng: Rng, whole: bigint): bigint {
  const size = rng.below(20);
  if (size === 0) return 1n;
  if (size === 1) return whole;
  if (size === 2) return whole + BigInt(1 + rng.below(1_000));
  if (size === 3) return 0n;
  const part = size < 12 ? 1_000n : 7n;
  return maxBig((whole * BigInt(1 + rng.below(1_000))) / (part * 1_000n), 1n);
}

/** What most transfers are of: so little that people do not run dry in thousands of blocks. */
export function smallAmount(rng: Rng): bigint {
  const size = rng.below(24);
  if (size === 0) return 0n;
  if (size === 1) return 1n << 100n;
  return BigInt(1 + rng.below(size < 18 ? 20_000 : 5_000_000));
}
