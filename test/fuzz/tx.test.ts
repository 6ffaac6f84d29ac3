/** Transaction bytes from outside: a value or a refusal, in the decoder and in CheckTx, never anything else. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { ok } from '#core/result.ts';
import { MsgExecSchema, MsgGrantSchema } from '#proto/gen/cosmos/authz/v1beta1/tx_pb.ts';
import { SendAuthorizationSchema } from '#proto/gen/cosmos/bank/v1beta1/authz_pb.ts';
import {
  AllowedMsgAllowanceSchema,
  BasicAllowanceSchema,
  PeriodicAllowanceSchema,
} from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import { MsgGrantAllowanceSchema } from '#proto/gen/cosmos/feegrant/v1beta1/tx_pb.ts';
import { MsgCreatePeriodicVestingAccountSchema } from '#proto/gen/cosmos/vesting/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { moduleTable } from '#runtime/module-table.ts';
import { startTestChain, type TestChain, testKey } from '#runtime/test-chain.ts';
import { decodeStrictly, decodeTx } from '#runtime/tx/decode.ts';
import { fuzzRuns } from './runs.ts';

const edit = fc.record({
  kind: fc.constantFrom('flip', 'cut', 'repeat', 'insert'),
  at: fc.nat(),
  value: fc.integer({ min: 1, max: 255 }),
});

function mutate(bytes: Uint8Array, edits: { kind: string; at: number; value: number }[]): Uint8Array {
  let out = [...bytes];
  for (const { kind, at, value } of edits) {
    const place = at % (out.length + 1);
    if (kind === 'flip' && place < out.length) out[place] = (out[place] ?? 0) ^ value;
    else if (kind === 'cut') out = out.slice(0, place);
    else if (kind === 'repeat') out = [...out, ...out.slice(place, place + value)];
    else out.splice(place, 0, value);
  }
  return Uint8Array.from(out);
}

/** Messages with others, keys and coins inside. */
function nestedMessages(chain: TestChain) {
  const [alice, bob] = [chain.address(testKey(1)), chain.address(testKey(2))];
  const coins = [{ denom: 'uauton', amount: '5' }];
  const send = chain.send(testKey(1), bob, 1n);
  const basic = pack(BasicAllowanceSchema, { spendLimit: coins, expiration: { seconds: 1_900_000_000n } });
  const periodic = pack(PeriodicAllowanceSchema, { basic: {}, period: { seconds: 60n }, periodSpendLimit: coins });
  const allowed = pack(AllowedMsgAllowanceSchema, { allowance: periodic, allowedMessages: [send.typeUrl] });
  const authorization = pack(SendAuthorizationSchema, { spendLimit: coins, allowList: [bob] });
  return [
    pack(MsgExecSchema, { grantee: alice, msgs: [send, pack(MsgExecSchema, { grantee: alice, msgs: [send] })] }),
    pack(MsgGrantSchema, {
      granter: alice,
      grantee: bob,
      grant: { authorization, expiration: { seconds: 1_900_000_000n } },
    }),
    pack(MsgGrantAllowanceSchema, { granter: alice, grantee: bob, allowance: basic }),
    pack(MsgGrantAllowanceSchema, { granter: alice, grantee: bob, allowance: allowed }),
    pack(MsgCreatePeriodicVestingAccountSchema, {
      fromAddress: alice,
      toAddress: chain.address(testKey(80)),
      startTime: 1n,
      vestingPeriods: [{ length: 1n, amount: coins }],
    }),
  ];
}

test('messages inside messages, allowances, authorizations and schedules: delivered with signatures that fit', async () => {
  const chain = await startTestChain();
  await chain.block();
  const alice = testKey(1);
  const packed = nestedMessages(chain);
  for (const message of packed) {
    const whole = chain.sign(alice, { messages: [message], gasLimit: 2_000_000n });
    expect((await chain.app.checkTx({ tx: whole, type: 'recheck' })).log).toBe('');
    await chain.block();
  }
  fc.assert(
    fc.property(
      fc.constantFrom(...packed),
      fc.array(edit, { minLength: 1, maxLength: 4 }),
      ({ typeUrl, value }, edits) => {
        const message = { typeUrl, value: mutate(value, edits) };
        const tx = chain.sign(alice, { messages: [message], gasLimit: 2_000_000n });
        const { txResults } = chain.app.finalizeBlock(chain.request([tx]));
        const { code, log } = txResults[0] ?? { code: -1, log: '' };
        expect(code).toBeGreaterThanOrEqual(0);
        // A handler that threw would say so.
        expect(log).not.toContain('transaction failed');
        expect(log).not.toContain('ante checks failed');
      },
    ),
    { numRuns: fuzzRuns(1_000) },
  );
});

test('decodeTx', async () => {
  const chain = await startTestChain();
  await chain.block();
  const alice = testKey(1);
  const tx = chain.sign(alice, { messages: [chain.send(alice, chain.address(testKey(2)), 1n)], memo: 'fuzz' });
  const table = moduleTable();
  fc.assert(
    fc.property(
      fc.oneof(
        fc.array(edit, { minLength: 1, maxLength: 6 }).map((edits) => mutate(tx, edits)),
        fc.uint8Array({ maxLength: 400 }),
      ),
      (bytes) => {
        const decoded = decodeTx(bytes, table);
        if (!decoded.ok) expect(decoded.error.message.length).toBeGreaterThan(0);
        // However a transaction is read: what it is, and why it is none, is what the strict decoder says.
        const strict = decodeStrictly(bytes, table);
        expect(decoded).toEqual(
          strict.ok && decoded.ok ? ok({ ...strict.value, isUsual: decoded.value.isUsual }) : strict,
        );
      },
    ),
    { numRuns: fuzzRuns() },
  );
});

test('CheckTx and FinalizeBlock', async () => {
  const chain = await startTestChain();
  await chain.block();
  const alice = testKey(1);
  const tx = chain.sign(alice, { messages: [chain.send(alice, chain.address(testKey(2)), 1n)] });
  await fc.assert(
    fc.asyncProperty(fc.array(edit, { minLength: 1, maxLength: 3 }), async (edits) => {
      const bytes = mutate(tx, edits);
      fc.pre(Buffer.compare(Buffer.from(bytes), Buffer.from(tx)) !== 0);
      const checked = await chain.app.checkTx({ tx: bytes, type: 'new' });
      const { txResults } = chain.app.finalizeBlock(chain.request([bytes]));
      expect(txResults[0]?.code).toBe(checked.code);
      expect(checked.code).not.toBe(0);
    }),
    { numRuns: fuzzRuns(300) },
  );
});
