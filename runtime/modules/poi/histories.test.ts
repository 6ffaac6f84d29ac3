/** Random histories of jobs with lying, late and missing validators and providers. */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { PoiExtension } from '#core/poi/formats.ts';
import { JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { accountOf, commitmentOf, openingOf, type TestValidator } from '#test/support/poi-chain.ts';
import { JobDriver } from '#test/support/poi-jobs.ts';
import { moduleAddress } from '../../address.ts';
import { BANK_STORE, balanceOf, supplyOf } from '../bank/state.ts';
import { CREDITS_STORE, getPool } from '../credits/state.ts';
import { BOND_ACCOUNT, ESCROW_ACCOUNT, isLive } from '../inference/state.ts';

/** How one validator treats one job: which truth, after how many blocks, and whether it says anything. */
const conduct = fc.record({
  commits: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
  opens: fc.integer({ min: 0, max: 9 }).map((n) => n > 0),
  version: fc.constantFrom(0, 0, 0, 0, 0, 0, 0, 0, 0, 1),
  lag: fc.integer({ min: 0, max: 10 }),
});

const plan = fc.record({
  /** Block in which it is requested. */
  at: fc.integer({ min: 0, max: 12 }),
  seals: fc.integer({ min: 0, max: 5 }).map((n) => n > 0),
  sealLag: fc.integer({ min: 1, max: 5 }),
  providerOpens: fc.integer({ min: 0, max: 5 }).map((n) => n > 0),
  providerVersion: fc.constantFrom(0, 0, 0, 0, 1),
  openLag: fc.integer({ min: 0, max: 9 }),
  conducts: fc.array(conduct, { minLength: 4, maxLength: 4 }),
});

type Plan = typeof plan extends fc.Arbitrary<infer T> ? T : never;

interface Running {
  readonly plan: Plan;
  readonly id: bigint;
}

/** What everybody does in the next block. */
function step(on: JobDriver, running: readonly Running[]) {
  const { height } = on.chain;
  const actions = [];
  const said = new Map<
    TestValidator,
    { commitments: PoiExtension['commitments'][number][]; openings: PoiExtension['openings'][number][] }
  >();
  for (const validator of on.chain.validators) said.set(validator, { commitments: [], openings: [] });
  for (const { plan: conductOf, id } of running) {
    const job = on.job(id);
    if (
      job.status === JobStatus.ASSIGNED &&
      conductOf.seals &&
      height >= job.requestedHeight + BigInt(conductOf.sealLag)
    )
      actions.push(on.sealAction(id, { version: conductOf.providerVersion }));
    if (
      job.status === JobStatus.REVEALING &&
      conductOf.providerOpens &&
      job.result === undefined &&
      height >= job.revealingHeight + BigInt(conductOf.openLag)
    )
      actions.push(on.openAction(id, { version: conductOf.providerVersion }));
    for (const [i, validator] of on.chain.validators.entries()) {
      const { commits, opens, version, lag } = conductOf.conducts[i] ?? {
        commits: false,
        opens: false,
        version: 0,
        lag: 0,
      };
      const truth = on.truth(id, validator, version);
      // Repeated in every block, as honest duties do: only the first counts.
      if (commits && job.sealedHeight > 0n && height >= job.sealedHeight + BigInt(lag))
        said.get(validator)?.commitments.push(commitmentOf(validator, id, truth));
      if (opens && job.sealedHeight > 0n && height >= job.sealedHeight + BigInt(lag))
        said.get(validator)?.openings.push(openingOf(id, truth));
    }
  }
  return { actions, said };
}

function runHistory(
  plans: readonly Plan[],
  powers: readonly bigint[],
): { readonly on: JobDriver; readonly running: Running[] } {
  const on = new JobDriver({ powers });
  const running: Running[] = [];
  for (let block = 0; block < 40; block++) {
    const due = plans.filter(({ at }) => at === block);
    const { actions, said } = step(on, running);
    // Every block also checks the invariants: supply, escrow, bonds.
    const { results } = on.chain.block([...actions, ...due.map(() => on.requestAction({ deadlineIn: 6n }))], said);
    for (const result of results) expect(result).toMatchObject({ ok: true });
    for (const mine of due) {
      const id = BigInt(running.length + 1);
      running.push({ plan: mine, id });
    }
  }
  return { on, running };
}

test('every job ends, what is escrowed and bonded comes back or is paid, and only agreement settles', {
  timeout: 60_000,
}, () => {
  const powers = fc.constantFrom([10n, 10n, 10n, 10n], [40n, 30n, 20n, 10n], [1n, 1n, 1n, 97n]);
  let settled = 0;
  let refunded = 0;
  fc.assert(
    fc.property(fc.array(plan, { minLength: 1, maxLength: 6 }), powers, (plans, chosen) => {
      const { on, running } = runHistory(plans, chosen);
      expect(running.length).toBe(plans.length);
      let paid = 0n;
      for (const { plan: how, id } of running) {
        const job = on.job(id);
        expect(isLive(job.status)).toBe(false);
        if (job.status !== JobStatus.SETTLED) {
          refunded++;
          continue;
        }
        settled++;
        paid += job.fee;
        // Whoever lied and was heard prevents a settlement.
        const liars = how.conducts.filter(
          ({ commits, opens, version, lag }) => commits && opens && version === 1 && lag === 0,
        );
        if (how.providerVersion === 0) expect(liars.length).toBe(0);
      }
      const bank = on.chain.state.store(BANK_STORE);
      expect(balanceOf(bank, moduleAddress(ESCROW_ACCOUNT), 'ucredit')).toBe(0n);
      expect(balanceOf(bank, moduleAddress(BOND_ACCOUNT), 'uauton')).toBe(on.initialBond);
      expect(on.provider()).toMatchObject({ bonded: on.initialBond, reserved: 0n });
      expect(on.credits()).toBe(on.boughtCredits - paid);
      const pool = getPool(on.chain.state.store(CREDITS_STORE));
      expect(supplyOf(bank, 'uauton')).toBe(pool.genesisSupply - pool.burned + pool.reminted);
      expect(pool.reminted <= pool.burned).toBe(true);
      if (paid === 0n) expect(balanceOf(bank, accountOf('creator'), 'uauton')).toBe(1_000n);
    }),
    { numRuns: 25 },
  );
  // A property that never reaches one of the two ends would say nothing.
  expect(settled).toBeGreaterThan(0);
  expect(refunded).toBeGreaterThan(0);
});
