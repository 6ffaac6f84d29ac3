/** Commands on the home of a stopped node: after each the chain goes on, and what it says of the past is the same. */
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { homePaths } from '#node/config/home.ts';
import { autond, autondJson, refusalOf, runAutond } from './support/autond.ts';
import { blockFacts, createTestNetwork, type TestNetwork, type TestNode } from './support/network.ts';

/** Evidence expires at once, so that blocks may go. */
const { evidence } = DEFAULT_CONSENSUS_PARAMS;
const consensusParams = {
  ...DEFAULT_CONSENSUS_PARAMS,
  evidence: { ...evidence, maxAgeNumBlocks: 2n, maxAgeNanos: 100_000_000n },
};

async function livedNode(height: bigint, sends = 0): Promise<{ net: TestNetwork; node: TestNode }> {
  const net = await createTestNetwork({
    validators: 1,
    config: { 'consensus.timeout_commit': '20ms' },
    genesis: { consensusParams },
  });
  const node = net.node(0);
  node.start();
  await node.waitForHeight(1n);
  for (let i = 0; i < sends; i++) await send(net, node);
  await node.waitForHeight(height);
  return { net, node };
}

function send(net: TestNetwork, node: TestNode): Promise<string> {
  const flags = ['-y', '--keyring-backend', 'test', '--home', net.network.folder, '--node', node.rpcUrl];
  return autond('tx', 'bank', 'send', 'faucet', net.network.provider.address, '5uauton', ...flags);
}

async function found(node: TestNode, query: string): Promise<readonly string[]> {
  const { txs } = await node.rpc.call<{ txs: readonly { hash: string; height: string }[] }>('tx_search', { query });
  return txs.map(({ hash, height }) => `${height} ${hash}`);
}

interface SnapshotJson {
  readonly height: string;
  readonly chunks: number;
  readonly hash: string;
}

test('snapshots: taken of any kept height, carried as a file, and the state begins there again', async () => {
  const { net, node } = await livedNode(12n, 1);
  const home = ['--home', node.home];
  expect(await refusalOf('snapshots', 'list', ...home)).toContain('already in use by a running node');
  await node.stop();
  const taken = await autondJson<SnapshotJson>('snapshots', 'export', '--height', '7', ...home);
  expect(taken).toMatchObject({ height: '7', format: 1 });
  expect(await refusalOf('snapshots', 'export', '--height', '7', ...home)).toContain('of height 7 already');
  expect(await refusalOf('snapshots', 'export', '--height', '700', ...home)).toContain('version 700 is not kept');
  const last = await autondJson<SnapshotJson>('snapshots', 'export', ...home);
  expect(await autondJson('snapshots', 'list', ...home)).toEqual([last, taken]);

  const file = join(net.network.folder, 'carried.tar.gz');
  await autond('snapshots', 'dump', '7', '--output-document', file, ...home);
  await autond('snapshots', 'delete', '7', ...home);
  expect(await refusalOf('snapshots', 'restore', '7', ...home)).toContain(
    `there is no snapshot of height 7 and format 1; there are those of ${last.height}`,
  );
  expect(await autondJson('snapshots', 'load', file, ...home)).toEqual(taken);

  // The database is lost; without the snapshot every block would be executed anew.
  const { application } = homePaths(node.home);
  rmSync(application, { recursive: true });
  const restored = await autondJson<{ hash: string; blocks_to_replay: string }>('snapshots', 'restore', '7', ...home);
  expect(BigInt(restored.blocks_to_replay)).toBe(BigInt(last.height) - 7n);
  const leftovers = () => ['restoring', 'before'].filter((name) => existsSync(`${application}.${name}`));
  expect(leftovers()).toEqual([]);
  // As a kill between the two renames of a restoration leaves it.
  renameSync(application, `${application}.before`);
  node.start();
  await node.waitForHeight(BigInt(last.height) + 2n);
  expect((await blockFacts(node, 8n)).appHash).toBe(restored.hash);
  expect(leftovers()).toEqual([]);
  await node.stop();
});

test('index: dropped, made anew in whole and in part, it answers as before', async () => {
  const { node } = await livedNode(6n, 2);
  const home = ['--home', node.home];
  const query = "transfer.amount='5uauton'";
  const before = await found(node, query);
  expect(before).toHaveLength(2);
  await node.stop();
  const status = await autondJson<{ indexed_height: string; last_block: string; bytes: number }>(
    'index',
    'status',
    ...home,
  );
  expect(status).toMatchObject({ enabled: true, first_block: '1', indexed_height: status.last_block });
  expect(await refusalOf('index', 'drop', ...home)).toContain('say --yes');
  const dropped = await autondJson<{ freed_bytes: number }>('index', 'drop', '--yes', ...home);
  expect(dropped.freed_bytes).toBe(status.bytes);
  expect(await autondJson('index', 'status', ...home)).toMatchObject({ indexed_height: '0' });
  expect(await refusalOf('index', 'rebuild', '--start-height', '3', '--end-height', '999', ...home)).toContain(
    `heights 3 to 999: expected some of 1 to ${status.last_block}`,
  );
  expect(await autondJson('index', 'rebuild', ...home)).toMatchObject({
    written: Number(status.last_block),
    missing: 0,
    indexed_height: status.last_block,
  });
  const part = await autond('index', 'reindex-event', '--start-height', '2', '--end-height', '4', ...home);
  expect(part).toBe('heights 2 to 4: 3 written\n');
  node.start();
  await node.waitForHeight(BigInt(status.last_block) + 1n);
  expect(await found(node, query)).toEqual(before);
  await node.stop();
});

interface Pruned {
  readonly states: { readonly before: { from: string; to: string }; readonly after: { from: string; to: string } };
  readonly blocks: { readonly before: { from: string; to: string }; readonly after: { from: string; to: string } };
  readonly disk: readonly { readonly name: string; readonly before: number; readonly after: number }[];
  readonly freed_bytes: number;
  readonly kept_for: string | null;
}

test('prune: old states and blocks go and give their room back; killed at any moment of it, the node goes on', async () => {
  const { node } = await livedNode(160n, 1);
  const home = ['--home', node.home];
  await node.stop();
  expect(await refusalOf('prune', 'everything', '--pruning-keep-recent', '3', ...home)).toContain(
    'go with the method custom',
  );
  expect(await refusalOf('prune', 'custom', '--pruning-keep-recent', '1', ...home)).toContain(
    'expected at least 2, got 1',
  );
  const same = await autondJson<Pruned>('prune', ...home);
  expect([same.states.after, same.blocks.after, same.kept_for]).toEqual([same.states.before, same.blocks.before, null]);

  await autond('snapshots', 'export', '--height', '100', ...home);
  const began = Date.now();
  const served = await autondJson<Pruned>('prune', '--min-retain-blocks', '20', ...home);
  const tookMs = Date.now() - began;
  expect([served.blocks.after.from, served.kept_for]).toEqual(['100', 'snapshot']);
  await autond('snapshots', 'delete', '100', ...home);

  const flags = ['everything', '--min-retain-blocks', '10', ...home];
  // Of the time most goes by before it begins.
  for (const percent of [70, 80, 90, 100])
    await runAutond(['prune', ...flags], { killAfterMs: Math.floor((tookMs * percent) / 100) });
  const done = await autondJson<Pruned>('prune', ...flags);
  const last = BigInt(done.blocks.after.to);
  expect(BigInt(done.states.after.from)).toBe((last / 10n) * 10n - 1n);
  expect([BigInt(done.blocks.after.from), done.kept_for]).toEqual([last - 9n, null]);
  expect(done.disk.map(({ name }) => name)).toEqual(['application.db', 'blockstore.db', 'tx_index.db']);
  const compacted = done.disk.map(({ after }, i) => after < (same.disk[i]?.after ?? 0));
  expect(compacted).toEqual([true, true, true]);
  node.start();
  await node.waitForHeight(last + 2n);
  const { sync_info } = await node.rpc.call<{ sync_info: { earliest_block_height: string } }>('status');
  expect(BigInt(sync_info.earliest_block_height)).toBeGreaterThanOrEqual(last - 9n);
  await node.stop();
});
