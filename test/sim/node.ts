/** One simulated process: the production executor over the simulated ports. It may crash at any port call and restart. */

import type { EngineConfig } from '#consensus/config.ts';
import type { Application } from '#core/abci.ts';
import { createGrammarChecker, withGrammar } from '#core/abci-grammar.ts';
import { EMPTY } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import type { CommittedBlock } from '#node/driver/block-executor.ts';
import { type EvidencePool, openEvidencePool, type PendingEvidence } from '#node/driver/evidence-pool.ts';
import { type Executor, startExecutor } from '#node/driver/executor.ts';
import { openGuardedSigner } from '#node/driver/guarded-signer.ts';
import type { Genesis } from '#node/driver/handshake.ts';
import type { LastSignStore, Transport, TxSource } from '#node/driver/ports.ts';
import { type BlockStore, openBlockStore, openStateStore } from '#node/driver/stores.ts';
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
  /** How far this node's clock is off. */
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
  readonly onFailure: (node: SimNode, error: unknown) => void;
}

const forgetful: LastSignStore = { load: async () => undefined, save: async () => {} };

export class SimNode {
  readonly options: SimNodeOptions;
  readonly disk: SimDisk;
  readonly #scheduler: Scheduler;
  readonly #rng: Rng;
  executor: Executor | undefined;
  crashes = 0;
  /** Names of the port calls at which it crashed. */
  readonly crashedAt: string[] = [];
  /** Port calls that are left until it crashes. */
  #fuse: number | undefined;
  #blocks: BlockStore | undefined;
  #restartAfterMs = 0;
  #epoch = 0;

  constructor(options: SimNodeOptions, scheduler: Scheduler, rng: Rng) {
    this.options = options;
    this.#scheduler = scheduler;
    this.#rng = rng;
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
    const { options, disk } = this;
    const blocks = openBlockStore(disk.blocks);
    const states = openStateStore(disk.states);
    this.#blocks = blocks;
    const app = withGrammar(
      openSimApp(disk.app, simAppOptions(options.genesis, options.pinned)),
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
          app: options.wrapApp === undefined ? app : options.wrapApp(app),
          blocks,
          states,
          evidence,
          txs: options.txs,
          logger: silentLogger,
          onCommitted: (committed) => options.onCommitted(committed, blocks),
          wal: options.amnesia === true ? { ...wal, read: async () => EMPTY } : wal,
          signer: options.key && (await openGuardedSigner(options.key, lastSign)),
          transport: this.#transport(alive),
          timers: {
            set: (delayMs, run) => {
              const entry = this.#scheduler.after(delayMs, async () => {
                if (!alive()) return;
                run();
                await this.settle();
              });
              return {
                cancel: () => {
                  entry.cancelled = true;
                },
              };
            },
          },
          clock: { now: () => fromMillis(EPOCH_MS + BigInt(this.#scheduler.nowMs + options.skewMs)) },
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
        if (alive()) this.options.publish(bytes);
        this.#point('after publish');
      },
      send: (peer, bytes) => {
        if (alive()) this.options.send(peer, bytes);
      },
    };
  }

  /** Lets the executor work off what it has; then sees whether it has crashed. */
  async settle(): Promise<void> {
    if (this.executor !== undefined && this.#accesses === 0) {
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

  async receive(from: string, bytes: Uint8Array): Promise<string | undefined> {
    const { executor } = this;
    if (executor === undefined) return undefined;
    if (this.#accesses > 0) this.interleaved++;
    const verdict = executor.receive(from, bytes);
    await this.settle();
    return verdict.kind === 'reject' ? verdict.reason : undefined;
  }
}
