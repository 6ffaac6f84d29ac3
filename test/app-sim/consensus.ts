/** What consensus would do around the application: who votes, who is silent, who is caught, what time it is. */
import type { ExtendedCommitInfo, ExtendedVoteInfo, FinalizeBlockResponse, Misbehavior, VoteInfo } from '#core/abci.ts';
import { assert } from '#core/assert.ts';
import { EMPTY, toHex } from '#core/bytes.ts';
import { LIMITS } from '#core/limits.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { FLAG_ABSENT, FLAG_COMMIT } from '#core/types/commit.ts';
import { applyParamsUpdate, type ConsensusParams, validateConsensusParams } from '#core/types/consensus-params.ts';
import { addMillis, type Timestamp } from '#core/types/timestamp.ts';
import {
  createValidatorSet,
  incrementPriority,
  isQuorum,
  updateValidators,
  type ValidatorSet,
} from '#core/types/validator-set.ts';
import type { Rng } from '#test/sim/rng.ts';
import type { Scenario } from './scenario.ts';

/** One block without its transactions. */
export interface Frame {
  readonly height: ReturnType<typeof toHeight>;
  readonly time: Timestamp;
  readonly proposerAddress: Uint8Array;
  readonly misbehavior: readonly Misbehavior[];
  readonly lastCommit: ExtendedCommitInfo;
}

interface Past {
  readonly height: bigint;
  readonly time: Timestamp;
  readonly set: ValidatorSet;
}

/** Heights that evidence may be about. */
const MEMORY = 40;
const EVIDENCE_RATE = 1 / 50;
/** With fewer candidates nobody is caught, mostly: who is tombstoned never comes back. */
const ENOUGH_CANDIDATES = 4;

export class SimConsensus {
  /** Who signs the next block, and the one after it. */
  #sets: readonly [ValidatorSet, ValidatorSet];
  /** Who signed the last block. */
  signers: ValidatorSet;
  height: bigint;
  time: Timestamp;
  params: ConsensusParams;
  readonly #silent = new Set<string>();
  readonly #past: Past[] = [];

  constructor({ genesis }: Scenario) {
    const first = createValidatorSet(genesis.validators);
    assert(first.ok, 'the genesis validators form a set');
    this.#sets = [first.value, first.value];
    this.signers = first.value;
    this.height = genesis.initialHeight - 1n;
    this.time = genesis.time;
    this.params = genesis.consensusParams;
  }

  /** The set that the last updates made. */
  get newest(): ValidatorSet {
    return this.#sets[1];
  }

  /** @param candidates validators that could sign; @param extend what each attaches to its vote for the last block */
  frame(rng: Rng, candidates: number, extend: (validator: Uint8Array) => Uint8Array): Frame {
    const jump = rng.chance(0.06) ? BigInt(rng.between(5_000, 70_000)) : BigInt(rng.between(1, 2_000));
    const [proposers] = this.#sets;
    return {
      height: toHeight(this.height + 1n),
      time: addMillis(this.time, jump),
      proposerAddress: rng.pick(proposers.validators).address,
      misbehavior: this.#misbehavior(rng, candidates),
      lastCommit: this.#lastCommit(rng, extend),
    };
  }

  #lastCommit(rng: Rng, extend: (validator: Uint8Array) => Uint8Array): ExtendedCommitInfo {
    if (this.#past.length === 0) return { round: toRound(0), votes: [] };
    const { validators, totalPower } = this.signers;
    for (const { address } of validators) {
      if (rng.chance(0.015)) this.#silent.add(toHex(address));
      else if (rng.chance(0.08)) this.#silent.delete(toHex(address));
    }
    // A block stands on more than two thirds: the last that fell silent are heard again.
    const absent = new Set<string>();
    let present = totalPower;
    for (const { address, power } of rng.chance(0.5) ? validators : validators.toReversed()) {
      if (!this.#silent.has(toHex(address)) || !isQuorum(present - power, totalPower)) continue;
      present -= power;
      absent.add(toHex(address));
    }
    const votes = validators.map(({ address, power }): ExtendedVoteInfo => {
      const vote: VoteInfo = { validator: { address, power }, flag: FLAG_COMMIT };
      return absent.has(toHex(address))
        ? { ...vote, flag: FLAG_ABSENT, extension: EMPTY, extensionSignature: EMPTY }
        : { ...vote, extension: extend(address), extensionSignature: new Uint8Array(64) };
    });
    return { round: toRound(rng.chance(0.1) ? 1 : 0), votes };
  }

  #misbehavior(rng: Rng, candidates: number): readonly Misbehavior[] {
    if (!rng.chance(EVIDENCE_RATE) || (candidates < ENOUGH_CANDIDATES && !rng.chance(0.05))) return [];
    const past = this.#past[rng.below(this.#past.length)];
    if (past === undefined) return [];
    const { address, power } = rng.pick(past.set.validators);
    const one: Misbehavior = {
      type: rng.chance(0.8) ? 'duplicate-vote' : 'light-client-attack',
      validator: { address, power },
      height: toHeight(past.height),
      time: past.time,
      totalVotingPower: past.set.totalPower,
    };
    // The same offence may be told twice, in one block.
    return rng.chance(0.2) ? [one, one] : [one];
  }

  /** Answers what consensus would stop at; undefined when it goes on. */
  apply(frame: Frame, response: FinalizeBlockResponse): string | undefined {
    const { validatorUpdates, consensusParamUpdates } = response;
    const changed = updateValidators(this.#sets[1], validatorUpdates);
    if (!changed.ok) return `consensus refuses the validator updates: ${changed.error}`;
    const next = validatorUpdates.length === 0 ? changed.value : incrementPriority(changed.value, 1);
    if (next.validators.length === 0) return 'no validator is left';
    if (next.totalPower > LIMITS.maxTotalVotingPower) return `the total power is ${next.totalPower}`;
    const foreign = validatorUpdates.find(
      ({ publicKey }) => !this.params.validator.pubKeyTypes.includes(publicKey.type),
    );
    if (foreign !== undefined) return `a validator has a key of type ${foreign.publicKey.type}`;
    if (consensusParamUpdates !== undefined) {
      const params = validateConsensusParams(applyParamsUpdate(this.params, consensusParamUpdates));
      if (!params.ok) return `consensus refuses the parameters: ${params.error}`;
      this.params = params.value;
    }
    this.signers = this.#sets[0];
    this.#sets = [this.#sets[1], next];
    this.height = frame.height;
    this.time = frame.time;
    this.#past.push({ height: frame.height, time: frame.time, set: this.signers });
    if (this.#past.length > MEMORY) this.#past.shift();
    return undefined;
  }
}
