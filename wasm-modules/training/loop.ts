/** Steps of training, and the curve of their losses. */
export interface LoopOptions {
  readonly steps: number;
  /** Steps that one point of the curve is the mean of. */
  readonly every: number;
  readonly onPoint?: (point: CurvePoint) => void;
}

export interface CurvePoint {
  readonly step: number;
  readonly loss: number;
}

/** @param train one step, given which part of all steps lies behind; answers its loss */
export function runSteps({ steps, every, onPoint }: LoopOptions, train: (progress: number) => number): CurvePoint[] {
  const curve: CurvePoint[] = [];
  let loss = 0;
  for (let step = 0; step < steps; step++) {
    loss += train(step / steps) / every;
    if ((step + 1) % every !== 0) continue;
    const point = { step: step + 1, loss };
    curve.push(point);
    onPoint?.(point);
    loss = 0;
  }
  return curve;
}

/** The full rate for half of the way, then a straight line down. */
export function fallingRate(rate: number, progress: number): number {
  return rate * Math.min(1, 2 * (1 - progress) + 0.02);
}
