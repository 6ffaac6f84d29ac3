/** The fees of the block before go to those who voted for it, by power (x/distribution/keeper/allocation.go of v0.50). */
import { DEC_ONE, decOf, decQuoTruncate, formatDec } from '#core/dec.ts';
import { moduleAddress } from '../../address.ts';
import type { BlockContext } from '../../context.ts';
import { FEE_COLLECTOR } from '../auth/module.ts';
import { ledgerOf, sendCoins } from '../bank/ledger.ts';
import { allBalances, BANK_STORE } from '../bank/state.ts';
import { formatOperator } from '../staking/addresses.ts';
import type { Validator } from '../staking/records.ts';
import { getValidatorByConsensus, isActive, type Scope, STAKING_STORE } from '../staking/state.ts';
import {
  addDecCoins,
  type DecCoins,
  decCoinsOf,
  mulDecCoins,
  mulDecCoinsTruncate,
  subtractDecCoins,
} from './dec-coins.ts';
import { addToCommunityPool } from './rewards.ts';
import {
  accumulatedCommission,
  currentRewards,
  DISTRIBUTION_ACCOUNT,
  DISTRIBUTION_STORE,
  getParams,
  outstandingRewards,
  previousProposer,
} from './state.ts';

/** As the SDK prints DecCoins: `1.500000000000000000uauton`. */
function formatDecCoins(coins: DecCoins): string {
  return coins.map(({ denom, amount }) => `${formatDec(amount)}${denom}`).join(',');
}

/** Coins that the module's account holds already become rewards of one validator's delegators, less its commission. */
export function allocateToValidator(scope: Scope, validator: Validator, coins: DecCoins): void {
  const { operator } = validator;
  const store = scope.state.store(DISTRIBUTION_STORE);
  const current = currentRewards.get(store, operator);
  if (current === undefined) {
    addToCommunityPool(scope, coins);
    return;
  }
  const commission = mulDecCoins(coins, validator.commission.rate);
  const shared = subtractDecCoins(coins, commission);
  const text = formatOperator(scope.chain, operator);
  scope.events.emit('commission', [
    ['amount', formatDecCoins(commission)],
    ['validator', text],
  ]);
  const earned = accumulatedCommission.get(store, operator) ?? [];
  accumulatedCommission.set(store, operator, addDecCoins(earned, commission));
  currentRewards.set(store, operator, { ...current, rewards: addDecCoins(current.rewards, shared) });
  scope.events.emit('rewards', [
    ['amount', formatDecCoins(coins)],
    ['validator', text],
  ]);
  outstandingRewards.set(store, operator, addDecCoins(outstandingRewards.get(store, operator) ?? [], coins));
}

function allocate(context: BlockContext): void {
  const collector = moduleAddress(FEE_COLLECTOR);
  const fees = allBalances(context.state.store(BANK_STORE), collector);
  if (fees.length === 0) return;
  const sent = sendCoins(ledgerOf(context), collector, moduleAddress(DISTRIBUTION_ACCOUNT), fees);
  if (!sent.ok) return;
  const { votes } = context.lastCommit;
  const total = votes.reduce((sum, { validator }) => sum + validator.power, 0n);
  let left = decCoinsOf(fees);
  const params = getParams(context.state.store(DISTRIBUTION_STORE));
  const shared = mulDecCoinsTruncate(left, DEC_ONE - BigInt(params.communityTax));
  for (const { validator: voter } of votes) {
    const validator = getValidatorByConsensus(context.state.store(STAKING_STORE), voter.address);
    if (validator === undefined || total === 0n) continue;
    const reward = mulDecCoinsTruncate(shared, decQuoTruncate(decOf(voter.power), decOf(total)));
    allocateToValidator(context, validator, reward);
    left = subtractDecCoins(left, reward);
  }
  addToCommunityPool(context, left);
}

/** Without staking the fees stay where they are collected. */
export function beginDistribution(context: BlockContext): void {
  if (!isActive(context.state.store(STAKING_STORE))) return;
  // The first block has no votes; fees of genesis wait for the second.
  if (context.block.height > 1n) allocate(context);
  const { proposerAddress } = context.block;
  if (proposerAddress.length > 0) previousProposer.set(context.state.store(DISTRIBUTION_STORE), proposerAddress);
}
