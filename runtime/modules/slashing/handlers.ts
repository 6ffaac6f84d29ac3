import { DEC_ONE, decTruncate } from '#core/dec.ts';
import { err, ok, type Result } from '#core/result.ts';
import { compareTime } from '#core/types/timestamp.ts';
import type { Params } from '#proto/gen/cosmos/slashing/v1beta1/slashing_pb.ts';
import * as tx from '#proto/gen/cosmos/slashing/v1beta1/tx_pb.ts';
import { authoritySigners, authorizedParams } from '../../authority.ts';
import type { MessageContext } from '../../context.ts';
import { type MessageHandler, messageHandler, signedBy } from '../../module.ts';
import { parseOperator } from '../staking/addresses.ts';
import { failStaking } from '../staking/errors.ts';
import { consensusAddressOf } from '../staking/records.ts';
import { tokensOf } from '../staking/shares.ts';
import { getShares, getValidator, STAKING_STORE } from '../staking/state.ts';
import { unjailValidator } from '../staking/validators.ts';
import { failSlashing } from './errors.ts';
import { bytesDec, getParams, restartWindows, SLASHING_STORE, signingInfos, slashingParams } from './state.ts';

/** x/slashing/keeper/unjail.go of v0.50. */
function unjail(context: MessageContext, message: tx.MsgUnjail): Result<Record<string, never>> {
  const operator = parseOperator(context.chain, message.validatorAddr, 'validator_addr');
  if (!operator.ok) return operator;
  const staking = context.state.store(STAKING_STORE);
  const validator = getValidator(staking, operator.value);
  // Staking's own refusals, as v0.50 answers.
  if (validator === undefined) return failStaking('noValidatorFound');
  const shares = getShares(staking, operator.value, operator.value);
  if (shares === undefined) return failStaking('noDelegation');
  const tokens = decTruncate(tokensOf(validator, shares));
  const { minSelfDelegation } = validator;
  if (tokens < minSelfDelegation)
    return failSlashing('selfDelegationTooLowToUnjail', `${tokens} less than ${minSelfDelegation}`);
  if (!validator.jailed) return failSlashing('validatorNotJailed');
  const info = signingInfos.get(context.state.store(SLASHING_STORE), consensusAddressOf(validator));
  // Without an info it was never bonded: it has jailed itself by taking its own stake away.
  if (info?.tombstoned === true) return failSlashing('validatorJailed');
  if (info?.jailedUntil !== undefined && compareTime(context.block.time, info.jailedUntil) < 0)
    return failSlashing('validatorJailed');
  unjailValidator(context, validator);
  return ok({});
}

function fraction(bytes: Uint8Array, title: string): Result<bigint, string> {
  const isNumber = bytes.length > 0 && bytes.length < 100 && bytes.every((byte) => byte >= 48 && byte <= 57);
  const value = isNumber ? bytesDec(bytes) : undefined;
  return value === undefined || value > DEC_ONE ? err(`${title}: expected 0 … 1`) : ok(value);
}

/** A window is a bit array for each validator. */
const MAX_WINDOW = 10_000_000n;
const MAX_JAIL_SECONDS = 3_162_240_000n;

/** x/slashing/types/params.go Validate, and the limits of this chain. Failure: a sentence that names the field. */
export function checkParams(params: Params): Result<void, string> {
  const { signedBlocksWindow: window, downtimeJailDuration: jail } = params;
  if (window <= 0n || window > MAX_WINDOW)
    return err(`signed_blocks_window: expected 1 … ${MAX_WINDOW}, got ${window}`);
  const least = fraction(params.minSignedPerWindow, 'min_signed_per_window');
  if (!least.ok) return least;
  const doubleSign = fraction(params.slashFractionDoubleSign, 'slash_fraction_double_sign');
  if (!doubleSign.ok) return doubleSign;
  const downtime = fraction(params.slashFractionDowntime, 'slash_fraction_downtime');
  if (!downtime.ok) return downtime;
  const seconds = jail?.seconds ?? 0n;
  return seconds < 0n || seconds > MAX_JAIL_SECONDS || (jail?.nanos ?? 0) < 0 || (seconds === 0n && jail?.nanos === 0)
    ? err('downtime_jail_duration: expected more than 0, at most 100 years')
    : ok(undefined);
}

export const slashingMessages: readonly MessageHandler[] = [
  messageHandler({
    schema: tx.MsgUnjailSchema,
    response: tx.MsgUnjailResponseSchema,
    signers: (message, chain) => signedBy(parseOperator(chain, message.validatorAddr, 'validator_addr')),
    handle: unjail,
  }),
  messageHandler({
    schema: tx.MsgUpdateParamsSchema,
    response: tx.MsgUpdateParamsResponseSchema,
    signers: (message, chain) => authoritySigners(chain, message.authority),
    handle(context, message) {
      const params = authorizedParams(context.chain, message, checkParams);
      if (!params.ok) return params;
      const store = context.state.store(SLASHING_STORE);
      if (params.value.signedBlocksWindow < getParams(store).signedBlocksWindow) restartWindows(store);
      slashingParams.set(store, params.value);
      return ok({});
    },
  }),
];
