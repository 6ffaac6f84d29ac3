import { concat, equal, toHex } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import type { MemoryKv } from '#core/ports/memory-kv.ts';
import { decodeRoots } from './commit-info.ts';
import { commitKey, DB_PREFIX, KEY_KIND, nodeKey, nodePrefix, VERSION_RANGE, versionOfKey } from './db-keys.ts';
import { innerHashInto, leafHashInto } from './iavl/hash.ts';
import { decodeLeaf, decodePage, type NodeLink, pageOf } from './iavl/record.ts';

/** Database keys of the records under the roots of one version, read from the database alone; each hash on the way checked. */
export function reachable(kv: MemoryKv, version: bigint): Set<string> {
  const found = new Set<string>();
  const record = kv.get(commitKey(Number(version)));
  if (record === undefined) throw new Error(`version ${version} has no commit record`);
  for (const [name, root] of decodeRoots(record)) {
    const prefix = nodePrefix(name);
    const queue: NodeLink[] = root === undefined ? [] : [root];
    for (let link = queue.pop(); link !== undefined; link = queue.pop()) {
      const key = nodeKey(prefix, link.version, pageOf(link.nonce));
      found.add(toHex(key));
      const page = kv.get(key);
      if (page === undefined) throw new Error(`version ${version} lacks ${name} ${link.version}/${link.nonce}`);
      const hash = new Uint8Array(32);
      if (link.height === 0) leafHashInto(decodeLeaf(page), link.version, hash, 0);
      else {
        const node = decodePage(page)[link.nonce & 63];
        if (node === undefined) throw new Error('a page lacks a node');
        innerHashInto(link, concat(node.left.hash, node.right.hash), 0, hash, 0);
        queue.push(node.left, node.right);
      }
      if (!equal(hash, link.hash)) throw new Error(`${name} ${link.version}/${link.nonce} has another hash`);
    }
  }
  return found;
}

/** Keys of one kind that stand under versions. */
export function keysOf(kv: MemoryKv, kind: number): Uint8Array[] {
  return [...kv.entries(VERSION_RANGE)].map(([key]) => key).filter((key) => key[5] === kind);
}

/** The whole of it in one hash: for telling whether two databases are equal. */
export function fingerprint(kv: MemoryKv): string {
  return toHex(sha256(concat(...kv.dump().flatMap(([key, value]) => [sha256(key), sha256(value)]))));
}

/** Every record that the versions reach, and no other, is there; and nothing about versions that are gone. */
export function leftovers(kv: MemoryKv, first: bigint, last: bigint): { missing: string[]; extra: string[] } {
  const needed = new Set<string>();
  for (let version = first; version <= last; version++) for (const key of reachable(kv, version)) needed.add(key);
  const there = new Set(keysOf(kv, KEY_KIND.node).map(toHex));
  const waning = [...kv.entries({ gte: Uint8Array.of(DB_PREFIX.waning), lt: Uint8Array.of(DB_PREFIX.waning + 1) })]
    .map(([key]) => toHex(key))
    .filter((key) => !there.has(`76${key.slice(2)}`));
  const commits = keysOf(kv, KEY_KIND.commit).filter((key) => BigInt(versionOfKey(key)) < first);
  const orphans = keysOf(kv, KEY_KIND.orphans).filter((key) => BigInt(versionOfKey(key)) <= first);
  return {
    missing: [...needed].filter((key) => !there.has(key)),
    extra: [...[...there].filter((key) => !needed.has(key)), ...waning, ...[...commits, ...orphans].map(toHex)],
  };
}
