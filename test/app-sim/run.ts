/** One random life of a chain, on several applications at once. */
import type { FinalizeBlockRequest, FinalizeBlockResponse } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { concat, EMPTY, equal, toHex } from '#core/bytes.ts';
import { accountAddress } from '#core/crypto/keys.ts';
import { formatAddress } from '#runtime/address.ts';
import { type Arena, recordingLogger, useAddressesOf } from '#runtime/adversarial.test-util.ts';
import type { ApplicationOptions } from '#runtime/app.ts';
import { AUTH_STORE, hasAccount } from '#runtime/modules/auth/state.ts';
import { encodeInjection, INJECTION_MAGIC } from '#runtime/modules/poi/injection.ts';
import { potentialPower, STAKING_STORE } from '#runtime/modules/staking/state.ts';
import { Rng } from '#test/sim/rng.ts';
import { Census } from './census.ts';
import {
  checkMature,
  checkResults,
  checkUnbondings,
  checkValidators,
  difference,
  expectedUnbondings,
  textOf,
} from './checks.ts';
import { type Frame, SimConsensus } from './consensus.ts';
import { extensionOf } from './operations/inference.ts';
import { operatorText, type Scene } from './operations/operation.ts';
import { answerTo, isOver, type Question, questions, type Rebirth, rebirth, relive, sameExport } from './rebirth.ts';
import {
  type Opening,
  openBusy,
  openPruned,
  openReference,
  openRestarted,
  openSynced,
  REPLICA_KINDS,
  type Replica,
  type ReplicaKind,
} from './replicas.ts';
import { type Actor, actorOf, GENESIS_ACTORS, PREFIX, type Scenario, scenarioOf } from './scenario.ts';
import { Tally } from './tally.ts';
import { MOST_IN_A_BLOCK, nextTransaction, type Sent, Signer } from './transactions.ts';

export interface SimulationOptions {
  readonly seed: number;
  readonly blocks: number;
  /** Beside the reference. Default: all. */
  readonly replicas?: readonly ReplicaKind[];
  /** Whether the restarted one lies on a disk. */
  readonly onDisk?: boolean;
  /** Heights whose transactions are sent; undefined: all. */
  readonly only?: ReadonlySet<number> | undefined;
  /** Of blocks, how many are the last before an export; default 1/60. */
  readonly rebirthRate?: number;
  /** Of all applications, for tests that break something. */
  readonly options?: ApplicationOptions;
  /** Of one of them. */
  readonly optionsOf?: Partial<Record<ReplicaKind | 'reference', ApplicationOptions>>;
}

export interface Report {
  readonly seed: number;
  /** Executed. */
  readonly blocks: number;
  readonly failure: string | undefined;
  readonly tally: Tally;
}

const MAX_ACTORS = 60;
const EXECUTED_KEPT = 50;
/** Also a short life has one. */
const FIRST_REBIRTH = 25n;
const REBIRTH_RATE = 1 / 60;

useAddressesOf({
  net: { chain: { address: (key: { publicKey: Uint8Array }) => formatAddress(PREFIX, accountAddress(key.publicKey)) } },
} as unknown as Arena);

class Broken extends Error {
  override readonly name = 'Broken';
}

function require(breaches: readonly string[]): void {
  if (breaches.length > 0) throw new Broken(breaches.slice(0, 5).join('; '));
}

export async function simulate(options: SimulationOptions): Promise<Report> {
  const life = await Life.begin(options);
  let failure: string | undefined;
  try {
    for (let i = 0; i < options.blocks; i++) await life.block();
  } catch (error) {
    failure =
      error instanceof Broken ? error.message : error instanceof Error ? (error.stack ?? error.message) : String(error);
  } finally {
    await life.close();
  }
  return { seed: options.seed, blocks: Number(life.height), failure, tally: life.tally };
}

/** What stands in a block, and what is known of it before. */
interface Plan {
  readonly frame: Frame;
  readonly sent: readonly Sent[];
  readonly request: FinalizeBlockRequest;
}

class Life {
  readonly tally = new Tally();
  readonly #consensus: SimConsensus;
  readonly #reference: Replica;
  readonly #replicas: readonly Replica[];
  readonly #opening: Opening;
  readonly #faults: string[];
  readonly #only: ReadonlySet<number> | undefined;
  readonly #rebirthRate: number;
  /** What people and consensus do; and what is done to the applications, so that fewer of them see the same chain. */
  readonly #rng: Rng;
  readonly #around: Rng;
  readonly #actors: Actor[] = Array.from({ length: GENESIS_ACTORS }, (_, i) => actorOf(i + 1));
  readonly #byAddress = new Map(this.#actors.map((actor) => [toHex(actor.address), actor]));
  readonly #executed: Uint8Array[] = [];
  #consensusKeys: number;
  #nextActor = GENESIS_ACTORS + 1;
  #reborn: Rebirth | undefined;

  static async begin(options: SimulationOptions): Promise<Life> {
    const scenario = scenarioOf(options.seed);
    const faults: string[] = [];
    const around = new Rng(options.seed ^ 0x5bd1e995);
    const opening = (kind: ReplicaKind | 'reference'): Opening => ({
      logger: recordingLogger(faults),
      options: { ...options.options, ...options.optionsOf?.[kind] },
    });
    const start = (app: ReturnType<Replica['app']>) => void app.initChain(scenario.genesis);
    const reference = await openReference(opening('reference'), start);
    const replicas: Replica[] = [];
    for (const kind of REPLICA_KINDS) {
      const rng = around.fork();
      if (options.replicas !== undefined && !options.replicas.includes(kind)) continue;
      if (kind === 'pruned') replicas.push(await openPruned(opening(kind), start, rng));
      else if (kind === 'restarted')
        replicas.push(await openRestarted(opening(kind), start, rng, options.onDisk ?? false));
      else if (kind === 'busy') replicas.push(await openBusy(opening(kind), start, rng));
      else replicas.push(await openSynced(opening(kind), start, rng, reference));
    }
    const { only, rebirthRate = REBIRTH_RATE } = options;
    return new Life(scenario, {
      reference,
      replicas,
      opening: opening('reference'),
      faults,
      around,
      only,
      rebirthRate,
    });
  }

  private constructor(
    scenario: Scenario,
    parts: {
      readonly reference: Replica;
      readonly replicas: readonly Replica[];
      readonly opening: Opening;
      readonly faults: string[];
      readonly around: Rng;
      readonly only: ReadonlySet<number> | undefined;
      readonly rebirthRate: number;
    },
  ) {
    this.#consensus = new SimConsensus(scenario);
    this.#reference = parts.reference;
    this.#replicas = parts.replicas;
    this.#opening = parts.opening;
    this.#faults = parts.faults;
    this.#only = parts.only;
    this.#rebirthRate = parts.rebirthRate;
    this.#around = parts.around;
    this.#rng = new Rng(scenario.seed ^ 0x1234_5678);
    this.#consensusKeys = scenario.stakes.length + 1;
  }

  get height(): bigint {
    return this.#consensus.height;
  }

  async close(): Promise<void> {
    for (const replica of [this.#reference, ...this.#replicas]) await replica.close();
  }

  async block(): Promise<void> {
    const plan = this.#plan();
    const { frame, sent, request } = plan;
    const app = this.#reference.app();
    const before = app.stateAt(0n);
    const unbonding =
      before === undefined || sent.length > 0 ? [] : expectedUnbondings(before, frame.misbehavior, frame.time);
    this.#judgeProposal(plan);
    const response = this.#reference.finalize(request);
    await this.#runReplicas(plan, response);
    await this.#reference.commit();
    const halt = this.#consensus.apply(frame, response);
    if (halt !== undefined) throw new Broken(halt);
    this.#count(plan, response);
    const state = defined(app.stateAt(0n), 'a committed state');
    // Who is jailed for it is told by a second event of the same type.
    const slashes = response.events.filter(
      ({ type, attributes }) => type === 'slash' && attributes.some(({ key }) => key === 'burned_coins'),
    ).length;
    require([
      ...this.#faults,
      ...checkResults(response, request.txs.length),
      ...app.brokenInvariants(),
      ...checkMature(state, frame.time),
      ...checkValidators(state, this.#consensus.newest, this.#consensus.signers),
      ...(slashes === 1 ? checkUnbondings(state, unbonding) : []),
    ]);
    if (slashes === 1 && unbonding.length > 0) this.tally.count('unbondings slashed, as computed apart');
    for (const replica of this.#replicas) await replica.after();
    this.#ask();
    await this.#relive(plan, response);
  }

  #scene(census: Census, rng: Rng, signer: Signer): Scene {
    const auth = census.context.state.store(AUTH_STORE);
    return {
      rng,
      census,
      actors: this.#actors.filter(({ address }) => hasAccount(auth, address)),
      hasSigned: (actor) => signer.hasSigned(actor),
      newcomer: () => {
        const actor = actorOf(this.#nextActor++);
        this.#byAddress.set(toHex(actor.address), actor);
        // The council stays; who is no longer listed may still come back by what it owns.
        if (this.#actors.length >= MAX_ACTORS) this.#actors.splice(rng.between(6, this.#actors.length - 1), 1);
        this.#actors.push(actor);
        return actor;
      },
      freshConsensusKey: () => this.#consensusKeys++,
    };
  }

  #plan(): Plan {
    // Each block draws from its own: what one leaves out, another does not miss.
    const rng = this.#rng.fork();
    const context = this.#reference.app().stateAt(0n);
    const census = context && new Census(context, this.#byAddress);
    const staking = context?.state.store(STAKING_STORE);
    const candidates = (census?.validators() ?? []).filter(
      ({ jailed, tokens }) => !jailed && staking !== undefined && potentialPower(staking, tokens) > 0n,
    ).length;
    const frame = this.#consensus.frame(rng, candidates, (validator) =>
      extensionOf(rng, census?.jobs() ?? [], validator),
    );
    const sent: Sent[] = [];
    // Half of the evidence comes alone, so that what it does can be told.
    const isQuiet = rng.chance(0.05) || (frame.misbehavior.length > 0 && rng.chance(0.5));
    if (census !== undefined && !isQuiet) {
      const signer = new Signer(census);
      const scene = this.#scene(census, rng, signer);
      const isSilent = this.#only?.has(Number(frame.height)) === false;
      for (let wanted = isSilent ? 0 : rng.chance(0.03) ? MOST_IN_A_BLOCK : rng.between(1, 10); wanted > 0; wanted--) {
        const next = nextTransaction(scene, signer, this.#executed);
        if (next !== undefined) sent.push(next);
      }
    }
    return { frame, sent, request: this.#requestOf(frame, sent) };
  }

  #requestOf(frame: Frame, sent: readonly Sent[]): FinalizeBlockRequest {
    const { height, time, proposerAddress, misbehavior, lastCommit } = frame;
    const { round, votes } = lastCommit;
    const injected = votes.length === 0 ? [] : [concat(INJECTION_MAGIC, encodeInjection(lastCommit))];
    return {
      height,
      time,
      proposerAddress,
      misbehavior,
      nextValidatorsHash: EMPTY,
      hash: EMPTY,
      decidedLastCommit: { round, votes: votes.map(({ validator, flag }) => ({ validator, flag })) },
      txs: [...injected, ...sent.map(({ bytes }) => bytes)],
    };
  }

  /** What one application proposes, every other accepts; and all of them propose the same. */
  #judgeProposal({ frame, sent, request }: Plan): void {
    if (!this.#around.chance(0.3)) return;
    const { decidedLastCommit, ...block } = request;
    const all = [this.#reference, ...this.#replicas];
    const offered = {
      ...block,
      txs: sent.map(({ bytes }) => bytes),
      maxTxBytes: 250_000,
      localLastCommit: frame.lastCommit,
    };
    const proposals = all.map((replica) => replica.app().prepareProposal(offered));
    const [first = []] = proposals;
    // Consensus hears no nonsense: a vote whose extension does not decode is no vote.
    const hasNonsense = frame.lastCommit.votes.some(({ extension }) => extension.length > 0 && extension[0] !== 1);
    for (const [i, replica] of all.entries()) {
      if (textOf(proposals[i]) !== textOf(first)) throw new Broken(`${replica.name} proposes something else`);
      const judged = replica.app().processProposal({ ...block, txs: first, proposedLastCommit: decidedLastCommit });
      if (!judged.accept && !hasNonsense) throw new Broken(`${replica.name} refuses a proposal: ${judged.reason}`);
      if (judged.accept && hasNonsense) throw new Broken(`${replica.name} accepts an extension that is nonsense`);
    }
    this.tally.count('proposals made and judged');
  }

  async #runReplicas({ sent, request }: Plan, response: FinalizeBlockResponse): Promise<void> {
    const expected = textOf(response);
    const skipped = request.txs.length - sent.length;
    const { maxGas } = this.#consensus.params.block;
    const used = response.txResults.reduce((sum, { gasUsed }) => sum + gasUsed, 0n);
    // Where the block's gas ends, others come to their turn without those that were refused.
    const isTold = maxGas === -1n || used < maxGas;
    // Refused before its messages: neither fee nor sequence.
    const traceless = response.txResults.map(
      ({ code, events }, i) => i >= skipped && code !== 0 && events.length === 0,
    );
    const thin = isTold ? { ...request, txs: request.txs.filter((_, i) => traceless[i] !== true) } : undefined;
    for (const replica of this.#replicas) {
      await replica.before({ request, thin, appHash: response.appHash });
      const text = textOf(replica.finalize(request));
      if (text !== expected)
        throw new Broken(`${replica.name} differs from the reference: ${difference(text, expected)}`);
      await replica.commit();
      const { lastBlockAppHash, lastBlockHeight } = replica.app().info();
      if (!equal(lastBlockAppHash, response.appHash) || lastBlockHeight !== request.height)
        throw new Broken(`${replica.name} has committed ${toHex(lastBlockAppHash)} at ${lastBlockHeight}`);
    }
  }

  #count({ frame, sent, request }: Plan, response: FinalizeBlockResponse): void {
    const skipped = request.txs.length - sent.length;
    for (const [i, { name, bytes, mustFail }] of sent.entries()) {
      const result = defined(response.txResults[skipped + i], 'the result of a transaction');
      this.tally.add(name, result);
      if (result.code !== 0) continue;
      if (mustFail) throw new Broken(`"${name}" has succeeded`);
      this.#executed.push(bytes);
      if (this.#executed.length > EXECUTED_KEPT) this.#executed.shift();
    }
    this.tally.count('blocks');
    this.tally.count('transactions', sent.length);
    this.tally.count('evidence', frame.misbehavior.length);
    this.tally.count('validator updates', response.validatorUpdates.length);
    this.tally.count('changes of consensus parameters', response.consensusParamUpdates === undefined ? 0 : 1);
    for (const { type } of response.events) if (COUNTED_EVENTS.has(type)) this.tally.count(`event ${type}`);
  }

  /** All applications answer the same. */
  #ask(): void {
    const rng = this.#around;
    if (!rng.chance(0.1)) return;
    const all = [this.#reference, ...this.#replicas];
    const asked = this.#questions();
    for (let n = 0; n < 5; n++) {
      const question = rng.pick(asked);
      const expected = answerTo(this.#reference.app(), question);
      for (const replica of all.slice(1)) {
        const answer = answerTo(replica.app(), question);
        if (answer !== expected)
          throw new Broken(`${replica.name} answers ${question.path} differently: ${difference(answer, expected)}`);
      }
      this.tally.count('queries compared', this.#replicas.length);
    }
  }

  #questions(): readonly Question[] {
    const operators = this.#census()
      .validators()
      .map(({ operator }) => operatorText(operator));
    return questions(this.#reference.app(), this.#around, this.#actors, operators);
  }

  #census(): Census {
    return new Census(defined(this.#reference.app().stateAt(0n), 'a committed state'), this.#byAddress);
  }

  async #relive({ sent, request }: Plan, response: FinalizeBlockResponse): Promise<void> {
    const app = this.#reference.app();
    if (this.#reborn === undefined) {
      if (request.height === FIRST_REBIRTH || this.#around.chance(this.#rebirthRate)) await this.#bear();
      return;
    }
    const injected = Array.from({ length: request.txs.length - sent.length }, () => 'what validators say');
    require(await relive(this.#reborn, request, response, [...injected, ...sent.map(({ name }) => name)]));
    const over = isOver(this.#reborn, this.#consensus.height);
    if (!over && !this.#around.chance(0.2)) return;
    const { a, b } = sameExport(app, this.#reborn.app);
    if (a !== b) throw new Broken(`the chain reborn at ${this.#reborn.bornAt} has another state: ${difference(b, a)}`);
    if (over) this.#reborn = undefined;
  }

  async #bear(): Promise<void> {
    const born = await rebirth(this.#reference.app(), this.#consensus, this.#opening, this.#questions());
    if (!born.ok) throw new Broken(born.error);
    this.tally.count('exports, imports');
    if (born.value.isExact) this.#reborn = born.value;
    else this.tally.count('exports while a committee waits');
  }
}

const COUNTED_EVENTS: ReadonlySet<string> = new Set([
  'slash',
  'complete_unbonding',
  'complete_redelegation',
  'inference_settled',
  'inference_refunded',
  'verdict_ignored',
]);
