import type { RuntimeModule } from '../../module.ts';
import { beginStaking, endStaking } from './end-block.ts';
import { exportStaking, initStaking } from './genesis.ts';
import { stakingMessages } from './handlers.ts';
import { stakingInvariants } from './invariants.ts';
import { stakingQueries } from './queries.ts';
import { CONSENSUS_KEY_TYPES } from './records.ts';
import { BONDED_POOL, NOT_BONDED_POOL, STAKING_STORE } from './state.ts';

/** After distribution and slashing in the table: their parameters stand before the first validator is bonded. */
export const stakingModule: RuntimeModule = {
  name: 'staking',
  stores: [STAKING_STORE],
  moduleAccounts: { [BONDED_POOL]: ['burner', 'staking'], [NOT_BONDED_POOL]: ['burner', 'staking'] },
  anyTypes: CONSENSUS_KEY_TYPES,
  initGenesis: initStaking,
  exportGenesis: exportStaking,
  beginBlock: beginStaking,
  messages: stakingMessages,
  queries: stakingQueries,
  endBlock(context) {
    const validatorUpdates = endStaking(context);
    return { validatorUpdates };
  },
  invariants: stakingInvariants,
};
