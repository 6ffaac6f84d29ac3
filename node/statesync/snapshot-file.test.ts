import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { gunzipSync, gzipSync } from 'node:zlib';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { concat, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { err, ok } from '#core/result.ts';
import { manifestOf } from '#runtime/state/snapshot/format.ts';
import { encodeSnapshot } from './messages.ts';
import { dumpSnapshot, loadSnapshot, TAR_END, TarReader, tarEntry } from './snapshot-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'autonomy-dump-'));
afterAll(() => rmSync(folder, { recursive: true }));

const chunks = [new Uint8Array(70_000).fill(1), utf8('the last one is shorter')];
const snapshot = manifestOf(12n, chunks.map(sha256));
const path = join(folder, 'dumped.tar.gz');

async function load(from: string) {
  const taken: Uint8Array[] = [];
  const loaded = await loadSnapshot(
    from,
    () => ok(true),
    async (index, chunk) => {
      expect(index).toBe(taken.length);
      taken.push(chunk);
    },
  );
  return { loaded, taken };
}

test('what was dumped is loaded again; tar reads it, and what tar has packed is loaded', async () => {
  await dumpSnapshot(path, snapshot, async (index) => chunks[index]);
  expect(await load(path)).toEqual({ loaded: { ok: true, value: snapshot }, taken: chunks });
  const listed = execFileSync('tar', ['-tzvf', path], { encoding: 'utf8' });
  expect(listed.split('\n').map((line) => line.split(/ +/).at(-1))).toEqual(['_snapshot', '0', '1', '']);
  const unpacked = mkdtempSync(join(folder, 'unpacked-'));
  execFileSync('tar', ['-xzf', path, '-C', unpacked]);
  const theirs = join(folder, 'theirs.tar.gz');
  execFileSync('tar', ['-czf', theirs, '-C', unpacked, '_snapshot', '0', '1']);
  expect(await load(theirs)).toEqual({ loaded: { ok: true, value: snapshot }, taken: chunks });
});

test('a chunk that is missing leaves no file', async () => {
  const at = join(folder, 'missing.tar.gz');
  await expect(dumpSnapshot(at, snapshot, async (index) => (index === 0 ? chunks[0] : undefined))).rejects.toThrow(
    'chunk 1 of snapshot 12 is missing',
  );
  expect(() => readFileSync(at)).toThrow('ENOENT');
  expect(() => readFileSync(`${at}.unfinished`)).toThrow('ENOENT');
});

const manifest = tarEntry('_snapshot', encodeSnapshot(snapshot));
const [first, second] = chunks.map((chunk, i) => tarEntry(String(i), chunk)) as [Uint8Array, Uint8Array];
const other = encodeSnapshot({ ...snapshot, format: 9 });

test.each<[string, readonly Uint8Array[], string]>([
  ['no manifest', [first], 'expected _snapshot first, got "0"'],
  ['another format', [tarEntry('_snapshot', other)], 'expected format 1, got 9'],
  ['another order', [manifest, second], 'expected chunk 0, got "1"'],
  ['other bytes', [manifest, tarEntry('0', utf8('x'))], 'chunk 0: its hash is not the one in the manifest'],
  ['too many', [manifest, first, second, tarEntry('2', utf8('x'))], 'expected the end, got "2"'],
  ['too few', [manifest, first, TAR_END], 'the file ends after 1 of 2 chunks'],
  ['no end', [manifest, first, second], 'the file ends after 2 of 2 chunks'],
  ['more after the end', [manifest, first, second, TAR_END, first], 'archive: something follows its end'],
  ['zeros for ever', [manifest, new Uint8Array(200_000)], 'archive: nothing but zeros'],
  ['no archive', [utf8('x'.repeat(600))], 'archive: the checksum of an entry is wrong'],
])('refused: %s', async (_, parts, reason) => {
  const at = join(folder, 'refused.tar.gz');
  writeFileSync(at, gzipSync(concat(...parts)));
  const { loaded } = await load(at);
  expect(loaded.ok ? 'loaded' : loaded.error).toContain(reason);
});

test('a file that is cut, none at all, and one that is not wanted', async () => {
  const at = join(folder, 'cut.tar.gz');
  writeFileSync(at, readFileSync(path).subarray(0, 200));
  expect(await load(at)).toMatchObject({ loaded: { ok: false } });
  expect(await load(join(folder, 'nowhere'))).toMatchObject({ loaded: { error: expect.stringContaining('ENOENT') } });
  writeFileSync(at, 'not gzipped');
  expect(await load(at)).toMatchObject({ loaded: { error: expect.stringContaining('incorrect header check') } });
  const unwanted = await loadSnapshot(
    path,
    () => err('it is there already'),
    async () => {},
  );
  expect(unwanted).toEqual({ ok: false, error: `${path}: it is there already` });
});

test('entries are the same however the archive is cut, and nothing makes the reader throw or grow', () => {
  const archive = new Uint8Array(gunzipSync(readFileSync(path)));
  fc.assert(
    fc.property(
      fc.array(fc.nat(30_000), { minLength: 1, maxLength: 12 }),
      fc.array(fc.tuple(fc.nat(archive.length - 1), fc.nat(255)), { maxLength: 2 }),
      (cuts, damage) => {
        const bytes = archive.slice();
        for (const [at, value] of damage) bytes[at] = value;
        const reader = new TarReader(70_000);
        const names: string[] = [];
        let refused = false;
        for (let at = 0, turn = 0; at < bytes.length && !refused; turn++) {
          const size = 1 + (cuts[turn % cuts.length] ?? 0);
          const entries = reader.push(bytes.subarray(at, at + size));
          at += size;
          if (entries.ok) for (const { name } of entries.value) names.push(name);
          else refused = true;
        }
        if (damage.length === 0) expect([names, reader.ended]).toEqual([['_snapshot', '0', '1'], true]);
        expect(names.length).toBeLessThanOrEqual(3);
      },
    ),
    { numRuns: 60 },
  );
  const large = new TarReader(10).push(tarEntry('0', new Uint8Array(11)));
  expect(large).toEqual({ ok: false, error: 'archive: 11 bytes of "0" exceed the limit of 10' });
});
