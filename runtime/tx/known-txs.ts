/**
 * Keeps transactions decoded from the mempool, or from the proposal, to their block. It changes how long an answer takes,
 * never the answer: one that is kept was compared byte by byte, and decoding depends on nothing but the bytes.
 */
import { equal } from '#core/bytes.ts';
import { ok, type Result } from '#core/result.ts';
import { RUNTIME_LIMITS } from '../limits.ts';
import { type DecodedTx, decodeTx, type TxTypes } from './decode.ts';
import { endOf } from './end-of.ts';

export interface KnownTxs {
  /** What {@link decodeTx} answers. */
  decode(bytes: Uint8Array): Result<DecodedTx>;
  /** Keeps one while there is room, and says whether it did. @param decoded what {@link KnownTxs.decode} has answered for these bytes. */
  keep(bytes: Uint8Array, decoded: DecodedTx): boolean;
  /** {@link KnownTxs.decode}, and then {@link KnownTxs.keep}: one that is kept already is looked up once. */
  decodeToKeep(bytes: Uint8Array): Result<DecodedTx>;
  /** Keeps one for a moment, whatever becomes of it: the next of them push it out. */
  hold(bytes: Uint8Array, decoded: DecodedTx): void;
  /** A block is committed: transactions go that nobody has asked for since the one before the last, those in it at last too. */
  committed(): void;
}

export interface KnownTxLimits {
  readonly txs: number;
  /** Of those that are held for a moment. */
  readonly held: number;
  /** Bytes of one, and of all together. */
  readonly txBytes: number;
  readonly bytes: number;
}

const DEFAULT_LIMITS: KnownTxLimits = {
  txs: RUNTIME_LIMITS.maxKnownTxs,
  held: RUNTIME_LIMITS.maxHeldTxs,
  txBytes: RUNTIME_LIMITS.maxKnownTxBytes,
  bytes: RUNTIME_LIMITS.maxKnownTxsBytes,
};

interface Kept {
  readonly bytes: Uint8Array;
  readonly decoded: DecodedTx;
  /** Blocks that were committed before it was last asked for. */
  asked: number;
}

/** Objects, lists and byte strings in what was decoded: each takes some hundred bytes, and may come of two on the wire. */
class PartCount {
  #left: number;

  constructor(most: number) {
    this.#left = most;
  }

  /** Whether these are not too many, together with those before. */
  fits(value: unknown): boolean {
    if (typeof value !== 'object' || value === null) return true;
    if (--this.#left < 0) return false;
    if (value instanceof Uint8Array) return true;
    const parts: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
    for (const part of parts) if (!this.fits(part)) return false;
    return true;
  }
}

/**
 * Whether a transaction takes about as much memory as its bytes say: a few kilobytes of empty coins, which anybody may send,
 * take a hundred when decoded.
 */
function isCompact({ body, authInfo, messages, raw, size, isUsual }: DecodedTx): boolean {
  if (isUsual) return true;
  const count = new PartCount(RUNTIME_LIMITS.knownTxParts + (size >>> RUNTIME_LIMITS.knownTxPartShift));
  if (!count.fits(raw.signatures) || !count.fits(authInfo) || !count.fits(body)) return false;
  for (const { message } of messages) if (!count.fits(message)) return false;
  return true;
}

/** Blocks for which one is kept that nobody asks for. */
const IDLE_BLOCKS = 2;

/** The mempool asks with one and the same array. */
function isSame(kept: Kept, bytes: Uint8Array): boolean {
  return kept.bytes === bytes || equal(kept.bytes, bytes);
}

export function knownTxs(types: TxTypes, limits: KnownTxLimits = DEFAULT_LIMITS): KnownTxs {
  // By how they end, which is with a signature.
  const kept = new Map<number, Kept>();
  let bytesKept = 0;
  let blocks = 0;
  const held = new Map<number, Kept>();
  // What was held at last, in a ring: the oldest is found without passing by the places of those that are gone.
  const heldEnds: number[] = [];
  let nextHeld = 0;
  const findIn = (among: ReadonlyMap<number, Kept>, name: number, bytes: Uint8Array): Kept | undefined => {
    const found = among.get(name);
    return found !== undefined && isSame(found, bytes) ? found : undefined;
  };
  const ask = (name: number, bytes: Uint8Array): Kept | undefined => {
    const found = findIn(kept, name, bytes);
    if (found !== undefined) found.asked = blocks;
    return found;
  };
  const txs: KnownTxs = {
    decode(bytes) {
      if (bytes.length > limits.txBytes || kept.size + held.size === 0) return decodeTx(bytes, types);
      const name = endOf(bytes);
      const known = ask(name, bytes) ?? findIn(held, name, bytes);
      return known === undefined ? decodeTx(bytes, types) : ok(known.decoded);
    },
    decodeToKeep(bytes) {
      const name = endOf(bytes);
      const found = ask(name, bytes);
      if (found !== undefined) {
        held.delete(name);
        return ok(found.decoded);
      }
      const decoded = txs.decode(bytes);
      if (decoded.ok) txs.keep(bytes, decoded.value);
      return decoded;
    },
    keep(bytes, decoded) {
      // What came first is wanted first: when there is no room the new one is not kept.
      const name = endOf(bytes);
      held.delete(name);
      const namesake = kept.get(name);
      if (namesake !== undefined && isSame(namesake, bytes)) return true;
      if (bytes.length > limits.txBytes || bytesKept + bytes.length > limits.bytes || !isCompact(decoded)) return false;
      if (namesake !== undefined) bytesKept -= namesake.bytes.length;
      else if (kept.size >= limits.txs) return false;
      kept.set(name, { bytes, decoded, asked: blocks });
      bytesKept += bytes.length;
      return true;
    },
    hold(bytes, decoded) {
      if (bytes.length > limits.txBytes || !isCompact(decoded)) return;
      const end = endOf(bytes);
      if (!held.has(end)) {
        const oldest = heldEnds[nextHeld];
        if (oldest !== undefined) held.delete(oldest);
        heldEnds[nextHeld] = end;
        nextHeld = nextHeld + 1 === limits.held ? 0 : nextHeld + 1;
      }
      held.set(end, { bytes, decoded, asked: blocks });
    },
    committed() {
      blocks++;
      for (const [name, { bytes, asked }] of kept) {
        if (asked + IDLE_BLOCKS > blocks) continue;
        kept.delete(name);
        bytesKept -= bytes.length;
      }
      for (const [name, { asked }] of held) if (asked + IDLE_BLOCKS <= blocks) held.delete(name);
    },
  };
  return txs;
}
