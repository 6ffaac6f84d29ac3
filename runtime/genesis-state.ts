/** From `app_state` to the first state, and back. */
import type { InitChainRequest } from '#core/abci.ts';
import { fromUtf8 } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';
import { moduleAddress } from './address.ts';
import type { ChainParams, GenesisContext, QueryContext } from './context.ts';
import { isObject } from './json.ts';
import { RUNTIME_LIMITS } from './limits.ts';
import type { Json } from './module.ts';
import type { ModuleTable } from './module-table.ts';
import { AUTH_STORE, createAccount, getAccount, giveToModule } from './modules/auth/state.ts';
import { readChainParams } from './modules/chain/module.ts';
import { blockLimits, CHAIN_STORE } from './modules/chain/state.ts';
import type { StateWriter } from './state/kv-view.ts';

type AppState = { readonly [module: string]: Json };

function readAppState(table: ModuleTable, bytes: Uint8Array): Result<AppState, string> {
  if (bytes.length > RUNTIME_LIMITS.maxAppStateBytes)
    return err(`app_state: ${bytes.length} bytes exceed the limit of ${RUNTIME_LIMITS.maxAppStateBytes}`);
  let json: Json;
  try {
    json = JSON.parse(fromUtf8(bytes)) as Json;
  } catch {
    return err('app_state: expected JSON');
  }
  if (!isObject(json)) return err('app_state: expected an object with one key a module');
  for (const name of Object.keys(json))
    if (!table.modules.some((module) => module.name === name))
      return err(
        `app_state.${name}: no such module, there are ${table.modules.map((module) => module.name).join(', ')}`,
      );
  return ok(json);
}

/** Writes the first state. A failure names the field of the genesis document. */
export function initState(
  table: ModuleTable,
  state: StateWriter,
  request: InitChainRequest,
): Result<ChainParams, string> {
  const app = readAppState(table, request.appStateBytes);
  if (!app.ok) return app;
  const chain = readChainParams(request.chainId, app.value.chain);
  if (!chain.ok) return chain;
  const context: GenesisContext = {
    state,
    chain: chain.value,
    time: request.time,
    initialHeight: request.initialHeight,
    validators: request.validators,
    consensusParams: request.consensusParams,
  };
  const { maxBytes, maxGas } = request.consensusParams.block;
  blockLimits.set(state.store(CHAIN_STORE), { maxBytes, maxGas });
  for (const module of table.modules) {
    const done = module.initGenesis?.(context, app.value[module.name]);
    if (done !== undefined && !done.ok) return done;
  }
  const auth = state.store(AUTH_STORE);
  for (const { name, permissions } of table.moduleAccounts) {
    const account = getAccount(auth, moduleAddress(name));
    const isUnused = account?.module === undefined && account?.pubKey === undefined && account?.sequence === 0n;
    if (account === undefined) createAccount(auth, moduleAddress(name), { name, permissions });
    // Whoever sends coins to the address of a module that is to come must not keep it away. Nobody has a key for it.
    else if (isUnused) giveToModule(auth, account, { name, permissions });
    else if (account.module?.name !== name)
      return err(`app_state.auth: the address of module account ${name} is taken`);
  }
  return chain;
}

/** `app_state` as {@link initState} reads it. */
export function exportState(table: ModuleTable, context: QueryContext): AppState {
  const out: { [module: string]: Json } = {};
  for (const module of table.modules) {
    const json = module.exportGenesis?.(context);
    if (json !== undefined) out[module.name] = json;
  }
  return out;
}
