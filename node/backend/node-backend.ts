/** The backend port of all interfaces (`rpc/backend.ts`) over this node's stores, mempool, index and application. */
import type { CheckTxResponse, FinalizeBlockResponse, QueryRequest, QueryResponse } from '#core/abci.ts';
import { assert } from '#core/assert.ts';
import { EMPTY, fromHex, toHexUpper } from '#core/bytes.ts';
import { asString, decode, readFields } from '#core/codec/proto-reader.ts';
import type { PublicKey } from '#core/crypto/pubkey.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import type { Logger } from '#core/ports/logger.ts';
import { err, ok } from '#core/result.ts';
import { type Height, toHeight } from '#core/types/brand.ts';
import { toCommit } from '#core/types/commit.ts';
import type { Evidence } from '#core/types/evidence.ts';
import { indexOfValidator, type ValidatorSet } from '#core/types/validator-set.ts';
import type {
  Answer,
  Backend,
  BackendError,
  BlockRecord,
  BlockSummary,
  CommittedBlock,
  ConsensusEvent,
  ConsensusStateView,
  NetInfo,
  NodeInfo,
  NodeStatus,
  SearchRequest,
} from '#rpc/backend.ts';
import type { RuntimeApplication } from '#runtime/app.ts';
import { grpcFailure } from '#runtime/errors.ts';
import { GET_TX_PATH } from '#runtime/tx/service.ts';
import { decodeFinalizeResponse, encodeFinalizeResponse } from '../driver/abci-codec.ts';
import type { BlockStore } from '../driver/block-store.ts';
import type { StateStore } from '../driver/state-store.ts';
import type { Indexer } from '../indexer/indexer.ts';
import { heightOfPosition, type Position } from '../indexer/keys.ts';
import type { Searcher } from '../indexer/search.ts';
import { type Mempool, refusalResponse } from '../mempool/mempool.ts';

export interface NodeBackendOptions {
  /** The genesis document, as it is on disk. */
  readonly genesisDocument: Uint8Array;
  readonly node: Omit<NodeInfo, 'appVersion' | 'txIndex'>;
  /** This node's consensus key, when it has one. */
  readonly validatorKey: PublicKey | undefined;
}

export interface NodeBackendDependencies {
  readonly blocks: BlockStore;
  readonly states: Pick<StateStore, 'load' | 'validators' | 'params' | 'finalizeResponse'>;
  readonly app: Pick<RuntimeApplication, 'info' | 'query' | 'tryTx' | 'encodeGetTx' | 'isInjection'>;
  readonly mempool: Pick<Mempool, 'submit' | 'count' | 'bytes' | 'list'>;
  /** `undefined`: this node keeps no index. */
  readonly index: { readonly indexer: Indexer; readonly searcher: Searcher } | undefined;
  readonly network: () => NetInfo;
  readonly consensus: {
    /** `undefined` while the engine does not run. */
    state(): ConsensusStateView | undefined;
    catchingUp(): boolean;
    /** The error says why the evidence is refused. */
    submitEvidence(evidence: Evidence): Promise<Answer<Uint8Array>>;
  };
  readonly logger: Logger;
}

export interface NodeBackend extends Backend {
  /** Told of each block after its state is saved, in order. Never throws. */
  committed(committed: CommittedBlock): void;
  /** Told of what happens in consensus, as it happens. Never throws. */
  happened(event: ConsensusEvent): void;
  /** Resolves when everything told so far is indexed and the listeners know of it. */
  settled(): Promise<void>;
}

function fail(kind: BackendError['kind'], message: string): { readonly ok: false; readonly error: BackendError } {
  return err({ kind, message });
}

const NO_INDEX = fail('unavailable', 'transaction indexing is disabled');

export function createNodeBackend(options: NodeBackendOptions, dependencies: NodeBackendDependencies): NodeBackend {
  const { blocks, states, app, mempool, index, consensus } = dependencies;
  const logger = dependencies.logger.child('backend');
  const listeners = new Set<(committed: CommittedBlock) => void>();
  const consensusListeners = new Set<(event: ConsensusEvent) => void>();
  // The block store is ahead of the state while a block is being executed; the outside sees executed blocks only.
  let latest: Height = states.load()?.lastBlockHeight ?? toHeight(0n);
  let newestSet: { readonly height: bigint; readonly set: ValidatorSet } | undefined;
  let running: Promise<void> = Promise.resolve();

  /** A block whose state is there. */
  function record(height: bigint): BlockRecord | undefined {
    const meta = height > latest ? undefined : blocks.meta(height);
    const block = meta && blocks.block(height);
    return meta && block && { blockId: meta.blockId, block };
  }

  function summary(height: Height): BlockSummary | undefined {
    const meta = height === 0n || height > latest ? undefined : blocks.meta(height);
    return meta && { height, hash: meta.blockId.hash, appHash: meta.header.appHash, time: meta.header.time };
  }

  function present<T>(value: T | undefined, what: string, height: bigint): Answer<T> {
    return value === undefined ? fail('not-found', `could not find ${what} for height #${height}`) : ok(value);
  }

  function blockByHash(hash: Uint8Array): Answer<BlockRecord> {
    const height = blocks.heightOfHash(hash);
    const found = height === undefined ? undefined : record(height);
    return found === undefined ? fail('not-found', `block ${toHexUpper(hash)} not found`) : ok(found);
  }

  /** A set between two stored ones is made by rotating: the newest is asked for at every status, and kept. */
  function validatorsAt(height: bigint): ValidatorSet | undefined {
    if (newestSet?.height === height) return newestSet.set;
    const set = states.validators(height);
    if (set !== undefined && height > latest) newestSet = { height, set };
    return set;
  }

  function validatorInfo(): NodeStatus['validator'] {
    if (options.validatorKey === undefined) return undefined;
    const set = validatorsAt(latest + 1n);
    const place = set === undefined ? -1 : indexOfValidator(set, consensusAddress(options.validatorKey));
    return { publicKey: options.validatorKey, power: set?.validators[place]?.power ?? 0n };
  }

  function notChecked(error: unknown): Answer<CheckTxResponse> {
    logger.error('A transaction could not be checked.', { error });
    return fail('unavailable', "the transaction could not be checked; the node's log says more");
  }

  async function tell(committed: CommittedBlock, indexed: Promise<void> | undefined): Promise<void> {
    try {
      await indexed;
    } catch (error) {
      logger.error('A block could not be indexed; it is tried again with the next.', { error });
    }
    callAll(listeners, committed);
  }

  function callAll<T>(all: ReadonlySet<(told: T) => void>, told: T): void {
    for (const listener of [...all]) {
      try {
        listener(told);
      } catch (error) {
        logger.error('A listener for blocks or events failed.', { error });
      }
    }
  }

  async function found<T>(
    request: SearchRequest,
    kind: 'txs' | 'blocks',
    load: (indexer: Indexer, positions: readonly Position[]) => T[] | Promise<T[]>,
  ): Promise<Answer<{ total: number; items: T[] }>> {
    if (index === undefined) return NO_INDEX;
    const positions = await index.searcher[kind](request);
    if (!positions.ok) return positions;
    // What has been pruned since stays in the total: pages must not move.
    return ok({ total: positions.value.total, items: await load(index.indexer, positions.value.positions) });
  }

  return {
    status: () => ({
      node: { ...options.node, appVersion: app.info().appVersion, txIndex: index !== undefined },
      latest: summary(latest),
      earliest: summary(blocks.base),
      catchingUp: consensus.catchingUp(),
      validator: validatorInfo(),
    }),
    netInfo: () => dependencies.network(),
    genesis: () => options.genesisDocument,
    consensusState() {
      const state = consensus.state();
      return state === undefined ? fail('unavailable', 'consensus is not running yet') : ok(state);
    },
    heights: () => ({
      base: blocks.base > latest ? latest : blocks.base,
      latest,
      ...(blocks.headerBase < blocks.base ? { headers: blocks.headerBase } : {}),
    }),
    block: (height) => present(record(height), 'block', height),
    blockByHash,
    blockMeta(height) {
      const meta = height > latest ? undefined : blocks.meta(height);
      return present(meta && { ...meta, blockBytes: meta.size }, 'block', height);
    },
    signedHeader(height) {
      const meta = height > latest ? undefined : blocks.meta(height);
      const canonical = blocks.commit(height);
      const seen = canonical === undefined ? blocks.seenCommit(height) : undefined;
      const commit = canonical ?? (seen && toCommit(seen));
      const signed = meta && commit && { header: meta.header, commit, canonical: canonical !== undefined };
      return present(signed, 'commit', height);
    },
    results: (height) => present(height > latest ? undefined : states.finalizeResponse(height), 'results', height),
    validators: (height) => present(validatorsAt(height), 'validator set', height),
    consensusParams: (height) => present(states.params(height), 'consensus params', height),

    async tx(hash) {
      if (index === undefined) return NO_INDEX;
      const tx = index.indexer.txByHash(hash);
      return tx === undefined ? fail('not-found', `tx (${toHexUpper(hash)}) not found`) : ok(tx);
    },
    searchTxs: (request) => found(request, 'txs', (indexer, positions) => indexer.txsAt(positions)),
    searchBlocks: (request) =>
      found(request, 'blocks', (_, positions) =>
        positions.map((at) => record(heightOfPosition(at))).filter((item) => item !== undefined),
      ),

    async checkTx(tx) {
      try {
        return ok(app.tryTx(tx));
      } catch (error) {
        return notChecked(error);
      }
    },
    async broadcastTx(tx) {
      try {
        const submitted = await mempool.submit(tx);
        return ok(submitted.ok ? submitted.value : refusalResponse(submitted.error));
      } catch (error) {
        return notChecked(error);
      }
    },
    mempool: (limit) => ({ count: mempool.count(), bytes: mempool.bytes(), txs: mempool.list(limit) }),
    broadcastEvidence: (evidence) => consensus.submitEvidence(evidence),

    appInfo: () => app.info(),
    async query(request) {
      if (request.path !== GET_TX_PATH) return ok(app.query(request));
      return index === undefined ? NO_INDEX : ok(getTx(request, index.indexer, blocks, app, latest));
    },
    onCommitted(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    onConsensus(listener) {
      consensusListeners.add(listener);
      return () => consensusListeners.delete(listener);
    },
    isInjection: (tx) => app.isInjection(tx),

    committed(committed) {
      latest = committed.block.header.height;
      // At once: blocks that come together are indexed together.
      const indexed = index?.indexer.committed(committed);
      indexed?.catch(() => {
        // Whoever tells of the block will see it.
      });
      const told = indexed === undefined ? committed : heldAsBytes(committed);
      running = running.then(() => tell(told, indexed));
    },
    happened: (event) => callAll(consensusListeners, event),
    settled: () => running,
  };
}

/**
 * A block that waits until it is indexed: its results, thousands of objects that would outlive collections of the young
 * generation, are made again of their bytes, if somebody listens.
 */
function heldAsBytes({ block, blockId, results }: CommittedBlock): CommittedBlock {
  const bytes = encodeFinalizeResponse(results);
  let made: FinalizeBlockResponse | undefined;
  return {
    block,
    blockId,
    get results() {
      if (made === undefined) {
        const decoded = decodeFinalizeResponse(bytes);
        assert(decoded.ok, 'results are what this node has made of them');
        made = decoded.value;
      }
      return made;
    },
  };
}

/** cosmos.tx.v1beta1.Service/GetTx, with the Cosmos SDK's refusals. */
function getTx(
  request: QueryRequest,
  indexer: Indexer,
  blocks: Pick<BlockStore, 'meta'>,
  app: Pick<RuntimeApplication, 'encodeGetTx'>,
  latest: Height,
): QueryResponse {
  const respond = (part: Partial<QueryResponse>): QueryResponse => ({
    code: 0,
    codespace: '',
    log: '',
    info: '',
    index: 0n,
    key: EMPTY,
    value: EMPTY,
    proofOps: [],
    height: latest,
    ...part,
  });
  const refuse = ({ code, codespace, message }: { code: number; codespace: string; message: string }) =>
    respond({ code, codespace, log: message });
  const hash = readHash(request.data);
  if (!hash.ok) return refuse(grpcFailure('InvalidArgument', hash.error));
  const record = indexer.txByHash(fromHex(hash.value));
  const meta = record && blocks.meta(record.height);
  if (record === undefined || meta === undefined) return refuse(grpcFailure('NotFound', `tx not found: ${hash.value}`));
  const encoded = app.encodeGetTx({ ...record, time: meta.header.time });
  return encoded.ok ? respond({ value: encoded.value }) : refuse(encoded.error);
}

/** GetTxRequest{hash}: 64 hex digits. */
function readHash(data: Uint8Array): ReturnType<typeof decode<string>> {
  const text = decode(() => {
    const [field] = readFields('GetTxRequest', data, { known: [1] });
    return field === undefined ? '' : asString('GetTxRequest.hash', field, 128);
  });
  if (!text.ok) return text;
  return /^[0-9a-fA-F]{64}$/.test(text.value)
    ? ok(text.value.toUpperCase())
    : err(`hash: expected 64 hex digits, got ${JSON.stringify(text.value)}`);
}
