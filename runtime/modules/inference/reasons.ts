/** Statuses and refunds in words. */
import { JobStatus, RefundReason } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';

function nameOf(table: Readonly<Record<string, number>>, value: number): string {
  return Object.entries(table).find(([, number]) => number === value)?.[0] ?? String(value);
}

/** `COMMITTING`. */
export function statusName(status: JobStatus): string {
  return nameOf(JobStatus, status);
}

/** `NOT_SEALED`. */
export function reasonName(reason: RefundReason): string {
  return nameOf(RefundReason, reason);
}

const SENTENCES = new Map<number, string>([
  [RefundReason.NOT_SEALED, 'the provider did not seal a result by the deadline'],
  [RefundReason.NO_COMMIT_QUORUM, 'validators with more than two thirds of the power did not commit in time'],
  [RefundReason.PROVIDER_NOT_OPENED, 'the provider did not open its sealed result in time'],
  [RefundReason.OPENINGS_DISAGREE, 'the validators opened different results'],
  [RefundReason.NO_OPENING_QUORUM, 'validators with more than two thirds of the power did not open in time'],
  [RefundReason.PROVIDER_DIFFERS, 'the validators agree on another result than the provider’s'],
  [RefundReason.CHAIN_RESTARTED, 'the chain began again from its state before the job was done'],
]);

/** Why the requester has its credits back, as a receipt says it; empty for no refund. */
export function refundSentence(reason: RefundReason): string {
  return SENTENCES.get(reason) ?? '';
}
