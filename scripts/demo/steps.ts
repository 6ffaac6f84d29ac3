import { inferPicture } from './inference.ts';
import { sendAuton } from './send-auton.ts';
import type { DemoStep } from './step.ts';

/** The demonstration, in order. */
export const demoSteps: readonly DemoStep[] = [sendAuton, inferPicture];
