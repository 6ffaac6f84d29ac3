import { generateKeyPairFromSeed } from '@libp2p/crypto/keys';
import type { Logger, SecuredConnection } from '@libp2p/interface';
import { type NoiseComponents, type NoiseExtensions, noise } from '@libp2p/noise';
import { peerIdFromPrivateKey } from '@libp2p/peer-id';
import { multiaddrConnectionPair } from '@libp2p/utils';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { concat, toHex } from '#core/bytes.ts';
import { coalescing } from './coalesce.ts';
import { noiseCrypto } from './noise-crypto.ts';
import { RecordReader, readRecords } from './record-reader.ts';

const record = (content: Uint8Array) => concat(Uint8Array.of(content.length >>> 8, content.length & 255), content);

test('records come back whole, however they were cut; empty ones are left out', () => {
  const contents = fc.array(fc.uint8Array({ maxLength: 600 }), { maxLength: 8 });
  fc.assert(
    fc.property(contents, fc.array(fc.nat(400), { minLength: 1 }), (all, cuts) => {
      const stream = concat(...all.map(record));
      const reader = new RecordReader();
      const read: string[] = [];
      for (let at = 0, turn = 0; at < stream.length; turn++) {
        const size = 1 + (cuts[turn % cuts.length] ?? 0);
        for (const found of reader.decode(stream.subarray(at, at + size))) read.push(toHex(found));
        at += size;
      }
      expect(read).toEqual(all.filter(({ length }) => length > 0).map(toHex));
    }),
  );
});

test('the largest record, byte by byte', () => {
  const content = new Uint8Array(65_535).map((_, i) => i);
  const reader = new RecordReader();
  const read = [...record(content)].flatMap((byte) => reader.decode(Uint8Array.of(byte)));
  expect(read.map(toHex)).toEqual([toHex(content)]);
});

test('what another reader has begun is carried on; what is no encrypted stream is left alone', () => {
  const [begun, rest] = [record(Uint8Array.of(1, 2, 3)).subarray(0, 4), Uint8Array.of(3)];
  const stream = { decoder: { buffer: begun, decode: (): Uint8Array[] => [] } };
  readRecords(stream as never);
  expect((stream.decoder.decode as RecordReader['decode'])(rest)).toEqual([Uint8Array.of(1, 2, 3)]);
  const other = { decoder: { decode: () => [] } };
  const { decoder } = other;
  readRecords(other as never);
  expect(other.decoder).toBe(decoder);
});

async function components(seed: number): Promise<NoiseComponents> {
  const privateKey = await generateKeyPairFromSeed('Ed25519', new Uint8Array(32).fill(seed));
  const log = Object.assign(() => undefined, {
    enabled: false,
    trace: () => undefined,
    error: () => undefined,
    newScope: (): unknown => log,
  });
  const logger = { forComponent: () => log as unknown as Logger };
  const upgrader = { getStreamMuxers: () => new Map() } as unknown as NoiseComponents['upgrader'];
  return { privateKey, peerId: peerIdFromPrivateKey(privateKey), logger, upgrader };
}

test('noise of both kinds understands the other, in both directions', async () => {
  const [near, far] = multiaddrConnectionPair();
  const [own, others] = [coalescing(noise({ crypto: noiseCrypto }))(await components(1)), noise()(await components(2))];
  const secured: SecuredConnection<NoiseExtensions>[] = await Promise.all([
    own.secureOutbound(near),
    others.secureInbound(far),
  ]);
  const [a, b] = secured.map(({ connection }) => connection);
  if (a === undefined || b === undefined) throw new Error('not connected');
  // The package keeps its reader where it is looked for.
  expect('decoder' in a && a.decoder).toBeInstanceOf(RecordReader);
  const received = { a: 0, b: 0 };
  a.addEventListener('message', ({ data }) => {
    received.a += data.byteLength;
  });
  b.addEventListener('message', ({ data }) => {
    received.b += data.byteLength;
  });
  const sizes = [1, 599, 600, 1_200, 65_519, 65_520, 200_000];
  for (const size of sizes) for (const stream of [a, b]) stream.send(new Uint8Array(size));
  const sum = sizes.reduce((total, size) => total + size, 0);
  await vi.waitFor(() => expect(received).toEqual({ a: sum, b: sum }), { timeout: 5_000 });
  a.abort(new Error('done'));
});
