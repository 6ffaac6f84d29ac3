/** A schedule of vesting from the flags of `genesis add-account`, which are those of the Cosmos SDK's tools. */
import { readFile } from 'node:fs/promises';
import { Option } from 'commander';
import { MAX_INT64 } from '#core/int.ts';
import { err, type Result } from '#core/result.ts';
import type { VestingPlan } from '#genesis/vesting.ts';
import { asArray, asInteger, asObject, asParsed, readJson, root } from '#runtime/json.ts';
import type { Json } from '#runtime/module.ts';
import { parseCoins } from '../client/amounts.ts';
import { NODE_LIMITS } from '../limits.ts';
import { CliError, orFail } from './context.ts';
import { unsigned } from './unsigned.ts';

export interface VestingFlags {
  readonly vestingAmount?: string;
  readonly vestingStartTime?: bigint;
  readonly vestingEndTime?: bigint;
  readonly vestingPeriods?: string;
}

export const vestingOptions = (): Option[] => [
  new Option('--vesting-amount <coins>', 'what of the coins vests'),
  new Option('--vesting-start-time <seconds>', 'with an end: vests evenly from then on (Unix time)').argParser(
    unsigned,
  ),
  new Option('--vesting-end-time <seconds>', 'when all has vested; without a start all vests at once').argParser(
    unsigned,
  ),
  new Option(
    '--vesting-periods <file>',
    'JSON {"start_time": …, "periods": [{"coins": "5uauton", "length_seconds": …}]}',
  ),
];

/** Undefined: nothing vests. @throws CliError that names the flag. */
export async function vestingOf(flags: VestingFlags): Promise<VestingPlan | undefined> {
  const { vestingAmount, vestingStartTime: startTime, vestingEndTime: endTime, vestingPeriods: file } = flags;
  if (file !== undefined) {
    if (vestingAmount !== undefined || startTime !== undefined || endTime !== undefined)
      throw new CliError('--vesting-periods says amounts and times: leave the other vesting flags out');
    return orFail(readPeriodsFile(await readFile(file, 'utf8').catch(() => fail(`${file} cannot be read`))), file);
  }
  if (vestingAmount === undefined) {
    if (startTime === undefined && endTime === undefined) return undefined;
    throw new CliError('--vesting-start-time and --vesting-end-time need --vesting-amount');
  }
  const amount = orFail(parseCoins(vestingAmount), '--vesting-amount');
  if (endTime === undefined)
    throw new CliError('--vesting-amount needs --vesting-end-time, and --vesting-start-time to vest evenly');
  return startTime === undefined
    ? { kind: 'delayed', amount, endTime }
    : { kind: 'continuous', amount, startTime, endTime };
}

function fail(sentence: string): never {
  throw new CliError(sentence);
}

function named(text: string, title: string): ReturnType<typeof parseCoins> {
  const coins = parseCoins(text);
  return coins.ok ? coins : err(`${title}: ${coins.error}`);
}

/** The file of the Cosmos SDK's `tx vesting create-periodic-vesting-account`. Failure: a sentence that names the field. */
export function readPeriodsFile(text: string): Result<VestingPlan, string> {
  if (text.length > NODE_LIMITS.maxTxJsonCharacters)
    return err(`periods: ${text.length} characters exceed the limit of ${NODE_LIMITS.maxTxJsonCharacters}`);
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch {
    return err('periods: expected JSON');
  }
  return readJson(() => {
    const fields = asObject(root(json, 'vesting'), ['start_time', 'periods']);
    return {
      kind: 'periodic',
      startTime: asInteger(fields.start_time, 1n, MAX_INT64),
      periods: asArray(fields.periods).map((entry) => {
        const { coins, length_seconds } = asObject(entry, ['coins', 'length_seconds']);
        return { amount: asParsed(coins, named), length: asInteger(length_seconds, 1n, MAX_INT64) };
      }),
    };
  });
}
