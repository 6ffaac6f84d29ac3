import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import type { SignatureCheck } from '#core/ports/crypto.ts';
import { NODE_LIMITS } from '../limits.ts';
import { createVerifyAhead } from './ahead.ts';
import { rememberingVerifier } from './remembering-verifier.ts';

const checkOf = (i: number): SignatureCheck => ({
  publicKey: new Uint8Array(32),
  message: utf8(`vote ${i}`),
  signature: new Uint8Array(64),
});
const checks = (count: number) => Array.from({ length: count }, (_, i) => checkOf(i));

function setting(verdict: (i: number) => boolean) {
  const memory = rememberingVerifier({ ed25519: () => false, secp256k1: () => false }, { entries: 1_000 });
  const asked: number[] = [];
  const ahead = createVerifyAhead({
    batch: {
      async ed25519(some) {
        asked.push(some.length);
        return some.map((_, i) => verdict(i));
      },
    },
    memory,
  });
  return { memory, asked, ahead };
}

test('the good ones are remembered, the others are not', async () => {
  const { memory, ahead } = setting((i) => i % 2 === 0);
  const many = checks(NODE_LIMITS.minChecksAhead);
  await ahead(many);
  expect(many.map((check) => memory.knows(check))).toEqual(many.map((_, i) => i % 2 === 0));
});

test('few are not worth the way; what is known is not asked for', async () => {
  const { asked, ahead } = setting(() => true);
  expect(ahead(checks(NODE_LIMITS.minChecksAhead - 1))).toBeUndefined();
  await ahead(checks(NODE_LIMITS.minChecksAhead));
  expect(ahead(checks(2 * NODE_LIMITS.minChecksAhead - 1))).toBeUndefined();
  await ahead(checks(2 * NODE_LIMITS.minChecksAhead));
  expect(asked).toEqual([NODE_LIMITS.minChecksAhead, NODE_LIMITS.minChecksAhead]);
});
