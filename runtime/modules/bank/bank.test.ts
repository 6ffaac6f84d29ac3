import fc from 'fast-check';
import { expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import { accountAddress } from '#core/crypto/keys.ts';
import { moduleAddress } from '../../address.ts';
import { noEvents } from '../../events.ts';
import { StateBranch } from '../../state/branch.ts';
import { startTestChain, TEST_TIME, type TestChain, testKey } from '../../test-chain.ts';
import { authModule } from '../auth/module.ts';
import { chainModule } from '../chain/module.ts';
import { burnCoins, ledgerOf, mintCoins, sendCoins } from './ledger.ts';
import { bankModule } from './module.ts';
import { allBalances, BANK_STORE, supplyOf } from './state.ts';

const step = fc.record({
  from: fc.integer({ min: 1, max: 4 }),
  to: fc.integer({ min: 1, max: 6 }),
  /** Beyond what there is, now and then. */
  amount: fc.bigInt({ min: 1n, max: 2_000n }),
  /** Wrong sequence. */
  ahead: fc.constantFrom(0n, 0n, 0n, 1n),
  gasLimit: fc.constantFrom(200_000n, 200_000n, 31_000n, 5_000n),
});

function balances(chain: TestChain): string[] {
  const store = chain.app.stateAt(0n)?.state.store(BANK_STORE);
  if (store === undefined) throw new Error('no state');
  return [1, 2, 3, 4, 5, 6].map((n) => {
    const coins = allBalances(store, accountAddress(testKey(n).publicKey));
    return coins.map(({ amount }) => String(amount)).join();
  });
}

test('after any sends, good or bad, the supply is the sum of balances', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.array(step, { maxLength: 4 }), { maxLength: 4 }), async (blocks) => {
      const modules = [chainModule, authModule, bankModule];
      const chain = await startTestChain({ accounts: 4, coins: [{ denom: 'uauton', amount: 3_000n }], modules });
      await chain.block();
      for (const steps of blocks) {
        const before = balances(chain);
        const txs = steps.map(({ from, to, amount, ahead, gasLimit }) => {
          const messages = [chain.send(testKey(from), chain.address(testKey(to)), amount)];
          return chain.sign(testKey(from), { messages, fee: [{ denom: 'uauton', amount: 50n }], gasLimit }, ahead);
        });
        const { txResults } = await chain.block(txs);
        expect(chain.app.brokenInvariants()).toEqual([]);
        if (txResults.every(({ events }) => events.length === 0)) expect(balances(chain)).toEqual(before);
      }
    }),
    { numRuns: 25 },
  );
});

test('mint, send and burn between modules keep the supply', async () => {
  const chain = await startTestChain();
  await chain.block();
  const context = chain.app.stateAt(0n);
  if (context === undefined) throw new Error('no state');
  const state = new StateBranch(context.state);
  const ledger = ledgerOf({ state, events: noEvents, chain: context.chain, block: { time: TEST_TIME } });
  const bank = state.store(BANK_STORE);
  const coin = (amount: bigint) => [{ denom: 'ucredit', amount }];
  expect(mintCoins(ledger, 'mint', coin(100n)).ok).toBe(true);
  expect(sendCoins(ledger, moduleAddress('mint'), moduleAddress('pool'), coin(40n)).ok).toBe(true);
  expect(burnCoins(ledger, 'pool', coin(30n)).ok).toBe(true);
  expect(supplyOf(bank, 'ucredit')).toBe(70n);
  expect(bankModule.invariants?.({ ...context, state })).toEqual([]);
  expect(burnCoins(ledger, 'pool', coin(11n))).toMatchObject({ ok: false, error: { code: 5 } });
  expect(mintCoins(ledger, 'mint', coin(1n << 256n))).toMatchObject({ ok: false, error: { code: 10 } });
  expect(toHex(moduleAddress('fee_collector'))).toBe('f1829676db577682e944fc3493d451b67ff3e29f');
});
