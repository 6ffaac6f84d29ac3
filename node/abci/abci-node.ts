/** The composition root of `autond abci`: the application and a validator's duties without this program's consensus. */
import { readFile } from 'node:fs/promises';
import { consensusAddress, ed25519Key } from '#core/crypto/pubkey.ts';
import { noDuties } from '#core/ports/duties.ts';
import type { Logger } from '#core/ports/logger.ts';
import { type GenesisDocument, parseGenesis } from '#genesis/document.ts';
import { openApplication, type RuntimeApplication } from '#runtime/app.ts';
import { Closers } from '../closers.ts';
import { type HomePaths, homePaths } from '../config/home.ts';
import { createNativeVerifier } from '../crypto/native-verifier.ts';
import { openDuties, queryCommitted } from '../duties/open.ts';
import { NODE_LIMITS } from '../limits.ts';
import { readValidatorKey } from '../privval/key-files.ts';
import { openSnapshotFiles } from '../statesync/archive.ts';
import { lockHome } from '../storage/home-lock.ts';
import { openLevelKv } from '../storage/level-kv.ts';
import { createRangeReader } from '../storage/range-reader.ts';
import { type AbciAddress, formatAbciAddress } from './address.ts';
import { exchangeLog } from './exchange-log.ts';
import { createKeeping, KEEP_ALL, type KeepingOptions } from './keeping.ts';
import { startAbciServer } from './server.ts';

export interface AbciNodeOptions {
  /** May be the home of the CometBFT node that it serves: config/genesis.json and the validator's key are read there. */
  readonly home: string;
  readonly listen: AbciAddress;
  /** What this node asks for in its mempool, e.g. `0.025uauton`; empty: nothing. */
  readonly minGasPrices: string;
  /** Consensus address of the validator, 20 bytes. Default: that of config/priv_validator_key.json, if there is one. */
  readonly validator?: Uint8Array;
  /** File to which every exchange is appended. */
  readonly record?: string;
  readonly cacheBytes: number;
  /** Default: everything is kept, and no snapshot taken. */
  readonly keeping?: KeepingOptions;
  readonly version: string;
}

export interface AbciNode {
  readonly address: AbciAddress;
  /** Resolves with the reason when the application cannot go on. Close it then. */
  readonly failed: Promise<unknown>;
  close(): Promise<void>;
}

/** @throws HomeLockedError, KeyFileError, or what the part that failed says; then everything is closed again. */
export async function startAbciNode(options: AbciNodeOptions, logger: Logger): Promise<AbciNode> {
  const closers = new Closers();
  try {
    return await compose(options, logger, closers);
  } catch (error) {
    await closers.unwind().catch((second: unknown) => logger.error('closing failed', { error: second }));
    throw error;
  }
}

async function compose(options: AbciNodeOptions, logger: Logger, closers: Closers): Promise<AbciNode> {
  const paths = homePaths(options.home);
  const lock = await lockHome(options.home);
  closers.push(() => lock.release());
  const document = await readGenesis(paths.genesis);

  const rangeReader = createRangeReader();
  closers.push(() => rangeReader.close());
  const kv = await openLevelKv({ path: paths.application, cacheBytes: options.cacheBytes }, { rangeReader });
  closers.push(() => kv.close());
  const verifier = createNativeVerifier({ keyCacheEntries: NODE_LIMITS.verifierKeyCacheEntries });

  const validator = options.validator ?? (await validatorOf(paths));
  let application: RuntimeApplication | undefined;
  const duties =
    validator &&
    (await openDuties(paths, { logger }, closers, {
      chainId: document.chainId,
      validator,
      query: (path, request) => queryCommitted(application, path, request),
    }));
  const keeping = options.keeping ?? KEEP_ALL;
  const { pruning, minRetainBlocks } = keeping;
  const { minGasPrices, version } = options;
  const files = await openSnapshotFiles(paths.snapshots, { logger: logger.child('snapshots') });
  const app = await openApplication(
    { minGasPrices, initialHeight: document.initialHeight, version, pruning, minRetainBlocks },
    { kv, verifier, duties: duties ?? noDuties, logger: logger.child('app'), snapshots: files },
  );
  const keeper = createKeeping(keeping, { app, files, logger: logger.child('keeping') });
  closers.push(() => keeper.close());
  application = app;
  const { lastBlockHeight } = app.info();
  if (lastBlockHeight > 0n) duties?.committed();

  const { promise: failed, resolve: fail } = Promise.withResolvers<unknown>();
  const server = await startAbciServer(
    { listen: options.listen },
    {
      app,
      logger: logger.child('abci'),
      onCommitted() {
        duties?.committed();
        keeper.committed(app.info().lastBlockHeight);
      },
      neededFrom: () => files.oldest(),
      ...(options.record === undefined ? {} : { onExchange: exchangeLog(options.record) }),
      fatal: fail,
    },
  );
  closers.push(() => server.close());
  const address = formatAbciAddress(server.address);
  logger.info('application served', {
    address,
    chain: document.chainId,
    height: lastBlockHeight,
    duties: validator !== undefined,
  });
  return { address: server.address, failed, close: () => closers.unwind() };
}

async function readGenesis(path: string): Promise<GenesisDocument> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    throw new Error(`${path} cannot be read: the application needs the genesis that CometBFT starts with`, {
      cause: error,
    });
  }
  const document = parseGenesis(text);
  if (!document.ok) throw new Error(`${path}: ${document.error}`);
  return document.value;
}

async function validatorOf(paths: HomePaths): Promise<Uint8Array | undefined> {
  const key = await readValidatorKey(paths.validatorKey);
  return key && consensusAddress(ed25519Key(key.publicKey));
}
