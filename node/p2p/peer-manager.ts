import type { Logger } from '#core/ports/logger.ts';
import type { PeerAddress } from '../config/address.ts';
import type { PeerId } from '../driver/ports.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { AddressBook } from './address-book.ts';
import type { PeerExchange } from './peer-exchange.ts';

export interface PeerManagerOptions {
  readonly seeds: readonly PeerAddress[];
  readonly maxOutboundPeers: number;
}

export interface PeerManagerDeps {
  readonly book: AddressBook;
  readonly exchange: PeerExchange;
  /** Ids of the peers that can be sent messages. */
  readonly connected: () => readonly PeerId[];
  /** Peers that this node has dialled by itself, persistent ones not counted. */
  readonly outbound: () => number;
  /** Not to be dialled: itself, banned, persistent (somebody else dials those). */
  readonly isExcluded: (peer: PeerId) => boolean;
  readonly dial: (address: PeerAddress) => Promise<void>;
  /** Writes the book's file. */
  readonly save: (text: string) => Promise<void>;
  readonly random: () => number;
  readonly logger: Logger;
}

export interface PeerManager {
  /** Somebody has connected, who may know others: no need to wait for the next round. */
  poke(): void;
  stop(): Promise<void>;
}

/**
 * Keeps as many outbound peers as are wanted: dials from the book, asks a peer for addresses while there are too few,
 * and goes to the seeds when nobody is there to be asked.
 */
export function managePeers(options: PeerManagerOptions, deps: PeerManagerDeps): PeerManager {
  const { book, exchange, logger } = deps;
  let stopped = false;
  let poked = false;
  let wake: () => void = () => undefined;

  const pause = (ms: number, cut: () => boolean) =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, ms);
      wake = () => {
        if (!cut()) return;
        clearTimeout(timer);
        resolve();
      };
    });

  async function dial(address: PeerAddress): Promise<void> {
    try {
      await deps.dial(address);
      book.succeeded(address);
    } catch (error) {
      book.failed(address.id);
      logger.debug('peer is not reached', { peer: address.id, error: String(error) });
    }
  }

  async function round(): Promise<void> {
    const connected = new Set(deps.connected());
    const missing = options.maxOutboundPeers - deps.outbound();
    if (missing <= 0) return;
    const chosen = new Map<PeerId, PeerAddress>();
    while (chosen.size < Math.min(missing, NODE_LIMITS.maxDialsAtOnce)) {
      const next = book.choose((id) => connected.has(id) || chosen.has(id) || deps.isExcluded(id));
      if (next === undefined) break;
      chosen.set(next.id, next);
    }
    await Promise.all([...chosen.values()].map(dial));
    if (stopped || chosen.size >= missing) return;
    const peers = deps.connected();
    const asked = peers[Math.floor(deps.random() * peers.length)];
    if (asked !== undefined) exchange.ask(asked);
    const seeds = options.seeds.filter(({ id }) => !connected.has(id) && !deps.isExcluded(id));
    // Seeds are many nodes' first acquaintance: they are left alone while there is anybody else to ask.
    const seed = peers.length === 0 ? seeds[Math.floor(deps.random() * seeds.length)] : undefined;
    if (seed !== undefined) await dial(seed);
  }

  async function save(): Promise<void> {
    const text = book.render();
    if (text === undefined) return;
    await deps
      .save(text)
      .catch((error: unknown) => logger.warn('the address book was not written', { error: String(error) }));
  }

  async function run(): Promise<void> {
    while (!stopped) {
      await round();
      await save();
      if (!stopped) await pause(NODE_LIMITS.findPeersMinMs, () => stopped);
      const isAlone = deps.connected().length === 0;
      if (!stopped && !poked) await pause(isAlone ? NODE_LIMITS.findPeersAloneMs : NODE_LIMITS.findPeersMs, () => true);
      poked = false;
    }
  }

  const running = run();
  return {
    poke() {
      poked = true;
      wake();
    },
    async stop() {
      stopped = true;
      wake();
      await running;
      await save();
    },
  };
}
