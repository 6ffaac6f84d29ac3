import { toHexUpper } from '#core/bytes.ts';
import { toAddress, toHeight, toRound } from '#core/types/brand.ts';
import {
  type BlockIdFlag,
  type Commit,
  type CommitSig,
  FLAG_ABSENT,
  FLAG_COMMIT,
  FLAG_NIL,
} from '#core/types/commit.ts';
import type { Proposal } from '#core/types/proposal.ts';
import { formatTime, ZERO_TIME } from '#core/types/timestamp.ts';
import { PRECOMMIT, PREVOTE, type Vote } from '#core/types/vote.ts';
import { blockIdJson, readBlockIdJson } from './header.ts';
import {
  asArray,
  asBase64,
  asHex,
  asInt32,
  asInt64,
  asObject,
  asTime,
  base64,
  base64OrNull,
  JsonError,
} from './reader.ts';

function commitSigJson(sig: CommitSig) {
  return {
    block_id_flag: sig.flag,
    validator_address: toHexUpper(sig.validatorAddress),
    timestamp: formatTime(sig.timestamp),
    signature: base64OrNull(sig.signature),
  };
}

export function commitJson(commit: Commit) {
  return {
    height: String(commit.height),
    round: commit.round,
    block_id: blockIdJson(commit.blockId),
    signatures: commit.signatures.map(commitSigJson),
  };
}

function readFlag(title: string, value: unknown): BlockIdFlag {
  const flag = asInt32(title, value);
  if (flag !== FLAG_ABSENT && flag !== FLAG_COMMIT && flag !== FLAG_NIL)
    throw new JsonError(`${title}: expected 1 (absent), 2 (commit) or 3 (nil), got ${flag}`);
  return flag;
}

function readCommitSigJson(title: string, value: unknown): CommitSig {
  const object = asObject(title, value);
  return {
    flag: readFlag(`${title}.block_id_flag`, object.block_id_flag),
    validatorAddress: asHex(`${title}.validator_address`, object.validator_address),
    // Go reads null as its zero time: what an absent signature has.
    timestamp: object.timestamp === null ? ZERO_TIME : asTime(`${title}.timestamp`, object.timestamp),
    signature: asBase64(`${title}.signature`, object.signature),
  };
}

/** @throws JsonError, RangeError */
export function readCommitJson(title: string, value: unknown): Commit {
  const object = asObject(title, value);
  return {
    height: toHeight(asInt64(`${title}.height`, object.height)),
    round: toRound(asInt32(`${title}.round`, object.round)),
    blockId: readBlockIdJson(`${title}.block_id`, object.block_id),
    signatures: asArray(`${title}.signatures`, object.signatures).map((sig, i) =>
      readCommitSigJson(`${title}.signatures[${i}]`, sig),
    ),
  };
}

export function voteJson(vote: Vote) {
  return {
    type: vote.type,
    height: String(vote.height),
    round: vote.round,
    block_id: blockIdJson(vote.blockId),
    timestamp: formatTime(vote.timestamp),
    validator_address: toHexUpper(vote.validatorAddress),
    validator_index: vote.validatorIndex,
    signature: base64(vote.signature),
    extension: base64OrNull(vote.extension),
    extension_signature: base64OrNull(vote.extensionSignature),
  };
}

/** @throws JsonError, RangeError */
export function readVoteJson(title: string, value: unknown): Vote {
  const object = asObject(title, value);
  const type = asInt32(`${title}.type`, object.type);
  if (type !== PREVOTE && type !== PRECOMMIT)
    throw new JsonError(`${title}.type: expected 1 (prevote) or 2 (precommit), got ${type}`);
  return {
    type,
    height: toHeight(asInt64(`${title}.height`, object.height)),
    round: toRound(asInt32(`${title}.round`, object.round)),
    blockId: readBlockIdJson(`${title}.block_id`, object.block_id),
    timestamp: asTime(`${title}.timestamp`, object.timestamp),
    validatorAddress: toAddress(asHex(`${title}.validator_address`, object.validator_address), title),
    validatorIndex: asInt32(`${title}.validator_index`, object.validator_index),
    signature: asBase64(`${title}.signature`, object.signature),
    extension: asBase64(`${title}.extension`, object.extension),
    extensionSignature: asBase64(`${title}.extension_signature`, object.extension_signature),
  };
}

/** tendermint.types.Proposal in CometBFT's JSON: `pol_round` −1 for none. @throws JsonError, RangeError */
export function readProposalJson(title: string, value: unknown): Proposal {
  const object = asObject(title, value);
  return {
    height: toHeight(asInt64(`${title}.height`, object.height)),
    round: toRound(asInt32(`${title}.round`, object.round)),
    polRound: toRound(asInt32(`${title}.pol_round`, object.pol_round ?? -1)),
    blockId: readBlockIdJson(`${title}.block_id`, object.block_id),
    timestamp: asTime(`${title}.timestamp`, object.timestamp),
    signature: asBase64(`${title}.signature`, object.signature),
  };
}
