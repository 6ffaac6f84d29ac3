/** Amounts of denominations: lists sorted by denomination, each once, each positive. */
import { divCeil } from '#core/int.ts';
import { err, ok, type Result } from '#core/result.ts';
import { RUNTIME_LIMITS } from './limits.ts';

export interface Coin {
  readonly denom: string;
  /** 0 ≤ amount < 2^256. */
  readonly amount: bigint;
}

/** A price: `amount` in 10^-18 of one unit of `denom`. */
export interface DecCoin {
  readonly denom: string;
  readonly atomics: bigint;
}

/** types/coin.go reDnmString. */
const DENOM = /^[a-zA-Z][a-zA-Z0-9/:._-]{2,127}$/;
const AMOUNT = /^(0|[1-9][0-9]*)$/;
const DECIMALS = 18;
const ONE = 1_000_000_000_000_000_000n;

export function isDenom(denom: string): boolean {
  return DENOM.test(denom);
}

/** A decimal integer 0 … 2^256 − 1, without sign or leading zeros. */
export function parseAmount(text: string, title: string): Result<bigint, string> {
  if (text.length > RUNTIME_LIMITS.maxAmountDigits || !AMOUNT.test(text))
    return err(`${title}: expected a whole number, got ${JSON.stringify(text.slice(0, 100))}`);
  const amount = BigInt(text);
  return amount > RUNTIME_LIMITS.maxAmount ? err(`${title}: ${text} exceeds 2^256 − 1`) : ok(amount);
}

/** Coins of a message: sorted, no denomination twice, all positive (types/coin.go Coins.Validate). The list may be empty. */
export function parseCoins(
  coins: readonly { readonly denom: string; readonly amount: string }[],
  title: string,
): Result<readonly Coin[], string> {
  if (coins.length > RUNTIME_LIMITS.maxCoins)
    return err(`${title}: ${coins.length} denominations exceed the limit of ${RUNTIME_LIMITS.maxCoins}`);
  const out: Coin[] = [];
  let last = '';
  for (const { denom, amount: text } of coins) {
    if (!isDenom(denom)) return err(`${title}: ${JSON.stringify(denom.slice(0, 150))} is not a denomination`);
    if (denom <= last) return err(`${title}: denominations must be sorted and unique, ${denom} follows ${last}`);
    last = denom;
    const amount = parseAmount(text, `${title}.${denom}`);
    if (!amount.ok) return amount;
    if (amount.value === 0n) return err(`${title}: the amount of ${denom} must be positive`);
    out.push({ denom, amount: amount.value });
  }
  return ok(out);
}

/** `5uauton,7ucredit`; the empty list is the empty string (types/coin.go Coins.String). */
export function formatCoins(coins: readonly Coin[]): string {
  let text = '';
  for (const { denom, amount } of coins) text += text === '' ? `${amount}${denom}` : `,${amount}${denom}`;
  return text;
}

export function toProtoCoin(coin: Coin): { readonly denom: string; readonly amount: string } {
  return { denom: coin.denom, amount: coin.amount.toString() };
}

export function amountOf(coins: readonly Coin[], denom: string): bigint {
  return coins.find((coin) => coin.denom === denom)?.amount ?? 0n;
}

/** Sum of two sorted lists. */
export function addCoins(a: readonly Coin[], b: readonly Coin[]): readonly Coin[] {
  const sums = new Map(a.map((coin) => [coin.denom, coin.amount]));
  for (const { denom, amount } of b) sums.set(denom, (sums.get(denom) ?? 0n) + amount);
  return [...sums]
    .map(([denom, amount]) => ({ denom, amount }))
    .filter(({ amount }) => amount !== 0n)
    .sort((x, y) => (x.denom < y.denom ? -1 : x.denom > y.denom ? 1 : 0));
}

/** a − b; undefined when `b` has more of a denomination than `a`. */
export function subtractCoins(a: readonly Coin[], b: readonly Coin[]): readonly Coin[] | undefined {
  if (b.some(({ denom, amount }) => amountOf(a, denom) < amount)) return undefined;
  return a
    .map(({ denom, amount }) => ({ denom, amount: amount - amountOf(b, denom) }))
    .filter(({ amount }) => amount > 0n);
}

const DEC_COIN = /^([0-9]{1,59})(?:\.([0-9]{1,18}))?([a-zA-Z][a-zA-Z0-9/:._-]{2,127})$/;

/** `0.025uauton,1ucosm`: what the node's minimum gas prices look like in its configuration. */
export function parseDecCoins(text: string): Result<readonly DecCoin[], string> {
  const out: DecCoin[] = [];
  for (const part of text.split(',').filter((piece) => piece.trim() !== '')) {
    const match = DEC_COIN.exec(part.trim());
    if (match === null) return err(`gas price: expected <decimal><denomination>, got ${JSON.stringify(part.trim())}`);
    const fraction = (match[2] ?? '').padEnd(DECIMALS, '0');
    out.push({ denom: match[3] ?? '', atomics: BigInt(match[1] ?? '0') * ONE + BigInt(fraction) });
  }
  return ok(out);
}

/** What `gas` costs at `price`, rounded up. */
export function feeFor(gas: bigint, price: DecCoin): Coin {
  return { denom: price.denom, amount: divCeil(gas * price.atomics, ONE) };
}
