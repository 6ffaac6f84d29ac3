/**
 * How coins move: the only functions of the runtime that change balances and supply. Each keeps
 * `supply = Σ balances`. A failure leaves what was written before it; callers work in a branch that they drop.
 */

import { assert } from '#core/assert.ts';
import { ERRORS } from '#core/errors.ts';
import { maxBig } from '#core/int.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import { formatAddress, moduleAddress } from '../../address.ts';
import { amountOf, type Coin, formatCoins } from '../../coins.ts';
import type { BlockInfo, ChainParams, EventSink } from '../../context.ts';
import { failSdk } from '../../errors.ts';
import { RUNTIME_LIMITS } from '../../limits.ts';
import type { KvReader, KvWriter, StateWriter } from '../../state/kv-view.ts';
import { AUTH_STORE, ensureAccount, getAccount, setAccount } from '../auth/state.ts';
import { lockedCoins, trackDelegation, trackUndelegation } from '../vesting/schedule.ts';
import { BANK_STORE, Balance, balanceOf, isSendEnabled, supply, supplyOf } from './state.ts';

export interface Ledger {
  readonly bank: KvWriter;
  readonly auth: KvWriter;
  readonly events: EventSink;
  readonly chain: ChainParams;
  /** Of the block: what vests by then can be spent. */
  readonly time: Timestamp;
}

/** The ledger of a message's, block's or any other context. */
export function ledgerOf(context: {
  readonly state: StateWriter;
  readonly events: EventSink;
  readonly chain: ChainParams;
  readonly block: Pick<BlockInfo, 'time'>;
}): Ledger {
  return {
    bank: context.state.store(BANK_STORE),
    auth: context.state.store(AUTH_STORE),
    events: context.events,
    chain: context.chain,
    time: context.block.time,
  };
}

/** Whose coins move, and how events call it. */
interface Party {
  readonly address: Uint8Array;
  readonly text: string;
}

/** What moves, and how events show it. */
interface Sum {
  readonly coins: readonly Coin[];
  readonly text: string;
}

function partyOf({ chain }: Ledger, address: Uint8Array): Party {
  return { address, text: formatAddress(chain, address) };
}

function sumOf(coins: readonly Coin[]): Sum {
  return { coins, text: formatCoins(coins) };
}

/** Moves coins. The recipient gets an account when it has none. Blocked and send-disabled are the message's concern. */
export function sendCoins(ledger: Ledger, from: Uint8Array, to: Uint8Array, coins: readonly Coin[]): Result<void> {
  const sum = sumOf(coins);
  const sender = partyOf(ledger, from);
  const taken = take(ledger, sender, sum);
  if (!taken.ok) return taken;
  const recipient = partyOf(ledger, to);
  give(ledger, recipient, sum);
  ensureAccount(ledger.auth, to);
  ledger.events.emit('transfer', [
    ['recipient', recipient.text],
    ['sender', sender.text],
    ['amount', sum.text],
  ]);
  ledger.events.emit('message', [['sender', sender.text]]);
  return ok(undefined);
}

export interface Output {
  readonly to: Uint8Array;
  readonly coins: readonly Coin[];
}

/** One sender, many recipients; `total` is the sum of the outputs. */
export function sendToMany(
  ledger: Ledger,
  from: Uint8Array,
  total: readonly Coin[],
  outputs: readonly Output[],
): Result<void> {
  const sender = partyOf(ledger, from);
  const taken = take(ledger, sender, sumOf(total));
  if (!taken.ok) return taken;
  ledger.events.emit('message', [['sender', sender.text]]);
  for (const { to, coins } of outputs) {
    const [recipient, sum] = [partyOf(ledger, to), sumOf(coins)];
    give(ledger, recipient, sum);
    ledger.events.emit('transfer', [
      ['recipient', recipient.text],
      ['amount', sum.text],
    ]);
    ensureAccount(ledger.auth, to);
  }
  return ok(undefined);
}

/** New coins into a module's account. @param module one with the permission `minter`, which the caller answers for. */
export function mintCoins(ledger: Ledger, module: string, coins: readonly Coin[]): Result<void> {
  for (const { denom, amount } of coins) {
    const next = supplyOf(ledger.bank, denom) + amount;
    if (next > RUNTIME_LIMITS.maxAmount)
      return failSdk('invalidCoins', `the supply of ${denom} would exceed 2^256 − 1`);
    supply.set(ledger.bank, denom, next);
  }
  const minter = partyOf(ledger, moduleAddress(module));
  const sum = sumOf(coins);
  give(ledger, minter, sum);
  ledger.events.emit('coinbase', [
    ['minter', minter.text],
    ['amount', sum.text],
  ]);
  return ok(undefined);
}

/** Destroys coins of a module's account. @param module one with the permission `burner`. */
export function burnCoins(ledger: Ledger, module: string, coins: readonly Coin[]): Result<void> {
  const burner = partyOf(ledger, moduleAddress(module));
  const sum = sumOf(coins);
  const taken = take(ledger, burner, sum);
  if (!taken.ok) return taken;
  for (const { denom, amount } of coins) {
    const left = supplyOf(ledger.bank, denom) - amount;
    assert(left >= 0n, `the supply of ${denom} is below what an account holds`);
    if (left === 0n) supply.delete(ledger.bank, denom);
    else supply.set(ledger.bank, denom, left);
  }
  ledger.events.emit('burn', [
    ['burner', burner.text],
    ['amount', sum.text],
  ]);
  return ok(undefined);
}

/** Refuses denominations that accounts may not send to each other. */
export function requireSendEnabled(ledger: Pick<Ledger, 'bank'>, coins: readonly Coin[]): Result<void> {
  for (const { denom } of coins) {
    if (!isSendEnabled(ledger.bank, denom))
      return err({
        codespace: 'bank',
        code: ERRORS.bank.sendDisabled,
        message: `${denom} transfers are currently disabled: send transactions are disabled`,
      });
  }
  return ok(undefined);
}

/** Coins of an account that no message may move now (x/bank LockedCoins). */
export function lockedOf(
  ledger: { readonly auth: KvReader; readonly time: Timestamp },
  address: Uint8Array,
): readonly Coin[] {
  const vesting = getAccount(ledger.auth, address)?.vesting;
  return vesting === undefined ? [] : lockedCoins(vesting, ledger.time.seconds);
}

/** Whether messages may not send to the address: modules' accounts are filled by their modules alone. */
export function isBlocked(ledger: Pick<Ledger, 'auth'>, address: Uint8Array): boolean {
  return getAccount(ledger.auth, address)?.module !== undefined;
}

/** Moves coins into a module's account as a delegation: vesting coins may go too, and it is written down which went. */
export function delegateCoins(ledger: Ledger, from: Uint8Array, module: string, coins: readonly Coin[]): Result<void> {
  for (const { denom, amount } of coins) {
    const have = balanceOf(ledger.bank, from, denom);
    if (have < amount)
      return failSdk('insufficientFunds', `failed to delegate; ${have}${denom} is smaller than ${amount}${denom}`);
  }
  const account = getAccount(ledger.auth, from);
  if (account?.vesting !== undefined)
    setAccount(ledger.auth, { ...account, vesting: trackDelegation(account.vesting, ledger.time.seconds, coins) });
  return move(ledger, from, moduleAddress(module), coins);
}

/** Moves coins back out of a module's account, as the end of a delegation. */
export function undelegateCoins(ledger: Ledger, module: string, to: Uint8Array, coins: readonly Coin[]): Result<void> {
  const account = getAccount(ledger.auth, to);
  if (account?.vesting !== undefined)
    setAccount(ledger.auth, { ...account, vesting: trackUndelegation(account.vesting, coins) });
  return move(ledger, moduleAddress(module), to, coins);
}

/** x/bank DelegateCoins and UndelegateCoins: coin_spent and coin_received, without a transfer. */
function move(ledger: Ledger, from: Uint8Array, to: Uint8Array, coins: readonly Coin[]): Result<void> {
  const sum = sumOf(coins);
  const taken = takeUnlocked(ledger, partyOf(ledger, from), sum, []);
  if (!taken.ok) return taken;
  give(ledger, partyOf(ledger, to), sum);
  return ok(undefined);
}

function take(ledger: Ledger, from: Party, sum: Sum): Result<void> {
  return takeUnlocked(ledger, from, sum, lockedOf(ledger, from.address));
}

function takeUnlocked(ledger: Ledger, from: Party, sum: Sum, locked: readonly Coin[]): Result<void> {
  for (const { denom, amount } of sum.coins) {
    assert(amount > 0n, 'coins to move must be positive');
    const balance = new Balance(from.address, denom);
    const have = balance.get(ledger.bank);
    const spendable = maxBig(have - amountOf(locked, denom), 0n);
    if (spendable < amount) return failSdk('insufficientFunds', shortage({ denom, amount }, have, locked));
    balance.set(ledger.bank, have - amount, have);
  }
  ledger.events.emit('coin_spent', [
    ['spender', from.text],
    ['amount', sum.text],
  ]);
  return ok(undefined);
}

/** x/bank subUnlockedCoins. */
function shortage({ denom, amount }: Coin, have: bigint, locked: readonly Coin[]): string {
  const kept = amountOf(locked, denom);
  return kept > have
    ? `locked amount exceeds account balance funds: ${kept}${denom} > ${have}${denom}`
    : `spendable balance ${have - kept}${denom} is smaller than ${amount}${denom}`;
}

function give(ledger: Ledger, to: Party, sum: Sum): void {
  for (const { denom, amount } of sum.coins) {
    const balance = new Balance(to.address, denom);
    const before = balance.get(ledger.bank);
    assert(before + amount <= RUNTIME_LIMITS.maxAmount, `a balance of ${denom} exceeds its supply`);
    balance.set(ledger.bank, before + amount, before);
  }
  ledger.events.emit('coin_received', [
    ['receiver', to.text],
    ['amount', sum.text],
  ]);
}
