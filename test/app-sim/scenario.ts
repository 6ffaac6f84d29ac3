/** What a seed's chain is: its parameters, its people, its genesis. The same seed gives the same chain everywhere. */
import type { InitChainRequest } from '#core/abci.ts';
import { toBase64, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { type AccountKeyPair, accountAddress } from '#core/crypto/keys.ts';
import { ed25519Key, type PublicKey } from '#core/crypto/pubkey.ts';
import { divFloor } from '#core/int.ts';
import { toHeight } from '#core/types/brand.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { parseTime } from '#core/types/timestamp.ts';
import { formatAddress, moduleAddress } from '#runtime/address.ts';
import { GOV_ACCOUNT } from '#runtime/authority.ts';
import type { Json } from '#runtime/module.ts';
import { MODULES } from '#runtime/module-table.ts';
import { formatOperator } from '#runtime/modules/staking/addresses.ts';
import { testKey } from '#runtime/test-chain.ts';
import { Rng } from '#test/sim/rng.ts';

export const CHAIN_ID = 'app-sim-1';
export const DENOM = 'uauton';
/** Fees and rewards come in more than one denomination. */
export const SECOND_DENOM = 'uother';
export const PREFIX = { bech32Prefix: 'auton' } as const;
export const GENESIS_TIME = parseTime('2026-01-01T00:00:00Z');
export const GENESIS_ACTORS = 24;

/** Somebody who signs transactions. */
export interface Actor {
  readonly key: AccountKeyPair;
  readonly address: Uint8Array;
  readonly text: string;
  /** As an operator of a validator. */
  readonly operator: string;
}

const actors = new Map<number, Actor>();

/** Actor `n` ≥ 1: always the same. */
export function actorOf(n: number): Actor {
  let actor = actors.get(n);
  if (actor === undefined) {
    const key = testKey(n);
    const address = accountAddress(key.publicKey);
    actor = { key, address, text: formatAddress(PREFIX, address), operator: formatOperator(PREFIX, address) };
    actors.set(n, actor);
  }
  return actor;
}

const keys = new Map<number, PublicKey>();

/** Consensus key `n`. Nobody has its private half: votes are not signed here. */
export function consensusKeyOf(n: number): PublicKey {
  let key = keys.get(n);
  if (key === undefined) {
    key = ed25519Key(sha256(utf8(`consensus key ${n}`)));
    keys.set(n, key);
  }
  return key;
}

export const GOVERNANCE = formatAddress(PREFIX, moduleAddress(GOV_ACCOUNT));
/** The governance account lets them execute its messages. */
export const council = (): Actor => actorOf(1);

export interface Scenario {
  readonly seed: number;
  /** Self-delegations of the first validators: actors 1, 2, 3 … */
  readonly stakes: readonly bigint[];
  readonly powerReduction: bigint;
  /** Somebody owns so much that not all of it can be staked. */
  readonly hasWhale: boolean;
  readonly maxGas: bigint;
  readonly genesis: InitChainRequest;
}

const BALANCE = 1_000_000_000_000n;
/** More than consensus can count, less than credits can. */
const WHALE_BALANCE = 2_000_000_000_000_000_000n;

function slashingState(rng: Rng): Json {
  return {
    params: {
      signed_blocks_window: String(rng.between(5, 20)),
      min_signed_per_window: rng.pick(['0.5', '0.05', '0.9']),
      downtime_jail_duration: rng.pick(['2s', '4s', '15s']),
      slash_fraction_double_sign: rng.pick(['0.05', '0.333333333333333333', '0.999999999999999999', '1']),
      slash_fraction_downtime: rng.pick(['0.0001', '0.0777', '0.25']),
    },
  };
}

function mintState(): Json {
  return {
    params: {
      mint_denom: DENOM,
      inflation_rate_change: '0.13',
      inflation_max: '0.2',
      inflation_min: '0.07',
      goal_bonded: '0.67',
      blocks_per_year: '1000000',
    },
  };
}

function genesisValidator(n: number, stake: bigint): Json {
  return {
    description: { moniker: `validator ${n}` },
    commission: { rate: '0.1', max_rate: '0.5', max_change_rate: '0.1' },
    min_self_delegation: '1',
    validator_address: actorOf(n).operator,
    pubkey: { '@type': '/cosmos.crypto.ed25519.PubKey', key: toBase64(consensusKeyOf(n).bytes) },
    value: { denom: DENOM, amount: String(stake) },
  };
}

/** Type URLs of all messages that governance alone may execute. */
export const AUTHORITY_MESSAGES = MODULES.flatMap(({ messages = [] }) => messages)
  .filter(({ schema }) => schema.fields.some(({ name }) => name === 'authority'))
  .map(({ typeUrl }) => typeUrl);

function governanceGrants(): Json {
  return {
    authorization: AUTHORITY_MESSAGES.map((msg) => ({
      granter: GOVERNANCE,
      grantee: council().text,
      authorization: { '@type': '/cosmos.authz.v1beta1.GenericAuthorization', msg },
      expiration: null,
    })),
  };
}

function balances(hasWhale: boolean): Json {
  return Array.from({ length: GENESIS_ACTORS }, (_, i) => ({
    address: actorOf(i + 1).text,
    coins: [
      { denom: DENOM, amount: String(hasWhale && i === 1 ? WHALE_BALANCE : BALANCE) },
      { denom: SECOND_DENOM, amount: String(BALANCE) },
    ],
  }));
}

function stakingState(rng: Rng, stakes: readonly bigint[], powerReduction: bigint): Json {
  return {
    params: {
      unbonding_time: rng.pick(['12s', '30s', '60s']),
      max_validators: rng.between(3, 8),
      max_entries: rng.between(2, 7),
      historical_entries: rng.pick([0, 3, 10]),
      bond_denom: DENOM,
      min_commission_rate: '0',
    },
    power_reduction: String(powerReduction),
    gen_validators: stakes.map((stake, i) => genesisValidator(i + 1, stake)),
  };
}

export function scenarioOf(seed: number): Scenario {
  const rng = new Rng(seed);
  const hasWhale = rng.chance(0.25);
  const powerReduction = hasWhale ? 1n : rng.pick([1_000n, 1_000_000n, 7n]);
  const stakes = [50_000_000n, 40_000_000n, 40_000_000n, 33_333_333n, 7_777_777n].slice(0, rng.between(2, 5));
  const maxGas = rng.pick([-1n, -1n, 6_000_000n]);
  const staking = stakingState(rng, stakes, powerReduction);
  const { max_validators: seats } = (staking as { params: { max_validators: number } }).params;
  const appState: Json = {
    chain: { bech32_prefix: PREFIX.bech32Prefix, base_denom: DENOM },
    bank: { balances: balances(hasWhale) },
    authz: governanceGrants(),
    staking,
    slashing: slashingState(rng),
    ...(rng.chance(0.75) ? { mint: mintState() } : {}),
    credits: { params: { spread_basis_points: rng.pick([0, 25, 5_000]) } },
    inference: {
      params: { job_stake: '1000', max_live_jobs: 8, commit_window_blocks: 3, open_window_blocks: 3 },
    },
  };
  return {
    seed,
    stakes,
    powerReduction,
    hasWhale,
    maxGas,
    genesis: {
      time: GENESIS_TIME,
      chainId: CHAIN_ID,
      consensusParams: {
        ...DEFAULT_CONSENSUS_PARAMS,
        block: { maxBytes: DEFAULT_CONSENSUS_PARAMS.block.maxBytes, maxGas },
        abci: { voteExtensionsEnableHeight: 1n },
      },
      // Those with the most stake, as many as there are seats.
      validators: stakes
        .slice(0, seats)
        .map((stake, i) => ({ publicKey: consensusKeyOf(i + 1), power: divFloor(stake, powerReduction) })),
      appStateBytes: utf8(JSON.stringify(appState)),
      initialHeight: toHeight(1n),
    },
  };
}
