import { readFileSync } from 'node:fs';
import { ed25519 } from '@noble/curves/ed25519.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHex, utf8 } from '#core/bytes.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { vectorsPath } from '#test/vectors/locate.ts';
import { createNativeVerifier } from './native-verifier.ts';

const native = createNativeVerifier({ keyCacheEntries: 8 });

const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
const message = fc.uint8Array({ maxLength: 80 });
/** Where to flip which bit of key, message or signature; `undefined` leaves all valid. */
const damage = fc.option(
  fc.record({ target: fc.constantFrom('key', 'message', 'signature'), at: fc.nat(), bit: fc.nat(7) }),
  { nil: undefined },
);

function flip(bytes: Uint8Array, at: number, bit: number): Uint8Array {
  const out = bytes.slice();
  if (out.length > 0) out[at % out.length] = (out[at % out.length] ?? 0) ^ (1 << bit);
  return out;
}

function harm(
  parts: Record<'key' | 'message' | 'signature', Uint8Array>,
  harmed: { target: string; at: number; bit: number } | undefined,
) {
  const at = (name: 'key' | 'message' | 'signature') =>
    harmed?.target === name ? flip(parts[name], harmed.at, harmed.bit) : parts[name];
  return [at('key'), at('message'), at('signature')] as const;
}

test('ed25519: the same verdict as the pure verifier, valid or damaged', () => {
  fc.assert(
    fc.property(bytes32, message, damage, (secret, text, harmed) => {
      const args = harm(
        { key: ed25519.getPublicKey(secret), message: text, signature: ed25519.sign(text, secret) },
        harmed,
      );
      const verdict = pureVerifier.ed25519(...args);
      expect(native.ed25519(...args)).toBe(verdict);
      if (harmed === undefined) expect(verdict).toBe(true);
    }),
    { numRuns: 150 },
  );
});

test('secp256k1: the same verdict as the pure verifier, valid, damaged or with high S', () => {
  const order = secp256k1.Point.CURVE().n;
  fc.assert(
    fc.property(bytes32, message, damage, fc.boolean(), (secret, text, harmed, highS) => {
      fc.pre(secp256k1.utils.isValidSecretKey(secret));
      let signature: Uint8Array = secp256k1.sign(text, secret, { prehash: true });
      if (highS) {
        const { r, s } = secp256k1.Signature.fromBytes(signature);
        signature = new secp256k1.Signature(r, order - s).toBytes();
      }
      const args = harm({ key: secp256k1.getPublicKey(secret, true), message: text, signature }, harmed);
      const verdict = pureVerifier.secp256k1(...args);
      expect(native.secp256k1(...args)).toBe(verdict);
      if (highS && harmed === undefined) expect(verdict).toBe(false);
    }),
    { numRuns: 150 },
  );
});

test('malformed lengths are refused, not thrown', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 70 }), fc.uint8Array({ maxLength: 70 }), (key, signature) => {
      expect(native.ed25519(key, utf8('m'), signature)).toBe(pureVerifier.ed25519(key, utf8('m'), signature));
      expect(native.secp256k1(key, utf8('m'), signature)).toBe(pureVerifier.secp256k1(key, utf8('m'), signature));
    }),
  );
});

test('the key cache stays bounded and right while keys come and go', () => {
  const small = createNativeVerifier({ keyCacheEntries: 2 });
  const secrets = Array.from({ length: 6 }, (_, i) => new Uint8Array(32).fill(i + 1));
  for (const secret of [...secrets, ...secrets])
    expect(small.ed25519(ed25519.getPublicKey(secret), utf8('x'), ed25519.sign(utf8('x'), secret))).toBe(true);
});

const zip215 = vectorsPath('crypto', 'other', 'zip215.json');

test.runIf(zip215 !== undefined)('every ZIP-215 vector is accepted or refused as it says', () => {
  const cases = JSON.parse(readFileSync(zip215 ?? '', 'utf8')) as {
    vk_bytes: string;
    sig_bytes: string;
    valid_zip215: boolean;
  }[];
  expect(cases.length).toBe(196);
  for (const item of cases)
    expect(native.ed25519(fromHex(item.vk_bytes), utf8('Zcash'), fromHex(item.sig_bytes)), item.vk_bytes).toBe(
      item.valid_zip215,
    );
});

interface Wycheproof {
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk?: string; readonly uncompressed?: string };
    readonly tests: readonly {
      readonly tcId: number;
      readonly msg: string;
      readonly sig: string;
      readonly result: string;
    }[];
  }[];
}

const wycheproofEd = vectorsPath('crypto', 'wycheproof', 'ed25519_test.json');

/** Wycheproof follows RFC 8032; ZIP-215 accepts this one, an R with y = 1 and the sign bit of x set, on purpose. */
const ZIP215_ACCEPTS = 151;

test.runIf(wycheproofEd !== undefined)('Wycheproof ed25519, as ZIP-215 decides it', () => {
  const file = JSON.parse(readFileSync(wycheproofEd ?? '', 'utf8')) as Wycheproof;
  let seen = 0;
  for (const group of file.testGroups)
    for (const item of group.tests) {
      const args = [fromHex(group.publicKey.pk ?? ''), fromHex(item.msg), fromHex(item.sig)] as const;
      const expected = item.result === 'valid' || item.tcId === ZIP215_ACCEPTS;
      expect(native.ed25519(...args), `case ${item.tcId}`).toBe(expected);
      expect(pureVerifier.ed25519(...args), `case ${item.tcId}`).toBe(expected);
      seen++;
    }
  expect(seen).toBeGreaterThan(100);
});

const wycheproofEc = vectorsPath('crypto', 'wycheproof', 'ecdsa_secp256k1_sha256_p1363_test.json');

test.runIf(wycheproofEc !== undefined)('Wycheproof secp256k1, compact signatures; high S is refused on top', () => {
  const file = JSON.parse(readFileSync(wycheproofEc ?? '', 'utf8')) as Wycheproof;
  const half = secp256k1.Point.CURVE().n >> 1n;
  let seen = 0;
  for (const group of file.testGroups) {
    const key = secp256k1.Point.fromHex(group.publicKey.uncompressed ?? '').toBytes(true);
    for (const item of group.tests) {
      const signature = fromHex(item.sig);
      const low = signature.length === 64 && BigInt(`0x${item.sig.slice(64)}`) <= half;
      const expected = item.result === 'valid' && low;
      expect(native.secp256k1(key, fromHex(item.msg), signature), `case ${item.tcId}`).toBe(expected);
      expect(pureVerifier.secp256k1(key, fromHex(item.msg), signature), `case ${item.tcId}`).toBe(expected);
      seen++;
    }
  }
  expect(seen).toBeGreaterThan(200);
});
