import { err, ok, type Result } from '#core/result.ts';
import type { Coin } from '#runtime/coins.ts';

const DENOM = '[a-zA-Z][a-zA-Z0-9/:._-]{2,127}';
const COIN = new RegExp(`^(\\d{1,77})(${DENOM})$`);
const PRICE = new RegExp(`^(\\d{1,30})(?:\\.(\\d{1,18}))?(${DENOM})$`);

/** `100uauton` */
export function parseCoin(text: string): Result<Coin, string> {
  const match = COIN.exec(text.trim());
  return match === null
    ? err(`expected an amount such as 100uauton, got ${JSON.stringify(text)}`)
    : ok({ amount: BigInt(match[1] as string), denom: match[2] as string });
}

/** `100uauton,5ucredit`: sorted by denomination, none twice; the empty text is no coins. */
export function parseCoins(text: string): Result<readonly Coin[], string> {
  const coins: Coin[] = [];
  for (const part of text.split(',').filter((item) => item.trim() !== '')) {
    const coin = parseCoin(part);
    if (!coin.ok) return coin;
    if (coins.some((other) => other.denom === coin.value.denom)) return err(`${coin.value.denom} is named twice`);
    coins.push(coin.value);
  }
  return ok(coins.sort((a, b) => (a.denom < b.denom ? -1 : 1)));
}

/** A price of gas, exact: `numerator` ÷ 10^18 of `denom` for one unit of gas. */
export interface GasPrice {
  readonly denom: string;
  readonly numerator: bigint;
}

const SCALE = 10n ** 18n;

/** `0.025uauton` */
export function parseGasPrice(text: string): Result<GasPrice, string> {
  const match = PRICE.exec(text.trim());
  if (match === null) return err(`expected a price such as 0.025uauton, got ${JSON.stringify(text)}`);
  const numerator = BigInt(match[1] as string) * SCALE + BigInt((match[2] ?? '').padEnd(18, '0'));
  return ok({ numerator, denom: match[3] as string });
}

/** The fee for `gas`, rounded up; no coins when it is nothing. */
export function feeFor(gas: bigint, price: GasPrice): readonly Coin[] {
  const amount = (gas * price.numerator + SCALE - 1n) / SCALE;
  return amount === 0n ? [] : [{ denom: price.denom, amount }];
}
