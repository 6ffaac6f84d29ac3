/**
 * Parts of blocks are the bulk of what nodes send each other. On busy cores a node says for a while that it lacks what
 * waits at its door already; every peer that believed it at once would send all of it once more, and again at its next word.
 */
import { planRepair, type StoredBlocks } from '#consensus/gossip.ts';
import type { PeerMessage, RoundStatus } from '#consensus/messages.ts';
import type { EngineState } from '#consensus/state.ts';
import { equal, toHex } from '#core/bytes.ts';
import type { PartSetHeader } from '#core/types/block-id.ts';
import type { Part } from '#core/types/part-set.ts';
import { NODE_LIMITS } from '../limits.ts';
import type { PeerId } from './ports.ts';

interface PeerRepairs {
  /** Answers so far: see planRepair. */
  turn: number;
  /** Ticks in which a status of his came, and the last of them. */
  words: number;
  tick: number;
  /** The part set that he was last found to lack parts of, since which word, and with which word he was sent which. */
  lacking: { readonly height: bigint; readonly root: Uint8Array; readonly since: number } | undefined;
  readonly sent: Map<number, number>;
}

/** What peers are sent of what they lack: of parts none before it can have come by itself, and none again at once. */
export class Repairs {
  readonly #peers = new Map<PeerId, PeerRepairs>();
  #ticks = 0;

  /** An interval of the status has passed. */
  tick(): void {
    this.#ticks += 1;
  }

  removePeer(peer: PeerId): void {
    this.#peers.delete(peer);
  }

  /** The answer to a peer's status. */
  plan(peer: PeerId, state: EngineState, stored: StoredBlocks, status: RoundStatus): readonly PeerMessage[] {
    const repairs = this.#of(peer);
    if (repairs.tick !== this.#ticks) repairs.words += 1;
    repairs.tick = this.#ticks;
    const planned = planRepair(state, stored, status, repairs.turn++, (header, index) =>
      isDue(repairs, status.height, header, index, status.height + 1n >= state.height),
    );
    for (const message of planned)
      if (message.kind === 'block-part') repairs.sent.set(message.part.index, repairs.words);
    return planned;
  }

  #of(peer: PeerId): PeerRepairs {
    let repairs = this.#peers.get(peer);
    if (repairs === undefined) {
      repairs = { turn: 0, words: 0, tick: -1, lacking: undefined, sent: new Map() };
      this.#peers.set(peer, repairs);
    }
    return repairs;
  }
}

/** @param near the block is being decided or was just now: its parts are on their way to everybody. */
function isDue(repairs: PeerRepairs, height: bigint, header: PartSetHeader, index: number, near: boolean): boolean {
  let { lacking } = repairs;
  if (lacking === undefined || lacking.height !== height || !equal(lacking.root, header.hash)) {
    lacking = { height, root: header.hash, since: repairs.words };
    repairs.lacking = lacking;
    repairs.sent.clear();
  }
  const sent = repairs.sent.get(index);
  if (sent !== undefined) return repairs.words - sent >= NODE_LIMITS.partResendWords;
  return !near || repairs.words - lacking.since >= NODE_LIMITS.partGraceWords;
}

/** Verified parts that wait for the engine: a second copy of one is not worth the hashing. */
export class QueuedParts {
  readonly #names = new Map<Part, string>();
  readonly #queued = new Set<string>();

  /** `part` belongs to the set of `header`. */
  add(header: PartSetHeader, part: Part): void {
    const name = nameOf(header, part.index);
    this.#names.set(part, name);
    this.#queued.add(name);
  }

  has(header: PartSetHeader, index: number): boolean {
    return this.#queued.has(nameOf(header, index));
  }

  /** The engine has it now, or does not want it. */
  taken(part: Part): void {
    const name = this.#names.get(part);
    if (name === undefined) return;
    this.#names.delete(part);
    this.#queued.delete(name);
  }
}

const nameOf = (header: PartSetHeader, index: number): string => `${toHex(header.hash)} ${index}`;
