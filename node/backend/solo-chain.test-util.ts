/** A chain of one validator in memory: the real application, stores, mempool, index and backend, without peers and engine. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { makeBlock } from '#consensus/block-rules.ts';
import type { ChainState } from '#consensus/chain-state.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { consensusAddress, ed25519Key } from '#core/crypto/pubkey.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { noDuties } from '#core/ports/duties.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { ok } from '#core/result.ts';
import { encodeBlock } from '#core/types/block.ts';
import type { BlockId } from '#core/types/block-id.ts';
import { type Height, toHeight, toRound } from '#core/types/brand.ts';
import { EMPTY_COMMIT, type ExtendedCommit, FLAG_COMMIT, toCommit } from '#core/types/commit.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { evidenceHash } from '#core/types/evidence.ts';
import { headerHash } from '#core/types/header.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { addMillis, parseTime, type Timestamp } from '#core/types/timestamp.ts';
import { PRECOMMIT, voteSignBytes } from '#core/types/vote.ts';
import type { NodeInfo } from '#rpc/backend.ts';
import { openApplication, type RuntimeApplication } from '#runtime/app.ts';
import { applyBlock, type BlockExecutorDeps } from '../driver/block-executor.ts';
import { openBlockStore } from '../driver/block-store.ts';
import { openEvidencePool } from '../driver/evidence-pool.ts';
import { handshake } from '../driver/handshake.ts';
import { openStateStore } from '../driver/state-store.ts';
import { createIndexer, storedBlocks } from '../indexer/indexer.ts';
import { createSearcher } from '../indexer/search.ts';
import { createMempool, type Mempool } from '../mempool/mempool.ts';
import { createNodeBackend, type NodeBackend } from './node-backend.ts';

export interface SoloChain {
  readonly app: RuntimeApplication;
  readonly mempool: Mempool;
  readonly backend: NodeBackend;
  /** Makes one block of what the mempool holds, and resolves when it is indexed. */
  produce(): Promise<Height>;
}

export interface SoloChainOptions {
  readonly chainId: string;
  readonly appState: unknown;
  /** Default: on. */
  readonly index?: boolean;
  /** The mempool has a transaction. */
  readonly available?: () => void;
}

const GENESIS_TIME = '2026-01-01T00:00:00Z';
const SECRET = new Uint8Array(32).fill(7);
const KEY = ed25519Key(ed25519.getPublicKey(SECRET));
const ADDRESS = consensusAddress(KEY);
const POWER = 10n;

const NODE: Omit<NodeInfo, 'appVersion' | 'txIndex' | 'chainId'> = {
  id: '00112233445566778899aabbccddeeff00112233',
  moniker: 'solo',
  listenAddress: 'tcp://127.0.0.1:26656',
  rpcAddress: 'tcp://127.0.0.1:26657',
};

function signCommit(chainId: string, height: Height, blockId: BlockId, timestamp: Timestamp): ExtendedCommit {
  const vote = { type: PRECOMMIT, height, round: toRound(0), blockId, timestamp };
  const signature = ed25519.sign(voteSignBytes(chainId, vote), SECRET);
  const sig = { flag: FLAG_COMMIT, validatorAddress: ADDRESS, timestamp, signature } as const;
  return { ...vote, signatures: [{ ...sig, extension: EMPTY, extensionSignature: EMPTY }] };
}

function genesisOf({ chainId, appState }: SoloChainOptions) {
  const text = JSON.stringify({
    genesis_time: GENESIS_TIME,
    chain_id: chainId,
    initial_height: '1',
    app_hash: '',
    app_state: appState,
  });
  return {
    document: utf8(text),
    info: {
      chainId,
      initialHeight: toHeight(1),
      time: parseTime(GENESIS_TIME),
      params: DEFAULT_CONSENSUS_PARAMS,
      validators: [{ publicKey: KEY, power: POWER }],
      appHash: EMPTY,
      appStateBytes: utf8(JSON.stringify(appState)),
    },
  };
}

export async function startSoloChain(options: SoloChainOptions): Promise<SoloChain> {
  const { chainId } = options;
  const genesis = genesisOf(options);
  const kv = new MemoryKv();
  const [blocks, states] = [openBlockStore(kv), openStateStore(kv)];
  const logger = silentLogger;
  const app = await openApplication(
    { minGasPrices: '0.01uauton' },
    { kv: new MemoryKv(), verifier: pureVerifier, duties: noDuties, logger },
  );
  const limits = { maxTxs: 100, maxBytes: 1_000_000, maxTxBytes: 100_000, cacheEntries: 100, ttlMs: 60_000 };
  const mempool = createMempool(
    { ...limits, ttlBlocks: 100n },
    {
      app,
      now: () => 0,
      admitted: () => {},
      refused: () => {},
      committed: () => {},
      available: () => options.available?.(),
      logger,
    },
  );
  let backend: NodeBackend | undefined;
  const deps: BlockExecutorDeps = {
    app,
    blocks,
    states,
    evidence: openEvidencePool(kv, { blocks, states }, pureVerifier),
    txs: mempool,
    logger,
    onCommitted: ({ block, blockId, response }) => backend?.committed({ block, blockId, results: response }),
  };
  let state: ChainState = await handshake(deps, genesis.info, pureVerifier);
  const indexKv = new MemoryKv();
  const indexer = createIndexer({ kv: indexKv, source: storedBlocks(blocks, states), logger });
  const made = createNodeBackend(
    { genesisDocument: genesis.document, node: { ...NODE, chainId }, validatorKey: KEY },
    {
      blocks,
      states,
      app,
      mempool,
      index: options.index === false ? undefined : { indexer, searcher: createSearcher({ kv: indexKv, indexer }) },
      network: () => ({ listening: true, listeners: ['Listener(@)'], peers: [] }),
      consensus: {
        state: () => undefined,
        catchingUp: () => false,
        submitEvidence: async (evidence) => ok(evidenceHash([evidence])),
      },
      logger,
    },
  );
  backend = made;
  return {
    app,
    mempool,
    backend: made,
    async produce() {
      const seen = blocks.seenCommit(state.lastBlockHeight);
      const txs = mempool.reap(1_000_000, -1n);
      const lastCommit = seen === undefined ? EMPTY_COMMIT : toCommit(seen);
      const block = makeBlock(state, { txs, evidence: [], lastCommit, proposerAddress: ADDRESS });
      const parts = createPartSet(encodeBlock(block));
      const blockId = { hash: headerHash(block.header), partSetHeader: parts.header };
      const { height, time } = block.header;
      await blocks.save(block, blockId, parts, signCommit(chainId, height, blockId, addMillis(time, 1_000n)));
      state = await applyBlock(deps, state, block, blockId);
      await made.settled();
      return height;
    },
  };
}
