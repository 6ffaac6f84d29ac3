import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, fromHex, toHex, utf8 } from './bytes.ts';
import { sha256 } from './crypto/hash.ts';
import {
  computeMerkleRoot,
  merkleLeafHash,
  merkleProofs,
  merkleRoot,
  merkleRootOfDigests,
  verifyMerkleProof,
} from './merkle.ts';

// Values of CometBFT's crypto/merkle/tree_test.go and rfc6962_test.go.
const ROOTS: readonly (readonly [leaves: readonly string[], root: string])[] = [
  [[], 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855'],
  [['010203'], '054edec1d0211f624fed0cbca9d4f9400b0e491c43742af2c5b0abebf0c990d8'],
  [[''], '6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d'],
  [['010203', '040506'], '82e6cfce00453804379b53962939eaa7906b39904be0813fcadd31b100773c4b'],
  [['0102', '0304', '0506', '0708', '090a'], 'f326493eceab4f2d9ffbc78c59432a0a005d6ea98392045c74df5d14a113be18'],
];

test.each(ROOTS)('the root of %j', (leaves, root) => {
  expect(toHex(merkleRoot(leaves.map((leaf) => fromHex(leaf))))).toBe(root);
});

test('a leaf hash of RFC 6962', () => {
  expect(toHex(merkleLeafHash(utf8('L123456')))).toBe(
    '395aa064aa4c29f7010acfe3f25db9485bbd4b91897b6ad7ad547639252b4d56',
  );
});

test('leaves of any length are hashed behind a zero byte', () => {
  for (const length of [0, 1, 54, 55, 56, 63, 64, 119, 1_023, 1_024, 1_025, 5_000]) {
    const leaf = new Uint8Array(length).map((_, i) => i * 7);
    expect(merkleLeafHash(leaf)).toEqual(sha256(concat(Uint8Array.of(0), leaf)));
    const inner = sha256(concat(Uint8Array.of(1), merkleLeafHash(leaf), merkleLeafHash(leaf)));
    expect(merkleRoot([leaf, leaf])).toEqual(inner);
  }
});

test('the root of many leaves, of any lengths, is the one that the proofs of each lead to', () => {
  const check = (leaves: readonly Uint8Array[]) => {
    expect(merkleRoot(leaves)).toEqual(merkleProofs(leaves).root);
    expect(merkleRootOfDigests(leaves)).toEqual(merkleProofs(leaves.map(sha256)).root);
  };
  for (let count = 0; count <= 70; count++)
    check(Array.from({ length: count }, (_, i) => new Uint8Array(i).fill(count)));
  const lengths = fc.oneof(fc.nat(300), fc.integer({ min: 2_030, max: 2_060 }));
  fc.assert(
    fc.property(fc.array(lengths, { maxLength: 300, size: 'max' }), fc.nat(255), (all, byte) => {
      check(all.map((length, i) => new Uint8Array(length).fill(byte + i)));
    }),
    { numRuns: 30 },
  );
});

const leavesArbitrary = fc.array(fc.uint8Array({ maxLength: 40 }), { minLength: 1, maxLength: 40 });

test('every leaf has a proof, and the proof holds for that leaf, place and root only', () => {
  fc.assert(
    fc.property(leavesArbitrary, fc.nat(), fc.nat(), (leaves, pick, bit) => {
      const { root, proofs } = merkleProofs(leaves);
      expect(root).toEqual(merkleRoot(leaves));
      const index = pick % leaves.length;
      const proof = proofs[index];
      const leaf = leaves[index];
      if (proof === undefined || leaf === undefined) throw new Error('a leaf without a proof');
      expect(verifyMerkleProof(proof, root, leaf).ok).toBe(true);
      expect(verifyMerkleProof(proof, root, Uint8Array.of(...leaf, 0)).ok).toBe(false);
      const flipped = root.slice();
      flipped[(bit >> 3) % 32] = (flipped[(bit >> 3) % 32] as number) ^ (1 << (bit & 7));
      expect(verifyMerkleProof(proof, flipped, leaf).ok).toBe(false);
      if (proof.aunts.length > 0)
        expect(verifyMerkleProof({ ...proof, aunts: proof.aunts.slice(1) }, root, leaf).ok).toBe(false);
      expect(verifyMerkleProof({ ...proof, aunts: [...proof.aunts, root] }, root, leaf).ok).toBe(false);
    }),
  );
});

test('a refusal says what was expected', () => {
  const proof = { total: 4, index: 4, leafHash: new Uint8Array(32), aunts: [] };
  expect(computeMerkleRoot(proof)).toEqual({ ok: false, error: 'merkle proof: index must be 0 … 3, got 4' });
  expect(computeMerkleRoot({ ...proof, index: 0 })).toEqual({
    ok: false,
    error: 'merkle proof: leaf 0 of 4 takes 2 aunts, got 0',
  });
  expect(computeMerkleRoot({ ...proof, index: 0, aunts: [new Uint8Array(31), new Uint8Array(32)] })).toEqual({
    ok: false,
    error: 'merkle proof: every aunt must be 32 bytes',
  });
});
