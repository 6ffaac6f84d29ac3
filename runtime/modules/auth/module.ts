import { equal } from '#core/bytes.ts';
import type { QueryContext } from '../../context.ts';
import type { RuntimeModule } from '../../module.ts';
import { ACCOUNT_KEY_TYPES } from '../../tx/account-key.ts';
import { exportAuth, initAuth } from './genesis.ts';
import { authMessages } from './handlers.ts';
import { authQueries } from './queries.ts';
import { AUTH_STORE, addressOfNumber, allAccounts, peekAccountNumber } from './state.ts';

/** Where fees go, until a module distributes them. */
export const FEE_COLLECTOR = 'fee_collector';

/** Every account has a number of its own, below the next one; nobody's account is a module's and vests. */
function authInvariants(context: QueryContext): readonly string[] {
  const store = context.state.store(AUTH_STORE);
  const next = peekAccountNumber(store);
  const breaches: string[] = [];
  for (const { address, accountNumber, module, vesting } of allAccounts(store)) {
    const owner = addressOfNumber(store, accountNumber);
    if (accountNumber >= next) breaches.push(`auth: account number ${accountNumber} is not below the next, ${next}`);
    if (owner === undefined || !equal(owner, address))
      breaches.push(`auth: number ${accountNumber} is another account's`);
    if (module !== undefined && vesting !== undefined)
      breaches.push(`auth: the account of module ${module.name} vests`);
  }
  return breaches;
}

export const authModule: RuntimeModule = {
  name: 'auth',
  stores: [AUTH_STORE],
  moduleAccounts: { [FEE_COLLECTOR]: [] },
  anyTypes: ACCOUNT_KEY_TYPES,
  initGenesis: initAuth,
  exportGenesis: exportAuth,
  messages: authMessages,
  queries: authQueries,
  invariants: authInvariants,
};
