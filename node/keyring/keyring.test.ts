import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { fromHex, toHex, utf8 } from '#core/bytes.ts';
import { keyFromPrivate } from '#core/crypto/keys.ts';
import type { AccountKey } from '#runtime/tx/account-key.ts';
import { type KeyringBackend, openKeyring } from './keyring.ts';
import { seal, unseal } from './secret-box.ts';

const root = mkdtempSync(join(tmpdir(), 'autonomy-keyring-'));
afterAll(() => rmSync(root, { recursive: true }));
const cheap = { logN: 4 };
const secret = fromHex('11'.repeat(32));

const keyring = (name: string, backend: KeyringBackend, password = 'correct horse') =>
  openKeyring({ backend, folder: join(root, name), cost: cheap }, { password: async () => password });

test.each(['file', 'test'] as const)('%s: what is added is listed, opened and removed', async (backend) => {
  const ring = keyring(`life-${backend}`, backend);
  expect(await ring.list()).toEqual([]);
  expect((await ring.add('alice', secret)).ok).toBe(true);
  expect((await ring.add('bob', fromHex('22'.repeat(32)))).ok).toBe(true);
  expect(await ring.add('alice', secret)).toMatchObject({
    ok: false,
    error: expect.stringMatching(/already a key alice/),
  });
  expect((await ring.list()).map((key) => key.name)).toEqual(['alice', 'bob']);
  const opened = await ring.unlock('alice');
  expect(opened.ok && toHex(opened.value.privateKey)).toBe('11'.repeat(32));
  expect((await ring.remove('alice')).ok).toBe(true);
  expect(await ring.unlock('alice')).toMatchObject({
    ok: false,
    error: expect.stringMatching(/there is no key alice/),
  });
});

test('the secret is not in the file of the file backend, and a wrong password opens nothing', async () => {
  const ring = keyring('sealed', 'file');
  await ring.add('alice', secret);
  const text = readFileSync(join(root, 'sealed', 'alice.json'), 'utf8');
  expect(text).not.toContain('ERERERER');
  const other = await keyring('sealed', 'file', 'wrong').unlock('alice');
  expect(other).toEqual({ ok: false, error: 'key alice: wrong password, or the file was changed' });
  // Another key's public key in the file: the seal covers it.
  writeFileSync(join(root, 'sealed', 'mallory.json'), text);
  expect((await ring.unlock('mallory')).ok).toBe(false);
});

test('a key file that cannot be read is left out of the list, and said', async () => {
  const ring = keyring('damaged', 'test');
  await ring.add('alice', secret);
  expect(await ring.unreadable()).toEqual([]);
  for (const [name, text] of [
    ['cut', readFileSync(join(root, 'damaged', 'alice.json'), 'utf8').slice(0, 60)],
    ['later', '{"version": 2}'],
  ] as const)
    writeFileSync(join(root, 'damaged', `${name}.json`), text);
  expect((await ring.list()).map(({ name }) => name)).toEqual(['alice']);
  expect(await ring.unreadable()).toEqual([
    `${join(root, 'damaged', 'cut.json')} is not valid JSON`,
    `${join(root, 'damaged', 'later.json')} is no key file of version 1`,
  ]);
});

test('public keys and groups are kept without a password, and cannot sign', async () => {
  const ring = openKeyring(
    { backend: 'file', folder: join(root, 'public') },
    {
      async password() {
        throw new Error('nobody is asked');
      },
    },
  );
  const simple: AccountKey = { kind: 'secp256k1', bytes: keyFromPrivate(secret).publicKey };
  const group: AccountKey = { kind: 'multisig', threshold: 1, keys: [simple] };
  expect(await ring.addPublic('bob', simple)).toEqual({
    ok: true,
    value: { name: 'bob', type: 'offline', key: simple },
  });
  expect((await ring.addPublic('us', group)).ok).toBe(true);
  expect(await ring.addPublic('us', simple)).toMatchObject({
    ok: false,
    error: expect.stringContaining('already a key'),
  });
  expect(await ring.list()).toEqual([
    { name: 'bob', type: 'offline', key: simple },
    { name: 'us', type: 'multi', key: group },
  ]);
  expect(await ring.unlock('bob')).toMatchObject({ ok: false, error: expect.stringContaining('a public key alone') });
  expect(await ring.unlock('us')).toMatchObject({ ok: false, error: expect.stringContaining('is a multisig key') });
  writeFileSync(join(root, 'public', 'odd.json'), '{"version":1,"type":"multi","name":"odd","pub_key":{"@type":"/x"}}');
  expect(await ring.find('odd')).toMatchObject({ ok: false, error: expect.stringContaining('odd.json: pub_key') });
  expect((await ring.remove('us')).ok).toBe(true);
});

test('names that are none are refused before any file is touched', async () => {
  const ring = keyring('names', 'test');
  for (const name of ['../evil', '', '.hidden', 'a/b', 'x'.repeat(65)])
    expect(await ring.add(name, secret)).toMatchObject({ ok: false, error: expect.stringMatching(/is no key name/) });
});

test('a sealed secret opens with its password and its owner alone, and not when a bit is flipped', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 64 }), fc.string(), fc.nat(), (bytes, password, at) => {
      const sealed = seal(bytes, password, utf8('owner'), cheap);
      expect(unseal(sealed, password, utf8('owner'))).toEqual({ ok: true, value: bytes });
      expect(unseal(sealed, password, utf8('other')).ok).toBe(false);
      expect(unseal(sealed, `${password}!`, utf8('owner')).ok).toBe(false);
      const box = Buffer.from(sealed.box, 'base64');
      box[at % box.length] = (box[at % box.length] ?? 0) ^ 1;
      expect(unseal({ ...sealed, box: box.toString('base64') }, password, utf8('owner')).ok).toBe(false);
    }),
    { numRuns: 20 },
  );
});
