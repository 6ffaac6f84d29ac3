/** The mint module's part of a genesis document, as the Cosmos SDK has it by default (x/mint/types, DefaultParams). */
export function sdkMint(denom: string) {
  return {
    minter: { inflation: '0.130000000000000000', annual_provisions: '0.000000000000000000' },
    params: {
      mint_denom: denom,
      inflation_rate_change: '0.13',
      inflation_max: '0.20',
      inflation_min: '0.07',
      goal_bonded: '0.67',
      blocks_per_year: '6311520',
    },
  };
}
