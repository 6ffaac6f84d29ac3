import type { ExecuteModel } from '#node/duties/execute-job.ts';

/** An executor whose results have one bit of their output flipped; everything else stays as it is. */
export function flipBit(own: ExecuteModel): ExecuteModel {
  return async (request) => {
    const outcome = await own(request);
    if (outcome.kind !== 'ok' || outcome.output.length === 0) return outcome;
    const output = Uint8Array.from(outcome.output);
    output[0] = (output[0] ?? 0) ^ 1;
    return { ...outcome, output };
  };
}
