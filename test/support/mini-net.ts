/**
 * Validators in memory on a calm network: the production executors, with a simulated clock. One validator is nobody's:
 * the test plays it, or an attacker without a key, and sees whether the others go on and blame the right one.
 */
import { DEFAULT_ENGINE_CONFIG } from '#consensus/config.ts';
import { encodePeerMessage, type PeerMessage } from '#consensus/messages.ts';
import { proposerAt } from '#consensus/state.ts';
import type { Application } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { EMPTY, equal } from '#core/bytes.ts';
import { maxBig } from '#core/int.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import type { BlockId } from '#core/types/block-id.ts';
import { NO_ROUND, toHeight, toRound } from '#core/types/brand.ts';
import { type ConsensusParams, DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { type Proposal, proposalSignBytes } from '#core/types/proposal.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { indexOfValidator } from '#core/types/validator-set.ts';
import { PRECOMMIT, type Vote, voteExtensionSignBytes, voteSignBytes } from '#core/types/vote.ts';
import { type BlockStore, openBlockStore } from '#node/driver/block-store.ts';
import { openEvidencePool } from '#node/driver/evidence-pool.ts';
import { type Executor, startExecutor } from '#node/driver/executor.ts';
import { openGuardedSigner } from '#node/driver/guarded-signer.ts';
import type { Verdict } from '#node/driver/intake.ts';
import { noTxs, type TxSource, type Wal } from '#node/driver/ports.ts';
import { openStateStore } from '#node/driver/state-store.ts';
import { openSimApp } from '#test/sim/app.ts';
import { SimKeys } from '#test/sim/keys.ts';
import { EPOCH_MS } from '#test/sim/node.ts';
import { Scheduler } from '#test/sim/scheduler.ts';

export const CHAIN_ID = 'mini';
const VALIDATORS = 4;
/** Index of the key that the test holds. */
const PLAYED = VALIDATORS - 1;

export interface MiniNode {
  readonly id: string;
  readonly executor: Executor;
  readonly blocks: BlockStore;
}

export interface MiniNetOptions {
  readonly extensionsFrom?: bigint;
  readonly params?: Partial<ConsensusParams>;
  readonly wrapApp?: (id: string, app: Application) => Application;
  /** `app_state` of the genesis; for an application that reads it. */
  readonly appState?: Uint8Array;
  /** What every mempool holds; nothing by default. */
  readonly txs?: TxSource;
}

/** What sets one node apart from the others. */
export interface JoinOptions {
  /** How far its clock is ahead; negative: behind. */
  readonly clockAheadMs?: bigint;
  /** Its log; one that forgets by default. */
  readonly wal?: Partial<Wal>;
}

export async function openMiniNet(options: MiniNetOptions = {}): Promise<MiniNet> {
  const net = new MiniNet(options);
  for (let i = 0; i < PLAYED; i++) await net.join(`n${i}`, i);
  return net;
}

export class MiniNet {
  readonly scheduler = new Scheduler();
  readonly keys = new SimKeys();
  readonly validators = Array.from({ length: VALIDATORS }, (_, i) => this.keys.make(i));
  readonly nodes = new Map<string, MiniNode>();
  /** What honest nodes were blamed for, and why nodes stopped: both stay empty. */
  readonly blamed: string[] = [];
  readonly failures: unknown[] = [];
  /** What nodes warned of, with the node's name before it. */
  readonly warnings: string[] = [];
  /** The reasons that stood beside warnings, likewise. */
  readonly reasons: string[] = [];
  /** What nodes sent to ids that are no node: to the attacker. */
  readonly toAttacker: { readonly from: string; readonly to: string; readonly bytes: Uint8Array }[] = [];
  readonly #options: MiniNetOptions;

  constructor(options: MiniNetOptions) {
    this.#options = options;
  }

  get played() {
    return defined(this.validators[PLAYED], 'the key that the test holds');
  }

  node(id: string): MiniNode {
    return defined(this.nodes.get(id), id);
  }

  /** `key`: index of its validator key; undefined: a full node. Connects to all that are there, unless `to` says whom. */
  async join(
    id: string,
    key: number | undefined,
    to: readonly string[] = [...this.nodes.keys()],
    options: JoinOptions = {},
  ): Promise<MiniNode> {
    const blocks = openBlockStore(new MemoryKv());
    const states = openStateStore(new MemoryKv());
    const genesis = {
      chainId: CHAIN_ID,
      initialHeight: toHeight(1n),
      time: fromMillis(EPOCH_MS),
      params: {
        ...DEFAULT_CONSENSUS_PARAMS,
        ...this.#options.params,
        abci: { voteExtensionsEnableHeight: this.#options.extensionsFrom ?? 0n },
      },
      validators: this.validators.map(({ publicKey }) => ({ publicKey, power: 10n })),
      appHash: EMPTY,
      appStateBytes: this.#options.appState ?? EMPTY,
    };
    const app = openSimApp(new MemoryKv(), {
      validators: genesis.validators,
      extensionsFrom: genesis.params.abci.voteExtensionsEnableHeight,
      pinned: genesis.validators.length,
    });
    const warn = (message: string, fields: Readonly<Record<string, unknown>> = {}) => {
      this.warnings.push(`${id}: ${message}`);
      if (typeof fields.reason === 'string') this.reasons.push(`${id}: ${fields.reason}`);
    };
    const own = key === undefined ? undefined : this.validators[key];
    const executor = await startExecutor(
      {
        genesis,
        config: { ...DEFAULT_ENGINE_CONFIG, timeoutProposeMs: 300, timeoutCommitMs: 100 },
        statusIntervalMs: 100,
        statusFanout: 4,
      },
      {
        app: this.#options.wrapApp?.(id, app) ?? app,
        blocks,
        states,
        evidence: openEvidencePool(new MemoryKv(), { blocks, states }, this.keys.verifier),
        txs: this.#options.txs ?? noTxs,
        logger: { ...silentLogger, warn },
        onCommitted: () => {},
        wal: {
          read: async () => EMPTY,
          truncate: async () => {},
          append: async () => {},
          sync: async () => {},
          rotate: async () => {},
          close: async () => {},
          ...options.wal,
        },
        signer: own && (await openGuardedSigner(own, { load: async () => undefined, save: async () => {} })),
        transport: {
          publish: (bytes) => {
            for (const other of this.nodes.keys()) if (other !== id) this.#deliver(id, other, bytes);
          },
          send: (other, bytes) => this.#deliver(id, other, bytes),
        },
        timers: {
          set: (delayMs, run) => {
            const entry = this.scheduler.after(delayMs, run);
            return {
              cancel: () => {
                entry.cancelled = true;
              },
            };
          },
        },
        clock: { now: () => fromMillis(EPOCH_MS + BigInt(this.scheduler.nowMs) + (options.clockAheadMs ?? 0n)) },
        verifier: this.keys.verifier,
        fatal: (error) => this.failures.push(error),
      },
    );
    const node = { id, executor, blocks };
    this.nodes.set(id, node);
    for (const other of to) {
      executor.addPeer(other);
      this.nodes.get(other)?.executor.addPeer(id);
    }
    return node;
  }

  #deliver(from: string, to: string, bytes: Uint8Array): void {
    if (!this.nodes.has(to)) {
      this.toAttacker.push({ from, to, bytes });
      return;
    }
    this.scheduler.after(1, async () => {
      const { executor } = this.node(to);
      const verdict = executor.receive(from, bytes);
      if (verdict.kind === 'reject') this.blamed.push(`${to} blames ${from}: ${verdict.reason}`);
      await executor.idle();
    });
  }

  /** The attacker speaks to every node; answers their verdicts. */
  async attack(bytes: Uint8Array | PeerMessage, to: readonly string[] = [...this.nodes.keys()]): Promise<Verdict[]> {
    const encoded = bytes instanceof Uint8Array ? bytes : encodePeerMessage(bytes);
    const verdicts: Verdict[] = [];
    for (const id of to) {
      const { executor } = this.node(id);
      verdicts.push(executor.receive('attacker', encoded));
      await executor.idle();
    }
    return verdicts;
  }

  /** Runs until `condition` holds. @throws Error after two minutes of simulated time. */
  async until(what: string, condition: () => boolean): Promise<void> {
    const deadline = this.scheduler.nowMs + 120_000;
    while (!condition()) {
      if (!(await this.scheduler.next(deadline))) throw new Error(`never: ${what}`);
      for (const { executor } of this.nodes.values()) await executor.idle();
    }
  }

  /** All honest nodes commit `blocks` more, none has failed, none was blamed. Answers the height of the highest. */
  async goesOn(blocks = 3n, ids: readonly string[] = [...this.nodes.keys()]): Promise<bigint> {
    const nodes = ids.map((id) => this.node(id));
    const target = nodes.map((node) => node.blocks.height).reduce(maxBig, 0n) + blocks;
    await this.until(`height ${target}`, () => nodes.every((node) => node.blocks.height >= target));
    const problems = [...this.blamed, ...this.failures.map(String)];
    if (problems.length > 0) throw new Error(problems.join('; '));
    const hashes = nodes.map((node) => String(node.blocks.meta(target)?.blockId.hash));
    if (new Set(hashes).size !== 1) throw new Error(`the nodes disagree at height ${target}`);
    return target;
  }

  /** Runs until the played validator is to propose in round 0 of a height above `above`, at every node. */
  async playedTurn(above = 1n): Promise<bigint> {
    const turn = ({ executor: { state } }: MiniNode) =>
      state.height > above &&
      state.round === 0 &&
      state.step === 'propose' &&
      equal(proposerAt(state, state.round).address, this.played.address);
    await this.until('the turn of the played validator', () => {
      const heights = new Set([...this.nodes.values()].map((node) => node.executor.state.height));
      return heights.size === 1 && [...this.nodes.values()].every(turn);
    });
    return this.node('n0').executor.state.height;
  }

  /** A proposal of the played validator for the current height. */
  proposal(blockId: BlockId, change: Partial<Proposal> = {}): PeerMessage {
    const { height } = this.node('n0').executor.state;
    const timestamp = fromMillis(EPOCH_MS + BigInt(this.scheduler.nowMs));
    const bare = { height, round: toRound(0), polRound: NO_ROUND, blockId, timestamp, ...change };
    const signature = change.signature ?? this.played.sign(proposalSignBytes(CHAIN_ID, bare));
    return { kind: 'proposal', proposal: { ...bare, signature } };
  }

  /** A vote of the played validator, properly signed unless `change` says otherwise. */
  vote(change: Partial<Vote> & Pick<Vote, 'type' | 'blockId'>): Vote {
    const { state } = this.node('n0').executor;
    const bare = {
      height: state.height,
      round: state.round,
      timestamp: fromMillis(EPOCH_MS + BigInt(this.scheduler.nowMs)),
      validatorAddress: this.played.address,
      validatorIndex: indexOfValidator(state.chain.validators, this.played.address),
      extension: EMPTY,
      extensionSignature: EMPTY,
      ...change,
    };
    const extended =
      bare.type === PRECOMMIT && bare.blockId.hash.length > 0 && this.#options.extensionsFrom !== undefined;
    return {
      ...bare,
      signature: change.signature ?? this.played.sign(voteSignBytes(CHAIN_ID, bare)),
      extensionSignature:
        change.extensionSignature ?? (extended ? this.played.sign(voteExtensionSignBytes(CHAIN_ID, bare)) : EMPTY),
    };
  }
}
