/**
 * What a block adds to the index. It is made of bytes: the transactions, and the results as the node stores them, of
 * which only that is read which keys are made of. So the same few lines serve the main thread and another one, to which
 * nothing but bytes is handed.
 */
import { hash } from 'node:crypto';
import { defined } from '#core/assert.ts';
import { type Kv, PRESENT } from '#core/ports/kv.ts';
import type { Block } from '#core/types/block.ts';
import { AttributePlaces } from './attribute-places.ts';
import { EntryMemory, type EntrySink } from './entry-memory.ts';
import {
  encodePosition,
  INDEX_PREFIXES,
  NAMED_BYTES,
  type Position,
  position,
  positionKey,
  putNamed,
  putNumbers,
  readNamed,
  SEGMENT,
} from './keys.ts';
import { INDEX_LIMITS } from './limits.ts';
import { sortPairs } from './sort-pairs.ts';
import { RESPONSE, type Span, StoredFields, TX_RESULT } from './stored-fields.ts';

export interface IndexedBlock {
  readonly height: bigint;
  readonly txs: readonly Uint8Array[];
  /** As `encodeFinalizeResponse` of `driver/abci-codec.ts` makes them. */
  readonly results: Uint8Array;
  /** The first transaction is the proposer's own: nobody's transaction, and so not in the index. */
  readonly injected: boolean;
}

export function indexedBlock(
  { header, txs }: Block,
  results: Uint8Array,
  isInjection: (tx: Uint8Array) => boolean,
): IndexedBlock {
  const [first] = txs;
  const injected = first !== undefined && isInjection(first);
  return { height: header.height, txs, results, injected };
}

/** SHA-256 by the platform, as text of a byte each: memory outside the heap, as a buffer has, costs more than the hash. */
const digestOf = (tx: Uint8Array): string => hash('sha256', tx, 'binary');

/** SHA-256 by the platform: the index hashes every transaction once more. */
export function sha256(tx: Uint8Array): Uint8Array {
  const digest = digestOf(tx);
  const out = new Uint8Array(digest.length);
  putBytes(out, 0, digest);
  return out;
}

/** The database as far as entries need it: to see what a hash names already. */
export type IndexReader = Pick<Kv, 'get'>;

/** A transaction that its hash is to name. */
interface NamedTx {
  readonly digest: string;
  readonly index: number;
  readonly succeeded: boolean;
}

/** Hashes of transactions that have succeeded since the database was written last. */
class Succeeded {
  readonly #names = new Set<string>();
  #fresh: string[] = [];

  add(digest: string): void {
    this.#fresh.push(digest);
  }

  /** Asked for what has failed alone: names are made then. */
  has(digest: string): boolean {
    for (const one of this.#fresh) this.#names.add(one);
    this.#fresh = [];
    return this.#names.has(digest);
  }
}

/** The entries of blocks that follow one another, handed to a sink in pieces: others may get their turn between them. */
export class BlockEntries {
  readonly #kv: IndexReader;
  readonly #later: boolean;
  readonly #memory: EntryMemory;
  readonly #succeeded = new Succeeded();

  /** @param later whether later blocks may be in the index. */
  constructor(kv: IndexReader, { later }: { readonly later: boolean }, sink: EntrySink) {
    this.#kv = kv;
    this.#later = later;
    this.#memory = new EntryMemory(sink);
  }

  /** A piece has up to `INDEX_LIMITS.entriesPerPiece` entries; or it is a transaction that has been read, of which none are made yet. */
  *of({ height, txs, results, injected }: IndexedBlock): Generator<void, void> {
    yield* this.#ofBlock(height, results);
    const answers = new StoredFields(results);
    const attributes = new AttributePlaces(results, 'txEvent');
    let named: NamedTx[] = [];
    let segment = 0;
    let first = injected ? 1 : 0;
    let index = 0;
    while (answers.next()) {
      if (answers.number !== RESPONSE.txResult) continue;
      if (index === segment + SEGMENT) {
        yield* this.#ofSegment(position(height, segment), { first, end: index }, named, attributes);
        segment = first = index;
        named = [];
      }
      if (index >= first) {
        const tx = defined(txs[index], 'the transaction of a result');
        const succeeded = addResult(attributes, results, answers, index - segment);
        const one = { digest: digestOf(tx), index, succeeded };
        if (this.#names(one, position(height, index))) named.push(one);
      }
      index++;
      yield;
    }
    yield* this.#ofSegment(position(height, segment), { first, end: index }, named, attributes);
  }

  *#ofBlock(height: bigint, results: Uint8Array): Generator<void, void> {
    const attributes = new AttributePlaces(results, 'blockEvent');
    const fields = new StoredFields(results);
    let events = 0;
    while (fields.next()) if (fields.number === RESPONSE.event) attributes.add(fields, 0, events++);
    const at = position(height, 0);
    this.#memory.whole(positionKey('blockPosition', at), PRESENT);
    yield;
    yield* attributes.write(this.#memory, encodePosition(at));
  }

  *#ofSegment(
    at: Position,
    { first, end }: { readonly first: number; readonly end: number },
    named: readonly NamedTx[],
    attributes: AttributePlaces,
  ): Generator<void, void> {
    if (end <= first) return;
    const row = new Uint8Array(8);
    putNumbers(row, 0, [first, end - first]);
    this.#memory.whole(positionKey('txPosition', at), row);
    yield;
    const segment = encodePosition(at);
    yield* this.#hashes(named, segment);
    yield* attributes.write(this.#memory, segment);
  }

  /** In order, see {@link sortPairs}; of the same hash the later one last. */
  *#hashes(named: readonly NamedTx[], segment: Uint8Array): Generator<void, void> {
    const pairs = new Uint32Array(2 * named.length);
    for (let i = 0; i < named.length; i++) {
      const { digest } = named[i] as NamedTx;
      pairs[2 * i] = i;
      let order = 0;
      for (let byte = 0; byte < 4; byte++) order = (order << 8) | digest.charCodeAt(byte);
      pairs[2 * i + 1] = order;
    }
    sortPairs(pairs);
    const { key } = this.#memory;
    const value = this.#memory.value(NAMED_BYTES);
    for (let i = 0; i < named.length; i++) {
      const { digest, index, succeeded } = named[pairs[2 * i] as number] as NamedTx;
      key[0] = INDEX_PREFIXES.txByHash;
      putBytes(key, 1, digest);
      putNamed(value, segment, index, succeeded);
      this.#memory.put(1 + digest.length, NAMED_BYTES);
      if ((i + 1) % INDEX_LIMITS.entriesPerPiece === 0) yield;
    }
    yield;
  }

  /** The same bytes may be committed again, and fail: the hash goes on naming the one that succeeded. */
  #names({ digest, succeeded }: NamedTx, at: Position): boolean {
    if (succeeded) this.#succeeded.add(digest);
    else if (this.#succeeded.has(digest)) return false;
    if (succeeded && !this.#later) return true;
    const key = new Uint8Array(1 + digest.length);
    key[0] = INDEX_PREFIXES.txByHash;
    putBytes(key, 1, digest);
    const stored = this.#kv.get(key);
    const other = stored && readNamed(stored);
    return !(
      other !== undefined && (other.succeeded === succeeded ? other.at > at : other.succeeded && other.at !== at)
    );
  }
}

/** Answers whether the transaction has succeeded. */
function addResult(attributes: AttributePlaces, results: Uint8Array, { from, to }: Span, offset: number): boolean {
  const fields = new StoredFields(results, from, to);
  let code = 0;
  let events = 0;
  while (fields.next()) {
    if (fields.number === TX_RESULT.code) code = fields.value;
    else if (fields.number === TX_RESULT.event) attributes.add(fields, offset, events++);
  }
  return code === 0;
}

/** Text of a byte each. */
function putBytes(out: Uint8Array, at: number, text: string): void {
  for (let i = 0; i < text.length; i++) out[at + i] = text.charCodeAt(i);
}
