/** A job's way through the chain: seals, commitments, openings, windows; and everything that must not count. */
import { describe, expect, test } from 'vitest';
import { toHex } from '#core/bytes.ts';
import type { Opened } from '#core/poi/formats.ts';
import { outputRoot } from '#core/poi/formats.ts';
import { JobStatus, RefundReason } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import * as iq from '#proto/gen/autonomy/inference/v1/query_pb.ts';
import * as q from '#proto/gen/autonomy/poi/v1/query_pb.ts';
import { accountOf, commitmentOf, openingOf, type TestValidator, text } from '#test/support/poi-chain.ts';
import { JobDriver, TRUTH } from '#test/support/poi-jobs.ts';
import { BANK_STORE, balanceOf } from '../bank/state.ts';

const [A, B, C, D] = [0, 1, 2, 3];

describe('a job that everybody tells the truth about', () => {
  test('settles in the block of the last opening and pays all', () => {
    const on = new JobDriver();
    const job = on.request();
    expect(on.job(job).status).toBe(JobStatus.ASSIGNED);
    on.seal(job);
    expect(on.job(job)).toMatchObject({ status: JobStatus.COMMITTING, sealedHeight: on.chain.height });
    on.commit(job, [A, B, C, D]);
    expect(on.job(job)).toMatchObject({ status: JobStatus.REVEALING, revealingHeight: on.chain.height });
    on.open(job);
    on.reveal(job, [A, B, C, D]);
    const { settlement, ...final } = on.job(job);
    expect(final).toMatchObject({ status: JobStatus.SETTLED, finalHeight: on.chain.height });
    // 25 credits at 1 USD an AUTON are 250 uauton: 150, 35, four times ⌊12 ÷ 4⌋, 2, and 51 that nobody gets.
    expect(settlement).toMatchObject({ credits: 25n, backing: 250n, destroyed: 51n });
    expect(settlement?.payments.map(({ role, amount }) => [role, amount])).toEqual([
      ['provider', 150n],
      ['creator', 35n],
      ...[A, B, C, D].map(() => ['validator', 3n]),
      ['treasury', 2n],
    ]);
    expect(on.provider()).toMatchObject({ reserved: 0n });
  });

  test('settles without one validator of four, when its windows are over', () => {
    const on = new JobDriver();
    const job = on.request();
    on.seal(job);
    on.commit(job, [A, B, C]);
    expect(on.job(job).status).toBe(JobStatus.COMMITTING);
    on.idle(7);
    expect(on.job(job).status).toBe(JobStatus.REVEALING);
    on.open(job);
    on.reveal(job, [A, B, C]);
    expect(on.job(job).status).toBe(JobStatus.SETTLED);
    expect(on.job(job).settlement?.payments.filter(({ role }) => role === 'validator').length).toBe(3);
  });

  test('settles over a trap like over any other result', () => {
    const on = new JobDriver({ outcome: { kind: 2, code: 1, output: new Uint8Array() } });
    const job = on.toRevealing();
    on.open(job);
    on.reveal(job, [A, B, C, D]);
    expect(on.job(job)).toMatchObject({ status: JobStatus.SETTLED, result: { kind: 2, code: 1, outputBytes: 0 } });
  });

  test('a window lasts both its blocks and its time: a heavy job on quick blocks is waited for', () => {
    // 3 × 10^9 gas: 2 s + 9 s.
    const on = new JobDriver({ gasLimit: 3_000_000_000n });
    const job = on.request({ maxFee: 300n });
    on.seal(job);
    on.commit(job, [A, B, C]);
    on.idle(9);
    expect(on.job(job).status).toBe(JobStatus.COMMITTING);
    on.idle(1);
    expect(on.job(job).status).toBe(JobStatus.REVEALING);
  });
});

describe('a refund', () => {
  function expectRefund(on: JobDriver, job: bigint, reason: RefundReason, sentence: string): void {
    expect(on.job(job)).toMatchObject({ status: JobStatus.REFUNDED, refundReason: reason });
    const answer = on.chain.query(
      '/autonomy.inference.v1.Query/Job',
      iq.QueryJobRequestSchema,
      iq.QueryJobResponseSchema,
      { id: job },
    );
    expect(answer.refundSentence).toBe(sentence);
    expect(on.credits()).toBe(on.boughtCredits);
    expect(on.provider()).toMatchObject({ reserved: 0n });
  }

  test('when the provider does not seal by the deadline', () => {
    const on = new JobDriver();
    const job = on.request({ deadlineIn: 3n });
    on.idle(2);
    expect(on.job(job).status).toBe(JobStatus.ASSIGNED);
    on.idle(1);
    expectRefund(on, job, RefundReason.NOT_SEALED, 'the provider did not seal a result by the deadline');
    expect(on.trySeal(job)).toMatchObject({ ok: false, error: { codespace: 'inference', code: 10 } });
  });

  test('when two of four validators commit', () => {
    const on = new JobDriver();
    const job = on.request();
    on.seal(job);
    on.commit(job, [A, B]);
    on.idle(7);
    expectRefund(
      on,
      job,
      RefundReason.NO_COMMIT_QUORUM,
      'validators with more than two thirds of the power did not commit in time',
    );
  });

  test('when exactly two thirds of the power commit', () => {
    const on = new JobDriver({ powers: [2n, 1n] });
    const job = on.request();
    on.seal(job);
    on.commit(job, [0]);
    on.idle(7);
    expect(on.job(job).refundReason).toBe(RefundReason.NO_COMMIT_QUORUM);
  });

  test('when the provider does not open', () => {
    const on = new JobDriver();
    const job = on.toRevealing();
    on.reveal(job, [A, B, C, D]);
    on.idle(7);
    expectRefund(on, job, RefundReason.PROVIDER_NOT_OPENED, 'the provider did not open its sealed result in time');
  });

  test('when one validator opens another result, even against three and the provider', () => {
    const on = new JobDriver();
    const job = on.request();
    on.seal(job);
    on.commit(job, [A, B, C]);
    on.commit(job, [D], 1);
    on.open(job);
    on.reveal(job, [A, B, C]);
    on.reveal(job, [D], 1);
    expectRefund(on, job, RefundReason.OPENINGS_DISAGREE, 'the validators opened different results');
  });

  test('when too few open', () => {
    const on = new JobDriver();
    const job = on.toRevealing();
    on.open(job);
    on.reveal(job, [A, B]);
    on.idle(7);
    expectRefund(
      on,
      job,
      RefundReason.NO_OPENING_QUORUM,
      'validators with more than two thirds of the power did not open in time',
    );
  });

  test('when the provider sealed another result than the validators agree on', () => {
    const on = new JobDriver();
    const job = on.request();
    on.seal(job, 1);
    on.commit(job, [A, B, C, D]);
    on.open(job, 1);
    on.reveal(job, [A, B, C, D]);
    expectRefund(on, job, RefundReason.PROVIDER_DIFFERS, 'the validators agree on another result than the provider’s');
  });
});

describe('what does not count', () => {
  const ignoredReasons = (events: readonly { type: string; attributes: readonly { key: string; value: string }[] }[]) =>
    events
      .filter(({ type }) => type === 'verdict_ignored')
      .map(({ attributes }) => attributes.find(({ key }) => key === 'reason')?.value);

  test('a commitment copied from another validator opens to nothing', () => {
    const on = new JobDriver();
    const job = on.request();
    on.seal(job);
    const [a, b] = on.chain.validators as [TestValidator, TestValidator];
    const copied = commitmentOf(a, job, on.truth(job, a));
    on.commit(job, [A, C, D]);
    on.say(new Map([[b, { commitments: [copied], openings: [] }]]));
    on.open(job);
    const opening = openingOf(job, on.truth(job, a));
    const { events } = on.say(new Map([[b, { commitments: [], openings: [opening] }]]));
    expect(ignoredReasons(events)).toEqual(['not what was committed']);
    on.reveal(job, [A, C, D]);
    on.idle(8);
    expect(on.job(job)).toMatchObject({ status: JobStatus.SETTLED });
    expect(on.job(job).settlement?.payments.some(({ address }) => address === text(b.operator))).toBe(false);
  });

  test('a commitment for another job, and an opening replayed from one', () => {
    const on = new JobDriver();
    const first = on.toRevealing();
    const second = on.request();
    on.seal(second);
    const [a] = on.chain.validators as [TestValidator];
    // The commitment of the first job, said of the second.
    const replayed = { ...commitmentOf(a, first, on.truth(first, a)), job: second };
    on.say(new Map([[a, { commitments: [replayed], openings: [] }]]));
    on.commit(second, [B, C, D]);
    const opening = { ...openingOf(first, on.truth(first, a)), job: second };
    const { events } = on.say(new Map([[a, { commitments: [], openings: [opening] }]]));
    expect(ignoredReasons(events)).toEqual(['not what was committed']);
  });

  test('an opening before the reveal, without a commitment, with another salt, twice, and after the end', () => {
    const on = new JobDriver();
    const job = on.request();
    on.seal(job);
    const [a, , , d] = on.chain.validators as [TestValidator, TestValidator, TestValidator, TestValidator];
    const open = (validator: TestValidator, change: Partial<Opened> = {}) =>
      ignoredReasons(
        on.say(
          new Map([
            [validator, { commitments: [], openings: [openingOf(job, { ...on.truth(job, validator), ...change })] }],
          ]),
        ).events,
      );
    expect(open(a)).toEqual(['the job is COMMITTING']);
    on.commit(job, [A, B, C]);
    on.idle(7);
    expect(open(d)).toEqual(['not committed']);
    expect(open(a, { salt: new Uint8Array(32) })).toEqual(['not what was committed']);
    expect(open(a)).toEqual([]);
    const recorded = on.verdicts(job);
    expect(open(a, { salt: new Uint8Array(32) })).toEqual(['opened already']);
    // Word for word the same is no news.
    expect(open(a)).toEqual([]);
    expect(on.verdicts(job)).toEqual(recorded);
    on.open(job);
    on.reveal(job, [B, C]);
    expect(on.job(job).status).toBe(JobStatus.SETTLED);
    expect(open(a)).toEqual([]);
    expect(open(d)).toEqual(['the job is SETTLED']);
    expect(on.verdicts(job).map(({ opening }) => opening !== undefined)).toEqual(on.verdicts(job).map(() => true));
  });

  test('a second commitment: the first recorded wins', () => {
    const on = new JobDriver();
    const job = on.request();
    on.seal(job);
    on.commit(job, [A], 1);
    const { events } = on.commit(job, [A]);
    expect(ignoredReasons(events)).toEqual(['committed already']);
    expect(ignoredReasons(on.commit(job, [A], 1).events)).toEqual([]);
    const verdicts = on.verdicts(job);
    const [a] = on.chain.validators as [TestValidator];
    expect(verdicts.map(({ commitment }) => toHex(commitment))).toEqual([
      toHex(commitmentOf(a, job, on.truth(job, a, 1)).hash),
    ]);
  });

  test('a commitment for a job that does not exist, and one after the window', () => {
    const on = new JobDriver();
    expect(ignoredReasons(on.commit(99n, [A]).events)).toEqual(['the job is unknown']);
    const job = on.request();
    on.seal(job);
    on.commit(job, [A, B, C]);
    on.idle(7);
    expect(ignoredReasons(on.commit(job, [D]).events)).toEqual(['the job is REVEALING']);
  });

  test('a provider that opens early, another result, twice, with another salt, or for somebody else', () => {
    const on = new JobDriver();
    const job = on.request();
    on.seal(job);
    expect(on.tryOpen(job)).toMatchObject({ ok: false, error: { code: 10 } });
    on.commit(job, [A, B, C, D]);
    expect(on.tryOpen(job, { output: Uint8Array.of(9) })).toMatchObject({ ok: false, error: { code: 13 } });
    expect(on.tryOpen(job, { salt: new Uint8Array(32) })).toMatchObject({ ok: false, error: { code: 13 } });
    expect(on.tryOpen(job, { gasUsed: 1n })).toMatchObject({ ok: false, error: { code: 13 } });
    expect(on.tryOpen(job, { kind: 4 })).toMatchObject({ ok: false, error: { code: 12 } });
    expect(on.tryOpen(job, { salt: new Uint8Array(31) })).toMatchObject({ ok: false, error: { code: 12 } });
    expect(on.tryOpen(job, { provider: text(accountOf('requester')) })).toMatchObject({
      ok: false,
      error: { code: 11 },
    });
    expect(on.tryOpen(99n)).toMatchObject({ ok: false, error: { code: 2 } });
    expect(on.tryOpen(job)).toMatchObject({ ok: true });
    expect(on.tryOpen(job)).toMatchObject({ ok: false, error: { code: 10 } });
  });

  test('an output beyond the limit', () => {
    const output = new Uint8Array(64 * 1024 + 1);
    const on = new JobDriver({ outcome: { kind: 0, code: 0, output } });
    const job = on.toRevealing();
    expect(on.tryOpen(job)).toMatchObject({ ok: false, error: { code: 14 } });
  });
});

describe('a request', () => {
  test.each([
    ['an unknown model', { modelId: 7n }, 'sdk', 38],
    ['more gas than the model allows', { gasLimit: 10_000_000_001n }, 'inference', 6],
    ['no gas', { gasLimit: 0n }, 'inference', 6],
    ['a fee below the price', { maxFee: 24n }, 'inference', 7],
    ['a provider without a bond', { provider: text(accountOf('requester')) }, 'inference', 3],
    ['an input beyond the limit', { input: new Uint8Array(64 * 1024 + 1) }, 'inference', 5],
    ['a deadline in the past', { deadlineIn: 0n }, 'inference', 8],
    ['a deadline too far off', { deadlineIn: 10_001n }, 'inference', 8],
    ['more credits than there are', { requester: text(accountOf('creator')) }, 'sdk', 5],
  ])('with %s is refused', (_name, change, codespace, code) => {
    const on = new JobDriver();
    expect(on.tryRequest(change)).toMatchObject({ ok: false, error: { codespace, code } });
    expect(on.credits()).toBe(on.boughtCredits);
  });

  test('beyond the free bond is refused, and reserved bond cannot be taken back', () => {
    const on = new JobDriver({ genesis: { params: { job_stake: 400 } } });
    const first = on.request();
    on.request();
    expect(on.tryRequest()).toMatchObject({ ok: false, error: { codespace: 'inference', code: 4 } });
    expect(on.provider()).toMatchObject({ bonded: 1_000n, reserved: 800n });
    expect(on.tryUnbond(201n)).toMatchObject({ ok: false, error: { code: 4 } });
    expect(on.tryUnbond(200n)).toMatchObject({ ok: true });
    on.seal(first);
    on.commit(first, [A, B, C, D]);
    on.open(first);
    on.reveal(first, [A, B, C, D]);
    expect(on.provider()).toMatchObject({ bonded: 800n, reserved: 400n });
  });

  test('beyond the number of live jobs is refused until one is final; numbers are not used again', () => {
    const on = new JobDriver({ genesis: { params: { max_live_jobs: 2, job_stake: 1 } } });
    expect(on.request({ deadlineIn: 2n })).toBe(1n);
    expect(on.request({ deadlineIn: 9n })).toBe(2n);
    expect(on.tryRequest()).toMatchObject({ ok: false, error: { codespace: 'inference', code: 9 } });
    expect(on.job(1n).status).toBe(JobStatus.REFUNDED);
    expect(on.request()).toBe(3n);
    const live = on.chain.query(
      '/autonomy.inference.v1.Query/LiveJobs',
      iq.QueryLiveJobsRequestSchema,
      iq.QueryLiveJobsResponseSchema,
      { provider: text(accountOf('provider')) },
    );
    expect(live.jobs.map(({ id }) => id)).toEqual([2n, 3n]);
  });

  test('costs at least what its gas limit costs the validators', () => {
    const on = new JobDriver({ gasLimit: 3_000_000_001n });
    expect(on.tryRequest({ maxFee: 300n })).toMatchObject({ ok: false, error: { codespace: 'inference', code: 7 } });
    expect(on.job(on.request({ maxFee: 10_000n })).fee).toBe(301n);
  });

  test('beyond the gas that validators can execute is refused until a job is final', () => {
    const on = new JobDriver({ genesis: { params: { job_stake: 1, max_live_gas: 2_500_000 } } });
    on.request({ deadlineIn: 2n });
    on.request();
    expect(on.tryRequest()).toMatchObject({ ok: false, error: { codespace: 'inference', code: 9 } });
    expect(on.tryRequest({ gasLimit: 500_000n })).toMatchObject({ ok: true });
    on.idle(1);
    expect(on.tryRequest()).toMatchObject({ ok: true });
  });

  test('that is sealed behind others has a window for all of them', () => {
    const on = new JobDriver({ gasLimit: 2_000_000_000n });
    const jobs = [1n, 2n, 3n];
    on.chain.block(jobs.map(() => on.requestAction({ maxFee: 1_000n })));
    on.chain.block(jobs.map((job) => on.sealAction(job)));
    expect(jobs.map((job) => on.job(job).windowGas)).toEqual([2_000_000_000n, 4_000_000_000n, 6_000_000_000n]);
    for (const job of jobs) on.commit(job, [A, B, C]);
    // 2 s + 3 s for each 10^9: 8, 14 and 20 seconds, of which three have passed.
    const statuses = () => jobs.map((job) => on.job(job).status);
    on.idle(5);
    expect(statuses()).toEqual([JobStatus.REVEALING, JobStatus.COMMITTING, JobStatus.COMMITTING]);
    on.idle(6);
    expect(statuses().slice(1)).toEqual([JobStatus.REVEALING, JobStatus.COMMITTING]);
    on.idle(6);
    expect(statuses().at(2)).toBe(JobStatus.REVEALING);
  });

  test('a seal of the wrong length, by another provider, or twice is refused', () => {
    const on = new JobDriver();
    const job = on.request();
    expect(on.trySeal(job, { seal: new Uint8Array(31) })).toMatchObject({ ok: false, error: { code: 12 } });
    expect(on.trySeal(job, { provider: text(accountOf('requester')) })).toMatchObject({
      ok: false,
      error: { code: 11 },
    });
    expect(on.trySeal(job)).toMatchObject({ ok: true });
    expect(on.trySeal(job)).toMatchObject({ ok: false, error: { code: 10 } });
  });
});

test('duties name what a validator has still to do', () => {
  const on = new JobDriver();
  const job = on.request();
  const [a] = on.chain.validators as [TestValidator];
  const duties = (validator: Uint8Array) =>
    on.chain
      .query('/autonomy.poi.v1.Query/Duties', q.QueryDutiesRequestSchema, q.QueryDutiesResponseSchema, { validator })
      .duties.map((duty) => [duty.job?.id, duty.job?.status, duty.commitment.length, duty.opened]);
  expect(duties(a.address)).toEqual([]);
  on.seal(job);
  expect(duties(a.address)).toEqual([[job, JobStatus.COMMITTING, 0, false]]);
  expect(duties(accountOf('nobody'))).toEqual([]);
  on.commit(job, [A, B, C, D]);
  expect(duties(a.address)).toEqual([[job, JobStatus.REVEALING, 32, false]]);
  on.reveal(job, [A]);
  expect(duties(a.address)).toEqual([[job, JobStatus.REVEALING, 32, true]]);
});

test('input and output are given back as they were', () => {
  const on = new JobDriver();
  const job = on.toRevealing();
  const input = on.chain.query(
    '/autonomy.inference.v1.Query/Input',
    iq.QueryInputRequestSchema,
    iq.QueryInputResponseSchema,
    { jobId: job },
  );
  expect(input.input).toEqual(Uint8Array.of(1, 2, 3));
  on.open(job);
  const output = on.chain.query(
    '/autonomy.inference.v1.Query/Output',
    iq.QueryOutputRequestSchema,
    iq.QueryOutputResponseSchema,
    { jobId: job },
  );
  expect(output.output).toEqual(TRUTH.output);
  expect(on.job(job).result?.outputRoot).toEqual(outputRoot(0, 0, TRUTH.output));
});

test('bonds come back whole', () => {
  const on = new JobDriver();
  const bank = on.chain.state.store(BANK_STORE);
  const before = balanceOf(bank, accountOf('provider'), 'uauton');
  expect(on.tryUnbond(on.provider().bonded)).toMatchObject({ ok: true });
  expect(balanceOf(bank, accountOf('provider'), 'uauton')).toBe(before + on.initialBond);
});
