import { Command } from 'commander';
import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { accountAddress, bech32Address, keyFromPrivate } from '#core/crypto/keys.ts';
import { MsgMultiSendSchema, MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { QueryValidatorsRequestSchema } from '#proto/gen/cosmos/staking/v1beta1/query_pb.ts';
import {
  MsgCreateValidatorSchema,
  MsgDelegateSchema,
  MsgEditValidatorSchema,
} from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { type DescMessage, decodeStrict, typeUrlOf } from '#proto/message.ts';
import type { Json, MessageHandler } from '#runtime/module.ts';
import { formatOperator } from '#runtime/modules/staking/addresses.ts';
import { TX_TABLE } from '../../client/tx-json.ts';
import { fieldOptions, kebab, messageJson } from '../message-flags.ts';
import { addModuleQueries, addModuleTxs, messageOf } from './module-commands.ts';

const key = keyFromPrivate(sha256(utf8('signer')));
const signer = accountAddress(key.publicKey);
const address = bech32Address(key.publicKey, 'auton');
const operator = formatOperator({ bech32Prefix: 'auton' }, signer);

function handlerOf(schema: DescMessage): MessageHandler {
  const handler = TX_TABLE.messages.get(typeUrlOf(schema));
  if (handler === undefined) throw new Error(`no handler of ${schema.typeName}`);
  return handler;
}

function made<D extends DescMessage>(schema: D, json: { readonly [name: string]: Json }) {
  const decoded = decodeStrict(schema, messageOf(handlerOf(schema), json, signer, 'auton').value);
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
}

const leaves = (command: Command): number =>
  command.commands.length === 0 ? 1 : command.commands.reduce((sum, one) => sum + leaves(one), 0);

test('every message that a key may sign and every query has a command of its own', () => {
  const txs = new Command('tx');
  addModuleTxs(txs);
  const signed = [...TX_TABLE.messages.values()].filter(
    ({ schema }) => !schema.fields.some(({ name }) => name === 'authority'),
  );
  expect(leaves(txs)).toBe(signed.length);
  const queries = new Command('query');
  addModuleQueries(queries);
  expect(leaves(queries)).toBe([...TX_TABLE.queries.keys()].filter((path) => /\.Query\/\w+$/.test(path)).length);
});

test('the signer stands in the field that says who signs, as an account or as an operator', () => {
  expect(made(MsgSendSchema, { to_address: address })).toMatchObject({ fromAddress: address });
  expect(
    made(MsgDelegateSchema, { validator_address: operator, amount: { denom: 'uauton', amount: '5' } }),
  ).toMatchObject({ delegatorAddress: address, validatorAddress: operator, amount: { amount: '5' } });
  expect(made(MsgEditValidatorSchema, { commission_rate: '0.05' })).toMatchObject({
    validatorAddress: operator,
    commissionRate: '50000000000000000',
  });
  expect(made(MsgCreateValidatorSchema, {})).toMatchObject({ validatorAddress: operator });
});

test('every message of one signer finds its signer alone', () => {
  const lost = [...TX_TABLE.messages.values()].filter(({ schema }) => {
    if (schema.fields.some(({ name }) => name === 'authority')) return false;
    try {
      messageOf(handlerOf(schema), {}, signer, 'auton');
      return false;
    } catch {
      return true;
    }
  });
  // Its signers are those of its inputs.
  expect(lost.map(({ schema }) => schema.typeName)).toEqual([MsgMultiSendSchema.typeName]);
});

test('somebody else as the signer is refused', () => {
  const other = bech32Address(keyFromPrivate(sha256(utf8('other'))).publicKey, 'auton');
  expect(() => made(MsgSendSchema, { from_address: other })).toThrow(`${address} does not sign this message`);
});

test('flags are read as people write them, and what cannot be read is named', () => {
  expect(messageJson(MsgSendSchema, { toAddress: address, amount: '5uauton,7ucredit' })).toEqual({
    ok: true,
    value: {
      to_address: address,
      amount: [
        { denom: 'uauton', amount: '5' },
        { denom: 'ucredit', amount: '7' },
      ],
    },
  });
  expect(messageJson(MsgSendSchema, { amount: 'much' })).toMatchObject({
    ok: false,
    error: expect.stringMatching(/^--amount: /),
  });
  expect(messageJson(MsgCreateValidatorSchema, { pubkey: '{' })).toEqual({
    ok: false,
    error: '--pubkey: expected JSON',
  });
  expect(messageJson(QueryValidatorsRequestSchema, { status: 'x', limit: '5', reverse: true })).toEqual({
    ok: true,
    value: { status: 'x', pagination: { limit: '5', reverse: true } },
  });
  expect(fieldOptions(MsgSendSchema).map(({ flags }) => flags)).toEqual([
    '--from-address <value>',
    '--to-address <value>',
    '--amount <coins>',
  ]);
  expect(kebab('MsgWithdrawDelegatorReward')).toBe('msg-withdraw-delegator-reward');
});
