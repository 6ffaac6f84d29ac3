import type { IdentifyResult, Stream } from '@libp2p/interface';
import type { Logger } from '#core/ports/logger.ts';
import { formatListenAddress, type ListenAddress } from '../config/address.ts';
import type { PeerId } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';
import { DirectSender } from './direct-stream.ts';

export interface PeerEntry {
  readonly id: PeerId;
  /** Undefined until the direct stream is open. */
  sender: DirectSender | undefined;
  opening: boolean;
  moniker: string;
  listenAddress: string;
}

export interface PeerTableDependencies {
  /** Opens the sending half of a direct stream. */
  readonly open: (peer: PeerId) => Promise<Stream>;
  /** The peer does not speak this chain's protocol. */
  readonly foreign: (peer: PeerId) => void;
  readonly connected: (peer: PeerId) => void;
  readonly disconnected: (peer: PeerId) => void;
  /** Where a connected peer says that it listens. */
  readonly identified: (peer: PeerId, listen: ListenAddress) => void;
  readonly logger: Logger;
}

/** The connected peers, each with one direct stream that is opened again for as long as the connection lives. */
export class PeerTable {
  readonly #entries = new Map<PeerId, PeerEntry>();
  readonly #dependencies: PeerTableDependencies;
  #closed = false;

  constructor(dependencies: PeerTableDependencies) {
    this.#dependencies = dependencies;
  }

  get size(): number {
    return this.#entries.size;
  }

  has(peer: PeerId): boolean {
    return this.#entries.has(peer);
  }

  all(): Iterable<PeerEntry> {
    return this.#entries.values();
  }

  /** Dropped when the peer is not connected, or reads too slowly. */
  send(peer: PeerId, bytes: Uint8Array): void {
    this.#entries.get(peer)?.sender?.send(bytes);
  }

  /**
   * What can wait is not put before what cannot. False: nothing was sent, because too much waits already.
   * @param tag the message's first byte, where `bytes` are only what follows.
   */
  sendUnlessBusy(peer: PeerId, bytes: Uint8Array, tag?: number): boolean {
    const sender = this.#entries.get(peer)?.sender;
    if (sender === undefined || sender.queuedBytes > NODE_LIMITS.maxPeerTxQueueBytes) return false;
    return sender.send(bytes, tag);
  }

  /** Whether a block more would be dropped. */
  isBusy(peer: PeerId): boolean {
    const waiting = this.#entries.get(peer)?.sender?.queuedBytes ?? 0;
    return waiting + NODE_LIMITS.maxServedBlockBytes > NODE_LIMITS.maxPeerQueueBytes;
  }

  onConnect(peer: PeerId): void {
    if (this.#closed || this.#entries.has(peer)) return;
    const entry: PeerEntry = { id: peer, sender: undefined, opening: false, moniker: '', listenAddress: '' };
    this.#entries.set(peer, entry);
    void this.#openSender(entry);
  }

  onDisconnect(peer: PeerId): void {
    const entry = this.#entries.get(peer);
    if (entry === undefined) return;
    this.#entries.delete(peer);
    this.#dependencies.logger.info('peer disconnected', { peer, peers: this.size });
    this.#lose(entry);
  }

  onIdentify(result: IdentifyResult, listen: ListenAddress | undefined): void {
    const entry = this.#entries.get(result.peerId.toString());
    if (entry === undefined) return;
    entry.moniker = (result.agentVersion ?? '').replace(/^autonomy\/\S+ /, '').slice(0, 128);
    if (listen === undefined) return;
    entry.listenAddress = formatListenAddress(listen);
    this.#dependencies.identified(entry.id, listen);
  }

  /** No stream is opened any more. */
  close(): void {
    this.#closed = true;
  }

  #alive(entry: PeerEntry): boolean {
    return !this.#closed && this.#entries.get(entry.id) === entry;
  }

  #lose(entry: PeerEntry): void {
    if (entry.sender === undefined) return;
    entry.sender = undefined;
    this.#dependencies.disconnected(entry.id);
  }

  async #openSender(entry: PeerEntry): Promise<void> {
    if (entry.opening || entry.sender !== undefined || !this.#alive(entry)) return;
    const { logger, open, connected, foreign } = this.#dependencies;
    const peer = entry.id;
    entry.opening = true;
    try {
      const stream = await open(peer);
      const sender = new DirectSender(stream, () => {
        if (entry.sender !== sender) return;
        this.#lose(entry);
        this.#retry(entry);
      });
      if (!this.#alive(entry)) {
        await sender.close();
        return;
      }
      entry.sender = sender;
      logger.info('peer connected', { peer, moniker: entry.moniker, peers: this.size });
      connected(peer);
    } catch (error) {
      if (error instanceof Error && error.name === 'UnsupportedProtocolError') foreign(peer);
      else {
        logger.debug('no direct stream to peer', { peer, error: String(error) });
        this.#retry(entry);
      }
    } finally {
      entry.opening = false;
    }
  }

  /** The connection may live on while its stream failed or was reset. */
  #retry(entry: PeerEntry): void {
    if (this.#alive(entry)) setTimeout(() => void this.#openSender(entry), NODE_LIMITS.redialMinMs);
  }
}
