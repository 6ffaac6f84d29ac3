/**
 * How transactions spread: whoever has one announces its hash, whoever lacks it asks one of those who announced it. So
 * its bytes cross a link once at most, as long as peers keep their word. Pure and synchronous: time comes in, messages
 * go out by the ports.
 */
import { err, ok, type Result } from '#core/result.ts';
import { CONSENSUS_LIMITS } from './limits.ts';
import { RecentKeys } from './recent-keys.ts';

/** First bytes of the messages; behind each stand hashes of 32 bytes. They share a space with those of `messages.ts`. */
export const TX_MESSAGE = { announce: (12 << 3) | 2, request: (13 << 3) | 2, missing: (14 << 3) | 2 } as const;

const HASH_BYTES = 32;

/** A hash as a key of maps, one character a byte: half as long as its hex digits, and made at once. */
export function keyOfHash(hash: Uint8Array): string {
  return String.fromCharCode.apply(null, hash as unknown as number[]);
}

function putHash(key: string, into: Uint8Array, at: number): void {
  for (let i = 0; i < HASH_BYTES; i++) into[at + i] = key.charCodeAt(i);
}

export function isTxGossip(firstByte: number | undefined): boolean {
  return firstByte === TX_MESSAGE.announce || firstByte === TX_MESSAGE.request || firstByte === TX_MESSAGE.missing;
}

/** Most bytes of such a message. */
export const MAX_TX_GOSSIP_BYTES = 1 + HASH_BYTES * CONSENSUS_LIMITS.maxHashesPerTxMessage;

export interface TxGossipPorts {
  send(peer: string, message: Uint8Array): void;
  /** Sends the bytes of a transaction. `busy`: the peer reads slowly, try later; `absent`: it is not here any more. */
  sendTx(peer: string, key: string): 'sent' | 'busy' | 'absent';
  /** Whether the transaction is in the mempool, being checked, or was committed lately. */
  has(key: string): boolean;
  /** Whether it is in the mempool. */
  waits(key: string): boolean;
  /** Whether the two peers, by what both say, are connected with each other: what one has, it announces to the other. */
  connected(peer: string, other: string): boolean;
}

interface Peer {
  readonly id: string;
  /** What he has or wants, as his own messages say. */
  readonly known: RecentKeys;
  /** What was announced to him. */
  readonly told: RecentKeys;
  /** What he is to be told of. */
  outbox: string[];
  /** What he has announced and has not been asked for. */
  readonly waiting: Set<Want>;
  /** What he was asked for and has not sent, in the order of asking. */
  readonly flights: Set<Want>;
  /** What he has been sent, once and twice: nobody is sent anything a third time. */
  readonly served: RecentKeys;
  readonly servedTwice: RecentKeys;
  readonly toServe: Set<string>;
  /** Wants that began with his announcement. */
  wanting: number;
  /** Requests in a row that he has not fulfilled. */
  misses: number;
  lastArrivalMs: number;
}

interface Want {
  readonly key: string;
  readonly first: Peer;
  /** Who has announced it and has not failed, best first. */
  sources: Peer[];
  /** Who was asked once in vain. */
  failedOnce: readonly Peer[];
  asked: Peer | undefined;
  askedMs: number;
  /** It has come, or nobody is left to ask. */
  over: boolean;
}

export class TxGossip {
  readonly #ports: TxGossipPorts;
  readonly #peers = new Map<string, Peer>();
  readonly #wants = new Map<string, Want>();
  /** Wants that somebody was asked for. */
  #flights = 0;
  /** What the application has refused in its present state: not asked for again before the next block. */
  readonly #refused = new RecentKeys(CONSENSUS_LIMITS.maxKnownTxs);
  readonly #busy = new Set<Peer>();
  /** What was taken in, or handed over to a new peer, since the last block and since the one before. */
  #recent: string[] = [];
  #recentBefore: string[] = [];
  #nowMs = 0;

  constructor(ports: TxGossipPorts) {
    this.#ports = ports;
  }

  /** Transactions that are asked for or will be. */
  get wanted(): number {
    return this.#wants.size;
  }

  /** Whether {@link tick} has anything to do. */
  get idle(): boolean {
    return this.#flights === 0 && this.#busy.size === 0;
  }

  /** `keys`: what the mempool holds; all of it is announced to him. */
  addPeer(id: string, keys: Iterable<string>): void {
    if (this.#peers.has(id)) return;
    const handed = [...keys];
    this.#recent.push(...handed.slice(0, Math.max(0, CONSENSUS_LIMITS.maxKnownTxs - this.#recent.length)));
    this.#peers.set(id, {
      id,
      known: new RecentKeys(CONSENSUS_LIMITS.maxKnownTxs),
      told: new RecentKeys(CONSENSUS_LIMITS.maxKnownTxs),
      outbox: handed,
      waiting: new Set(),
      flights: new Set(),
      served: new RecentKeys(CONSENSUS_LIMITS.maxKnownTxs),
      servedTwice: new RecentKeys(CONSENSUS_LIMITS.maxKnownTxs),
      toServe: new Set(),
      wanting: 0,
      misses: 0,
      lastArrivalMs: 0,
    });
  }

  removePeer(id: string): void {
    const peer = this.#peers.get(id);
    if (peer === undefined) return;
    this.#peers.delete(id);
    this.#busy.delete(peer);
    for (const want of [...this.#wants.values()]) {
      if (want.asked === peer) this.#fail(want, peer, true);
      else want.sources = want.sources.filter((source) => source !== peer);
      if (want.sources.length === 0) this.#drop(want);
    }
  }

  /** A message of a peer. The error says what is wrong with it. */
  receive(id: string, message: Uint8Array, nowMs: number): Result<undefined, string> {
    this.#nowMs = nowMs;
    const count = (message.length - 1) >>> 5;
    if (message.length !== 1 + count * HASH_BYTES || count === 0 || count > CONSENSUS_LIMITS.maxHashesPerTxMessage)
      return err(
        `transaction hashes: expected 1 … ${CONSENSUS_LIMITS.maxHashesPerTxMessage} of 32 bytes, got ${message.length - 1} bytes`,
      );
    const peer = this.#peers.get(id);
    // A message may cross with the end of the connection.
    if (peer === undefined) return ok(undefined);
    const keys: string[] = [];
    for (let at = 1; at < message.length; at += HASH_BYTES) keys.push(keyOfHash(message.subarray(at, at + HASH_BYTES)));
    switch (message[0]) {
      case TX_MESSAGE.announce:
        for (const key of keys) this.#onAnnounced(peer, key);
        this.#pump(peer);
        return ok(undefined);
      case TX_MESSAGE.request:
        this.#onRequest(peer, keys);
        return ok(undefined);
      case TX_MESSAGE.missing:
        for (const key of keys) {
          const want = this.#wants.get(key);
          if (want?.asked === peer) this.#fail(want, peer, true);
        }
        this.#pump(peer);
        return ok(undefined);
      default:
        return err(`transaction hashes: unknown message ${message[0]}`);
    }
  }

  /** The bytes of a transaction have come from a peer; what they are worth is not known yet. */
  arrived(id: string, key: string, nowMs: number): void {
    this.#nowMs = nowMs;
    const peer = this.#peers.get(id);
    peer?.known.add(key);
    const want = this.#wants.get(key);
    if (want === undefined) return;
    const asked = want.asked;
    this.#drop(want);
    if (peer !== undefined && asked === peer) {
      peer.misses = 0;
      peer.lastArrivalMs = nowMs;
    }
    // Not for every one that comes: each would be a request of its own.
    if (asked !== undefined && 2 * asked.flights.size <= CONSENSUS_LIMITS.maxTxsInFlight) this.#pump(asked);
  }

  /**
   * The mempool has taken it in, from a client or a peer, the `bearer`: it is announced with the next {@link flush}. A
   * peer to whom its bearer announces it as well need not hear of it twice: most are in a block soon. What is not is
   * announced again after two blocks: the bearer may be gone or not keep its word, and announcements are lost, such as
   * those that come before the peer knows of the connection.
   */
  admitted(key: string, bearer?: string): void {
    const want = this.#wants.get(key);
    if (want !== undefined) this.#drop(want);
    const isRemembered = this.#recent.length < CONSENSUS_LIMITS.maxKnownTxs;
    if (isRemembered) this.#recent.push(key);
    for (const { id, outbox } of this.#peers.values())
      if (bearer === undefined || !isRemembered || !this.#ports.connected(bearer, id)) outbox.push(key);
  }

  refused(key: string): void {
    this.#refused.add(key);
  }

  /**
   * A block has changed the application's state: what it refused may be right now, and who has what has left the mempool
   * need not be remembered.
   */
  committed(): void {
    this.#refused.clear();
    const useful = (key: string): boolean => this.#ports.waits(key) || this.#wants.has(key);
    for (const { known, told, served, servedTwice } of this.#peers.values())
      for (const keys of [known, told, served, servedTwice]) keys.age(useful);
    const left = this.#recentBefore.filter((key) => this.#ports.waits(key));
    this.#recentBefore = this.#recent;
    this.#recent = [];
    for (const peer of this.#peers.values())
      this.#announce(
        peer,
        left.filter((key) => !peer.known.has(key)),
      );
  }

  #announce(peer: Peer, keys: readonly string[]): void {
    for (const key of keys) peer.told.add(key);
    this.#send(peer, TX_MESSAGE.announce, keys);
  }

  /** Sends what is to be announced. */
  flush(): void {
    for (const peer of this.#peers.values()) {
      if (peer.outbox.length === 0) continue;
      const { outbox, known, told } = peer;
      peer.outbox = [];
      this.#announce(
        peer,
        outbox.filter((key) => !known.has(key) && !told.has(key) && this.#ports.has(key)),
      );
    }
  }

  /** From time to time: asks others for what has not come, and goes on serving who read slowly. */
  tick(nowMs: number): void {
    this.#nowMs = nowMs;
    const { txRequestTimeoutMs, txRequestLongestMs } = CONSENSUS_LIMITS;
    for (const peer of this.#peers.values()) {
      for (const want of peer.flights) {
        const sinceAsked = nowMs - want.askedMs;
        // Who is still sending others of what he was asked for gets the time for it, though not for ever.
        const silent = nowMs - Math.max(want.askedMs, peer.lastArrivalMs);
        // The others were asked for later.
        if (silent < txRequestTimeoutMs && sinceAsked < txRequestLongestMs) break;
        this.#fail(want, peer, false);
      }
    }
    for (const peer of [...this.#busy]) this.#serve(peer);
    for (const peer of this.#peers.values()) this.#pump(peer);
  }

  #onAnnounced(peer: Peer, key: string): void {
    peer.known.add(key);
    if (this.#ports.has(key) || this.#refused.has(key)) return;
    let want = this.#wants.get(key);
    if (want === undefined) {
      const { maxWantedTxs, maxWantedTxsPerPeer } = CONSENSUS_LIMITS;
      if (this.#wants.size >= maxWantedTxs || peer.wanting >= maxWantedTxsPerPeer) return;
      want = { key, first: peer, sources: [], failedOnce: [], asked: undefined, askedMs: 0, over: false };
      this.#wants.set(key, want);
      peer.wanting += 1;
    }
    if (want.sources.includes(peer) || want.sources.length >= CONSENSUS_LIMITS.maxTxSources) return;
    want.sources.push(peer);
    const { asked } = want;
    // Who has not kept his word lately does not make others wait.
    if (asked !== undefined && asked.misses >= CONSENSUS_LIMITS.txMissesTolerated) this.#fail(want, asked, false);
    else if (asked === undefined) peer.waiting.add(want);
  }

  /** Asks a peer for what waits for him, as much as may be in flight. */
  #pump(peer: Peer): void {
    if (this.#peers.get(peer.id) !== peer) return;
    const keys: string[] = [];
    for (const want of peer.waiting) {
      if (peer.flights.size >= CONSENSUS_LIMITS.maxTxsInFlight) break;
      peer.waiting.delete(want);
      if (want.over || want.asked !== undefined || !want.sources.includes(peer)) continue;
      if (this.#ports.has(want.key)) {
        this.#drop(want);
        continue;
      }
      want.asked = peer;
      want.askedMs = this.#nowMs;
      peer.flights.add(want);
      this.#flights += 1;
      keys.push(want.key);
    }
    this.#send(peer, TX_MESSAGE.request, keys);
  }

  /** @param gone he says that he does not have it, or is not there any more: he is not asked a second time. */
  #fail(want: Want, peer: Peer, gone: boolean): void {
    this.#land(want);
    peer.misses += 1;
    want.sources = want.sources.filter((source) => source !== peer);
    if (!gone && !want.failedOnce.includes(peer)) {
      want.failedOnce = [...want.failedOnce, peer];
      want.sources.push(peer);
    }
    if (want.sources.length === 0 || this.#ports.has(want.key)) {
      this.#drop(want);
      return;
    }
    for (const source of want.sources) {
      source.waiting.add(want);
      if (want.asked === undefined) this.#pump(source);
    }
  }

  #land(want: Want): void {
    if (want.asked?.flights.delete(want) === true) this.#flights -= 1;
    want.asked = undefined;
  }

  #drop(want: Want): void {
    this.#land(want);
    if (want.over) return;
    want.over = true;
    this.#wants.delete(want.key);
    want.first.wanting -= 1;
  }

  #onRequest(peer: Peer, keys: readonly string[]): void {
    for (const key of keys) {
      peer.known.add(key);
      if (peer.servedTwice.has(key) || peer.toServe.size >= CONSENSUS_LIMITS.maxTxsToServe) continue;
      peer.toServe.add(key);
    }
    this.#serve(peer);
  }

  #serve(peer: Peer): void {
    const absent: string[] = [];
    this.#busy.delete(peer);
    for (const key of peer.toServe) {
      const result = this.#ports.sendTx(peer.id, key);
      if (result === 'busy') {
        this.#busy.add(peer);
        break;
      }
      peer.toServe.delete(key);
      if (result === 'absent') absent.push(key);
      else if (peer.served.has(key)) peer.servedTwice.add(key);
      else peer.served.add(key);
    }
    this.#send(peer, TX_MESSAGE.missing, absent);
  }

  #send(peer: Peer, kind: number, keys: readonly string[]): void {
    const limit = CONSENSUS_LIMITS.maxHashesPerTxMessage;
    for (let from = 0; from < keys.length; from += limit) {
      const part = keys.slice(from, from + limit);
      const message = new Uint8Array(1 + part.length * HASH_BYTES);
      message[0] = kind;
      for (const [i, key] of part.entries()) putHash(key, message, 1 + i * HASH_BYTES);
      this.#ports.send(peer.id, message);
    }
  }
}
