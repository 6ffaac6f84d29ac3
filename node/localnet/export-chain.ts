/** Opens the stores of a home whose node does not run, and makes a genesis document of what is in them. */
import { readFile } from 'node:fs/promises';
import { toHexUpper } from '#core/bytes.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { noDuties } from '#core/ports/duties.ts';
import type { Kv } from '#core/ports/kv.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { err, ok, type Result } from '#core/result.ts';
import { toHeight } from '#core/types/brand.ts';
import { type GenesisDocument, parseGenesis } from '#genesis/document.ts';
import { type ExportedChain, exportDocument } from '#genesis/export.ts';
import { openApplication } from '#runtime/app.ts';
import type { ChainParams } from '#runtime/context.ts';
import { parseOperator } from '#runtime/modules/staking/addresses.ts';
import { Closers } from '../closers.ts';
import { homePaths } from '../config/home.ts';
import { openBlockStore } from '../driver/block-store.ts';
import { openStateStore } from '../driver/state-store.ts';
import { lockHome } from '../storage/home-lock.ts';
import { openLevelKv } from '../storage/level-kv.ts';
import { createRangeReader } from '../storage/range-reader.ts';

export interface ExportPlan {
  readonly home: string;
  /** Undefined: the last one. */
  readonly height?: bigint;
  /** Undefined: that of the home's genesis. */
  readonly chainId?: string;
  /** The new chain begins at height 1. */
  readonly zeroHeight?: {
    /** Bech32 of the operators that may validate, all others being jailed; undefined: nobody is jailed. */
    readonly jailAllowed: readonly string[] | undefined;
  };
}

const CACHE_BYTES = 33_554_432;

/** @throws HomeLockedError while a node runs on the home. A failure says what is not there, or what does not hold. */
export async function exportChain(plan: ExportPlan): Promise<Result<GenesisDocument, string>> {
  const paths = homePaths(plan.home);
  const genesis = parseGenesis(await readFile(paths.genesis, 'utf8').catch(() => ''));
  if (!genesis.ok) return err(`${paths.genesis}: ${genesis.error}`);
  const closers = new Closers();
  try {
    const lock = await lockHome(plan.home);
    closers.push(() => lock.release());
    const rangeReader = createRangeReader();
    closers.push(() => rangeReader.close());
    const open = async (path: string): Promise<Kv> => {
      const kv = await openLevelKv({ path, cacheBytes: CACHE_BYTES }, { rangeReader });
      closers.push(() => kv.close());
      return kv;
    };
    return await exportStores(plan, genesis.value, await open(paths.application), await open(paths.blockStore));
  } finally {
    await closers.unwind();
  }
}

async function exportStores(
  plan: ExportPlan,
  genesis: GenesisDocument,
  application: Kv,
  chain: Kv,
): Promise<Result<GenesisDocument, string>> {
  const app = await openApplication(
    { initialHeight: genesis.initialHeight },
    { kv: application, verifier: pureVerifier, duties: noDuties, logger: silentLogger },
  );
  const states = openStateStore(chain);
  const blocks = openBlockStore(chain);
  const last = app.info().lastBlockHeight;
  if (last === 0n) return err(`there is no block in ${plan.home} yet`);
  const height = toHeight(plan.height ?? last);
  const state = app.stateAt(height);
  const time = blocks.meta(height)?.header.time;
  // What the end of a block has chosen validates two blocks later.
  const validators = states.validators(height + 2n);
  const consensusParams = states.params(height + 1n);
  if (state === undefined || time === undefined || validators === undefined || consensusParams === undefined)
    return err(
      `the state after block ${height} is not there: the last one is of block ${last}, and old ones are pruned` +
        (height === last ? '; start the node once, so that it finishes its last block' : ''),
    );
  const zeroHeight = plan.zeroHeight && readZeroHeight(state.chain, plan.zeroHeight.jailAllowed);
  if (zeroHeight?.ok === false) return zeroHeight;
  return exportDocument({
    state,
    ...(zeroHeight === undefined ? {} : { zeroHeight: zeroHeight.value }),
    height,
    time,
    chainId: plan.chainId ?? genesis.chainId,
    validators: validators.validators,
    consensusParams,
    names: new Map(
      genesis.validators.map(({ publicKey, name }) => [toHexUpper(consensusAddress(publicKey)), name] as const),
    ),
  });
}

function readZeroHeight(
  chain: ChainParams,
  allowed: readonly string[] | undefined,
): Result<NonNullable<ExportedChain['zeroHeight']>, string> {
  if (allowed === undefined) return ok({ jailAllowed: undefined });
  const jailAllowed: Uint8Array[] = [];
  for (const text of allowed) {
    const operator = parseOperator(chain, text, 'jail-allowed-addrs');
    if (!operator.ok) return err(operator.error.message);
    jailAllowed.push(operator.value);
  }
  return ok({ jailAllowed });
}
