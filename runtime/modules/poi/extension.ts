/** What this validator attaches to its precommit: what its duties have ready, as far as the chain still waits for it. */
import { EMPTY } from '#core/bytes.ts';
import { decodeExtension, encodeExtension } from '#core/poi/formats.ts';
import { JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import type { VoteExtension } from '../../module.ts';
import { INFERENCE_STORE, jobs } from '../inference/state.ts';

export const voteExtension: VoteExtension = {
  extend(context, duties) {
    const ready = decodeExtension(duties.extension(context.block.height));
    // What does not decode would only be refused by everybody else, and the vote with it.
    if (!ready.ok) return EMPTY;
    const store = context.state.store(INFERENCE_STORE);
    const waits = (job: bigint, status: JobStatus) => jobs.get(store, job)?.status === status;
    return encodeExtension({
      commitments: ready.value.commitments.filter(({ job }) => waits(job, JobStatus.COMMITTING)),
      // An opening that the chain does not wait for yet would only tell others what to copy.
      openings: ready.value.openings.filter(({ job }) => waits(job, JobStatus.REVEALING)),
    });
  },
  /** The bytes alone decide, so that two honest nodes never disagree whatever block they have executed. */
  verify: (_context, _validator, extension) => decodeExtension(extension).ok,
};
