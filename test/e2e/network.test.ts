import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { assertIsDeliverTxSuccess, type SignerData } from '@cosmjs/stargate';
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { expect, test } from 'vitest';
import { toBase64, utf8 } from '#core/bytes.ts';
import { keyFromMnemonic } from '#core/crypto/keys.ts';
import { heightOf, waitForHeight } from '#node/localnet/localnet.ts';
import type { NetworkNode } from '#node/localnet/network.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { buildTx } from '#runtime/tx/build.ts';
import { blockFacts, chainOf, createTestNetwork, type TestNode, until } from './support/network.ts';
import { freeBasePort } from './support/ports.ts';
import { connectFaucet, connectWallet } from './support/wallet.ts';

const autond = (...args: string[]) =>
  spawnSync(process.execPath, ['node/cli/autond.ts', ...args], { encoding: 'utf8', timeout: 60_000 });

async function expectSameChain(nodes: readonly TestNode[], from: bigint, to: bigint): Promise<void> {
  for (let height = from; height <= to; height++) {
    const facts = await Promise.all(nodes.map((node) => blockFacts(node, height)));
    for (const other of facts) expect(other, `block ${height}`).toEqual(facts[0]);
    expect(facts[0]?.evidence, `evidence in block ${height}`).toBe(0);
  }
}

/** The first bytes of the answer to a request that says it will send so much. */
async function announceBody(node: TestNode, bytes: number): Promise<string> {
  const socket = connect(node.ports.rpc, '127.0.0.1');
  socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: ${bytes}\r\n\r\n`);
  const [answer] = (await once(socket, 'data')) as [Buffer];
  socket.destroy();
  return answer.toString('latin1');
}

test('four validators finalise, a wallet sends, a late node replays everything, and all stop cleanly', async () => {
  const net = await createTestNetwork({ validators: 4, fullNodes: 1 });
  const validators = net.nodes.slice(0, 4);
  for (const node of validators) node.start();
  await Promise.all(validators.map((node) => node.waitForHeight(3n)));

  // A wallet, against one node; the outcome is read from another.
  const faucet = await connectFaucet(net, net.node(0));
  const alice = await connectWallet(net.node(1));
  const coins = [{ denom: 'uauton', amount: '1000000' }];
  const sent = await faucet.client.sendTokens(faucet.address, alice.address, coins, 'auto');
  assertIsDeliverTxSuccess(sent);
  await net.node(1).waitForHeight(BigInt(sent.height) + 1n);
  expect((await alice.client.getBalance(alice.address, 'uauton')).amount).toBe('1000000');
  const toAlice = () => alice.client.searchTx([{ key: 'transfer.recipient', value: alice.address }]);
  await until('the block is indexed', async () => (await toAlice()).length > 0);
  expect((await toAlice()).map((tx) => tx.hash)).toEqual([sent.transactionHash]);
  const back = await alice.client.sendTokens(alice.address, faucet.address, [{ denom: 'uauton', amount: '1' }], 'auto');
  assertIsDeliverTxSuccess(back);

  // The same from the command line.
  const home = ['--keyring-backend', 'test', '--home', net.network.folder, '--node', net.node(2).rpcUrl];
  const cli = autond('tx', 'bank', 'send', 'faucet', alice.address, '5uauton', '-y', '-o', 'json', ...home);
  expect(cli.stderr).toContain('sent ');
  expect(JSON.parse(cli.stdout)).toMatchObject({ code: 0 });
  const tooMuch = autond(
    'tx',
    'bank',
    'send',
    'faucet',
    alice.address,
    `${10n ** 30n}uauton`,
    '-y',
    '--gas',
    '100000',
    ...home,
  );
  expect(tooMuch.status).toBe(1);
  expect(tooMuch.stderr).toMatch(/insufficient funds/);

  // A node that was not there from the beginning takes every block from the first on, and agrees with each.
  const late = net.node(4);
  late.start();
  const target = await net.node(0).height();
  await late.waitForHeight(target);
  await expectSameChain(net.nodes, 1n, target);

  const exits = await Promise.all(net.nodes.map((node) => node.stop()));
  expect(exits.map((exit) => exit.code)).toEqual([0, 0, 0, 0, 0]);
});

test('what a client gets wrong is refused with its code, and changes nothing', async () => {
  const net = await createTestNetwork({ validators: 1 });
  const node = net.node(0);
  node.start();
  await node.waitForHeight(1n);
  const faucet = await connectFaucet(net, node);
  const alice = await connectWallet(node);
  const before = await faucet.client.getAllBalances(faucet.address);
  const broadcast = (tx: Uint8Array) =>
    node.rpc.call<{ code: number; codespace: string; log: string }>('broadcast_tx_sync', { tx: toBase64(tx) });

  const malformed = await broadcast(utf8('this is no transaction'));
  expect(malformed).toMatchObject({ codespace: 'sdk', code: 2 });
  expect(malformed.log).not.toBe('');
  expect(await broadcast(new Uint8Array(2 ** 20 + 1))).toMatchObject({ codespace: 'sdk', code: 21 });
  const message = (from: string, amount: string) => ({
    typeUrl: '/cosmos.bank.v1beta1.MsgSend',
    value: { fromAddress: from, toAddress: alice.address, amount: [{ denom: 'uauton', amount }] },
  });
  const fee = { amount: [], gas: '200000' };
  const sign = async (data: { sequence?: number; chainId?: string }) => {
    const explicit: SignerData = { accountNumber: 0n, sequence: 0, chainId: 'e2e', ...data };
    const raw = await faucet.client.sign(faucet.address, [message(faucet.address, '1')], fee, '', explicit);
    return TxRaw.encode(raw).finish();
  };
  expect(await broadcast(await sign({ sequence: 7 }))).toMatchObject({ codespace: 'sdk', code: 32 });
  expect(await broadcast(await sign({ chainId: 'other' }))).toMatchObject({
    codespace: 'sdk',
    code: 4,
  });
  await expect(
    alice.client.sendTokens(alice.address, faucet.address, [{ denom: 'uauton', amount: '1' }], fee),
  ).rejects.toThrow(/does not exist on chain/);
  await expect(node.rpc.call('no_such_method')).rejects.toThrow(/Method not found/i);
  expect(await announceBody(node, 8_000_000)).toMatch(/^HTTP\/1.1 413 /);

  await node.waitForHeight((await node.height()) + 2n);
  expect(await faucet.client.getAllBalances(faucet.address)).toEqual(before);
});

test('a transaction given to a node without peers is in a block once it has some', async () => {
  const net = await createTestNetwork({ validators: 1, fullNodes: 1 });
  const [validator, lonely] = [net.node(0), net.node(1)];
  lonely.start();
  await lonely.waitForHeight(0n);
  const key = keyFromMnemonic(net.network.faucet.mnemonic);
  const { address } = net.network.faucet;
  const send = pack(MsgSendSchema, {
    fromAddress: address,
    toAddress: address,
    amount: [{ denom: 'uauton', amount: '1' }],
  });
  const content = { messages: [send], memo: '', fee: [], gasLimit: 200_000n };
  const hash = await chainOf(lonely).broadcast(buildTx(content, 'e2e', [{ key, accountNumber: 0n, sequence: 0n }]));
  validator.start();
  expect(await chainOf(lonely).waitForTx(hash, 60_000)).toMatchObject({ code: 0 });
});

test('a second process on one home is refused, and a busy port is named', async () => {
  const net = await createTestNetwork({ validators: 1 });
  const node = net.node(0);
  node.start();
  await node.waitForHeight(1n);
  const second = autond('start', '--home', node.home);
  expect(second.status).toBe(1);
  expect(second.stderr).toContain(`${node.home} is already in use by a running node`);
  expect(await node.height()).toBeGreaterThan(0n);

  const other = await createTestNetwork({ validators: 1 });
  const busyRpc = autond('start', '--home', other.node(0).home, '--rpc-laddr', `tcp://127.0.0.1:${node.ports.rpc}`);
  expect(busyRpc.status).toBe(1);
  expect(busyRpc.stderr).toContain(`127.0.0.1:${node.ports.rpc}`);
  const busyP2p = autond('start', '--home', other.node(0).home, '--p2p-laddr', `tcp://127.0.0.1:${node.ports.p2p}`);
  expect(busyP2p.status).toBe(1);
  expect(busyP2p.stderr).toContain(`127.0.0.1:${node.ports.p2p} is busy`);
});

test('a node stops with 0 on SIGTERM and SIGINT, also while it waits for its peers', async () => {
  const net = await createTestNetwork({ validators: 4 });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) {
    const node = net.node(0);
    node.start();
    await node.waitForHeight(0n);
    expect(await node.stop(signal)).toEqual({ code: 0, signal: undefined });
  }
});

test('autond localnet: Ctrl-C stops it cleanly, and nodes do not outlive a launcher that is killed', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-localnet-'));
  const base = await freeBasePort(1);
  const node = { name: 'validator0', rpcUrl: `http://127.0.0.1:${base + 1}` } as NetworkNode;
  const launch = (home: string) =>
    spawn(
      process.execPath,
      ['node/cli/autond.ts', 'localnet', '--validators', '1', '--base-port', `${base}`, '--folder', home],
      {
        stdio: 'ignore',
      },
    );

  const first = launch(join(folder, 'first'));
  await waitForHeight([node], 2n, 60_000);
  first.kill('SIGINT');
  expect(await once(first, 'exit')).toEqual([0, null]);
  expect(await heightOf(node)).toBe(-1n);

  const second = launch(join(folder, 'second'));
  await waitForHeight([node], 2n, 60_000);
  second.kill('SIGKILL');
  await until('the node is gone', async () => (await heightOf(node)) === -1n);
  const log = join(folder, 'second', 'validator0', 'node.log');
  await until('the node has stopped cleanly', async () => / stopped\n$/.test(readFileSync(log, 'utf8')));
  rmSync(folder, { recursive: true });
});
