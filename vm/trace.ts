/**
 * The trace root: what an executor commits to besides its output, so that a copied output is not enough.
 *
 *     full  = SHA-256("autonomy/trace/v1" ‖ R ‖ G ‖ u64(gas))
 *     short = SHA-256("autonomy/trace/v1" ‖ u8(kind) ‖ u32(code) ‖ u64(gas))
 *
 * R: RFC 6962 root over the 64 KiB pages of the final memory. G: every global of the module in index order, i32 and f32
 * as 4 bytes, i64 and f64 as 8, v128 as 16, big-endian, floats by their bits. Full where the guest returned by the
 * rules (`ok`, a returned error); short where it did not. The forms cannot be confused: their lengths differ.
 */
import { concat, u32be, u64be, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { merkleLeafHash, merkleRootOfLeafHashes } from '#core/merkle.ts';
import { PAGE_BYTES } from './limits.ts';
import { F32, type GlobalType, I32, V128 } from './wasm/types.ts';

const DOMAIN = utf8('autonomy/trace/v1');

/** SHA-256(00 ‖ page): handed in, because pages are many and native hashing is ten times faster. */
export type PageHash = (page: Uint8Array) => Uint8Array;

export const portablePageHash: PageHash = merkleLeafHash;

const ZERO_PAGE = new Uint8Array(PAGE_BYTES);

function isZero(words: Int32Array): boolean {
  for (let i = 0; i < words.length; i++) if (words[i] !== 0) return false;
  return true;
}

/** Root over the pages of a memory; its length is a multiple of the page size. Untouched pages are hashed once. */
export function memoryRoot(memory: ArrayBuffer, pageHash: PageHash): Uint8Array {
  let zero: Uint8Array | undefined;
  const leaves: Uint8Array[] = [];
  for (let at = 0; at < memory.byteLength; at += PAGE_BYTES) {
    if (isZero(new Int32Array(memory, at, PAGE_BYTES >> 2))) {
      zero ??= pageHash(ZERO_PAGE);
      leaves.push(zero);
    } else leaves.push(pageHash(new Uint8Array(memory, at, PAGE_BYTES)));
  }
  return merkleRootOfLeafHashes(leaves);
}

/** G, from the words that a rewritten module's `autonomy:global` gives. */
export function globalBytes(types: readonly GlobalType[], word: (index: number) => bigint): Uint8Array {
  const parts: Uint8Array[] = [];
  let at = 0;
  const next = (): Uint8Array => u64be(BigInt.asUintN(64, word(at++)));
  for (const { type } of types) {
    const low = next();
    if (type === V128) parts.push(next(), low);
    else parts.push(type === I32 || type === F32 ? low.subarray(4) : low);
  }
  return concat(...parts);
}

export function fullTrace(root: Uint8Array, globals: Uint8Array, gasUsed: bigint): Uint8Array {
  return sha256(concat(DOMAIN, root, globals, u64be(gasUsed)));
}

/** `kind`: see `outcomeKindByte`. */
export function shortTrace(kind: number, code: number, gasUsed: bigint): Uint8Array {
  return sha256(concat(DOMAIN, Uint8Array.of(kind), u32be(code), u64be(gasUsed)));
}
