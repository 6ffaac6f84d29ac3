/** The end of each window: from commitments to openings, from openings to settlement or refund. */
import { equal, toHex } from '#core/bytes.ts';
import { isQuorum } from '#core/types/validator-set.ts';
import { type Job, JobStatus, RefundReason } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import type { Validator, Verdict } from '#proto/gen/autonomy/poi/v1/poi_pb.ts';
import type { Scope } from '../credits/settlement.ts';
import { beginReveal, refundJob, settleJob, storedAddress } from '../inference/jobs.ts';
import { getParams, INFERENCE_STORE, liveJobs } from '../inference/state.ts';
import { windowOver } from '../inference/windows.ts';
import { type ComparedResult, committee, POI_STORE, powerOf, verdictsOf } from './state.ts';

/** The members that a predicate over their verdicts holds for. */
function membersWith(
  members: readonly Validator[],
  recorded: readonly Verdict[],
  holds: (verdict: Verdict) => boolean,
): readonly Validator[] {
  const chosen = new Set(recorded.filter(holds).map(({ validator }) => toHex(validator)));
  return members.filter(({ address }) => chosen.has(toHex(address)));
}

function sameResult(a: ComparedResult, b: ComparedResult): boolean {
  return (
    a.kind === b.kind && a.gasUsed === b.gasUsed && equal(a.outputRoot, b.outputRoot) && equal(a.traceRoot, b.traceRoot)
  );
}

function judgeCommitting(scope: Scope, job: Job, members: readonly Validator[]): void {
  const recorded = verdictsOf(scope.state.store(POI_STORE), job.id);
  if (membersWith(members, recorded, () => true).length === members.length) {
    beginReveal(scope, job);
    return;
  }
  const { commitWindowBlocks } = getParams(scope.state.store(INFERENCE_STORE));
  if (!windowOver(job, job.sealedHeight, commitWindowBlocks, scope.block)) return;
  const committed = powerOf(membersWith(members, recorded, () => true));
  if (isQuorum(committed, powerOf(members))) beginReveal(scope, job);
  else refundJob(scope, job, RefundReason.NO_COMMIT_QUORUM);
}

function judgeRevealing(scope: Scope, job: Job, members: readonly Validator[]): void {
  const recorded = verdictsOf(scope.state.store(POI_STORE), job.id);
  const allOpened = job.result !== undefined && recorded.every(({ opening }) => opening !== undefined);
  const { openWindowBlocks } = getParams(scope.state.store(INFERENCE_STORE));
  if (!allOpened && !windowOver(job, job.revealingHeight, openWindowBlocks, scope.block)) return;
  const refusal = refusalOf(job, recorded, members);
  if (refusal !== undefined) {
    refundJob(scope, job, refusal);
    return;
  }
  const right = membersWith(members, recorded, ({ opening }) => opening !== undefined);
  settleJob(
    scope,
    job,
    right.map(({ operator }) => (operator === '' ? undefined : storedAddress(scope.chain, operator))),
  );
}

/** Why the openings do not settle the job; undefined when they do. A truth is not voted: one right opening too few or one different opening refunds. */
function refusalOf(job: Job, recorded: readonly Verdict[], members: readonly Validator[]): RefundReason | undefined {
  if (job.result === undefined) return RefundReason.PROVIDER_NOT_OPENED;
  const openings = recorded.flatMap(({ opening }) => (opening === undefined ? [] : [opening]));
  const [first] = openings;
  if (first !== undefined && !openings.every((opening) => sameResult(opening, first)))
    return RefundReason.OPENINGS_DISAGREE;
  const opened = powerOf(membersWith(members, recorded, ({ opening }) => opening !== undefined));
  if (first === undefined || !isQuorum(opened, powerOf(members))) return RefundReason.NO_OPENING_QUORUM;
  return sameResult(first, job.result) ? undefined : RefundReason.PROVIDER_DIFFERS;
}

/** Moves every sealed job on that is ready to. */
export function judgeJobs(scope: Scope): void {
  const live = liveJobs(scope.state.store(INFERENCE_STORE));
  if (live.length === 0) return;
  const members = committee(scope.state.store(POI_STORE));
  for (const job of live) {
    if (job.status === JobStatus.COMMITTING) judgeCommitting(scope, job, members);
    else if (job.status === JobStatus.REVEALING) judgeRevealing(scope, job, members);
  }
}
