import { expect, test } from 'vitest';
import { DEFAULT_ENGINE_CONFIG } from '#consensus/config.ts';
import { DEFAULT_SERVER_LIMITS } from '#rpc/limits.ts';
import { parseListenAddress, parsePeers } from './address.ts';
import { parseConfig, renderConfig } from './config.ts';
import { formatDuration, parseDuration } from './duration.ts';

const peer = '12D3KooWRBy97UB99e3J6hiPesre1MZeuNQvfan4gBziswrRJsNK';

const errorOf = (text: string) => {
  const result = parseConfig(text);
  return result.ok ? 'accepted' : result.error;
};

test('the rendered file reads back as the defaults, and an empty file means the same', () => {
  const rendered = parseConfig(renderConfig({}));
  expect(rendered).toEqual(parseConfig(''));
  expect(rendered.ok && rendered.value.consensus).toEqual(DEFAULT_ENGINE_CONFIG);
  expect(rendered.ok && rendered.value.rpc).toEqual({
    listen: { host: '127.0.0.1', port: 26657 },
    corsOrigins: [],
    trustedProxies: [],
    limits: DEFAULT_SERVER_LIMITS,
  });
});

test('written values and flags are taken, flags last', () => {
  const text = renderConfig({
    moniker: 'v0',
    'consensus.timeout_commit': '200ms',
    'p2p.persistent_peers': `${peer}@127.0.0.1:1`,
    'rpc.max_body_bytes': 5_000,
    'rpc.max_requests_per_second': 0,
    'rpc.trusted_proxies': '10.0.0.1, ::1',
    'rpc.max_subscriptions_per_client': 7,
    'rpc.max_response_ms': 3_000,
  });
  const result = parseConfig(text, { moniker: 'v1', 'rpc.laddr': '' });
  expect(result.ok && result.value).toMatchObject({
    moniker: 'v1',
    rpc: {
      listen: undefined,
      corsOrigins: [],
      trustedProxies: ['10.0.0.1', '::1'],
      limits: {
        maxBodyBytes: 5_000,
        maxRequestsPerSecond: 0,
        maxSubscriptionsPerClient: 7,
        responseTimeoutMs: 3_000,
        maxBatch: 100,
      },
    },
    consensus: { timeoutCommitMs: 200 },
    p2p: { persistentPeers: [{ id: peer, host: '127.0.0.1', port: 1 }] },
  });
});

test('a wrong setting is named with what was expected', () => {
  expect(errorOf('[consensus]\ntimeout_comit = "1s"')).toBe(
    'consensus.timeout_comit: no such setting, did you mean consensus.timeout_commit?',
  );
  expect(errorOf('[mempool]\nsize = 0')).toBe('mempool.size: expected a whole number from 1 to 1000000, got 0');
  expect(errorOf('[mempool]\nsize = "5"')).toBe('mempool.size: expected a whole number from 1 to 1000000, got "5"');
  expect(errorOf('[consensus]\ntimeout_commit = "1 second"')).toMatch(/^consensus.timeout_commit: expected a duration/);
  expect(errorOf('[consensus]\nskip_timeout_commit = 1')).toMatch(/expected true or false, got 1/);
  expect(errorOf('log_level = "loud"')).toMatch(/^log_level: expected one of debug, info/);
  expect(errorOf('[p2p]\nladdr = ""')).toMatch(/^p2p.laddr: expected tcp:/);
  expect(errorOf('[p2p]\nladdr = "tcp://0.0.0.0:70000"')).toMatch(/at most 65535/);
  expect(errorOf('[statesync]\ntrust_hash = "xyz"')).toBe(
    'statesync.trust_hash: expected the 64 hex digits of a block’s hash, got "xyz"',
  );
  expect(errorOf('[statesync]\nrpc_servers = "a.example:26657"')).toMatch(
    /expected addresses such as http:.*, got "a\.ex/,
  );
  expect(errorOf('[statesync]\nrpc_servers = "http://a:1, https://b"')).toBe('accepted');
  expect(errorOf('moniker = ')).toMatch(/^not valid TOML/);
});

test('the address of PostgreSQL is taken as libpq has it; what is wrong in it is said without its password', () => {
  const psqlError = (url: string): string => errorOf(`[tx_index]\npsql_conn = "${url}"`);
  for (const url of [
    'postgresql://u:p@db/explorer?sslmode=verify-full&user=a@b',
    'postgres://u:p%40%2F%23%25%3a@[::1]:5432/explorer',
    'postgres://u:p@ss@db/explorer',
    'postgres:///explorer?host=/var/run/postgresql',
    'postgres://db',
  ])
    expect(psqlError(url), url).toBe('accepted');
  for (const url of [
    'host=db user=autond password=secret',
    'postgres://u:secret@db/ex plorer',
    'postgres://u:sec#ret@db/explorer',
    'postgres://u:sec/ret@db/explorer',
    'postgres://u:secret%@db/explorer',
    'postgres://u:secret%zz@db/explorer',
  ])
    expect(psqlError(url), url).toBe(
      'tx_index.psql_conn: expected an address such as postgres://user:password@host:5432/database, special characters as %40 for @',
    );
});

test('ids of signers are taken as logs show them, in upper case too', () => {
  const id = '69A63F72260B67E45A2C329280F3896CB5D146AC';
  const config = parseConfig(
    `priv_validator_laddr = "tcp://127.0.0.1:1"\npriv_validator_signers = "${id}, ${'0'.repeat(40)}"`,
  );
  expect(config.ok && config.value.remoteSigner?.allowed).toEqual([id.toLowerCase(), '0'.repeat(40)]);
  expect(errorOf('priv_validator_signers = "69"')).toBe(
    'priv_validator_signers: expected ids of 40 hexadecimal digits, got "69"',
  );
});

test('addresses', () => {
  expect(parseListenAddress('tcp://[::1]:80')).toEqual({ ok: true, value: { host: '::1', port: 80 } });
  expect(parsePeers('').ok).toBe(true);
  expect(parsePeers('nobody@127.0.0.1:1')).toEqual({
    ok: false,
    error:
      'expected id@host:port with the id that `autond comet show-node-id` prints there, 12D3KooW…, got "nobody@127.0.0.1:1"',
  });
  const ofComet = '748d69b1c433375c7b7d277ece8ae345f8a747e3'; // without a 0 it is base58 too
  expect(parsePeers(`${ofComet}@127.0.0.1:1`)).toMatchObject({
    ok: false,
    error: expect.stringMatching(/^748d69\S+ is an id as status shows it; expected id@host:port with the id that/),
  });
  expect(parsePeers(`${peer}@127.0.0.1`).ok).toBe(false);
});

test('durations', () => {
  for (const [text, ms] of [
    ['0', 0],
    ['500ms', 500],
    ['3s', 3_000],
    ['2m', 120_000],
    ['1h', 3_600_000],
  ] as const) {
    expect(parseDuration(text)).toEqual({ ok: true, value: ms });
    expect(parseDuration(formatDuration(ms))).toEqual({ ok: true, value: ms });
  }
  expect(parseDuration('1.5s').ok).toBe(false);
  expect(parseDuration('-1s').ok).toBe(false);
});

test('what is kept: the Cosmos SDK’s strategies, custom with its numbers', () => {
  const storage = (text: string) => {
    const config = parseConfig(`[storage]\n${text}`);
    return config.ok ? config.value.storage : config.error;
  };
  expect(storage('')).toMatchObject({ pruning: { kind: 'default' }, minRetainBlocks: 0n });
  expect(storage('pruning = "everything"\nmin_retain_blocks = 100')).toMatchObject({
    pruning: { kind: 'everything' },
    minRetainBlocks: 100n,
  });
  expect(storage('pruning = "custom"\npruning_keep_recent = 50\npruning_interval = 20')).toMatchObject({
    pruning: { kind: 'custom', keepRecent: 50n, interval: 20n },
  });
  expect(storage('pruning = "some"')).toContain('storage.pruning: expected one of default, nothing');
  expect(storage('state_cache_bytes = 8388608')).toMatchObject({ stateCacheBytes: 8_388_608 });
  expect(storage('state_cache_bytes = 1000')).toContain(
    'storage.state_cache_bytes: expected a whole number from 4194304',
  );
  expect(storage('index_buffer_bytes = 4194304')).toMatchObject({ indexBufferBytes: 4_194_304 });
  expect(storage('pruning_interval = 9')).toContain('expected a whole number from 10');
});
