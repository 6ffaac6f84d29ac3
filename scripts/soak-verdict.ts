/**
 * The judgement of a soak run: pure functions of what was sampled. A line is fitted by Theil and Sen: the median of the
 * slopes between all pairs of points, which a third of wild points does not move (a collection, a compaction).
 */

/** What of a sample is judged. Memory and disk in MiB. */
export interface Measured {
  /** Minutes since the run began. */
  readonly minute: number;
  /** Undefined where it was not taken. */
  readonly memory: number | undefined;
  /** What pruning keeps small: blocks, states, index. */
  readonly prunedDisk: number;
  readonly openFiles: number;
}

export interface ValidatorRun {
  readonly name: string;
  readonly samples: readonly Measured[];
  readonly height: bigint;
  /** Of the highest block that all validators have. */
  readonly blockHash: string;
}

export interface LoadRun {
  readonly accepted: number;
  /** Accepted, and in no block by the end. */
  readonly lost: number;
  /** In a block with a code other than 0, or in two blocks. */
  readonly wrong: number;
  /** Requests that were answered with an error or not at all. */
  readonly failedQueries: number;
  readonly queries: number;
}

export interface SoakRun {
  readonly validators: readonly ValidatorRun[];
  readonly load: LoadRun;
}

export interface Criteria {
  /** Samples of earlier minutes are not judged: caches fill, compilers compile, nothing is pruned yet. */
  readonly warmUpMinutes: number;
  /** MiB a minute. */
  readonly maxMemoryGrowth: number;
  readonly maxDiskGrowth: number;
  /** Files a minute. */
  readonly maxFileGrowth: number;
  /** Blocks between the highest and the lowest validator. */
  readonly maxHeightSpread: bigint;
  /** Minutes after the warm-up. Where samples span fewer, growth is not judged, and the verdict says so. */
  readonly minMinutes: number;
}

export const CRITERIA: Criteria = {
  warmUpMinutes: 5,
  maxMemoryGrowth: 1,
  maxDiskGrowth: 1,
  maxFileGrowth: 1,
  maxHeightSpread: 2n,
  minMinutes: 6,
};

export interface Finding {
  readonly ok: boolean;
  readonly sentence: string;
}

/** Median slope over all pairs of points with different x. @throws RangeError for fewer than two such points. */
export function theilSenSlope(points: readonly { readonly x: number; readonly y: number }[]): number {
  const slopes: number[] = [];
  for (const [i, a] of points.entries())
    for (const b of points.slice(i + 1)) if (b.x !== a.x) slopes.push((b.y - a.y) / (b.x - a.x));
  if (slopes.length === 0) throw new RangeError('a slope needs two points with different x');
  slopes.sort((a, b) => a - b);
  const upper = Math.floor(slopes.length / 2);
  const high = slopes[upper] as number;
  return slopes.length % 2 === 1 ? high : (high + (slopes[upper - 1] as number)) / 2;
}

/** Growth a minute after the warm-up; undefined when the samples span too short a time to say. */
export function growthOf(
  samples: readonly Measured[],
  what: 'memory' | 'prunedDisk' | 'openFiles',
  criteria: Pick<Criteria, 'warmUpMinutes' | 'minMinutes'>,
): number | undefined {
  const judged = samples.flatMap((sample) => {
    const y = sample[what];
    return sample.minute < criteria.warmUpMinutes || y === undefined ? [] : [{ x: sample.minute, y }];
  });
  const span = (judged.at(-1)?.x ?? 0) - (judged[0]?.x ?? 0);
  return span < criteria.minMinutes ? undefined : theilSenSlope(judged);
}

/** One finding for each criterion and validator; the run is good when all are. */
export function judge(run: SoakRun, criteria: Criteria = CRITERIA): readonly Finding[] {
  return [
    ...run.validators.flatMap((validator) => [
      growthFinding(validator, 'memory', criteria.maxMemoryGrowth, 'MiB of memory', criteria),
      growthFinding(validator, 'prunedDisk', criteria.maxDiskGrowth, 'MiB of pruned disk', criteria),
      growthFinding(validator, 'openFiles', criteria.maxFileGrowth, 'open files', criteria),
    ]),
    ...agreementFindings(run.validators, criteria),
    ...loadFindings(run.load),
  ];
}

function growthFinding(
  { name, samples }: ValidatorRun,
  what: 'memory' | 'prunedDisk' | 'openFiles',
  limit: number,
  title: string,
  criteria: Criteria,
): Finding {
  const growth = growthOf(samples, what, criteria);
  if (growth === undefined)
    return { ok: true, sentence: `${name}: growth of ${title} not judged, the run was too short` };
  const ok = growth <= limit;
  return {
    ok,
    sentence: `${name}: ${signed(growth)} ${title} a minute after minute ${criteria.warmUpMinutes} (at most ${signed(limit)})`,
  };
}

function agreementFindings(validators: readonly ValidatorRun[], criteria: Criteria): readonly Finding[] {
  const heights = validators.map(({ height }) => height).toSorted((a, b) => (a < b ? -1 : a > b ? 1 : 0));
  const low = heights[0] ?? 0n;
  const spread = (heights.at(-1) ?? 0n) - low;
  const hashes = new Set(validators.map(({ blockHash }) => blockHash));
  return [
    {
      ok: low > 0n && spread <= criteria.maxHeightSpread,
      sentence: `heights ${heights.join(', ')}: ${spread} apart (at most ${criteria.maxHeightSpread})`,
    },
    {
      ok: hashes.size === 1 && !hashes.has(''),
      sentence: `${hashes.size === 1 ? 'one hash' : `${hashes.size} different hashes`} of block ${low}`,
    },
  ];
}

function loadFindings(load: LoadRun): readonly Finding[] {
  return [
    {
      ok: load.accepted > 0 && load.lost === 0 && load.wrong === 0,
      sentence: `${load.accepted} transactions accepted, ${load.lost} lost, ${load.wrong} failed or in two blocks`,
    },
    {
      ok: load.queries > 0 && load.failedQueries === 0,
      sentence: `${load.queries} queries, ${load.failedQueries} failed`,
    },
  ];
}

function signed(value: number): string {
  return `${value < 0 ? '−' : '+'}${Math.abs(value).toFixed(2)}`;
}
