/** What the main thread and the one that writes the index say to each other. */
import { concatAll } from '#core/bytes.ts';
import type { IndexedBlock } from './entries.ts';

/** A block's transactions as one piece of memory: views into larger ones would take those along, copied whole. */
export interface PackedBlock {
  readonly height: bigint;
  readonly txs: Uint8Array;
  readonly lengths: Uint32Array;
  readonly results: Uint8Array;
  readonly injected: boolean;
}

export type IndexRequest =
  | { readonly kind: 'write'; readonly blocks: readonly PackedBlock[]; readonly height: bigint }
  | { readonly kind: 'close' };

/** To each request one, in order. */
export type IndexResponse = { readonly kind: 'done' } | { readonly kind: 'failed'; readonly message: string };

/** The results must own their memory, as {@link IndexedBlock.results} made by a writer do. */
export function packBlock({ height, txs, results, injected }: IndexedBlock): PackedBlock {
  return { height, txs: concatAll(txs), lengths: Uint32Array.from(txs, (tx) => tx.length), results, injected };
}

export function unpackBlock({ height, txs, lengths, results, injected }: PackedBlock): IndexedBlock {
  let at = 0;
  const each = Array.from(lengths, (length) => {
    const tx = txs.subarray(at, at + length);
    at += length;
    return tx;
  });
  return { height, txs: each, results, injected };
}
