import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, EMPTY, utf8 } from '#core/bytes.ts';
import { lengthDelimited, ProtoWriter } from '#core/codec/proto-writer.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { LegacyAminoPubKeySchema } from '#proto/gen/cosmos/crypto/multisig/keys_pb.ts';
import { AuthInfoSchema, ModeInfoSchema, TxBodySchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { decodeStrict, encode, PROTO_LIMITS, pack, typeUrlOf } from '#proto/message.ts';
import { moduleTable } from '../module-table.ts';
import { testKey } from '../test-chain.ts';
import { buildTx } from './build.ts';
import { decodeTx } from './decode.ts';

const table = moduleTable();
const send = { fromAddress: 'a', toAddress: 'b', amount: [{ denom: 'uauton', amount: '1' }] };

function rawTx(body: Uint8Array, authInfo: Uint8Array, ...signatures: Uint8Array[]): Uint8Array {
  const writer = new ProtoWriter().message(1, body).message(2, authInfo);
  for (const signature of signatures) writer.message(3, signature);
  return writer.finish();
}

const body = encode(TxBodySchema, { messages: [pack(MsgSendSchema, send)], memo: 'm' });
const authInfo = encode(AuthInfoSchema, { fee: { gasLimit: 1n } });

function refusal(bytes: Uint8Array): string {
  const decoded = decodeTx(bytes, table);
  return decoded.ok ? 'decoded' : `${decoded.error.code}: ${decoded.error.message}`;
}

test('a transaction decodes, and keeps the bytes that were signed', () => {
  const decoded = decodeTx(rawTx(body, authInfo, Uint8Array.of(7)), table);
  if (!decoded.ok) throw new Error(decoded.error.message);
  expect(decoded.value.raw.bodyBytes).toEqual(body);
  expect(decoded.value.body.memo).toBe('m');
  expect(decoded.value.messages[0]?.message).toMatchObject(send);
});

test('unknown fields: non-critical ones in the body alone', () => {
  const critical = new ProtoWriter().bytes(5, utf8('x')).finish();
  const nonCritical = new ProtoWriter().bytes(1024, utf8('x')).finish();
  expect(refusal(rawTx(concat(body, nonCritical), authInfo))).toBe('decoded');
  expect(refusal(rawTx(concat(body, critical), authInfo))).toBe('2: TxBody: unknown field 5: tx parse error');
  expect(refusal(rawTx(body, concat(authInfo, nonCritical)))).toBe('2: AuthInfo: unknown field 1024: tx parse error');
  const message = { typeUrl: typeUrlOf(MsgSendSchema), value: concat(encode(MsgSendSchema, send), nonCritical) };
  expect(refusal(rawTx(encode(TxBodySchema, { messages: [message] }), authInfo))).toMatch(
    /^2: TxBody.messages\(cosmos.bank.v1beta1.MsgSend\): unknown field 1024/,
  );
  const coin = new ProtoWriter().string(1, 'uauton').string(2, '1').raw(nonCritical).finish();
  const nested = { ...message, value: new ProtoWriter().string(1, 'a').message(3, coin).finish() };
  expect(refusal(rawTx(encode(TxBodySchema, { messages: [nested] }), authInfo))).toMatch(/amount: unknown field 1024/);
});

test('Adversarial 19: a megabyte of empty messages is refused before it becomes objects', () => {
  const empties = (field: number) => new Uint8Array(900_000).map((_, i) => (i % 2 === 0 ? (field << 3) | 2 : 0));
  const multiSend = { typeUrl: '/cosmos.bank.v1beta1.MsgMultiSend', value: empties(2) };
  const cases = [
    rawTx(body, empties(1)),
    rawTx(encode(TxBodySchema, { messages: [multiSend] }), authInfo),
    rawTx(empties(1), authInfo),
    concat(rawTx(body, authInfo), empties(3)),
  ];
  for (const bytes of cases) {
    expect(refusal(bytes)).toMatch(
      /^2: Tx.*(too many fields|resolve type URL|more than 1002 fields)|^2: AuthInfo.*too many/,
    );
  }
});

test('the body may be encoded in a longer way than needed', () => {
  const memoWithLongLength = Uint8Array.of(0x12, 0x81, 0x00, 0x6d);
  expect(refusal(rawTx(concat(encode(TxBodySchema, {}), memoWithLongLength), authInfo))).toBe('decoded');
  expect(refusal(concat(Uint8Array.of(0x0a, 0x80, 0x00), rawTx(body, authInfo).slice(2)))).toMatch(/^2: TxRaw/);
});

test('wire types, text, lengths and field numbers are checked by name', () => {
  const refused = (bytes: Uint8Array) => refusal(rawTx(bytes, authInfo));
  expect(refused(Uint8Array.of(0x10, 0x01))).toMatch(/TxBody.memo: expected wire type 2, got 0/);
  expect(refused(Uint8Array.of(0x12, 0x01, 0xff))).toMatch(/TxBody.memo: expected UTF-8/);
  expect(refused(Uint8Array.of(0x12, 0x05, 0x61))).toMatch(/the length of field 2 exceeds the 1 bytes that are left/);
  expect(refused(Uint8Array.of(0x13, 0x14))).toMatch(/field 2 has wire type 3/);
  expect(refused(Uint8Array.of(0x00, 0x00))).toMatch(/field number is outside/);
  expect(refused(Uint8Array.of(0xf8, 0xff, 0xff, 0xff, 0xff, 0x7f, 0x00))).toMatch(/field number is outside/);
  expect(refused(Uint8Array.of(0x18, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01))).toMatch(
    /varint/,
  );
});

test('deep nesting is refused, at a named depth (ASA-2024-012, ASA-2024-013)', () => {
  let mode: Uint8Array = encode(ModeInfoSchema, { sum: { case: 'single', value: { mode: 1 } } });
  for (let i = 0; i < 40; i++)
    mode = new ProtoWriter().message(2, new ProtoWriter().message(2, mode).finish()).finish();
  const info = new ProtoWriter().message(2, mode).finish();
  const deep = rawTx(body, concat(new ProtoWriter().message(1, info).finish(), authInfo));
  expect(refusal(deep)).toMatch(new RegExp(`nested deeper than ${PROTO_LIMITS.maxDepth} messages`));
  let unknown: Uint8Array = EMPTY;
  for (let i = 0; i < 10_000; i++) unknown = concat(Uint8Array.of(0x0a), lengthDelimited(unknown));
  expect(refusal(rawTx(concat(body, new ProtoWriter().message(5, unknown).finish()), authInfo))).toMatch(
    /unknown field 5/,
  );
});

test('Any inside Any is refused beyond its own limit', () => {
  const url = typeUrlOf(LegacyAminoPubKeySchema);
  const nest = (depth: number) => {
    let key: Uint8Array = encode(LegacyAminoPubKeySchema, { threshold: 1 });
    for (let i = 0; i < depth; i++)
      key = encode(LegacyAminoPubKeySchema, { threshold: 1, publicKeys: [{ typeUrl: url, value: key }] });
    return decodeStrict(LegacyAminoPubKeySchema, key, {
      resolveAny: (typeUrl) => (typeUrl === url ? LegacyAminoPubKeySchema : undefined),
    });
  };
  expect(nest(PROTO_LIMITS.maxAnyDepth).ok).toBe(true);
  expect(nest(PROTO_LIMITS.maxAnyDepth + 1)).toMatchObject({
    ok: false,
    error: expect.stringMatching(/google.protobuf.Any nested deeper than 10$/),
  });
});

test('more messages than the limit are refused', () => {
  const messages = Array.from({ length: 101 }, () => pack(MsgSendSchema, send));
  expect(refusal(rawTx(encode(TxBodySchema, { messages }), authInfo))).toMatch(/^18: transaction: 101 messages exceed/);
});

test('every cut of a transaction, and every byte added to it, is refused', () => {
  const plan = { messages: [pack(MsgSendSchema, send)], fee: [], gasLimit: 5n };
  const tx = buildTx(plan, 'test-1', [{ key: testKey(1), accountNumber: 0n, sequence: 0n }]);
  expect(refusal(tx)).toBe('decoded');
  for (let end = 1; end < tx.length; end++) {
    const cut = decodeTx(tx.slice(0, end), table);
    // Cut between fields, it is a transaction without signatures or auth info: sound bytes, refused later.
    if (cut.ok) expect(cut.value.raw.signatures).toHaveLength(0);
  }
  fc.assert(
    fc.property(fc.integer({ min: 0, max: 255 }), (byte) => {
      expect(refusal(concat(tx, Uint8Array.of(byte)))).not.toBe('decoded');
    }),
  );
});
