/** For tests: one engine among validators that the test plays. Every question of the engine is answered at once. */
import { defined } from '#core/assert.ts';
import { EMPTY, toHex, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { encodeBlock } from '#core/types/block.ts';
import { type BlockId, NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { NO_ROUND, toHeight, toRound } from '#core/types/brand.ts';
import { EMPTY_COMMIT, toCommit } from '#core/types/commit.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { headerHash } from '#core/types/header.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { addMillis, fromMillis, type Timestamp } from '#core/types/timestamp.ts';
import { proposerOf } from '#core/types/validator-set.ts';
import { PRECOMMIT, PREVOTE, type VoteType } from '#core/types/vote.ts';
import { makeBlock } from './block-rules.ts';
import { applyFinalizeResponse, makeGenesisState } from './chain-state.ts';
import { DEFAULT_ENGINE_CONFIG, type EngineConfig } from './config.ts';
import type { Effect } from './effect.ts';
import type { StoredBlocks } from './gossip.ts';
import type { Input } from './input.ts';
import { type Candidate, createEngine, type EngineState, resume } from './state.ts';
import { step } from './step.ts';
import { trusted, type VerifiedProposal, type VerifiedVote } from './verify-message.ts';

/** Signatures are beside the point here: the intake and the vote verifier have tests of their own. */
export const trusting: Verifier = { ed25519: () => true, secp256k1: () => true };

const SIGNATURE = new Uint8Array(64).fill(7);
export const GENESIS_TIME: Timestamp = fromMillis(1_767_225_600_000n);

export interface KitOptions {
  readonly validators?: number;
  /** Index of the engine's validator in the set; −1: a full node. */
  readonly self?: number;
  readonly config?: Partial<EngineConfig>;
  readonly extensionsFrom?: bigint;
  /** The application's opinion of a block. */
  readonly accept?: (candidateHash: Uint8Array) => boolean;
  readonly acceptExtension?: (extension: Uint8Array) => boolean;
  /** False: the application never answers about extensions. */
  readonly answersExtensions?: boolean;
  /** The signer refuses everything. */
  readonly refuse?: boolean;
  readonly verifier?: Verifier;
}

export class Kit {
  readonly options: KitOptions;
  readonly state: EngineState;
  /** Everything that was to be done, in order, questions included. */
  readonly effects: Effect[] = [];
  /** Everything that was logged. */
  readonly logged: Input[] = [];

  constructor(options: KitOptions = {}) {
    this.options = options;
    this.state = this.fresh();
    this.perform(resume(this.state));
  }

  /** An engine as this one was before its first input. */
  fresh(): EngineState {
    const { validators = 4, self = 0, config, extensionsFrom = 0n, verifier = trusting } = this.options;
    const genesis = makeGenesisState({
      chainId: 'kit',
      initialHeight: toHeight(1n),
      time: GENESIS_TIME,
      params: { ...DEFAULT_CONSENSUS_PARAMS, abci: { voteExtensionsEnableHeight: extensionsFrom } },
      validators: Array.from({ length: validators }, (_, i) => ({
        publicKey: ed25519Key(sha256(utf8(`validator ${i}`))),
        power: 10n,
      })),
      appHash: EMPTY,
    });
    if (!genesis.ok) throw new Error(genesis.error);
    const address = genesis.value.validators.validators[self]?.address;
    const env = { config: { ...DEFAULT_ENGINE_CONFIG, ...config }, verifier, self: address };
    return createEngine(env, genesis.value, undefined);
  }

  send(input: Input): this {
    this.perform(step(this.state, input).effects);
    return this;
  }

  perform(effects: readonly Effect[]): void {
    const answers: Input[] = [];
    for (const effect of effects) {
      this.effects.push(effect);
      if (effect.kind === 'append-wal') this.logged.push(effect.input);
      const answer = this.#answer(effect);
      if (answer !== undefined) answers.push(answer);
    }
    for (const answer of answers) this.send(answer);
  }

  #answer(effect: Effect): Input | undefined {
    const { accept = () => true, acceptExtension = () => true, refuse = false } = this.options;
    switch (effect.kind) {
      case 'prepare-proposal':
        return {
          kind: 'prepared',
          height: effect.request.height,
          round: effect.round,
          txs: [utf8('own')],
          evidence: [],
        };
      case 'process-proposal': {
        const { height, hash } = effect.request;
        return { kind: 'processed', height, round: effect.round, blockHash: hash, accept: accept(hash) };
      }
      case 'extend-vote':
        return {
          kind: 'extended',
          height: effect.request.height,
          round: effect.request.round,
          extension: utf8('mine'),
        };
      case 'verify-extension':
        if (this.options.answersExtensions === false) return undefined;
        return { kind: 'extension-checked', vote: effect.vote, accept: acceptExtension(effect.request.extension) };
      case 'sign-proposal': {
        const { height, round } = effect.proposal;
        if (refuse) return { kind: 'sign-refused', height, round, what: 'proposal' };
        const proposal = { ...effect.proposal, timestamp: GENESIS_TIME, signature: SIGNATURE };
        return { kind: 'proposal-signed', proposal: trusted.proposal(proposal) };
      }
      case 'sign-vote': {
        const { height, round, type } = effect.vote;
        if (refuse) return { kind: 'sign-refused', height, round, what: type === PREVOTE ? 'prevote' : 'precommit' };
        const extensionSignature = effect.extend ? SIGNATURE : EMPTY;
        const vote = { ...effect.vote, timestamp: effect.minTime, signature: SIGNATURE, extensionSignature };
        return { kind: 'vote-signed', vote: trusted.vote(vote) };
      }
      case 'commit': {
        const response = {
          events: [],
          txResults: [],
          validatorUpdates: [],
          consensusParamUpdates: undefined,
          appHash: utf8('app'),
        };
        const next = applyFinalizeResponse(this.state.chain, effect.blockId, effect.block.header, response);
        if (!next.ok) throw new Error(next.error);
        return { kind: 'committed', state: next.value };
      }
      default:
        return undefined;
    }
  }

  /** Fires the timeout that the engine has set for this step. */
  fire(waited: 'new-height' | 'new-round' | 'propose' | 'prevote' | 'precommit'): this {
    const timer = defined(this.state.timers.get(waited), `timeout ${waited}`);
    if (timer.kind !== 'schedule-timeout') throw new Error('not a timeout');
    return this.send({ kind: 'timeout', height: timer.height, round: timer.round, step: waited });
  }

  /** A block for the current height as another validator would make it; `salt` makes it differ. */
  block(salt: string, proposerIndex?: number): Candidate {
    const { chain } = this.state;
    const proposer =
      proposerIndex === undefined
        ? proposerOf(chain.validators, this.state.round)
        : defined(chain.validators.validators[proposerIndex], 'proposer');
    const lastCommit =
      this.state.lastCommit === undefined ? EMPTY_COMMIT : toCommit(this.state.lastCommit.toExtendedCommit());
    const block = makeBlock(chain, { txs: [utf8(salt)], evidence: [], lastCommit, proposerAddress: proposer.address });
    const parts = createPartSet(encodeBlock(block));
    return { block, parts, blockId: { hash: headerHash(block.header), partSetHeader: parts.header } };
  }

  proposal({ blockId }: Candidate, round: number, polRound: number = NO_ROUND): VerifiedProposal {
    return trusted.proposal({
      height: this.state.height,
      round: toRound(round),
      polRound: toRound(polRound),
      blockId,
      timestamp: GENESIS_TIME,
      signature: SIGNATURE,
    });
  }

  /** The proposal and all parts arrive. */
  propose(candidate: Candidate, round: number, polRound: number = NO_ROUND): this {
    this.send({ kind: 'proposal', proposal: this.proposal(candidate, round, polRound) });
    return this.parts(candidate, round);
  }

  parts(candidate: Candidate, round: number): this {
    for (const part of candidate.parts.parts)
      this.send({ kind: 'block-part', height: this.state.height, round: toRound(round), part });
    return this;
  }

  vote(
    type: VoteType,
    index: number,
    round: number,
    target: Candidate | BlockId | undefined,
    extension = '',
  ): VerifiedVote {
    const { chain, height } = this.state;
    const blockId = target === undefined ? NIL_BLOCK_ID : 'blockId' in target ? target.blockId : target;
    const extended = this.options.extensionsFrom !== undefined && type === PRECOMMIT && target !== undefined;
    return trusted.vote({
      type,
      height,
      round: toRound(round),
      blockId,
      timestamp: addMillis(GENESIS_TIME, 1000n * height),
      validatorAddress: defined(chain.validators.validators[index], 'validator').address,
      validatorIndex: index,
      signature: SIGNATURE,
      extension: extended ? utf8(extension) : EMPTY,
      extensionSignature: extended ? SIGNATURE : EMPTY,
    });
  }

  prevotes(round: number, target: Candidate | undefined, ...indices: number[]): this {
    for (const index of indices) this.send({ kind: 'vote', vote: this.vote(PREVOTE, index, round, target) });
    return this;
  }

  precommits(round: number, target: Candidate | undefined, ...indices: number[]): this {
    for (const index of indices) this.send({ kind: 'vote', vote: this.vote(PRECOMMIT, index, round, target) });
    return this;
  }

  /** What the engine itself has voted, as `prevote 0 <hash>` or `… nil`. */
  get ownVotes(): string[] {
    return this.effects.flatMap((effect) => {
      if (effect.kind !== 'publish' || effect.message.kind !== 'vote') return [];
      const { type, round, blockId } = effect.message.vote;
      return [voteName(type, round, blockId)];
    });
  }

  get kinds(): string[] {
    return this.effects.map((effect) => effect.kind);
  }

  /** What a block store has of the height that was decided last; of none before the first. */
  stored(): StoredBlocks {
    const commit = this.of('commit').at(-1);
    return {
      meta: () => commit && { blockId: commit.blockId },
      part: (_, index) => commit?.parts.parts[index],
      seenCommit: () => commit?.seenCommit,
    };
  }

  of<K extends Effect['kind']>(kind: K): Extract<Effect, { kind: K }>[] {
    return this.effects.filter((effect): effect is Extract<Effect, { kind: K }> => effect.kind === kind);
  }
}

export function voteName(type: VoteType, round: number, target: Candidate | BlockId | undefined): string {
  const blockId = target === undefined ? NIL_BLOCK_ID : 'blockId' in target ? target.blockId : target;
  const what = blockId.hash.length === 0 ? 'nil' : toHex(blockId.hash).slice(0, 8);
  return `${type === PREVOTE ? 'prevote' : 'precommit'} ${round} ${what}`;
}

/** Everything that distinguishes one state of the engine from another, as text. */
export function fingerprint(state: EngineState): string {
  const { height, round, step: where, locked, valid, proposal, collected, votes, lastCommit } = state;
  const hash = (candidate: Candidate | undefined) => candidate && toHex(candidate.blockId.hash);
  const rounds = votes.rounds().map((each) => [
    each,
    votes
      .prevotes(each)
      .list()
      .map((vote) => toHex(vote.blockId.hash)),
    votes
      .precommits(each)
      .list()
      .map((vote) => toHex(vote.blockId.hash)),
  ]);
  return JSON.stringify(
    {
      height,
      round,
      where,
      locked: [locked?.round, hash(locked?.candidate)],
      valid: [valid?.round, hash(valid?.candidate)],
      proposal: proposal && toHex(proposal.blockId.hash),
      parts: collected && toHex(collected.bits().bytes),
      candidate: hash(state.candidate),
      draft: hash(state.draft),
      precommitting: hash(state.precommitting),
      rounds,
      lastCommit: lastCommit?.list().length,
      verdicts: [...state.verdicts],
      early: state.earlyParts.length,
      next: state.nextProposal?.round,
      decided: state.decided?.round,
      awaiting: [...state.awaiting.keys()],
      timers: [...state.timers.keys()],
      flags: [state.malformed, state.prevoteTimeoutSet, state.precommitTimeoutSet, state.txsAvailable],
    },
    (_, value) => (typeof value === 'bigint' ? String(value) : value),
  );
}
