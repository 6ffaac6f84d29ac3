/** Taking the last versions back, of a state that nobody has open: as if they had never been committed. */
import { assert } from '#core/assert.ts';
import type { Kv, KvOp } from '#core/ports/kv.ts';
import { err, ok, type Result } from '#core/result.ts';
import { decodeRoots, multistoreHash } from './commit-info.ts';
import { commitKey, IMPORTING_KEY, VERSION_RANGE, versionOfKey } from './db-keys.ts';
import { EMPTY_ROOT } from './iavl/tree.ts';
import { firstKeptIn } from './pruning.ts';

/** The last committed version of a state database; 0: none. */
export function lastVersionIn(kv: Kv): bigint {
  for (const [key] of kv.entries({ ...VERSION_RANGE, reverse: true, limit: 1 })) return BigInt(versionOfKey(key));
  return 0n;
}

/** 32 bytes, computed from what is stored. Fails with a sentence when the version is not kept. */
export function appHashIn(kv: Kv, version: bigint): Result<Uint8Array, string> {
  if (kv.get(IMPORTING_KEY) !== undefined) return err('the state database holds an unfinished snapshot import');
  const first = firstKeptIn(kv);
  const record = first === undefined || version < first ? undefined : kv.get(commitKey(Number(version)));
  if (record === undefined)
    return err(
      `the state after block ${version} is not kept: the first that is kept is that after block ${first ?? 0n}`,
    );
  const hashes = new Map([...decodeRoots(record)].map(([name, root]) => [name, root?.hash ?? EMPTY_ROOT]));
  return ok(multistoreHash(hashes));
}

/**
 * Forgets every version above `version`, in one atomic batch that is on disk when it resolves. What a version has written
 * stands under it, and what it no longer uses of others is freed only when pruning passes it: so nothing else changes, and
 * the same commits make the same records again. Fails with a sentence when the version is not kept.
 */
export async function rollbackState(
  kv: Kv,
  version: bigint,
): Promise<Result<{ readonly appHash: Uint8Array }, string>> {
  const appHash = appHashIn(kv, version);
  if (!appHash.ok) return appHash;
  const ops: KvOp[] = [];
  const from = commitKey(Number(version) + 1);
  for (const [key] of kv.entries({ gte: from, lt: VERSION_RANGE.lt })) {
    assert(BigInt(versionOfKey(key)) > version, 'records stand in the order of their versions');
    ops.push({ type: 'del', key });
  }
  await kv.write(ops, { sync: true });
  return ok({ appHash: appHash.value });
}
