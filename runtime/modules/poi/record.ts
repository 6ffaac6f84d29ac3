/** Recording what vote extensions say. First recorded wins; what does not fit is ignored, and an event says why. */
import { equal, toHex } from '#core/bytes.ts';
import { type Commitment, type PoiExtension, type VerdictOpening, verdictHash } from '#core/poi/formats.ts';
import { err, ok, type Result } from '#core/result.ts';
import { JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { OpeningSchema, VerdictSchema } from '#proto/gen/autonomy/poi/v1/poi_pb.ts';
import { create } from '#proto/message.ts';
import type { Scope } from '../credits/settlement.ts';
import { statusName } from '../inference/reasons.ts';
import { INFERENCE_STORE, jobs } from '../inference/state.ts';
import { POI_STORE, verdicts } from './state.ts';

function statusOf(scope: Scope, job: bigint): string {
  const found = jobs.get(scope.state.store(INFERENCE_STORE), job);
  return found === undefined ? 'unknown' : statusName(found.status);
}

function checkCommitment(scope: Scope, validator: Uint8Array, { job }: Commitment): Result<void, string> {
  const status = statusOf(scope, job);
  if (status !== statusName(JobStatus.COMMITTING)) return err(`the job is ${status}`);
  return verdicts.has(scope.state.store(POI_STORE), [job, validator]) ? err('committed already') : ok(undefined);
}

function checkOpening(scope: Scope, validator: Uint8Array, opening: VerdictOpening): Result<void, string> {
  const status = statusOf(scope, opening.job);
  if (status !== statusName(JobStatus.REVEALING)) return err(`the job is ${status}`);
  const verdict = verdicts.get(scope.state.store(POI_STORE), [opening.job, validator]);
  if (verdict === undefined) return err('not committed');
  if (verdict.opening !== undefined) return err('opened already');
  const author = { chainId: scope.chain.chainId, job: opening.job, address: validator };
  return equal(verdictHash(author, opening), verdict.commitment) ? ok(undefined) : err('not what was committed');
}

function ignored(scope: Scope, what: string, validator: Uint8Array, job: bigint, reason: string): void {
  scope.events.emit('verdict_ignored', [
    ['what', what],
    ['job_id', String(job)],
    ['validator', toHex(validator)],
    ['reason', reason],
  ]);
}

/** A commitment that is recorded already, word for word: duties repeat themselves until they have seen the block. */
function repeatsCommitment(scope: Scope, validator: Uint8Array, { job, hash }: Commitment): boolean {
  const verdict = verdicts.get(scope.state.store(POI_STORE), [job, validator]);
  return verdict !== undefined && equal(verdict.commitment, hash);
}

function repeatsOpening(scope: Scope, validator: Uint8Array, opening: VerdictOpening): boolean {
  const verdict = verdicts.get(scope.state.store(POI_STORE), [opening.job, validator]);
  if (verdict?.opening === undefined) return false;
  const author = { chainId: scope.chain.chainId, job: opening.job, address: validator };
  return equal(verdictHash(author, opening), verdict.commitment);
}

/** @param validator consensus address of a member whose signature over the extension was checked. */
export function recordExtension(scope: Scope, validator: Uint8Array, extension: PoiExtension): void {
  const store = scope.state.store(POI_STORE);
  for (const commitment of extension.commitments) {
    const { job, hash } = commitment;
    if (repeatsCommitment(scope, validator, commitment)) continue;
    const checked = checkCommitment(scope, validator, commitment);
    if (!checked.ok) {
      ignored(scope, 'commitment', validator, job, checked.error);
      continue;
    }
    const verdict = { validator, commitment: hash, committedHeight: scope.block.height };
    verdicts.set(store, [job, validator], create(VerdictSchema, verdict));
    scope.events.emit('verdict_committed', [
      ['job_id', String(job)],
      ['validator', toHex(validator)],
      ['commitment', toHex(hash)],
    ]);
  }
  for (const opening of extension.openings) {
    if (repeatsOpening(scope, validator, opening)) continue;
    const checked = checkOpening(scope, validator, opening);
    const verdict = verdicts.get(store, [opening.job, validator]);
    if (!checked.ok || verdict === undefined) {
      ignored(scope, 'opening', validator, opening.job, checked.ok ? 'not committed' : checked.error);
      continue;
    }
    const { kind, outputRoot, traceRoot, gasUsed, salt } = opening;
    const height = scope.block.height;
    const opened = create(OpeningSchema, { kind, outputRoot, traceRoot, gasUsed, salt, height });
    verdicts.set(store, [opening.job, validator], { ...verdict, opening: opened });
    scope.events.emit('verdict_opened', [
      ['job_id', String(opening.job)],
      ['validator', toHex(validator)],
      ['output_root', toHex(outputRoot)],
      ['trace_root', toHex(traceRoot)],
      ['gas_used', String(gasUsed)],
    ]);
  }
}
