/** Runs seeds one after another, and tells what was decided and what was done to it. */
import { optionsOf, replayCommand, type SeedArguments } from './arguments.ts';
import { type SimReport, simulate } from './run.ts';

const PROGRESS_MS = 60_000;

/** Answers how many seeds failed. */
export async function runSeeds(args: SeedArguments): Promise<number> {
  const total = new Total(args.from);
  const end = args.minutes === undefined ? Number.POSITIVE_INFINITY : args.minutes * 60_000;
  let told = 0;
  for (let seed = args.from; seed < args.from + args.seeds; seed++) {
    if (total.failed >= args.failures || total.elapsedMs >= end) break;
    const options = optionsOf(args, seed);
    const report = await simulate(options);
    total.add(report);
    if (report.violation !== undefined) {
      console.error(`seed ${seed} fails: ${report.violation.message}`);
      console.error(`replay it with: ${replayCommand(options)}`);
    }
    if (total.elapsedMs - told < PROGRESS_MS) continue;
    told = total.elapsedMs;
    console.error(`${total.done} of ${args.seeds} seeds, ${total.failed} failed, ${total.speed()}`);
  }
  console.log(total.lines().join('\n'));
  return total.failed;
}

const NO_FAULTS: SimReport['faults'] = {
  lost: 0,
  duplicated: 0,
  straggled: 0,
  cut: 0,
  partitions: 0,
  oneWay: 0,
  crashes: 0,
  lostWalRecords: 0,
  interleaved: 0,
  slowed: 0,
  pauses: 0,
  clockJumps: 0,
};

class Total {
  readonly #from: number;
  readonly #began = performance.now();
  readonly #usage = process.cpuUsage();
  readonly #faults = { ...NO_FAULTS } as Record<keyof SimReport['faults'], number>;
  done = 0;
  failed = 0;
  #heights = 0n;
  #fewest: bigint | undefined;
  #messages = 0;
  #evidence = 0;
  #setChanges = 0;
  #highestRound = 0;

  constructor(from: number) {
    this.#from = from;
  }

  get elapsedMs(): number {
    return performance.now() - this.#began;
  }

  add(report: SimReport): void {
    this.done++;
    if (report.violation !== undefined) this.failed++;
    const heights = report.height - report.firstHeight + 1n;
    this.#heights += heights;
    if (this.#fewest === undefined || heights < this.#fewest) this.#fewest = heights;
    this.#messages += report.messages;
    this.#evidence += report.evidence;
    this.#setChanges += report.setChanges;
    this.#highestRound = Math.max(this.#highestRound, report.highestRound);
    for (const [name, count] of Object.entries(report.faults)) this.#faults[name as keyof SimReport['faults']] += count;
  }

  speed(): string {
    const seconds = this.elapsedMs / 1000;
    return `${this.#heights} heights, ${(this.done / seconds).toFixed(2)} seeds/s`;
  }

  lines(): string[] {
    const faults = this.#faults;
    const seconds = this.elapsedMs / 1000;
    const processor = process.cpuUsage(this.#usage).user / 1e6;
    const heights = Number(this.#heights);
    return [
      `seeds ${this.#from}…${this.#from + this.done - 1}: ${this.done - this.failed} passed, ${this.failed} failed; ` +
        `${this.#heights} heights decided, ${this.#fewest ?? 0n} or more by each seed, highest deciding round ${this.#highestRound}`,
      `faults: ${faults.crashes} crashes (${faults.lostWalRecords} log records lost), ` +
        `${faults.partitions} partitions (${faults.oneWay} one-way), ${faults.pauses} pauses, ${faults.clockJumps} clock jumps`,
      `of ${this.#messages} messages: ${faults.lost} lost, ${faults.duplicated} duplicated, ${faults.straggled} straggled, ` +
        `${faults.cut} cut, ${faults.slowed} late at slow nodes, ${faults.interleaved} during unfinished effects`,
      `validator updates: ${this.#setChanges}; evidence committed: ${this.#evidence}`,
      `${processor.toFixed(1)} s of processor time, ${(heights / processor).toFixed(0)} heights per processor second`,
      `${seconds.toFixed(1)} s, ${(this.done / seconds).toFixed(2)} seeds/s, ${(heights / seconds).toFixed(0)} heights/s`,
    ];
  }
}
