import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, u32be, utf8 } from '#core/bytes.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import type { Input, WalRecord } from './input.ts';
import { Kit } from './test-kit.ts';
import { crc32c, decodeWal, encodeWalRecord, PrefixChecksums, tailOfWal } from './wal-codec.ts';

/** Records of every kind. */
function records(): WalRecord[] {
  const logs = [0, 1, 2, 3].map((self) => {
    const kit = new Kit({ self, extensionsFrom: 1n }).fire('new-height');
    const block = kit.state.candidate ?? kit.block('a');
    const others = [0, 1, 2, 3].filter((index) => index !== self);
    kit
      .propose(block, 0)
      .prevotes(0, block, ...others.slice(1))
      .precommits(0, block, others[0] ?? 0);
    return kit.logged;
  });
  const height = toHeight(1n);
  const round = toRound(0);
  const more: Input[] = [
    { kind: 'txs-available', height },
    { kind: 'prepared', height, round, txs: [utf8('a'), new Uint8Array(0)], evidence: [] },
    { kind: 'sign-refused', height, round, what: 'precommit' },
    { kind: 'timeout', height, round: toRound(3), step: 'precommit' },
    { kind: 'timeout', height, round, step: 'new-height' },
    { kind: 'timeout', height, round, step: 'new-height', waits: true },
    { kind: 'timeout', height, round, step: 'new-height', waits: false },
    { kind: 'processed', height, round, blockHash: new Uint8Array(32).fill(1), accept: false },
  ];
  const inputs = [...logs.flat(), ...more].filter((input) => input.kind !== 'committed');
  return [...inputs.map((input) => ({ kind: 'input', input }) as const), { kind: 'end-height', height }];
}

function read(bytes: Uint8Array) {
  const content = decodeWal(bytes);
  if (!content.ok) throw new Error(content.error);
  return content.value;
}

test('crc32c of the check string (RFC 3720 appendix B.4 polynomial)', () => {
  expect(crc32c(utf8('123456789'))).toBe(0xe3069283);
  expect(crc32c(new Uint8Array(32))).toBe(0x8a9136aa);
});

test('records of every kind survive', () => {
  const all = records();
  const kinds = new Set(all.map((record) => (record.kind === 'input' ? record.input.kind : record.kind)));
  expect(kinds.size).toBe(13);
  const bytes = concat(...all.map(encodeWalRecord));
  expect(read(bytes)).toEqual({ records: all, length: bytes.length });
});

test('torn at every byte: the whole records before it remain, the rest is cut', () => {
  const all = records();
  const frames = all.map(encodeWalRecord);
  const bytes = concat(...frames);
  const ends = frames.map((_, i) => frames.slice(0, i + 1).reduce((sum, frame) => sum + frame.length, 0));
  for (let length = 0; length < bytes.length; length++) {
    const content = read(bytes.slice(0, length));
    expect(content.records).toHaveLength(ends.filter((end) => end <= length).length);
    expect(content.length).toBe(Math.max(0, ...ends.filter((end) => end <= length)));
  }
});

test('a tail of zeros, as file systems leave it after a crash, is cut', () => {
  const frames = records().map(encodeWalRecord);
  const sound = concat(...frames);
  expect(read(concat(sound, new Uint8Array(4096))).length).toBe(sound.length);
});

test('a flipped bit with sound records after it is corruption, and the error says where', () => {
  const frames = records().slice(0, 6).map(encodeWalRecord);
  const bytes = concat(...frames);
  const last = frames.at(-1) as Uint8Array;
  fc.assert(
    fc.property(fc.integer({ min: 0, max: (bytes.length - last.length) * 8 - 1 }), (bit) => {
      const damaged = bytes.slice();
      damaged[bit >> 3] = (damaged[bit >> 3] as number) ^ (1 << (bit & 7));
      const content = decodeWal(damaged);
      expect(content.ok).toBe(false);
      if (!content.ok)
        expect(content.error).toMatch(/^WAL: the record at byte \d+ is corrupt, but there is a sound one at byte \d+$/);
    }),
    { numRuns: 200 },
  );
});

test('a torn record that contains a sound one, as a transaction may, is cut like any other', () => {
  const [height, round] = [toHeight(1n), toRound(0)];
  const inner = encodeWalRecord({ kind: 'end-height', height: toHeight(9n) });
  const input: Input = { kind: 'prepared', height, round, txs: [concat(utf8('a'), inner, utf8('bcd'))], evidence: [] };
  const frame = encodeWalRecord({ kind: 'input', input });
  const sound = concat(...records().slice(0, 2).map(encodeWalRecord));
  for (let cut = 0; cut < frame.length; cut++)
    expect(read(concat(sound, frame.slice(0, cut))).length, `${cut} bytes`).toBe(sound.length);
  const damaged = frame.slice();
  damaged.fill(0, frame.length - 2);
  expect(read(concat(sound, damaged)).length).toBe(sound.length);
  const after = decodeWal(concat(sound, damaged, inner));
  expect(after.ok ? '' : after.error).toMatch(new RegExp(`sound one at byte ${sound.length + frame.length}$`));
});

test('the checksum of any range follows from those of the prefixes', () => {
  fc.assert(
    fc.property(fc.uint8Array({ minLength: 1, maxLength: 500 }), fc.nat(), fc.nat(), fc.nat(), (bytes, a, b, c) => {
      const [from = 0, start = 0, end = 0] = [a, b, c].map((at) => at % (bytes.length + 1)).sort((x, y) => x - y);
      expect(new PrefixChecksums(bytes, from).range(start, end)).toBe(crc32c(bytes.subarray(start, end)));
    }),
  );
});

test('a corrupt log full of what looks like records is looked through once, not once for each of them', () => {
  const claimed = 1_000_000;
  // A header, the tag of a vote, and the varint that makes it fill the record: as a transaction may contain it.
  const unit = concat(u32be(claimed), u32be(7), Uint8Array.of(0x1a, 0xbc, 0x84, 0x3d, 0, 0, 0, 0));
  const junk = new Uint8Array(4_194_304);
  for (let at = 0; at < junk.length; at += unit.length) junk.set(unit, at);
  const sound = records().slice(0, 2).map(encodeWalRecord);
  const bytes = concat(...sound, junk);
  // Over all of these a checksum each would be a hundred billion bytes.
  expect(read(bytes).length).toBe(bytes.length - junk.length);
  const [next = new Uint8Array(0)] = sound;
  const damaged = decodeWal(concat(bytes, next));
  expect(damaged.ok ? '' : damaged.error).toMatch(new RegExp(`sound one at byte ${bytes.length}$`));
});

test('any bytes are read or refused, never thrown on', () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => typeof decodeWal(bytes).ok === 'boolean'));
});

test('replay begins after the mark of the last ended height', () => {
  const all = records();
  const input = all[0] as WalRecord;
  expect(tailOfWal([...all, input])).toEqual({ lastEnded: 1n, inputs: input.kind === 'input' ? [input.input] : [] });
  expect(tailOfWal([]).lastEnded).toBeUndefined();
});
