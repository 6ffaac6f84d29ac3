import { readFile } from 'node:fs/promises';
import { expect, test } from 'vitest';
import { startLyingNode } from './support/lying-node.ts';
import { blockFacts, configure, createTestNetwork, type TestNode, until } from './support/network.ts';

interface Committed {
  readonly signed_header: { readonly commit: { readonly block_id: { readonly hash: string } } };
}
interface Status {
  readonly sync_info: { readonly earliest_block_height: string; readonly latest_block_height: string };
}

async function hasLogged(node: TestNode, sentence: string): Promise<boolean> {
  return (await node.log()).some((line) => line.msg === sentence);
}

test('a node joins late by state sync at a chain that has forgotten its first blocks, and follows it', async () => {
  const net = await createTestNetwork({
    validators: 4,
    fullNodes: 1,
    config: {
      'statesync.snapshot_interval': 10,
      'storage.min_retain_blocks': 60,
      'storage.pruning': 'everything',
    },
    genesis: { consensusParams: { evidence: { maxAgeNumBlocks: 2n, maxAgeNanos: 1n, maxBytes: 1_048_576n } } },
  });
  const validators = net.nodes.slice(0, 4);
  for (const node of validators) node.start();
  await Promise.all(validators.map((node) => node.waitForHeight(72n)));

  // The first blocks are gone everywhere, and whoever asks is told what is left.
  for (const node of validators) {
    await until('the first blocks are pruned', async () => {
      const { sync_info } = await node.rpc.call<Status>('status');
      return BigInt(sync_info.earliest_block_height) > 10n;
    });
    await expect(node.rpc.call('block', { height: '1' })).rejects.toThrow(
      /height 1 is not available, lowest height is \d\d/,
    );
  }

  const late = net.node(4);
  const trustHeight = (await net.node(0).height()) - 1n;
  const { signed_header } = await net.node(0).rpc.call<Committed>('commit', { height: String(trustHeight) });
  await configure(late, 'statesync', {
    enable: true,
    rpc_servers: `${net.node(0).rpcUrl},${net.node(1).rpcUrl}`,
    trust_height: Number(trustHeight),
    trust_hash: signed_header.commit.block_id.hash,
    discovery_time: '1s',
    snapshot_interval: 0,
  });
  late.start();
  await late.waitForHeight(trustHeight + 5n);
  expect(await hasLogged(late, 'state sync is done')).toBe(true);
  const { sync_info } = await late.rpc.call<Status>('status');
  const base = BigInt(sync_info.earliest_block_height);
  expect(base).toBeGreaterThan(10n);
  const upTo = BigInt(sync_info.latest_block_height);
  await Promise.all(validators.map((node) => node.waitForHeight(upTo)));
  for (let height = base; height <= upTo; height++)
    expect(await blockFacts(late, height)).toEqual(await blockFacts(net.node(2), height));

  // A restart goes on from there, without another state sync.
  await late.stop();
  late.start();
  await late.waitForHeight(upTo + 3n);
  expect(await hasLogged(late, 'state sync is not needed: there is a state already')).toBe(true);
});

test('a node that cannot begin by state sync says which condition is missing', async () => {
  const net = await createTestNetwork({ validators: 1, fullNodes: 1 });
  const [validator, late] = [net.node(0), net.node(1)];
  // It has been started before, in vain: without blocks it may begin by state sync still.
  late.start();
  await late.waitForHeight(0n);
  await late.stop();
  validator.start();
  await validator.waitForHeight(2n);
  const begin = async (values: Readonly<Record<string, unknown>>): Promise<string> => {
    await configure(late, 'statesync', { enable: true, ...values });
    late.start();
    await until('the node has ended', async () => !late.running());
    return (await readFile(`${late.home}/node.log`, 'utf8')).trimEnd().split('\n').at(-1) ?? '';
  };
  const two = `${validator.rpcUrl},http://localhost:${validator.ports.rpc}`;
  const hash = '00'.repeat(32);
  expect(await begin({ rpc_servers: validator.rpcUrl })).toContain(
    'statesync.rpc_servers: expected the RPC of at least two different nodes, got 1',
  );
  expect(await begin({ rpc_servers: two })).toContain('statesync.trust_height: missing');
  expect(await begin({ trust_height: 1, trust_hash: 'ab' })).toContain(
    'statesync.trust_hash: expected the 64 hex digits',
  );
  expect(await begin({ trust_hash: hash })).toMatch(/has [0-9a-f]{64} at height 1, expected 0{64}/);
  expect(await begin({ rpc_servers: `${validator.rpcUrl},http://127.0.0.1:1` })).toContain(
    'an RPC server does not answer',
  );
});

test('Adversarial 16: a server that forges proposer priorities or parameters is found out before anything is begun (ASA-2024-009)', async () => {
  const net = await createTestNetwork({
    validators: 2,
    fullNodes: 1,
    config: { 'statesync.snapshot_interval': 5 },
  });
  const [honest, other, late] = [net.node(0), net.node(1), net.node(2)];
  for (const node of [honest, other]) node.start();
  await honest.waitForHeight(12n);
  const liar = await startLyingNode(honest);
  const { signed_header } = await honest.rpc.call<Committed>('commit', { height: '2' });
  await configure(late, 'statesync', {
    enable: true,
    rpc_servers: `${liar.url},${other.rpcUrl}`,
    trust_height: 2,
    trust_hash: signed_header.commit.block_id.hash,
    discovery_time: '500ms',
    snapshot_interval: 0,
  });
  const reasons = async () =>
    (await late.log()).map((line) => JSON.stringify(line)).filter((line) => /came to nothing|cannot begin/.test(line));
  const refused = async (sentence: RegExp) => {
    late.start();
    await until(`refused with ${sentence}`, async () => sentence.test((await reasons()).join()) || !late.running());
    if (late.running()) await late.kill();
    const said = `${(await reasons()).join()} ${await readFile(`${late.home}/node.log`, 'utf8')}`;
    expect(said).toMatch(sentence);
    expect(said).not.toContain('state sync is done');
    liar.lies.clear();
  };
  liar.lies.set('validators', (result) => {
    const validators = result.validators as { proposer_priority: string }[];
    // The sum stays what it was.
    const [a, b] = validators.map((each) => BigInt(each.proposer_priority));
    return {
      ...result,
      validators: validators.map((each, i) => ({
        ...each,
        proposer_priority: String(i === 0 ? (b ?? 0n) : (a ?? 0n)),
      })),
    };
  });
  await refused(/priorities/);
  liar.lies.set('consensus_params', (result) => {
    const params = result.consensus_params as { evidence: object };
    return { ...result, consensus_params: { ...params, evidence: { ...params.evidence, max_age_num_blocks: '1' } } };
  });
  await refused(/states other consensus parameters/);
  // With servers that agree it begins, as if nothing had been.
  late.start();
  await until('state sync is done', () => hasLogged(late, 'state sync is done'));
  await late.waitForHeight((await honest.height()) + 1n);
});
