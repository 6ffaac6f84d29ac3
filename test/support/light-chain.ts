/** Chains of really signed light blocks for tests: as many validators, sets and histories as a test wants. */
import { defined } from '#core/assert.ts';
import { concat, EMPTY, u64be, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type BlockId, NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { ABSENT_SIG, type Commit, type CommitSig, commitHash, FLAG_COMMIT } from '#core/types/commit.ts';
import type { Evidence } from '#core/types/evidence.ts';
import { BLOCK_PROTOCOL, type Header, headerHash } from '#core/types/header.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import { addMillis, type Timestamp } from '#core/types/timestamp.ts';
import {
  createValidatorSet,
  indexOfValidator,
  toValidator,
  type ValidatorSet,
  validatorSetHash,
} from '#core/types/validator-set.ts';
import { PRECOMMIT, voteSignBytes } from '#core/types/vote.ts';
import type { Provider, ProviderFault } from '#light/provider.ts';
import { createNativeVerifier } from '#node/crypto/native-verifier.ts';
import { type Ed25519Key, ed25519KeyFromSeed } from '#node/privval/ed25519-key.ts';

export const CHAIN_ID = 'light-test';
export const GENESIS_TIME: Timestamp = { seconds: 1_700_000_000n, nanos: 0 };
export const BLOCK_MS = 1_000n;

/** The verdicts of the pure one; property tests check many signatures. */
export const fastVerifier = createNativeVerifier({ keyCacheEntries: 1_000 });

export interface Signer {
  readonly key: Ed25519Key;
  readonly power: bigint;
}

const keys = new Map<number, Ed25519Key>();

/** The same signer for the same number. */
export function signer(number: number, power = 10n): Signer {
  const key = keys.get(number) ?? ed25519KeyFromSeed(sha256(utf8(`light test signer ${number}`)));
  keys.set(number, key);
  return { key, power };
}

export function signers(from: number, count: number, power = 10n): Signer[] {
  return Array.from({ length: count }, (_, i) => signer(from + i, power));
}

export function setOf(members: readonly Signer[]): ValidatorSet {
  const set = createValidatorSet(members.map(({ key, power }) => ({ publicKey: ed25519Key(key.publicKey), power })));
  if (!set.ok) throw new Error(set.error);
  return set.value;
}

export interface Decision {
  /** Who signs; the members of the set unless said otherwise. */
  readonly by?: readonly Signer[];
  readonly round?: number;
}

/** The header, decided by `members` (or by those of them that sign). */
export function decide(header: Header, members: readonly Signer[], decision: Decision = {}): LightBlock {
  const validators = setOf(members);
  const blockId = blockIdOf(header);
  const round = toRound(decision.round ?? 0);
  const timestamp = addMillis(header.time, 100n);
  const { flag, validatorAddress, timestamp: noTime, signature } = ABSENT_SIG;
  const absent: CommitSig = { flag, validatorAddress, timestamp: noTime, signature };
  const signatures: CommitSig[] = validators.validators.map(() => absent);
  for (const { key, power } of decision.by ?? members) {
    const { address } = toValidator({ publicKey: ed25519Key(key.publicKey), power });
    const index = indexOfValidator(validators, address);
    if (index < 0) continue;
    const message = voteSignBytes(header.chainId, {
      type: PRECOMMIT,
      height: header.height,
      round,
      blockId,
      timestamp,
    });
    signatures[index] = { flag: FLAG_COMMIT, validatorAddress: address, timestamp, signature: key.sign(message) };
  }
  return { header, commit: { height: header.height, round, blockId, signatures }, validators };
}

function blockIdOf(header: Header): BlockId {
  const hash = headerHash(header);
  return { hash, partSetHeader: { total: 1, hash: sha256(hash) } };
}

export interface ChainPlan {
  readonly heights: number;
  /** Members of the set that decides a height. */
  readonly members: (height: number) => readonly Signer[];
  /** Continues another chain above this height, with other application hashes. */
  readonly fork?: { readonly of: SimChain; readonly above: number };
  readonly decision?: (height: number) => Decision;
}

export interface SimChain {
  readonly blocks: readonly LightBlock[];
  readonly height: number;
  /** The block of a height from 1. */
  at(height: number | bigint): LightBlock;
}

export function makeChain({ heights, members, fork, decision }: ChainPlan): SimChain {
  const blocks: LightBlock[] = fork === undefined ? [] : fork.of.blocks.slice(0, fork.above);
  for (let height = blocks.length + 1; height <= heights; height++) {
    const header = nextHeader(blocks.at(-1), members(height), members(height + 1), fork === undefined ? '' : 'fork');
    blocks.push(decide(header, members(height), decision?.(height)));
  }
  return { blocks, height: heights, at: (height) => defined(blocks[Number(height) - 1], `block ${height}`) };
}

/** A header on top of `parent`. `history` makes the application's hash another one. */
export function nextHeader(
  parent: LightBlock | undefined,
  members: readonly Signer[],
  next: readonly Signer[],
  history: string,
): Header {
  const height = (parent?.header.height ?? 0n) + 1n;
  const lastCommit: Commit | undefined = parent?.commit;
  const validators = setOf(members);
  return {
    version: { block: BLOCK_PROTOCOL, app: 0n },
    chainId: CHAIN_ID,
    height: toHeight(height),
    time: addMillis(GENESIS_TIME, height * BLOCK_MS),
    lastBlockId: parent === undefined ? NIL_BLOCK_ID : parent.commit.blockId,
    lastCommitHash: lastCommit === undefined ? EMPTY : commitHash(lastCommit),
    dataHash: sha256(EMPTY),
    validatorsHash: validatorSetHash(validators),
    nextValidatorsHash: validatorSetHash(setOf(next)),
    consensusHash: sha256(utf8('params')),
    appHash: sha256(concat(utf8(history), u64be(height))),
    lastResultsHash: sha256(EMPTY),
    evidenceHash: sha256(EMPTY),
    proposerAddress: defined(validators.proposer, 'proposer').address,
  };
}

export interface SimProvider extends Provider {
  /** Heights that were asked for, in order. */
  readonly asked: bigint[];
  readonly evidence: Evidence[];
  /** What it answers instead of its chain's block. */
  readonly lies: Map<bigint, Result<LightBlock, ProviderFault>>;
  /** Its newest block: the chain's last unless set. */
  height: number;
}

/** A source that serves a chain. */
export function provider(name: string, chain: SimChain): SimProvider {
  const self: SimProvider = {
    name,
    asked: [],
    evidence: [],
    lies: new Map(),
    height: chain.height,
    async lightBlock(height) {
      self.asked.push(height);
      const wanted = height === 0n ? BigInt(self.height) : height;
      const lie = self.lies.get(wanted);
      if (lie !== undefined) return lie;
      if (wanted > BigInt(self.height))
        return err({ kind: 'too-high', message: `${name}: ${wanted} is above ${self.height}` });
      return ok(chain.at(wanted));
    },
    async reportEvidence(evidence) {
      self.evidence.push(evidence);
      return ok(true);
    },
  };
  return self;
}

/** The instant just after a block of `height`. */
export function timeAfter(height: number): Timestamp {
  return addMillis(GENESIS_TIME, BigInt(height) * BLOCK_MS + 500n);
}
