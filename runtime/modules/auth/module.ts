import type { RuntimeModule } from '../../module.ts';
import { ACCOUNT_KEY_TYPES } from '../../tx/account-key.ts';
import { exportAuth, initAuth } from './genesis.ts';
import { authQueries } from './queries.ts';
import { AUTH_STORE } from './state.ts';

/** Where fees go, until a module distributes them. */
export const FEE_COLLECTOR = 'fee_collector';

export const authModule: RuntimeModule = {
  name: 'auth',
  stores: [AUTH_STORE],
  moduleAccounts: { [FEE_COLLECTOR]: [] },
  anyTypes: ACCOUNT_KEY_TYPES,
  initGenesis: initAuth,
  exportGenesis: exportAuth,
  queries: authQueries,
};
