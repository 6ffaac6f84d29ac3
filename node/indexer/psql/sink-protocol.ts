/** What the main thread and the one that writes to PostgreSQL say to each other. */
import type { SinkBlock } from './rows.ts';

export type SinkRequest = { readonly kind: 'connect' } | { readonly kind: 'write'; readonly block: SinkBlock };

/** To each request one, in order. */
export type SinkResponse =
  | { readonly kind: 'connected'; readonly lastHeight: bigint }
  | { readonly kind: 'written' }
  | { readonly kind: 'failed'; readonly message: string };
