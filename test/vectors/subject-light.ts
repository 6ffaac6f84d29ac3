/** The light client behind the conformance door. */
import { equal } from '#core/bytes.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { headerHash } from '#core/types/header.ts';
import { checkNextValidators, verify } from '#light/verifier.ts';
import { readCommitJson } from '#rpc/comet/json/commit.ts';
import { readHeaderJson } from '#rpc/comet/json/header.ts';
import { readValidatorSetJson } from '#rpc/comet/json/light.ts';
import { asArray, asInt64, asObject, asTime, type JsonObject, readJson } from '#rpc/comet/json/reader.ts';

export type LightVerdict = 'SUCCESS' | 'NOT_ENOUGH_TRUST' | 'INVALID';

/** Sets are called as in CometBFT's traces, `next_validator_set: {validators}`, or `next_validators`. */
export function verifyLight(request: unknown): LightVerdict {
  const read = readJson(() => readRequest(asObject('request', request)));
  if (!read.ok) return 'INVALID';
  const { trusted, trustedCommit, untrusted, nextValidators, now, options } = read.value;
  if (!equal(headerHash(trusted.header), trustedCommit.blockId.hash)) return 'INVALID';
  if (nextValidators !== undefined && !checkNextValidators(untrusted.header, nextValidators).ok) return 'INVALID';
  const verdict = verify(trusted, untrusted, now, options, pureVerifier);
  if (verdict.ok) return 'SUCCESS';
  return verdict.error.kind === 'not-enough-trust' ? 'NOT_ENOUGH_TRUST' : 'INVALID';
}

function readRequest(request: JsonObject) {
  const trusted = asObject('trusted', request.trusted);
  const untrusted = asObject('untrusted', request.untrusted);
  const header = (title: string, of: JsonObject) =>
    readHeaderJson(`${title}.header`, asObject(`${title}.signed_header`, of.signed_header).header);
  const set = (of: JsonObject, name: string) => readValidatorSetJson(name, of[`${name}_set`] ?? of[`${name}s`]);
  const next = untrusted.next_validator_set ?? untrusted.next_validators;
  const [numerator, denominator] = asArray('trustLevel', request.trustLevel ?? [1, 3]);
  const trustedHeader = header('trusted', trusted);
  return {
    trustedCommit: readCommitJson('commit', asObject('signed_header', trusted.signed_header).commit),
    trusted: { header: trustedHeader, validators: set(trusted, 'next_validator') },
    untrusted: {
      header: header('untrusted', untrusted),
      commit: readCommitJson('commit', asObject('signed_header', untrusted.signed_header).commit),
      validators: set(untrusted, 'validator'),
    },
    nextValidators: next === undefined || next === null ? undefined : readValidatorSetJson('next_validators', next),
    now: asTime('now', request.now),
    options: {
      chainId: trustedHeader.chainId,
      trustingPeriodNanos: nanos('trustingPeriodNs', request.trustingPeriodNs),
      maxClockDriftNanos: nanos('clockDriftNs', request.clockDriftNs ?? 1_000_000_000),
      trustLevel: { numerator: asInt64('trustLevel', numerator), denominator: asInt64('trustLevel', denominator) },
    },
  };
}

function nanos(title: string, value: unknown): bigint {
  return typeof value === 'bigint' ? value : asInt64(title, value);
}
