/** What a block is in the tables of {@link ./schema.ts}. Ids are the database's: rows name one another by their place. */
import type { Event } from '#core/abci.ts';
import { toHexUpper } from '#core/bytes.ts';
import { DecodeError } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { writeTxResult } from '#core/tx-result.ts';
import { decodeFinalizeResponse } from '../../driver/abci-codec.ts';
import { sha256 } from '../entries.ts';
import type { ClosedIndex } from '../indexer.ts';
import { INDEX_LIMITS } from '../limits.ts';
import { txReader } from '../stored-txs.ts';

/** A committed block as its bytes. */
export interface SinkBlock {
  readonly height: bigint;
  /** As `encodeBlock` of `core/types/block.ts` makes it. */
  readonly block: Uint8Array;
  /** As `encodeFinalizeResponse` of `driver/abci-codec.ts` makes them. */
  readonly results: Uint8Array;
  /** The first transaction is the proposer's own: nobody's transaction, and so in no index. */
  readonly injected: boolean;
}

/** Where blocks come from. */
export type KeptBlocks = Pick<ClosedIndex, 'source' | 'isInjection'>;

/** Undefined: its block or results are not kept. */
export function readSinkBlock({ source, isInjection }: KeptBlocks, height: bigint): SinkBlock | undefined {
  const results = source.results(height);
  const block = results && source.encodedBlock(height);
  if (results === undefined || block === undefined) return undefined;
  const first = txReader(block)(0);
  return { height, block, results, injected: first !== undefined && isInjection(first) };
}

export interface TxRow {
  readonly index: number;
  /** Upper-case hex. */
  readonly hash: string;
  /** tendermint.abci.TxResult: height, index, transaction, result. */
  readonly result: Uint8Array;
}

export interface EventRow {
  readonly type: string;
  /** Keys are different from one another, as the table demands. */
  readonly attributes: readonly (readonly [key: string, value: string])[];
}

/** A transaction with what it told; without one, what the block itself told. */
export interface RowGroup {
  readonly tx: TxRow | undefined;
  readonly events: readonly EventRow[];
}

/** @throws DecodeError for what this node has not written */
export function* rowsOf({ height, block, results, injected }: SinkBlock): Generator<RowGroup> {
  const decoded = decodeFinalizeResponse(results);
  if (!decoded.ok) throw new DecodeError(decoded.error);
  const told = String(height);
  yield { tx: undefined, events: [meta('block', 'height', told), ...eventRows(decoded.value.events)] };
  const txAt = txReader(block);
  for (const [index, result] of decoded.value.txResults.entries()) {
    if (index === 0 && injected) continue;
    const tx = txAt(index);
    if (tx === undefined) throw new DecodeError(`block ${height} has a result ${index} and no such transaction`);
    const writer = new ProtoWriter().varint(1, height).varint(2, index).bytes(3, tx);
    writeTxResult(writer, 4, result);
    const hash = toHexUpper(sha256(tx));
    const events = [meta('tx', 'hash', hash), meta('tx', 'height', told), ...eventRows(result.events)];
    yield { tx: { index, hash, result: writer.finish() }, events };
  }
}

const meta = (type: string, key: string, value: string): EventRow => ({ type, attributes: [[key, value]] });

/**
 * Events without a type, and attributes that are not to be indexed, are left out as CometBFT leaves them out, and keys too
 * long for the table's own index. A key that comes again in one event begins a further row of that type: the table has a key
 * once for each.
 */
function eventRows(events: readonly Event[]): EventRow[] {
  const rows: EventRow[] = [];
  for (const event of events) {
    if (event.type === '') continue;
    let row = new Map<string, string>();
    const type = text(event.type);
    for (const { key, value, index } of event.attributes) {
      if (!index || key.length > INDEX_LIMITS.maxIndexedKeyBytes) continue;
      const name = text(key);
      if (row.has(name)) {
        rows.push({ type, attributes: [...row] });
        row = new Map();
      }
      row.set(name, text(value));
    }
    rows.push({ type, attributes: [...row] });
  }
  return rows;
}

/** PostgreSQL has no text with NUL in it. */
const text = (said: string): string => said.replaceAll('\0', '\ufffd');
