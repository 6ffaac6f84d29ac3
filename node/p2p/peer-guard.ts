import { NODE_LIMITS } from '../limits.ts';

/** A bucket that refills evenly and holds two seconds' worth. */
class Bucket {
  readonly #perSecond: number;
  #tokens: number;
  #at: number;

  constructor(perSecond: number, nowMs: number) {
    this.#perSecond = perSecond;
    this.#tokens = 2 * perSecond;
    this.#at = nowMs;
  }

  take(amount: number, nowMs: number): boolean {
    this.#tokens = Math.min(2 * this.#perSecond, this.#tokens + (this.#perSecond * (nowMs - this.#at)) / 1_000);
    this.#at = nowMs;
    // One message larger than the bucket passes when the bucket is full: it then owes.
    if (this.#tokens < Math.min(amount, 2 * this.#perSecond)) return false;
    this.#tokens -= amount;
    return true;
  }
}

interface PeerRecord {
  readonly messages: Bucket;
  readonly bytes: Bucket;
  readonly txs: Bucket;
  readonly txBytes: Bucket;
  faults: number;
  faultsSinceMs: number;
}

/**
 * What each peer may send, and who is shut out. Exceeding a rate only loses the excess; what bans is proven nonsense:
 * undecodable bytes and invalid signatures, counted within a minute.
 */
export class PeerGuard {
  readonly #now: () => number;
  readonly #peers = new Map<string, PeerRecord>();
  /** Until when, and how many there have been. */
  readonly #bans = new Map<string, { readonly untilMs: number; readonly count: number }>();

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Whether a message of `bytes` may be processed. */
  admitMessage(peer: string, bytes: number): boolean {
    const now = this.#now();
    const record = this.#record(peer, now);
    return record.messages.take(1, now) && record.bytes.take(bytes, now);
  }

  /** Whether a transaction of `bytes` may be checked. */
  admitTx(peer: string, bytes: number): boolean {
    const now = this.#now();
    const record = this.#record(peer, now);
    return record.txs.take(1, now) && record.txBytes.take(bytes, now);
  }

  /** Counts an invalid message. True: the peer is banned from now on. */
  fault(peer: string, weight = 1): boolean {
    const now = this.#now();
    const record = this.#record(peer, now);
    if (now - record.faultsSinceMs > 60_000) {
      record.faults = 0;
      record.faultsSinceMs = now;
    }
    record.faults += weight;
    if (record.faults < NODE_LIMITS.peerFaultsPerMinute) return false;
    this.ban(peer);
    return true;
  }

  ban(peer: string): void {
    const count = (this.#bans.get(peer)?.count ?? 0) + 1;
    this.#bans.delete(peer);
    const forMs = Math.min(NODE_LIMITS.banMs * 2 ** Math.min(count - 1, 20), NODE_LIMITS.maxBanMs);
    this.#bans.set(peer, { untilMs: this.#now() + forMs, count });
    for (const oldest of this.#bans.keys()) {
      if (this.#bans.size <= NODE_LIMITS.maxBans) break;
      this.#bans.delete(oldest);
    }
  }

  isBanned(peer: string): boolean {
    const ban = this.#bans.get(peer);
    // One that is over stays on record: the next will be longer.
    return ban !== undefined && this.#now() < ban.untilMs;
  }

  /** 0 for a good peer; less for each invalid message of the last minute, and by ten for each ban on record. */
  score(peer: string): number {
    const record = this.#peers.get(peer);
    const faults = record !== undefined && this.#now() - record.faultsSinceMs <= 60_000 ? record.faults : 0;
    return 0 - faults - 10 * (this.#bans.get(peer)?.count ?? 0);
  }

  #record(peer: string, now: number): PeerRecord {
    let record = this.#peers.get(peer);
    if (record === undefined) {
      record = {
        messages: new Bucket(NODE_LIMITS.peerMessagesPerSecond, now),
        bytes: new Bucket(NODE_LIMITS.peerBytesPerSecond, now),
        txs: new Bucket(NODE_LIMITS.peerTxsPerSecond, now),
        txBytes: new Bucket(NODE_LIMITS.peerTxBytesPerSecond, now),
        faults: 0,
        faultsSinceMs: now,
      };
      this.#peers.set(peer, record);
      // Records outlive connections, or hanging up would wash faults away.
      for (const oldest of this.#peers.keys()) {
        if (this.#peers.size <= NODE_LIMITS.maxPeerRecords) break;
        this.#peers.delete(oldest);
      }
    }
    return record;
  }
}
