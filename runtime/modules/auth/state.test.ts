import fc from 'fast-check';
import { expect, test } from 'vitest';
import { concat, utf8 } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { modelStore } from '../../state/model-store.test-util.ts';
import { type Account, accountValue, decodeAccount, decodeAccountRecord, getAccount, setAccount } from './state.ts';

const address = utf8('an address of twenty');
const uint64 = fc.oneof(fc.bigInt({ min: 0n, max: 300n }), fc.bigInt({ min: 0n, max: (1n << 64n) - 1n }));
const pubKey = fc.record({
  typeUrl: fc.constantFrom('/cosmos.crypto.secp256k1.PubKey', '/another', 'ä'),
  value: fc.uint8Array({ maxLength: 200 }),
});
const account = fc.record<Account>({
  address: fc.constant(address),
  accountNumber: uint64,
  sequence: uint64,
  pubKey: fc.option(pubKey, { nil: undefined }),
  module: fc.option(fc.record({ name: fc.constant('mint'), permissions: fc.constant(['minter', 'burner']) }), {
    nil: undefined,
  }),
  vesting: fc.constant(undefined),
});

test('an account reads as it was written', () => {
  fc.assert(
    fc.property(account, (written) => {
      const store = modelStore();
      setAccount(store, written);
      expect(getAccount(store, address)).toEqual(written);
    }),
  );
});

test('a record is read in one pass as it is field by field, or refused as it is', () => {
  const seed = accountValue.encode({
    accountNumber: 5n,
    sequence: 300n,
    pubKey: { typeUrl: '/cosmos.crypto.secp256k1.PubKey', value: new Uint8Array(35) },
    module: undefined,
    vesting: undefined,
  });
  const edit = fc.record({ at: fc.nat(seed.length), drop: fc.nat(2), put: fc.uint8Array({ maxLength: 2 }) });
  const edited = fc
    .array(edit, { maxLength: 2 })
    .map((edits) =>
      edits.reduce<Uint8Array>(
        (bytes, { at, drop, put }) => concat(bytes.subarray(0, at), put, bytes.subarray(at + drop)),
        seed,
      ),
    );
  const longText = new ProtoWriter()
    .varint(1, 1)
    .message(4, new ProtoWriter().string(1, 'x'.repeat(300)).message(2, address).finish());
  fc.assert(
    fc.property(fc.oneof(edited, fc.constant(longText.finish())), (bytes) => {
      const expected = decode(() => ({ address, ...decodeAccountRecord(bytes) }));
      expect(decode(() => decodeAccount(address, bytes))).toEqual(expected);
    }),
    { numRuns: 2_000 },
  );
});
