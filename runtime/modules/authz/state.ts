/** Grants by granter, grantee and type of message; by grantee; and by the time at which they expire. */
import { assert } from '#core/assert.ts';
import { compareTime, type Timestamp } from '#core/types/timestamp.ts';
import { GrantSchema } from '#proto/gen/cosmos/authz/v1beta1/authz_pb.ts';
import { decodeStrict, encode } from '#proto/message.ts';
import type { AnyMessage } from '../../context.ts';
import { bytesKey, pairKey, queueTime, stringKey, timeKey, type ValueCodec } from '../../state/codecs.ts';
import { keySet, map, storeLayout } from '../../state/collections.ts';
import type { KvReader, KvWriter } from '../../state/kv-view.ts';

export const AUTHZ_STORE = 'authz';

const layout = storeLayout(AUTHZ_STORE, { grants: 0x01, queue: 0x02, byGrantee: 0x03 });

export interface Grant {
  readonly authorization: AnyMessage;
  /** The last moment at which it may be used; undefined: for ever. */
  readonly expiration: Timestamp | undefined;
}

const grantValue: ValueCodec<Grant> = {
  encode: ({ authorization, expiration }) =>
    encode(GrantSchema, {
      authorization: { ...authorization },
      ...(expiration === undefined ? {} : { expiration }),
    }),
  decode(bytes) {
    const decoded = decodeStrict(GrantSchema, bytes);
    assert(decoded.ok && decoded.value.authorization !== undefined, 'a stored grant does not read back');
    const { authorization, expiration } = decoded.value;
    return {
      authorization: { typeUrl: authorization.typeUrl, value: authorization.value },
      expiration: expiration === undefined ? undefined : { seconds: expiration.seconds, nanos: expiration.nanos },
    };
  },
};

export interface GrantKey {
  readonly granter: Uint8Array;
  readonly grantee: Uint8Array;
  /** Type URL of the messages that it is about. */
  readonly message: string;
}

const triple = pairKey(bytesKey, pairKey(bytesKey, stringKey));
/** By [granter, [grantee, message]]. */
const grants = map(layout.grants, triple, grantValue);
/** [grantee, [granter, message]]. */
const byGrantee = keySet(layout.byGrantee, triple);
/** [the last moment at which it may be used, [granter, [grantee, message]]]. */
const queue = keySet(layout.queue, pairKey(timeKey, triple));

export const AUTHZ_PREFIX = layout;

const between = pairKey(bytesKey, bytesKey);

/** What the keys of all grants of one granter (of one grantee, in the index by grantee) begin with. */
export function grantsUnder(address: Uint8Array): Uint8Array {
  return bytesKey.encodePart(address);
}

/** What the keys of all grants between two begin with. */
export function grantsBetween(granter: Uint8Array, grantee: Uint8Array): Uint8Array {
  return between.encodePart([granter, grantee]);
}

export function decodeGrant(bytes: Uint8Array): Grant {
  return grantValue.decode(bytes);
}

/** The rest of a key after {@link grantsUnder}. */
export function decodeOther(bytes: Uint8Array): readonly [other: Uint8Array, message: string] {
  return pairKey(bytesKey, stringKey).decode(bytes);
}

export function isExpired(grant: Grant, now: Timestamp): boolean {
  return grant.expiration !== undefined && compareTime(grant.expiration, now) < 0;
}

export function getGrant(store: KvReader, { granter, grantee, message }: GrantKey): Grant | undefined {
  return grants.get(store, [granter, [grantee, message]]);
}

/** Sets or replaces a grant. */
export function putGrant(store: KvWriter, key: GrantKey, grant: Grant): void {
  const { granter, grantee, message } = key;
  const old = getGrant(store, key);
  if (old !== undefined) removeGrant(store, key, old);
  grants.set(store, [granter, [grantee, message]], grant);
  byGrantee.add(store, [grantee, [granter, message]]);
  if (grant.expiration !== undefined) queue.add(store, [queueTime(grant.expiration), [granter, [grantee, message]]]);
}

/** What is left after use; its expiration is the same. */
export function updateGrant(store: KvWriter, { granter, grantee, message }: GrantKey, grant: Grant): void {
  grants.set(store, [granter, [grantee, message]], grant);
}

export function removeGrant(store: KvWriter, { granter, grantee, message }: GrantKey, grant: Grant): void {
  grants.delete(store, [granter, [grantee, message]]);
  byGrantee.delete(store, [grantee, [granter, message]]);
  if (grant.expiration !== undefined) queue.delete(store, [queueTime(grant.expiration), [granter, [grantee, message]]]);
}

const NOTHING = new Uint8Array(0);

/** Removes up to `limit` grants that have expired before the block's time. */
export function removeExpired(store: KvWriter, now: Timestamp, limit: number): void {
  const before = { lt: [queueTime(now), [NOTHING, [NOTHING, '']]] as const, limit };
  for (const [, [granter, [grantee, message]]] of [...queue.keys(store, before)]) {
    const key = { granter, grantee, message };
    const grant = getGrant(store, key);
    if (grant !== undefined) removeGrant(store, key, grant);
  }
}

export function* allGrants(store: KvReader): Generator<GrantKey & { readonly grant: Grant }, void, undefined> {
  for (const [[granter, [grantee, message]], grant] of grants.entries(store))
    yield { granter, grantee, message, grant };
}

/** Sentences about indexes that are not in step with the grants. */
export function authzBreaches(store: KvReader): readonly string[] {
  const breaches: string[] = [];
  let dated = 0;
  let count = 0;
  for (const { granter, grantee, message, grant } of allGrants(store)) {
    count++;
    if (!byGrantee.has(store, [grantee, [granter, message]]))
      breaches.push('authz: a grant is not listed by its grantee');
    if (grant.expiration === undefined) continue;
    dated++;
    if (!queue.has(store, [queueTime(grant.expiration), [granter, [grantee, message]]]))
      breaches.push('authz: a grant is not queued');
  }
  if ([...byGrantee.keys(store)].length !== count) breaches.push('authz: a grantee lists what is not granted');
  if ([...queue.keys(store)].length !== dated) breaches.push('authz: the queue holds what is not granted');
  return breaches;
}
