import { err, ok, type Result } from '#core/result.ts';

const UNITS = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000 } as const;

/** Go's durations as config files write them, whole numbers of one unit: "500ms", "3s", "1m". Answers milliseconds. */
export function parseDuration(text: string): Result<number, string> {
  const match = /^(\d{1,9})(ms|s|m|h)$/.exec(text);
  if (match === null) {
    if (text === '0') return ok(0);
    return err(`expected a duration such as "500ms", "3s" or "1m", got ${JSON.stringify(text)}`);
  }
  return ok(Number(match[1]) * UNITS[match[2] as keyof typeof UNITS]);
}

export function formatDuration(ms: number): string {
  for (const unit of ['h', 'm', 's'] as const) {
    if (ms > 0 && ms % UNITS[unit] === 0) return `${ms / UNITS[unit]}${unit}`;
  }
  return `${ms}ms`;
}
