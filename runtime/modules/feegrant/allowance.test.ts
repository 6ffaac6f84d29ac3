import fc from 'fast-check';
import { expect, test } from 'vitest';
import { addMillis, parseTime, type Timestamp } from '#core/types/timestamp.ts';
import * as f from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import { pack } from '#proto/message.ts';
import { amountOf, type Coin } from '../../coins.ts';
import { type Allowance, packAllowance, readAllowance, readStoredAllowance, useAllowance } from './allowance.ts';

const NOW = parseTime('2026-01-01T00:00:00Z');
const SEND = '/cosmos.bank.v1beta1.MsgSend';
const coins = (amount: bigint) => [{ denom: 'stake', amount }];
const texts = (amount: bigint) => [{ denom: 'stake', amount: String(amount) }];

function read(any: { readonly typeUrl: string; readonly value: Uint8Array }): Allowance {
  const allowance = readAllowance(any);
  if (!allowance.ok) throw new Error(allowance.error.message);
  return allowance.value;
}

function use(allowance: Allowance, amount: bigint, now: Timestamp = NOW, messages: readonly string[] = [SEND]) {
  const left = useAllowance(allowance, amount === 0n ? [] : coins(amount), messages, now);
  return left.ok ? left.value : left.error.message;
}

test('basic: spends down to nothing, and not after its expiration', () => {
  const expiration = addMillis(NOW, 1_000n);
  const basic = read(pack(f.BasicAllowanceSchema, { spendLimit: texts(10n), expiration }));
  const left = use(basic, 4n);
  expect(left).toMatchObject({ spendLimit: coins(6n) });
  expect(use(basic, 11n)).toBe('basic allowance: fee limit exceeded');
  expect(use(basic, 10n)).toBeUndefined();
  expect(use(basic, 1n, expiration)).toMatchObject({ spendLimit: coins(9n) });
  expect(use(basic, 1n, addMillis(expiration, 1n))).toBe('basic allowance: fee allowance expired');
  expect(use(read(pack(f.BasicAllowanceSchema, {})), 1n << 200n)).toMatchObject({ spendLimit: undefined });
});

test('periodic: as much a period, and never more than the whole', () => {
  const periodic = read(
    pack(f.PeriodicAllowanceSchema, {
      basic: { spendLimit: texts(25n) },
      period: { seconds: 10n },
      periodSpendLimit: texts(10n),
      periodReset: NOW,
    }),
  );
  const first = use(periodic, 7n);
  expect(first).toMatchObject({ periodCanSpend: coins(3n), periodReset: addMillis(NOW, 10_000n) });
  if (first === undefined || typeof first === 'string') throw new Error('spent');
  expect(use(first, 4n)).toBe('period limit: fee limit exceeded');
  const second = use(first, 10n, addMillis(NOW, 10_000n));
  expect(second).toMatchObject({ periodCanSpend: [], basic: { spendLimit: coins(8n) } });
  if (second === undefined || typeof second === 'string') throw new Error('spent');
  // The last period has only what is left; long after, periods have not added up.
  const much = addMillis(NOW, 1_000_000n);
  expect(use(second, 9n, much)).toBe('absolute limit: fee limit exceeded');
  expect(use(second, 1n, much)).toMatchObject({ periodCanSpend: coins(7n), periodReset: addMillis(much, 10_000n) });
  expect(use(second, 8n, much)).toBeUndefined();
});

test('allowed messages: each message must be one of them', () => {
  const allowance = read(
    pack(f.AllowedMsgAllowanceSchema, {
      allowance: pack(f.BasicAllowanceSchema, { spendLimit: texts(5n) }),
      allowedMessages: [SEND],
    }),
  );
  expect(use(allowance, 1n)).toMatchObject({ kind: 'allowed messages', allowance: { spendLimit: coins(4n) } });
  expect(use(allowance, 1n, NOW, [SEND, '/other'])).toContain('message not allowed');
  expect(use(allowance, 5n)).toBeUndefined();
});

test('what is no allowance is refused by name', () => {
  const basic = pack(f.BasicAllowanceSchema, {});
  const periodic = (fields: object) =>
    pack(f.PeriodicAllowanceSchema, { basic: {}, period: { seconds: 1n }, periodSpendLimit: texts(1n), ...fields });
  const filtered = (allowance: typeof basic | undefined, allowedMessages: string[]) =>
    pack(f.AllowedMsgAllowanceSchema, { ...(allowance === undefined ? {} : { allowance }), allowedMessages });
  const cases: [{ typeUrl: string; value: Uint8Array } | undefined, string][] = [
    [undefined, 'allowance is empty'],
    [pack(f.BasicAllowanceSchema, { spendLimit: [{ denom: 'stake', amount: '-1' }] }), 'spend_limit'],
    [pack(f.BasicAllowanceSchema, { expiration: { seconds: -1n } }), 'expiration time cannot be negative'],
    [pack(f.BasicAllowanceSchema, { expiration: { seconds: 1n << 60n } }), 'expiration'],
    [periodic({ period: { nanos: -1 } }), 'invalid duration'],
    [periodic({ period: { seconds: -5n } }), 'invalid duration'],
    [periodic({ period: { seconds: 1n << 60n } }), 'invalid duration'],
    [periodic({ periodSpendLimit: [] }), 'period_spend_limit'],
    [periodic({ basic: { spendLimit: [{ denom: 'other', amount: '5' }] } }), 'different currency'],
    [filtered(basic, []), "allowed messages shouldn't be empty"],
    [filtered(undefined, [SEND]), 'allowance is empty'],
    [filtered(filtered(basic, [SEND]), [SEND]), 'is none here'],
    [
      filtered(
        basic,
        Array.from({ length: 101 }, () => SEND),
      ),
      'exceed 100',
    ],
    [{ typeUrl: '/cosmos.bank.v1beta1.MsgSend', value: new Uint8Array(0) }, 'is none here'],
    [{ ...basic, value: Uint8Array.of(1, 2, 3) }, 'BasicAllowance'],
  ];
  for (const [any, sentence] of cases) {
    const answer = readAllowance(any);
    expect(answer.ok ? '' : answer.error.message).toContain(sentence);
  }
});

const coinList: fc.Arbitrary<readonly Coin[]> = fc
  .uniqueArray(fc.constantFrom('aaa', 'bbb', 'ccc'), { maxLength: 3 })
  .chain((denoms) =>
    fc.tuple(
      ...denoms.toSorted().map((denom) => fc.bigInt({ min: 1n, max: 60n }).map((amount) => ({ denom, amount }))),
    ),
  );
const moment = fc.bigInt({ min: 0n, max: 253_402_300_799n }).map((seconds) => ({ seconds, nanos: 0 }));
const basic = fc.record({
  kind: fc.constant('basic' as const),
  spendLimit: fc.option(
    coinList.filter((list) => list.length > 0),
    { nil: undefined },
  ),
  expiration: fc.option(moment, { nil: undefined }),
});
const periodic = fc.record({
  kind: fc.constant('periodic' as const),
  basic,
  periodNanos: fc.bigInt({ min: 1_000_000_000n, max: 315_576_000_000_000_000_000n }),
  periodSpendLimit: coinList,
  periodCanSpend: coinList,
  periodReset: moment,
});
const allowance: fc.Arbitrary<Allowance> = fc.oneof(
  basic,
  periodic,
  fc.record({
    kind: fc.constant('allowed messages' as const),
    allowance: fc.oneof(basic, periodic),
    messages: fc.constant([SEND]),
  }),
);

test('never more is spent than the limit, and whatever is left can be stored and read back', () => {
  fc.assert(
    fc.property(allowance, fc.array(fc.tuple(coinList, moment), { maxLength: 12 }), (start, uses) => {
      const plain = start.kind === 'allowed messages' ? start.allowance : start;
      const { spendLimit } = plain.kind === 'periodic' ? plain.basic : plain;
      const spent = new Map<string, bigint>();
      let current: Allowance = readStoredAllowance(packAllowance(start));
      expect(current).toEqual(start);
      for (const [fee, now] of uses) {
        const left = useAllowance(current, fee, [SEND], now);
        if (!left.ok) continue;
        for (const { denom, amount } of fee) spent.set(denom, (spent.get(denom) ?? 0n) + amount);
        if (left.value === undefined) break;
        current = readStoredAllowance(packAllowance(left.value));
        expect(current).toEqual(left.value);
      }
      if (spendLimit !== undefined)
        for (const [denom, amount] of spent) expect(amount <= amountOf(spendLimit, denom)).toBe(true);
    }),
  );
});
