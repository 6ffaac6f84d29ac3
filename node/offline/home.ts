/** The home of a node that does not run, for commands that work on its stores. */
import { access, readFile } from 'node:fs/promises';
import { pureVerifier } from '#core/crypto/verify.ts';
import { noDuties } from '#core/ports/duties.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { type GenesisDocument, parseGenesis } from '#genesis/document.ts';
import { openApplication, type RuntimeApplication } from '#runtime/app.ts';
import { splitInjection } from '#runtime/block.ts';
import { moduleTable } from '#runtime/module-table.ts';
import { Closers } from '../closers.ts';
import { type NodeConfig, parseConfig } from '../config/config.ts';
import { type HomePaths, homePaths } from '../config/home.ts';
import { type BlockStore, openBlockStore } from '../driver/block-store.ts';
import { openStateStore, type StateStore } from '../driver/state-store.ts';
import { storeKey } from '../driver/store-records.ts';
import { type IndexSource, storedBlocks } from '../indexer/indexer.ts';
import { openStores, type Stores } from '../open-stores.ts';
import { type HomeLock, lockHome } from '../storage/home-lock.ts';

/** What of a home is missing or does not fit; the message is for the operator. */
export class OfflineError extends Error {
  override readonly name = 'OfflineError';
}

export interface OfflineHome {
  readonly paths: HomePaths;
  readonly config: NodeConfig;
  readonly genesis: GenesisDocument;
  readonly stores: Stores;
  readonly blocks: BlockStore;
  readonly states: StateStore;
  /** Blocks and results, for the index. */
  readonly source: IndexSource;
  /** Opens the application; what it brings with it goes when the home is closed. */
  openApplication(options?: { readonly pruning?: NodeConfig['storage']['pruning'] }): Promise<RuntimeApplication>;
}

/**
 * Takes the home for this process alone, opens its stores, and closes all again. @throws OfflineError, HomeLockedError while
 * a node runs on it, and what `use` throws.
 */
export async function withStoppedHome<T>(home: string, use: (home: OfflineHome) => Promise<T>): Promise<T> {
  const paths = homePaths(home);
  const { config, genesis } = await readSettings(paths);
  const closers = new Closers();
  try {
    const lock = await lockHome(home);
    closers.push(() => lock.release());
    // Opened, it would be made.
    if (!(await exists(paths.blockStore)))
      throw new OfflineError(`${home} has no blocks: a node has not run there yet`);
    const stores = await openStores(paths, config, { logger: silentLogger }, closers);
    if (stores.chain.get(storeKey('stateSync')) !== undefined)
      throw new OfflineError(`state sync was interrupted in ${home}: start the node, which begins anew`);
    const [blocks, states] = [openBlockStore(stores.chain), openStateStore(stores.chain)];
    return await use({
      paths,
      config,
      genesis,
      stores,
      blocks,
      states,
      source: storedBlocks(blocks, states),
      openApplication: (options = {}) =>
        openApplication(
          { ...options, initialHeight: genesis.initialHeight, nodeCacheBytes: config.storage.stateCacheBytes },
          { kv: stores.application, verifier: pureVerifier, duties: noDuties, logger: silentLogger },
        ),
    });
  } finally {
    await closers.unwind();
  }
}

/** Takes a home for what needs none of its stores. @throws OfflineError for a folder that is none, HomeLockedError */
export async function lockStoppedHome(home: string): Promise<HomeLock> {
  const { config } = homePaths(home);
  // Locked, it would be made.
  if (!(await exists(config))) throw new OfflineError(`there is no ${config}: is ${home} the home of a node?`);
  return lockHome(home);
}

async function readSettings(paths: HomePaths): Promise<{ config: NodeConfig; genesis: GenesisDocument }> {
  const read = (path: string): Promise<string> =>
    readFile(path, 'utf8').catch((cause: unknown) => {
      throw new OfflineError(`${path} cannot be read: is that the home of a node?`, { cause });
    });
  const config = parseConfig(await read(paths.config));
  if (!config.ok) throw new OfflineError(`${paths.config}: ${config.error}`);
  const genesis = parseGenesis(await read(paths.genesis));
  if (!genesis.ok) throw new OfflineError(`${paths.genesis}: ${genesis.error}`);
  return { config: config.value, genesis: genesis.value };
}

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

/** Whether a block's first transaction is the proposer's own, which no index lists; without an application. */
export function injectionTest(): (tx: Uint8Array) => boolean {
  const { injector } = moduleTable(undefined);
  return (tx) => splitInjection(injector?.injection, [tx]).payload !== undefined;
}
