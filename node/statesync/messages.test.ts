import fc from 'fast-check';
import { expect, test } from 'vitest';
import { EMPTY } from '#core/bytes.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { STATE_LIMITS } from '#runtime/limits.ts';
import { NODE_LIMITS } from '../limits.ts';
import {
  decodeSnapshotMessage,
  encodeSnapshot,
  encodeSnapshotMessage,
  isSnapshotMessage,
  maxSnapshotMessageBytes,
  type SnapshotMessage,
} from './messages.ts';

const height = fc.bigInt({ min: 1n, max: 2n ** 63n - 1n });
const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
const place = { height, format: fc.nat(0xffff), index: fc.nat(STATE_LIMITS.snapshotChunks - 1) };
const snapshot = fc.record({
  height,
  format: fc.nat(0xffff),
  chunks: fc.integer({ min: 1, max: STATE_LIMITS.snapshotChunks }),
  hash: bytes(32),
  metadata: fc.uint8Array({ maxLength: 200 }),
});
const message: fc.Arbitrary<SnapshotMessage> = fc.oneof(
  fc.constant({ kind: 'snapshots-request' } as const),
  fc.record({
    kind: fc.constant('snapshots-response' as const),
    snapshots: fc.array(snapshot, { maxLength: NODE_LIMITS.maxSnapshotsPerPeer }),
  }),
  fc.record({ kind: fc.constant('chunk-request' as const), ...place }),
  fc.record({
    kind: fc.constant('chunk-response' as const),
    ...place,
    chunk: fc.oneof(fc.constant(undefined), fc.uint8Array({ maxLength: 300 })),
  }),
);

test('every message survives its encoding, and its first byte says what it is', () => {
  fc.assert(
    fc.property(message, (value) => {
      const encoded = encodeSnapshotMessage(value);
      expect(decodeSnapshotMessage(encoded)).toEqual({ ok: true, value });
      expect(isSnapshotMessage(encoded[0])).toBe(true);
      expect(encoded.length).toBeLessThanOrEqual(maxSnapshotMessageBytes(encoded[0] ?? 0));
    }),
  );
});

test('a full chunk fits into its message, and nothing larger is read', () => {
  const chunk = new Uint8Array(STATE_LIMITS.snapshotChunkBytes);
  const where = { height: 2n ** 62n, format: 0xffffffff, index: STATE_LIMITS.snapshotChunks - 1 };
  const full = encodeSnapshotMessage({ kind: 'chunk-response', ...where, chunk });
  expect(full.length).toBeLessThanOrEqual(maxSnapshotMessageBytes(full[0] ?? 0));
  const larger = encodeSnapshotMessage({ kind: 'chunk-response', ...where, chunk: new Uint8Array(chunk.length + 1) });
  expect(decodeSnapshotMessage(larger)).toMatchObject({
    ok: false,
    error: expect.stringContaining('exceed the limit'),
  });
});

const valid = { height: 5n, format: 1, chunks: 2, hash: new Uint8Array(32), metadata: new Uint8Array(64) };
const offering = (...encoded: Uint8Array[]) => {
  const list = new ProtoWriter();
  for (const each of encoded) list.message(1, each);
  return new ProtoWriter().message(9, list.finish()).finish();
};

test.each<[string, Uint8Array, RegExp]>([
  ['nothing', EMPTY, /expected exactly one kind/],
  [
    'a huge number of chunks',
    offering(encodeSnapshot({ ...valid, chunks: 2 ** 31 })),
    /chunks: expected 1 … 65536, got/,
  ],
  ['no chunks', offering(encodeSnapshot({ ...valid, chunks: 0 })), /chunks: expected 1/],
  ['no height', offering(encodeSnapshot({ ...valid, height: 0n })), /height: expected ≥ 1/],
  ['a negative height', offering(encodeSnapshot({ ...valid, height: -1n })), /height: expected ≥ 1, got -1/],
  ['a short hash', offering(encodeSnapshot({ ...valid, hash: new Uint8Array(31) })), /hash: expected 32 bytes/],
  ['too many snapshots', offering(...Array.from({ length: 11 }, () => encodeSnapshot(valid))), /fields/],
  [
    'a missing chunk with content',
    new ProtoWriter()
      .message(11, new ProtoWriter().varint(1, 5).bytes(4, Uint8Array.of(1)).varint(5, 1).finish())
      .finish(),
    /expected nothing of a missing chunk/,
  ],
  [
    'an index beyond all snapshots',
    new ProtoWriter().message(10, new ProtoWriter().varint(1, 5).varint(3, 65_536).finish()).finish(),
    /index: expected below 65536/,
  ],
])('refused: %s', (_what, encoded, reason) => {
  const decoded = decodeSnapshotMessage(encoded);
  expect(decoded.ok ? 'accepted' : decoded.error).toMatch(reason);
});
