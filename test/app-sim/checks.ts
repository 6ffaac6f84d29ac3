/** What must hold after a block, beside the modules' own invariants. Each check answers sentences, none when all is well. */
import type { ExecTxResult, FinalizeBlockResponse, Misbehavior } from '#core/abci.ts';
import { toHex } from '#core/bytes.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { decTruncate } from '#core/dec.ts';
import { minBig } from '#core/int.ts';
import { compareTime, type Timestamp } from '#core/types/timestamp.ts';
import type { ValidatorSet } from '#core/types/validator-set.ts';
import type { QueryContext } from '#runtime/context.ts';
import { committee, POI_STORE } from '#runtime/modules/poi/state.ts';
import { bytesDec, getParams, isTombstoned, SLASHING_STORE, signingInfos } from '#runtime/modules/slashing/state.ts';
import { BondStatus, type Unbonding } from '#runtime/modules/staking/records.ts';
import {
  activeValidators,
  allValidators,
  getValidatorByConsensus,
  redelegations,
  STAKING_STORE,
  unbondings,
  unbondingsByValidator,
  under,
} from '#runtime/modules/staking/state.ts';

/** All that a block's execution says, as one text. */
export function textOf(response: unknown): string {
  return JSON.stringify(response, (_key, value) => {
    if (typeof value === 'bigint') return `${value}n`;
    return value instanceof Uint8Array ? toHex(value) : value;
  });
}

/** Where two texts part. */
export function difference(a: string, b: string): string {
  let at = 0;
  while (at < a.length && a[at] === b[at]) at++;
  const from = Math.max(0, at - 80);
  return `…${a.slice(from, at + 120)}… against …${b.slice(from, at + 120)}…`;
}

function powersOf(list: readonly { readonly address: Uint8Array; readonly power: bigint }[]): string {
  return list
    .map(({ address, power }) => `${toHex(address)}:${power}`)
    .toSorted()
    .join();
}

/** Consensus, staking and proof of intelligence mean the same validators. */
export function checkValidators(context: QueryContext, newest: ValidatorSet, signers: ValidatorSet): readonly string[] {
  const staked = activeValidators(context.state.store(STAKING_STORE)).map(({ key, power }) => ({
    address: consensusAddress(key),
    power,
  }));
  const breaches: string[] = [];
  if (powersOf(staked) !== powersOf(newest.validators))
    breaches.push(`staking has ${powersOf(staked)}, consensus ${powersOf(newest.validators)}`);
  const members = committee(context.state.store(POI_STORE));
  if (powersOf(members) !== powersOf(signers.validators))
    breaches.push(`the committee is ${powersOf(members)}, the signers are ${powersOf(signers.validators)}`);
  return breaches;
}

/** What an engine says, and no sentence of ours. */
const ENGINE_TEXT = /\n\s+at |TypeError|RangeError|SyntaxError|Cannot |is not a function|\[object /;

export function checkResults(response: FinalizeBlockResponse, expected: number): readonly string[] {
  const breaches: string[] = [];
  const { txResults } = response;
  if (txResults.length !== expected) breaches.push(`${expected} transactions have ${txResults.length} results`);
  for (const { code, codespace, log, gasUsed, gasWanted } of txResults as readonly ExecTxResult[]) {
    if (code !== 0 && (codespace === '' || log === '')) breaches.push(`code ${code} without a codespace or a sentence`);
    if (code === 0 && gasUsed > gasWanted) breaches.push(`${gasUsed} of ${gasWanted} gas were used`);
    if (ENGINE_TEXT.test(log)) breaches.push(`an engine's words: ${log}`);
  }
  return breaches;
}

interface Liable {
  readonly delegator: Uint8Array;
  readonly operator: Uint8Array;
  readonly entries: readonly Unbonding[];
}

/**
 * What the evidence of the next block must leave of the stake that unbonds, computed apart from the modules that do it.
 * For a block without transactions, and the first offence of each validator.
 */
export function expectedUnbondings(
  context: QueryContext,
  misbehavior: readonly Misbehavior[],
  time: Timestamp,
): readonly Liable[] {
  const staking = context.state.store(STAKING_STORE);
  const slashing = context.state.store(SLASHING_STORE);
  const fraction = bytesDec(getParams(slashing).slashFractionDoubleSign);
  const [first] = misbehavior;
  if (first === undefined) return [];
  const { address } = first.validator;
  const validator = getValidatorByConsensus(staking, address);
  if (validator === undefined || validator.status === BondStatus.UNBONDED) return [];
  if (!signingInfos.has(slashing, address) || isTombstoned(slashing, address)) return [];
  const operator = validator.operator;
  return [...unbondingsByValidator.keys(staking, { under: under(operator) })].flatMap(([, delegator]) => {
    const before = unbondings.get(staking, [delegator, operator]) ?? [];
    const entries = before.flatMap((entry) => {
      // What is mature at the block's end is paid out.
      if (compareTime(entry.completionTime, time) <= 0) return [];
      if (entry.creationHeight < first.height - 1n) return [entry];
      const due = decTruncate(fraction * entry.initialBalance);
      return [{ ...entry, balance: entry.balance - minBig(due, entry.balance) }];
    });
    return entries.length === 0 ? [] : [{ delegator, operator, entries }];
  });
}

export function checkUnbondings(context: QueryContext, expected: readonly Liable[]): readonly string[] {
  const staking = context.state.store(STAKING_STORE);
  return expected.flatMap(({ delegator, operator, entries }) => {
    const found = (unbondings.get(staking, [delegator, operator]) ?? []).map(({ id, balance }) => `${id}: ${balance}`);
    const wanted = entries.map(({ id, balance }) => `${id}: ${balance}`);
    return found.join() === wanted.join()
      ? []
      : [`evidence left ${found.join()} of what unbonds, expected ${wanted.join()}`];
  });
}

/** At the end of a block nothing waits that is mature. */
export function checkMature({ state }: QueryContext, time: Timestamp): readonly string[] {
  const staking = state.store(STAKING_STORE);
  const isMature = (at: Timestamp) => compareTime(at, time) <= 0;
  const entries = [unbondings.entries(staking), redelegations.entries(staking)];
  const late = entries.flatMap((all) =>
    [...all].flatMap(([, some]) => some.filter((one) => isMature(one.completionTime))),
  );
  const validators = [...allValidators(staking)].filter(
    ({ status, unbondingTime }) => status === BondStatus.UNBONDING && isMature(unbondingTime),
  );
  return late.length + validators.length === 0
    ? []
    : [`${late.length} movements and ${validators.length} validators are mature and wait`];
}
