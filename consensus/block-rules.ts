/** How the next block is made, and what makes a block valid: CometBFT state/execution.go and state/validation.go. */
import type { CommitInfo, ExtendedCommitInfo, FinalizeBlockRequest } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { equal, toHex } from '#core/bytes.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type Block, txsHash } from '#core/types/block.ts';
import { equalBlockId } from '#core/types/block-id.ts';
import { type Commit, commitHash, EMPTY_COMMIT, type ExtendedCommit } from '#core/types/commit.ts';
import { type ConsensusParams, consensusParamsHash, maxBlockBytes } from '#core/types/consensus-params.ts';
import { type Evidence, encodeEvidence, evidenceHash } from '#core/types/evidence.ts';
import { BLOCK_PROTOCOL, type Header } from '#core/types/header.ts';
import { compareTime, formatTime, type Timestamp } from '#core/types/timestamp.ts';
import { indexOfValidator, type ValidatorSet, validatorSetHash } from '#core/types/validator-set.ts';
import { type ChainState, heightAfter } from './chain-state.ts';
import { toMisbehavior } from './evidence.ts';
import { medianTime } from './median-time.ts';
import { verifyCommit } from './verify-commit.ts';

/** The time the next block must bear: the median of its last commit, genesis time for the first block. */
export function blockTime(state: ChainState, lastCommit: Commit): Timestamp {
  return state.lastBlockHeight === 0n ? state.lastBlockTime : medianTime(lastCommit, state.lastValidators);
}

export interface BlockContent {
  readonly txs: readonly Uint8Array[];
  readonly evidence: readonly Evidence[];
  /** {@link EMPTY_COMMIT} in the first block. */
  readonly lastCommit: Commit;
  readonly proposerAddress: Uint8Array;
}

export function makeBlock(state: ChainState, content: BlockContent): Block {
  const header: Header = {
    version: { block: BLOCK_PROTOCOL, app: state.params.version.app },
    chainId: state.chainId,
    height: heightAfter(state),
    time: blockTime(state, content.lastCommit),
    lastBlockId: state.lastBlockId,
    lastCommitHash: commitHash(content.lastCommit),
    dataHash: txsHash(content.txs),
    validatorsHash: validatorSetHash(state.validators),
    nextValidatorsHash: validatorSetHash(state.nextValidators),
    consensusHash: consensusParamsHash(state.params),
    appHash: state.appHash,
    lastResultsHash: state.lastResultsHash,
    evidenceHash: evidenceHash(content.evidence),
    proposerAddress: content.proposerAddress,
  };
  return { header, txs: content.txs, evidence: content.evidence, lastCommit: content.lastCommit };
}

/**
 * Whether a decoded block may follow `state` (state/validation.go validateBlock). Evidence itself and the application's
 * opinion are checked elsewhere. `knownSignature(i)` says which last-commit signatures were verified as votes before.
 */
export function validateBlock(
  state: ChainState,
  block: Block,
  verifier: Verifier,
  knownSignature: (index: number) => boolean = () => false,
): Result<true, string> {
  const { header } = block;
  const plain = checkHeader(state, header);
  if (plain !== undefined) return err(plain);
  const commit = checkLastCommit(state, block, verifier, knownSignature);
  if (commit !== undefined) return err(commit);
  const expectedTime = blockTime(state, block.lastCommit);
  if (compareTime(header.time, expectedTime) !== 0)
    return err(`header.time: expected ${formatTime(expectedTime)}, got ${formatTime(header.time)}`);
  if (state.lastBlockHeight > 0n && compareTime(header.time, state.lastBlockTime) <= 0)
    return err(`header.time: expected after ${formatTime(state.lastBlockTime)}, got ${formatTime(header.time)}`);
  const evidenceBytes = sizeOfEvidence(block.evidence);
  if (BigInt(evidenceBytes) > state.params.evidence.maxBytes)
    return err(`evidence: ${evidenceBytes} bytes exceed the limit of ${state.params.evidence.maxBytes}`);
  return ok(true);
}

function checkHeader(state: ChainState, header: Header): string | undefined {
  const height = heightAfter(state);
  if (header.version.app !== state.params.version.app)
    return `header.version.app: expected ${state.params.version.app}, got ${header.version.app}`;
  if (header.chainId !== state.chainId)
    return `header.chain_id: expected ${JSON.stringify(state.chainId)}, got ${JSON.stringify(header.chainId)}`;
  if (header.height !== height) return `header.height: expected ${height}, got ${header.height}`;
  if (!equalBlockId(header.lastBlockId, state.lastBlockId))
    return `header.last_block_id: expected ${toHex(state.lastBlockId.hash)}, got ${toHex(header.lastBlockId.hash)}`;
  const hashes = [
    ['app_hash', header.appHash, state.appHash],
    ['consensus_hash', header.consensusHash, consensusParamsHash(state.params)],
    ['last_results_hash', header.lastResultsHash, state.lastResultsHash],
    ['validators_hash', header.validatorsHash, validatorSetHash(state.validators)],
    ['next_validators_hash', header.nextValidatorsHash, validatorSetHash(state.nextValidators)],
  ] as const;
  for (const [name, stated, expected] of hashes)
    if (!equal(stated, expected)) return `header.${name}: expected ${toHex(expected)}, got ${toHex(stated)}`;
  if (indexOfValidator(state.validators, header.proposerAddress) < 0)
    return `header.proposer_address: ${toHex(header.proposerAddress)} is not a validator`;
  return undefined;
}

function checkLastCommit(
  state: ChainState,
  block: Block,
  verifier: Verifier,
  knownSignature: (index: number) => boolean,
): string | undefined {
  if (state.lastBlockHeight === 0n)
    return block.lastCommit.signatures.length === 0 && block.lastCommit.height === 0n
      ? undefined
      : 'last_commit: expected the empty commit in the first block';
  const verified = verifyCommit(
    verifier,
    state.chainId,
    state.lastValidators,
    state.lastBlockId,
    state.lastBlockHeight,
    block.lastCommit,
    knownSignature,
  );
  return verified.ok ? undefined : `last_${verified.error}`;
}

function sizeOfEvidence(evidence: readonly Evidence[]): number {
  let size = 0;
  for (const item of evidence) size += encodeEvidence(item).length;
  return size;
}

/**
 * Upper bounds of the encoded parts of a block: types/block.go MaxHeaderBytes, MaxOverheadForBlock, MaxCommitBytes (each
 * signature's 109 bytes stand behind a tag and a length).
 */
const SIZE = { header: 626, overhead: 11, commitOverhead: 94, commitSig: 111, evidenceItem: 8 } as const;

/** Bytes left for transactions (types/block.go MaxDataBytes). */
export function maxTxBytes(params: ConsensusParams, evidence: readonly Evidence[], commitSize: number): number {
  const evidenceBytes = sizeOfEvidence(evidence) + SIZE.evidenceItem * evidence.length;
  const commitBytes = SIZE.commitOverhead + commitSize * SIZE.commitSig;
  return Math.max(0, maxBlockBytes(params) - SIZE.overhead - SIZE.header - commitBytes - evidenceBytes);
}

/** The last commit as the application sees it in a block: flags by the order of the validators that signed. */
export function commitInfo(commit: Commit, validators: ValidatorSet): CommitInfo {
  return {
    round: commit.round,
    votes: commit.signatures.map((sig, i) => ({ validator: abciValidator(validators, i), flag: sig.flag })),
  };
}

/** Likewise with the extensions: what the next proposer hands to PrepareProposal. */
export function extendedCommitInfo(commit: ExtendedCommit | undefined, validators: ValidatorSet): ExtendedCommitInfo {
  if (commit === undefined) return { round: EMPTY_COMMIT.round, votes: [] };
  return {
    round: commit.round,
    votes: commit.signatures.map((sig, i) => ({
      validator: abciValidator(validators, i),
      flag: sig.flag,
      extension: sig.extension,
      extensionSignature: sig.extensionSignature,
    })),
  };
}

function abciValidator(validators: ValidatorSet, index: number) {
  const { address, power } = defined(validators.validators[index], 'validator of a commit signature');
  return { address, power };
}

/** What the application executes. `lastValidators` are those of the height before the block's. */
export function finalizeRequest(block: Block, hash: Uint8Array, lastValidators: ValidatorSet): FinalizeBlockRequest {
  const { height, time, nextValidatorsHash, proposerAddress } = block.header;
  return {
    height,
    time,
    nextValidatorsHash,
    proposerAddress,
    misbehavior: block.evidence.flatMap(toMisbehavior),
    txs: block.txs,
    decidedLastCommit: commitInfo(block.lastCommit, lastValidators),
    hash,
  };
}
