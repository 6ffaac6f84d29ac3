import { ERRORS } from '#core/errors.ts';
import { err, type Failure } from '#core/result.ts';

type Kind = keyof typeof ERRORS.staking;

/** x/staking/types/errors.go of v0.50: what each registered code says. */
const SENTENCES: Record<Kind, string> = {
  noValidatorFound: 'validator does not exist',
  validatorOwnerExists: 'validator already exist for this operator address; must use new validator operator address',
  validatorPubKeyExists: 'validator already exist for this pubkey; must use new validator pubkey',
  validatorPubKeyTypeNotSupported: 'validator pubkey type is not supported',
  validatorJailed: 'validator for this address is currently jailed',
  commissionNegative: 'commission must be positive',
  commissionHuge: 'commission cannot be more than 100%',
  commissionGtMaxRate: 'commission cannot be more than the max rate',
  commissionUpdateTime: 'commission cannot be changed more than once in 24h',
  commissionChangeRateNegative: 'commission change rate must be positive',
  commissionChangeRateGtMaxRate: 'commission change rate cannot be more than the max rate',
  commissionGtMaxChangeRate: 'commission cannot be changed more than max change rate',
  selfDelegationBelowMinimum: "validator's self delegation must be greater than their minimum self delegation",
  minSelfDelegationDecreased: 'minimum self delegation cannot be decrease',
  noDelegation: 'no delegation for (address, validator) tuple',
  noDelegatorForAddress: 'delegator does not contain delegation',
  insufficientShares: 'insufficient delegation shares',
  notEnoughDelegationShares: 'not enough delegation shares',
  noUnbondingDelegation: 'no unbonding delegation found',
  maxUnbondingDelegationEntries: 'too many unbonding delegation entries for (delegator, validator) tuple',
  selfRedelegation: 'cannot redelegate to the same validator',
  tinyRedelegationAmount: 'too few tokens to redelegate (truncates to zero tokens)',
  badRedelegationDst: 'redelegation destination validator not found',
  transitiveRedelegation:
    'redelegation to this validator already in progress; first redelegation to this validator must complete before next redelegation',
  maxRedelegationEntries: 'too many redelegation entries for (delegator, src-validator, dst-validator) tuple',
  delegatorShareExRateInvalid: 'cannot delegate to validators with invalid (zero) ex-rate',
  noHistoricalInfo: 'no historical info found',
  emptyValidatorPubKey: 'empty validator public key',
  commissionLtMinRate: 'commission cannot be less than min rate',
};

export function failStaking(kind: Kind, detail = ''): { readonly ok: false; readonly error: Failure } {
  const sentence = SENTENCES[kind];
  return err({
    codespace: 'staking',
    code: ERRORS.staking[kind],
    message: detail === '' ? sentence : `${detail}: ${sentence}`,
  });
}
