import { ERRORS } from '#core/errors.ts';
import { err, type Failure } from '#core/result.ts';

type Kind = keyof typeof ERRORS.distribution;

/** x/distribution/types/errors.go of v0.50: what each registered code says. */
const SENTENCES: Record<Kind, string> = {
  noDelegationDistInfo: 'no delegation distribution info',
  noValidatorDistInfo: 'no validator distribution info',
  noValidatorCommission: 'no validator commission to withdraw',
  setWithdrawAddrDisabled: 'set withdraw address disabled',
  badDistribution: 'community pool does not have sufficient coins to distribute',
  noValidatorExists: 'validator does not exist',
  noDelegationExists: 'delegation does not exist',
};

export function failDistribution(kind: Kind, detail = ''): { readonly ok: false; readonly error: Failure } {
  const message = detail === '' ? SENTENCES[kind] : `${detail}: ${SENTENCES[kind]}`;
  return err({ codespace: 'distribution', code: ERRORS.distribution[kind], message });
}
