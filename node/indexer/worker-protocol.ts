/** What the main thread and the one that writes the index say to each other. */
import { concatAll } from '#core/bytes.ts';
import type { IndexedBlock } from './entries.ts';

/** A block's transactions and results as one piece of memory, which changes hands: what is not handed over is copied twice. */
export interface PackedBlock {
  readonly height: bigint;
  /** The transactions, and then the results. */
  readonly bytes: Uint8Array;
  /** Of each transaction. */
  readonly lengths: Uint32Array;
  readonly injected: boolean;
}

export type IndexRequest =
  | { readonly kind: 'write'; readonly blocks: readonly PackedBlock[]; readonly height: bigint }
  | { readonly kind: 'close' };

/** To each request one, in order. */
export type IndexResponse = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly message: string };

export function packBlock({ height, txs, results, injected }: IndexedBlock): PackedBlock {
  const bytes = concatAll([...txs, results]);
  return { height, bytes, lengths: Uint32Array.from(txs, (tx) => tx.length), injected };
}

export function unpackBlock({ height, bytes, lengths, injected }: PackedBlock): IndexedBlock {
  let at = 0;
  const txs = Array.from(lengths, (length) => {
    const tx = bytes.subarray(at, at + length);
    at += length;
    return tx;
  });
  return { height, txs, results: bytes.subarray(at), injected };
}
