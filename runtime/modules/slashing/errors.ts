import { ERRORS } from '#core/errors.ts';
import { err, type Failure } from '#core/result.ts';

type Kind = keyof typeof ERRORS.slashing;

/** x/slashing/types/errors.go of v0.50: what each registered code says. */
const SENTENCES: Record<Kind, string> = {
  noValidatorForAddress: 'address is not associated with any known validator',
  badValidatorAddr: 'validator does not exist for that address',
  validatorJailed: 'validator still jailed; cannot be unjailed',
  validatorNotJailed: 'validator not jailed; cannot be unjailed',
  missingSelfDelegation: 'validator has no self-delegation; cannot be unjailed',
  selfDelegationTooLowToUnjail: "validator's self delegation less than minimum; cannot be unjailed",
  noSigningInfoFound: 'no validator signing info found',
  validatorTombstoned: 'validator already tombstoned',
};

export function failSlashing(kind: Kind, detail = ''): { readonly ok: false; readonly error: Failure } {
  const message = detail === '' ? SENTENCES[kind] : `${detail}: ${SENTENCES[kind]}`;
  return err({ codespace: 'slashing', code: ERRORS.slashing[kind], message });
}
