import type { ConsensusParams, ConsensusParamsUpdate } from '#core/types/consensus-params.ts';
import { asArray, asInt64, asObject, asString } from './reader.ts';

/** Sections that an update leaves out are left out; `version.app` 0 as in CometBFT's own type, always written. */
export function consensusParamsJson(params: ConsensusParamsUpdate) {
  const { block, evidence, validator, version, abci } = params;
  return {
    ...(block && { block: { max_bytes: String(block.maxBytes), max_gas: String(block.maxGas) } }),
    ...(evidence && {
      evidence: {
        max_age_num_blocks: String(evidence.maxAgeNumBlocks),
        max_age_duration: String(evidence.maxAgeNanos),
        max_bytes: String(evidence.maxBytes),
      },
    }),
    ...(validator && { validator: { pub_key_types: [...validator.pubKeyTypes] } }),
    ...(version && { version: { app: String(version.app) } }),
    ...(abci && { abci: { vote_extensions_enable_height: String(abci.voteExtensionsEnableHeight) } }),
  };
}

/** @throws JsonError */
export function readConsensusParamsJson(title: string, value: unknown): ConsensusParams {
  const object = asObject(title, value);
  const section = (name: string) => asObject(`${title}.${name}`, object[name] ?? {});
  const block = section('block');
  const evidence = section('evidence');
  const types = section('validator').pub_key_types;
  return {
    block: {
      maxBytes: asInt64(`${title}.block.max_bytes`, block.max_bytes),
      maxGas: asInt64(`${title}.block.max_gas`, block.max_gas),
    },
    evidence: {
      maxAgeNumBlocks: asInt64(`${title}.evidence.max_age_num_blocks`, evidence.max_age_num_blocks ?? '0'),
      maxAgeNanos: asInt64(`${title}.evidence.max_age_duration`, evidence.max_age_duration ?? '0'),
      maxBytes: asInt64(`${title}.evidence.max_bytes`, evidence.max_bytes ?? '0'),
    },
    validator: {
      pubKeyTypes: asArray(`${title}.validator.pub_key_types`, types).map((type, i) =>
        asString(`${title}.validator.pub_key_types[${i}]`, type),
      ),
    },
    version: { app: asInt64(`${title}.version.app`, section('version').app ?? '0') },
    abci: {
      voteExtensionsEnableHeight: asInt64(
        `${title}.abci.vote_extensions_enable_height`,
        section('abci').vote_extensions_enable_height ?? '0',
      ),
    },
  };
}
