/** One simulation from one seed: a network of validators, some Byzantine, faults, healing, and the checkers over all of it. */

import { DEFAULT_ENGINE_CONFIG, type EngineConfig } from '#consensus/config.ts';
import { decodePeerMessage } from '#consensus/messages.ts';
import { utf8 } from '#core/bytes.ts';
import { maxBig } from '#core/int.ts';
import { toHeight } from '#core/types/brand.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import type { ValidatorSet } from '#core/types/validator-set.ts';
import type { Vote } from '#core/types/vote.ts';
import type { Genesis } from '#node/driver/handshake.ts';
import type { TxSource } from '#node/driver/ports.ts';
import { ENABLE_EXTENSIONS } from './app.ts';
import { bentApp, bentPublish } from './byzantine.ts';
import { AgreementChecker } from './checkers/agreement.ts';
import { AppHashChecker } from './checkers/app-hash.ts';
import { DoubleSignChecker } from './checkers/double-sign.ts';
import { checkEvidence } from './checkers/evidence.ts';
import { checkLiveness } from './checkers/liveness.ts';
import { LockingChecker } from './checkers/locking.ts';
import { ValidityChecker } from './checkers/validity.ts';
import { Violation } from './checkers/violation.ts';
import { type SimKey, SimKeys } from './keys.ts';
import { CALM, Network } from './network.ts';
import { EPOCH_MS, SimNode } from './node.ts';
import { BYZANTINE_KINDS, type ByzantineKind, type SimOptions } from './options.ts';
import { Rng } from './rng.ts';
import { Scheduler } from './scheduler.ts';
import { Strain } from './strain.ts';

export interface SimReport {
  readonly seed: number;
  readonly height: bigint;
  readonly simulatedMs: number;
  readonly messages: number;
  readonly faults: {
    readonly lost: number;
    readonly duplicated: number;
    readonly straggled: number;
    readonly cut: number;
    readonly partitions: number;
    readonly oneWay: number;
    readonly crashes: number;
    readonly lostWalRecords: number;
    /** Messages that came while an effect was unfinished. */
    readonly interleaved: number;
    /** Messages that slow processors took in late, or not at all. */
    readonly slowed: number;
    readonly pauses: number;
    readonly clockJumps: number;
  };
  /** Changes of the validator set's members and of powers. */
  readonly setChanges: number;
  readonly firstHeight: bigint;
  /** Port calls at which nodes crashed. */
  readonly crashedAt: readonly string[];
  /** Highest round that decided a height. */
  readonly highestRound: number;
  readonly evidence: number;
  /** Blocks that waited for the disk together with later ones. */
  readonly held: number;
  /** Blocks that nodes sent to others who were several heights behind. */
  readonly blocksServed: number;
  readonly rejected: readonly string[];
  readonly violation: Error | undefined;
}

const CHAIN_ID = 'sim-chain';
/** First byte of a block-sync response (field 6, length-delimited), and how long one without a block can be. */
const BLOCK_RESPONSE_TAG = 0x32;
const NO_BLOCK_BYTES = 16;
/** Field 3, length-delimited. */
const VOTE_TAG = 0x1a;

export async function simulate(options: SimOptions): Promise<SimReport> {
  return new Simulation(options).run();
}

class Simulation {
  readonly options: SimOptions;
  readonly rng: Rng;
  readonly scheduler = new Scheduler();
  readonly network: Network;
  readonly keys = new SimKeys();
  readonly validatorKeys: readonly SimKey[];
  readonly genesis: Genesis;
  readonly nodes = new Map<string, SimNode>();
  readonly honest: SimNode[] = [];
  readonly agreement = new AgreementChecker();
  readonly appHash = new AppHashChecker();
  readonly doubleSign = new DoubleSignChecker();
  readonly locking = new LockingChecker();
  readonly validity: ValidityChecker;
  readonly rejected = new Set<string>();
  /** Timeouts shorter than the network's delays: rounds fail, and locks matter. */
  readonly hasty: boolean;
  readonly #crashing: SimNode[] = [];
  readonly strain: Strain | undefined;
  partitions = 0;
  oneWay = 0;
  highestRound = 0;
  blocksServed = 0;
  /** Places for which evidence was committed. */
  readonly punished = new Set<string>();
  /** Validators by height, as far as any node has come. */
  readonly sets = new Map<bigint, ValidatorSet>();
  /** The first so many never leave, so that the Byzantine ones, who have ten each, stay below a third. */
  readonly pinned: number;
  setChanges = 0;
  violation: Error | undefined;

  constructor(options: SimOptions) {
    this.options = options;
    this.rng = new Rng(options.seed);
    this.network = new Network(this.rng.fork(), this.scheduler, (from, to, bytes) =>
      this.nodes.get(to)?.receive(from, bytes),
    );
    this.strain = options.strain ? new Strain(options.seed, this.scheduler) : undefined;
    this.hasty = this.rng.chance(1 / 2);
    this.validatorKeys = Array.from({ length: options.nodes }, (_, i) => this.keys.make(i));
    const { changes, nodes, byzantine } = options;
    this.pinned = Math.max(1, 3 * byzantine);
    this.genesis = {
      chainId: CHAIN_ID,
      initialHeight: toHeight(changes ? BigInt(this.rng.pick([1, 2, 1_000])) : 1n),
      time: fromMillis(EPOCH_MS),
      params: {
        ...DEFAULT_CONSENSUS_PARAMS,
        abci: { voteExtensionsEnableHeight: BigInt(this.rng.pick([0, 1, 4])) },
      },
      validators: this.validatorKeys.map(({ publicKey }, i) => ({
        publicKey,
        power: changes && i < nodes - byzantine ? BigInt(this.rng.between(10, 40)) : 10n,
      })),
      appHash: new Uint8Array(0),
      appStateBytes: new Uint8Array(0),
    };
    this.validity = new ValidityChecker(this.genesis, this.keys.verifier, this.pinned);
    this.#note(this.genesis.initialHeight);
    this.#build();
  }

  #note(next: bigint): void {
    const [validators, nextValidators] = this.validity.sets;
    this.sets.set(next, validators);
    this.sets.set(next + 1n, nextValidators);
  }

  #build(): void {
    const { nodes, byzantine, kinds } = this.options;
    const kindOf = new Map<number, ByzantineKind>();
    for (let i = 0; i < byzantine; i++) kindOf.set(nodes - 1 - i, this.rng.pick(kinds ?? BYZANTINE_KINDS));
    const ids: { id: string; index: number; side: 'a' | 'b' | undefined }[] = [];
    for (let index = 0; index < nodes; index++) {
      const twins = kindOf.get(index) === 'twins';
      if (twins) ids.push({ id: `n${index}a`, index, side: 'a' }, { id: `n${index}b`, index, side: 'b' });
      else ids.push({ id: `n${index}`, index, side: undefined });
    }
    const config = this.#config();
    for (const { id, index } of ids) {
      const peers = ids.map((other) => other.id).filter((other) => other !== id);
      const node = this.#node(id, index, peers, kindOf.get(index), config);
      this.nodes.set(id, node);
      if (!kindOf.has(index)) this.honest.push(node);
      if (!kindOf.has(index) || kindOf.get(index) === 'amnesia') this.#crashing.push(node);
    }
    this.#cutTwins(ids);
  }

  /** Each twin plays for one half of the others: no message between a twin and the other half, or the other twins' side. */
  #cutTwins(
    ids: readonly { readonly id: string; readonly index: number; readonly side: 'a' | 'b' | undefined }[],
  ): void {
    const sideOf = ({ index, side }: { index: number; side: 'a' | 'b' | undefined }) =>
      side ?? (index % 2 === 0 ? 'a' : 'b');
    for (const twin of ids.filter((each) => each.side !== undefined))
      for (const other of ids)
        if (sideOf(other) !== twin.side) {
          this.network.alwaysCut.add(`${twin.id}>${other.id}`);
          this.network.alwaysCut.add(`${other.id}>${twin.id}`);
        }
  }

  #config(): EngineConfig {
    const hasty = this.hasty;
    return {
      ...DEFAULT_ENGINE_CONFIG,
      timeoutProposeMs: hasty ? 60 : 300,
      timeoutProposeDeltaMs: hasty ? 15 : 100,
      timeoutPrevoteMs: hasty ? 10 : 100,
      timeoutPrevoteDeltaMs: hasty ? 10 : 100,
      timeoutPrecommitMs: hasty ? 10 : 100,
      timeoutPrecommitDeltaMs: hasty ? 10 : 100,
      timeoutCommitMs: this.rng.pick([20, 200]),
      // Alone it would decide height after height without any time passing.
      skipTimeoutCommit: this.options.nodes > 1 && this.rng.chance(1 / 2),
    };
  }

  #node(
    id: string,
    index: number,
    peers: readonly string[],
    kind: ByzantineKind | undefined,
    config: EngineConfig,
  ): SimNode {
    const key = this.validatorKeys[index] as SimKey;
    const send = (to: string, bytes: Uint8Array) => this.network.send(id, to, bytes);
    /** What Byzantine nodes make up is never published; repair may show a vote before it is published, or instead. */
    const noting = (to: string, bytes: Uint8Array) => {
      this.#noteVote(id, bytes);
      send(to, bytes);
    };
    const repair = (to: string, bytes: Uint8Array) => {
      if (bytes[0] === BLOCK_RESPONSE_TAG && bytes.length > NO_BLOCK_BYTES) this.blocksServed++;
      noting(to, bytes);
    };
    const bent = kind === undefined ? undefined : bentPublish(kind, key, CHAIN_ID, peers, noting, this.rng.fork());
    return new SimNode(
      {
        id,
        key,
        keys: this.keys,
        genesis: this.genesis,
        config,
        statusIntervalMs: 100,
        skewMs: this.rng.pick([1, 1, 10]) * this.rng.between(-500, 500),
        slowMs: this.options.changes && this.rng.chance(1 / 3) ? this.rng.pick([5, 30]) : 0,
        pinned: this.pinned,
        txs: this.#txs(this.rng.fork()),
        peers,
        ...(kind === undefined ? {} : { wrapApp: bentApp(kind, this.rng.fork()), amnesia: kind === 'amnesia' }),
        unguarded: kind !== undefined,
        send: repair,
        publish: (bytes) => {
          this.#published(id, bytes, kind === undefined);
          if (bent !== undefined) bent(bytes);
          else for (const peer of peers) send(peer, bytes);
        },
        onCommitted: (committed, blocks) => {
          const { height } = committed.block.header;
          this.sets.set(height + 2n, committed.state.nextValidators);
          if (kind !== undefined) return undefined;
          if (committed.response.validatorUpdates.length > 0 && height > this.agreement.height)
            this.setChanges += committed.response.validatorUpdates.length;
          this.agreement.committed(id, committed);
          this.appHash.committed(id, committed);
          this.highestRound = Math.max(this.highestRound, blocks.seenCommit(committed.block.header.height)?.round ?? 0);
          for (const item of committed.block.evidence)
            if (item.kind === 'duplicate-vote')
              this.punished.add(
                `${item.voteA.height}/${item.voteA.round}/${item.voteA.type}/${item.voteA.validatorIndex}`,
              );
          return this.validity.committed(id, committed, blocks);
        },
        onReject: (from, reason) => this.#onReject(id, from, reason),
        onFailure: (node, error) => {
          if (kind !== undefined) return;
          this.violation ??= error instanceof Error ? error : new Error(`${node.id}: ${String(error)}`);
        },
      },
      this.scheduler,
      this.rng.fork(),
    );
  }

  /** Each node proposes transactions of its own. */
  #txs(rng: Rng): TxSource {
    return {
      reap: () => Array.from({ length: rng.below(4) }, () => this.#tx(rng)),
      isEmpty: () => false,
      update: async () => {},
    };
  }

  /** Powers change only among the honest; the Byzantine keep theirs. */
  #tx(rng: Rng): Uint8Array {
    const { changes, nodes, byzantine } = this.options;
    if (changes && rng.chance(1 / 10)) {
      const power = rng.chance(1 / 3) ? 0 : rng.between(10, 40);
      return utf8(`power:${rng.below(nodes - byzantine)}:${power}`);
    }
    if (changes && rng.chance(1 / 40)) return ENABLE_EXTENSIONS;
    return utf8(`${rng.chance(1 / 8) ? 'bad' : 'set'}:${rng.u32()}`);
  }

  #published(id: string, bytes: Uint8Array, honest: boolean): void {
    const decoded = decodePeerMessage(bytes);
    if (!decoded.ok) throw new Violation('encoding', `${id} published what cannot be decoded: ${decoded.error}`);
    const message = decoded.value;
    if (message.kind === 'vote') {
      const { totalPower } = this.#seen(id, message.vote);
      if (honest) this.locking.honest(id, message.vote, totalPower);
    }
    if (honest) this.doubleSign.published(id, message);
  }

  #seen(id: string, vote: Vote): ValidatorSet {
    const { height, validatorIndex } = vote;
    const set = this.sets.get(height);
    if (set === undefined) throw new Violation('early vote', `${id} votes at ${height}, which nobody has begun`);
    this.locking.seen(vote, set.validators[validatorIndex]?.power ?? 0n);
    return set;
  }

  #noteVote(id: string, bytes: Uint8Array): void {
    if (bytes[0] !== VOTE_TAG) return;
    const decoded = decodePeerMessage(bytes);
    if (decoded.ok && decoded.value.kind === 'vote') this.#seen(id, decoded.value.vote);
  }

  #onReject(to: string, from: string, reason: string): void {
    this.rejected.add(`${from}: ${reason}`);
    if (this.honest.some((node) => node.id === from))
      this.violation ??= new Violation('blame', `${to} blames the honest ${from}: ${reason}`);
  }

  async run(): Promise<SimReport> {
    for (const node of this.nodes.values()) this.scheduler.at(this.rng.below(100), () => node.start());
    const { options } = this;
    const { chaosMs, healMs, healHeights } = options;
    if (chaosMs > 0) {
      this.#unleash();
      await this.#until(chaosMs);
      this.#heal();
      await this.#until(this.scheduler.nowMs + options.settleMs);
      // Whoever crashed last must be up before the clock for liveness starts.
      await this.#until(this.scheduler.nowMs + 3_000, () => this.honest.every((node) => node.up));
    }
    if (options.crashAfter !== undefined) await this.#crashFirst(options.crashAfter);
    // A chain may begin at a later height than 1: who has decided nothing stands below its first one, not at 0.
    const below = this.genesis.initialHeight - 1n;
    const before = new Map(this.honest.map((node) => [node.id, maxBig(node.height, below)]));
    const gained = () => this.honest.every((node) => node.height >= (before.get(node.id) ?? 0n) + BigInt(healHeights));
    await this.#until(this.scheduler.nowMs + healMs, gained);
    this.#checkLiveness(before);
    return this.#report();
  }

  async #crashFirst(calls: number): Promise<void> {
    const node = this.honest[0] as SimNode;
    await this.#until(60_000, () => node.height >= this.genesis.initialHeight + 1n);
    node.lightFuse(calls, this.options.downMs ?? 50);
    await this.#until(this.scheduler.nowMs + 60_000, () => node.crashes > 0 && node.up);
    if (this.options.crashAgainAfter === undefined) return;
    node.lightFuse(this.options.crashAgainAfter, 50);
    await this.#until(this.scheduler.nowMs + 60_000, () => node.crashes > 1 && node.up);
  }

  #checkLiveness(before: ReadonlyMap<string, bigint>): void {
    if (this.violation !== undefined) return;
    const heights = this.honest.map((node) => {
      const state = node.executor?.state;
      const where = state === undefined ? 'down' : `round ${state.round}, ${state.step}`;
      return { node: node.id, before: before.get(node.id) ?? 0n, after: node.height, where };
    });
    try {
      checkLiveness(heights, BigInt(this.options.healHeights));
      for (const node of this.honest) checkEvidence(node.id, node.pendingEvidence, before.get(node.id) ?? 0n);
    } catch (error) {
      this.violation = error as Error;
    }
  }

  async #until(untilMs: number, done: () => boolean = () => false): Promise<void> {
    while (this.violation === undefined && !done() && (await this.scheduler.next(untilMs)));
    if (this.violation === undefined && !done()) this.scheduler.nowMs = Math.max(this.scheduler.nowMs, untilMs);
  }

  #unleash(): void {
    const { rng, network } = this;
    network.faults = {
      minDelayMs: 1,
      maxDelayMs: this.hasty ? 80 : rng.pick([5, 30, 80]),
      loss: rng.pick([0, 0.02, 0.1, 0.25]),
      duplicate: rng.pick([0, 0.05, 0.2]),
      straggle: rng.pick([0, 0.05, 0.2]),
    };
    this.#partitionSoon();
    if (this.options.crashes) this.#crashSoon();
    this.strain?.begin([...this.nodes.values()], this.options.chaosMs);
  }

  #partitionSoon(): void {
    this.scheduler.after(this.rng.between(200, 4_000), () => {
      if (!this.chaos) return;
      this.partitions++;
      const island = new Set([...this.nodes.keys()].filter(() => this.rng.chance(1 / 2)));
      const oneWay = this.rng.chance(1 / 3);
      if (oneWay) this.oneWay++;
      this.network.cut = (from, to) =>
        oneWay ? island.has(from) && !island.has(to) : island.has(from) !== island.has(to);
      this.scheduler.after(this.rng.between(100, 2_000), () => {
        this.network.cut = () => false;
      });
      this.#partitionSoon();
    });
  }

  #crashSoon(): void {
    this.scheduler.after(this.rng.between(100, 1_500), () => {
      if (!this.chaos) return;
      this.rng.pick(this.#crashing).lightFuse(this.rng.below(60), this.rng.between(10, 2_000));
      this.#crashSoon();
    });
  }

  get chaos(): boolean {
    return this.scheduler.nowMs < this.options.chaosMs;
  }

  #heal(): void {
    this.network.faults = CALM;
    this.network.cut = () => false;
    this.strain?.end([...this.nodes.values()]);
  }

  #report(): SimReport {
    const { network, options } = this;
    const { lost, duplicated, straggled, cut } = network.counts;
    return {
      seed: options.seed,
      height: this.agreement.height,
      firstHeight: this.genesis.initialHeight,
      setChanges: this.setChanges,
      simulatedMs: this.scheduler.nowMs,
      messages: network.counts.sent,
      faults: {
        lost,
        duplicated,
        straggled,
        cut,
        partitions: this.partitions,
        oneWay: this.oneWay,
        crashes: this.honest.reduce((sum, node) => sum + node.crashes, 0),
        lostWalRecords: this.honest.reduce((sum, node) => sum + node.disk.lostFrames, 0),
        interleaved: this.honest.reduce((sum, node) => sum + node.interleaved, 0),
        slowed: this.honest.reduce((sum, node) => sum + node.slowed, 0),
        pauses: this.strain?.pauses ?? 0,
        clockJumps: this.strain?.clockJumps ?? 0,
      },
      crashedAt: this.honest.flatMap((node) => node.crashedAt),
      highestRound: this.highestRound,
      evidence: this.punished.size,
      held: this.honest.reduce((sum, node) => sum + node.held, 0),
      blocksServed: this.blocksServed,
      rejected: [...this.rejected],
      violation: this.violation,
    };
  }
}
