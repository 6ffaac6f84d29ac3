/** From the state of a chain to the document of a chain that goes on from it. */
import { EMPTY, toHexUpper } from '#core/bytes.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type Height, nextHeight, toHeight } from '#core/types/brand.ts';
import type { ConsensusParams } from '#core/types/consensus-params.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';
import type { QueryContext } from '#runtime/context.ts';
import { exportState } from '#runtime/genesis-state.ts';
import { moduleTable } from '#runtime/module-table.ts';
import { activeValidators, isActive, STAKING_STORE } from '#runtime/modules/staking/state.ts';
import { StateBranch } from '#runtime/state/branch.ts';
import { resetHeights } from '#runtime/zero-height.ts';
import type { GenesisDocument } from './document.ts';
import { accepted } from './edit.ts';

export interface ExportedChain {
  /** The state after block `height`. */
  readonly state: QueryContext;
  readonly height: Height;
  /** Of that block. */
  readonly time: Timestamp;
  /** Of the new chain: the same again when the old one is given up. */
  readonly chainId: string;
  /** Who validates, by what the end of that block has chosen. */
  readonly validators: readonly ValidatorUpdate[];
  readonly consensusParams: ConsensusParams;
  /** Names by consensus address in upper-case hex, for people. */
  readonly names: ReadonlyMap<string, string>;
  /** Given: the new chain begins at height 1, under another id, and the state says no height of the old one. */
  readonly zeroHeight?: {
    /** Operators that may validate; all others are jailed. Undefined: nobody is jailed. */
    readonly jailAllowed: readonly Uint8Array[] | undefined;
  };
}

/**
 * A document with the whole state. It begins at the height after it, so that every height in the state still means what it
 * meant, or at 1. A failure names the invariant that the state breaks, or what its own modules do not read back.
 */
export function exportDocument(chain: ExportedChain): Result<GenesisDocument, string> {
  const table = moduleTable();
  const broken = table.modules.flatMap((module) => module.invariants?.(chain.state) ?? []);
  if (broken.length > 0) return err(`the state after block ${chain.height} is broken: ${broken.join('; ')}`);
  const start = startOf(chain);
  if (!start.ok) return start;
  const { state, validators, initialHeight } = start.value;
  const { abci } = chain.consensusParams;
  return accepted({
    genesisTime: chain.time,
    chainId: chain.chainId,
    initialHeight,
    consensusParams: {
      ...chain.consensusParams,
      // The first block follows none that has extensions.
      abci: { voteExtensionsEnableHeight: abci.voteExtensionsEnableHeight === 0n ? 0n : initialHeight },
    },
    validators: validators.map(({ publicKey, power }) => ({
      publicKey,
      power,
      name: chain.names.get(toHexUpper(consensusAddress(publicKey))) ?? '',
    })),
    appHash: EMPTY,
    appState: exportState(table, state),
  });
}

interface Start {
  readonly state: QueryContext;
  readonly validators: readonly ValidatorUpdate[];
  readonly initialHeight: Height;
}

/** What the new chain begins with. */
function startOf(chain: ExportedChain): Result<Start, string> {
  const { state: before, height, time, zeroHeight } = chain;
  if (zeroHeight === undefined)
    return ok({ state: before, validators: chain.validators, initialHeight: nextHeight(height) });
  // Its validators sign heights that they have signed already: under one id, that is evidence against each of them.
  if (chain.chainId === before.chain.chainId)
    return err(`a chain that begins at height 1 again needs another id than ${chain.chainId}`);
  // What is written here is exported and then forgotten: the old chain's own state stays as it is.
  const state = new StateBranch(before.state);
  const reset = resetHeights(state, { chain: before.chain, height, time, jailAllowed: zeroHeight.jailAllowed });
  if (!reset.ok) return reset;
  const staking = state.store(STAKING_STORE);
  const validators = isActive(staking)
    ? activeValidators(staking).map(({ key: publicKey, power }) => ({ publicKey, power }))
    : chain.validators;
  return ok({ state: { ...before, state }, validators, initialHeight: toHeight(1n) });
}
