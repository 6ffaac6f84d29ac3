import { equal } from '#core/bytes.ts';
import { toHeight } from '#core/types/brand.ts';
import type { LightClientAttackEvidence } from '#core/types/light-attack.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import { formatTime } from '#core/types/timestamp.ts';
import { type ValidatorSet, validatorSetFrom } from '#core/types/validator-set.ts';
import { commitJson, readCommitJson } from './commit.ts';
import { headerJson, readHeaderJson } from './header.ts';
import { asArray, asInt64, asObject, asTime, JsonError } from './reader.ts';
import { readValidatorJson, validatorJson } from './validator.ts';

function validatorSetJson({ validators, proposer }: ValidatorSet) {
  return {
    validators: validators.map(validatorJson),
    proposer: proposer === undefined ? null : validatorJson(proposer),
  };
}

/** `{validators, proposer}`, or the bare list; without a proposer it is whom the priorities say. @throws JsonError, RangeError */
export function readValidatorSetJson(title: string, value: unknown): ValidatorSet {
  const object = Array.isArray(value) ? { validators: value } : asObject(title, value);
  const set = validatorSetFrom(
    asArray(`${title}.validators`, object.validators).map((item, i) =>
      readValidatorJson(`${title}.validators[${i}]`, item),
    ),
  );
  if (!set.ok) throw new JsonError(`${title}.${set.error}`);
  const stated = 'proposer' in object ? object.proposer : undefined;
  if (stated === undefined || stated === null) return set.value;
  const { address } = readValidatorJson(`${title}.proposer`, stated);
  const proposer = set.value.validators.find((member) => equal(member.address, address));
  if (proposer === undefined) throw new JsonError(`${title}.proposer: is no member of the set`);
  return { ...set.value, proposer };
}

function lightBlockJson({ header, commit, validators }: LightBlock) {
  return {
    signed_header: { header: headerJson(header), commit: commitJson(commit) },
    validator_set: validatorSetJson(validators),
  };
}

/** The structure only: whether it is of one piece says checkLightBlock. @throws JsonError, RangeError */
function readLightBlockJson(title: string, value: unknown): LightBlock {
  const object = asObject(title, value);
  const signed = asObject(`${title}.signed_header`, object.signed_header);
  return {
    header: readHeaderJson(`${title}.signed_header.header`, signed.header),
    commit: readCommitJson(`${title}.signed_header.commit`, signed.commit),
    validators: readValidatorSetJson(`${title}.validator_set`, object.validator_set),
  };
}

export function attackJson(evidence: LightClientAttackEvidence) {
  return {
    conflicting_block: lightBlockJson(evidence.conflictingBlock),
    common_height: String(evidence.commonHeight),
    byzantine_validators: evidence.byzantineValidators.map(validatorJson),
    total_voting_power: String(evidence.totalVotingPower),
    timestamp: formatTime(evidence.timestamp),
  };
}

/** The fields' Go names, which earlier releases wrote, are admitted. @throws JsonError, RangeError */
export function readAttackJson(title: string, value: unknown): LightClientAttackEvidence {
  const object = asObject(title, value);
  const validators = object.byzantine_validators ?? object.ByzantineValidators;
  return {
    kind: 'light-client-attack',
    conflictingBlock: readLightBlockJson(
      `${title}.conflicting_block`,
      object.conflicting_block ?? object.ConflictingBlock,
    ),
    commonHeight: toHeight(asInt64(`${title}.common_height`, object.common_height ?? object.CommonHeight)),
    byzantineValidators: asArray(`${title}.byzantine_validators`, validators).map((item, i) =>
      readValidatorJson(`${title}.byzantine_validators[${i}]`, item),
    ),
    totalVotingPower: asInt64(`${title}.total_voting_power`, object.total_voting_power ?? object.TotalVotingPower),
    timestamp: asTime(`${title}.timestamp`, object.timestamp ?? object.Timestamp),
  };
}
