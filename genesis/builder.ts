/** Makes the genesis document of a new network: validators, funded accounts, denominations. */
import { EMPTY } from '#core/bytes.ts';
import { err, type Result } from '#core/result.ts';
import { toHeight } from '#core/types/brand.ts';
import { type ConsensusParams, DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import { addCoins, type Coin, toProtoCoin } from '#runtime/coins.ts';
import type { Json, RuntimeModule } from '#runtime/module.ts';
import { DEFAULT_DENOM, DEFAULT_PREFIX } from '#runtime/modules/chain/module.ts';
import { checkAppState } from './app-state.ts';
import { type GenesisDocument, type GenesisValidator, validateGenesis } from './document.ts';

export interface GenesisAccount {
  /** Bech32 under the chain's prefix. */
  readonly address: string;
  readonly coins: readonly Coin[];
}

export interface GenesisPlan {
  readonly chainId: string;
  readonly genesisTime: Timestamp;
  readonly validators: readonly GenesisValidator[];
  readonly accounts: readonly GenesisAccount[];
  /** Default `auton`. */
  readonly bech32Prefix?: string;
  /** Default `uauton`. */
  readonly baseDenom?: string;
  /** Metadata of denominations, in x/bank's JSON. Default: that of AUTON when it is the base. */
  readonly denomMetadata?: readonly Json[];
  /** Sections that differ from CometBFT's defaults with vote extensions on from the first block. */
  readonly consensusParams?: Partial<ConsensusParams>;
  /** `app_state` of further modules, by name. */
  readonly moduleState?: { readonly [module: string]: Json };
  /** Default: the modules of this program. */
  readonly modules?: readonly RuntimeModule[];
}

const AUTON_METADATA: Json = {
  description: 'The native token: pays fees, stands behind validators, burns into compute credits.',
  denom_units: [
    { denom: DEFAULT_DENOM, exponent: 0, aliases: ['microauton'] },
    { denom: 'auton', exponent: 6, aliases: [] },
  ],
  base: DEFAULT_DENOM,
  display: 'auton',
  name: 'Auton',
  symbol: 'AUTON',
  uri: '',
  uri_hash: '',
};

/** A document that the modules have accepted. A failure names the field. */
export function buildGenesis(plan: GenesisPlan): Result<GenesisDocument, string> {
  const baseDenom = plan.baseDenom ?? DEFAULT_DENOM;
  const document: GenesisDocument = {
    genesisTime: plan.genesisTime,
    chainId: plan.chainId,
    initialHeight: toHeight(1n),
    consensusParams: {
      ...DEFAULT_CONSENSUS_PARAMS,
      abci: { voteExtensionsEnableHeight: 1n },
      ...plan.consensusParams,
    },
    validators: plan.validators,
    appHash: EMPTY,
    appState: {
      chain: { bech32_prefix: plan.bech32Prefix ?? DEFAULT_PREFIX, base_denom: baseDenom },
      auth: { accounts: plan.accounts.map(({ address }, i) => baseAccount(address, BigInt(i))) },
      bank: {
        params: { send_enabled: [], default_send_enabled: true },
        balances: plan.accounts.map(({ address, coins }) => ({ address, coins: addCoins(coins, []).map(toProtoCoin) })),
        supply: totalOf(plan.accounts).map(toProtoCoin),
        denom_metadata: plan.denomMetadata ?? (baseDenom === DEFAULT_DENOM ? [AUTON_METADATA] : []),
        send_enabled: [],
      },
      ...plan.moduleState,
    },
  };
  const valid = validateGenesis(document);
  if (!valid.ok) return valid;
  const accepted = checkAppState(document, plan.modules);
  return accepted.ok ? valid : err(accepted.error);
}

export function baseAccount(address: string, accountNumber: bigint) {
  return {
    '@type': '/cosmos.auth.v1beta1.BaseAccount',
    address,
    pub_key: null,
    account_number: String(accountNumber),
    sequence: '0',
  } as const satisfies Json;
}

function totalOf(accounts: readonly GenesisAccount[]): readonly Coin[] {
  let total: readonly Coin[] = [];
  for (const { coins } of accounts) total = addCoins(total, coins);
  return total;
}
