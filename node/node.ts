/**
 * The composition root: every part of a node is constructed here and handed what it needs. Nothing else constructs an
 * adapter. Read it from top to bottom: storage, application, mempool, consensus, network, interfaces.
 */
import { readFile } from 'node:fs/promises';
import { setTimeout as delay, setImmediate } from 'node:timers/promises';
import { sha256 } from '#core/crypto/hash.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { noDuties } from '#core/ports/duties.ts';
import type { Kv } from '#core/ports/kv.ts';
import type { Logger } from '#core/ports/logger.ts';
import { err, ok } from '#core/result.ts';
import { evidenceId } from '#core/types/evidence.ts';
import { parseGenesis, toInitChain } from '#genesis/document.ts';
import type { NetInfo } from '#rpc/backend.ts';
import { type CometServer, startCometServer } from '#rpc/comet/server.ts';
import {
  type ApplicationDeps,
  type ApplicationOptions,
  openApplication,
  type RuntimeApplication,
} from '#runtime/app.ts';
import { observeConsensus } from './backend/consensus-events.ts';
import { consensusView } from './backend/consensus-view.ts';
import { createNodeBackend, type NodeBackend } from './backend/node-backend.ts';
import { Closers } from './closers.ts';
import { formatListenAddress } from './config/address.ts';
import type { NodeConfig } from './config/config.ts';
import { type HomePaths, homePaths } from './config/home.ts';
import { createVerifyAhead } from './crypto/ahead.ts';
import { createBatchVerifier, verifierThreads } from './crypto/batch-verifier.ts';
import { createNativeVerifier } from './crypto/native-verifier.ts';
import { rememberingVerifier } from './crypto/remembering-verifier.ts';
import { type AheadIntake, createAheadIntake } from './driver/ahead-intake.ts';
import { openBlockStore } from './driver/block-store.ts';
import { openEvidencePool } from './driver/evidence-pool.ts';
import { type Executor, startExecutor } from './driver/executor.ts';
import { IGNORE } from './driver/intake.ts';
import type { PeerId, Signer, Wal } from './driver/ports.ts';
import { createPruner } from './driver/pruner.ts';
import { isSameGenesis } from './driver/same-genesis.ts';
import { openStateStore } from './driver/state-store.ts';
import type { ExecuteModel } from './duties/execute-job.ts';
import { openDuties, queryCommitted } from './duties/open.ts';
import { createIndexer, storedBlocks } from './indexer/indexer.ts';
import { startPsqlSink } from './indexer/psql/sink.ts';
import { createSearcher } from './indexer/search.ts';
import { threadedWriter } from './indexer/threaded-writer.ts';
import { directWriter, type IndexWriter } from './indexer/writer.ts';
import { NODE_LIMITS } from './limits.ts';
import { createMempool } from './mempool/mempool.ts';
import { createTxExchange, type TxExchange } from './mempool/tx-exchange.ts';
import { openSigner } from './open-signer.ts';
import { openStores } from './open-stores.ts';
import { createP2pHost, type P2pHost } from './p2p/host.ts';
import { cometIdOf } from './p2p/node-id.ts';
import { ed25519KeyFromSeed } from './privval/ed25519-key.ts';
import { KeyFileError, readNodeKey } from './privval/key-files.ts';
import { openSnapshotFiles } from './statesync/archive.ts';
import { isSnapshotMessage } from './statesync/messages.ts';
import { createSnapshotService } from './statesync/service.ts';
import { beginStateSync, discardUnfinishedSync } from './statesync/start.ts';
import type { StateSync } from './statesync/state-sync.ts';
import { lockHome } from './storage/home-lock.ts';
import { loggedWal } from './storage/logged-wal.ts';
import { openWalFiles } from './storage/wal-files.ts';
import { systemClock, systemTimers } from './system-time.ts';

export interface NodeOptions {
  readonly home: string;
  readonly config: NodeConfig;
  /** Of this program. */
  readonly version: string;
}

/** Parts that a test composition puts in the place of the node's own. Each is given what it replaces or wraps. */
export interface NodeParts {
  readonly logger: Logger;
  readonly openApplication?: (options: ApplicationOptions, deps: ApplicationDeps) => Promise<RuntimeApplication>;
  /** Runs models for the validator's duties. */
  readonly executeModel?: (own: ExecuteModel) => ExecuteModel;
  readonly signer?: (own: Signer) => Signer;
  readonly host?: (own: P2pHost) => P2pHost;
  /** Each of the databases. */
  readonly kv?: (own: Kv) => Kv;
  readonly wal?: (own: Wal) => Wal;
}

export interface RunningNode {
  /** libp2p peer id. */
  readonly id: string;
  /** Undefined when the RPC is off. */
  readonly rpcUrl: string | undefined;
  /** Resolves with the reason when the node cannot go on. Close it then. */
  readonly failed: Promise<unknown>;
  /** Unwinds everything in reverse order of construction. */
  close(): Promise<void>;
}

/** A home folder in which something is missing or wrong; the message is for the operator. */
export class HomeError extends Error {
  override readonly name = 'HomeError';
}

/** @throws HomeError, HomeLockedError, or what the part that failed says; then everything is closed again. */
export async function startNode(options: NodeOptions, parts: NodeParts): Promise<RunningNode> {
  const closers = new Closers();
  try {
    return await compose(options, parts, closers);
  } catch (error) {
    await closers.unwind().catch((second: unknown) => parts.logger.error('closing failed', { error: second }));
    throw error;
  }
}

/** Long, because it is the list of all parts in the order in which they need one another. */
async function compose(options: NodeOptions, parts: NodeParts, closers: Closers): Promise<RunningNode> {
  const { config, home } = options;
  const { logger } = parts;
  const paths = homePaths(home);

  const lock = await lockHome(home);
  closers.push(() => lock.release());
  const { genesisBytes, document, nodeKey } = await readHome(paths);
  const genesisRequest = toInitChain(document);

  const stores = await openStores(paths, config, { logger, wrap: parts.kv }, closers);
  if (await discardUnfinishedSync(stores.chain, [stores.application, ...(stores.index ? [stores.index] : [])]))
    logger.warn('state sync was interrupted: what it left is removed');
  const blocks = openBlockStore(stores.chain);
  const states = openStateStore(stores.chain);
  const genesisHash = sha256(genesisBytes);
  const hasBegun = blocks.height > 0n || (states.load()?.lastBlockHeight ?? 0n) > 0n;
  if (!(await isSameGenesis(stores.chain, genesisHash, hasBegun)))
    throw new HomeError(
      `${paths.genesis} is not the document that the chain in this home began with, to the byte: put that one back; a node that has signed nothing on either chain may also forget its blocks (autond comet unsafe-reset-all)`,
    );
  const verifier = rememberingVerifier(createNativeVerifier({ keyCacheEntries: NODE_LIMITS.verifierKeyCacheEntries }), {
    entries: NODE_LIMITS.rememberedSignatures,
  });
  // Its threads start with the first work for them.
  const batch = createBatchVerifier({ threads: verifierThreads() }, { logger: logger.child('verify'), now: Date.now });
  closers.push(() => batch.close());
  const verifyAhead = createVerifyAhead({ batch, memory: verifier });
  const evidence = openEvidencePool(stores.chain, { blocks, states }, verifier);
  const walFiles = await openWalFiles({ folder: paths.wal, rotateBytes: NODE_LIMITS.walRotateBytes });
  const wal = parts.wal?.(walFiles) ?? walFiles;
  closers.push(() => wal.close());

  const ownSigner = await openSigner(paths, config.remoteSigner, closers, {
    chainId: document.chainId,
    identity: ed25519KeyFromSeed(nodeKey.seed),
    verifier,
    logger: logger.child('privval'),
  });
  const signer = ownSigner && (parts.signer?.(ownSigner) ?? ownSigner);
  // The duties ask the application for work, and the application asks them what to say.
  let application: RuntimeApplication | undefined;
  const duties =
    signer &&
    (await openDuties(paths, parts, closers, {
      chainId: document.chainId,
      validator: consensusAddress(signer.publicKey),
      query: (path, request) => queryCommitted(application, path, request),
    }));
  const snapshotFiles = await openSnapshotFiles(paths.snapshots, { logger: logger.child('snapshots') });
  const app = await (parts.openApplication ?? openApplication)(
    {
      minGasPrices: config.minGasPrices,
      initialHeight: document.initialHeight,
      version: options.version,
      pruning: config.storage.pruning,
      nodeCacheBytes: config.storage.stateCacheBytes,
      minRetainBlocks: config.storage.minRetainBlocks,
    },
    {
      kv: stores.application,
      verifier,
      batch,
      pause: () => setImmediate(),
      duties: duties ?? noDuties,
      logger: logger.child('app'),
      snapshots: snapshotFiles,
    },
  );
  application = app;

  const ownHost = await createP2pHost(
    {
      seed: nodeKey.seed,
      moniker: config.moniker,
      chainId: document.chainId,
      genesisHash,
      ...config.p2p,
      addressBookFile: paths.addressBook,
    },
    { logger: logger.child('p2p'), now: Date.now },
  );
  const host = parts.host?.(ownHost) ?? ownHost;

  // Mempool and backend exist before the executor that they tell and ask: until it runs there is nothing to tell.
  let executor: Executor | undefined;
  let exchange: TxExchange | undefined;
  const mempool = createMempool(config.mempool, {
    app,
    verifyAhead: (txs) => app.verifyAhead(txs),
    now: Date.now,
    admitted: (key, from) => exchange?.admitted(key, from),
    refused: (key) => exchange?.refused(key),
    committed: () => exchange?.committed(),
    available: () => executor?.txsAvailable(),
    logger: logger.child('mempool'),
  });

  const txs = createTxExchange({
    mempool,
    send: (peer, bytes) => host.send(peer, bytes),
    sendTx: (peer, tx) => host.sendTx(peer, tx),
    connected: (peer, other) => host.areConnected(peer, other),
    now: Date.now,
  });
  exchange = txs;
  closers.push(async () => txs.close());

  const source = storedBlocks(blocks, states);
  const isInjection = (tx: Uint8Array): boolean => app.isInjection(tx);
  const indexer =
    stores.index &&
    createIndexer({
      kv: stores.index,
      source,
      logger,
      isInjection,
      // A thread would write past the test's database.
      writer: indexWriter(stores.index, parts.kv === undefined ? paths.index : undefined, logger),
    });
  if (indexer !== undefined) closers.push(() => indexer.close());
  const { psqlUrl: url } = config;
  const sink =
    url === undefined
      ? undefined
      : startPsqlSink({ url, chainId: document.chainId }, { source, isInjection }, logger.child('psql'));
  if (sink !== undefined) closers.push(() => sink.close());
  const backend: NodeBackend = createNodeBackend(
    {
      genesisDocument: genesisBytes,
      node: {
        id: cometIdOf(host.id),
        moniker: config.moniker,
        chainId: document.chainId,
        listenAddress: formatListenAddress(config.p2p.listen),
        rpcAddress: config.rpc.listen === undefined ? '' : formatListenAddress(config.rpc.listen),
      },
      validatorKey: signer?.publicKey,
    },
    {
      blocks,
      states,
      app,
      mempool,
      index: indexer && stores.index && { indexer, searcher: createSearcher({ kv: stores.index, indexer }) },
      network: () => networkInfo(host),
      consensus: {
        state: () => executor && consensusView(executor.state, executor.state.chain.lastBlockTime),
        catchingUp: () => executor === undefined || isBehind(executor, host),
        async submitEvidence(item) {
          if (executor === undefined) return err({ kind: 'unavailable', message: 'consensus is not running yet' });
          const added = await evidence.add(executor.state.chain, item);
          return added.ok ? ok(evidenceId(item)) : err({ kind: 'invalid', message: added.error });
        },
      },
      logger,
    },
  );
  closers.push(() => backend.settled());

  const pruner = createPruner({
    blocks,
    states,
    app,
    index: indexer,
    neededFrom: () => snapshotFiles.oldest(),
    pause: () => setImmediate(),
    logger: logger.child('pruning'),
  });
  closers.push(() => pruner.close());
  const snapshots = createSnapshotService(
    { interval: config.stateSync.snapshotInterval, keepRecent: config.stateSync.snapshotKeepRecent },
    {
      app,
      files: snapshotFiles,
      send: (peer, bytes) => host.send(peer, bytes),
      pause: () => setImmediate(),
      logger: logger.child('snapshots'),
    },
  );
  closers.push(() => snapshots.close());

  // Peers speak to state sync first, when it is due, and to consensus afterwards.
  let sync: StateSync | undefined;
  const connected = new Set<PeerId>();
  let listening = false;
  let intake: AheadIntake | undefined;
  const startHost = async () => {
    if (listening) return;
    listening = true;
    closers.push(() => host.close());
    await host.start({
      message: (peer, bytes) => {
        if (sync !== undefined) return sync.receive(peer, bytes);
        if (isSnapshotMessage(bytes[0])) return snapshots.receive(peer, bytes);
        return intake?.receive(peer, bytes) ?? IGNORE;
      },
      tx: (peer, bytes) => (executor === undefined ? IGNORE : txs.tx(peer, bytes)),
      txHashes: (peer, bytes) => txs.hashes(peer, bytes),
      connected(peer) {
        connected.add(peer);
        sync?.addPeer(peer);
        executor?.addPeer(peer);
        if (executor !== undefined) txs.addPeer(peer);
      },
      disconnected(peer) {
        connected.delete(peer);
        sync?.removePeer(peer);
        executor?.removePeer(peer);
        txs.removePeer(peer);
      },
    });
  };
  const begun = (states.load()?.lastBlockHeight ?? 0n) > 0n || app.info().lastBlockHeight > 0n;
  if (config.stateSync.enable && begun) logger.info('state sync is not needed: there is a state already');
  if (config.stateSync.enable && !begun) {
    const syncing = await beginStateSync(
      {
        source: { ...config.stateSync, chainId: document.chainId, initialHeight: document.initialHeight },
        discoveryMs: config.stateSync.discoveryMs,
      },
      {
        app,
        blocks,
        states,
        chain: stores.chain,
        verifier,
        verifyAhead,
        send: (peer, bytes) => host.send(peer, bytes),
        wait: (ms) => delay(ms),
        nowMs: Date.now,
        logger: logger.child('statesync'),
      },
    );
    sync = syncing.sync;
    await startHost();
    await syncing.run();
    sync = undefined;
  }

  const { promise: failed, resolve: fail } = Promise.withResolvers<unknown>();
  const consensusLogger = logger.child('consensus');
  const running = await startExecutor(
    {
      genesis: { ...genesisRequest, params: genesisRequest.consensusParams, appHash: document.appHash },
      config: config.consensus,
      statusIntervalMs: NODE_LIMITS.statusIntervalMs,
      statusFanout: NODE_LIMITS.statusFanout,
    },
    {
      app,
      blocks,
      states,
      evidence,
      txs: mempool,
      verifyAhead: (txs) => {
        // What came through the mempool is verified already.
        return mempool.strangers(txs) < NODE_LIMITS.minChecksAhead ? undefined : app.verifyAhead(txs);
      },
      wal: loggedWal(wal, logger.child('wal')),
      held: stores.held,
      pause: () => setImmediate(),
      signer,
      transport: host,
      timers: systemTimers,
      clock: systemClock,
      verifier,
      logger: consensusLogger,
      observe: observeConsensus((event) => backend.happened(event)),
      onCommitted({ block, blockId, response, state, retainHeight, followed }) {
        consensusLogger.info('committed block', {
          height: block.header.height,
          hash: blockId.hash,
          txs: block.txs.length,
          appHash: response.appHash,
        });
        backend.committed({ block, blockId, results: response });
        sink?.committed();
        // What is due after the next block is asked then.
        if (followed === undefined) duties?.committed();
        pruner.committed(state, retainHeight);
        snapshots.committed(block.header.height);
      },
      fatal(error) {
        consensusLogger.error('the node cannot go on', { error });
        fail(error);
      },
    },
  );
  executor = running;
  intake = createAheadIntake({ executor: running, verifyAhead, afterTurn: (run) => globalThis.setImmediate(run) });
  if (blocks.height > 0n) duties?.committed();
  closers.push(() => running.close());
  await indexer?.catchUp();

  for (const peer of connected) {
    running.addPeer(peer);
    txs.addPeer(peer);
  }
  await startHost();
  const server = await startRpc(config, backend, logger);
  if (server !== undefined) closers.push(() => server.close());
  logger.info('node started', {
    id: host.id,
    chain: document.chainId,
    height: blocks.height,
    rpc: server?.url ?? 'off',
  });
  return { id: host.id, rpcUrl: server?.url, failed, close: () => closers.unwind() };
}

/** @param path of the database, when another thread may write to it. */
function indexWriter(kv: Kv, path: string | undefined, logger: Logger): IndexWriter {
  const direct = directWriter(kv);
  return path === undefined ? direct : threadedWriter({ path, direct, logger: logger.child('index') });
}

/** The files that a node cannot start without. */
async function readHome(paths: HomePaths) {
  let genesisBytes: Uint8Array;
  try {
    genesisBytes = new Uint8Array(await readFile(paths.genesis));
  } catch (error) {
    throw new HomeError(
      `${paths.genesis} cannot be read: make a home with autond init, or copy the chain's genesis there`,
      {
        cause: error,
      },
    );
  }
  const document = parseGenesis(new TextDecoder().decode(genesisBytes));
  if (!document.ok) throw new HomeError(`${paths.genesis}: ${document.error}`);
  const nodeKey = await readNodeKey(paths.nodeKey);
  if (nodeKey === undefined) throw new KeyFileError(`there is no ${paths.nodeKey}: make a home with autond init`);
  return { genesisBytes, document: document.value, nodeKey };
}

async function startRpc(config: NodeConfig, backend: NodeBackend, logger: Logger): Promise<CometServer | undefined> {
  if (config.rpc.listen === undefined) return undefined;
  const { corsOrigins, trustedProxies, limits } = config.rpc;
  const { host, port } = config.rpc.listen;
  return startCometServer({ host, port, corsOrigins, trustedProxies, limits }, { backend, logger });
}

function networkInfo(host: P2pHost): NetInfo {
  return {
    listening: true,
    listeners: host.listenAddresses().map((address) => `Listener(@${formatListenAddress(address)})`),
    peers: host.peers().map((peer) => ({ ...peer, id: cometIdOf(peer.id) })),
  };
}

/** Some peer claims to be more than one height ahead. */
function isBehind(executor: Executor, host: P2pHost): boolean {
  const next = executor.state.height + 1n;
  return host.peers().some(({ id }) => (executor.peerStatus(id)?.height ?? 0n) > next);
}
