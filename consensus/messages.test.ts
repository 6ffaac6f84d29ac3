import * as fc from 'fast-check';
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { encodePartSetHeader } from '#core/types/block-id.ts';
import { NO_ROUND, toHeight, toRound } from '#core/types/brand.ts';
import { PRECOMMIT, PREVOTE } from '#core/types/vote.ts';
import { bitArray, encodeBitArray, hasBit, NO_BITS, readBitArray } from './bit-array.ts';
import { decodePeerMessage, encodePeerMessage, maxMessageBytes, type PeerMessage } from './messages.ts';
import { roundStatus } from './state.ts';
import { Kit } from './test-kit.ts';

function samples(): PeerMessage[] {
  const kit = new Kit({ self: 0, extensionsFrom: 1n }).fire('new-height');
  const block = kit.block('a');
  const height = toHeight(1n);
  kit.propose(block, 0).prevotes(0, block, 1, 2);
  const empty = {
    ...roundStatus(kit.state, toHeight(0n)),
    parts: NO_BITS,
    partSetHeader: { total: 0, hash: new Uint8Array(0) },
  };
  return [
    { kind: 'proposal', proposal: kit.proposal(block, 3, 1) },
    { kind: 'proposal', proposal: kit.proposal(block, 0) },
    ...block.parts.parts.map((part) => ({ kind: 'block-part', height, round: toRound(0), part }) as const),
    { kind: 'vote', vote: kit.vote(PREVOTE, 1, 0, undefined) },
    { kind: 'vote', vote: kit.vote(PRECOMMIT, 1, 2, block, 'extension') },
    { kind: 'status', status: roundStatus(kit.state, toHeight(1n)) },
    {
      kind: 'status',
      status: { ...empty, round: toRound(7), polRound: toRound(2), polPrevotes: bitArray(4, (i) => i > 1) },
    },
    { kind: 'block-request', height },
    { kind: 'block-response', height, block: new Uint8Array(0), commit: undefined },
  ];
}

test('every message survives its encoding', () => {
  for (const message of samples())
    expect(decodePeerMessage(encodePeerMessage(message))).toEqual({ ok: true, value: message });
});

test('a truncated, extended or altered message is refused or decodes to one that encodes to the same bytes', () => {
  const encoded = samples().map(encodePeerMessage);
  fc.assert(
    fc.property(fc.constantFrom(...encoded), fc.nat(), fc.integer({ min: 0, max: 255 }), (bytes, at, value) => {
      const altered = bytes.slice();
      altered[at % bytes.length] = value;
      for (const each of [altered, bytes.slice(0, at % bytes.length), new Uint8Array([...bytes, value])]) {
        const decoded = decodePeerMessage(each);
        if (!decoded.ok) expect(decoded.error.length).toBeGreaterThan(0);
      }
    }),
    { numRuns: 2_000 },
  );
});

/** A status whose fields may lie. */
function status(fields: (writer: ProtoWriter) => void): Uint8Array {
  const writer = new ProtoWriter();
  fields(writer);
  return new ProtoWriter().message(4, writer.finish()).finish();
}

test.each<[string, Uint8Array, RegExp]>([
  ['nothing', new Uint8Array(0), /exactly one kind/],
  [
    'two kinds',
    new Uint8Array([
      ...encodePeerMessage(samples()[7] as PeerMessage),
      ...encodePeerMessage(samples()[4] as PeerMessage),
    ]),
    /exactly one kind|height/,
  ],
  ['an unknown kind', new ProtoWriter().message(9, utf8('x')).finish(), /unknown field 9/],
  ['height zero', status((writer) => writer.varint(2, 1)), /height: expected ≥ 1/],
  ['a negative round', status((writer) => writer.varint(1, 1).varint(2, -1)), /round: expected ≥ 0/],
  ['a base above the height', status((writer) => writer.varint(1, 5).varint(3, 6)), /base/],
  ['a proof of lock in a later round', status((writer) => writer.varint(1, 5).varint(12, 9)), /pol_round/],
  [
    'a bit array whose size differs from its bytes',
    status((writer) =>
      writer.varint(1, 1).message(8, new ProtoWriter().varint(1, 100).bytes(2, new Uint8Array(3)).finish()),
    ),
    /expected 13 bytes for 100 bits, got 3/,
  ],
  [
    'a bit array of absurd size',
    status((writer) => writer.varint(1, 1).message(8, new ProtoWriter().varint(1, 0xffff_ffff).finish())),
    /exceed the limit/,
  ],
  [
    'parts that do not fit their header',
    status((writer) =>
      writer
        .varint(1, 1)
        .message(6, encodePartSetHeader({ total: 3, hash: new Uint8Array(32) }))
        .message(7, encodeBitArray(bitArray(2, () => true))),
    ),
    /parts: expected 3 bits, got 2/,
  ],
  [
    'more parts than a block can have',
    status((writer) => writer.varint(1, 1).message(6, encodePartSetHeader({ total: 5_000, hash: new Uint8Array(32) }))),
    /exceed the limit/,
  ],
])('refused: %s', (_, bytes, pattern) => {
  const decoded = decodePeerMessage(bytes);
  expect(decoded.ok).toBe(false);
  if (!decoded.ok) expect(decoded.error).toMatch(pattern);
});

test('a part whose proof is for another place is refused', () => {
  const kit = new Kit({ self: 0 });
  const [part] = kit.block('a').parts.parts;
  if (part === undefined) throw new Error('a block has a part');
  const moved = { ...part, index: 1 };
  const bytes = encodePeerMessage({ kind: 'block-part', height: toHeight(1n), round: toRound(0), part: moved });
  expect(decodePeerMessage(bytes)).toMatchObject({ ok: false, error: expect.stringContaining('proof.index') });
});

test('bit arrays keep exactly their bits', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { maxLength: 100 }), (bits) => {
      const array = readBitArray('bits', encodeBitArray(bitArray(bits.length, (i) => bits[i] === true)), 100);
      for (let i = 0; i < bits.length + 9; i++) expect(hasBit(array, i)).toBe(bits[i] === true);
    }),
  );
  expect(NO_ROUND).toBe(-1);
});

test('no message may be so large that a few hundred streams of unfinished ones exhaust a node', () => {
  for (let firstByte = 0; firstByte < 256; firstByte++)
    expect(maxMessageBytes(firstByte)).toBeLessThanOrEqual(2 * 1_048_576);
});
