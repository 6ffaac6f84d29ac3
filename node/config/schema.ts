import { DEFAULT_SERVER_LIMITS } from '#rpc/limits.ts';
import { STATE_LIMITS } from '#runtime/limits.ts';
import { formatDuration } from './duration.ts';

/** One setting of config.toml. The section of top-level settings is ''. */
export type Setting = { readonly section: string; readonly key: string; readonly comment: string } & (
  | {
      readonly kind: 'text';
      readonly fallback: string;
      readonly oneOf?: readonly string[];
      readonly mayBeEmpty?: true;
      readonly maxCharacters?: number;
      /** What it must look like, where it is not empty, and how that is said. */
      readonly form?: readonly [pattern: RegExp, said: string];
      /** There may be a password in it: no error repeats it. */
      readonly secret?: true;
    }
  | { readonly kind: 'listen'; readonly fallback: string }
  | { readonly kind: 'peers'; readonly fallback: string }
  /** Where a remote signer dials in; "" for none. */
  | { readonly kind: 'signer'; readonly fallback: string }
  /** Ids, separated by commas. `form` says of what form, for the error. */
  | { readonly kind: 'ids'; readonly fallback: string; readonly pattern: RegExp; readonly form: string }
  | { readonly kind: 'integer'; readonly fallback: number; readonly min: number; readonly max: number }
  | { readonly kind: 'flag'; readonly fallback: boolean }
  | { readonly kind: 'duration'; readonly fallbackMs: number; readonly maxMs: number }
);

const consensusTimeout = (key: string, fallbackMs: number, comment: string): Setting => ({
  section: 'consensus',
  key,
  kind: 'duration',
  fallbackMs,
  maxMs: 3_600_000,
  comment,
});

const rpcLimit = (
  key: string,
  name: keyof typeof DEFAULT_SERVER_LIMITS,
  min: number,
  max: number,
  comment: string,
): Setting => ({ section: 'rpc', key, kind: 'integer', fallback: DEFAULT_SERVER_LIMITS[name], min, max, comment });

/** The whole of config.toml, in the order in which it is written. */
export const SETTINGS: readonly Setting[] = [
  { section: '', key: 'moniker', kind: 'text', fallback: 'node', comment: 'Name of this node, for people.' },
  {
    section: '',
    key: 'log_level',
    kind: 'text',
    fallback: 'info',
    oneOf: ['debug', 'info', 'warn', 'error', 'silent'],
    comment: 'Least level that is logged.',
  },
  {
    section: '',
    key: 'log_format',
    kind: 'text',
    fallback: 'text',
    oneOf: ['text', 'json'],
    comment: 'Lines for people, or one JSON object a line.',
  },
  {
    section: '',
    key: 'minimum_gas_prices',
    kind: 'text',
    fallback: '',
    mayBeEmpty: true,
    comment: 'Cheapest gas that this mempool takes, such as "0.025uauton"; "" takes all.',
  },
  {
    section: '',
    key: 'priv_validator_laddr',
    kind: 'signer',
    fallback: '',
    comment:
      'Where a remote signer connects: unix://path, or tcp://host:port by SecretConnection; "" signs with the key in this home.',
  },
  {
    section: '',
    key: 'priv_validator_signers',
    kind: 'ids',
    fallback: '',
    pattern: /^[0-9a-fA-F]{40}$/,
    form: '40 hexadecimal digits',
    comment:
      'Connection ids (40 hex digits, separated by commas) of the signers that may connect over TCP; "" lets any connect.',
  },
  {
    section: '',
    key: 'priv_validator_timeout',
    kind: 'duration',
    fallbackMs: 3_000,
    maxMs: 60_000,
    comment: 'How long a signature of the remote signer is waited for, reconnecting included.',
  },
  {
    section: 'rpc',
    key: 'laddr',
    kind: 'listen',
    fallback: 'tcp://127.0.0.1:26657',
    comment: 'Where the CometBFT JSON-RPC listens; "" turns it off. Bind it to the outside only behind a proxy.',
  },
  {
    section: 'rpc',
    key: 'cors_allowed_origins',
    kind: 'ids',
    fallback: '',
    pattern: /^(\*|https?:\/\/[a-z0-9.-]+(:\d{1,5})?)$/,
    form: 'https://host or http://host:port, or "*" for all',
    comment: 'Origins of web pages that may call the JSON-RPC, separated by commas; "*" for all, "" for none.',
  },
  rpcLimit('max_open_connections', 'maxConnections', 1, 100_000, 'Connections at the same time, WebSockets included.'),
  rpcLimit(
    'max_requests_per_second',
    'maxRequestsPerSecond',
    0,
    1_000_000,
    'Requests a second of one client, each of a batch counted; 0 for any number. A node that strangers ask wants 100.',
  ),
  {
    section: 'rpc',
    key: 'trusted_proxies',
    kind: 'ids',
    fallback: '',
    pattern: /^[0-9a-fA-F:.]{2,45}$/,
    form: 'an IP address',
    comment:
      'Addresses of proxies, separated by commas: what X-Forwarded-For says of a client is believed from them alone.',
  },
  rpcLimit('max_body_bytes', 'maxBodyBytes', 1_024, 268_435_456, 'Bytes of a request, or of a message of a WebSocket.'),
  rpcLimit('max_request_batch_size', 'maxBatch', 1, 10_000, 'Requests in one batch.'),
  rpcLimit('max_subscription_clients', 'maxSubscriptionClients', 0, 100_000, 'Clients that have subscriptions.'),
  rpcLimit('max_subscriptions_per_client', 'maxSubscriptionsPerClient', 1, 1_000, 'Subscriptions of one client.'),
  rpcLimit('max_response_ms', 'responseTimeoutMs', 100, 600_000, 'Milliseconds that a request, or a batch, may take.'),
  {
    section: 'p2p',
    key: 'laddr',
    kind: 'listen',
    fallback: 'tcp://127.0.0.1:26656',
    comment: 'Where peers connect to.',
  },
  {
    section: 'p2p',
    key: 'persistent_peers',
    kind: 'peers',
    fallback: '',
    comment: 'Peers to stay connected with, as id@host:port, separated by commas.',
  },
  {
    section: 'p2p',
    key: 'max_num_inbound_peers',
    kind: 'integer',
    fallback: 40,
    min: 0,
    max: 1_000,
    comment: 'Peers that may connect to this node; persistent peers are not counted.',
  },
  {
    section: 'p2p',
    key: 'max_num_outbound_peers',
    kind: 'integer',
    fallback: 10,
    min: 0,
    max: 1_000,
    comment: 'Peers that this node looks for by itself; persistent peers are not counted.',
  },
  {
    section: 'p2p',
    key: 'max_peers_per_ip',
    kind: 'integer',
    fallback: 16,
    min: 1,
    max: 1_000,
    comment: 'Peers that may connect from one IP address.',
  },
  {
    section: 'p2p',
    key: 'seeds',
    kind: 'peers',
    fallback: '',
    comment: 'Nodes to ask for peers when nobody else is there to be asked, as id@host:port, separated by commas.',
  },
  {
    section: 'p2p',
    key: 'pex',
    kind: 'flag',
    fallback: true,
    comment: 'Ask peers for addresses of others, and tell them; with it off only persistent peers are dialled.',
  },
  {
    section: 'p2p',
    key: 'private_peer_ids',
    kind: 'ids',
    fallback: '',
    pattern: /^[1-9A-HJ-NP-Za-km-z]{40,60}$/,
    form: 'a libp2p peer id',
    comment: 'Ids of peers that nobody is told of, such as the validator behind a sentry, separated by commas.',
  },
  {
    section: 'p2p',
    key: 'addr_book_strict',
    kind: 'flag',
    fallback: true,
    comment: 'Keep no loopback or private addresses in config/addrbook.json; turn it off in a private network.',
  },
  {
    section: 'mempool',
    key: 'size',
    kind: 'integer',
    fallback: 5_000,
    min: 1,
    max: 1_000_000,
    comment: 'Most transactions in the mempool.',
  },
  {
    section: 'mempool',
    key: 'max_txs_bytes',
    kind: 'integer',
    fallback: 67_108_864,
    min: 1_024,
    max: 4_294_967_296,
    comment: 'Most bytes of all transactions in the mempool.',
  },
  {
    section: 'mempool',
    key: 'max_tx_bytes',
    kind: 'integer',
    fallback: 1_048_576,
    min: 256,
    max: 1_048_576,
    comment: 'Most bytes of one transaction.',
  },
  {
    section: 'mempool',
    key: 'cache_size',
    kind: 'integer',
    fallback: 10_000,
    min: 1,
    max: 10_000_000,
    comment: 'Transactions that are remembered as seen, so that they are not checked again.',
  },
  {
    section: 'mempool',
    key: 'ttl_duration',
    kind: 'duration',
    fallbackMs: 600_000,
    maxMs: 86_400_000,
    comment: 'A transaction leaves the mempool after this time; "0" keeps it.',
  },
  {
    section: 'mempool',
    key: 'ttl_num_blocks',
    kind: 'integer',
    fallback: 0,
    min: 0,
    max: 1_000_000_000,
    comment: 'A transaction leaves the mempool after this many blocks; 0 keeps it.',
  },
  consensusTimeout('timeout_propose', 3_000, 'How long a proposal is waited for; grows with each round by the delta.'),
  consensusTimeout('timeout_propose_delta', 500, ''),
  consensusTimeout('timeout_prevote', 1_000, 'How long prevotes are waited for once 2/3 of any kind have come.'),
  consensusTimeout('timeout_prevote_delta', 500, ''),
  consensusTimeout('timeout_precommit', 1_000, 'The same for precommits.'),
  consensusTimeout('timeout_precommit_delta', 500, ''),
  consensusTimeout('timeout_commit', 1_000, 'Pause after a commit: sets the time between blocks.'),
  {
    section: 'consensus',
    key: 'skip_timeout_commit',
    kind: 'flag',
    fallback: false,
    comment: 'Go on as soon as all precommits are in.',
  },
  {
    section: 'consensus',
    key: 'create_empty_blocks',
    kind: 'flag',
    fallback: true,
    comment: 'Make blocks without transactions.',
  },
  consensusTimeout(
    'create_empty_blocks_interval',
    0,
    'With empty blocks off: make one after this time; "0" never does.',
  ),
  {
    section: 'storage',
    key: 'cache_bytes',
    kind: 'integer',
    fallback: 33_554_432,
    min: 1_048_576,
    max: 68_719_476_736,
    comment: 'Bytes that each database caches.',
  },
  {
    section: 'storage',
    key: 'state_cache_bytes',
    kind: 'integer',
    fallback: STATE_LIMITS.nodeCacheBytes,
    min: 4_194_304,
    max: 68_719_476_736,
    comment:
      'Bytes of the application state, above all inner nodes of its trees, that stay in memory; taken as needed.',
  },
  {
    section: 'storage',
    key: 'index_buffer_bytes',
    kind: 'integer',
    fallback: 16_777_216,
    min: 1_048_576,
    max: 268_435_456,
    comment:
      'Bytes that the index gathers in memory before they become a table: the fewer tables, the less often they are merged.',
  },
  {
    section: 'storage',
    key: 'pruning',
    kind: 'text',
    fallback: 'default',
    oneOf: ['default', 'nothing', 'everything', 'custom'],
    comment:
      'Which versions of the state are kept: the last 362880 (default), all (nothing), the last 2 (everything), or as below (custom).',
  },
  {
    section: 'storage',
    key: 'pruning_keep_recent',
    kind: 'integer',
    fallback: 100,
    min: 2,
    max: 2_147_483_647,
    comment: 'With custom pruning: how many versions of the state are kept.',
  },
  {
    section: 'storage',
    key: 'pruning_interval',
    kind: 'integer',
    fallback: 10,
    min: 10,
    max: 1_000_000,
    comment: 'With custom pruning: old versions go whenever the height is a multiple of this.',
  },
  {
    section: 'storage',
    key: 'min_retain_blocks',
    kind: 'integer',
    fallback: 0,
    min: 0,
    max: 2_147_483_647,
    comment:
      'Blocks that are kept, with their results and index entries; 0 keeps all. Blocks whose evidence may still be punished stay in any case.',
  },
  {
    section: 'statesync',
    key: 'enable',
    kind: 'flag',
    fallback: false,
    comment: 'A node without blocks begins at a snapshot of its peers instead of at the first block.',
  },
  {
    section: 'statesync',
    key: 'rpc_servers',
    kind: 'text',
    fallback: '',
    mayBeEmpty: true,
    maxCharacters: 2_048,
    form: [
      /^\s*https?:\/\/[^\s,]+(\s*,\s*https?:\/\/[^\s,]+)*\s*$/,
      'addresses such as http://a.example:26657, separated by commas',
    ],
    comment:
      'RPC of at least two different nodes, separated by commas; their headers are verified from the trusted block on.',
  },
  {
    section: 'statesync',
    key: 'trust_height',
    kind: 'integer',
    fallback: 0,
    min: 0,
    max: 2_147_483_647,
    comment: 'Height and hash of a block that you know to be right: ask somebody whom you trust.',
  },
  {
    section: 'statesync',
    key: 'trust_hash',
    kind: 'text',
    fallback: '',
    mayBeEmpty: true,
    form: [/^[0-9a-fA-F]{64}$/, 'the 64 hex digits of a block’s hash'],
    comment: '',
  },
  {
    section: 'statesync',
    key: 'trust_period',
    kind: 'duration',
    fallbackMs: 604_800_000,
    maxMs: 31_536_000_000,
    comment: 'How old the trusted block may be; shorter than the unbonding of stake.',
  },
  {
    section: 'statesync',
    key: 'discovery_time',
    kind: 'duration',
    fallbackMs: 5_000,
    maxMs: 600_000,
    comment: 'How long snapshots are collected from peers before one is chosen.',
  },
  {
    section: 'statesync',
    key: 'snapshot_interval',
    kind: 'integer',
    fallback: 0,
    min: 0,
    max: 1_000_000_000,
    comment: 'A snapshot is taken for others whenever the height is a multiple of this; 0 takes none.',
  },
  {
    section: 'statesync',
    key: 'snapshot_keep_recent',
    kind: 'integer',
    fallback: 2,
    min: 1,
    max: 10,
    comment: 'How many snapshots are kept.',
  },
  {
    section: 'tx_index',
    key: 'enabled',
    kind: 'flag',
    fallback: true,
    comment: 'Index transactions and events, for tx, tx_search and block_search.',
  },
  {
    section: 'tx_index',
    key: 'psql_conn',
    kind: 'text',
    fallback: '',
    mayBeEmpty: true,
    maxCharacters: 2_048,
    // A character of a password that would end it early is escaped: what is left of it would be taken for a port.
    form: [
      /^postgres(ql)?:\/\/([^\s#%/?]|%[\da-f]{2})*(\/([^\s#%@?]|%[\da-f]{2})*)?(\?([^\s#%]|%[\da-f]{2})*)?$/i,
      'an address such as postgres://user:password@host:5432/database, special characters as %40 for @',
    ],
    secret: true,
    comment: 'PostgreSQL that gets blocks, results and events as well, in the tables of CometBFT; "" for none.',
  },
];

export type SettingValue = string | number | boolean;

/** The setting's default as it is written in the file. */
export function fallbackValue(setting: Setting): SettingValue {
  return setting.kind === 'duration' ? formatDuration(setting.fallbackMs) : setting.fallback;
}
