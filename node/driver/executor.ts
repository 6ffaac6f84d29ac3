/**
 * The one effect executor: feeds the engine, performs its effects in order, feeds the answers back. The node and the
 * simulator run this very code over different ports.
 */

import { maxTxBytes } from '#consensus/block-rules.ts';
import type { EngineConfig } from '#consensus/config.ts';
import type { Effect } from '#consensus/effect.ts';
import { toMisbehavior } from '#consensus/evidence.ts';
import type { Input, TimeoutStep } from '#consensus/input.ts';
import { CONSENSUS_LIMITS } from '#consensus/limits.ts';
import {
  decodePeerMessage,
  encodePeerMessage,
  maxMessageBytes,
  type PeerMessage,
  type RoundStatus,
} from '#consensus/messages.ts';
import { createEngine, type EngineState, proposerAt, resume, roundStatus } from '#consensus/state.ts';
import { step } from '#consensus/step.ts';
import { type VerifiedProposal, verifyProposal, verifyVote } from '#consensus/verify-message.ts';
import type { Application } from '#core/abci.ts';
import { assert, assertNever } from '#core/assert.ts';
import { toHex } from '#core/bytes.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import type { Clock } from '#core/ports/clock.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { toHeight } from '#core/types/brand.ts';
import { extensionsEnabled } from '#core/types/consensus-params.ts';
import { type Evidence, evidenceId } from '#core/types/evidence.ts';
import { compareTime } from '#core/types/timestamp.ts';
import { PREVOTE } from '#core/types/vote.ts';
import { checkExtension, checkPrepared } from './application-answers.ts';
import { CatchUp, lowestKept } from './catch-up.ts';
import { EarlyMessages } from './early-messages.ts';
import { EvidenceGossip } from './evidence-gossip.ts';
import { type Genesis, handshake } from './handshake.ts';
import { IGNORE, takeIn, type Verdict } from './intake.ts';
import { QueuedParts, Repairs } from './part-traffic.ts';
import type { Fatal, PeerId, Signer, TimerHandle, Timers, Transport } from './ports.ts';
import { Serving } from './serving.ts';
import { isFar, isSpent } from './spent.ts';
import { openWal } from './wal-start.ts';
import { WriteGroup, type WriteGroupDeps } from './write-group.ts';

export interface ExecutorOptions {
  readonly genesis: Genesis;
  readonly config: EngineConfig;
  /** How often this node tells peers where it stands. */
  readonly statusIntervalMs: number;
  /** How many peers each time, in turn. */
  readonly statusFanout: number;
}

export interface ExecutorDeps extends WriteGroupDeps {
  readonly app: Application;
  /** `undefined`: a full node that never signs. */
  readonly signer: Signer | undefined;
  readonly transport: Transport;
  readonly timers: Timers;
  readonly clock: Clock;
  readonly verifier: Verifier;
  readonly fatal: Fatal;
  /** Sees each input after the engine has taken it, before its effects are performed. Never throws. */
  readonly observe?: (input: Input, effects: readonly Effect[], state: EngineState) => void;
}

export interface Executor {
  /** A message of a peer, by gossip or direct stream. Never waits; what the engine makes of it comes later. */
  receive(peer: PeerId, bytes: Uint8Array): Verdict;
  /** The same for who has decoded the message already. */
  receiveDecoded(peer: PeerId, bytes: Uint8Array, message: PeerMessage): Verdict;
  addPeer(peer: PeerId): void;
  removePeer(peer: PeerId): void;
  /** The mempool has got its first transaction. */
  txsAvailable(): void;
  /** For reading: height, round, step, chain state. */
  readonly state: EngineState;
  /** Whether this peer was asked for the block of this height and has not answered. */
  expectsBlock(peer: PeerId, height: bigint): boolean;
  /** Last claims of connected peers, for RPC and metrics. */
  peerStatus(peer: PeerId): RoundStatus | undefined;
  /** Messages kept for the height to come, and how many of them are parts; for metrics. */
  readonly earlyMessages: { readonly all: number; readonly parts: number };
  /** Resolves when everything received so far has been worked off, or the executor has stopped. */
  idle(): Promise<void>;
  /** Ends after the input in work; the log is synced and closed. */
  close(): Promise<void>;
}

/** Handshake, replay of the log, and off. @throws Error when what is stored cannot be brought together. */
export async function startExecutor(options: ExecutorOptions, deps: ExecutorDeps): Promise<Executor> {
  const chain = await handshake(deps, options.genesis, deps.verifier);
  const inputs = await openWal(deps, chain.lastBlockHeight);
  const self = deps.signer && consensusAddress(deps.signer.publicKey);
  const lastCommit = chain.lastBlockHeight === 0n ? undefined : deps.blocks.seenCommit(chain.lastBlockHeight);
  const engine = createEngine({ config: options.config, verifier: deps.verifier, self }, chain, lastCommit);
  // What was done then is done; only what was seen of others lives in memory alone.
  for (const input of inputs)
    for (const effect of step(engine, input).effects)
      if (effect.kind === 'report-evidence') deps.evidence.report(effect.first, effect.second);
  deps.logger.info('consensus starts', {
    height: engine.height,
    round: engine.round,
    step: engine.step,
    replayed: inputs.length,
  });
  return new Runner(options, deps, engine).start();
}

class Runner implements Executor {
  readonly state: EngineState;
  readonly #options: ExecutorOptions;
  readonly #deps: ExecutorDeps;
  /** Answers come before anything from outside. */
  readonly #answers: Input[] = [];
  readonly #queue: Input[] = [];
  readonly #peers = new Map<PeerId, RoundStatus | undefined>();
  readonly #repairs = new Repairs();
  readonly #queuedParts = new QueuedParts();
  readonly #timers = new Map<TimeoutStep, TimerHandle>();
  readonly #catchUp: CatchUp;
  readonly #evidence = new EvidenceGossip();
  readonly #early = new EarlyMessages();
  readonly #group: WriteGroup;
  readonly #serving = new Serving((peer) => this.#deps.transport.isBusy?.(peer) === true);
  /** The last proposal that was taken in. */
  #coming: VerifiedProposal | undefined;
  #statusTimer: TimerHandle | undefined;
  #turn = 0;
  #work: Promise<void> | undefined;
  #stopped = false;
  #failed = false;
  /** Height that peers ahead were last told of. */
  #told: bigint = 0n;
  /** Height at which it was last said that nobody has the next block. */
  #stranded: bigint | undefined;

  constructor(options: ExecutorOptions, deps: ExecutorDeps, state: EngineState) {
    this.#options = options;
    this.#deps = deps;
    this.state = state;
    this.#group = new WriteGroup(deps);
    this.#catchUp = new CatchUp({
      state,
      blocks: deps.blocks,
      verifier: deps.verifier,
      peers: this.#peers,
      send: (peer, bytes) => this.#give(peer, bytes),
      fault: (peer, reason) => deps.transport.fault?.(peer, reason),
      enqueue: (input) => this.#enqueue(input),
    });
  }

  start(): Executor {
    this.#run(() => this.#perform(resume(this.state)));
    this.#tick();
    return this;
  }

  receive(peer: PeerId, bytes: Uint8Array): Verdict {
    if (this.#stopped) return IGNORE;
    const limit = maxMessageBytes(bytes[0]);
    if (bytes.length > limit) return { kind: 'reject', reason: `${bytes.length} bytes exceed the limit of ${limit}` };
    const message = decodePeerMessage(bytes);
    if (!message.ok) return { kind: 'reject', reason: message.error };
    return this.#take(peer, message.value, bytes);
  }

  receiveDecoded(peer: PeerId, bytes: Uint8Array, message: PeerMessage): Verdict {
    return this.#stopped ? IGNORE : this.#take(peer, message, bytes);
  }

  #take(peer: PeerId, message: PeerMessage, bytes: Uint8Array): Verdict {
    switch (message.kind) {
      case 'status':
        this.#onStatus(peer, message.status);
        return IGNORE;
      case 'block-request':
        if (this.#serving.admits(peer)) this.#catchUp.onRequest(peer, message.height);
        return IGNORE;
      case 'block-response':
        return this.#catchUp.onResponse(peer, message);
      case 'evidence':
        return this.#onEvidence(peer, message.evidence);
      case 'proposal':
      case 'block-part':
      case 'vote': {
        if (this.#queue.length >= CONSENSUS_LIMITS.maxQueuedInputs) return IGNORE;
        if (isSpent(this.state, message, this.#coming, this.#early)) return IGNORE;
        const taken = takeIn(this.state, this.#deps.verifier, message, this.#coming, this.#queuedParts);
        if (taken.input?.kind === 'proposal') this.#coming = taken.input.proposal;
        // Parts whose proposal is not here yet are nobody's word: few are kept, whoever sends them.
        const unproven = message.kind === 'block-part' && taken.partOf === undefined;
        if (message.kind === 'block-part' && taken.partOf !== undefined)
          this.#queuedParts.add(taken.partOf, message.part);
        if (taken.input !== undefined && !(unproven && this.#queue.length >= CONSENSUS_LIMITS.maxEarlyParts))
          this.#enqueue(taken.input);
        else if (taken.early) this.#early.keep(peer, bytes, message);
        return taken.verdict.kind === 'accept' && isFar(this.state, message) ? IGNORE : taken.verdict;
      }
      default:
        return assertNever(message, 'peer message');
    }
  }

  #onEvidence(peer: PeerId, evidence: Evidence): Verdict {
    const verdict = this.#deps.evidence.receive(this.state.chain, evidence);
    if (verdict.kind === 'invalid') return { kind: 'reject', reason: verdict.reason };
    if (this.#peers.has(peer)) this.#evidence.heard(peer, toHex(evidenceId(evidence)), this.state.height);
    if (verdict.kind === 'new')
      this.#deps.logger.info('evidence of a peer waits for a block', { kind: evidence.kind, peer });
    return IGNORE;
  }

  addPeer(peer: PeerId): void {
    if (this.#peers.size >= CONSENSUS_LIMITS.maxPeers || this.#peers.has(peer)) return;
    this.#peers.set(peer, undefined);
    this.#sendStatus(peer);
  }

  removePeer(peer: PeerId): void {
    this.#peers.delete(peer);
    this.#repairs.removePeer(peer);
    this.#catchUp.removePeer(peer);
    this.#evidence.removePeer(peer);
  }

  expectsBlock(peer: PeerId, height: bigint): boolean {
    return this.#catchUp.expects(peer, height);
  }

  peerStatus(peer: PeerId): RoundStatus | undefined {
    return this.#peers.get(peer);
  }

  txsAvailable(): void {
    this.#enqueue({ kind: 'txs-available', height: this.state.height });
  }

  get earlyMessages(): { readonly all: number; readonly parts: number } {
    return this.#early.counts;
  }

  async idle(): Promise<void> {
    while (this.#work !== undefined) await this.#work;
  }

  async close(): Promise<void> {
    this.#stop();
    await this.idle();
    if (!this.#failed) await this.#group.settle();
    await this.#deps.wal.close();
  }

  #stop(): void {
    this.#stopped = true;
    this.#statusTimer?.cancel();
    for (const timer of this.#timers.values()) timer.cancel();
  }

  #enqueue(input: Input): void {
    if (this.#stopped) return;
    this.#queue.push(input);
    if (this.#work === undefined) this.#run(async () => {});
  }

  /** Works off everything that is queued; only ever one at a time. A thrown error ends the executor. */
  #run(first: () => Promise<void>): void {
    assert(this.#work === undefined, 'the executor works on one input at a time');
    const work = async () => {
      try {
        await first();
        while (!this.#stopped) {
          const input = this.#answers.shift() ?? this.#queue.shift();
          if (input === undefined) {
            await this.#group.settle();
            if (this.#queue.length === 0) break;
            continue;
          }
          if (input.kind === 'block-part') this.#queuedParts.taken(input.part);
          const { effects } = step(this.state, input);
          this.#deps.observe?.(input, effects, this.state);
          await this.#perform(effects);
        }
      } catch (error) {
        this.#failed = true;
        this.#stop();
        this.#deps.fatal(error);
      } finally {
        this.#work = undefined;
      }
    };
    this.#work = work();
  }

  async #perform(effects: readonly Effect[]): Promise<void> {
    for (const effect of effects) {
      if (this.#stopped) return;
      await this.#performOne(effect);
    }
  }

  async #performOne(effect: Effect): Promise<void> {
    const { wal, transport, logger } = this.#deps;
    switch (effect.kind) {
      case 'append-wal':
        assert(effect.input.kind !== 'committed', 'the stores remember what is committed');
        return this.#group.log(effect.input);
      case 'sync-wal':
        await this.#group.settle();
        return wal.sync();
      case 'publish':
        return transport.publish(encodePeerMessage(effect.message));
      case 'status-changed':
        return this.#onStatusChanged();
      case 'schedule-timeout':
        return this.#schedule(effect);
      case 'sign-vote':
        return this.#signVote(effect);
      case 'sign-proposal':
        return this.#signProposal(effect);
      case 'prepare-proposal':
        return this.#prepare(effect);
      case 'process-proposal':
        return this.#process(effect);
      case 'extend-vote': {
        const { height, round } = effect.request;
        const extension = checkExtension(height, this.#deps.app.extendVote(effect.request));
        this.#answers.push({ kind: 'extended', height, round, extension });
        return;
      }
      case 'verify-extension': {
        const accept = this.#deps.app.verifyVoteExtension(effect.request);
        this.#answers.push({ kind: 'extension-checked', vote: effect.vote, accept });
        return;
      }
      case 'commit':
        return this.#commit(effect);
      case 'report-evidence':
        logger.warn('a validator signed two votes', {
          validator: effect.first.validatorAddress,
          height: effect.first.height,
        });
        return this.#deps.evidence.report(effect.first, effect.second);
      case 'log':
        return logger.warn(effect.message, effect.fields);
      default:
        return assertNever(effect, 'effect');
    }
  }

  #schedule({ height, round, step: waited, durationMs }: Extract<Effect, { kind: 'schedule-timeout' }>): void {
    this.#timers.get(waited)?.cancel();
    const fire = () => this.#enqueue({ kind: 'timeout', height, round, step: waited });
    this.#timers.set(waited, this.#deps.timers.set(durationMs, fire));
  }

  async #signVote(effect: Extract<Effect, { kind: 'sign-vote' }>): Promise<void> {
    const { signer, clock, verifier } = this.#deps;
    assert(signer !== undefined, 'only a validator signs');
    const { chain } = this.state;
    const now = clock.now();
    const timestamp = compareTime(now, effect.minTime) < 0 ? effect.minTime : now;
    const signed = await signer.signVote(chain.chainId, { ...effect.vote, timestamp }, effect.extend);
    const { height, round, type } = effect.vote;
    if (!signed.ok) {
      this.#deps.logger.warn('the signer refuses a vote', { height, round, type, reason: signed.error });
      this.#answers.push({ kind: 'sign-refused', height, round, what: type === PREVOTE ? 'prevote' : 'precommit' });
      return;
    }
    const verified = verifyVote(
      { ...effect.vote, ...signed.value },
      {
        chainId: chain.chainId,
        validators: chain.validators,
        extensions: extensionsEnabled(chain.params, height),
        verifier,
      },
    );
    if (!verified.ok) throw new Error(`the signer's own vote is wrong: ${verified.error}`);
    this.#answers.push({ kind: 'vote-signed', vote: verified.value });
  }

  async #signProposal({ proposal }: Extract<Effect, { kind: 'sign-proposal' }>): Promise<void> {
    const { signer, clock, verifier } = this.#deps;
    assert(signer !== undefined, 'only a validator signs');
    const { chainId } = this.state.chain;
    const signed = await signer.signProposal(chainId, { ...proposal, timestamp: clock.now() });
    const { height, round } = proposal;
    if (!signed.ok) {
      this.#deps.logger.warn('the signer refuses a proposal', { height, round, reason: signed.error });
      this.#answers.push({ kind: 'sign-refused', height, round, what: 'proposal' });
      return;
    }
    const proposer = proposerAt(this.state, round);
    const verified = verifyProposal({ ...proposal, ...signed.value }, proposer, chainId, verifier);
    if (!verified.ok) throw new Error(`the signer's own proposal is wrong: ${verified.error}`);
    this.#answers.push({ kind: 'proposal-signed', proposal: verified.value });
  }

  #prepare({ round, request }: Extract<Effect, { kind: 'prepare-proposal' }>): void {
    const { app, txs, evidence } = this.#deps;
    const { chain } = this.state;
    const { lastCommitSize, ...context } = request;
    const included = evidence.pending(chain, chain.params.evidence.maxBytes);
    const limit = maxTxBytes(chain.params, included, lastCommitSize);
    const prepared = app.prepareProposal({
      ...context,
      misbehavior: included.flatMap(toMisbehavior),
      maxTxBytes: limit,
      txs: txs.reap(limit, chain.params.block.maxGas),
    });
    const { height } = request;
    const checked = checkPrepared(height, prepared, limit);
    this.#answers.push({ kind: 'prepared', height, round, txs: checked, evidence: included });
  }

  #process({ round, request, evidence }: Extract<Effect, { kind: 'process-proposal' }>): void {
    const { app, logger } = this.#deps;
    const checked = this.#deps.evidence.check(this.state.chain, evidence);
    const answer = checked.ok ? app.processProposal(request) : { accept: false, reason: checked.error };
    if (!answer.accept) logger.warn('a proposal is refused', { height: request.height, round, reason: answer.reason });
    const { height, hash: blockHash } = request;
    this.#answers.push({ kind: 'processed', height, round, blockHash, accept: answer.accept });
  }

  async #commit({ block, blockId, parts, seenCommit }: Extract<Effect, { kind: 'commit' }>): Promise<void> {
    const { blocks, txs } = this.#deps;
    const { height } = block.header;
    await blocks.save(block, blockId, parts, seenCommit);
    const more = !this.#stopped && this.#catchUp.holds(height + 1n);
    const state = await this.#group.apply(this.state.chain, block, blockId, more);
    this.#answers.push({ kind: 'committed', state });
    if (!txs.isEmpty()) this.#answers.push({ kind: 'txs-available', height: toHeight(height + 1n) });
  }

  /** A new height: what came early for it, and a word to somebody who is ahead of us still. */
  #onStatusChanged(): void {
    const { height } = this.state;
    if (height === this.#told) return;
    this.#told = height;
    for (const { peer, bytes } of this.#early.take()) this.receive(peer, bytes);
    // Who sends us its block need not send its votes and parts as well.
    if (this.#catchUp.onHeight()) return;
    const ahead = [...this.#peers].filter(([, status]) => status !== undefined && status.height > height);
    const chosen = ahead[Number(height) % Math.max(1, ahead.length)];
    if (chosen !== undefined) this.#sendStatus(chosen[0]);
  }

  #onStatus(peer: PeerId, status: RoundStatus): void {
    if (this.#peers.has(peer)) this.#peers.set(peer, status);
    if (!this.#peers.has(peer) || !this.#serving.admits(peer)) return;
    for (const message of this.#repairs.plan(peer, this.state, this.#deps.blocks, status))
      this.#give(peer, encodePeerMessage(message));
    const { height } = this.state;
    for (const evidence of this.#evidence.due(peer, status.height, height, this.#deps.evidence.list()))
      this.#give(peer, encodePeerMessage({ kind: 'evidence', evidence }));
  }

  #give(peer: PeerId, bytes: Uint8Array): void {
    this.#serving.gave(peer, bytes.length);
    this.#deps.transport.send(peer, bytes);
  }

  /** Said once a height: block sync cannot help a node whose next block everybody has pruned. */
  #warnIfStranded(): void {
    const { height } = this.state;
    const lowest = this.#stranded === height ? undefined : lowestKept(height, this.#peers.values());
    if (lowest === undefined) return;
    this.#stranded = height;
    this.#deps.logger.warn(
      'no connected peer keeps the next block any more: find one that does, or begin anew by state sync',
      { height, lowest },
    );
  }

  #tick(): void {
    this.#repairs.tick();
    this.#serving.tick();
    this.#catchUp.tick();
    this.#warnIfStranded();
    const peers = [...this.#peers.keys()];
    for (let i = 0; i < Math.min(this.#options.statusFanout, peers.length); i++) {
      const peer = peers[this.#turn++ % peers.length];
      if (peer !== undefined) this.#sendStatus(peer);
    }
    this.#statusTimer = this.#deps.timers.set(this.#options.statusIntervalMs, () => {
      if (!this.#stopped) this.#tick();
    });
  }

  #sendStatus(peer: PeerId): void {
    const status = roundStatus(this.state, this.#deps.blocks.base);
    this.#deps.transport.send(peer, encodePeerMessage({ kind: 'status', status }));
  }
}
