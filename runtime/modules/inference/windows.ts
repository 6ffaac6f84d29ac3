/** Commit and open windows. Each ends when both its blocks and its BFT time are over. */
import { divCeil } from '#core/int.ts';
import type { Job } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import type { BlockInfo } from '../../context.ts';

/** Seconds that a window lasts at least, and per 10^9 gas on top: execution takes about one second for that on the reference core. */
const BASE_SECONDS = 2n;
const SECONDS_PER_GIGAGAS = 3n;
export const GIGAGAS = 1_000_000_000n;

function windowSeconds(gas: bigint): bigint {
  return BASE_SECONDS + divCeil(SECONDS_PER_GIGAGAS * gas, GIGAGAS);
}

/** @param start height of the block that began the window; @param blocks its length. What the block at its end says still counts. */
export function windowOver(job: Job, start: bigint, blocks: number, block: BlockInfo): boolean {
  return (
    block.height >= start + BigInt(blocks) &&
    block.time.seconds >= job.windowStartSeconds + windowSeconds(job.windowGas)
  );
}
