import { toHex } from '#core/bytes.ts';
import { amountOf } from '../../coins.ts';
import type { QueryContext } from '../../context.ts';
import type { RuntimeModule } from '../../module.ts';
import { AUTH_STORE, allAccounts } from '../auth/state.ts';
import { vestingMessages } from './handlers.ts';

/** No more is delegated as vesting than was to vest, and no amount is negative. */
function vestingInvariants(context: QueryContext): readonly string[] {
  const breaches: string[] = [];
  for (const { address, vesting } of allAccounts(context.state.store(AUTH_STORE))) {
    if (vesting === undefined) continue;
    const { original, delegatedFree, delegatedVesting } = vesting;
    for (const { denom, amount } of delegatedVesting)
      if (amount > amountOf(original, denom))
        breaches.push(
          `vesting: ${toHex(address)} delegates ${amount}${denom} of ${amountOf(original, denom)} that vest`,
        );
    for (const { denom, amount } of [...original, ...delegatedFree, ...delegatedVesting])
      if (amount <= 0n) breaches.push(`vesting: ${toHex(address)} has ${amount}${denom}`);
  }
  return breaches;
}

/** Its accounts stand among the others, in auth's store and genesis. */
export const vestingModule: RuntimeModule = {
  name: 'vesting',
  stores: [],
  messages: vestingMessages,
  invariants: vestingInvariants,
};
