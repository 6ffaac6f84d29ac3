import { NODE_LIMITS } from '../limits.ts';

export interface CheckQueueDeps {
  /** Has the signatures of these transactions verified elsewhere. Absent: checks verify them. */
  readonly verifyAhead: ((txs: readonly Uint8Array[]) => Promise<void>) | undefined;
  /** Resolves when this turn of the event loop is over. */
  readonly nextTurn: () => Promise<unknown>;
}

interface Job {
  readonly tx: Uint8Array;
  work(): Promise<unknown>;
  resolve(value: unknown): void;
  reject(error: unknown): void;
}

/**
 * Runs checks one at a time and in the order in which they were asked for. Where a turn of the event loop brings more than
 * a few, the signatures of the others are verified by other threads first, while this one checks what came before them.
 */
export class CheckQueue {
  readonly #deps: CheckQueueDeps;
  /** What goes before every check that waits. */
  #urgent: (() => Promise<void>)[] = [];
  #ready: Job[] = [];
  /** Of this turn, to be verified ahead. */
  #gathered: Job[] = [];
  /** Checks of this turn that went to {@link #ready} at once. */
  #direct = 0;
  #ending = false;
  /** Groups that wait for verdicts, or for a group before them. */
  #groups = 0;
  #lastGroup: Promise<void> = Promise.resolve();
  #running = false;

  constructor(deps: CheckQueueDeps) {
    this.#deps = deps;
  }

  check<T>(tx: Uint8Array, work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      const job: Job = { tx, work, resolve, reject };
      if (this.#deps.verifyAhead === undefined) this.#admit([job]);
      else if (this.#groups === 0 && this.#gathered.length === 0 && this.#direct < NODE_LIMITS.minChecksAhead) {
        this.#direct += 1;
        this.#admit([job]);
      } else this.#gathered.push(job);
      this.#endTurnLater();
    });
  }

  /** Runs after the check at hand and before all that wait. */
  first<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#urgent.push(() => work().then(resolve, reject));
      void this.#run();
    });
  }

  #endTurnLater(): void {
    if (this.#ending || this.#deps.verifyAhead === undefined) return;
    this.#ending = true;
    void this.#deps.nextTurn().then(() => {
      this.#ending = false;
      this.#direct = 0;
      const group = this.#gathered;
      this.#gathered = [];
      // In pieces: the first can be checked while the others are verified.
      for (let from = 0; from < group.length; from += NODE_LIMITS.verifierChunkChecks)
        this.#prepare(group.slice(from, from + NODE_LIMITS.verifierChunkChecks));
    });
  }

  #prepare(group: readonly Job[]): void {
    const { verifyAhead } = this.#deps;
    const worthIt = verifyAhead !== undefined && group.length >= NODE_LIMITS.minChecksAhead;
    if (!worthIt && this.#groups === 0) {
      this.#admit(group);
      return;
    }
    // What fails is verified by the checks.
    const verified = worthIt ? verifyAhead(group.map(({ tx }) => tx)).catch(() => {}) : undefined;
    this.#groups += 1;
    this.#lastGroup = this.#lastGroup
      .then(() => verified)
      .then(() => {
        this.#groups -= 1;
        this.#admit(group);
      });
  }

  #admit(jobs: readonly Job[]): void {
    for (const job of jobs) this.#ready.push(job);
    void this.#run();
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    // Whoever asks is answered later, never before he has his promise.
    await undefined;
    for (let done = 1; ; done++) {
      const urgent = this.#urgent.shift();
      const job = urgent === undefined ? this.#ready.shift() : undefined;
      if (urgent !== undefined) await urgent();
      else if (job === undefined) break;
      else {
        try {
          job.resolve(await job.work());
        } catch (error) {
          job.reject(error);
        }
      }
      if (done % NODE_LIMITS.checksPerTurn === 0) await this.#deps.nextTurn();
    }
    this.#running = false;
  }
}
