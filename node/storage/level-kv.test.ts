import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { compare, u32be, utf8 } from '#core/bytes.ts';
import type { KvOp, KvRange } from '#core/ports/kv.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { HomeLockedError, lockHome } from './home-lock.ts';
import { openLevelKv } from './level-kv.ts';
import { createRangeReader } from './range-reader.ts';

const folder = mkdtempSync(join(tmpdir(), 'autonomy-kv-'));
const rangeReader = createRangeReader();
afterAll(async () => {
  await rangeReader.close();
  rmSync(folder, { recursive: true });
});

const open = (name: string) => openLevelKv({ path: join(folder, name), cacheBytes: 1 << 20 }, { rangeReader });

const key = fc.uint8Array({ minLength: 1, maxLength: 3 });
/** Batches of small operations go another way than those of large ones. */
const value = fc.oneof(
  { weight: 3, arbitrary: fc.uint8Array({ minLength: 1, maxLength: 8 }) },
  fc.nat(255).map((byte) => new Uint8Array(2_000).fill(byte)),
);
const op: fc.Arbitrary<KvOp> = fc.oneof(
  fc.record({ type: fc.constant('put' as const), key, value }),
  fc.record({ type: fc.constant('del' as const), key }),
);
const range: fc.Arbitrary<KvRange> = fc.record(
  { gte: key, lt: key, reverse: fc.boolean(), limit: fc.nat(40) },
  { requiredKeys: [] },
);

test('answers every range as the in-memory store does', async () => {
  let run = 0;
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.array(op, { maxLength: 60 }), { maxLength: 4 }),
      fc.array(range),
      async (batches, ranges) => {
        const level = await open(`property-${run++}`);
        const memory = new MemoryKv();
        for (const batch of batches) {
          await level.write(batch);
          await memory.write(batch);
          for (const item of ranges) {
            const seen = [...level.entries(item)].map(([k, v]) => [[...k], [...v]]);
            expect(seen).toEqual([...memory.entries(item)].map(([k, v]) => [[...k], [...v]]));
          }
        }
        await level.close();
      },
    ),
    { numRuns: 25 },
  );
});

test('crosses chunk borders in both directions and stops early', async () => {
  const kv = await open('chunks');
  const total = 2_500;
  await kv.write(
    Array.from({ length: total }, (_, i) => ({ type: 'put', key: u32be(i), value: u32be(i * 2) }) as const),
    {
      sync: true,
    },
  );
  const forward = [...kv.entries({})];
  expect(forward).toHaveLength(total);
  for (let i = 1; i < total; i++)
    expect(compare(forward[i - 1]?.[0] ?? u32be(0), forward[i]?.[0] ?? u32be(0))).toBe(-1);
  const backward = [...kv.entries({ reverse: true })].reverse();
  expect(backward).toEqual(forward);
  expect([...kv.entries({ gte: u32be(7), limit: 1 })].map(([k]) => [...k])).toEqual([[0, 0, 0, 7]]);
  for (const [found] of kv.entries({ gte: u32be(20) })) {
    expect([...found]).toEqual([...u32be(20)]);
    break;
  }
  await kv.close();
});

test('a range of large entries is whole, though the binding hands it out by bytes', async () => {
  const kv = await open('large');
  const total = 300;
  const value = new Uint8Array(5_000).fill(1);
  await kv.write(Array.from({ length: total }, (_, i) => ({ type: 'put', key: u32be(i), value })));
  expect([...kv.entries({})]).toHaveLength(total);
  expect([...kv.entries({ reverse: true })]).toHaveLength(total);
  expect([...kv.entries({ limit: 250 })]).toHaveLength(250);
  await kv.close();
});

test('keeps what was written when it is opened again', async () => {
  const first = await open('again');
  await first.write([{ type: 'put', key: utf8('a'), value: utf8('1') }], { sync: true });
  expect([...first.entries({})]).toHaveLength(1);
  await first.close();
  const second = await open('again');
  expect(second.get(utf8('a'))).toEqual(utf8('1'));
  expect(second.get(utf8('b'))).toBeUndefined();
  expect([...second.entries({})]).toHaveLength(1);
  await second.close();
});

test('a write to a closed database is refused, of small operations and of large ones', async () => {
  const kv = await open('closed');
  await kv.close();
  for (const bytes of [1, 2_000]) {
    const write = kv.write([{ type: 'put', key: utf8('a'), value: new Uint8Array(bytes).fill(1) }]);
    await expect(write).rejects.toThrow('Database is not open');
  }
});

test('a second process on one home is refused, and a killed one leaves no lock', async () => {
  const home = join(folder, 'home');
  const holder = spawn(process.execPath, [
    '--input-type=module',
    '-e',
    `const { lockHome } = await import(${JSON.stringify(new URL('./home-lock.ts', import.meta.url).href)});
     await lockHome(${JSON.stringify(home)}); console.log('held'); setInterval(() => {}, 1000);`,
  ]);
  await once(holder.stdout, 'data');
  await expect(lockHome(home)).rejects.toThrow(HomeLockedError);
  await expect(lockHome(home)).rejects.toThrow(/already in use by a running node/);
  holder.kill('SIGKILL');
  await once(holder, 'exit');
  const lock = await lockHome(home);
  await lock.release();
});
