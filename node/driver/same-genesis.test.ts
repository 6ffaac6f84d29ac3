import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { isSameGenesis } from './same-genesis.ts';

const [own, other] = [sha256(utf8('{"chain_id":"one"}')), sha256(utf8('{"chain_id":"one"}\n'))];

test('a chain that has begun goes on with the document that it began with, to the byte', async () => {
  const kv = new MemoryKv();
  expect(await isSameGenesis(kv, own, false)).toBe(true);
  expect(await isSameGenesis(kv, own, true)).toBe(true);
  expect(await isSameGenesis(kv, other, true)).toBe(false);
  // The refusal has changed nothing.
  expect(await isSameGenesis(kv, own, true)).toBe(true);
});

test('before the first block another document takes the place of the first', async () => {
  const kv = new MemoryKv();
  expect(await isSameGenesis(kv, own, false)).toBe(true);
  expect(await isSameGenesis(kv, other, false)).toBe(true);
  expect(await isSameGenesis(kv, own, true)).toBe(false);
});

test('blocks of a build that remembered no document take the one that is there', async () => {
  const kv = new MemoryKv();
  expect(await isSameGenesis(kv, own, true)).toBe(true);
  expect(await isSameGenesis(kv, other, true)).toBe(false);
});
