import { bankSends } from './bank-sends.ts';
import { blockSync } from './block-sync.ts';
import { emptyBlocks } from './empty-blocks.ts';
import { eventLoop } from './event-loop.ts';
import type { Entry } from './harness.ts';
import { sha256 } from './sha256.ts';
import { sim } from './sim.ts';
import { stateUpdates } from './state-updates.ts';
import { stateUpkeep } from './state-upkeep.ts';
import { txPath } from './tx-path.ts';
import { verifyCommit } from './verify-commit.ts';
import { vm } from './vm.ts';
import { vmCalls } from './vm-calls.ts';
import { vmEventLoop } from './vm-event-loop.ts';
import { vmGas } from './vm-gas.ts';
import { vmGasEach } from './vm-gas-each.ts';
import { vmKernels } from './vm-kernels.ts';
import { vmStart } from './vm-start.ts';

/** Everything that `npm run bench` can measure, in order. */
export const entries: readonly Entry[] = [
  sha256,
  stateUpdates,
  stateUpkeep,
  vm,
  vmKernels,
  vmStart,
  vmCalls,
  vmEventLoop,
  vmGas,
  vmGasEach,
  emptyBlocks,
  blockSync,
  txPath,
  bankSends,
  verifyCommit,
  eventLoop,
  sim,
];
