import { TxGossip, type TxGossipPorts } from '#consensus/mempool-gossip.ts';
import { IGNORE, type Verdict } from '../driver/intake.ts';
import type { PeerId } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';
import { type Mempool, txKey } from './mempool.ts';

export interface TxExchangeDeps {
  readonly mempool: Pick<Mempool, 'find' | 'knows' | 'receive' | 'keys'>;
  readonly send: TxGossipPorts['send'];
  /** False: too much waits for the peer. */
  readonly sendTx: (peer: PeerId, tx: Uint8Array) => boolean;
  /** Whether two peers, by what both say, are connected with each other. */
  readonly connected: TxGossipPorts['connected'];
  readonly now: () => number;
}

/** What the mempool and the network tell of transactions, and what follows from it. */
export interface TxExchange {
  /** `from`: the peer that sent it. */
  admitted(key: string, from: PeerId | undefined): void;
  refused(key: string): void;
  committed(): void;
  /** What waits here is announced to him. */
  addPeer(peer: PeerId): void;
  removePeer(peer: PeerId): void;
  /** Hashes. */
  hashes(peer: PeerId, message: Uint8Array): Verdict;
  /** A transaction. */
  tx(peer: PeerId, bytes: Uint8Array): Promise<Verdict>;
  close(): void;
}

/**
 * Runs `consensus/mempool-gossip.ts` over the network. Announcements gather until the event loop turns, and under load for
 * some milliseconds: each becomes a request, and an answer with all that was asked for.
 */
export function createTxExchange({ mempool, send, sendTx, connected, now }: TxExchangeDeps): TxExchange {
  const gossip = new TxGossip({
    send,
    sendTx(peer, key) {
      const tx = mempool.find(key);
      if (tx === undefined) return 'absent';
      return sendTx(peer, tx) ? 'sent' : 'busy';
    },
    has: (key) => mempool.knows(key),
    waits: (key) => mempool.find(key) !== undefined,
    connected,
  });
  let flushing: NodeJS.Timeout | NodeJS.Immediate | undefined;
  let flushedMs = Number.NEGATIVE_INFINITY;
  let ticking: NodeJS.Timeout | undefined;
  let closed = false;

  function flushSoon(): void {
    if (flushing !== undefined || closed) return;
    const since = now() - flushedMs;
    // Also where the clock has gone back.
    const isLately = since >= 0 && since < NODE_LIMITS.txAnnounceMs;
    flushing = isLately ? setTimeout(flush, NODE_LIMITS.txAnnounceMs - since) : setImmediate(flush);
  }

  function flush(): void {
    flushing = undefined;
    flushedMs = now();
    if (!closed) gossip.flush();
  }

  function tickLater(): void {
    if (ticking !== undefined || closed || gossip.idle) return;
    ticking = setTimeout(() => {
      ticking = undefined;
      gossip.tick(now());
      tickLater();
    }, NODE_LIMITS.txExchangeTickMs);
  }

  return {
    admitted(key, from) {
      gossip.admitted(key, from);
      flushSoon();
    },
    refused: (key) => gossip.refused(key),
    committed: () => gossip.committed(),
    addPeer(peer) {
      // Hashing all that waits would cost more than meeting the peer, who may come and go as often as connections are let in.
      gossip.addPeer(peer, mempool.keys(NODE_LIMITS.maxTxHandover));
      flushSoon();
    },
    removePeer: (peer) => gossip.removePeer(peer),
    hashes(peer, message) {
      const read = gossip.receive(peer, message, now());
      tickLater();
      return read.ok ? IGNORE : { kind: 'reject', reason: read.error };
    },
    tx(peer, bytes) {
      const key = txKey(bytes);
      gossip.arrived(peer, key, now());
      return mempool.receive(bytes, key, peer);
    },
    close() {
      closed = true;
      clearTimeout(ticking);
    },
  };
}
