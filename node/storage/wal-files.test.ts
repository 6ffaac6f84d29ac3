import { appendFileSync, mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { concat, utf8 } from '#core/bytes.ts';
import { openWalFiles } from './wal-files.ts';

const root = mkdtempSync(join(tmpdir(), 'autonomy-wal-'));
afterAll(() => rmSync(root, { recursive: true }));
let serial = 0;
const freshFolder = () => join(root, String(serial++));

test('what was synced is read back after a restart, what was not is gone', async () => {
  const folder = freshFolder();
  const wal = await openWalFiles({ folder, rotateBytes: 1_000 });
  await wal.append(utf8('one'));
  await wal.append(utf8('two'));
  await wal.sync();
  await wal.append(utf8('lost'));
  // No close: the process died here.
  const again = await openWalFiles({ folder, rotateBytes: 1_000 });
  expect(await again.read()).toEqual(utf8('onetwo'));
  await again.close();
  await wal.close();
});

test('a torn tail is cut at any length, also across files', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(fc.uint8Array({ minLength: 1, maxLength: 20 }), { minLength: 1, maxLength: 12 }),
      fc.nat(1_000),
      async (frames, cut) => {
        const folder = freshFolder();
        const first = await openWalFiles({ folder, rotateBytes: 16 });
        for (const frame of frames) {
          await first.append(frame);
          await first.sync();
          await first.rotate();
        }
        await first.close();
        const second = await openWalFiles({ folder, rotateBytes: 16 });
        const all = await second.read();
        const length = cut % (all.length + 1);
        await second.truncate(length);
        await second.append(utf8('next'));
        await second.close();
        const third = await openWalFiles({ folder, rotateBytes: 16 });
        expect(await third.read()).toEqual(concat(all.subarray(0, length), utf8('next')));
        await third.close();
      },
    ),
    { numRuns: 30 },
  );
});

test('rotation keeps the last marker and drops what stands before', async () => {
  const folder = freshFolder();
  const wal = await openWalFiles({ folder, rotateBytes: 10 });
  for (let height = 0; height < 20; height++) {
    await wal.append(utf8(`height ${height} ends|`));
    await wal.sync();
    await wal.rotate();
  }
  await wal.append(utf8('after'));
  await wal.close();
  expect(readdirSync(folder).length).toBe(2);
  const again = await openWalFiles({ folder, rotateBytes: 10 });
  expect(new TextDecoder().decode(await again.read())).toBe('height 19 ends|after');
  await again.close();
});

test('a log that is never synced keeps nothing of the heights that have ended', async () => {
  const folder = freshFolder();
  const wal = await openWalFiles({ folder, rotateBytes: 1_000_000 });
  for (let height = 0; height < 20; height++) {
    await wal.append(utf8(`inputs of ${height}|`));
    await wal.append(utf8(`height ${height} ends|`));
    await wal.rotate();
  }
  await wal.append(utf8('after'));
  await wal.close();
  const again = await openWalFiles({ folder, rotateBytes: 10 });
  expect(new TextDecoder().decode(await again.read())).toBe('height 19 ends|after');
  await again.close();
});

test('an end of height that is not synced yet is on disk once the file is closed at a rotation', async () => {
  const folder = freshFolder();
  const wal = await openWalFiles({ folder, rotateBytes: 10 });
  await wal.append(utf8('inputs of height 1|'));
  await wal.sync();
  await wal.append(utf8('height 1 ends|'));
  await wal.rotate();
  const again = await openWalFiles({ folder, rotateBytes: 10 });
  expect(new TextDecoder().decode(await again.read())).toBe('inputs of height 1|height 1 ends|');
  await again.close();
  await wal.close();
});

test('other files in the folder are left alone', async () => {
  const folder = freshFolder();
  const wal = await openWalFiles({ folder, rotateBytes: 10 });
  appendFileSync(join(folder, 'note.txt'), 'hello');
  await wal.append(utf8('a'));
  await wal.close();
  const again = await openWalFiles({ folder, rotateBytes: 10 });
  expect(await again.read()).toEqual(utf8('a'));
  await again.close();
});

test('after a failure to write the log takes nothing more', async () => {
  const folder = freshFolder();
  const wal = await openWalFiles({ folder, rotateBytes: 1 });
  await wal.append(utf8('a'));
  await wal.sync();
  rmSync(folder, { recursive: true });
  await expect(wal.rotate()).rejects.toThrow(/cannot be written/);
  await expect(wal.append(utf8('b'))).rejects.toThrow(/has failed before/);
  await expect(wal.sync()).rejects.toThrow(/has failed before/);
});
