/**
 * The application behind `core/abci.ts`: the module table over the authenticated store.
 *
 * Three states. *Committed*: what queries, proposals and votes read. *Working*: what `finalizeBlock` computed and `commit`
 * will persist; a second `finalizeBlock` for the same height starts over. *Check*: committed plus the transactions that
 * the mempool holds, so that one sender can have several in a row; dropped at each commit, after which the mempool rechecks.
 */
import type * as abci from '#core/abci.ts';
import { assert, defined } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import { LIMITS } from '#core/limits.ts';
import type { BatchVerifier, Verifier } from '#core/ports/crypto.ts';
import type { Duties } from '#core/ports/duties.ts';
import type { Kv } from '#core/ports/kv.ts';
import type { Logger } from '#core/ports/logger.ts';
import { ok, type Result } from '#core/result.ts';
import { toHeight } from '#core/types/brand.ts';
import { type Timestamp, ZERO_TIME } from '#core/types/timestamp.ts';
import { executeBlock, splitInjection } from './block.ts';
import { type DecCoin, parseDecCoins } from './coins.ts';
import type { BlockInfo, ChainParams, QueryContext } from './context.ts';
import { exportState, initState } from './genesis-state.ts';
import { guarded } from './guard.ts';
import { RUNTIME_LIMITS } from './limits.ts';
import type { Json, RuntimeModule } from './module.ts';
import { type ModuleTable, moduleTable } from './module-table.ts';
import { blockLimits, blockTimeOf, CHAIN_STORE, chainParams } from './modules/chain/state.ts';
import { type CheckedTx, contextOf, prepareProposal, processProposal } from './proposal.ts';
import { runQuery } from './query.ts';
import { StateBranch } from './state/branch.ts';
import type { StateView } from './state/kv-view.ts';
import { MultiStore } from './state/multistore.ts';
import type { PruneOutcome, PruningPolicy } from './state/pruning.ts';
import { SnapshotRestore } from './state/snapshot/abci.ts';
import { exportSnapshot } from './state/snapshot/export.ts';
import { discardImport } from './state/snapshot/import.ts';
import type { StateStore } from './state/state-store.ts';
import { faultingKv } from './storage-fault.ts';
import { ExpectedSequences, type PendingCheck, pendingChecks } from './tx/ahead.ts';
import type { DecodedTx } from './tx/decode.ts';
import { verifiedSignatures } from './tx/facts.ts';
import { type CheckingVerifier, type KnownSignatures, knownSignatures } from './tx/known-signatures.ts';
import { type KnownTxs, knownTxs } from './tx/known-txs.ts';
import { runDecodedTx, type TxEnvironment, type TxOutcome } from './tx/run.ts';
import { encodeGetTx, type FoundTx, simulate } from './tx/service.ts';

export interface ApplicationOptions {
  /** What this node asks for in its mempool, e.g. `0.025uauton`; empty: nothing. */
  readonly minGasPrices?: string;
  /** `initial_height` of the genesis document. Default 1. */
  readonly initialHeight?: bigint;
  /** Default: the modules of `module-table.ts`. */
  readonly modules?: readonly RuntimeModule[];
  /** Which versions of the state are kept. Default: all. */
  readonly pruning?: PruningPolicy;
  /** Bytes of state nodes and records kept in memory. Default: STATE_LIMITS.nodeCacheBytes. */
  readonly nodeCacheBytes?: number;
  /** Blocks that this node is asked to keep, the newest included; 0, the default: all. */
  readonly minRetainBlocks?: bigint;
  /** Of this program, for `info`. */
  readonly version?: string;
}

export interface ApplicationDeps {
  /** Holds nothing but the application's state. */
  readonly kv: Kv;
  readonly verifier: Verifier;
  /** Where {@link RuntimeApplication.verifyAhead} has signatures verified. Default: nowhere. */
  readonly batch?: Pick<BatchVerifier, 'secp256k1'>;
  /** Gives others their turn in a long piece of work. Default: nobody. */
  readonly pause?: () => Promise<void>;
  readonly duties: Duties;
  readonly logger: Logger;
  /** The snapshots that this node has taken. Default: none. */
  readonly snapshots?: SnapshotArchive;
}

/** Where snapshots lie that were taken by {@link RuntimeApplication.exportSnapshot}. */
export interface SnapshotArchive {
  /** Newest first. */
  list(): Promise<readonly abci.Snapshot[]>;
  chunk(height: bigint, format: number, index: number): Promise<Uint8Array | undefined>;
}

/** The application, and what the node's other parts ask of it. */
export interface RuntimeApplication extends abci.Application, abci.SnapshotApplication {
  readonly table: ModuleTable;
  /** Undefined before genesis. */
  readonly chain: ChainParams | undefined;
  /** Committed state at `height` (0: the latest), for façades and duties; undefined when it is not kept. */
  stateAt(height: bigint): QueryContext | undefined;
  /** `app_state` of the latest committed state. */
  exportGenesis(): Record<string, Json>;
  /** A sentence for each invariant that the committed state breaks. */
  brokenInvariants(): readonly string[];
  /** Whether a block's first transaction is the proposer's injection: it is no user's, and no index lists it. */
  isInjection(tx: Uint8Array): boolean;
  /**
   * Has the signatures of transactions verified elsewhere, in their order on top of the committed state, and remembers the
   * good ones. That changes how long their execution takes, and nothing else.
   */
  verifyAhead(txs: readonly Uint8Array[]): Promise<void>;
  /** {@link abci.Application.checkTx} that leaves no trace: what a client merely asks must not count as admitted. */
  tryTx(tx: Uint8Array): abci.CheckTxResponse;
  /**
   * Hands the state at `height` to `sink`, chunk after chunk; blocks go on meanwhile, whenever `pause` gives them their
   * turn. Fails with a sentence when that version is not kept or does not fit the limits.
   */
  exportSnapshot(
    height: bigint,
    sink: (index: number, chunk: Uint8Array) => Promise<void>,
    pause: () => Promise<void>,
  ): Promise<Result<abci.Snapshot, string>>;
  /** Frees a bounded part of the state that is not kept any more; to be called between blocks until `done`. */
  pruneStep(): Promise<PruneOutcome>;
  /** An encoded cosmos.tx.v1beta1.GetTxResponse for a transaction that an index has found. */
  encodeGetTx(found: FoundTx): Result<Uint8Array>;
}

/** Protocol version of the state machine, in the header of each block. */
const APP_VERSION = 1n;

/** @throws RangeError when an option is malformed, or the database belongs to other modules. */
export async function openApplication(options: ApplicationOptions, deps: ApplicationDeps): Promise<RuntimeApplication> {
  const prices = parseDecCoins(options.minGasPrices ?? '');
  if (!prices.ok) throw new RangeError(`minimum gas prices: ${prices.error}`);
  const table = moduleTable(options.modules);
  // What a restore left unfinished is of no use; a state that is there stays.
  await discardImport(deps.kv);
  const open = () =>
    MultiStore.open(faultingKv(deps.kv), table.storeNames, {
      initialVersion: options.initialHeight ?? 1n,
      ...(options.pruning === undefined ? {} : { pruning: options.pruning }),
      ...(options.nodeCacheBytes === undefined ? {} : { nodeCacheBytes: options.nodeCacheBytes }),
    });
  return new App(options, deps, table, open, prices.value);
}

class App implements RuntimeApplication {
  readonly table: ModuleTable;
  readonly #options: ApplicationOptions;
  readonly #deps: ApplicationDeps;
  readonly #open: () => StateStore;
  #store: StateStore;
  readonly #restore: SnapshotRestore;
  readonly #minGasPrices: readonly DecCoin[];
  readonly #signatures: KnownSignatures;
  readonly #checking: CheckingVerifier;
  readonly #txs: KnownTxs;
  #chain: ChainParams | undefined;
  /** Kept until the first commit: each execution of the first block begins with it. */
  #genesis: abci.InitChainRequest | undefined;
  #committed: StateView;
  /** Of the committed state; −1: unlimited. */
  #maxBlockGas = -1n;
  #check: StateBranch;
  /** What has changed it, in order: all of that, until one comes that is not kept. */
  #checked: CheckedTx[] = [];
  #allChecked = true;
  /** Of checks until the next commit, by whether their events are wanted; made with the first. */
  #checkEnvironments: { readonly withEvents: TxEnvironment; readonly withoutEvents: TxEnvironment } | undefined;
  /** Height that `finalizeBlock` executed and `commit` has not persisted yet. */
  #finalized: bigint | undefined;
  /** Of the committed state. */
  #lastTime: Timestamp = ZERO_TIME;

  constructor(
    options: ApplicationOptions,
    deps: ApplicationDeps,
    table: ModuleTable,
    open: () => StateStore,
    minGasPrices: readonly DecCoin[],
  ) {
    this.#options = options;
    this.#deps = deps;
    this.table = table;
    this.#open = open;
    this.#store = open();
    this.#restore = new SnapshotRestore(deps.kv, table.storeNames);
    this.#minGasPrices = minGasPrices;
    this.#signatures = knownSignatures(deps.verifier);
    this.#checking = this.#signatures.checking();
    this.#txs = knownTxs(table);
    this.#committed = this.#store.latest();
    this.#check = new StateBranch(this.#committed);
    this.#begin();
  }

  /** At what the store has. */
  #begin(): void {
    const committed = this.#store.latest();
    this.#show(committed);
    this.#chain = this.#store.lastCommit === undefined ? undefined : chainParams.get(committed.store(CHAIN_STORE));
  }

  get chain(): ChainParams | undefined {
    return this.#chain;
  }

  info(): abci.InfoResponse {
    const last = this.#store.lastCommit;
    return {
      data: 'autonomy',
      version: this.#options.version ?? '0.1.0',
      appVersion: APP_VERSION,
      lastBlockHeight: toHeight(last?.version ?? 0n),
      lastBlockAppHash: last?.appHash ?? EMPTY,
    };
  }

  query(request: abci.QueryRequest): abci.QueryResponse {
    const { table, chain } = this;
    const run = (bytes: Uint8Array) => simulate(this.#environment(this.#nextBlock()), this.#check.branch(), bytes);
    return runQuery({ table, chain, store: this.#store, logger: this.#deps.logger, simulate: run }, request);
  }

  async checkTx({ tx, type, withoutEvents = false }: abci.CheckTxRequest): Promise<abci.CheckTxResponse> {
    const decoded = this.#txs.decode(tx);
    this.#checkEnvironments ??= this.#makeCheckEnvironments();
    const mode = type === 'new' ? 'check' : 'recheck';
    const environment = this.#checkEnvironments[withoutEvents ? 'withoutEvents' : 'withEvents'];
    const outcome = runDecodedTx(environment, this.#check, decoded, mode);
    const { admitted } = outcome;
    const kept = admitted !== undefined && decoded.ok && this.#remember(tx, decoded.value, admitted.repeats);
    // A recheck has verified none.
    if (type === 'recheck') return checkResponse(outcome);
    // With a transaction that is kept it is remembered which of its signatures are good: they need not be kept twice.
    const known = kept ? verifiedSignatures(decoded.value) : [];
    for (const signature of known) this.#signatures.forget(signature);
    this.#checking.learn(known);
    return checkResponse(outcome);
  }

  #makeCheckEnvironments() {
    const withEvents: TxEnvironment = { ...this.#environment(this.#nextBlock()), verifier: this.#checking };
    return { withEvents, withoutEvents: { ...withEvents, withoutEvents: true } };
  }

  /** A transaction has changed the state of checks. Answers whether it is kept. */
  #remember(bytes: Uint8Array, tx: DecodedTx, repeats: boolean): boolean {
    const kept = this.#txs.keep(bytes, tx);
    if (!kept) this.#allChecked = false;
    else if (this.#allChecked) this.#checked.push({ tx, repeats });
    return kept;
  }

  async verifyAhead(txs: readonly Uint8Array[]): Promise<void> {
    const { batch, pause } = this.#deps;
    if (batch === undefined || this.#chain === undefined) return;
    const environment = this.#environment(this.#nextBlock());
    const state = new StateBranch(this.#committed);
    const sequences = new ExpectedSequences();
    const asked: Promise<void>[] = [];
    let checks: PendingCheck[] = [];
    for (const [i, tx] of txs.entries()) {
      const decoded = this.#txs.decode(tx);
      if (decoded.ok) {
        this.#txs.hold(tx, decoded.value);
        checks.push(...pendingChecks(environment, state, decoded.value, sequences));
      }
      if (i + 1 < txs.length && checks.length < RUNTIME_LIMITS.checksHandedOver) {
        // Others get their turn.
        if ((i + 1) % RUNTIME_LIMITS.txsReadAtOnce === 0) await pause?.();
        continue;
      }
      asked.push(this.#learnFrom(batch, checks));
      checks = [];
      await pause?.();
    }
    await Promise.all(asked);
  }

  async #learnFrom(batch: Pick<BatchVerifier, 'secp256k1'>, checks: readonly PendingCheck[]): Promise<void> {
    const unknown = checks.filter(({ check }) => !this.#signatures.knows(check));
    if (unknown.length === 0) return;
    try {
      const verdicts = await batch.secp256k1(unknown.map(({ check }) => check));
      for (const [i, { check, good }] of unknown.entries()) {
        if (verdicts[i] !== true) continue;
        this.#signatures.learn(check);
        good();
      }
    } catch (error) {
      this.#deps.logger.warn('signatures could not be verified ahead', { error });
    }
  }

  tryTx(tx: Uint8Array): abci.CheckTxResponse {
    const environment = this.#environment(this.#nextBlock());
    return checkResponse(runDecodedTx(environment, this.#check.branch(), this.#txs.decode(tx), 'check'));
  }

  /** @throws RangeError that names the field when the genesis document's `app_state` is refused. */
  initChain(request: abci.InitChainRequest): abci.InitChainResponse {
    assert(this.#store.lastCommit === undefined, 'initChain on a chain that has committed blocks');
    const first = this.#options.initialHeight ?? 1n;
    assert(request.initialHeight === first, `initChain: initial height ${request.initialHeight}, opened for ${first}`);
    this.#genesis = request;
    this.#startWorking();
    const genesis = new StateBranch(this.#store.latest());
    this.#chain = this.#applyGenesis(genesis);
    this.#show(genesis);
    return { consensusParams: undefined, validators: [], appHash: this.#store.workingHash() };
  }

  prepareProposal(request: abci.PrepareProposalRequest): readonly Uint8Array[] {
    const checked = request.height === this.#nextHeight() ? this.#checked : [];
    const prepared = guarded('prepareProposal', this.#deps.logger, () =>
      ok(prepareProposal(this.#environment(request), new StateBranch(this.#committed), request, checked)),
    );
    return prepared.ok ? prepared.value : [];
  }

  processProposal(request: abci.ProcessProposalRequest): abci.ProcessProposalResponse {
    const decode = (tx: Uint8Array) => this.#txs.decodeToKeep(tx);
    const environment = { ...this.#environment(request), decode };
    const judged = processProposal(environment, new StateBranch(this.#committed), request);
    return judged.ok ? { accept: true, reason: '' } : { accept: false, reason: judged.error };
  }

  extendVote(request: abci.ExtendVoteRequest): Uint8Array {
    const module = this.table.extender?.voteExtension;
    if (module === undefined) return EMPTY;
    const context = contextOf(this.#environment(request), new StateBranch(this.#committed));
    const made = guarded('extendVote', this.#deps.logger, () => ok(module.extend(context, this.#deps.duties)));
    if (!made.ok) return EMPTY;
    if (made.value.length <= LIMITS.maxExtensionBytes) return made.value;
    this.#deps.logger.error('a vote extension is too large and was left out', { bytes: made.value.length });
    return EMPTY;
  }

  verifyVoteExtension(request: abci.VerifyVoteExtensionRequest): boolean {
    const { extension, validatorAddress, height } = request;
    const module = this.table.extender?.voteExtension;
    if (module === undefined) return extension.length === 0;
    if (extension.length > LIMITS.maxExtensionBytes) return false;
    // Nothing here may depend on what this node happens to know: no time, no proposer.
    const block = { height, time: ZERO_TIME, proposerAddress: EMPTY };
    const context = contextOf(this.#environment(block), new StateBranch(this.#committed));
    const judged = guarded('verifyVoteExtension', this.#deps.logger, () =>
      ok(module.verify(context, validatorAddress, extension)),
    );
    return judged.ok && judged.value;
  }

  finalizeBlock(request: abci.FinalizeBlockRequest): abci.FinalizeBlockResponse {
    const expected = this.#nextHeight();
    assert(request.height === expected, `finalizeBlock: expected height ${expected}, got ${request.height}`);
    this.#startWorking();
    const branch = this.#store.workingBranch().branch();
    const environment = { ...this.#environment(request), verifier: this.#signatures.inBlock };
    const outcome = executeBlock(environment, branch, request);
    branch.write();
    this.#finalized = request.height;
    return { ...outcome, appHash: this.#store.workingHash() };
  }

  async commit(): Promise<abci.CommitResponse> {
    const height = defined(this.#finalized, 'a finalized block to commit');
    const done = await this.#store.commit();
    assert(done.version === height, `commit made version ${done.version}, expected ${height}`);
    this.#finalized = undefined;
    this.#genesis = undefined;
    this.#signatures.executed();
    this.#txs.committed();
    this.#show(this.#store.latest());
    const keep = this.#options.minRetainBlocks ?? 0n;
    return { retainHeight: keep === 0n || height <= keep ? 0n : height - keep + 1n };
  }

  async listSnapshots(): Promise<readonly abci.Snapshot[]> {
    return (await this.#deps.snapshots?.list()) ?? [];
  }

  async loadSnapshotChunk({ height, format, chunk }: abci.LoadSnapshotChunkRequest): Promise<Uint8Array> {
    return (await this.#deps.snapshots?.chunk(height, format, chunk)) ?? EMPTY;
  }

  async offerSnapshot(request: abci.OfferSnapshotRequest): Promise<abci.OfferSnapshotResponse> {
    if (this.#store.lastCommit !== undefined)
      return { result: 'abort', reason: `there is a state already, of height ${this.#store.lastCommit.version}` };
    return this.#restore.offer(request);
  }

  async applySnapshotChunk(request: abci.ApplySnapshotChunkRequest): Promise<abci.ApplySnapshotChunkResponse> {
    const applied = await this.#restore.apply(request);
    if (!applied.done) return applied;
    this.#store = this.#open();
    this.#begin();
    return applied;
  }

  async exportSnapshot(
    height: bigint,
    sink: (index: number, chunk: Uint8Array) => Promise<void>,
    pause: () => Promise<void>,
  ): Promise<Result<abci.Snapshot, string>> {
    const source = this.#store.snapshotSource(height);
    return source.ok ? exportSnapshot(source.value, sink, { pause }) : source;
  }

  pruneStep(): Promise<PruneOutcome> {
    return this.#store.pruneStep();
  }

  stateAt(height: bigint): QueryContext | undefined {
    const at = height === 0n ? (this.#store.lastCommit?.version ?? 0n) : height;
    const state = this.#store.viewAt(at);
    return state === undefined || this.#chain === undefined ? undefined : { state, height: at, chain: this.#chain };
  }

  exportGenesis(): Record<string, Json> {
    return exportState(this.table, defined(this.stateAt(0n), 'a committed state to export'));
  }

  brokenInvariants(): readonly string[] {
    const context = this.stateAt(0n);
    if (context === undefined) return [];
    return this.table.modules.flatMap((module) => module.invariants?.(context) ?? []);
  }

  isInjection(tx: Uint8Array): boolean {
    return splitInjection(this.table.injector?.injection, [tx]).payload !== undefined;
  }

  encodeGetTx(found: FoundTx): Result<Uint8Array> {
    return encodeGetTx(this.table, found);
  }

  /** The working branch at the last committed state, or at genesis. */
  #startWorking(): void {
    this.#store.rollback();
    if (this.#genesis === undefined) return;
    const branch = this.#store.workingBranch().branch();
    this.#applyGenesis(branch);
    branch.write();
  }

  /** From now on this is the committed state. */
  #show(committed: StateView): void {
    this.#committed = committed;
    this.#check = new StateBranch(committed);
    this.#checkEnvironments = undefined;
    this.#checked = [];
    this.#allChecked = true;
    this.#lastTime = blockTimeOf(committed);
    this.#maxBlockGas = blockLimits.get(committed.store(CHAIN_STORE))?.maxGas ?? -1n;
  }

  #applyGenesis(branch: StateBranch): ChainParams {
    const done = initState(this.table, branch, defined(this.#genesis, 'a genesis request'));
    if (!done.ok) throw new RangeError(`genesis: ${done.error}`);
    return done.value;
  }

  #nextHeight(): bigint {
    const last = this.#store.lastCommit;
    return last === undefined ? (this.#options.initialHeight ?? 1n) : last.version + 1n;
  }

  /** The block that a transaction checked now would be in, as far as it is known. */
  #nextBlock(): BlockInfo {
    return { height: this.#nextHeight(), time: this.#lastTime, proposerAddress: EMPTY };
  }

  #environment({ height, time, proposerAddress }: BlockInfo): TxEnvironment {
    const chain = defined(this.#chain, 'initChain before anything else');
    return {
      table: this.table,
      decode: (bytes) => this.#txs.decode(bytes),
      chain,
      block: { height, time, proposerAddress },
      verifier: this.#signatures,
      logger: this.#deps.logger,
      minGasPrices: this.#minGasPrices,
      maxBlockGas: this.#maxBlockGas,
    };
  }
}

function checkResponse({ result, admitted }: TxOutcome): abci.CheckTxResponse {
  const { code, codespace, log, data, gasWanted, gasUsed, events } = result;
  const { priority, sender, sequence } = admitted ?? { priority: 0n, sender: '', sequence: 0n };
  return { code, codespace, log, data, gasWanted, gasUsed, events, priority, sender, sequence };
}
