/** One simulated process: the production executor over the simulated ports. It may crash at any port call and restart. */

import type { EngineConfig } from '#consensus/config.ts';
import type { Application } from '#core/abci.ts';
import { createGrammarChecker, withGrammar } from '#core/abci-grammar.ts';
import { EMPTY } from '#core/bytes.ts';
import type { Kv } from '#core/ports/kv.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import type { CommittedBlock } from '#node/driver/block-executor.ts';
import { type BlockStore, openBlockStore } from '#node/driver/block-store.ts';
import { type EvidencePool, openEvidencePool, type PendingEvidence } from '#node/driver/evidence-pool.ts';
import { type Executor, startExecutor } from '#node/driver/executor.ts';
import { openGuardedSigner } from '#node/driver/guarded-signer.ts';
import type { Genesis } from '#node/driver/handshake.ts';
import type { LastSignStore, Transport, TxSource } from '#node/driver/ports.ts';
import { openStateStore } from '#node/driver/state-store.ts';
import type { HeldWrites } from '#node/driver/write-group.ts';
import { stagingKv } from '#node/storage/staging-kv.ts';
import { openSimApp, simAppOptions } from './app.ts';
import { Violation } from './checkers/violation.ts';
import { SimDisk } from './disk.ts';
import type { SimKey, SimKeys } from './keys.ts';
import type { Rng } from './rng.ts';
import type { Scheduler } from './scheduler.ts';

export class SimulatedCrash extends Error {
  override readonly name = 'SimulatedCrash';
}

/** 2026-01-01T00:00:00Z, when simulated time begins. */
export const EPOCH_MS = 1_767_225_600_000n;

export interface SimNodeOptions {
  readonly id: string;
  readonly key: SimKey | undefined;
  readonly keys: SimKeys;
  readonly genesis: Genesis;
  readonly config: EngineConfig;
  readonly statusIntervalMs: number;
  readonly statusFanout?: number;
  /** How far this node's clock is off when it begins. */
  readonly skewMs: number;
  readonly txs: TxSource;
  /** Most milliseconds that one access of the disk takes; 0: none. Meanwhile messages and timeouts go on arriving. */
  readonly slowMs: number;
  /** Validators that the application never lets go. */
  readonly pinned: number;
  readonly peers: readonly string[];
  readonly wrapApp?: (app: Application) => Application;
  /** Forgets what was signed, and with `amnesia` its log as well: only for Byzantine nodes. */
  readonly unguarded?: boolean;
  readonly amnesia?: boolean;
  readonly send: (to: string, bytes: Uint8Array) => void;
  /** What the node gives to everybody. */
  readonly publish: (bytes: Uint8Array) => void;
  readonly onCommitted: (committed: CommittedBlock, blocks: BlockStore) => Promise<void> | undefined;
  /** It blames the sender of a message. */
  readonly onReject?: (from: string, reason: string) => void;
  readonly onFailure: (node: SimNode, error: unknown) => void;
}

const forgetful: LastSignStore = { load: async () => undefined, save: async () => {} };

/** A slow processor that is further behind than this loses what arrives: its buffers are full. */
const MAX_BACKLOG_MS = 2_000;

export class SimNode {
  readonly options: SimNodeOptions;
  readonly disk: SimDisk;
  readonly #scheduler: Scheduler;
  readonly #rng: Rng;
  executor: Executor | undefined;
  crashes = 0;
  /** Blocks of which the application's writes were held. */
  held = 0;
  /** Names of the port calls at which it crashed. */
  readonly crashedAt: string[] = [];
  /** Port calls that are left until it crashes. */
  #fuse: number | undefined;
  #blocks: BlockStore | undefined;
  #restartAfterMs = 0;
  #epoch = 0;
  skewMs: number;
  /** Most milliseconds that the processor takes for a message, and for a call of the application; 0: none. */
  messageMs = 0;
  applicationMs = 0;
  /** When the last message that arrived will have been worked off. */
  #freeAt = 0;
  /** Until then the process does nothing and lets nothing out. */
  #standsUntil = 0;
  /** Messages that a slow processor took in late, or not at all. */
  slowed = 0;

  constructor(options: SimNodeOptions, scheduler: Scheduler, rng: Rng) {
    this.options = options;
    this.#scheduler = scheduler;
    this.#rng = rng;
    this.skewMs = options.skewMs;
    this.disk = new SimDisk(
      (name) => this.#point(name),
      () => this.#access(),
    );
  }

  get id(): string {
    return this.options.id;
  }

  get up(): boolean {
    return this.executor !== undefined;
  }

  /** Height of the last stored block. */
  get height(): bigint {
    return this.#blocks?.height ?? 0n;
  }

  get blocks(): BlockStore | undefined {
    return this.#blocks;
  }

  /** Crashes after `calls` more port calls, and comes back `restartAfterMs` later. */
  lightFuse(calls: number, restartAfterMs: number): void {
    if (this.#fuse !== undefined || !this.up) return;
    this.#fuse = calls;
    this.#restartAfterMs = restartAfterMs;
  }

  get fuseLit(): boolean {
    return this.#fuse !== undefined;
  }

  /** The process stands still: a collection of garbage, a machine that is busy otherwise, a suspended guest. */
  pause(ms: number): void {
    this.#standsUntil = Math.max(this.#standsUntil, this.#scheduler.nowMs) + ms;
  }

  #point(name: string): void {
    if (this.#fuse === undefined) return;
    if (this.#fuse-- > 0) return;
    this.#fuse = undefined;
    this.crashedAt.push(name);
    throw new SimulatedCrash(name);
  }

  /** Executor accesses of the disk that simulated time has yet to finish. */
  #accesses = 0;
  #onAccess: (() => void) | undefined;
  /** How often a message came while an effect was unfinished. */
  interleaved = 0;

  /** A slow disk: resolves in simulated time. The executor waits; whoever drives this node does not. */
  #access(): Promise<void> | undefined {
    const { slowMs } = this.options;
    if (slowMs === 0 || this.executor === undefined || !this.#rng.chance(1 / 3)) return undefined;
    const epoch = this.#epoch;
    this.#accesses++;
    return new Promise((resolve) => {
      this.#scheduler.after(this.#rng.between(1, slowMs), async () => {
        if (epoch !== this.#epoch) return;
        this.#accesses--;
        resolve();
        await this.settle();
      });
      this.#onAccess?.();
    });
  }

  get pendingEvidence(): readonly PendingEvidence[] {
    return this.#evidence?.list() ?? [];
  }

  #evidence: EvidencePool | undefined;

  async start(): Promise<void> {
    const epoch = ++this.#epoch;
    this.#accesses = 0;
    this.#freeAt = 0;
    this.#standsUntil = 0;
    const { options, disk } = this;
    const blocks = openBlockStore(disk.blocks);
    const states = openStateStore(disk.states);
    const kv = stagingKv(disk.app, { maxStagedBytes: 0 });
    const held: Kv & HeldWrites = {
      ...kv,
      hold: () => {
        this.held++;
        kv.hold();
      },
      get heldBytes() {
        return kv.heldBytes;
      },
    };
    this.#blocks = blocks;
    const app = withGrammar(
      openSimApp(held, simAppOptions(options.genesis, options.pinned)),
      createGrammarChecker(),
      (sentence) => {
        throw new Violation('grammar', `${options.id}: ${sentence}`);
      },
    );
    const lastSign = options.unguarded === true ? forgetful : disk.lastSign();
    const evidence = openEvidencePool(disk.states, { blocks, states }, options.keys.verifier);
    this.#evidence = evidence;
    const wal = disk.wal();
    const alive = () => epoch === this.#epoch;
    try {
      this.executor = await startExecutor(
        {
          genesis: options.genesis,
          config: options.config,
          statusIntervalMs: options.statusIntervalMs,
          statusFanout: options.statusFanout ?? 3,
        },
        {
          app: this.#slowly(options.wrapApp === undefined ? app : options.wrapApp(app)),
          blocks,
          states,
          evidence,
          txs: options.txs,
          logger: silentLogger,
          onCommitted: (committed) => options.onCommitted(committed, blocks),
          held,
          wal: options.amnesia === true ? { ...wal, read: async () => EMPTY } : wal,
          signer: options.key && (await openGuardedSigner(options.key, lastSign)),
          transport: this.#transport(alive),
          timers: {
            set: (delayMs, run) => {
              const fire = async (): Promise<void> => {
                if (!alive()) return;
                if (this.#stands) {
                  entry = this.#scheduler.at(this.#standsUntil, fire);
                  return;
                }
                run();
                await this.settle();
              };
              let entry = this.#scheduler.after(delayMs, fire);
              return {
                cancel: () => {
                  entry.cancelled = true;
                },
              };
            },
          },
          clock: { now: () => fromMillis(EPOCH_MS + BigInt(this.#nowMs + this.skewMs)) },
          verifier: options.keys.verifier,
          fatal: (error) => {
            if (alive()) this.#failed = error;
          },
        },
      );
      for (const peer of options.peers) this.executor.addPeer(peer);
    } catch (error) {
      this.#failed = error;
    }
    await this.settle();
  }

  #failed: unknown;

  #transport(alive: () => boolean): Transport {
    return {
      publish: (bytes) => {
        this.#point('before publish');
        this.#letOut(alive, () => this.options.publish(bytes));
        this.#point('after publish');
      },
      send: (peer, bytes) => {
        this.#letOut(alive, () => this.options.send(peer, bytes));
      },
    };
  }

  /** What this process believes to be now: a call that takes long has taken its time. */
  get #nowMs(): number {
    return Math.max(this.#scheduler.nowMs, this.#standsUntil);
  }

  get #stands(): boolean {
    return this.#scheduler.nowMs < this.#standsUntil;
  }

  #letOut(alive: () => boolean, act: () => void): void {
    if (!this.#stands) {
      if (alive()) act();
      return;
    }
    this.#scheduler.at(this.#standsUntil, () => {
      if (!alive()) return;
      try {
        act();
      } catch (error) {
        this.options.onFailure(this, error);
      }
    });
  }

  /** The calls that take an application's time. */
  #slowly(app: Application): Application {
    const taking =
      <Q, A>(call: (request: Q) => A) =>
      (request: Q): A => {
        if (this.applicationMs > 0) this.pause(this.#rng.between(1, this.applicationMs));
        return call(request);
      };
    return {
      ...app,
      prepareProposal: taking(app.prepareProposal),
      processProposal: taking(app.processProposal),
      extendVote: taking(app.extendVote),
      finalizeBlock: taking(app.finalizeBlock),
    };
  }

  /** Lets the executor work off what it has; then sees whether it has crashed. */
  async settle(): Promise<void> {
    if (this.executor !== undefined && this.options.slowMs === 0) await this.executor.idle();
    else if (this.executor !== undefined && this.#accesses === 0) {
      const access = new Promise<void>((resolve) => {
        this.#onAccess = resolve;
      });
      await Promise.race([this.executor.idle(), access]);
    }
    const failed = this.#failed;
    if (failed === undefined) return;
    this.#failed = undefined;
    this.executor = undefined;
    this.#epoch++;
    if (!(failed instanceof SimulatedCrash)) {
      this.options.onFailure(this, failed);
      return;
    }
    this.crashes++;
    await this.disk.crash(this.#rng);
    this.#scheduler.after(this.#restartAfterMs, () => this.start());
  }

  /** A message arrives. */
  receive(from: string, bytes: Uint8Array): void | Promise<void> {
    if (this.executor === undefined) return undefined;
    if (this.messageMs === 0 && !this.#stands && this.#scheduler.nowMs >= this.#freeAt) return this.#take(from, bytes);
    this.slowed++;
    const begins = Math.max(this.#nowMs, this.#freeAt);
    if (begins - this.#scheduler.nowMs > MAX_BACKLOG_MS) return undefined;
    this.#freeAt = begins + (this.messageMs > 0 ? this.#rng.between(0, this.messageMs) : 0);
    this.#takeAt(this.#freeAt, this.#epoch, from, bytes);
    return undefined;
  }

  #takeAt(atMs: number, epoch: number, from: string, bytes: Uint8Array): void {
    this.#scheduler.at(atMs, () => {
      if (epoch !== this.#epoch) return undefined;
      if (!this.#stands) return this.#take(from, bytes);
      this.#takeAt(this.#standsUntil, epoch, from, bytes);
      return undefined;
    });
  }

  async #take(from: string, bytes: Uint8Array): Promise<void> {
    const { executor } = this;
    if (executor === undefined) return;
    if (this.#accesses > 0) this.interleaved++;
    const verdict = executor.receive(from, bytes);
    await this.settle();
    if (verdict.kind === 'reject') this.options.onReject?.(from, verdict.reason);
  }
}
