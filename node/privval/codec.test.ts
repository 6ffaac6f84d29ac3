import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromHex, toHex, utf8 } from '#core/bytes.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { sha256, sha256Truncated } from '#core/crypto/hash.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toAddress, toHeight, toRound } from '#core/types/brand.ts';
import { decodePrivval, encodePrivval, type PrivvalMessage } from './codec.ts';
import { ed25519KeyFromSeed } from './ed25519-key.ts';
import { PRIVVAL_LIMITS } from './limits.ts';

const blockId = {
  hash: sha256(utf8('blockID_hash')),
  partSetHeader: { total: 1_000_000, hash: sha256(utf8('blockID_part_set_header_hash')) },
};
/** The vote of privval/msgs_test.go (CometBFT v0.38.17), whose type there is 2 and whose signature is not sent. */
const vote = {
  type: 2,
  height: toHeight(3),
  round: toRound(2),
  blockId,
  timestamp: { seconds: 1_570_983_284n, nanos: 0 },
  validatorAddress: toAddress(sha256Truncated(utf8('validator_address'))),
  validatorIndex: 56_789,
  signature: new Uint8Array(0),
  extension: utf8('extension'),
  extensionSignature: new Uint8Array(0),
} as const;
const error = { code: 1, description: "it's a error" };

/** Name, message, its bytes by privval/msgs_test.go TestPrivvalVectors of CometBFT v0.38.17. */
const COMET: readonly (readonly [string, PrivvalMessage, string])[] = [
  ['ping request', { kind: 'ping-request' }, '3a00'],
  ['ping response', { kind: 'ping-response' }, '4200'],
  ['key request', { kind: 'pub-key-request', chainId: '' }, '0a00'],
  [
    'key response',
    {
      kind: 'pub-key-response',
      answer: { value: ed25519Key(ed25519KeyFromSeed(sha256(utf8("it's a secret"))).publicKey) },
    },
    '12240a220a20556a436f1218d30942efe798420f51dc9b6a311b929c578257457d05c5fcf230',
  ],
  [
    'vote request',
    { kind: 'sign-vote-request', vote, chainId: '' },
    '1a81010a7f080210031802224a0a208b01023386c371778ecb6368573e539afc3cc860ec3a2f614e54fe5652f4fc80122608c0843d122072db3d959635dff1bb567bedaa70573392c5159666a3f8caf11e413aac52207a2a0608f49a8ded0532146af1f4111082efb388211bc72c55bcd61e9ac3d538d5bb034a09657874656e73696f6e',
  ],
  [
    'vote response',
    { kind: 'signed-vote-response', answer: { value: vote } },
    '2281010a7f080210031802224a0a208b01023386c371778ecb6368573e539afc3cc860ec3a2f614e54fe5652f4fc80122608c0843d122072db3d959635dff1bb567bedaa70573392c5159666a3f8caf11e413aac52207a2a0608f49a8ded0532146af1f4111082efb388211bc72c55bcd61e9ac3d538d5bb034a09657874656e73696f6e',
  ],
  [
    'vote response with error',
    { kind: 'signed-vote-response', answer: { error } },
    '22250a11220212002a0b088092b8c398feffffff0112100801120c697427732061206572726f72',
  ],
  [
    'proposal response with error',
    { kind: 'signed-proposal-response', answer: { error } },
    '32250a112a021200320b088092b8c398feffffff0112100801120c697427732061206572726f72',
  ],
];

test.each(COMET)("%s has CometBFT's bytes, and reads back", (_name, message, hex) => {
  expect(toHex(encodePrivval(message))).toBe(hex);
  const decoded = decodePrivval(fromHex(hex));
  // The block of its votes has more parts than a block may have.
  if (hex.includes(toHex(blockId.hash)))
    expect(decoded.ok ? 'accepted' : decoded.error).toMatch(/1000000 parts exceed/);
  else expect(decoded).toEqual({ ok: true, value: message });
});

test('votes and proposals go there and back', () => {
  const small = { ...blockId, partSetHeader: { ...blockId.partSetHeader, total: 3 } };
  const proposal = {
    height: toHeight(3),
    round: toRound(4),
    polRound: toRound(-1),
    blockId: small,
    timestamp: vote.timestamp,
    signature: new Uint8Array(64).fill(7),
  };
  for (const message of [
    { kind: 'sign-vote-request', vote: { ...vote, blockId: small }, chainId: 'c' },
    { kind: 'signed-vote-response', answer: { value: { ...vote, blockId: NIL_BLOCK_ID } } },
    { kind: 'sign-proposal-request', proposal, chainId: 'c' },
    { kind: 'signed-proposal-response', answer: { value: proposal } },
  ] as const)
    expect(decodePrivval(encodePrivval(message))).toEqual({ ok: true, value: message });
});

test.each([
  ['no message', '', 'exactly one message'],
  ['two messages', '3a004200', 'exactly one message'],
  ['an unknown message', '4a00', 'unknown field 9'],
  ['a field in a ping', '3a020801', 'expected no fields'],
  ['neither key nor error', '1200', 'neither a value nor an error'],
  ['a request without a vote', '1a00', 'field 1 is missing'],
  ['a proposal whose proof is not before it', '2a0a0a080820100118012001', 'pol_round'],
  ['a vote of no type', '1a040a021001', 'type: expected 1 or 2'],
])('%s is refused with a reason', (_name, hex, reason) => {
  const result = decodePrivval(fromHex(hex));
  expect(result.ok ? 'accepted' : result.error).toContain(reason);
});

test('sizes beyond their limits are refused', () => {
  const long = { code: 0, description: 'x'.repeat(PRIVVAL_LIMITS.maxDescriptionBytes + 1) };
  for (const message of [
    { kind: 'pub-key-response', answer: { error: long } },
    { kind: 'pub-key-request', chainId: 'x'.repeat(51) },
    {
      kind: 'sign-vote-request',
      vote: { ...vote, blockId: NIL_BLOCK_ID, extension: new Uint8Array(65_537) },
      chainId: '',
    },
    { kind: 'sign-vote-request', vote: { ...vote, blockId: NIL_BLOCK_ID, signature: new Uint8Array(65) }, chainId: '' },
  ] as const) {
    const result = decodePrivval(encodePrivval(message));
    expect(result.ok ? 'accepted' : result.error).toMatch(/exceed the limit/);
  }
});

test('what is decoded encodes to the same message again', () => {
  const bytes = fc.oneof(
    fc.uint8Array({ maxLength: 60 }),
    fc
      .record({ at: fc.nat(300), to: fc.nat(255), of: fc.constantFrom(...COMET) })
      .map(({ at, to, of }) => fromHex(of[2]).map((byte, i) => (i === at ? to : byte))),
    fc.uint8Array({ maxLength: 20 }).map((content) => new ProtoWriter().message(3, content).finish()),
  );
  fc.assert(
    fc.property(bytes, (input) => {
      const result = decodePrivval(input);
      if (result.ok) expect(decodePrivval(encodePrivval(result.value))).toEqual(result);
      else expect(result.error).not.toBe('');
    }),
    { numRuns: 2_000 },
  );
});
