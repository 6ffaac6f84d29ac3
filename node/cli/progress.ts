const WIDTH = 30;

/** A bar of what is done, for a line of a terminal. */
export function progressBar(done: number, total: number): string {
  const filled = Math.min(WIDTH, Math.floor((WIDTH * done) / Math.max(total, 1)));
  return `[${'#'.repeat(filled)}${'.'.repeat(WIDTH - filled)}] ${done} of ${total}`;
}

/** Shows a bar on standard error while something goes on; nothing where that is no terminal. */
export function showProgress(done: number, total: number): void {
  if (!process.stderr.isTTY) return;
  process.stderr.write(`\r${progressBar(done, total)}${done < total ? '' : '\n'}`);
}

/** A bar of steps, of which more may turn out to be needed. */
export interface Progress {
  expect(more: number): void;
  step(): void;
  /** Also where fewer steps were needed than expected. */
  finish(): void;
}

export function createProgress(steps: number): Progress {
  let [done, total] = [0, steps];
  return {
    expect(more) {
      total += more;
    },
    step() {
      done = Math.min(done + 1, total - 1);
      showProgress(done, total);
    },
    finish: () => showProgress(total, total),
  };
}
