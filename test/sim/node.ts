/** One simulated process: the production executor over the simulated ports. It may crash at any port call and restart. */

import type { EngineConfig } from '#consensus/config.ts';
import type { Application } from '#core/abci.ts';
import { createGrammarChecker, withGrammar } from '#core/abci-grammar.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import type { CommittedBlock } from '#node/driver/block-executor.ts';
import { openEvidencePool } from '#node/driver/evidence-pool.ts';
import { type Executor, startExecutor } from '#node/driver/executor.ts';
import { openGuardedSigner } from '#node/driver/guarded-signer.ts';
import type { Genesis } from '#node/driver/handshake.ts';
import type { LastSignStore, Transport, TxSource } from '#node/driver/ports.ts';
import { type BlockStore, openBlockStore, openStateStore } from '#node/driver/stores.ts';
import { openSimApp } from './app.ts';
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
  /** How far this node's clock is off. */
  readonly skewMs: number;
  readonly txs: TxSource;
  readonly peers: readonly string[];
  readonly wrapApp?: (app: Application) => Application;
  /** Forgets what was signed: only for Byzantine nodes. */
  readonly unguarded?: boolean;
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
    this.disk = new SimDisk((name) => this.#point(name));
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

  async start(): Promise<void> {
    const epoch = ++this.#epoch;
    const { options, disk } = this;
    const blocks = openBlockStore(disk.blocks);
    const states = openStateStore(disk.states);
    this.#blocks = blocks;
    const app = withGrammar(
      openSimApp(disk.app, { validators: options.genesis.validators }),
      createGrammarChecker(),
      (sentence) => {
        throw new Violation('grammar', `${options.id}: ${sentence}`);
      },
    );
    const lastSign = options.unguarded === true ? forgetful : disk.lastSign();
    const alive = () => epoch === this.#epoch;
    try {
      this.executor = await startExecutor(
        {
          genesis: options.genesis,
          config: options.config,
          statusIntervalMs: options.statusIntervalMs,
          statusFanout: 3,
        },
        {
          app: options.wrapApp === undefined ? app : options.wrapApp(app),
          blocks,
          states,
          evidence: openEvidencePool(disk.states, { blocks, states }, options.keys.verifier),
          txs: options.txs,
          logger: silentLogger,
          onCommitted: (committed) => options.onCommitted(committed, blocks),
          wal: disk.wal(),
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
    await this.executor?.idle();
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
    const verdict = executor.receive(from, bytes);
    await this.settle();
    return verdict.kind === 'reject' ? verdict.reason : undefined;
  }
}
