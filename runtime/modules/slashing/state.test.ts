import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ValidatorSigningInfoSchema } from '#proto/gen/cosmos/slashing/v1beta1/slashing_pb.ts';
import { encode } from '#proto/message.ts';
import { newSigningInfo, type SigningInfo, signingInfoValue } from './state.ts';

const int64 = fc.bigInt({ min: -(1n << 63n), max: (1n << 63n) - 1n });
const time = fc.record({
  seconds: fc.bigInt({ min: -62_135_596_800n, max: 253_402_300_799n }),
  nanos: fc.integer({ min: 0, max: 999_999_999 }),
});
const info: fc.Arbitrary<SigningInfo> = fc.record({
  startHeight: int64,
  indexOffset: int64,
  jailedUntil: fc.option(time, { nil: undefined }),
  tombstoned: fc.boolean(),
  missedBlocksCounter: int64,
});

test('a signing info is stored as protobuf encodes the message without its address', () => {
  fc.assert(
    fc.property(info, (one) => {
      const { jailedUntil, ...rest } = one;
      const message = { ...rest, ...(jailedUntil === undefined ? {} : { jailedUntil: { ...jailedUntil } }) };
      const bytes = signingInfoValue.encode(one);
      expect(bytes).toEqual(encode(ValidatorSigningInfoSchema, message));
      expect(signingInfoValue.decode(bytes)).toEqual(one);
    }),
  );
  const first = newSigningInfo(7n);
  expect(signingInfoValue.decode(signingInfoValue.encode(first))).toEqual(first);
});
