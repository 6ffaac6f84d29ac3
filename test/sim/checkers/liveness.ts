import { Violation } from './violation.ts';

/** Once everything is healed, every honest node gains heights within the time given. */
export function checkLiveness(
  heights: readonly {
    readonly node: string;
    readonly before: bigint;
    readonly after: bigint;
    readonly where: string;
  }[],
  expected: bigint,
): void {
  for (const { node, before, after, where } of heights)
    if (after - before < expected)
      throw new Violation('liveness', `${node} went from ${before} to ${after}, expected ${expected} more; ${where}`);
}
