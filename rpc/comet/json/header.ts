import { toHexUpper } from '#core/bytes.ts';
import type { BlockId } from '#core/types/block-id.ts';
import { toHeight } from '#core/types/brand.ts';
import type { Header } from '#core/types/header.ts';
import { formatTime } from '#core/types/timestamp.ts';
import { asHex, asInt32, asInt64, asObject, asString, asTime, asUint64 } from './reader.ts';

export function blockIdJson(id: BlockId) {
  return {
    hash: toHexUpper(id.hash),
    parts: { total: id.partSetHeader.total, hash: toHexUpper(id.partSetHeader.hash) },
  };
}

/** The parts' header stands under `parts`, or under `part_set_header` as in CometBFT's own files. */
export function readBlockIdJson(title: string, value: unknown): BlockId {
  const object = asObject(title, value);
  const name = object.parts === undefined ? 'part_set_header' : 'parts';
  const parts = asObject(`${title}.${name}`, object[name]);
  return {
    hash: asHex(`${title}.hash`, object.hash),
    partSetHeader: {
      total: asInt32(`${title}.${name}.total`, parts.total),
      hash: asHex(`${title}.${name}.hash`, parts.hash),
    },
  };
}

/** A zero version is left out, as the Go type's `omitempty` does. */
function versionJson({ block, app }: Header['version']) {
  return { ...(block === 0n ? {} : { block: String(block) }), ...(app === 0n ? {} : { app: String(app) }) };
}

export function headerJson(header: Header) {
  return {
    version: versionJson(header.version),
    chain_id: header.chainId,
    height: String(header.height),
    time: formatTime(header.time),
    last_block_id: blockIdJson(header.lastBlockId),
    last_commit_hash: toHexUpper(header.lastCommitHash),
    data_hash: toHexUpper(header.dataHash),
    validators_hash: toHexUpper(header.validatorsHash),
    next_validators_hash: toHexUpper(header.nextValidatorsHash),
    consensus_hash: toHexUpper(header.consensusHash),
    app_hash: toHexUpper(header.appHash),
    last_results_hash: toHexUpper(header.lastResultsHash),
    evidence_hash: toHexUpper(header.evidenceHash),
    proposer_address: toHexUpper(header.proposerAddress),
  };
}

/** The structure only: what a header says is checked by whoever verifies it. @throws JsonError, RangeError */
export function readHeaderJson(title: string, value: unknown): Header {
  const object = asObject(title, value);
  const version = asObject(`${title}.version`, object.version ?? {});
  const hash = (name: string) => asHex(`${title}.${name}`, object[name]);
  return {
    version: {
      block: asUint64(`${title}.version.block`, version.block ?? '0'),
      app: asUint64(`${title}.version.app`, version.app ?? '0'),
    },
    chainId: asString(`${title}.chain_id`, object.chain_id),
    height: toHeight(asInt64(`${title}.height`, object.height)),
    time: asTime(`${title}.time`, object.time),
    lastBlockId: readBlockIdJson(
      `${title}.last_block_id`,
      object.last_block_id ?? { hash: '', parts: { total: 0, hash: '' } },
    ),
    lastCommitHash: hash('last_commit_hash'),
    dataHash: hash('data_hash'),
    validatorsHash: hash('validators_hash'),
    nextValidatorsHash: hash('next_validators_hash'),
    consensusHash: hash('consensus_hash'),
    appHash: hash('app_hash'),
    lastResultsHash: hash('last_results_hash'),
    evidenceHash: hash('evidence_hash'),
    proposerAddress: hash('proposer_address'),
  };
}
