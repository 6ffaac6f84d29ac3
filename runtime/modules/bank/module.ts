import { toHex } from '#core/bytes.ts';
import type { QueryContext } from '../../context.ts';
import type { RuntimeModule } from '../../module.ts';
import { AUTH_STORE, hasAccount } from '../auth/state.ts';
import { bankAuthorityMessages } from './authority-handlers.ts';
import { exportBank, initBank } from './genesis.ts';
import { bankMessages } from './handlers.ts';
import { bankQueries } from './queries.ts';
import { BANK_STORE, balanceOf, balances, owners, supply } from './state.ts';

/** Supply equals the sum of balances; no balance is zero or negative; owners have accounts; owners are listed who have some, and nobody else. */
function bankInvariants(context: QueryContext): readonly string[] {
  const store = context.state.store(BANK_STORE);
  const auth = context.state.store(AUTH_STORE);
  const sums = new Map<string, bigint>();
  const breaches: string[] = [];
  let unlisted = 0;
  for (const [[address, denom], amount] of balances.entries(store)) {
    if (!owners.has(store, [denom, address])) unlisted++;
    if (!hasAccount(auth, address)) breaches.push(`bank: ${toHex(address)} owns ${denom} and has no account`);
    if (amount <= 0n) breaches.push(`bank: a balance of ${denom} is ${amount}`);
    sums.set(denom, (sums.get(denom) ?? 0n) + amount);
  }
  let idle = 0;
  for (const [denom, address] of owners.keys(store)) if (balanceOf(store, address, denom) === 0n) idle++;
  if (unlisted + idle > 0)
    breaches.push(`bank: ${unlisted} owners are not listed, ${idle} are listed and have nothing`);
  for (const [denom, amount] of supply.entries(store)) {
    if (sums.get(denom) !== amount)
      breaches.push(`bank: the supply of ${denom} is ${amount}, the balances add up to ${sums.get(denom) ?? 0n}`);
    sums.delete(denom);
  }
  for (const [denom, amount] of sums) breaches.push(`bank: ${amount} ${denom} stand in balances but not in the supply`);
  return breaches;
}

export const bankModule: RuntimeModule = {
  name: 'bank',
  stores: [BANK_STORE],
  initGenesis: initBank,
  exportGenesis: exportBank,
  messages: [...bankMessages, ...bankAuthorityMessages],
  queries: bankQueries,
  invariants: bankInvariants,
};
