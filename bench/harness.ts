/**
 * Measures entries several times and reports min, median and max, because a shared machine varies by a quarter.
 * Where it is possible an entry measures a reference in the same run: the ratio of the two carries over to other
 * machines, the figures themselves do not.
 */
import { cpus, totalmem } from 'node:os';

/** A measured quantity. */
export interface Metric {
  readonly name: string;
  /** `blocks/s`, `ms`, `MiB` … */
  readonly unit: string;
  readonly better: 'higher' | 'lower';
}

/** Values of one run, one for each metric of the entry, by its name. */
export type Sample = Readonly<Record<string, number>>;

export interface Entry {
  readonly name: string;
  /** What is measured, under which load. */
  readonly description: string;
  readonly metrics: readonly Metric[];
  /** How often; each run measures reference and subject one after the other. */
  readonly runs: number;
  /** One measurement, everything set up and torn down inside. */
  run(): Promise<Sample>;
  /** The same measured on something known. */
  readonly reference?: { readonly name: string; run(): Promise<Sample> };
}

export interface Spread {
  readonly min: number;
  readonly median: number;
  readonly max: number;
}

export interface MetricResult {
  readonly metric: Metric;
  readonly subject: Spread;
  readonly reference?: Spread;
  /** Median of subject ÷ reference, run by run. */
  readonly ratio?: number;
}

export interface EntryResult {
  readonly entry: string;
  readonly description: string;
  readonly runs: number;
  readonly referenceName?: string;
  readonly metrics: readonly MetricResult[];
}

export interface Report {
  /** ISO 8601. */
  readonly at: string;
  readonly node: string;
  readonly machine: { readonly cores: number; readonly model: string; readonly memoryGiB: number };
  readonly results: readonly EntryResult[];
}

/** The p-th percentile (0–100) by nearest rank: always one of the values. `values` need not be sorted. */
export const percentile = (values: readonly number[], p: number): number => {
  if (values.length === 0) throw new Error('percentile of no values');
  if (!(p >= 0 && p <= 100)) throw new Error(`percentile ${p}: expected 0 to 100`);
  const sorted = values.toSorted((a, b) => a - b);
  const rank = Math.max(1, Math.ceil((p / 100) * sorted.length));
  return sorted[rank - 1] as number;
};

/** Middle value; the mean of the middle two when their number is even. */
export const median = (values: readonly number[]): number => {
  if (values.length === 0) throw new Error('median of no values');
  const sorted = values.toSorted((a, b) => a - b);
  const upper = Math.floor(sorted.length / 2);
  const high = sorted[upper] as number;
  return sorted.length % 2 === 1 ? high : (high + (sorted[upper - 1] as number)) / 2;
};

export const spread = (values: readonly number[]): Spread => ({
  min: Math.min(...values),
  median: median(values),
  max: Math.max(...values),
});

const finiteValue = (sample: Sample, metric: Metric, who: string): number => {
  const value = sample[metric.name];
  if (value === undefined || !Number.isFinite(value))
    throw new Error(`${who} measured ${String(value)} for "${metric.name}": expected a finite number`);
  return value;
};

/** Runs one entry `entry.runs` times. */
export const measure = async (entry: Entry, onRun: (run: number) => void = () => {}): Promise<EntryResult> => {
  if (!(Number.isSafeInteger(entry.runs) && entry.runs > 0))
    throw new Error(`${entry.name}: runs is ${entry.runs}, expected a positive whole number`);
  const subjects: Sample[] = [];
  const references: Sample[] = [];
  for (let run = 1; run <= entry.runs; run++) {
    onRun(run);
    if (entry.reference) references.push(await entry.reference.run());
    subjects.push(await entry.run());
  }
  const metrics = entry.metrics.map((metric): MetricResult => {
    const values = subjects.map((sample) => finiteValue(sample, metric, entry.name));
    const subject = spread(values);
    const { reference } = entry;
    if (!reference) return { metric, subject };
    const known = references.map((sample) => finiteValue(sample, metric, reference.name));
    const ratios = values.map((value, run) => value / (known[run] as number));
    return { metric, subject, reference: spread(known), ratio: median(ratios) };
  });
  return {
    entry: entry.name,
    description: entry.description,
    runs: entry.runs,
    ...(entry.reference ? { referenceName: entry.reference.name } : {}),
    metrics,
  };
};

export const describeMachine = (): Pick<Report, 'node' | 'machine'> => ({
  node: process.version,
  machine: {
    cores: cpus().length,
    model: cpus()[0]?.model ?? 'unknown',
    memoryGiB: Math.round(totalmem() / 2 ** 30),
  },
});

const figure = (value: number): string => {
  const size = Math.abs(value);
  return size >= 1000 ? value.toFixed(0) : size >= 10 ? value.toFixed(1) : value.toFixed(3);
};

/** The results as an aligned text table. */
export const formatTable = (results: readonly EntryResult[]): string => {
  const rows = [['entry', 'metric', 'unit', 'min', 'median', 'max', 'reference', 'ratio']];
  for (const { entry, metrics } of results)
    for (const { metric, subject, reference, ratio } of metrics)
      rows.push([
        entry,
        metric.name,
        metric.unit,
        figure(subject.min),
        figure(subject.median),
        figure(subject.max),
        reference ? figure(reference.median) : '–',
        ratio === undefined ? '–' : `${ratio.toFixed(2)}×`,
      ]);
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => (row[column] ?? '').length)));
  const textColumns = 3;
  return rows
    .map((row) =>
      row
        .map((cell, column) =>
          column < textColumns ? cell.padEnd(widths[column] ?? 0) : cell.padStart(widths[column] ?? 0),
        )
        .join('  ')
        .trimEnd(),
    )
    .join('\n');
};
