import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { minBig } from '#core/int.ts';
import { MsgBuyCreditsResponseSchema, MsgBuyCreditsSchema } from '#proto/gen/autonomy/credits/v1/tx_pb.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { decodeStrict } from '#proto/message.ts';
import { accountOf, action, CHAIN, PoiChain, text } from '#test/support/poi-chain.ts';
import { moduleAddress } from '../../address.ts';
import { EventLog } from '../../events.ts';
import { ledgerOf, sendCoins } from '../bank/ledger.ts';
import { BANK_STORE, balanceOf, supplyOf } from '../bank/state.ts';
import { backingOf, creditsFor, settleCredits } from './settlement.ts';
import { CREDIT_DENOM, CREDITS_ACCOUNT, CREDITS_STORE, getPool, TREASURY_ACCOUNT } from './state.ts';

const alice = accountOf('alice');
const bob = accountOf('bob');

function chain(spread = 25, price = 1_000_000): PoiChain {
  return new PoiChain({
    powers: [1n],
    balances: { alice: 1_000_000_000n, bob: 500n },
    genesis: { credits: { params: { price_micro_usd: price, spread_basis_points: spread } } },
  });
}

const buy = (amount: bigint, minCredits = 0n) =>
  action(MsgBuyCreditsSchema, { buyer: text(alice), amount, minCredits });

function balance(on: PoiChain, who: Uint8Array, denom = CHAIN.baseDenom): bigint {
  return balanceOf(on.state.store(BANK_STORE), who, denom);
}

describe('buying credits', () => {
  test('burns AUTON at the price less the spread', () => {
    const on = chain();
    const [result] = on.block([buy(10_000_000n)]).results;
    if (!result?.ok) throw new Error('refused');
    // 10 AUTON at 1 USD are 10 USD, less 0.25 %: 9.975 USD, 10 µUSD a credit.
    expect(decodeStrict(MsgBuyCreditsResponseSchema, result.value)).toMatchObject({ value: { credits: 997_500n } });
    expect(balance(on, alice, CREDIT_DENOM)).toBe(997_500n);
    expect(balance(on, alice)).toBe(990_000_000n);
    expect(supplyOf(on.state.store(BANK_STORE), CHAIN.baseDenom)).toBe(990_000_500n);
    expect(getPool(on.state.store(CREDITS_STORE))).toMatchObject({
      pool: 10_000_000n,
      outstanding: 997_500n,
      burned: 10_000_000n,
      reminted: 0n,
      destroyed: 0n,
      genesisSupply: 1_000_000_500n,
    });
  });

  test.each([
    ['fewer than asked for', buy(10_000_000n, 997_501n), 'credits', 3, 'buys 997500, asked for 997501'],
    ['nothing at all', buy(9n), 'credits', 2, 'buys no ucredit'],
    ['more than the balance', buy(2_000_000_000n), 'sdk', 5, 'smaller than 2000000000uauton'],
    ['an amount of zero', buy(0n), 'sdk', 18, 'amount'],
  ])('refuses %s and changes nothing', (_name, message, codespace, code, sentence) => {
    const on = chain();
    const [result] = on.block([message]).results;
    expect(result).toMatchObject({ ok: false, error: { codespace, code } });
    expect(result?.ok === false ? result.error.message : '').toContain(sentence);
    expect(balance(on, alice)).toBe(1_000_000_000n);
    expect(getPool(on.state.store(CREDITS_STORE))).toMatchObject({ pool: 0n, outstanding: 0n, burned: 0n });
  });

  test('credits cannot be sent on', () => {
    const on = chain();
    on.block([buy(10_000_000n)]);
    const send = action(MsgSendSchema, {
      fromAddress: text(alice),
      toAddress: text(bob),
      amount: [{ denom: CREDIT_DENOM, amount: '1' }],
    });
    expect(on.block([send]).results[0]).toMatchObject({ ok: false, error: { codespace: 'bank', code: 5 } });
  });
});

describe('settling credits', () => {
  /** Credits that a module account may burn, as escrowed ones are. */
  function settleAll(on: PoiChain, credits: bigint, validators: readonly (Uint8Array | undefined)[]) {
    const scope = { state: on.state, events: new EventLog(), block: on.blockInfo(), chain: CHAIN };
    const coins = [{ denom: CREDIT_DENOM, amount: credits }];
    const sent = sendCoins(ledgerOf(scope), alice, moduleAddress(CREDITS_ACCOUNT), coins);
    if (!sent.ok) throw new Error(sent.error.message);
    return settleCredits(scope, CREDITS_ACCOUNT, credits, {
      provider: accountOf('provider'),
      creator: accountOf('creator'),
      validators,
    });
  }

  test('pays 60, 14, 5 and 1 percent of the backing and destroys the rest', () => {
    const on = chain(0);
    on.block([buy(10_000_000n)]);
    const settlement = settleAll(on, 100_000n, [accountOf('v0'), accountOf('v1'), undefined]);
    expect(settlement).toMatchObject({ credits: 100_000n, backing: 1_000_000n });
    expect(balance(on, accountOf('provider'))).toBe(600_000n);
    expect(balance(on, accountOf('creator'))).toBe(140_000n);
    // ⌊50 000 ÷ 3⌋; the share of the one without an account is destroyed, with what does not divide.
    expect(balance(on, accountOf('v0'))).toBe(16_666n);
    expect(balance(on, accountOf('v1'))).toBe(16_666n);
    expect(balance(on, moduleAddress(TREASURY_ACCOUNT))).toBe(10_000n);
    expect(settlement.destroyed).toBe(1_000_000n - 600_000n - 140_000n - 2n * 16_666n - 10_000n);
    expect(settlement.payments.map(({ role }) => role)).toEqual([
      'provider',
      'creator',
      'validator',
      'validator',
      'treasury',
    ]);
    on.block();
  });

  test('never pays more than the credits’ part of the pool', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 10n ** 9n }),
        fc.bigInt({ min: 0n, max: 10n ** 15n }),
        fc.bigInt({ min: 1n, max: 10n ** 15n }),
        fc.bigInt({ min: 1n, max: 10n ** 15n }),
        (price, pool, outstanding, asked) => {
          const credits = minBig(asked, outstanding);
          const backing = backingOf({ priceMicroUsd: price }, { pool, outstanding }, credits);
          expect(backing * outstanding <= credits * pool).toBe(true);
          expect(backing * price <= credits * 10_000_000n).toBe(true);
          // Whoever comes later still finds at least the same for each credit.
          if (outstanding > credits)
            expect((pool - backing) * outstanding >= pool * (outstanding - credits)).toBe(true);
        },
      ),
    );
  });

  test('buying and settling at once never gives back what was paid', () => {
    fc.assert(
      fc.property(
        fc.bigInt({ min: 1n, max: 10n ** 7n }),
        fc.integer({ min: 0, max: 5_000 }),
        fc.bigInt({ min: 1n, max: 10n ** 12n }),
        (price, spread, amount) => {
          const params = { priceMicroUsd: price, spreadBasisPoints: spread };
          const credits = creditsFor(params, amount);
          const backing = backingOf(params, { pool: amount, outstanding: credits }, credits);
          expect(backing <= amount).toBe(true);
        },
      ),
    );
  });

  test('any history of purchases and settlements keeps the supply equation', () => {
    const step = fc.record({
      buy: fc.bigInt({ min: 0n, max: 5_000_000n }),
      settle: fc.integer({ min: 0, max: 100 }),
      validators: fc.array(fc.constantFrom(accountOf('v0'), accountOf('v1'), undefined), { maxLength: 4 }),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 12 }), fc.integer({ min: 1, max: 5_000_000 }), (steps, price) => {
        const on = chain(25, price);
        for (const { buy: amount, settle, validators } of steps) {
          on.block([buy(amount)]);
          const held = balance(on, alice, CREDIT_DENOM);
          const credits = (held * BigInt(settle)) / 100n;
          if (credits > 0n) settleAll(on, credits, validators);
          // The chain checks every module's invariants at the end of each block.
          on.block();
        }
      }),
      { numRuns: 60 },
    );
  });
});

test('a genesis pool that does not fit its supply is refused by name', () => {
  const pool = { pool: 1, outstanding: 0, burned: 1, reminted: 0, destroyed: 0, genesis_supply: 500 };
  expect(() => new PoiChain({ powers: [1n], balances: { bob: 500n }, genesis: { credits: { pool } } })).toThrow(
    'app_state.credits.pool: supply 500 is not genesis 500 − burned 1 + reminted 0',
  );
});
