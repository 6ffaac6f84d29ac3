/**
 * What waits in the mempool is checked again after each block. Where the ante checks would read what they have read when
 * the transaction passed them, they would answer and write the same: that is repeated without running them. Whatever else
 * it is, they decide anew.
 *
 * Known here is what is most: one signer, who pays the fee himself, in one coin of the base denomination. Of the state the
 * checks then read the parameters and his account, which must be what they were; the balances between which the fee moves;
 * and that the collector has an account, as it does from genesis on. They write his account and the two balances.
 */
import { equal } from '#core/bytes.ts';
import type { ChainParams } from '../context.ts';
import { RUNTIME_LIMITS } from '../limits.ts';
import { AUTH_STORE, type AuthParams, getAuthParams } from '../modules/auth/state.ts';
import { BANK_STORE, Balance } from '../modules/bank/state.ts';
import type { StateBranch } from '../state/branch.ts';
import { Chunks } from '../state/chunks.ts';
import { GAS_PER_CHANGED_BYTE, type GasMeter } from '../state/gas.ts';
import { type Admitted, type AntePassed, COLLECTOR } from './ante.ts';
import type { DecodedTx } from './decode.ts';

/**
 * Gas of the checks may differ from the last time by the digits of two balances, each of which is read once and written
 * once: who has that much left has enough.
 */
const MOST_MORE_GAS = BigInt(2 * RUNTIME_LIMITS.maxAmountDigits * GAS_PER_CHANGED_BYTE);

/**
 * Records of what is checked again after a block, side by side as the checks would write them. The first ones were cut from
 * among those of all that was checked and executed meanwhile: who waits for long would keep all of that.
 */
const RECORD_CHUNK_BYTES = 8_192;
const records = new Chunks(RECORD_CHUNK_BYTES);

/** A pass of the checks, as far as it is not told by the transaction. True of any state: it says what leads to what. */
class Pass {
  readonly admitted: Admitted;
  readonly gas: bigint;
  readonly chain: ChainParams;
  readonly params: AuthParams;
  /** Who signs and pays. */
  readonly payer: Uint8Array;
  readonly fee: bigint;
  /** Store key of his account, and its record before and after: the same bytes always, but not the same arrays. */
  readonly account: string;
  before: Uint8Array;
  after: Uint8Array;

  constructor({ admitted, gas, chain, params, payer, fee, account, before, after }: Pass) {
    this.admitted = admitted;
    this.gas = gas;
    this.chain = chain;
    this.params = params;
    this.payer = payer;
    this.fee = fee;
    this.account = account;
    this.before = before;
    this.after = after;
  }
}

/** By base denomination, of which a process has one. */
const collectors = new Map<string, Balance>();

function collectorOf(denom: string): Balance {
  const known = collectors.get(denom);
  if (known !== undefined) return known;
  const made = new Balance(COLLECTOR, denom);
  collectors.set(denom, made);
  return made;
}

export interface PassedNow {
  readonly ante: AntePassed;
  readonly admitted: Admitted;
  readonly gas: GasMeter;
  /** A branch of the state, with what the checks have written and nothing else. */
  readonly written: StateBranch;
}

/** Remembers with a transaction that it has passed the checks in mode `check` or `recheck`. */
export function rememberPass(chain: ChainParams, state: StateBranch, tx: DecodedTx, passed: PassedNow): void {
  const { ante, admitted, gas, written } = passed;
  const { fee, signers, params } = ante;
  const [coin] = fee;
  const [payer] = signers.all;
  if (!ante.repeats || tx.body.timeoutHeight !== 0n || tx.authInfo.fee?.granter !== '') return;
  if (payer === undefined || signers.all.length !== 1) return;
  if (coin === undefined || fee.length !== 1 || coin.denom !== chain.baseDenom) return;
  const { limit = 0n, consumed } = gas;
  if (limit - consumed < MOST_MORE_GAS) return;
  // No other account, and no balance that has begun or ended: that would change the list of owners too.
  const changed = written.store(AUTH_STORE).onlyChange;
  if (changed?.value === undefined || written.store(BANK_STORE).size !== 2) return;
  const { id: account, value: after } = changed;
  const before = state.store(AUTH_STORE).get(account);
  if (before === undefined) return;
  tx.pass = new Pass({ admitted, gas: consumed, chain, params, payer, fee: coin.amount, account, before, after });
}

/**
 * What the checks would answer in mode `recheck`, written to `state` as they would write it; undefined: they must run, and
 * nothing is written.
 */
export function repeatPass(chain: ChainParams, state: StateBranch, tx: DecodedTx, gas: GasMeter): Admitted | undefined {
  const { pass } = tx;
  if (!(pass instanceof Pass) || pass.chain !== chain) return undefined;
  const { payer, fee, before } = pass;
  const auth = state.store(AUTH_STORE);
  if (getAuthParams(auth) !== pass.params) return undefined;
  const account = auth.get(pass.account);
  if (account === undefined || (account !== before && !equal(account, before))) return undefined;
  const bank = state.store(BANK_STORE);
  const from = new Balance(payer, chain.baseDenom);
  const to = collectorOf(chain.baseDenom);
  const [have, collected] = [from.get(bank), to.get(bank)];
  // As then, none begins and none ends.
  if (have <= fee || collected === 0n || collected + fee > RUNTIME_LIMITS.maxAmount) return undefined;
  gas.consume(pass.gas, 'ante checks');
  const after = records.take(pass.after.length);
  after.set(pass.after);
  // From here on nothing is read: what fails has failed before it has written.
  from.set(bank, have - fee, have);
  to.set(bank, collected + fee, collected);
  auth.set(pass.account, after);
  pass.before = account;
  pass.after = after;
  return pass.admitted;
}
