import { expect, test } from 'vitest';
import { toBase64, utf8 } from '#core/bytes.ts';
import { decodeCommitmentProof, encodeCommitmentProof } from '#core/ics23/codec.ts';
import type { CommitmentProof, ExistenceProof } from '#core/ics23/types.ts';
import { openTestStore, type ProvenAnswer } from '#test/support/proven-store.ts';
import { storeOfPath, verifiedQuery } from './verified.ts';

interface QueryAnswer {
  readonly response: {
    readonly value: string | null;
    readonly proofOps: { readonly ops: readonly { readonly data: string }[] };
  };
}

/** The answer with another proof of the key, for another key or value. */
function judged(
  proven: ProvenAnswer,
  proof: CommitmentProof,
  key = proven.key,
  value: Uint8Array | null = null,
): string {
  const { response } = proven.answer as QueryAnswer;
  const ops = response.proofOps.ops.map((op, i) => ({
    ...op,
    ...(i === 0 ? { data: toBase64(encodeCommitmentProof(proof)), key: toBase64(key) } : {}),
  }));
  const forged = { ...response, key: toBase64(key), value: value && toBase64(value), proofOps: { ops } };
  const verdict = verifiedQuery(proven.next, 'bank', key, { response: forged });
  return verdict.ok ? 'accepted' : verdict.error;
}

function existing(bytes: Uint8Array): ExistenceProof {
  const proof = decodeCommitmentProof(bytes);
  if (!proof.ok || proof.value.kind !== 'exist') throw new Error('expected an existence proof');
  return proof.value.exist;
}

test('a key that is there cannot be proven absent (Dragonberry)', async () => {
  const proven = await openTestStore('present');
  const [below, above] = ['key 6', 'key 8'].map((key) => existing(proven.proofOf(key)));
  if (below === undefined || above === undefined) throw new Error('both are there');
  const absence = (left: ExistenceProof | undefined, right: ExistenceProof | undefined) =>
    judged(proven, { kind: 'nonexist', nonexist: { key: proven.key, left, right } });
  expect(absence(below, above)).toMatch(/not neighbours/);
  expect(absence(below, undefined)).toMatch(/not the last/);
  expect(absence(undefined, above)).toMatch(/not the first/);
  expect(absence(undefined, undefined)).toMatch(/needs a neighbour/);
  // The key itself as its own neighbour.
  const own = existing(proven.proofOf('key 7'));
  expect(absence(own, above)).toMatch(/no non-existence proof that encloses this key/);
  expect(absence(below, own)).toMatch(/no non-existence proof that encloses this key/);
});

test('a proof of a key is none of its prefix, its extension or another value', async () => {
  const proven = await openTestStore('present');
  const own = existing(proven.proofOf('key 7'));
  const value = utf8('value 7');
  const exist: CommitmentProof = { kind: 'exist', exist: own };
  expect(judged(proven, exist, proven.key, value)).toBe('accepted');
  for (const key of ['key ', 'key 71', 'key 17'])
    expect(judged(proven, exist, utf8(key), value)).toMatch(/proof of the key/);
  expect(judged(proven, exist, proven.key, utf8('value 8'))).toMatch(/another value/);
  // Bytes moved from the value into the key, or into the leaf's prefix.
  const moved = { ...own, key: utf8('key'), value: utf8(' 7value 7') };
  expect(judged(proven, { kind: 'exist', exist: moved }, moved.key, moved.value)).toMatch(/proof of the store/);
  const leaf = own.leaf && { ...own.leaf, prefix: Uint8Array.of(...own.leaf.prefix, 1) };
  expect(judged(proven, { kind: 'exist', exist: { ...own, leaf } }, proven.key, value)).not.toBe('accepted');
  const batch: CommitmentProof = { kind: 'batch', entries: [{ kind: 'exist', exist: own }] };
  expect(judged(proven, batch, proven.key, value)).toMatch(/got a batch/);
});

test('only queries of one key of one store can be proven', () => {
  expect(storeOfPath('/store/bank/key')).toBe('bank');
  expect(storeOfPath('store/bank/key')).toBe('bank');
  for (const path of [
    '',
    '/store/bank/subspace',
    '/store//key',
    '/store/a/b/key',
    '/cosmos.bank.v1beta1.Query/Balance',
  ])
    expect(storeOfPath(path)).toBeUndefined();
});
