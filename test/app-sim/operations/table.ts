import { governanceOperations } from './governance.ts';
import { inferenceOperations } from './inference.ts';
import { moneyOperations } from './money.ts';
import type { Operation } from './operation.ts';
import { stakeOperations } from './stake.ts';

export const OPERATIONS: readonly Operation[] = [
  ...moneyOperations,
  ...stakeOperations,
  ...inferenceOperations,
  ...governanceOperations,
];
