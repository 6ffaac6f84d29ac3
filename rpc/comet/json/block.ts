import { assertNever } from '#core/assert.ts';
import type { Block } from '#core/types/block.ts';
import type { DuplicateVoteEvidence, Evidence } from '#core/types/evidence.ts';
import { formatTime } from '#core/types/timestamp.ts';
import type { BlockMeta, BlockRecord, SignedHeader } from '../../backend.ts';
import { commitJson, readCommitJson, readVoteJson, voteJson } from './commit.ts';
import { blockIdJson, headerJson, readHeaderJson } from './header.ts';
import { attackJson, readAttackJson } from './light.ts';
import { asArray, asBase64, asInt64, asObject, asString, asTime, base64, JsonError } from './reader.ts';

const DUPLICATE_VOTE = 'tendermint/DuplicateVoteEvidence';
const LIGHT_CLIENT_ATTACK = 'tendermint/LightClientAttackEvidence';

export function evidenceJson(evidence: Evidence) {
  switch (evidence.kind) {
    case 'duplicate-vote':
      return { type: DUPLICATE_VOTE, value: duplicateVoteJson(evidence) };
    case 'light-client-attack':
      return { type: LIGHT_CLIENT_ATTACK, value: attackJson(evidence) };
    default:
      return assertNever(evidence, 'evidence');
  }
}

function duplicateVoteJson(evidence: DuplicateVoteEvidence) {
  return {
    vote_a: voteJson(evidence.voteA),
    vote_b: voteJson(evidence.voteB),
    total_voting_power: String(evidence.totalVotingPower),
    validator_power: String(evidence.validatorPower),
    timestamp: formatTime(evidence.timestamp),
  };
}

/** @throws JsonError, RangeError */
export function readEvidenceJson(title: string, value: unknown): Evidence {
  const object = asObject(title, value);
  const type = asString(`${title}.type`, object.type);
  if (type === LIGHT_CLIENT_ATTACK) return readAttackJson(`${title}.value`, object.value);
  if (type !== DUPLICATE_VOTE)
    throw new JsonError(
      `${title}.type: expected ${DUPLICATE_VOTE} or ${LIGHT_CLIENT_ATTACK}, got ${JSON.stringify(type)}`,
    );
  const inner = asObject(`${title}.value`, object.value);
  return {
    kind: 'duplicate-vote',
    voteA: readVoteJson(`${title}.value.vote_a`, inner.vote_a),
    voteB: readVoteJson(`${title}.value.vote_b`, inner.vote_b),
    totalVotingPower: asInt64(`${title}.value.total_voting_power`, inner.total_voting_power ?? inner.TotalVotingPower),
    validatorPower: asInt64(`${title}.value.validator_power`, inner.validator_power ?? inner.ValidatorPower),
    timestamp: asTime(`${title}.value.timestamp`, inner.timestamp ?? inner.Timestamp),
  };
}

export function blockJson(block: Block) {
  return {
    header: headerJson(block.header),
    data: { txs: block.txs.map(base64) },
    evidence: { evidence: block.evidence.map(evidenceJson) },
    last_commit: commitJson(block.lastCommit),
  };
}

/** @throws JsonError, RangeError */
export function readBlockJson(title: string, value: unknown): Block {
  const object = asObject(title, value);
  const data = asObject(`${title}.data`, object.data ?? {});
  const evidence = asObject(`${title}.evidence`, object.evidence ?? {});
  return {
    header: readHeaderJson(`${title}.header`, object.header),
    txs: asArray(`${title}.data.txs`, data.txs).map((tx, i) => asBase64(`${title}.data.txs[${i}]`, tx)),
    evidence: asArray(`${title}.evidence.evidence`, evidence.evidence).map((item, i) =>
      readEvidenceJson(`${title}.evidence.evidence[${i}]`, item),
    ),
    lastCommit: readCommitJson(`${title}.last_commit`, object.last_commit),
  };
}

export function blockRecordJson({ blockId, block }: BlockRecord) {
  return { block_id: blockIdJson(blockId), block: blockJson(block) };
}

export function blockMetaJson(meta: BlockMeta) {
  return {
    block_id: blockIdJson(meta.blockId),
    block_size: String(meta.blockBytes),
    header: headerJson(meta.header),
    num_txs: String(meta.txCount),
  };
}

export function signedHeaderJson({ header, commit, canonical }: SignedHeader) {
  return { signed_header: { header: headerJson(header), commit: commitJson(commit) }, canonical };
}
