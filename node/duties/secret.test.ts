import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { hkdf } from '@noble/hashes/hkdf.js';
import { sha256 } from '@noble/hashes/sha2.js';
import { afterAll, expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import { deriveSalt, loadDutySecret } from './secret.ts';

const folder = mkdtempSync(join(tmpdir(), 'duty-secret-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

const secret = new Uint8Array(32).fill(7);
const where = { chainId: 'autonomy-1', job: 5n, role: 'validator', address: new Uint8Array(20).fill(9) } as const;

test('a salt is HKDF-SHA256 over chain, job, role and address, as another implementation computes it', () => {
  const info = Buffer.concat([
    Buffer.from('0000000a', 'hex'),
    Buffer.from('autonomy-1'),
    Buffer.from('0000000000000005', 'hex'),
    Buffer.from('00000009', 'hex'),
    Buffer.from('validator'),
    Buffer.alloc(20, 9),
  ]);
  expect(toHex(deriveSalt(secret, where))).toBe(toHex(hkdf(sha256, secret, undefined, info, 32)));
});

test('another chain, job, role, address or secret gives another salt; the same the same', () => {
  const salts = [
    deriveSalt(secret, where),
    deriveSalt(secret, { ...where, chainId: 'autonomy-2' }),
    deriveSalt(secret, { ...where, job: 6n }),
    deriveSalt(secret, { ...where, role: 'provider' }),
    deriveSalt(secret, { ...where, address: new Uint8Array(20) }),
    deriveSalt(new Uint8Array(32), where),
  ].map(toHex);
  expect(new Set(salts).size).toBe(salts.length);
  expect(toHex(deriveSalt(secret, where))).toBe(salts[0]);
});

test('the secret is made once, for its owner alone, and read again', async () => {
  const path = join(folder, 'config', 'duty_key.json');
  const made = await loadDutySecret(path);
  expect(made.length).toBe(32);
  expect(statSync(path).mode & 0o077).toBe(0);
  expect(await loadDutySecret(path)).toEqual(made);
  expect(await loadDutySecret(join(folder, 'other.json'))).not.toEqual(made);
});

test.each([
  ['no JSON', 'secret', 'not valid JSON'],
  ['another type', '{"type":"x","value":""}', 'autonomy/DutySecret'],
  ['no base64', '{"type":"autonomy/DutySecret","value":"!"}', 'base64'],
  ['a short one', '{"type":"autonomy/DutySecret","value":"AAAA"}', 'expected 32 bytes, got 3'],
])('a file with %s is refused by name, and stays', async (_name, text, sentence) => {
  const path = join(folder, 'bad.json');
  writeFileSync(path, text);
  await expect(loadDutySecret(path)).rejects.toThrow(sentence);
  expect(readFileSync(path, 'utf8')).toBe(text);
});
