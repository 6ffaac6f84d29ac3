import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { fromBase64, fromHex, toHex, utf8 } from '#core/bytes.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { ed25519KeyFromSeed, generateEd25519Key } from './ed25519-key.ts';
import { KeyFileError, readNodeKey, readValidatorKey, writeNodeKey, writeValidatorKey } from './key-files.ts';
import { lastSignFile } from './last-sign-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'autonomy-privval-'));
afterAll(() => rmSync(folder, { recursive: true }));

test('RFC 8032 section 7.1, test 2', () => {
  const key = ed25519KeyFromSeed(fromHex('4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb'));
  expect(toHex(key.publicKey)).toBe('3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c');
  expect(toHex(key.sign(fromHex('72')))).toBe(
    '92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00',
  );
});

test('what is signed verifies', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 32, maxLength: 32 }), fc.uint8Array({ maxLength: 200 }), (seed, message) => {
      const key = ed25519KeyFromSeed(seed);
      expect(pureVerifier.ed25519(key.publicKey, message, key.sign(message))).toBe(true);
    }),
    { numRuns: 20 },
  );
});

test('key files read back, in the shape of CometBFT, readable by their owner alone', async () => {
  const key = generateEd25519Key();
  const validator = join(folder, 'priv_validator_key.json');
  await writeValidatorKey(validator, key);
  expect((await readValidatorKey(validator))?.seed).toEqual(key.seed);
  expect(statSync(validator).mode & 0o777).toBe(0o600);
  const json = JSON.parse(readFileSync(validator, 'utf8'));
  expect(json.priv_key.type).toBe('tendermint/PrivKeyEd25519');
  expect(fromBase64(json.pub_key.value)).toEqual(key.publicKey);
  const node = join(folder, 'node_key.json');
  await writeNodeKey(node, key);
  expect((await readNodeKey(node))?.publicKey).toEqual(key.publicKey);
  expect(await readNodeKey(join(folder, 'absent.json'))).toBeUndefined();
});

test('a damaged key file is refused by the name of its field', async () => {
  const path = join(folder, 'damaged.json');
  await writeValidatorKey(path, generateEd25519Key());
  const good = JSON.parse(readFileSync(path, 'utf8'));
  const other = JSON.parse(JSON.stringify(good));
  const refusal = async (value: unknown) => {
    writeFileSync(path, typeof value === 'string' ? value : JSON.stringify(value));
    return readValidatorKey(path).then(
      () => 'accepted',
      (error) => (error instanceof KeyFileError ? error.message.slice(path.length + 2) : 'another error'),
    );
  };
  expect(await refusal('{')).toBe('not valid JSON');
  expect(await refusal([])).toBe('expected a JSON object');
  expect(await refusal({ ...good, priv_key: { type: 'x', value: '' } })).toMatch(/^priv_key.type: expected tendermint/);
  expect(await refusal({ ...good, address: '00' })).toMatch(/^address: expected [0-9A-F]{40}, got "00"/);
  other.priv_key.value = good.pub_key.value;
  expect(await refusal(other)).toBe('priv_key.value: expected 64 bytes (seed and public key), got 32');
});

test('the last-sign state survives being closed, and only the newest counts', async () => {
  const path = join(folder, 'deep', 'state');
  const store = lastSignFile(path);
  expect(await store.load()).toBeUndefined();
  for (let i = 1; i <= 5; i++) await store.save(utf8(`height ${i}`));
  await store.close();
  const again = lastSignFile(path);
  expect(await again.load()).toEqual(utf8('height 5'));
  await again.save(utf8('height 6'));
  await again.close();
  expect(await lastSignFile(path).load()).toEqual(utf8('height 6'));
  expect(statSync(path).size).toBe(8_192);
});

test('a write that is cut anywhere leaves the state before it; a file without a good state is refused', async () => {
  const path = join(folder, 'torn');
  const store = lastSignFile(path);
  await store.load();
  await store.save(utf8('first'));
  const before = readFileSync(path);
  await store.save(utf8('second, longer'));
  const after = readFileSync(path);
  await store.close();
  const changed = [...after.keys()].filter((at) => after[at] !== before[at]);
  const from = changed[0] ?? 0;
  const to = (changed.at(-1) ?? 0) + 1;
  for (let cut = from; cut <= to; cut++) {
    writeFileSync(path, Buffer.concat([after.subarray(0, cut), before.subarray(cut)]));
    const read = await lastSignFile(path).load();
    expect(read, `cut after ${cut} bytes`).toEqual(utf8(cut === to ? 'second, longer' : 'first'));
  }
  writeFileSync(
    path,
    after.map((byte, at) => (at % 4_096 === 13 ? byte ^ 1 : byte)),
  );
  await expect(lastSignFile(path).load()).rejects.toThrow(/is damaged: signing without it could sign twice/);
  for (const size of [13, 4_096, 8_191]) {
    writeFileSync(path, after.subarray(0, size));
    await expect(lastSignFile(path).load(), `${size} bytes`).rejects.toThrow(/is damaged/);
    expect(readFileSync(path)).toEqual(after.subarray(0, size));
  }
  writeFileSync(path, new Uint8Array(100));
  expect(await lastSignFile(path).load()).toBeUndefined();
  await expect(store.save(new Uint8Array(5_000))).rejects.toThrow(/5000 bytes exceed/);
});
