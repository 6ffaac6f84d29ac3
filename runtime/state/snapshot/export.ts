import { utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { err, ok, type Result } from '#core/result.ts';
import { STATE_LIMITS } from '../../limits.ts';
import type { NodeStore } from '../iavl/node-store.ts';
import { LINK_BYTES, type NodeLink, placeInPage, putU32, readLink } from '../iavl/record.ts';
import { INNER_ITEM_BYTES, ITEM, LEAF_ITEM_HEADER_BYTES, manifestOf, type SnapshotManifest } from './format.ts';

/** A leased version, as MultiStore hands it out for export. */
export interface SnapshotSource {
  readonly version: bigint;
  readonly stores: readonly {
    readonly name: string;
    readonly nodes: NodeStore;
    readonly root: NodeLink | undefined;
  }[];
  release(): void;
}

export interface ExportOptions {
  /** Bytes of each chunk but the last. Default {@link STATE_LIMITS.snapshotChunkBytes}, which is also the most. */
  readonly chunkBytes?: number;
  /** Awaited every {@link STATE_LIMITS.snapshotSlice} nodes, so that whoever writes blocks gets his turn. */
  readonly pause?: () => Promise<void>;
}

/**
 * Reads a version from the database into chunks, and hands each to `sink` in order. The writer goes on meanwhile. The
 * source is released in any case. Fails with a sentence when the state does not fit the limits; what `sink` throws passes.
 */
export async function exportSnapshot(
  source: SnapshotSource,
  sink: (index: number, chunk: Uint8Array) => Promise<void>,
  options: ExportOptions = {},
): Promise<Result<SnapshotManifest, string>> {
  const { chunkBytes = STATE_LIMITS.snapshotChunkBytes, pause } = options;
  if (!Number.isSafeInteger(chunkBytes) || chunkBytes < 1 || chunkBytes > STATE_LIMITS.snapshotChunkBytes)
    throw new RangeError(`chunkBytes: expected 1 … ${STATE_LIMITS.snapshotChunkBytes}, got ${chunkBytes}`);
  const hashes: Uint8Array[] = [];
  let [chunk, filled, sliced] = [new Uint8Array(chunkBytes), 0, 0];
  try {
    for (const item of items(source)) {
      if (item.length > STATE_LIMITS.snapshotItemBytes)
        return err(
          `a value of ${item.length} bytes does not fit into a snapshot (limit ${STATE_LIMITS.snapshotItemBytes})`,
        );
      for (let at = 0; at < item.length; ) {
        if (filled === chunkBytes) {
          hashes.push(sha256(chunk));
          await sink(hashes.length - 1, chunk);
          if (hashes.length === STATE_LIMITS.snapshotChunks)
            return err(`the state takes more than ${STATE_LIMITS.snapshotChunks} chunks of ${chunkBytes} bytes`);
          [chunk, filled] = [new Uint8Array(chunkBytes), 0];
        }
        const part = item.subarray(at, at + chunkBytes - filled);
        chunk.set(part, filled);
        filled += part.length;
        at += part.length;
      }
      if (pause !== undefined && ++sliced % STATE_LIMITS.snapshotSlice === 0) await pause();
    }
    const last = chunk.slice(0, filled);
    hashes.push(sha256(last));
    await sink(hashes.length - 1, last);
    return ok(manifestOf(source.version, hashes));
  } finally {
    source.release();
  }
}

function* items(source: SnapshotSource): Generator<Uint8Array, void, undefined> {
  for (const { name, nodes, root } of source.stores) {
    const bytes = utf8(name);
    const item = new Uint8Array(2 + bytes.length);
    item.set([ITEM.store, bytes.length]);
    item.set(bytes, 2);
    yield item;
    if (root !== undefined) yield* nodesOf(nodes, root);
  }
}

/** In post-order. */
function* nodesOf(nodes: NodeStore, root: NodeLink): Generator<Uint8Array, void, undefined> {
  const stack: { readonly link: NodeLink; readonly done: boolean }[] = [{ link: root, done: false }];
  for (let top = stack.pop(); top !== undefined; top = stack.pop()) {
    const { link, done } = top;
    if (link.height === 0) {
      const { key, value } = nodes.leaf(link.version, link.nonce);
      const item = new Uint8Array(LEAF_ITEM_HEADER_BYTES + key.length + value.length);
      item[0] = ITEM.leaf;
      putU32(item, 1, link.version);
      item[5] = key.length >>> 8;
      item[6] = key.length;
      putU32(item, 7, value.length);
      item.set(key, LEAF_ITEM_HEADER_BYTES);
      item.set(value, LEAF_ITEM_HEADER_BYTES + key.length);
      yield item;
    } else if (done) {
      const item = new Uint8Array(INNER_ITEM_BYTES);
      item[0] = ITEM.inner;
      putU32(item, 1, link.version);
      yield item;
    } else {
      const page = nodes.page(link.version, link.nonce);
      const at = placeInPage(page, link.nonce);
      stack.push({ link, done: true });
      stack.push({ link: readLink(page, at + 2 + LINK_BYTES), done: false });
      stack.push({ link: readLink(page, at + 2), done: false });
    }
  }
}
