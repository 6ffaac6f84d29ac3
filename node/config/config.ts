import { parse, TomlError } from 'smol-toml';
import type { EngineConfig } from '#consensus/config.ts';
import { assertNever, defined } from '#core/assert.ts';
import { err, ok, type Result } from '#core/result.ts';
import { DEFAULT_SERVER_LIMITS, type ServerLimits } from '#rpc/limits.ts';
import type { PruningPolicy } from '#runtime/state/pruning.ts';
import { type AbciAddress, parseAbciAddress } from '../abci/address.ts';
import { type ListenAddress, type PeerAddress, parseListenAddress, parsePeers } from './address.ts';
import { parseDuration } from './duration.ts';
import { nearest } from './nearest.ts';
import { fallbackValue, SETTINGS, type Setting, type SettingValue } from './schema.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** What an operator can set, checked. */
export interface NodeConfig {
  readonly moniker: string;
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
  readonly minGasPrices: string;
  /** Undefined: the validator's key, if there is one, lies in the home. */
  readonly remoteSigner:
    | { readonly listen: AbciAddress; readonly allowed: readonly string[]; readonly timeoutMs: number }
    | undefined;
  readonly rpc: {
    readonly listen: ListenAddress | undefined;
    readonly corsOrigins: readonly string[];
    /** Addresses whose X-Forwarded-For is believed. */
    readonly trustedProxies: readonly string[];
    readonly limits: ServerLimits;
  };
  readonly p2p: {
    readonly listen: ListenAddress;
    readonly persistentPeers: readonly PeerAddress[];
    readonly maxInboundPeers: number;
    readonly maxOutboundPeers: number;
    readonly maxPeersPerHost: number;
    readonly seeds: readonly PeerAddress[];
    readonly privatePeers: readonly string[];
    readonly exchangeAddresses: boolean;
    readonly strictAddresses: boolean;
  };
  readonly mempool: {
    readonly maxTxs: number;
    readonly maxBytes: number;
    readonly maxTxBytes: number;
    readonly cacheEntries: number;
    readonly ttlMs: number;
    readonly ttlBlocks: bigint;
  };
  readonly consensus: EngineConfig;
  readonly storage: {
    /** Of each database. */
    readonly cacheBytes: number;
    readonly stateCacheBytes: number;
    readonly indexBufferBytes: number;
    readonly pruning: PruningPolicy;
    /** 0: all. */
    readonly minRetainBlocks: bigint;
  };
  readonly stateSync: {
    readonly enable: boolean;
    readonly rpcServers: readonly string[];
    /** 0: not given. */
    readonly trustHeight: bigint;
    /** Hexadecimal; empty: not given. */
    readonly trustHash: string;
    readonly trustPeriodMs: number;
    readonly discoveryMs: number;
    /** 0: no snapshots are taken. */
    readonly snapshotInterval: bigint;
    readonly snapshotKeepRecent: number;
  };
  readonly txIndex: boolean;
  /** Undefined: blocks go to no PostgreSQL. */
  readonly psqlUrl: string | undefined;
}

/** Values by `section.key`, as they stand in the file or on the command line. */
export type ConfigValues = Readonly<Record<string, SettingValue>>;

const nameOf = (setting: Setting): string =>
  setting.section === '' ? setting.key : `${setting.section}.${setting.key}`;

const byName = new Map(SETTINGS.map((setting) => [nameOf(setting), setting]));

/** The commented file. `values` replace defaults; their names must exist. */
export function renderConfig(values: ConfigValues): string {
  for (const name of Object.keys(values)) defined(byName.get(name), `setting ${name}`);
  const lines = ['# Configuration of an Autonomy node. Durations: "500ms", "3s", "1m".'];
  let section = '';
  for (const setting of SETTINGS) {
    if (setting.section !== section) lines.push('', `[${setting.section}]`);
    section = setting.section;
    if (setting.comment !== '') lines.push('', `# ${setting.comment}`);
    lines.push(`${setting.key} = ${JSON.stringify(values[nameOf(setting)] ?? fallbackValue(setting))}`);
  }
  return `${lines.join('\n')}\n`;
}

/** Reads the text of config.toml; `overrides` (from flags) win. The error names the setting. */
export function parseConfig(text: string, overrides: ConfigValues = {}): Result<NodeConfig, string> {
  const { errors, checked } = checkConfig(text, overrides);
  return errors[0] === undefined ? ok(assemble(checked)) : err(errors[0]);
}

interface CheckedConfig {
  /** A sentence for each setting that is wrong. */
  readonly errors: readonly string[];
  /** What the file says, or the default, as it is written there. */
  readonly values: ConfigValues;
  /** The same as the program takes them. */
  readonly checked: ReadonlyMap<string, unknown>;
}

/** Everything that is to be said against the text of config.toml, and the values of all settings. */
export function checkConfig(text: string, overrides: ConfigValues = {}): CheckedConfig {
  const values = new Map<string, unknown>();
  const errors: string[] = [];
  try {
    flatten(parse(text), '', values);
  } catch (error) {
    if (!(error instanceof TomlError)) throw error;
    errors.push(`not valid TOML: ${error.message.split('\n')[0]}`);
  }
  for (const [name, value] of Object.entries(overrides)) values.set(name, value);
  for (const name of values.keys())
    if (!byName.has(name)) errors.push(`${name}: no such setting${nearest(name, [...byName.keys()])}`);
  const checked = new Map<string, unknown>();
  const written: Record<string, SettingValue> = {};
  for (const [name, setting] of byName) {
    const value = values.get(name) ?? fallbackValue(setting);
    const result = check(setting, value);
    if (!result.ok) errors.push(`${name}: ${result.error}`);
    else checked.set(name, result.value);
    written[name] = value as SettingValue;
  }
  return { errors, values: written, checked };
}

/** A text as the type that its setting has in the file. The error names the setting. */
export function parseSetting(name: string, text: string): Result<SettingValue, string> {
  const setting = byName.get(name);
  if (setting === undefined) return err(`${name}: no such setting${nearest(name, [...byName.keys()])}`);
  const value = typedSetting(name, text);
  const result = check(setting, value);
  return result.ok ? ok(value) : err(`${name}: ${result.error}`);
}

/** The same without judging it. */
export function typedSetting(name: string, text: string): SettingValue {
  const kind = byName.get(name)?.kind;
  if (kind === 'integer' && /^\d+$/.test(text)) return Number(text);
  if (kind === 'flag' && (text === 'true' || text === 'false')) return text === 'true';
  return text;
}

function flatten(table: object, prefix: string, into: Map<string, unknown>): void {
  for (const [key, value] of Object.entries(table)) {
    if (prefix === '' && typeof value === 'object' && value !== null && !Array.isArray(value))
      flatten(value, `${key}.`, into);
    else into.set(prefix + key, value);
  }
}

function check(setting: Setting, value: unknown): Result<unknown, string> {
  const shown = JSON.stringify(value);
  switch (setting.kind) {
    case 'flag':
      return typeof value === 'boolean' ? ok(value) : err(`expected true or false, got ${shown}`);
    case 'integer':
      return typeof value === 'number' && Number.isSafeInteger(value) && value >= setting.min && value <= setting.max
        ? ok(value)
        : err(`expected a whole number from ${setting.min} to ${setting.max}, got ${shown}`);
    case 'duration': {
      if (typeof value !== 'string') return err(`expected a duration such as "500ms" or "3s", got ${shown}`);
      const ms = parseDuration(value);
      if (ms.ok && ms.value > setting.maxMs) return err(`expected at most ${setting.maxMs}ms, got ${shown}`);
      return ms;
    }
    default:
      if (typeof value !== 'string') return err(`expected a text, got ${shown}`);
      return checkText(setting, value);
  }
}

function checkText(
  setting: Extract<Setting, { kind: 'text' | 'listen' | 'peers' | 'signer' | 'ids' }>,
  value: string,
): Result<unknown, string> {
  switch (setting.kind) {
    case 'text':
      if (setting.oneOf !== undefined && !setting.oneOf.includes(value))
        return err(`expected one of ${setting.oneOf.join(', ')}, got ${JSON.stringify(value)}`);
      if ((value === '' && setting.mayBeEmpty !== true) || value.length > (setting.maxCharacters ?? 128))
        return err(`expected 1 to ${setting.maxCharacters ?? 128} characters, got ${value.length}`);
      if (value !== '' && setting.form?.[0].test(value) === false)
        return err(`expected ${setting.form[1]}${setting.secret ? '' : `, got ${JSON.stringify(value)}`}`);
      return ok(value);
    case 'listen':
      return value === '' && setting.section !== 'p2p' ? ok(undefined) : parseListenAddress(value);
    case 'peers':
      return parsePeers(value);
    case 'signer':
      return value === '' ? ok(undefined) : parseAbciAddress(value);
    case 'ids': {
      const ids = value.split(',').map((id) => id.trim());
      const wrong = ids.find((id) => id !== '' && !setting.pattern.test(id));
      if (wrong !== undefined) return err(`expected ids of ${setting.form}, got ${JSON.stringify(wrong)}`);
      return ok(ids.filter((id) => id !== ''));
    }
    default:
      return assertNever(setting, 'setting');
  }
}

function pruningPolicy(kind: PruningPolicy['kind'], keepRecent: number, interval: number): PruningPolicy {
  return kind === 'custom' ? { kind, keepRecent: BigInt(keepRecent), interval: BigInt(interval) } : { kind };
}

/** The names of the table become the names of the program, once and here. */
function assemble(values: ReadonlyMap<string, unknown>): NodeConfig {
  const get = <T>(name: string): T => values.get(name) as T;
  const signerAddress = get<AbciAddress | undefined>('priv_validator_laddr');
  return {
    moniker: get('moniker'),
    logLevel: get('log_level'),
    logFormat: get('log_format'),
    minGasPrices: get('minimum_gas_prices'),
    remoteSigner: signerAddress && {
      listen: signerAddress,
      // Logs write hex in upper case.
      allowed: get<readonly string[]>('priv_validator_signers').map((id) => id.toLowerCase()),
      timeoutMs: get('priv_validator_timeout'),
    },
    rpc: {
      listen: get('rpc.laddr'),
      corsOrigins: get('rpc.cors_allowed_origins'),
      trustedProxies: get('rpc.trusted_proxies'),
      limits: {
        ...DEFAULT_SERVER_LIMITS,
        maxConnections: get('rpc.max_open_connections'),
        maxRequestsPerSecond: get('rpc.max_requests_per_second'),
        maxBodyBytes: get('rpc.max_body_bytes'),
        maxBatch: get('rpc.max_request_batch_size'),
        responseTimeoutMs: get('rpc.max_response_ms'),
        maxSubscriptionClients: get('rpc.max_subscription_clients'),
        maxSubscriptionsPerClient: get('rpc.max_subscriptions_per_client'),
      },
    },
    p2p: {
      listen: get('p2p.laddr'),
      persistentPeers: get('p2p.persistent_peers'),
      maxInboundPeers: get('p2p.max_num_inbound_peers'),
      maxOutboundPeers: get('p2p.max_num_outbound_peers'),
      maxPeersPerHost: get('p2p.max_peers_per_ip'),
      seeds: get('p2p.seeds'),
      privatePeers: get('p2p.private_peer_ids'),
      exchangeAddresses: get('p2p.pex'),
      strictAddresses: get('p2p.addr_book_strict'),
    },
    mempool: {
      maxTxs: get('mempool.size'),
      maxBytes: get('mempool.max_txs_bytes'),
      maxTxBytes: get('mempool.max_tx_bytes'),
      cacheEntries: get('mempool.cache_size'),
      ttlMs: get('mempool.ttl_duration'),
      ttlBlocks: BigInt(get<number>('mempool.ttl_num_blocks')),
    },
    consensus: {
      timeoutProposeMs: get('consensus.timeout_propose'),
      timeoutProposeDeltaMs: get('consensus.timeout_propose_delta'),
      timeoutPrevoteMs: get('consensus.timeout_prevote'),
      timeoutPrevoteDeltaMs: get('consensus.timeout_prevote_delta'),
      timeoutPrecommitMs: get('consensus.timeout_precommit'),
      timeoutPrecommitDeltaMs: get('consensus.timeout_precommit_delta'),
      timeoutCommitMs: get('consensus.timeout_commit'),
      skipTimeoutCommit: get('consensus.skip_timeout_commit'),
      createEmptyBlocks: get('consensus.create_empty_blocks'),
      createEmptyBlocksIntervalMs: get('consensus.create_empty_blocks_interval'),
    },
    storage: {
      cacheBytes: get('storage.cache_bytes'),
      stateCacheBytes: get('storage.state_cache_bytes'),
      indexBufferBytes: get('storage.index_buffer_bytes'),
      pruning: pruningPolicy(
        get('storage.pruning'),
        get('storage.pruning_keep_recent'),
        get('storage.pruning_interval'),
      ),
      minRetainBlocks: BigInt(get<number>('storage.min_retain_blocks')),
    },
    stateSync: {
      enable: get('statesync.enable'),
      rpcServers: get<string>('statesync.rpc_servers')
        .split(',')
        .map((url) => url.trim())
        .filter((url) => url !== ''),
      trustHeight: BigInt(get<number>('statesync.trust_height')),
      trustHash: get<string>('statesync.trust_hash').toLowerCase(),
      trustPeriodMs: get('statesync.trust_period'),
      discoveryMs: get('statesync.discovery_time'),
      snapshotInterval: BigInt(get<number>('statesync.snapshot_interval')),
      snapshotKeepRecent: get('statesync.snapshot_keep_recent'),
    },
    txIndex: get('tx_index.enabled'),
    psqlUrl: get<string>('tx_index.psql_conn') || undefined,
  };
}
