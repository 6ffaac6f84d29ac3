import { concat, EMPTY, prefixEnd } from '#core/bytes.ts';
import { ok, type Result } from '#core/result.ts';
import type { PageRequest } from '#proto/gen/cosmos/base/query/v1beta1/pagination_pb.ts';
import { failGrpc } from './errors.ts';
import { RUNTIME_LIMITS } from './limits.ts';
import type { KvReader } from './state/kv-view.ts';

export interface Page<T> {
  readonly items: readonly T[];
  readonly pagination: { readonly nextKey: Uint8Array; readonly total: bigint };
}

/**
 * A page of the entries under `prefix`, as types/query/pagination.go cuts them: by `key` or by `offset`; 100 entries
 * unless asked otherwise, at most {@link RUNTIME_LIMITS.maxPageEntries}; `total` when asked, or without a page request as
 * far as there are no more than {@link RUNTIME_LIMITS.maxCountedEntries}: a plain request reads no whole store. Refuses what
 * would read more than {@link RUNTIME_LIMITS.maxVisitedEntries}: queries run on the thread that makes blocks.
 * @param read the key after the prefix, and the value; undefined leaves the entry out.
 */
export function paginate<T>(
  store: KvReader,
  prefix: Uint8Array,
  request: PageRequest | undefined,
  read: (key: Uint8Array, value: Uint8Array) => T | undefined,
): Result<Page<T>> {
  const key = request?.key ?? EMPTY;
  const offset = request?.offset ?? 0n;
  if (key.length > 0 && offset > 0n)
    return failGrpc('InvalidArgument', 'invalid request, either offset or key is expected, got both');
  const asked = request === undefined || request.limit === 0n ? undefined : request.limit;
  const cap = BigInt(RUNTIME_LIMITS.maxPageEntries);
  const limit = asked === undefined ? RUNTIME_LIMITS.defaultPageEntries : Number(asked < cap ? asked : cap);
  const isAsked = request?.countTotal === true;
  const countTotal = key.length === 0 && (asked === undefined || isAsked);
  let counted = countTotal;
  const reverse = request?.reverse === true;
  const items: T[] = [];
  let nextKey: Uint8Array = EMPTY;
  let seen = 0n;
  let visited = 0;
  for (const [entryKey, value] of store.entries(rangeOf(prefix, key, reverse))) {
    visited++;
    if (visited > RUNTIME_LIMITS.maxVisitedEntries)
      return failGrpc(
        'ResourceExhausted',
        `the page reads more than ${RUNTIME_LIMITS.maxVisitedEntries} entries: expected pages by key, without offset and count_total`,
      );
    if (nextKey.length > 0 && !isAsked && visited > RUNTIME_LIMITS.maxCountedEntries) {
      counted = false;
      break;
    }
    const suffix = entryKey.slice(prefix.length);
    const wanted = seen >= offset && nextKey.length === 0;
    if (wanted && items.length === limit) {
      nextKey = suffix;
      if (!countTotal) break;
    }
    const item = read(suffix, value);
    if (item === undefined) continue;
    if (wanted && nextKey.length === 0) items.push(item);
    seen++;
  }
  return ok({ items, pagination: { nextKey, total: counted ? seen : 0n } });
}

function rangeOf(prefix: Uint8Array, key: Uint8Array, reverse: boolean) {
  const end = prefixEnd(prefix);
  const from = key.length > 0 && !reverse ? concat(prefix, key) : prefix;
  const to = key.length > 0 && reverse ? concat(prefix, key, Uint8Array.of(0)) : end;
  return { gte: from, reverse, ...(to === undefined ? {} : { lt: to }) };
}
