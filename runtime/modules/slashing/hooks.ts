/** What staking tells slashing, as a plain call (x/slashing/keeper/hooks.go of v0.50). */
import type { StateWriter } from '../../state/kv-view.ts';
import { newSigningInfo, SLASHING_STORE, signingInfos } from './state.ts';

/** From now on its signatures are counted; what it did before, and whether it is tombstoned, stays. */
export function afterValidatorBonded(
  scope: { readonly state: StateWriter; readonly block: { readonly height: bigint } },
  consensusAddress: Uint8Array,
): void {
  const store = scope.state.store(SLASHING_STORE);
  const known = signingInfos.get(store, consensusAddress);
  const { height } = scope.block;
  signingInfos.set(
    store,
    consensusAddress,
    known === undefined ? newSigningInfo(height) : { ...known, startHeight: height },
  );
}
