import { x25519 } from '@noble/curves/ed25519.js';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, fromHex, toHex, utf8 } from '#core/bytes.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { ed25519KeyFromSeed } from './ed25519-key.ts';
import { Transcript } from './merlin.ts';
import { deriveKeys, SecretConnection, type SecretConnectionOptions } from './secret-connection.ts';

test('a transcript draws what the reference implementation draws', () => {
  // merlin 3.0.0 src/transcript.rs, test "equivalence_simple", as github.com/gtank/merlin repeats it.
  const transcript = new Transcript('test protocol');
  transcript.append('some label', utf8('some data'));
  expect(toHex(transcript.challenge('challenge', 32))).toBe(
    'd5a21972d0d5fe320c0d263fac7fffb8145aa640af6e9bca177c03c7efcf0615',
  );
});

test('keys are derived as by CometBFT', () => {
  // First two lines of p2p/conn/testdata/TestDeriveSecretsAndChallengeGolden.golden, CometBFT v0.38.
  for (const [shared, isLesser, receive, send] of [
    [
      '9fe4a5a73df12dbd8659b1d9280873fe993caefec6b0ebc2686dd65027148e03',
      true,
      '80a83ad6afcb6f8175192e41973aed31dd75e3c106f813d986d9567a4865eb2f',
      '96362a04f628a0666d9866147326898bb0847b8db8680263ad19e6336d4eed9e',
    ],
    [
      '0716764b370d543fee692af03832c16410f0a56e4ddb79604ea093b10bb6f654',
      false,
      '84f2b1e8658456529a2c324f46c3406c3c6fecd5fbbf9169f60bed8956a8b03d',
      'cba357ae33d7234520d5742102a2a6cdb39b7db59c14a58fa8aadd310127630f',
    ],
  ] as const) {
    const keys = deriveKeys(fromHex(shared), isLesser);
    expect([toHex(keys.receive), toHex(keys.send)]).toEqual([receive, send]);
  }
});

const key = (seed: number) => ed25519KeyFromSeed(new Uint8Array(32).fill(seed));

/** One end, with what it writes. */
function end(seed: number, options: Partial<SecretConnectionOptions> = {}) {
  const written: Uint8Array[] = [];
  const connection = new SecretConnection({
    identity: key(seed),
    verifier: pureVerifier,
    write: (bytes) => written.push(bytes),
    ...options,
  });
  return { connection, take: () => concat(...written.splice(0)) };
}

function connected() {
  const [a, b] = [end(1), end(2)];
  const [fromA, fromB] = [a.take(), b.take()];
  expect(b.connection.push(fromA).ok && a.connection.push(fromB).ok).toBe(true);
  expect(b.connection.push(a.take()).ok && a.connection.push(b.take()).ok).toBe(true);
  return { a, b };
}

test('both ends learn who the other is, and carry bytes of any length however they are cut', () => {
  const { a, b } = connected();
  expect(a.connection.peer?.bytes).toEqual(key(2).publicKey);
  expect(b.connection.peer?.bytes).toEqual(key(1).publicKey);
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 3_000 }), fc.integer({ min: 1, max: 1_500 }), (data, size) => {
      a.connection.send(data);
      const sealed = a.take();
      expect(sealed.length % 1_044).toBe(0);
      const got: Uint8Array[] = [];
      for (let at = 0; at < sealed.length; at += size) {
        const part = b.connection.push(sealed.subarray(at, at + size));
        if (part.ok) got.push(part.value);
      }
      expect(toHex(concat(...got))).toBe(toHex(data));
    }),
    { numRuns: 25 },
  );
});

test('a frame that was changed, repeated or left out is refused', () => {
  const errorOf = (sealed: (frames: Uint8Array[]) => Uint8Array) => {
    const { a, b } = connected();
    const frames = [1, 2].map((value) => {
      a.connection.send(Uint8Array.of(value));
      return a.take();
    });
    const result = b.connection.push(sealed(frames));
    return result.ok ? 'accepted' : result.error;
  };
  const refused = 'secret connection: a frame that does not decrypt';
  expect(errorOf(([one, two]) => concat(one ?? new Uint8Array(), two ?? new Uint8Array()))).toBe('accepted');
  expect(errorOf(([one]) => (one ?? new Uint8Array()).map((byte, i) => (i === 500 ? byte ^ 1 : byte)))).toBe(refused);
  expect(errorOf(([one]) => concat(one ?? new Uint8Array(), one ?? new Uint8Array()))).toBe(refused);
  expect(errorOf(([, two]) => two ?? new Uint8Array())).toBe(refused);
});

test('keys of low order, our own key, another head and unwanted peers are refused', () => {
  const errorOf = (bytes: (own: Uint8Array) => Uint8Array) => {
    const one = end(1);
    const result = one.connection.push(bytes(one.take()));
    return result.ok ? 'accepted' : result.error;
  };
  const head = Uint8Array.of(34, 10, 32);
  // Points of order 1, 2 and 8 (RFC 7748 section 6.1 has them give a secret of zeros).
  for (const low of [
    '00'.repeat(32),
    `01${'00'.repeat(31)}`,
    `e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800`,
  ])
    expect(errorOf(() => concat(head, fromHex(low)))).toContain('low order');
  expect(errorOf((own) => own)).toContain('echoes');
  expect(errorOf(() => new Uint8Array(35))).toContain('expected an ephemeral key');
  const [a, b] = [end(1, { refuse: () => 'not you' }), end(2)];
  a.connection.push(b.take());
  b.connection.push(a.take());
  expect(a.connection.push(b.take())).toEqual({ ok: false, error: 'not you' });
  expect(a.connection.peer).toBeUndefined();
});

test('who signs something else than the challenge is not who he says', () => {
  const honest = key(2);
  const [a, b] = [end(1), end(2, { identity: { ...honest, sign: () => honest.sign(utf8('other')) } })];
  a.connection.push(b.take());
  b.connection.push(a.take());
  const result = a.connection.push(b.take());
  expect(result.ok ? 'accepted' : result.error).toContain('the challenge is not signed');
});

test('bytes of a peer give data or one error, never anything else', () => {
  const ephemeral = concat(Uint8Array.of(34, 10, 32), x25519.getPublicKey(new Uint8Array(32).fill(5)));
  fc.assert(
    fc.property(fc.boolean(), fc.uint8Array({ maxLength: 2_500 }), (begun, bytes) => {
      const one = end(1);
      const result = one.connection.push(begun ? concat(ephemeral, bytes) : bytes);
      if (!result.ok) expect(result.error).not.toBe('');
      expect(one.connection.peer).toBeUndefined();
    }),
    { numRuns: 50 },
  );
});
