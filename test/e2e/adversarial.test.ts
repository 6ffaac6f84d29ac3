/** A running network under what has stopped others: dumps by the hundred, bombs, connections, the same transaction again and again. */
import { connect, type Socket } from 'node:net';
import { brotliCompressSync, deflateSync, gzipSync } from 'node:zlib';
import { MsgSend } from 'cosmjs-types/cosmos/bank/v1beta1/tx';
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { expect, onTestFinished, test } from 'vitest';
import { toBase64, toHexUpper } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { blockFacts, createTestNetwork, type TestNetwork, until } from './support/network.ts';
import { connectFaucet } from './support/wallet.ts';

async function running(): Promise<TestNetwork> {
  const net = await createTestNetwork({ validators: 4 });
  for (const node of net.nodes) node.start();
  await Promise.all(net.nodes.map((node) => node.waitForHeight(2n)));
  return net;
}

/** All go on, agree, have all their peers, and have banned nobody. */
async function isWell(net: TestNetwork): Promise<void> {
  const top = await net.node(0).height();
  await Promise.all(net.nodes.map((node) => node.waitForHeight(top + 3n)));
  const facts = await Promise.all(net.nodes.map((node) => blockFacts(node, top + 1n)));
  for (const each of facts) expect(each).toEqual(facts[0]);
  for (const node of net.nodes) {
    expect(node.running()).toBe(true);
    const { n_peers } = await node.rpc.call<{ readonly n_peers: string }>('net_info');
    expect(n_peers).toBe('3');
    expect((await node.log()).filter(({ msg }) => /is banned|invalid message/.test(msg))).toEqual([]);
  }
}

test('Adversarial 18: duplicates; Adversarial 23: dumps under load; Adversarial 24: bombs; Limit: a thousand connections, at running nodes', async () => {
  const net = await running();
  const victim = net.node(0);

  // Adversarial 23: state dump RPC during load (CVE-2023-34450).
  const from = await victim.height();
  const dumps: Promise<unknown>[] = [];
  while ((await victim.height()) < from + 3n) {
    for (const method of ['dump_consensus_state', 'consensus_state', 'net_info', 'unconfirmed_txs', 'status'])
      for (let i = 0; i < 10; i++) dumps.push(victim.rpc.call(method));
    await Promise.all(dumps.splice(0));
  }

  // Adversarial 24: decompression bombs (CVE-2019-25072).
  const zeros = Buffer.alloc(200_000_000, ' ');
  for (const [encoding, body] of [
    ['gzip', gzipSync(zeros)],
    ['br', brotliCompressSync(zeros.subarray(0, 20_000_000))],
    ['deflate', deflateSync(zeros)],
    ['gzip, gzip', gzipSync(gzipSync(zeros))],
  ] as const) {
    const answer = await fetch(victim.rpcUrl, { method: 'POST', body, headers: { 'content-encoding': encoding } });
    expect(answer.status).toBeGreaterThanOrEqual(400);
    expect((await answer.text()).length).toBeLessThan(2_000);
  }

  // Adversarial 18: the same transaction from everywhere, before, during and after its block (CVE-2023-34451).
  const faucet = await connectFaucet(net, victim);
  const message = MsgSend.fromPartial({
    fromAddress: faucet.address,
    toAddress: faucet.address,
    amount: [{ denom: 'uauton', amount: '1' }],
  });
  const fee = { amount: [{ denom: 'uauton', amount: '20000' }], gas: '200000' };
  const signed = await faucet.client.sign(
    faucet.address,
    [{ typeUrl: '/cosmos.bank.v1beta1.MsgSend', value: message }],
    fee,
    '',
  );
  const bytes = TxRaw.encode(signed).finish();
  const tx = toBase64(bytes);
  const hash = toHexUpper(sha256(bytes));
  const transactions = async () =>
    (await victim.rpc.call<{ total_count: string }>('tx_search', { query: `tx.hash='${hash}'` })).total_count;
  let end: bigint | undefined;
  await until('its block is there, and two more', async () => {
    await Promise.allSettled(
      net.nodes.flatMap((node) => [1, 2, 3].map(() => node.rpc.call('broadcast_tx_sync', { tx }))),
    );
    if (end === undefined && (await transactions()) !== '0') end = (await victim.height()) + 2n;
    return end !== undefined && (await victim.height()) >= end;
  });
  expect(await transactions()).toBe('1');
  for (const node of net.nodes)
    await until('the mempool is empty', async () => {
      const { total } = await node.rpc.call<{ readonly total: string }>('num_unconfirmed_txs');
      return total === '0';
    });

  // A thousand connections from one address, to the peers' port and to the RPC's.
  const sockets: Socket[] = [];
  onTestFinished(() => {
    for (const socket of sockets) socket.destroy();
  });
  for (const port of [victim.ports.p2p, victim.ports.rpc])
    for (let i = 0; i < 1_000; i++) {
      const socket = connect({ host: '127.0.0.1', port, localAddress: '127.0.0.77' });
      socket.on('error', () => {});
      socket.resume();
      sockets.push(socket);
    }
  const top = await net.node(1).height();
  await Promise.all(net.nodes.slice(1).map((node) => node.waitForHeight(top + 3n)));
  for (const socket of sockets.splice(0)) socket.destroy();
  await isWell(net);
});
