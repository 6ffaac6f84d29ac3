import { createHash } from 'node:crypto';
import type { MerkleLeafHash } from '#core/merkle.ts';

const LEAF_PREFIX = Uint8Array.of(0);

/** `merkleLeafHash` of core/merkle.ts by the processor's own instructions: for 64 KiB 43 µs instead of 340. */
export const nativeLeafHash: MerkleLeafHash = (leaf) => createHash('sha256').update(LEAF_PREFIX).update(leaf).digest();
