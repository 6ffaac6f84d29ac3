/** Compute credits: what one is worth, and the accounts of burn and mint. */
import { defined } from '#core/assert.ts';
import type { Params, Pool } from '#proto/gen/autonomy/credits/v1/credits_pb.ts';
import { ParamsSchema, PoolSchema } from '#proto/gen/autonomy/credits/v1/credits_pb.ts';
import { create } from '#proto/message.ts';
import { item, storeLayout } from '../../state/collections.ts';
import type { KvReader } from '../../state/kv-view.ts';
import { protoValue } from '../../state/proto-value.ts';

export const CREDITS_STORE = 'credits';
/** Non-transferable; there is no larger unit. */
export const CREDIT_DENOM = 'ucredit';
/** Account that burns and mints. */
export const CREDITS_ACCOUNT = 'credits';
export const TREASURY_ACCOUNT = 'treasury';

/** What one ucredit is worth. */
export const CREDIT_MICRO_USD = 10n;
export const BASE_UNITS_PER_AUTON = 1_000_000n;

const layout = storeLayout(CREDITS_STORE, { params: 0x01, pool: 0x02 });

export const params = item(layout.params, protoValue(ParamsSchema));
export const pool = item(layout.pool, protoValue(PoolSchema));

export const DEFAULT_PARAMS: Params = create(ParamsSchema, { priceMicroUsd: 1_000_000n, spreadBasisPoints: 25 });

export function getParams(store: KvReader): Params {
  return params.get(store) ?? DEFAULT_PARAMS;
}

export function getPool(store: KvReader): Pool {
  return defined(pool.get(store), 'pool of credits');
}
