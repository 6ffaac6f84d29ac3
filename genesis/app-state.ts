import { MemoryKv } from '#core/ports/memory-kv.ts';
import { err, type Result } from '#core/result.ts';
import type { ChainParams } from '#runtime/context.ts';
import { initState } from '#runtime/genesis-state.ts';
import type { RuntimeModule } from '#runtime/module.ts';
import { moduleTable } from '#runtime/module-table.ts';
import { StateBranch } from '#runtime/state/branch.ts';
import { MultiStore } from '#runtime/state/multistore.ts';
import { type GenesisDocument, toInitChain } from './document.ts';

/** Whether the modules accept `app_state`, and their invariants hold in it. A failure names the field. Nothing is kept. */
export function checkAppState(
  document: GenesisDocument,
  modules?: readonly RuntimeModule[],
): Result<ChainParams, string> {
  const table = moduleTable(modules);
  const store = MultiStore.open(new MemoryKv(), table.storeNames);
  const state = new StateBranch(store.latest());
  const chain = initState(table, state, toInitChain(document));
  if (!chain.ok) return chain;
  const context = { state, height: document.initialHeight, chain: chain.value };
  const broken = table.modules.flatMap((module) => module.invariants?.(context) ?? []);
  return broken.length === 0 ? chain : err(`app_state: ${broken.join('; ')}`);
}
