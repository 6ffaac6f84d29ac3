/**
 * The part of the conformance door that speaks CometBFT's JSON: each function a thin line over the product's code.
 * Hashes are upper-case hex, as CometBFT prints them.
 */
import { lastResultsHash as hashResults } from '#core/abci.ts';
import { fromHex, toHex, toHexUpper } from '#core/bytes.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { txsHash } from '#core/types/block.ts';
import type { Address } from '#core/types/brand.ts';
import { commitSignBytes, commitHash as hashCommit } from '#core/types/commit.ts';
import { consensusParamsHash as hashParams } from '#core/types/consensus-params.ts';
import { evidenceHash as hashEvidence } from '#core/types/evidence.ts';
import { headerHash as hashHeader } from '#core/types/header.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { proposalSignBytes as signProposal } from '#core/types/proposal.ts';
import {
  changeValidators,
  EMPTY_SET,
  validatorSetHash as hashValidators,
  incrementPriority as increment,
  updateValidators,
  type Validator,
  type ValidatorSet,
} from '#core/types/validator-set.ts';
import { voteExtensionSignBytes as signExtension, voteSignBytes as signVote } from '#core/types/vote.ts';
import { readEvidenceJson } from '#rpc/comet/json/block.ts';
import { readCommitJson, readProposalJson } from '#rpc/comet/json/commit.ts';
import { readBlockIdJson, readHeaderJson } from '#rpc/comet/json/header.ts';
import { readConsensusParamsJson } from '#rpc/comet/json/params.ts';
import { asArray, asBase64, asInt32, asInt64, asObject, asTime } from '#rpc/comet/json/reader.ts';
import { readTxResultJson } from '#rpc/comet/json/results.ts';
import { readValidatorJson, readValidatorUpdateJson, validatorJson } from '#rpc/comet/json/validator.ts';

export const headerHash = (header: unknown): string => toHexUpper(hashHeader(readHeaderJson('header', header)));

export const validatorSetHash = (validators: unknown): string =>
  toHexUpper(hashValidators({ validators: readValidators(validators) }));

export const commitHash = (commit: unknown): string => toHexUpper(hashCommit(readCommitJson('commit', commit)));

export const dataHash = (txs: unknown): string =>
  toHexUpper(txsHash(asArray('txs', txs).map((tx, i) => asBase64(`txs[${i}]`, tx))));

export const evidenceHash = (evidence: unknown): string =>
  toHexUpper(hashEvidence(asArray('evidence', evidence).map((item, i) => readEvidenceJson(`evidence[${i}]`, item))));

export const lastResultsHash = (results: unknown): string =>
  toHexUpper(hashResults(asArray('results', results).map((item, i) => readTxResultJson(`results[${i}]`, item))));

export const consensusParamsHash = (params: unknown): string =>
  toHexUpper(hashParams(readConsensusParamsJson('params', params)));

export function partSetHeader(block: Uint8Array): { total: number; hash: string } {
  const { total, hash } = createPartSet(block).header;
  return { total, hash: toHexUpper(hash) };
}

export const voteSignBytes = (chainId: string, commit: unknown, index: number): Uint8Array =>
  commitSignBytes(chainId, readCommitJson('commit', commit), index);

/** The vote's extension, where it has one, is no part of these bytes. */
export function canonicalVote(chainId: string, vote: unknown): Uint8Array {
  const object = asObject('vote', vote);
  return signVote(chainId, {
    type: asInt32('vote.type', object.type),
    height: asInt64('vote.height', object.height),
    round: asInt32('vote.round', object.round),
    blockId: readBlockIdJson('vote.block_id', object.block_id),
    timestamp: asTime('vote.timestamp', object.timestamp),
  });
}

/** `extension` is base64, as JSON carries bytes, or the bytes themselves. */
export function voteExtensionSignBytes(chainId: string, vote: unknown): Uint8Array {
  const { height, round, extension } = asObject('vote', vote);
  return signExtension(chainId, {
    height: asInt64('vote.height', height),
    round: asInt32('vote.round', round),
    extension: extension instanceof Uint8Array ? extension : asBase64('vote.extension', extension),
  });
}

export const proposalSignBytes = (chainId: string, proposal: unknown): Uint8Array =>
  signProposal(chainId, readProposalJson('proposal', proposal));

/** Validators after updates (power 0 removes), before the rotation moves on. */
export function applyValidatorUpdates(validators: unknown, updates: unknown): unknown[] {
  const set = setOf(readValidators(validators));
  const read = asArray('updates', updates).map((update, i) => readValidatorUpdateJson(`updates[${i}]`, update));
  const updated = updateValidators(set, read);
  if (!updated.ok) throw new Error(updated.error);
  return updated.value.validators.map(validatorJson);
}

/** The proposer of a new set, then after each further step of the rotation: `count` addresses. */
export function proposerSequence(validators: unknown, count: number): string[] {
  const created = changeValidators(EMPTY_SET, readWeights(validators), false);
  if (!created.ok) throw new Error(created.error);
  let set = created.value;
  return Array.from({ length: count }, () => {
    set = increment(set, 1);
    return set.proposer === undefined ? '' : toHex(set.proposer.address);
  });
}

export function incrementPriority(validators: unknown, times: number): { priorities: string[]; proposer: string } {
  const set = increment(setOf(readWeights(validators)), times);
  return {
    priorities: set.validators.map(({ priority }) => String(priority)),
    proposer: set.proposer === undefined ? '' : toHex(set.proposer.address),
  };
}

export const verifyEd25519 = pureVerifier.ed25519;
export const verifySecp256k1 = pureVerifier.secp256k1;

function readValidators(validators: unknown): Validator[] {
  return asArray('validators', validators).map((item, i) => readValidatorJson(`validators[${i}]`, item));
}

function setOf(validators: readonly Validator[]): ValidatorSet {
  const totalPower = validators.reduce((sum, { power }) => sum + power, 0n);
  return { validators, totalPower, proposer: undefined };
}

/** Validators of which only address, power and priority count; the vectors' addresses are not derived from keys. */
function readWeights(validators: unknown): Validator[] {
  return asArray('validators', validators).map((item) => {
    const { address, power, priority } = asObject('validator', item);
    return {
      address: fromHex(String(address), 'address') as Address,
      publicKey: { type: 'ed25519', bytes: new Uint8Array(32) },
      power: asInt64('power', power),
      priority: asInt64('priority', priority ?? '0'),
    };
  });
}
