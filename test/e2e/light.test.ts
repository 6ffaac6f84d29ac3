import { assertIsDeliverTxSuccess } from '@cosmjs/stargate';
import { expect, test } from 'vitest';
import { concat, equal, fromHex, toBase64, toHex, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { homePaths } from '#node/config/home.ts';
import { readValidatorKey } from '#node/privval/key-files.ts';
import { commitJson } from '#rpc/comet/json/commit.ts';
import { headerJson, readHeaderJson } from '#rpc/comet/json/header.ts';
import { readValidatorJson, validatorJson } from '#rpc/comet/json/validator.ts';
import { decide } from '#test/support/light-chain.ts';
import { type LightFlags, startLight } from './support/light-node.ts';
import { type Lie, type LyingNode, startLyingNode } from './support/lying-node.ts';
import { createTestNetwork, type TestNetwork, type TestNode, until } from './support/network.ts';
import { connectFaucet, connectWallet } from './support/wallet.ts';

type Json = Record<string, unknown>;

/** The sentence with which a light client does not start. */
const refusedStart = (flags: LightFlags): Promise<string> =>
  startLight(flags).then(
    () => 'started',
    (error: Error) => error.message,
  );

async function hashAt(node: TestNode, height: number): Promise<string> {
  const { block_id } = await node.rpc.call<{ block_id: { hash: string } }>('block', { height: String(height) });
  return block_id.hash;
}

async function runningNetwork(): Promise<TestNetwork> {
  const net = await createTestNetwork({ validators: 4 });
  for (const node of net.nodes) node.start();
  await Promise.all(net.nodes.map((node) => node.waitForHeight(3n)));
  return net;
}

/** A committed transaction, of which two blocks stand above. */
async function transfer(net: TestNetwork) {
  const faucet = await connectFaucet(net, net.node(0));
  const alice = await connectWallet(net.node(1));
  const sent = await faucet.client.sendTokens(
    faucet.address,
    alice.address,
    [{ denom: 'uauton', amount: '1234567' }],
    'auto',
  );
  assertIsDeliverTxSuccess(sent);
  await Promise.all(net.nodes.map((node) => node.waitForHeight(BigInt(sent.height) + 3n)));
  return { ...sent, alice: alice.address };
}

/** x/bank's key of the supply of a denomination. */
const SUPPLY_KEY = toHex(concat(Uint8Array.of(0), utf8('uauton')));
const storeQuery = (data: string, height: number) => ({
  path: '/store/bank/key',
  data,
  height: String(height),
  prove: true,
});
const withoutMarks = ({ unverified: _, ...answer }: Json): Json => answer;

test('answers what full nodes answer, verified, and survives a restart', async () => {
  const net = await runningNetwork();
  const root = { height: 1, hash: await hashAt(net.node(2), 1) };
  const sources = { primary: net.node(0).rpcUrl, witnesses: [net.node(1).rpcUrl, net.node(2).rpcUrl] };
  const light = await startLight({ ...sources, root });
  const sent = await transfer(net);
  const { height } = sent;
  const at = { height: String(height) };

  const same = async (method: string, params: Json) => {
    const [ours, theirs] = await Promise.all([
      light.rpc.call<Json>(method, params),
      net.node(3).rpc.call<Json>(method, params),
    ]);
    expect(withoutMarks(ours), method).toEqual(theirs);
  };
  await same('block', at);
  await same('block_by_hash', { hash: toBase64(fromHex(await hashAt(net.node(3), height))) });
  await same('header', at);
  await same('validators', at);
  await same('consensus_params', at);
  await same('tx', { hash: toBase64(fromHex(sent.transactionHash)), prove: true });
  await same('tx_search', { query: `tx.height=${height}`, prove: true });
  await same('abci_query', storeQuery(SUPPLY_KEY, height));
  await same('abci_query', storeQuery('ff00ff', height));
  const results = await light.rpc.call<{ txs_results: unknown[]; app_hash: string }>('block_results', at);
  const theirs = await net.node(3).rpc.call<{ txs_results: unknown[]; app_hash: string }>('block_results', at);
  expect(results.txs_results).toEqual(theirs.txs_results);
  expect(results.app_hash).toBe(theirs.app_hash);
  const newest = await light.rpc.call<{ response: { value: string; proofOps: unknown } }>('abci_query', {
    path: '/store/bank/key',
    data: SUPPLY_KEY,
  });
  expect(newest.response.value).not.toBe('');
  const { sync_info } = await light.rpc.call<{ sync_info: { latest_block_height: string } }>('status');
  expect(Number(sync_info.latest_block_height)).toBeGreaterThan(height);
  const chain = await light.rpc.call<{ block_metas: { header: unknown }[] }>('blockchain', {});
  expect(chain.block_metas.length).toBeGreaterThan(3);
  expect(await light.rpc.call('health')).toEqual({});

  await expect(light.rpc.call('net_info')).rejects.toThrow(/cannot be verified/);
  await expect(light.rpc.call('abci_query', { path: '/cosmos.bank.v1beta1.Query/Params' })).rejects.toThrow(
    /cannot be verified/,
  );
  await expect(light.rpc.call('block', { height: '1000000' })).rejects.toThrow(/1000000/);
  const before = sync_info.latest_block_height;
  await light.stop();

  // It goes on from what it had verified; with another root for the same height it does not begin.
  const other = { height: 1, hash: 'AB'.repeat(32) };
  expect(await refusedStart({ ...sources, home: light.home, root: other })).toContain("one of them is not the chain's");
  const again = await startLight({ ...sources, home: light.home, more: ['--pass-unverified', '--sequential'] });
  const status = await again.rpc.call<{ sync_info: { latest_block_height: string } }>('status');
  expect(Number(status.sync_info.latest_block_height)).toBeGreaterThanOrEqual(Number(before));
  expect(await again.rpc.call('net_info')).toMatchObject({ listening: true, unverified: ['*'] });
  expect(await refusedStart(sources)).toContain('nothing is trusted yet');
  const alone = await refusedStart({ ...sources, witnesses: [`${sources.primary}/`], root });
  expect(alone).toContain('one cannot confirm itself');
});

/** Changes one character of a hex or base64 text. */
function bent(value: unknown): string {
  const text = String(value);
  return (text.charAt(0) === 'A' ? 'B' : 'A') + text.slice(1);
}

/** A copy in which the value at a path is another. */
function altered(answer: Json, path: string, change: (value: unknown) => unknown): Json {
  const copy = structuredClone(answer);
  const names = path.split('.');
  const last = names.pop() ?? '';
  const parent = names.reduce<Json>((object, name) => object[name] as Json, copy);
  parent[last] = change(parent[last]);
  return copy;
}

const bend =
  (path: string, change: (value: unknown) => unknown = bent): Lie =>
  (result) =>
    altered(result, path, change);

test('a primary that alters answers is caught', async () => {
  const net = await runningNetwork();
  const sent = await transfer(net);
  const { height } = sent;
  const at = { height: String(height) };
  const tx = { hash: toBase64(fromHex(sent.transactionHash)), prove: true };
  const liar = await startLyingNode(net.node(0));
  const light = await startLight({
    primary: liar.url,
    witnesses: [net.node(1).rpcUrl],
    root: { height: 1, hash: await hashAt(net.node(2), 1) },
  });
  const more = (value: unknown) => String(BigInt(String(value)) + 1n);
  const lies: [method: string, params: Json, lie: Lie, refusal: RegExp][] = [
    ['block', at, bend('block.data.txs.0'), /data_hash|base64/],
    ['block', at, bend('block.data.txs', () => []), /data_hash/],
    ['block', at, bend('block.header.app_hash'), /is not the header of height/],
    ['block', at, bend('block.last_commit.signatures.0.signature'), /last_commit_hash/],
    ['block', at, bend('block.last_commit.height', more), /last_commit: is not the commit/],
    ['block', at, bend('block.last_commit.block_id.hash'), /last_commit.block_id: is not the last block/],
    ['block', at, async () => net.node(0).rpc.call('block', { height: '2' }), /is not the header of height/],
    ['block_results', at, bend('txs_results.0.gas_used', more), /txs_results: are not those/],
    ['block_results', at, bend('txs_results.0.code', () => 5), /txs_results: are not those/],
    ['consensus_params', at, bend('consensus_params.block.max_bytes', more), /are not those of the header/],
    ['tx', tx, bend('tx'), /expected the hash/],
    ['tx', tx, bend('index', () => 7), /7 is claimed/],
    ['tx', tx, bend('height', () => '2'), /does not verify/],
    ['tx', tx, bend('proof.proof.leaf_hash'), /leaf_hash|base64/],
    ['abci_query', storeQuery(SUPPLY_KEY, height), bend('response.value'), /another value|base64/],
    ['abci_query', storeQuery(SUPPLY_KEY, height), bend('response.value', () => null), /another value/],
    ['abci_query', storeQuery(SUPPLY_KEY, height), bend('response.proofOps', () => ({ ops: [] })), /expected ics23/],
    ['abci_query', storeQuery(SUPPLY_KEY, height), bend('response.proofOps.ops.1.data'), /proof of the store/],
    ['abci_query', storeQuery(SUPPLY_KEY, height), bend('response.height', more), /response.height/],
    ['abci_query', storeQuery('ff00ff', height), bend('response.value', () => 'AAAA'), /absent, but there is a value/],
    [
      'abci_query',
      storeQuery('ff00ff', height),
      // A true proof, of the state of another height.
      async () => net.node(0).rpc.call('abci_query', storeQuery('ff00ff', height - 1)),
      /response.height/,
    ],
    [
      'abci_query',
      storeQuery(SUPPLY_KEY, height),
      async () => net.node(0).rpc.call('abci_query', storeQuery('ff00ff', height)),
      /response.key/,
    ],
    ['status', {}, bend('node_info.network', () => 'other'), /expected e2e/],
  ];
  for (const [method, params, lie, refusal] of lies) {
    liar.lies.set(method, lie);
    await expect(light.rpc.call(method, params), `${method} ${refusal}`).rejects.toThrow(refusal);
    liar.lies.clear();
    await light.rpc.call(method, params);
  }

  // Headers, commits and validators that do not fit together: with one witness left there is nobody to confirm.
  const unseen = { height: '3' };
  const expectBad = async (method: string, lie: Lie) => {
    liar.lies.set(method, lie);
    await expect(light.rpc.call('header', unseen)).rejects.toThrow(/not verified \(invalid\)/);
    liar.lies.clear();
  };
  await expectBad('commit', bend('signed_header.header.app_hash'));
  await expectBad(
    'commit',
    bend('signed_header.commit.round', () => 9),
  );
  await expectBad(
    'commit',
    bend('signed_header.commit.signatures', () => []),
  );
  await expectBad('validators', bend('validators.0.voting_power', more));
  await expectBad('validators', bend('validators.0.pub_key.value'));
  expect(await light.rpc.call('header', unseen)).toEqual(await net.node(3).rpc.call('header', unseen));

  // With two witnesses the liar is replaced, and the answer is right.
  const second = await startLight({
    primary: liar.url,
    witnesses: [net.node(1).rpcUrl, net.node(2).rpcUrl],
    root: { height: 1, hash: await hashAt(net.node(2), 1) },
  });
  liar.lies.set('validators', bend('validators.0.voting_power', more));
  expect(await second.rpc.call('header', at)).toEqual(await net.node(3).rpc.call('header', at));
  expect(await second.log()).toContain('the primary is replaced');
});

/** What two of four validators sign behind the chain's back: a header with another application hash, and a set of their own. */
async function forge(net: TestNetwork, height: number) {
  const two = await Promise.all(
    net.nodes.slice(0, 2).map(async (node) => {
      const key = await readValidatorKey(homePaths(node.home).validatorKey);
      if (key === undefined) throw new Error(`${node.name} has no key`);
      return key;
    }),
  );
  const { validators } = await net.node(0).rpc.call<{ validators: unknown[] }>('validators', {
    height: String(height),
  });
  const members = two.map((key) => {
    const own = validators
      .map((item, i) => readValidatorJson(`validators[${i}]`, item))
      .find(({ publicKey }) => equal(publicKey.bytes, key.publicKey));
    return { key, power: own?.power ?? 0n };
  });
  const { header } = await net.node(0).rpc.call<{ header: unknown }>('header', { height: String(height) });
  const honest = readHeaderJson('header', header);
  const made = decide({ ...honest, appHash: sha256(utf8('made up')) }, members);
  const { validatorSetHash } = await import('#core/types/validator-set.ts');
  const own = validatorSetHash(made.validators);
  return decide({ ...made.header, validatorsHash: own, nextValidatorsHash: own }, members);
}

test('an attack by validators stops the light client, and its evidence is committed', async () => {
  const net = await runningNetwork();
  await net.node(0).waitForHeight(6n);
  const forged = await forge(net, 5);
  const liar: LyingNode = await startLyingNode(net.node(0));
  const ofFive: (lie: Json) => Lie = (lie) => (result, params) => (params.height === '5' ? lie : result);
  const signed = { header: headerJson(forged.header), commit: commitJson(forged.commit) };
  liar.lies.set('commit', ofFive({ signed_header: signed, canonical: true }));
  liar.lies.set(
    'validators',
    ofFive({ block_height: '5', validators: forged.validators.validators.map(validatorJson), count: '2', total: '2' }),
  );
  const light = await startLight({
    primary: liar.url,
    witnesses: [net.node(2).rpcUrl],
    root: { height: 1, hash: await hashAt(net.node(3), 1) },
  });
  await expect(light.rpc.call('header', { height: '5' })).rejects.toThrow(/attack.*prove different blocks at height 5/);
  await expect(light.rpc.call('header', { height: '2' })).rejects.toThrow(/attack/);
  await expect(light.rpc.call('health')).rejects.toThrow(/attack/);
  expect(await light.log()).toContain('evidence of an attack was taken');

  interface BlockAnswer {
    readonly block: { readonly evidence: { readonly evidence: { type: string; value: Json }[] } };
  }
  let committed: { type: string; value: Json } | undefined;
  let next = 6n;
  await until('the evidence is in a block', async () => {
    for (const newest = await net.node(3).height(); next <= newest && committed === undefined; next++) {
      const { block } = await net.node(3).rpc.call<BlockAnswer>('block', { height: String(next) });
      committed = block.evidence.evidence[0];
    }
    return committed !== undefined;
  });
  expect(committed?.type).toBe('tendermint/LightClientAttackEvidence');
  expect(committed?.value).toMatchObject({ common_height: '1', byzantine_validators: [{}, {}] });
  await Promise.all(net.nodes.map((node) => node.waitForHeight(next + 2n)));
});
