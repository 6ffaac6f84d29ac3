/** Burn and mint: buying credits burns AUTON into the pool, settling them mints a part of it again. */
import { assert } from '#core/assert.ts';
import { creditsError } from '#core/errors.ts';
import { divFloor, MAX_INT64, minBig } from '#core/int.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Params, Pool, Settlement } from '#proto/gen/autonomy/credits/v1/credits_pb.ts';
import { SettlementSchema } from '#proto/gen/autonomy/credits/v1/credits_pb.ts';
import { create } from '#proto/message.ts';
import { formatAddress, moduleAddress } from '../../address.ts';
import type { BlockContext, MessageContext } from '../../context.ts';
import { burnCoins, ledgerOf, mintCoins, type Output, sendCoins, sendToMany } from '../bank/ledger.ts';
import {
  BASE_UNITS_PER_AUTON,
  CREDIT_DENOM,
  CREDIT_MICRO_USD,
  CREDITS_ACCOUNT,
  CREDITS_STORE,
  getParams,
  getPool,
  pool as poolItem,
  TREASURY_ACCOUNT,
} from './state.ts';

/** Anything that may change state inside a block. */
export type Scope = Pick<BlockContext & MessageContext, 'state' | 'events' | 'chain' | 'block'>;

const ALL_BASIS_POINTS = 10_000n;

/** Of the backing of settled credits, in percent; the rest is destroyed. */
const SHARES = { provider: 60n, creator: 14n, validators: 5n, treasury: 1n } as const;
const PERCENT = 100n;

/** ucredit for `amount` uauton at the fixed price less the spread, rounded down. */
export function creditsFor(params: Pick<Params, 'priceMicroUsd' | 'spreadBasisPoints'>, amount: bigint): bigint {
  const kept = ALL_BASIS_POINTS - BigInt(params.spreadBasisPoints);
  return divFloor(amount * params.priceMicroUsd * kept, BASE_UNITS_PER_AUTON * CREDIT_MICRO_USD * ALL_BASIS_POINTS);
}

/**
 * uauton behind `credits` ucredit: their price, but never more than their part of the pool, so that whoever settles first
 * drains nobody. Rounded down.
 */
export function backingOf(
  params: Pick<Params, 'priceMicroUsd'>,
  pool: Pick<Pool, 'pool' | 'outstanding'>,
  credits: bigint,
): bigint {
  if (pool.outstanding === 0n) return 0n;
  const atPrice = divFloor(credits * CREDIT_MICRO_USD * BASE_UNITS_PER_AUTON, params.priceMicroUsd);
  return minBig(atPrice, divFloor(credits * pool.pool, pool.outstanding));
}

/** Burns `amount` uauton of the buyer for at least `minCredits` ucredit; answers how many. */
export function buyCredits(scope: Scope, buyer: Uint8Array, amount: bigint, minCredits: bigint): Result<bigint> {
  const store = scope.state.store(CREDITS_STORE);
  const credits = creditsFor(getParams(store), amount);
  if (credits === 0n)
    return err(creditsError('tooLittle', `${amount}${scope.chain.baseDenom} buys no ${CREDIT_DENOM}`));
  if (credits < minCredits)
    return err(
      creditsError('belowMinimum', `${amount}${scope.chain.baseDenom} buys ${credits}, asked for ${minCredits}`),
    );
  const before = getPool(store);
  if (before.outstanding + credits > MAX_INT64)
    return err(creditsError('tooLittle', `the ${CREDIT_DENOM} that exist would exceed 2^63 − 1`));
  const ledger = ledgerOf(scope);
  const coins = [{ denom: scope.chain.baseDenom, amount }];
  const taken = sendCoins(ledger, buyer, moduleAddress(CREDITS_ACCOUNT), coins);
  if (!taken.ok) return taken;
  const burned = burnCoins(ledger, CREDITS_ACCOUNT, coins);
  if (!burned.ok) return burned;
  const bought = [{ denom: CREDIT_DENOM, amount: credits }];
  const minted = mintCoins(ledger, CREDITS_ACCOUNT, bought);
  if (!minted.ok) return minted;
  const given = sendCoins(ledger, moduleAddress(CREDITS_ACCOUNT), buyer, bought);
  if (!given.ok) return given;
  poolItem.set(store, {
    ...before,
    pool: before.pool + amount,
    outstanding: before.outstanding + credits,
    burned: before.burned + amount,
  });
  scope.events.emit('buy_credits', [
    ['buyer', formatAddress(scope.chain, buyer)],
    ['burned', `${amount}${scope.chain.baseDenom}`],
    ['credits', `${credits}${CREDIT_DENOM}`],
  ]);
  return ok(credits);
}

/** Who is paid for a job. */
export interface Payees {
  readonly provider: Uint8Array;
  readonly creator: Uint8Array;
  /** Accounts of the validators that were right; undefined for one without an account. */
  readonly validators: readonly (Uint8Array | undefined)[];
}

interface Due {
  readonly role: string;
  readonly to: Uint8Array;
  readonly amount: bigint;
}

function duesOf(backing: bigint, payees: Payees): readonly Due[] {
  const part = (percent: bigint) => divFloor(backing * percent, PERCENT);
  const count = BigInt(payees.validators.length);
  const each = count === 0n ? 0n : divFloor(part(SHARES.validators), count);
  return [
    { role: 'provider', to: payees.provider, amount: part(SHARES.provider) },
    { role: 'creator', to: payees.creator, amount: part(SHARES.creator) },
    ...payees.validators.flatMap((to) => (to === undefined ? [] : [{ role: 'validator', to, amount: each }])),
    { role: 'treasury', to: moduleAddress(TREASURY_ACCOUNT), amount: part(SHARES.treasury) },
  ].filter(({ amount }) => amount > 0n);
}

/** Mints the dues, and says whether that was possible. */
function pay(scope: Scope, dues: readonly Due[]): bigint {
  const total = dues.reduce((sum, { amount }) => sum + amount, 0n);
  if (total === 0n) return 0n;
  const ledger = ledgerOf(scope);
  const coins = (amount: bigint) => [{ denom: scope.chain.baseDenom, amount }];
  const minted = mintCoins(ledger, CREDITS_ACCOUNT, coins(total));
  assert(minted.ok, 'what was burned can be minted again');
  const outputs: Output[] = dues.map(({ to, amount }) => ({ to, coins: coins(amount) }));
  const sent = sendToMany(ledger, moduleAddress(CREDITS_ACCOUNT), coins(total), outputs);
  assert(sent.ok, 'what was just minted can be sent');
  return total;
}

/**
 * Burns `credits` ucredit that the module account `holder` (with the permission to burn) holds, and mints what is due of
 * their backing. What cannot be divided evenly is destroyed.
 */
export function settleCredits(scope: Scope, holder: string, credits: bigint, payees: Payees): Settlement {
  const store = scope.state.store(CREDITS_STORE);
  const before = getPool(store);
  assert(credits > 0n && credits <= before.outstanding, `${credits} credits to settle, ${before.outstanding} exist`);
  const backing = backingOf(getParams(store), before, credits);
  const burned = burnCoins(ledgerOf(scope), holder, [{ denom: CREDIT_DENOM, amount: credits }]);
  assert(burned.ok, `${holder} holds the credits that are settled`);
  const dues = duesOf(backing, payees);
  const reminted = pay(scope, dues);
  poolItem.set(store, {
    ...before,
    pool: before.pool - backing,
    outstanding: before.outstanding - credits,
    reminted: before.reminted + reminted,
    destroyed: before.destroyed + backing - reminted,
  });
  return create(SettlementSchema, {
    credits,
    backing,
    payments: dues.map(({ role, to, amount }) => ({ role, address: formatAddress(scope.chain, to), amount })),
    destroyed: backing - reminted,
  });
}
