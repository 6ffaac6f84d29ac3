/** A query over events: conditions that must all hold (CometBFT v0.38 libs/pubsub/query). */
export interface Query {
  readonly conditions: readonly Condition[];
}

/** `key` is `type.attribute`. */
export type Condition =
  | { readonly kind: 'compare'; readonly key: string; readonly operator: Comparison; readonly operand: Operand }
  | { readonly kind: 'contains'; readonly key: string; readonly text: string }
  | { readonly kind: 'exists'; readonly key: string };

export type Comparison = '=' | '<' | '<=' | '>' | '>=';

export type Operand =
  | { readonly kind: 'text'; readonly text: string }
  | { readonly kind: 'number'; readonly number: Decimal }
  | { readonly kind: 'time'; readonly nanos: bigint };

/** A decimal number as `units` × 10^−`scale`. */
export interface Decimal {
  readonly units: bigint;
  readonly scale: number;
}
