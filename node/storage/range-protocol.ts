/** What the range reader's two sides say to each other. */
export type RangeRequest =
  | {
      readonly kind: 'read';
      readonly path: string;
      readonly gte: Uint8Array | undefined;
      readonly lt: Uint8Array | undefined;
      readonly reverse: boolean;
      readonly count: number;
    }
  | { readonly kind: 'close'; readonly path: string };

export type RangeResponse =
  | { readonly kind: 'rows'; readonly rows: readonly (readonly [Uint8Array, Uint8Array])[] }
  | { readonly kind: 'closed' }
  | { readonly kind: 'failed'; readonly message: string };
