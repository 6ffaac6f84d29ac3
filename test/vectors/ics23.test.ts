import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { ics23 } from '@confio/ics23';
import { compress } from '@confio/ics23/build/compress.js';
import { describe, expect, test } from 'vitest';
import { EMPTY, fromBase64, fromHex, toHex } from '#core/bytes.ts';
import { decodeCommitmentProof, encodeCommitmentProof } from '#core/ics23/codec.ts';
import { checkLeaf } from '#core/ics23/ops.ts';
import { leftBranchesAreEmpty, rightBranchesAreEmpty } from '#core/ics23/verify.ts';
import { vectorsPath } from './locate.ts';
import * as subject from './subject-store.ts';

const folder = vectorsPath('ics23', 'testdata');

function load<T>(name: string): T {
  return JSON.parse(readFileSync(join(folder ?? '', name), 'utf8')) as T;
}

/** Expects the vector's value, or a refusal. */
function outcome(run: () => Uint8Array | boolean): string {
  try {
    const value = run();
    return typeof value === 'boolean' ? String(value) : toHex(value);
  } catch {
    return 'refused';
  }
}

function wanted(isErr: boolean, expected: string | null | undefined): string {
  return isErr ? 'refused' : toHex(fromBase64(expected ?? ''));
}

describe.skipIf(folder === undefined)('ICS-23', () => {
  for (const [file, expectedCount] of [
    ['iavl', 6],
    ['tendermint', 6],
    ['smt', 6],
  ] as const) {
    const files = folder === undefined ? [] : readdirSync(join(folder, file));
    test(`${file} has its ${expectedCount} proofs`, () => expect(files.length).toBe(expectedCount));
    test.each(files)(`${file}/%s`, (name) => {
      const vector = load<{ key: string; value: string; root: string; proof: string }>(join(file, name));
      const [proof, root, key, value] = [vector.proof, vector.root, vector.key, vector.value ?? ''].map((hex) =>
        fromHex(hex),
      ) as [Uint8Array, Uint8Array, Uint8Array, Uint8Array];
      const holds = (spec: subject.SpecName, bytes: Uint8Array, at: Uint8Array) =>
        value.length > 0
          ? subject.verifyMembership(spec, bytes, at, key, value)
          : subject.verifyNonMembership(spec, bytes, at, key);
      expect(holds(file, proof, root)).toBe(true);
      for (const other of ['iavl', 'tendermint', 'smt'] as const)
        if (other !== file) expect(holds(other, proof, root)).toBe(false);
      const decoded = decodeCommitmentProof(proof);
      expect(decoded.ok && toHex(encodeCommitmentProof(decoded.value))).toBe(vector.proof);
      // A non-existence proof names a key of its own, which no verifier reads. The decoder's byte strings are views.
      const own = decoded.ok && decoded.value.kind === 'nonexist' ? decoded.value.nonexist.key : EMPTY;
      const ownStart = own.byteOffset - proof.byteOffset;
      for (let at = 0; at < proof.length; at++) {
        const mutated = proof.slice();
        mutated[at] = (mutated[at] as number) ^ (1 << (at & 7));
        const inOwnKey = at >= ownStart && at < ownStart + own.length;
        expect(holds(file, mutated, root), `byte ${at}`).toBe(inOwnKey);
      }
      const wrongRoot = root.slice();
      wrongRoot[0] = (wrongRoot[0] as number) ^ 1;
      expect(holds(file, proof, wrongRoot)).toBe(false);
    });
  }

  test('batches, plain and compressed by @confio/ics23, prove each of their keys', () => {
    const vectors = ['exist_left', 'exist_right', 'nonexist_left', 'nonexist_middle', 'nonexist_right'].map((name) =>
      load<{ key: string; value: string; root: string; proof: string }>(join('iavl', `${name}.json`)),
    );
    const entries = vectors.map(({ proof }) => ics23.CommitmentProof.decode(fromHex(proof)));
    const plain = ics23.CommitmentProof.create({ batch: { entries } });
    for (const batch of [plain, compress(plain)]) {
      const encoded = Uint8Array.from(ics23.CommitmentProof.encode(batch).finish());
      for (const vector of vectors) {
        const [root, key, value] = [fromHex(vector.root), fromHex(vector.key), fromHex(vector.value)];
        const holds = (at: Uint8Array) =>
          value.length > 0
            ? subject.verifyMembership('iavl', encoded, at, key, value)
            : subject.verifyNonMembership('iavl', encoded, at, key);
        expect(holds(root)).toBe(true);
        expect(holds(root.slice().reverse())).toBe(false);
      }
    }
    const compressed = ics23.CommitmentProof.encode(compress(plain)).finish();
    const decoded = decodeCommitmentProof(Uint8Array.from(compressed));
    expect(decoded.ok && decoded.value.kind === 'batch' && decoded.value.entries.length).toBe(5);
  });

  test('hash operations', () => {
    const vectors =
      load<Record<string, { HashOp: number; Preimage?: string; PreImage?: string; ExpectedHash: string }>>(
        'TestDoHashData.json',
      );
    for (const [name, vector] of Object.entries(vectors))
      expect(toHex(subject.doHash(vector.HashOp, vector.Preimage ?? vector.PreImage ?? '')), name).toBe(
        vector.ExpectedHash,
      );
    expect(() => subject.doHash(0, 'food')).toThrow(expect.objectContaining({ code: 'unsupported' }));
  });

  test('leaf operations', () => {
    const vectors =
      load<
        Record<
          string,
          { Op: subject.LeafOpJson; Key: string | null; Value: string | null; IsErr: boolean; Expected: string }
        >
      >('TestLeafOpData.json');
    for (const [name, { Op, Key, Value, IsErr, Expected }] of Object.entries(vectors))
      expect(
        outcome(() => subject.applyLeaf(Op, fromBase64(Key ?? ''), fromBase64(Value ?? ''))),
        name,
      ).toBe(wanted(IsErr, Expected));
  });

  test('inner operations', () => {
    const vectors =
      load<Record<string, { Op: subject.InnerOpJson; Child: string | null; IsErr: boolean; Expected: string }>>(
        'TestInnerOpData.json',
      );
    for (const [name, { Op, Child, IsErr, Expected }] of Object.entries(vectors))
      expect(
        outcome(() => subject.applyInner(Op, fromBase64(Child ?? ''))),
        name,
      ).toBe(wanted(IsErr, Expected));
  });

  test('roots of existence proofs', () => {
    const vectors =
      load<Record<string, { Proof: subject.ExistenceProofJson; IsErr: boolean; Expected: string }>>(
        'TestExistenceProofData.json',
      );
    for (const [name, { Proof, IsErr, Expected }] of Object.entries(vectors))
      expect(
        outcome(() => subject.existenceRoot(Proof)),
        name,
      ).toBe(wanted(IsErr, Expected));
  });

  test('leaves against specs', () => {
    const vectors =
      load<Record<string, { Leaf: subject.LeafOpJson; Spec: subject.LeafOpJson; IsErr: boolean }>>(
        'TestCheckLeafData.json',
      );
    for (const [name, { Leaf, Spec, IsErr }] of Object.entries(vectors))
      expect(checkLeaf(subject.leafOpFromJson(Leaf), subject.leafOpFromJson(Spec)).ok, name).toBe(!IsErr);
  });

  test('existence proofs against specs', () => {
    const vectors = load<
      Record<string, { Proof: subject.ExistenceProofJson; Spec: subject.ProofSpecJson; Err: string }>
    >('TestCheckAgainstSpecData.json');
    for (const [name, { Proof, Spec, Err }] of Object.entries(vectors))
      expect(
        outcome(() => subject.checkAgainstSpec(Proof, Spec)),
        name,
      ).toBe(Err === '' ? 'true' : 'refused');
  });

  test('empty branches', () => {
    const vectors =
      load<{ Op: subject.InnerOpJson; Spec: subject.ProofSpecJson; IsLeft: boolean; IsRight: boolean }[]>(
        'TestEmptyBranchData.json',
      );
    for (const { Op, Spec, IsLeft, IsRight } of vectors) {
      const { innerSpec } = subject.specFromJson(Spec);
      const op = subject.innerOpFromJson(Op);
      expect([leftBranchesAreEmpty(innerSpec, op), rightBranchesAreEmpty(innerSpec, op)]).toEqual([IsLeft, IsRight]);
    }
  });
});
