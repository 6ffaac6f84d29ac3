import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHex, toHex } from '#core/bytes.ts';
import { decodeArmor, encodeArmor } from './armor.ts';
import { armorKey, openArmoredKey } from './sdk-key.ts';

/** Made by the Cosmos SDK v0.50.13: `go run . make` in the folder of the file, whose main.go says how. */
const theirs = JSON.parse(
  readFileSync(new URL('../../test/vectors/armor-reference/keys.json', import.meta.url), 'utf8'),
) as { private_key: string; passphrase: string; argon2: string; bcrypt: string };

test('keys that the Cosmos SDK has armoured open, by argon2 and as before v0.50 by bcrypt', () => {
  const opened = openArmoredKey(theirs.argon2, theirs.passphrase);
  expect(opened.ok && toHex(opened.value)).toBe(theirs.private_key);
  // As a file of Windows, with something around it.
  const carried = `Dear Bob,\r\n${theirs.bcrypt.replaceAll('\n', '\r\n')}\r\nYours\r\n`;
  expect(openArmoredKey(carried, theirs.passphrase)).toEqual(opened);
  for (const armor of [theirs.argon2, theirs.bcrypt])
    expect(openArmoredKey(armor, `${theirs.passphrase} `)).toEqual({
      ok: false,
      error: 'wrong passphrase, or the armor was changed',
    });
});

test('what is armoured here opens here, never twice under the same salt', () => {
  const key = fromHex(theirs.private_key);
  const [one, two] = [armorKey(key, 'a passphrase'), armorKey(key, 'a passphrase')];
  expect(one).not.toBe(two);
  expect(openArmoredKey(one, 'a passphrase')).toEqual({ ok: true, value: key });
  const shape = (armor: string) =>
    armor
      .replace(/salt: [0-9A-F]{32}/, 'salt: …')
      .split('\n')
      .slice(0, 5)
      .toSorted();
  expect(shape(one)).toEqual(shape(theirs.argon2));
});

test.each([
  ['no armor at all', 'armor: expected a line -----BEGIN …-----'],
  [
    '-----BEGIN TENDERMINT PRIVATE KEY-----\nkdf: argon2',
    'armor: expected a line -----END TENDERMINT PRIVATE KEY-----',
  ],
  [theirs.argon2.replaceAll('PRIVATE', 'PUBLIC'), 'armor: expected TENDERMINT PRIVATE KEY, got TENDERMINT PUBLIC KEY'],
  [theirs.argon2.replace('kdf: argon2', 'kdf: scrypt'), 'armor: expected kdf argon2 or bcrypt, got scrypt'],
  [theirs.argon2.replace('kdf: argon2\n', ''), 'armor: expected kdf argon2 or bcrypt, got none'],
  [theirs.argon2.replace(/salt: ../, 'salt: '), 'armor: expected a salt of 32 hex digits'],
  [theirs.argon2.replace('type: secp256k1', 'type: sr25519'), 'armor: expected a key of type secp256k1, got sr25519'],
  [theirs.argon2.replace(/\n=..../, '\n=AAAA'), 'armor: its checksum is not that of its content'],
  ['-----BEGIN X-----\nkdf\n\n-----END X-----', 'armor: expected headers such as kdf: argon2, got "kdf"'],
])('an armor is refused for what is wrong with it (%#)', (armor, reason) => {
  const opened = openArmoredKey(armor, theirs.passphrase);
  expect(opened.ok ? 'opened' : opened.error).toContain(reason);
});

test('armor: what was written is read again, whatever its bytes; damage is never read as something else', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), fc.nat(), fc.integer({ min: 1, max: 63 }), (body, where, change) => {
      const headers = new Map([['salt', '00']]);
      const text = encodeArmor({ type: 'TEST', headers, body });
      expect(decodeArmor(text)).toEqual({ ok: true, value: { type: 'TEST', headers, body } });
      const start = text.indexOf('\n\n') + 2;
      const end = text.indexOf('\n=', start - 1);
      if (end <= start) return;
      const at = start + (where % (end - start));
      const alphabet = 'ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/';
      const letter = alphabet.indexOf(text[at] as string);
      if (letter < 0) return;
      const damaged = `${text.slice(0, at)}${alphabet[(letter + change) % 64]}${text.slice(at + 1)}`;
      expect(decodeArmor(damaged).ok).toBe(false);
    }),
    { numRuns: 300 },
  );
});

test('armor: nothing makes the reader throw', () => {
  const piece = fc.oneof(
    fc.constantFrom('-----BEGIN A-----', '-----END A-----', '\n', '\n\n', 'kdf: bcrypt', '=AAAA', 'AAAA', '\r'),
    fc.string({ maxLength: 20 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 14 }), (pieces) => {
      expect(typeof openArmoredKey(pieces.join(''), 'x').ok).toBe('boolean');
    }),
    { numRuns: 500 },
  );
  expect(decodeArmor('x'.repeat(20_000))).toEqual({
    ok: false,
    error: 'armor: 20000 characters exceed the limit of 16384',
  });
});
