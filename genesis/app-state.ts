import { MemoryKv } from '#core/ports/memory-kv.ts';
import type { Result } from '#core/result.ts';
import type { ChainParams } from '#runtime/context.ts';
import { initState } from '#runtime/genesis-state.ts';
import type { RuntimeModule } from '#runtime/module.ts';
import { moduleTable } from '#runtime/module-table.ts';
import { StateBranch } from '#runtime/state/branch.ts';
import { MultiStore } from '#runtime/state/multistore.ts';
import { type GenesisDocument, toInitChain } from './document.ts';

/** Whether the modules accept `app_state`. A failure names the field. Nothing is kept. */
export function checkAppState(
  document: GenesisDocument,
  modules?: readonly RuntimeModule[],
): Result<ChainParams, string> {
  const table = moduleTable(modules);
  const store = MultiStore.open(new MemoryKv(), table.storeNames);
  return initState(table, new StateBranch(store.latest()), toInitChain(document));
}
