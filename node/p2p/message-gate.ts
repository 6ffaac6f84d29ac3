import type { Connection, Stream } from '@libp2p/interface';
import { CONSENSUS_LIMITS } from '#consensus/limits.ts';
import { isTxGossip, MAX_TX_GOSSIP_BYTES } from '#consensus/mempool-gossip.ts';
import { maxMessageBytes } from '#consensus/messages.ts';
import type { Logger } from '#core/ports/logger.ts';
import { IGNORE, type Verdict } from '../driver/intake.ts';
import type { PeerId } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';
import { isSnapshotMessage, maxSnapshotMessageBytes } from '../statesync/messages.ts';
import { FLOOD_TAG, type Flood, NEIGHBOURS_TAG } from './flood.ts';
import { FrameReader } from './framing.ts';
import { isPeerExchange, MAX_EXCHANGE_BYTES, type PeerExchange } from './peer-exchange.ts';
import type { PeerGuard } from './peer-guard.ts';
import { quietWindow } from './quiet-window.ts';

/** Who says what a message is worth. */
export interface MessageJudges {
  /** A consensus message; what came by flood is handed on only when the verdict is `accept`. */
  message(peer: PeerId, bytes: Uint8Array): Promise<Verdict> | Verdict;
  /** A transaction. */
  tx(peer: PeerId, bytes: Uint8Array): Promise<Verdict> | Verdict;
  /** Hashes of transactions that a peer has, wants or has not. */
  txHashes(peer: PeerId, bytes: Uint8Array): Verdict;
}

/** Before a transaction on a direct stream: no consensus message begins with it. */
export const TX_TAG = (15 << 3) | 2;

function frameLimit(firstByte: number): number {
  if (isSnapshotMessage(firstByte)) return maxSnapshotMessageBytes(firstByte);
  if (isPeerExchange(firstByte)) return MAX_EXCHANGE_BYTES;
  if (isTxGossip(firstByte)) return MAX_TX_GOSSIP_BYTES;
  if (firstByte === FLOOD_TAG) return 1 + CONSENSUS_LIMITS.maxMessageBytes;
  if (firstByte === NEIGHBOURS_TAG) return 1 + 8 * NODE_LIMITS.maxNeighbours;
  return firstByte === TX_TAG ? NODE_LIMITS.maxGossipTxBytes + 1 : maxMessageBytes(firstByte);
}

/** Everything that arrives passes here: sizes and rates first, then the judges; what is wrong counts against its sender. */
export class MessageGate {
  readonly #guard: PeerGuard;
  readonly #judges: MessageJudges;
  readonly #logger: Logger;
  readonly #hangUp: (peer: PeerId) => void;
  readonly #flood: Flood;
  /** Undefined: this node neither asks for addresses nor tells any. */
  readonly #exchange: Pick<PeerExchange, 'receive'> | undefined;

  constructor(dependencies: {
    readonly guard: PeerGuard;
    readonly judges: MessageJudges;
    readonly logger: Logger;
    readonly hangUp: (peer: PeerId) => void;
    readonly flood: Flood;
    readonly exchange: Pick<PeerExchange, 'receive'> | undefined;
  }) {
    this.#guard = dependencies.guard;
    this.#judges = dependencies.judges;
    this.#logger = dependencies.logger;
    this.#hangUp = dependencies.hangUp;
    this.#flood = dependencies.flood;
    this.#exchange = dependencies.exchange;
  }

  /** Of all messages most are transactions: what this waits for is waited for once. */
  #tx(peer: PeerId, bytes: Uint8Array): Promise<Verdict> | Verdict {
    if (!this.#guard.admitTx(peer, bytes.length)) return IGNORE;
    if (bytes.length === 0 || bytes.length > NODE_LIMITS.maxGossipTxBytes)
      return this.refuse(peer, `a transaction of ${bytes.length} bytes`);
    const verdict = this.#judges.tx(peer, bytes);
    if (verdict instanceof Promise) return verdict.then((late) => this.#charge(peer, late));
    return this.#charge(peer, verdict);
  }

  /** Reads an incoming direct stream to its end. */
  read(stream: Stream, connection: Connection): void {
    const peer = connection.remotePeer.toString();
    const reader = new FrameReader(frameLimit);
    quietWindow(stream);
    stream.addEventListener('message', (event) => {
      const messages = reader.push(event.data instanceof Uint8Array ? event.data : event.data.subarray());
      if (!messages.ok) {
        this.#fault(peer, messages.error, NODE_LIMITS.peerFaultsPerMinute);
        stream.abort(new Error(messages.error));
        return;
      }
      for (const message of messages.value) {
        const failed = (error: unknown) =>
          this.#logger.error('handling a message failed', { peer, error: String(error) });
        try {
          const handled = this.#direct(peer, message);
          if (handled instanceof Promise) handled.catch(failed);
        } catch (error) {
          failed(error);
        }
      }
    });
  }

  #direct(peer: PeerId, message: Uint8Array): Promise<unknown> | Verdict {
    switch (message[0]) {
      case TX_TAG:
        return this.#tx(peer, message.subarray(1));
      case FLOOD_TAG:
        return this.#flooded(peer, message);
      case NEIGHBOURS_TAG:
        if (this.#guard.admitMessage(peer, message.length) && !this.#flood.onNeighbours(peer, message.subarray(1)))
          return this.refuse(peer, `a list of neighbours in ${message.length} bytes`);
        return IGNORE;
      default:
        return this.#message(peer, message);
    }
  }

  /** What is new and good is handed on to whom its sender does not reach. */
  async #flooded(peer: PeerId, tagged: Uint8Array): Promise<void> {
    const message = tagged.subarray(1);
    const name = this.#flood.nameOfNew(message);
    if (name === undefined) return;
    if ((await this.#message(peer, message)).kind !== 'accept') return;
    this.#flood.accept(name);
    this.#flood.forward(peer, tagged);
  }

  async #message(peer: PeerId, bytes: Uint8Array): Promise<Verdict> {
    if (!this.#guard.admitMessage(peer, bytes.length)) return IGNORE;
    const judges = this.#judges;
    if (isPeerExchange(bytes[0])) return this.#onExchange(peer, bytes);
    return this.#charge(peer, isTxGossip(bytes[0]) ? judges.txHashes(peer, bytes) : await judges.message(peer, bytes));
  }

  #onExchange(peer: PeerId, bytes: Uint8Array): Verdict {
    const verdict = this.#exchange?.receive(peer, bytes) ?? IGNORE;
    if (verdict.kind === 'reject')
      this.#fault(peer, verdict.reason, 'grave' in verdict && verdict.grave ? NODE_LIMITS.peerFaultsPerMinute : 4);
    return IGNORE;
  }

  /** Counts what a peer sent against him, also when it turned out only later. */
  refuse(peer: PeerId, reason: string): Verdict {
    return this.#charge(peer, { kind: 'reject', reason });
  }

  #charge(peer: PeerId, verdict: Verdict): Verdict {
    if (verdict.kind === 'reject') this.#fault(peer, verdict.reason);
    return verdict;
  }

  #fault(peer: PeerId, reason: string, weight = 1): void {
    this.#logger.warn('peer sent an invalid message', { peer, reason });
    if (!this.#guard.fault(peer, weight)) return;
    this.#logger.warn('peer is banned', { peer, forMs: NODE_LIMITS.banMs });
    this.#hangUp(peer);
  }
}
