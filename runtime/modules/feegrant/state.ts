/** Allowances by grantee and granter, by granter, and by the time at which they expire. */
import type { Timestamp } from '#core/types/timestamp.ts';
import { GrantSchema } from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import { decodeStrict, encode } from '#proto/message.ts';
import { bytesKey, pairKey, queueTime, timeKey, type ValueCodec } from '../../state/codecs.ts';
import { keySet, map, storeLayout } from '../../state/collections.ts';
import type { KvReader, KvWriter } from '../../state/kv-view.ts';
import { type Allowance, expirationOf, packAllowance, readStoredAllowance } from './allowance.ts';

export const FEEGRANT_STORE = 'feegrant';

const layout = storeLayout(FEEGRANT_STORE, { grants: 0x00, queue: 0x01, byGranter: 0x02 });

const allowanceValue: ValueCodec<Allowance> = {
  encode: (allowance) => encode(GrantSchema, { allowance: { ...packAllowance(allowance) } }),
  decode(bytes) {
    const decoded = decodeStrict(GrantSchema, bytes);
    return readStoredAllowance(decoded.ok ? decoded.value.allowance : undefined);
  },
};

const pair = pairKey(bytesKey, bytesKey);
/** By [grantee, granter]. */
const grants = map(layout.grants, pair, allowanceValue);
/** [granter, grantee]. */
const byGranter = keySet(layout.byGranter, pair);
/** [the last moment at which it may be used, [grantee, granter]]. */
const queue = keySet(layout.queue, pairKey(timeKey, pair));

export const FEEGRANT_PREFIX = layout;

export interface Parties {
  readonly granter: Uint8Array;
  readonly grantee: Uint8Array;
}

export function decodeGrant(bytes: Uint8Array): Allowance {
  return allowanceValue.decode(bytes);
}

/** What the keys of one grantee's (or, by granter, one granter's) grants begin with. */
export function grantsUnder(address: Uint8Array): Uint8Array {
  return pair.prefix(address);
}

export function getAllowance(store: KvReader, { grantee, granter }: Parties): Allowance | undefined {
  return grants.get(store, [grantee, granter]);
}

/** A new allowance. There must be none between the two. */
export function addAllowance(store: KvWriter, { grantee, granter }: Parties, allowance: Allowance): void {
  grants.set(store, [grantee, granter], allowance);
  byGranter.add(store, [granter, grantee]);
  const expiration = expirationOf(allowance);
  if (expiration !== undefined) queue.add(store, [queueTime(expiration), [grantee, granter]]);
}

/** What is left after use; its expiration is the same. */
export function updateAllowance(store: KvWriter, { grantee, granter }: Parties, allowance: Allowance): void {
  grants.set(store, [grantee, granter], allowance);
}

export function removeAllowance(store: KvWriter, { grantee, granter }: Parties, allowance: Allowance): void {
  grants.delete(store, [grantee, granter]);
  byGranter.delete(store, [granter, grantee]);
  const expiration = expirationOf(allowance);
  if (expiration !== undefined) queue.delete(store, [queueTime(expiration), [grantee, granter]]);
}

/** Removes up to `limit` allowances that have expired before the block's time. */
export function removeExpired(store: KvWriter, now: Timestamp, limit: number): void {
  for (const [, [grantee, granter]] of [
    ...queue.keys(store, { lt: [queueTime(now), [new Uint8Array(0), new Uint8Array(0)]], limit }),
  ]) {
    const allowance = grants.get(store, [grantee, granter]);
    if (allowance !== undefined) removeAllowance(store, { grantee, granter }, allowance);
  }
}

export function* allAllowances(
  store: KvReader,
): Generator<Parties & { readonly allowance: Allowance }, void, undefined> {
  for (const [[grantee, granter], allowance] of grants.entries(store)) yield { grantee, granter, allowance };
}

/** Sentences about indexes that are not in step with the grants. */
export function feegrantBreaches(store: KvReader): readonly string[] {
  const breaches: string[] = [];
  let dated = 0;
  let count = 0;
  for (const [[grantee, granter], allowance] of grants.entries(store)) {
    count++;
    if (!byGranter.has(store, [granter, grantee])) breaches.push('feegrant: a grant is not listed by its granter');
    const expiration = expirationOf(allowance);
    if (expiration === undefined) continue;
    dated++;
    if (!queue.has(store, [queueTime(expiration), [grantee, granter]]))
      breaches.push('feegrant: a grant is not queued');
  }
  if ([...byGranter.keys(store)].length !== count) breaches.push('feegrant: a granter lists what is not granted');
  if ([...queue.keys(store)].length !== dated) breaches.push('feegrant: the queue holds what is not granted');
  return breaches;
}
