/** For tests: one executor over memory, with timers that the test fires and an application that does next to nothing. */
import { DEFAULT_ENGINE_CONFIG, type EngineConfig } from '#consensus/config.ts';
import { GENESIS_TIME, trusting } from '#consensus/test-kit.ts';
import type { Application } from '#core/abci.ts';
import { concat, EMPTY, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { consensusAddress, ed25519Key } from '#core/crypto/pubkey.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { ok } from '#core/result.ts';
import { toHeight } from '#core/types/brand.ts';
import { type ConsensusParams, DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { indexOfValidator } from '#core/types/validator-set.ts';
import { type BlockStore, openBlockStore } from './block-store.ts';
import { type EvidencePool, openEvidencePool } from './evidence-pool.ts';
import { type Executor, startExecutor } from './executor.ts';
import { noTxs, type Signer, type TxSource, type Wal } from './ports.ts';
import { openStateStore } from './state-store.ts';

export interface DriverOptions {
  readonly validators?: number;
  /** Of the genesis document's validators the one this node signs for; −1: none. */
  readonly self?: number;
  readonly params?: Partial<ConsensusParams>;
  readonly config?: Partial<EngineConfig>;
  readonly app?: Partial<Application>;
  readonly signer?: Signer;
  readonly txs?: TxSource;
  /** Disks of an earlier run. */
  readonly disks?: Disks;
}

export interface Disks {
  readonly blocks: MemoryKv;
  readonly states: MemoryKv;
  readonly app: { height: bigint };
  readonly wal: { bytes: Uint8Array };
}

export interface Driver {
  readonly executor: Executor;
  readonly blocks: BlockStore;
  readonly evidence: EvidencePool;
  readonly disks: Disks;
  readonly failures: unknown[];
  readonly published: Uint8Array[];
  readonly sent: { readonly peer: string; readonly bytes: Uint8Array }[];
  readonly faults: string[];
  /** Index of this node in the validator set, −1 for none. */
  readonly self: number;
  /** Fires the timer that is due first of those that consensus has set; the status tick is not among them. */
  fire(): Promise<void>;
  /** Fires the tick at which the node tells peers where it stands. */
  tick(): void;
}

const STATUS_MS = 77_777;
const SIGNATURE = new Uint8Array(64).fill(7);

export const validatorKey = (index: number) => ed25519Key(sha256(utf8(`validator ${index}`)));

/** Signs anything, at once. */
export function yesSigner(index: number): Signer {
  return {
    publicKey: validatorKey(index),
    signVote: async (_, { timestamp }, extended) =>
      ok({ timestamp, signature: SIGNATURE, extensionSignature: extended ? SIGNATURE : EMPTY }),
    signProposal: async (_, { timestamp }) => ok({ timestamp, signature: SIGNATURE }),
  };
}

export function freshDisks(): Disks {
  return { blocks: new MemoryKv(), states: new MemoryKv(), app: { height: 0n }, wal: { bytes: EMPTY } };
}

function memoryWal(disk: Disks['wal']): Wal {
  return {
    read: async () => disk.bytes,
    truncate: async (length) => {
      disk.bytes = disk.bytes.slice(0, length);
    },
    append: async (frame) => {
      disk.bytes = concat(disk.bytes, frame);
    },
    sync: async () => {},
    rotate: async () => {},
    close: async () => {},
  };
}

function idleApp(disk: Disks['app']): Application {
  const hash = () => (disk.height === 0n ? EMPTY : utf8(`height ${disk.height}`));
  let finalized = 0n;
  return {
    info: () => ({
      data: 'idle',
      version: '1',
      appVersion: 0n,
      lastBlockHeight: toHeight(disk.height),
      lastBlockAppHash: hash(),
    }),
    query: () => {
      throw new Error('no queries');
    },
    checkTx: () => {
      throw new Error('no mempool');
    },
    initChain: () => ({ consensusParams: undefined, validators: [], appHash: EMPTY }),
    prepareProposal: ({ txs }) => txs,
    processProposal: () => ({ accept: true, reason: '' }),
    extendVote: () => EMPTY,
    verifyVoteExtension: () => true,
    finalizeBlock: ({ height, txs }) => {
      finalized = height;
      const result = { code: 0, data: EMPTY, log: '', info: '', gasWanted: 0n, gasUsed: 0n, events: [], codespace: '' };
      return {
        events: [],
        txResults: txs.map(() => result),
        validatorUpdates: [],
        consensusParamUpdates: undefined,
        appHash: utf8(`height ${height}`),
      };
    },
    commit: async () => {
      disk.height = finalized;
      return { retainHeight: 0n };
    },
  };
}

interface Timer {
  readonly dueMs: number;
  readonly run: () => void;
  cancelled: boolean;
}

export async function startDriver(options: DriverOptions = {}): Promise<Driver> {
  const { validators = 4, self = 0, disks = freshDisks() } = options;
  const failures: unknown[] = [];
  const published: Uint8Array[] = [];
  const sent: { peer: string; bytes: Uint8Array }[] = [];
  const faults: string[] = [];
  const timers: Timer[] = [];
  let nowMs = 0;
  let tick: (() => void) | undefined;
  const blocks = openBlockStore(disks.blocks);
  const states = openStateStore(disks.states);
  const evidence = openEvidencePool(disks.states, { blocks, states }, trusting);
  const executor = await startExecutor(
    {
      genesis: {
        chainId: 'kit',
        initialHeight: toHeight(1n),
        time: GENESIS_TIME,
        params: { ...DEFAULT_CONSENSUS_PARAMS, ...options.params },
        validators: Array.from({ length: validators }, (_, i) => ({ publicKey: validatorKey(i), power: 10n })),
        appHash: EMPTY,
        appStateBytes: EMPTY,
      },
      config: { ...DEFAULT_ENGINE_CONFIG, ...options.config },
      statusIntervalMs: STATUS_MS,
      statusFanout: 3,
    },
    {
      app: { ...idleApp(disks.app), ...options.app },
      blocks,
      states,
      evidence,
      txs: options.txs ?? noTxs,
      logger: silentLogger,
      onCommitted: () => {},
      wal: memoryWal(disks.wal),
      signer: options.signer ?? (self < 0 ? undefined : yesSigner(self)),
      transport: {
        publish: (bytes) => published.push(bytes),
        send: (peer, bytes) => sent.push({ peer, bytes }),
        fault: (peer, reason) => faults.push(`${peer}: ${reason}`),
      },
      timers: {
        set(delayMs, run) {
          if (delayMs === STATUS_MS) {
            tick = run;
            return { cancel: () => {} };
          }
          const timer: Timer = { dueMs: nowMs + delayMs, run, cancelled: false };
          timers.push(timer);
          return {
            cancel: () => {
              timer.cancelled = true;
            },
          };
        },
      },
      clock: { now: () => GENESIS_TIME },
      verifier: trusting,
      fatal: (error) => failures.push(error),
    },
  );
  await executor.idle();
  return {
    executor,
    blocks,
    evidence,
    disks,
    failures,
    published,
    sent,
    faults,
    self: self < 0 ? -1 : indexOfValidator(executor.state.chain.validators, consensusAddress(validatorKey(self))),
    async fire() {
      const next = timers.filter(({ cancelled }) => !cancelled).sort((a, b) => a.dueMs - b.dueMs)[0];
      if (next === undefined) throw new Error('no timer is set');
      next.cancelled = true;
      nowMs = next.dueMs;
      next.run();
      await executor.idle();
    },
    tick: () => tick?.(),
  };
}
