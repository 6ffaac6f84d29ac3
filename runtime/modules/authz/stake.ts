/** StakeAuthorization: staking messages of one type, with some validators, up to an amount (x/staking/types/authz.go of v0.50). */
import { assertNever } from '#core/assert.ts';
import { authzError } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import { CoinSchema } from '#proto/gen/cosmos/base/v1beta1/coin_pb.ts';
import {
  AuthorizationType,
  type StakeAuthorization,
  StakeAuthorizationSchema,
} from '#proto/gen/cosmos/staking/v1beta1/authz_pb.ts';
import * as tx from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { create, pack, typeUrlOf } from '#proto/message.ts';
import { parseAddress } from '../../address.ts';
import { isDenom, parseAmount } from '../../coins.ts';
import type { ChainParams, MessageContext, OpenMessage } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import { RUNTIME_LIMITS } from '../../limits.ts';
import { authorizationKind } from './kind.ts';

type ProtoCoin = { readonly denom: string; readonly amount: string };

function typeUrlFor(type: AuthorizationType): Result<string> {
  switch (type) {
    case AuthorizationType.DELEGATE:
      return ok(typeUrlOf(tx.MsgDelegateSchema));
    case AuthorizationType.UNDELEGATE:
      return ok(typeUrlOf(tx.MsgUndelegateSchema));
    case AuthorizationType.REDELEGATE:
      return ok(typeUrlOf(tx.MsgBeginRedelegateSchema));
    case AuthorizationType.CANCEL_UNBONDING_DELEGATION:
      return ok(typeUrlOf(tx.MsgCancelUnbondingDelegationSchema));
    default:
      // Any number can stand in an enum's field.
      return err(
        authzError('unknownAuthorizationType', `unknown authorization type ${type}: unknown authorization type`),
      );
  }
}

function read({ authorizationType, maxTokens, validators }: StakeAuthorization, chain: ChainParams): Result<string> {
  if (maxTokens !== undefined) {
    const amount = parseAmount(maxTokens.amount, 'max_tokens');
    if (!amount.ok) return err(authzError('negativeMaxTokens', `${amount.error}: max tokens should be positive`));
    if (!isDenom(maxTokens.denom)) return failSdk('invalidCoins', 'max_tokens: not a denomination');
  }
  const list = validators.value?.address ?? [];
  if (list.length > RUNTIME_LIMITS.maxAllowedAddresses)
    return failSdk('invalidRequest', `validators: ${list.length} exceed ${RUNTIME_LIMITS.maxAllowedAddresses}`);
  for (const [i, text] of list.entries()) {
    const address = parseAddress({ bech32Prefix: `${chain.bech32Prefix}valoper` }, text, `validators[${i}]`);
    if (!address.ok) return address;
  }
  return typeUrlFor(authorizationType);
}

interface Stake {
  readonly validator: string;
  readonly amount: ProtoCoin | undefined;
}

function stakeOf(type: AuthorizationType, message: unknown): Stake {
  if (type === AuthorizationType.REDELEGATE) {
    const { validatorDstAddress, amount } = message as tx.MsgBeginRedelegate;
    return { validator: validatorDstAddress, amount };
  }
  const { validatorAddress, amount } = message as tx.MsgDelegate | tx.MsgUndelegate | tx.MsgCancelUnbondingDelegation;
  return { validator: validatorAddress, amount };
}

/** x/staking gasCostPerIteration. */
const GAS_PER_VALIDATOR = 10n;

function checkValidator(context: MessageContext, { validators }: StakeAuthorization, validator: string): Result<void> {
  const list = validators.value?.address ?? [];
  context.gas.consume(GAS_PER_VALIDATOR * BigInt(list.length), 'stake authorization');
  // Bech32 in lower case has one text for an address.
  const isListed = list.some((one) => one.toLowerCase() === validator.toLowerCase());
  const refusal = failSdk('unauthorized', `cannot delegate/undelegate to ${validator.slice(0, 200)} validator`);
  switch (validators.case) {
    case 'allowList':
      return list.length === 0 || isListed ? ok(undefined) : refusal;
    case 'denyList':
      return isListed ? refusal : ok(undefined);
    case undefined:
      return ok(undefined);
    default:
      return assertNever(validators, 'list of validators');
  }
}

/** The fields that use does not change. */
function remade({ validators, authorizationType }: StakeAuthorization) {
  return validators.case === undefined ? { authorizationType } : { authorizationType, validators };
}

function accept(context: MessageContext, authorization: StakeAuthorization, { message }: OpenMessage) {
  const { validator, amount: coin } = stakeOf(authorization.authorizationType, message);
  const allowed = checkValidator(context, authorization, validator);
  if (!allowed.ok) return allowed;
  const { maxTokens } = authorization;
  if (maxTokens === undefined) return ok('as it is' as const);
  const wanted = parseAmount(coin?.amount ?? '', 'amount');
  const most = parseAmount(maxTokens.amount, 'max_tokens');
  if (!wanted.ok || !most.ok || coin?.denom !== maxTokens.denom)
    return failSdk('invalidCoins', `amount: expected ${maxTokens.denom}`);
  const left = most.value - wanted.value;
  if (left < 0n) return failSdk('insufficientFunds', 'amount is more than max tokens');
  if (left === 0n) return ok(undefined);
  const rest = create(CoinSchema, { denom: maxTokens.denom, amount: String(left) });
  return ok(pack(StakeAuthorizationSchema, { ...remade(authorization), maxTokens: rest }));
}

export const stakeAuthorization = authorizationKind({ schema: StakeAuthorizationSchema, read, accept });
