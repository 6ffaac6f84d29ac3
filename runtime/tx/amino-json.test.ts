import { makeSignDoc, type StdFee, serializeSignDoc } from '@cosmjs/amino';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { fromUtf8 } from '#core/bytes.ts';
import { GenericAuthorizationSchema } from '#proto/gen/cosmos/authz/v1beta1/authz_pb.ts';
import { MsgExecSchema, MsgGrantSchema } from '#proto/gen/cosmos/authz/v1beta1/tx_pb.ts';
import { MsgMultiSendSchema, MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { LegacyAminoPubKeySchema } from '#proto/gen/cosmos/crypto/multisig/keys_pb.ts';
import { PubKeySchema } from '#proto/gen/cosmos/crypto/secp256k1/keys_pb.ts';
import { AllowedMsgAllowanceSchema, PeriodicAllowanceSchema } from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import { MsgGrantAllowanceSchema } from '#proto/gen/cosmos/feegrant/v1beta1/tx_pb.ts';
import { StakeAuthorizationSchema } from '#proto/gen/cosmos/staking/v1beta1/authz_pb.ts';
import { AuthInfoSchema, TxBodySchema, TxRawSchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import {
  MsgCreatePeriodicVestingAccountSchema,
  MsgCreateVestingAccountSchema,
} from '#proto/gen/cosmos/vesting/v1beta1/tx_pb.ts';
import { create, type DescMessage, encode, type MessageInitShape, pack } from '#proto/message.ts';
import { moduleTable } from '../module-table.ts';
import { aminoJsonOf, aminoSignBytes } from './amino-json.ts';
import { decodeTx } from './decode.ts';

const table = moduleTable();
const signer = { chainId: 'test-1', accountNumber: 7n, sequence: 3n };

function shown<D extends DescMessage>(schema: D, init: MessageInitShape<D>): string {
  return aminoJsonOf(table, schema, create(schema, init));
}

function txOf(
  messages: readonly { typeUrl: string; value: Uint8Array }[],
  extra: { memo?: string; timeout?: bigint; fee?: object; tail?: Uint8Array } = {},
) {
  const body = encode(TxBodySchema, {
    messages: messages.map((one) => ({ ...one })),
    memo: extra.memo ?? '',
    timeoutHeight: extra.timeout ?? 0n,
  });
  const bodyBytes = Uint8Array.from([...body, ...(extra.tail ?? [])]);
  const fee = { amount: [{ denom: 'uauton', amount: '5' }], gasLimit: 100n, ...extra.fee };
  const decoded = decodeTx(encode(TxRawSchema, { bodyBytes, authInfoBytes: encode(AuthInfoSchema, { fee }) }), table);
  if (!decoded.ok) throw new Error(decoded.error.message);
  return decoded.value;
}

const send = (amount = '1') => ({ fromAddress: 'a', toAddress: 'b', amount: [{ denom: 'uauton', amount }] });

test('the sign document of a send, as CosmJS serializes it, for any memo and numbers', () => {
  const stdFee = (payer: string, granter: string): StdFee => ({
    amount: [{ denom: 'uauton', amount: '5' }],
    gas: '100',
    ...(payer === '' ? {} : { payer }),
    ...(granter === '' ? {} : { granter }),
  });
  const name = fc.constantFrom('', 'auton1payer');
  // CosmJS leaves U+2028, U+2029 as they are; Go, and so this chain, escapes them.
  const memo = fc.string({ unit: 'binary' }).filter((text) => !/[\u2028\u2029]/.test(text));
  fc.assert(
    fc.property(memo, fc.bigInt({ min: 0n, max: (1n << 60n) - 1n }), name, name, (text, timeout, payer, granter) => {
      const tx = txOf([pack(MsgSendSchema, send())], { memo: text, timeout, fee: { payer, granter } });
      const bytes = aminoSignBytes(tx, table, signer);
      const value = { from_address: 'a', to_address: 'b', amount: [{ amount: '1', denom: 'uauton' }] };
      const document = makeSignDoc(
        [{ type: 'cosmos-sdk/MsgSend', value }],
        stdFee(payer, granter),
        'test-1',
        text,
        7n,
        3,
        timeout === 0n ? undefined : timeout,
      );
      expect(bytes.ok && fromUtf8(bytes.value)).toBe(fromUtf8(serializeSignDoc(document)));
    }),
  );
});

test('HTML characters and line separators are escaped as Go does', () => {
  const tx = txOf([pack(MsgSendSchema, send())], { memo: '<&>\u2028\u2029"\\\n' });
  const bytes = aminoSignBytes(tx, table, signer);
  expect(bytes.ok && fromUtf8(bytes.value)).toContain('"memo":"\\u003c\\u0026\\u003e\\u2028\\u2029\\"\\\\\\n"');
});

test('what is empty is left out, unless its option keeps it; coins are never null, other lists are', () => {
  expect(shown(MsgSendSchema, {})).toBe('{"type":"cosmos-sdk/MsgSend","value":{"amount":[]}}');
  expect(shown(MsgMultiSendSchema, {})).toBe(
    '{"type":"cosmos-sdk/MsgMultiSend","value":{"inputs":null,"outputs":null}}',
  );
  expect(shown(MsgCreateVestingAccountSchema, { fromAddress: 'a', endTime: 9n })).toBe(
    '{"type":"cosmos-sdk/MsgCreateVestingAccount","value":{"amount":[],"end_time":"9","from_address":"a"}}',
  );
  expect(shown(MsgCreateVestingAccountSchema, { delayed: true })).toBe(
    '{"type":"cosmos-sdk/MsgCreateVestingAccount","value":{"amount":[],"delayed":true}}',
  );
  expect(
    shown(MsgCreatePeriodicVestingAccountSchema, { startTime: 1n, vestingPeriods: [{ length: 2n, amount: [] }] }),
  ).toBe(
    '{"type":"cosmos-sdk/MsgCreatePeriodVestAccount","value":{"start_time":"1","vesting_periods":[{"amount":[],"length":"2"}]}}',
  );
});

test('Any, Timestamp and Duration', () => {
  const periodic = pack(PeriodicAllowanceSchema, {
    basic: { spendLimit: [{ denom: 'u', amount: '2' }], expiration: { seconds: 1_700_000_000n, nanos: 500_000_000 } },
    period: { seconds: 3n, nanos: 1 },
    periodReset: { seconds: 0n },
  });
  const allowance = pack(AllowedMsgAllowanceSchema, { allowance: periodic, allowedMessages: ['/x'] });
  expect(shown(MsgGrantAllowanceSchema, { granter: 'a', grantee: 'b', allowance })).toBe(
    '{"type":"cosmos-sdk/MsgGrantAllowance","value":{"allowance":{"type":"cosmos-sdk/AllowedMsgAllowance","value":' +
      '{"allowance":{"type":"cosmos-sdk/PeriodicAllowance","value":{"basic":{"expiration":"2023-11-14T22:13:20.5Z",' +
      '"spend_limit":[{"amount":"2","denom":"u"}]},"period":"3000000001","period_can_spend":[],' +
      '"period_reset":"1970-01-01T00:00:00Z","period_spend_limit":[]}},"allowed_messages":["/x"]}},"grantee":"b","granter":"a"}}',
  );
  const authorization = pack(GenericAuthorizationSchema, { msg: '/m' });
  expect(shown(MsgGrantSchema, { grant: { authorization } })).toBe(
    '{"type":"cosmos-sdk/MsgGrant","value":{"grant":{"authorization":{"type":"cosmos-sdk/GenericAuthorization","value":{"msg":"/m"}}}}}',
  );
  expect(shown(MsgExecSchema, { grantee: 'g', msgs: [pack(MsgSendSchema, send())] })).toContain(
    '"msgs":[{"type":"cosmos-sdk/MsgSend","value":{"amount":[{"amount":"1","denom":"uauton"}],"from_address":"a","to_address":"b"}}]',
  );
});

test('a oneof: its Go name, and the type of what is chosen', () => {
  const validators = { case: 'allowList' as const, value: { address: ['v'] } };
  expect(shown(StakeAuthorizationSchema, { validators, authorizationType: 1 })).toBe(
    '{"type":"cosmos-sdk/StakeAuthorization","value":{"Validators":{"type":"cosmos-sdk/StakeAuthorization/AllowList",' +
      '"value":{"allow_list":{"address":["v"]}}},"authorization_type":1}}',
  );
  expect(shown(StakeAuthorizationSchema, { maxTokens: { denom: 'u', amount: '1' } })).toBe(
    '{"type":"cosmos-sdk/StakeAuthorization","value":{"Validators":null,"max_tokens":{"amount":"1","denom":"u"}}}',
  );
});

test('public keys', () => {
  const key = pack(PubKeySchema, { key: Uint8Array.of(2, 1) });
  expect(shown(LegacyAminoPubKeySchema, { threshold: 1, publicKeys: [key] })).toBe(
    '{"type":"tendermint/PubKeyMultisigThreshold","value":{"pubkeys":[{"type":"tendermint/PubKeySecp256k1","value":"AgE="}],"threshold":"1"}}',
  );
});

test('what cannot be shown in full is refused', () => {
  const messages = [pack(MsgSendSchema, send())];
  // Field 1025, wire type 0: unknown, not critical.
  const hidden = txOf(messages, { tail: Uint8Array.of(0x88, 0x40, 1) });
  expect(aminoSignBytes(hidden, table, signer)).toMatchObject({ ok: false, error: { code: 37 } });
  const option = encode(TxBodySchema, { nonCriticalExtensionOptions: [pack(MsgSendSchema, {})] });
  expect(aminoSignBytes(txOf(messages, { tail: option }), table, signer)).toMatchObject({ ok: false });
  expect(aminoSignBytes(txOf([pack(MsgGrantSchema, {})]), table, signer)).toMatchObject({ ok: false });
});

test('every message of the chain can be shown, whatever stands in it', () => {
  for (const { typeUrl } of table.messages.values()) {
    const tx = txOf([{ typeUrl, value: new Uint8Array(0) }]);
    const bytes = aminoSignBytes(tx, table, signer);
    if (bytes.ok) expect(() => JSON.parse(fromUtf8(bytes.value)), typeUrl).not.toThrow();
    else expect(bytes.error.message, typeUrl).toContain('missing');
  }
});
