import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat } from '#core/bytes.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { MsgMultiSendSchema, MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { moduleTable } from '../module-table.ts';
import { TEST_CHAIN_ID, testKey } from '../test-chain.ts';
import { buildTx, type TxPlan } from './build.ts';
import { type DecodedTx, decodeStrictly, decodeTx } from './decode.ts';
import { MIXED_BLOCKS, startMixedChain } from './mixed-txs.test-util.ts';
import { readUsualTx } from './usual.ts';

const table = moduleTable();
const key = testKey(1);
const send = { fromAddress: 'auton1sender', toAddress: 'auton1receiver', amount: [{ denom: 'uauton', amount: '17' }] };

function tx(plan: Partial<TxPlan> = {}, sequence = 300n): Uint8Array {
  const whole = { messages: [pack(MsgSendSchema, send)], fee: [{ denom: 'uauton', amount: 9n }], gasLimit: 150_000n };
  return buildTx({ ...whole, ...plan }, TEST_CHAIN_ID, [{ key, accountNumber: 7n, sequence }]);
}

/** Whether it was read as a usual one. What it answers is what the strict decoder answers, in each case. */
function agrees(bytes: Uint8Array): boolean {
  const strict = decodeStrictly(bytes, table);
  const usual = readUsualTx(bytes, table);
  expect(decodeTx(bytes, table)).toEqual(usual === undefined ? strict : { ok: true, value: usual });
  if (usual === undefined) return false;
  const expected: DecodedTx | undefined = strict.ok ? { ...strict.value, isUsual: true } : undefined;
  expect(usual).toStrictEqual(expected);
  return true;
}

test('what wallets write is read in one pass, and as the strict decoder reads it', () => {
  const two = [pack(MsgSendSchema, send), pack(MsgSendSchema, { ...send, amount: [] })];
  expect(agrees(tx())).toBe(true);
  expect(agrees(tx({ memo: 'rent, 12th of May', timeoutHeight: 1_000_000n }))).toBe(true);
  expect(agrees(tx({ messages: two, fee: [], feePayer: 'auton1payer', feeGranter: 'auton1granter' }, 0n))).toBe(true);
  expect(
    agrees(
      tx({ messages: [pack(MsgSendSchema, { toAddress: '', fromAddress: 'a' })], gasLimit: 0n }, (1n << 49n) - 1n),
    ),
  ).toBe(true);
});

test('all else is left to the strict decoder', () => {
  const many = Array.from({ length: 5 }, () => pack(MsgSendSchema, send));
  expect(agrees(tx({ memo: 'für dich' }))).toBe(false);
  expect(agrees(tx({ messages: many }))).toBe(false);
  expect(agrees(tx({ messages: [] }))).toBe(false);
  expect(agrees(tx({ messages: [], memo: 'm'.repeat(300) }))).toBe(true);
  expect(agrees(tx({ messages: [pack(MsgMultiSendSchema, {})] }))).toBe(false);
  expect(agrees(tx({ messages: [{ typeUrl: '/unknown', value: new Uint8Array(0) }] }))).toBe(false);
  expect(agrees(tx({}, 1n << 49n))).toBe(false);
  expect(agrees(new Uint8Array(0))).toBe(false);
  expect(agrees(concat(tx(), Uint8Array.of(0x1a, 0)))).toBe(true);
  expect(agrees(concat(tx(), Uint8Array.of(0x12, 0)))).toBe(false);
});

test('a key type or a message that the table lacks is nothing usual', () => {
  const bytes = tx();
  const without = { messages: table.messages, resolveAny: () => undefined };
  expect(readUsualTx(bytes, without)).toBeUndefined();
  expect(readUsualTx(bytes, { ...table, messages: new Map() })).toBeUndefined();
});

test('transactions of all kinds are read as the strict decoder reads them', async () => {
  const chain = await startMixedChain();
  const usual: string[] = [];
  for (const make of MIXED_BLOCKS) {
    const block = make(chain);
    for (const [name, bytes] of block) if (agrees(bytes)) usual.push(name);
    await chain.block(block.map(([, bytes]) => bytes));
  }
  expect(usual).toContain('send');
  expect(usual).not.toContain('multi-send');
});

test('any change of a usual transaction is read as the strict decoder reads it', () => {
  const seeds = [tx(), tx({ memo: 'm', timeoutHeight: 5n, feePayer: 'p', feeGranter: 'g' })];
  const edit = fc.record({
    at: fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
    drop: fc.nat({ max: 3 }),
    put: fc.uint8Array({ maxLength: 3 }),
  });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), fc.array(edit, { minLength: 1, maxLength: 3 }), (seed, edits) => {
      let bytes = seed;
      for (const { at, drop, put } of edits) {
        const from = Math.floor(at * bytes.length);
        bytes = concat(bytes.subarray(0, from), put, bytes.subarray(from + drop));
      }
      agrees(bytes);
    }),
    { numRuns: 2_000 },
  );
});

test('fields in any order and number, in envelopes that fit, are read as the strict decoder reads them', () => {
  const text = fc.constantFrom('', 'a', 'uauton', '7', '/cosmos.bank.v1beta1.MsgSend', 'ä', 'x'.repeat(130));
  const number = fc.constantFrom(0n, 1n, 127n, 128n, 1n << 20n, 1n << 49n, (1n << 64n) - 1n);
  type Field = readonly [number: number, value: Uint8Array | string | bigint];
  const message = (fields: readonly Field[]): Uint8Array => {
    const writer = new ProtoWriter();
    for (const [at, value] of fields) {
      if (typeof value === 'bigint') writer.varint(at, value);
      else if (typeof value === 'string') writer.message(at, new TextEncoder().encode(value));
      else writer.message(at, value);
    }
    return writer.finish();
  };
  const fields = (...kinds: readonly fc.Arbitrary<Uint8Array | string | bigint>[]): fc.Arbitrary<Uint8Array> =>
    fc
      .array(
        fc.nat({ max: kinds.length - 1 }).chain((i) => (kinds[i] ?? text).map((value): Field => [i + 1, value])),
        { maxLength: 6 },
      )
      .chain((list) => fc.boolean().map((sorted) => (sorted ? list.toSorted(([a], [b]) => a - b) : list)))
      .map(message);
  const coin = fields(text, text);
  const pubKey = fc.constantFrom(message([[1, key.publicKey]]), message([[1, new Uint8Array(5)]]), message([]));
  const keyAny = pubKey.map((value) =>
    message([
      [1, '/cosmos.crypto.secp256k1.PubKey'],
      [2, value],
    ]),
  );
  const mode = fields(fields(number), text);
  const info = fields(keyAny, mode, number);
  const authInfo = fields(info, fields(coin, number, text, text), coin);
  const sendAny = fields(text, text, coin).map((value) =>
    message([
      [1, '/cosmos.bank.v1beta1.MsgSend'],
      [2, value],
    ]),
  );
  const body = fields(sendAny, text, number);
  fc.assert(
    fc.property(body, authInfo, fc.array(fc.uint8Array({ maxLength: 3 }), { maxLength: 6 }), (one, two, signatures) => {
      agrees(message([[1, one], [2, two], ...signatures.map((signature): Field => [3, signature])]));
    }),
    { numRuns: 2_000 },
  );
});
