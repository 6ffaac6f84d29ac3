import { ed25519 } from '@noble/curves/ed25519.js';
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { rememberingVerifier } from './remembering-verifier.ts';

const secret = new Uint8Array(32).fill(7);
const key = ed25519.getPublicKey(secret);

function counting(entries: number) {
  const calls = { count: 0 };
  const inner: Verifier = {
    ...pureVerifier,
    ed25519(publicKey, message, signature) {
      calls.count += 1;
      return pureVerifier.ed25519(publicKey, message, signature);
    },
  };
  return { calls, verifier: rememberingVerifier(inner, { entries }) };
}

test('a good signature is verified once, and only for its own message and key', () => {
  const { calls, verifier } = counting(10);
  const message = utf8('a vote');
  const signature = ed25519.sign(message, secret);
  expect(verifier.ed25519(key, message, signature)).toBe(true);
  expect(verifier.ed25519(key, message, signature)).toBe(true);
  expect(calls.count).toBe(1);
  expect(verifier.ed25519(key, utf8('another'), signature)).toBe(false);
  expect(verifier.ed25519(ed25519.getPublicKey(new Uint8Array(32).fill(8)), message, signature)).toBe(false);
  expect(calls.count).toBe(3);
});

test('a bad signature is verified each time; wrong lengths never are', () => {
  const { calls, verifier } = counting(10);
  const bad = new Uint8Array(64);
  expect([1, 2].map(() => verifier.ed25519(key, utf8('a'), bad))).toEqual([false, false]);
  expect(calls.count).toBe(2);
  // The same bytes in all, cut elsewhere.
  expect(verifier.ed25519(key.subarray(1), utf8('a'), bad)).toBe(false);
  expect(verifier.ed25519(key, utf8('a'), bad.subarray(1))).toBe(false);
  expect(calls.count).toBe(2);
});

test('what is remembered is bounded, and what is used again stays', () => {
  const { calls, verifier } = counting(3);
  const sign = (i: number) => [utf8(`vote ${i}`), ed25519.sign(utf8(`vote ${i}`), secret)] as const;
  const check = (i: number) => verifier.ed25519(key, ...sign(i));
  for (let i = 0; i < 9; i++) {
    expect(check(i)).toBe(true);
    expect(check(0)).toBe(true);
  }
  expect(calls.count).toBe(9);
  expect(check(1)).toBe(true);
  expect(calls.count).toBe(10);
});

test('what was learnt is known and not verified; only the whole statement is', () => {
  const { calls, verifier } = counting(10);
  const message = utf8('a vote');
  const check = { publicKey: key, message, signature: ed25519.sign(message, secret) };
  expect(verifier.knows(check)).toBe(false);
  verifier.learn(check);
  expect(verifier.knows(check)).toBe(true);
  expect(verifier.knows({ ...check, message: utf8('a vot') })).toBe(false);
  expect(verifier.knows({ ...check, signature: check.signature.subarray(1) })).toBe(false);
  expect(verifier.ed25519(key, message, check.signature)).toBe(true);
  expect(calls.count).toBe(0);
});
