import type { ChainParams } from '../../context.ts';
import type { StateView } from '../../state/kv-view.ts';
import { getParams as getStakingParams, STAKING_STORE, slashedTokens } from '../staking/state.ts';
import { MINT_STORE, mintedTokens, mintParams } from './state.ts';

/** By how much inflation and slashing have changed the supply of the base denomination. */
export function supplyChange(state: StateView, chain: ChainParams): bigint {
  const mint = state.store(MINT_STORE);
  const staking = state.store(STAKING_STORE);
  const { baseDenom } = chain;
  const minted = mintParams.get(mint)?.mintDenom === baseDenom ? (mintedTokens.get(mint) ?? 0n) : 0n;
  const slashed = getStakingParams(staking, chain).bondDenom === baseDenom ? (slashedTokens.get(staking) ?? 0n) : 0n;
  return minted - slashed;
}
