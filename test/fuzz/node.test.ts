/** What operators write and peers send to a node's outermost layer: a value or a sentence, never anything else. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat } from '#core/bytes.ts';
import { parseCoins, parseGasPrice } from '#node/client/amounts.ts';
import { parseListenAddress, parsePeers } from '#node/config/address.ts';
import { parseConfig, renderConfig } from '#node/config/config.ts';
import { parseDuration } from '#node/config/duration.ts';
import { decodeArmor, encodeArmor } from '#node/keyring/armor.ts';
import { FrameReader, frameHead } from '#node/p2p/framing.ts';
import { RecordReader } from '#node/p2p/record-reader.ts';
import { TAR_END, TarReader, tarEntry } from '#node/statesync/snapshot-file.ts';
import { fuzzRuns } from './runs.ts';

const LIMIT = 300;

test('a direct stream of any bytes, cut anywhere, gives messages within the limit or one error', () => {
  const piece = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: LIMIT }).map((bytes) => concat(frameHead(bytes), bytes)),
    fc.uint8Array({ maxLength: 40 }),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 12 }), fc.array(fc.nat(200), { minLength: 1 }), (pieces, cuts) => {
      const stream = concat(...pieces);
      const reader = new FrameReader(() => LIMIT);
      let messages = 0;
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const size = 1 + (cuts[turn % cuts.length] ?? 0);
        const result = reader.push(stream.subarray(at, at + size));
        at += size;
        if (!result.ok) {
          expect(result.error).not.toBe('');
          return;
        }
        for (const message of result.value) {
          expect(message.length).toBeGreaterThan(0);
          expect(message.length).toBeLessThanOrEqual(LIMIT);
          messages += 1;
        }
      }
      expect(messages).toBeLessThanOrEqual(stream.length);
    }),
    { numRuns: fuzzRuns() },
  );
});

test('a connection of any bytes, cut anywhere, gives records of as many bytes at most', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 60 }), { maxLength: 20 }), (pieces) => {
      const reader = new RecordReader();
      const read = pieces.flatMap((piece) => reader.decode(piece)).reduce((sum, { length }) => sum + length, 0);
      expect(read).toBeLessThanOrEqual(concat(...pieces).length);
    }),
    { numRuns: fuzzRuns() },
  );
});

test('a configuration with any line damaged is read, or refused in a sentence', () => {
  const lines = renderConfig({}).split('\n');
  fc.assert(
    fc.property(fc.nat(lines.length - 1), fc.string(), fc.boolean(), (at, text, replace) => {
      const damaged = lines.with(at, replace ? text : `${lines[at]}${text}`).join('\n');
      const result = parseConfig(damaged);
      if (!result.ok) expect(result.error).not.toBe('');
    }),
    { numRuns: fuzzRuns(500) },
  );
});

test('any text is an address, a duration, an amount or a refusal', () => {
  const text = fc.oneof(fc.string(), fc.stringMatching(/^[0-9a-z.:,@/[\]-]{0,40}$/));
  fc.assert(
    fc.property(text, (input) => {
      for (const parse of [parseListenAddress, parsePeers, parseDuration, parseCoins, parseGasPrice]) {
        const result = parse(input);
        if (!result.ok) expect(result.error).not.toBe('');
      }
    }),
    { numRuns: fuzzRuns() },
  );
});

test('an armor with any characters changed is read, or refused in a sentence', () => {
  const headers = new Map([['kdf', 'argon2']]);
  const text = encodeArmor({ type: 'TENDERMINT PRIVATE KEY', headers, body: new Uint8Array(53).fill(7) });
  fc.assert(
    fc.property(fc.nat(text.length), fc.nat(20), fc.string({ maxLength: 12 }), (at, gone, more) => {
      const result = decodeArmor(`${text.slice(0, at)}${more}${text.slice(at + gone)}`);
      if (!result.ok) expect(result.error).toMatch(/^armor: /);
      else expect(result.value.body.length).toBeLessThan(100);
    }),
    { numRuns: fuzzRuns() },
  );
});

test('an archive of any bytes, cut anywhere, gives entries within the limit or a sentence', () => {
  const piece = fc.oneof(
    fc
      .tuple(fc.stringMatching(/^[0-9_a-z]{0,9}$/), fc.uint8Array({ maxLength: LIMIT + 9 }))
      .map(([name, content]) => tarEntry(name, content)),
    fc.uint8Array({ maxLength: 600 }),
    fc.constant(TAR_END),
  );
  fc.assert(
    fc.property(fc.array(piece, { maxLength: 6 }), fc.integer({ min: 1, max: 2_000 }), (pieces, size) => {
      const stream = concat(...pieces);
      const reader = new TarReader(LIMIT);
      for (let at = 0; at < stream.length; at += size) {
        const result = reader.push(stream.subarray(at, at + size));
        if (!result.ok) {
          expect(result.error).toMatch(/^archive: /);
          return;
        }
        for (const { content } of result.value) expect(content.length).toBeLessThanOrEqual(LIMIT);
      }
    }),
    { numRuns: fuzzRuns() },
  );
});
