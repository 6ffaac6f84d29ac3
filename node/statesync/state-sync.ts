/**
 * State sync: a node without blocks finds a snapshot that peers offer, lets the light client say what it must lead to,
 * fetches it chunk by chunk from all who have it, and begins the chain at its height.
 */
import { decodePeerMessage, encodePeerMessage, type PeerMessage } from '#consensus/messages.ts';
import { votesOfCommit } from '#consensus/state.ts';
import { verifyVote } from '#consensus/verify-message.ts';
import type { Application, Snapshot, SnapshotApplication } from '#core/abci.ts';
import { equal, toHex } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import type { Logger } from '#core/ports/logger.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type Block, readBlock } from '#core/types/block.ts';
import { equalBlockId } from '#core/types/block-id.ts';
import { toHeight } from '#core/types/brand.ts';
import { type ExtendedCommit, FLAG_COMMIT } from '#core/types/commit.ts';
import { extensionsEnabled } from '#core/types/consensus-params.ts';
import { headerHash } from '#core/types/header.ts';
import { createPartSet, type PartSet } from '#core/types/part-set.ts';
import { isQuorum } from '#core/types/validator-set.ts';
import { IGNORE, type Verdict } from '../driver/intake.ts';
import type { PeerId } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';
import { ChunkFetch } from './chunks.ts';
import { decodeSnapshotMessage, encodeSnapshotMessage, isSnapshotMessage } from './messages.ts';
import type { SyncedChain, SyncSource } from './source.ts';

export interface StateSyncDeps {
  readonly app: SnapshotApplication & Pick<Application, 'info'>;
  readonly source: SyncSource;
  readonly verifier: Verifier;
  readonly send: (peer: PeerId, bytes: Uint8Array) => void;
  readonly wait: (ms: number) => Promise<void>;
  readonly nowMs: () => number;
  readonly logger: Logger;
}

/** Everything that the stores begin with. */
export interface SyncResult extends SyncedChain {
  readonly block: Block;
  readonly parts: PartSet;
  readonly seenCommit: ExtendedCommit;
}

/** The block at a snapshot's height with the commit that a peer saw for it: the next proposer needs its extensions. */
type Decided = Pick<SyncResult, 'block' | 'parts' | 'seenCommit'>;
type BlockResponse = Extract<PeerMessage, { kind: 'block-response' }>;

interface Offered {
  readonly snapshot: Snapshot;
  readonly peers: Set<PeerId>;
}

export class StateSync {
  readonly #deps: StateSyncDeps;
  readonly #peers = new Set<PeerId>();
  readonly #offered = new Map<string, Offered>();
  /** Keys of snapshots that came to nothing. */
  readonly #hopeless = new Set<string>();
  #fetch: ChunkFetch | undefined;
  #awaitedBlock: { readonly peer: PeerId; readonly height: bigint; response: BlockResponse | undefined } | undefined;
  #wake: () => void = () => {};

  constructor(deps: StateSyncDeps) {
    this.#deps = deps;
  }

  addPeer(peer: PeerId): void {
    this.#peers.add(peer);
    this.#deps.send(peer, encodeSnapshotMessage({ kind: 'snapshots-request' }));
  }

  removePeer(peer: PeerId): void {
    this.#peers.delete(peer);
    for (const { peers } of this.#offered.values()) peers.delete(peer);
    this.#wake();
  }

  /** Only what was asked for is looked at; this node has nothing to give yet. */
  receive(peer: PeerId, bytes: Uint8Array): Verdict {
    if (!this.#peers.has(peer)) return IGNORE;
    const refused = isSnapshotMessage(bytes[0]) ? this.#takeSnapshotMessage(peer, bytes) : this.#takeBlock(peer, bytes);
    this.#wake();
    return refused === undefined ? IGNORE : { kind: 'reject', reason: refused };
  }

  #takeSnapshotMessage(peer: PeerId, bytes: Uint8Array): string | undefined {
    const message = decodeSnapshotMessage(bytes);
    if (!message.ok) return message.error;
    if (message.value.kind === 'snapshots-response')
      for (const snapshot of message.value.snapshots) this.#offer(peer, snapshot);
    else if (message.value.kind === 'chunk-response') this.#fetch?.receive(peer, message.value);
    return undefined;
  }

  #takeBlock(peer: PeerId, bytes: Uint8Array): string | undefined {
    const awaited = this.#awaitedBlock;
    if (awaited === undefined || awaited.peer !== peer) return undefined;
    const message = decodePeerMessage(bytes);
    if (!message.ok) return message.error;
    if (message.value.kind === 'block-response' && message.value.height === awaited.height)
      awaited.response = message.value;
    return undefined;
  }

  #offer(peer: PeerId, snapshot: Snapshot): void {
    const key = `${snapshot.height}/${snapshot.format}/${snapshot.chunks}/${toHex(snapshot.hash)}/${toHex(snapshot.metadata)}`;
    const known = this.#offered.get(key);
    const mine = [...this.#offered.values()].filter(({ peers }) => peers.has(peer)).length;
    if (mine >= NODE_LIMITS.maxSnapshotsPerPeer) return;
    if (known !== undefined) known.peers.add(peer);
    else if (this.#offered.size < NODE_LIMITS.maxKnownSnapshots)
      this.#offered.set(key, { snapshot, peers: new Set([peer]) });
  }

  /** Tries snapshots until one leads to the state of its header. The error says which condition is missing. */
  async run(options: { readonly discoveryMs: number; readonly rounds: number }): Promise<Result<SyncResult, string>> {
    let reason = '';
    for (let round = 0; round < options.rounds; round++) {
      await this.#deps.wait(options.discoveryMs);
      for (let best = this.#best(); best !== undefined; best = this.#best()) {
        const [key, offered] = best;
        const { height, chunks } = offered.snapshot;
        this.#deps.logger.info('trying a snapshot', { height, chunks, peers: offered.peers.size });
        const tried = await this.#try(offered);
        if (tried.ok) return tried;
        reason = `the snapshot of height ${height}: ${tried.error}`;
        this.#deps.logger.warn('a snapshot came to nothing', { height, reason: tried.error });
        this.#hopeless.add(key);
      }
      this.#deps.logger.info('state sync looks for snapshots', { missing: this.#missing(reason) });
      for (const peer of this.#peers) this.#deps.send(peer, encodeSnapshotMessage({ kind: 'snapshots-request' }));
    }
    return err(this.#missing(reason));
  }

  #missing(reason: string): string {
    if (this.#peers.size === 0) return 'no peer is connected: check p2p.persistent_peers';
    if (this.#offered.size === 0)
      return `none of the ${this.#peers.size} connected peers offers a snapshot: one of them must set statesync.snapshot_interval`;
    return `none of the ${this.#offered.size} snapshots that peers offer could be used; ${reason}`;
  }

  /** The highest; of the same height that which most peers offer. */
  #best(): readonly [string, Offered] | undefined {
    let best: readonly [string, Offered] | undefined;
    for (const [key, offered] of this.#offered) {
      if (this.#hopeless.has(key) || offered.peers.size === 0) continue;
      const [height, peers] = [offered.snapshot.height, offered.peers.size];
      const than = best?.[1];
      const better =
        than === undefined ||
        height > than.snapshot.height ||
        (height === than.snapshot.height && peers > than.peers.size);
      if (better) best = [key, offered];
    }
    return best;
  }

  async #try({ snapshot, peers }: Offered): Promise<Result<SyncResult, string>> {
    const { app, source, send } = this.#deps;
    const chain = await source.chainAt(snapshot.height);
    if (!chain.ok) return chain;
    const decided = await this.#fetchBlock(chain.value, peers);
    if (!decided.ok) return decided;
    const { appHash } = chain.value.state;
    const offer = await app.offerSnapshot({ snapshot, appHash });
    if (offer.result !== 'accept') return err(`${offer.result}: ${offer.reason}`);
    this.#fetch = new ChunkFetch(snapshot, {
      holders: () => [...peers],
      send,
      apply: (request) => app.applySnapshotChunk(request),
      changed: () => this.#changed(),
      nowMs: this.#deps.nowMs,
    });
    const fetched = await this.#fetch.run();
    this.#fetch = undefined;
    if (!fetched.ok) return fetched;
    const { lastBlockHeight, lastBlockAppHash } = app.info();
    if (lastBlockHeight !== snapshot.height || !equal(lastBlockAppHash, appHash))
      return err(`the application is at height ${lastBlockHeight} with app hash ${toHex(lastBlockAppHash)} afterwards`);
    return ok({ ...chain.value, ...decided.value });
  }

  #changed(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#wake = resolve;
    return Promise.race([promise, this.#deps.wait(NODE_LIMITS.syncPollMs)]);
  }

  async #fetchBlock(chain: SyncedChain, peers: ReadonlySet<PeerId>): Promise<Result<Decided, string>> {
    const { height } = chain.last.header;
    let reason = 'no peer is left';
    for (const peer of [...peers]) {
      const awaited = { peer, height: height as bigint, response: undefined as BlockResponse | undefined };
      this.#awaitedBlock = awaited;
      this.#deps.send(peer, encodePeerMessage({ kind: 'block-request', height: toHeight(height) }));
      const deadline = this.#deps.nowMs() + NODE_LIMITS.syncBlockTimeoutMs;
      while (awaited.response === undefined && this.#deps.nowMs() < deadline && peers.has(peer)) await this.#changed();
      this.#awaitedBlock = undefined;
      const decided = awaited.response === undefined ? err('no answer') : this.#checkBlock(chain, awaited.response);
      if (decided.ok) return decided;
      reason = `${peer}: ${decided.error}`;
      this.#deps.logger.warn('a peer does not give the block of the snapshot', { height, reason });
    }
    return err(`block ${height} could not be fetched; ${reason}`);
  }

  /** The block is the verified header's, and every signature of the commit, extensions included, is of its validator. */
  #checkBlock({ last, state, lastParams }: SyncedChain, response: BlockResponse): Result<Decided, string> {
    const { commit, block: bytes } = response;
    if (commit === undefined) return err('it does not have the block');
    const block = decode(() => readBlock('block', bytes));
    if (!block.ok) return block;
    const parts = createPartSet(bytes);
    const blockId = { hash: headerHash(block.value.header), partSetHeader: parts.header };
    if (!equalBlockId(blockId, last.commit.blockId)) return err('its block is not the one of the verified header');
    if (commit.height !== last.header.height || !equalBlockId(commit.blockId, blockId))
      return err('its commit is for another block');
    if (commit.signatures.length !== last.validators.validators.length)
      return err(
        `its commit has ${commit.signatures.length} signatures for ${last.validators.validators.length} validators`,
      );
    const context = {
      chainId: state.chainId,
      validators: last.validators,
      extensions: extensionsEnabled(lastParams, last.header.height),
      verifier: this.#deps.verifier,
    };
    let power = 0n;
    for (const vote of votesOfCommit(commit)) {
      const verified = verifyVote(vote, context);
      if (!verified.ok) return err(`its commit: ${verified.error}`);
      if (commit.signatures[vote.validatorIndex]?.flag === FLAG_COMMIT)
        power += last.validators.validators[vote.validatorIndex]?.power ?? 0n;
    }
    if (!isQuorum(power, last.validators.totalPower))
      return err(`its commit has ${power} of ${last.validators.totalPower} power, expected more than two thirds`);
    return ok({ block: block.value, parts, seenCommit: commit });
  }
}
