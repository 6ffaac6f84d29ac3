import fc from 'fast-check';
import { expect, test } from 'vitest';
import { TxMsgDataSchema } from '#proto/gen/cosmos/base/abci/v1beta1/abci_pb.ts';
import { encode } from '#proto/message.ts';
import { encodeMsgData } from './run.ts';

test('the data of a result is what the schema says', () => {
  const response = fc.record({
    typeUrl: fc.string({ unit: 'grapheme', maxLength: 100 }),
    value: fc.uint8Array({ maxLength: 300 }),
  });
  fc.assert(
    fc.property(fc.array(response, { maxLength: 5 }), (responses) => {
      expect(encodeMsgData(responses)).toEqual(encode(TxMsgDataSchema, { msgResponses: responses }));
    }),
  );
});
