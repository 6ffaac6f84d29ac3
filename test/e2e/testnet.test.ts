/** `autond testnet init-files`: homes that are carried away, and a network that comes of them. */
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { createRpcClient } from '#node/client/rpc-client.ts';
import { parseConfig } from '#node/config/config.ts';
import { waitForHeight } from '#node/localnet/localnet.ts';
import { spawnNode } from '#node/localnet/node-process.ts';
import { autond, autondJson, refusalOf } from './support/autond.ts';
import { freeBasePort } from './support/ports.ts';

const root = mkdtempSync(join(tmpdir(), 'autonomy-testnet-'));
afterAll(() => rmSync(root, { recursive: true, force: true }));

interface Made {
  readonly chain_id: string;
  readonly nodes: readonly {
    readonly name: string;
    readonly home: string;
    readonly peer: string;
    readonly rpc: string;
    readonly operator: string;
  }[];
  readonly faucet: { readonly address: string };
}

const configOf = (home: string) => {
  const config = parseConfig(readFileSync(join(home, 'config/config.toml'), 'utf8'));
  if (!config.ok) throw new Error(config.error);
  return config.value;
};

test('homes for machines of their own know each other, have one genesis, and each its operator', async () => {
  const folder = join(root, 'machines');
  const made = await autondJson<Made>('testnet', 'init-files', '--v', '3', '--output-dir', folder);
  expect(made.chain_id).toMatch(/^chain-[0-9a-f]{6}$/);
  expect(made.nodes.map(({ name, peer }) => [name, peer.split('@')[1]])).toEqual([
    ['node0', '192.168.0.1:26656'],
    ['node1', '192.168.0.2:26656'],
    ['node2', '192.168.0.3:26656'],
  ]);
  const documents = made.nodes.map(({ home }) => readFileSync(join(home, 'config/genesis.json'), 'utf8'));
  expect(new Set(documents).size).toBe(1);
  expect(JSON.parse(documents[0] ?? '')).toMatchObject({ chain_id: made.chain_id });
  for (const [i, { home, operator, name }] of made.nodes.entries()) {
    expect(home).toBe(join(folder, name, 'autond'));
    const { p2p, rpc, moniker } = configOf(home);
    expect([moniker, p2p.listen, rpc.listen]).toEqual([
      name,
      { host: '0.0.0.0', port: 26_656 },
      { host: '127.0.0.1', port: 26_657 },
    ]);
    expect([p2p.strictAddresses, p2p.persistentPeers.length]).toEqual([false, 2]);
    const shown = await autond('keys', 'show', `operator${i}`, '-a', '--keyring-backend', 'test', '--home', home);
    expect(shown.trim()).toBe(operator);
  }
  expect(existsSync(join(folder, 'keyring-test/faucet.json'))).toBe(true);
  expect(existsSync(join(folder, 'keyring-test/operator0.json'))).toBe(false);
  expect(await refusalOf('testnet', 'init-files', '--output-dir', folder)).toContain('is not empty');
  expect(
    await refusalOf('testnet', 'init-files', '--starting-ip-address', '10.0.0.253', '--output-dir', `${folder}-2`),
  ).toContain('10.0.0.253 leaves no room for so many validators');
});

test('on one host the homes are a network that makes blocks', async () => {
  const base = await freeBasePort(2);
  const where = ['--single-host', '--base-port', String(base), '--output-dir', join(root, 'one')];
  const flags = [
    '--validators',
    '2',
    '--chain-id',
    'one-host',
    '--commit-timeout',
    '100ms',
    '--node-dir-prefix',
    'val',
  ];
  const { nodes } = await autondJson<Made>('testnet', 'init-files', ...where, ...flags);
  const processes = nodes.map(({ home }) => spawnNode(home));
  try {
    const waited = nodes.map(({ name, rpc }) => ({ name, rpcUrl: rpc }));
    await waitForHeight(waited, 3n, 60_000);
    const status = await createRpcClient(nodes[1]?.rpc ?? '').call<{ node_info: { network: string } }>('status');
    expect(status.node_info.network).toBe('one-host');
  } finally {
    await Promise.all(processes.map((process) => process.stop()));
  }
});
