/** Who misses too many blocks is slashed and jailed (x/slashing/keeper/infractions.go of v0.50). */
import { FLAG_ABSENT } from '#core/types/commit.ts';
import { addNanos, type Timestamp } from '#core/types/timestamp.ts';
import type { Params } from '#proto/gen/cosmos/slashing/v1beta1/slashing_pb.ts';
import type { BlockContext } from '../../context.ts';
import { formatConsensus } from '../staking/addresses.ts';
import { slash } from '../staking/slash.ts';
import { getValidatorByConsensus, isActive, type Scope, STAKING_STORE } from '../staking/state.ts';
import { jailValidator } from '../staking/validators.ts';
import {
  bytesDec,
  clearMissed,
  getParams,
  hasMissed,
  minSigned,
  SLASHING_STORE,
  setMissed,
  signingInfos,
} from './state.ts';

/** Blocks between an update of the validators and the first that they sign (types/staking.go). */
export const VALIDATOR_UPDATE_DELAY = 1n;

export interface Punishment {
  readonly reason: 'double_sign' | 'missing_signature';
  /** Of the stake that signed. */
  readonly height: bigint;
  readonly power: bigint;
  readonly fraction: bigint;
}

/** Slashes, and jails who is not jailed yet. */
export function punish(scope: Scope, consensusAddress: Uint8Array, punishment: Punishment): void {
  const { reason, height, power, fraction } = punishment;
  const address = formatConsensus(scope.chain, consensusAddress);
  const burned = slash(scope, consensusAddress, { height, power, fraction });
  const validator = getValidatorByConsensus(scope.state.store(STAKING_STORE), consensusAddress);
  const jailing = validator !== undefined && !validator.jailed;
  if (jailing) jailValidator(scope, validator);
  // v0.50 tells both at once for who was down (x/slashing), and one after the other for who signed twice (x/evidence).
  const jailed = jailing ? [['jailed', address] as const] : [];
  const isDown = reason === 'missing_signature';
  scope.events.emit('slash', [
    ['address', address],
    ['power', String(power)],
    ['reason', reason],
    ...(isDown ? jailed : []),
    ['burned_coins', String(burned)],
  ]);
  if (!isDown && jailing) scope.events.emit('slash', jailed);
}

function durationNanos(duration: { readonly seconds: bigint; readonly nanos: number } | undefined): bigint {
  return (duration?.seconds ?? 0n) * 1_000_000_000n + BigInt(duration?.nanos ?? 0);
}

interface Vote {
  readonly address: Uint8Array;
  readonly power: bigint;
  readonly signed: boolean;
}

function countVote(scope: Scope, params: Params, { address, power, signed }: Vote): void {
  const store = scope.state.store(SLASHING_STORE);
  const info = signingInfos.get(store, address);
  if (info === undefined) return;
  const window = params.signedBlocksWindow;
  const index = info.indexOffset % window;
  const validator = getValidatorByConsensus(scope.state.store(STAKING_STORE), address);
  // The jailed are still asked for a block or two: nothing of that is counted.
  if (validator?.jailed === true) return;
  const missed = !signed;
  const before = hasMissed(store, address, index);
  if (missed !== before) setMissed(store, address, index, missed);
  let counter = info.missedBlocksCounter + (missed ? 1n : 0n) - (before ? 1n : 0n);
  let indexOffset = info.indexOffset + 1n;
  let jailedUntil: Timestamp | undefined;
  const { height, time } = scope.block;
  if (missed)
    scope.events.emit('liveness', [
      ['address', formatConsensus(scope.chain, address)],
      ['missed_blocks', String(counter)],
      ['height', String(height)],
    ]);
  const isOld = height > info.startHeight + window;
  if (isOld && counter > window - minSigned(params) && validator !== undefined) {
    punish(scope, address, {
      reason: 'missing_signature',
      height: height - VALIDATOR_UPDATE_DELAY - 1n,
      power,
      fraction: bytesDec(params.slashFractionDowntime),
    });
    jailedUntil = addNanos(time, durationNanos(params.downtimeJailDuration));
    // A new window begins when it comes back.
    counter = 0n;
    indexOffset = 0n;
    clearMissed(store, address);
  }
  const next = { ...info, indexOffset, missedBlocksCounter: counter };
  signingInfos.set(store, address, jailedUntil === undefined ? next : { ...next, jailedUntil });
}

export function beginSlashing(context: BlockContext): void {
  if (!isActive(context.state.store(STAKING_STORE))) return;
  const params = getParams(context.state.store(SLASHING_STORE));
  for (const { validator, flag } of context.lastCommit.votes)
    countVote(context, params, {
      address: validator.address,
      power: validator.power,
      signed: flag !== FLAG_ABSENT,
    });
}
