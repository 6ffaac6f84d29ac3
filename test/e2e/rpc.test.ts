/** The JSON-RPC of live validators under load: what asks too much, or does not read, slows nobody but itself. */
import { once } from 'node:events';
import { connect } from 'node:net';
import { assertIsDeliverTxSuccess, coins } from '@cosmjs/stargate';
import { expect, onTestFinished, test } from 'vitest';
import { createTestNetwork, type TestNode } from './support/network.ts';
import { connectFaucet } from './support/wallet.ts';

interface Dump {
  readonly round_state: {
    readonly height: string;
    readonly validators: { readonly validators: readonly { readonly address: string }[] };
    readonly votes: readonly { readonly prevotes: readonly string[] }[];
  };
}

/** Asks for the state again and again until told to stop; answers how often. */
async function dumpUntil(stopped: () => boolean, node: TestNode): Promise<number> {
  let count = 0;
  for (let last = 0n; !stopped(); count++) {
    const { round_state } = await node.rpc.call<Dump>('dump_consensus_state');
    const height = BigInt(round_state.height);
    // Each dump is of one moment: whole, and never before an earlier one.
    expect(height).toBeGreaterThanOrEqual(last);
    last = height;
    expect(round_state.validators.validators).toHaveLength(2);
    for (const { prevotes } of round_state.votes) expect(prevotes).toHaveLength(2);
    const simple = await node.rpc.call<{ round_state: Record<string, string> }>('consensus_state');
    expect(simple.round_state['height/round/step']).toMatch(/^\d+\/\d+\/[1-8]$/);
  }
  return count;
}

/** Subscribes to everything that consensus says, and reads none of it. */
async function deafSubscriber(node: TestNode): Promise<void> {
  const socket = connect(node.ports.rpc, '127.0.0.1');
  onTestFinished(() => void socket.destroy());
  await once(socket, 'connect');
  socket.write(
    `GET /websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`,
  );
  await once(socket, 'data');
  const request = '{"jsonrpc":"2.0","id":1,"method":"subscribe","params":["tm.event EXISTS"]}';
  socket.write(Buffer.concat([Buffer.from([0x81, 0x80 | request.length, 0, 0, 0, 0]), Buffer.from(request)]));
  await once(socket, 'data');
  socket.pause();
}

test('Adversarial 23: dumps of the consensus state during load (CVE-2023-34450)', async () => {
  const net = await createTestNetwork({ validators: 2 });
  for (const node of net.nodes) node.start();
  await Promise.all(net.nodes.map((node) => node.waitForHeight(2n)));
  const node = net.node(0);
  await deafSubscriber(node);
  let done = false;
  const dumps = Array.from({ length: 16 }, () => dumpUntil(() => done, node));
  const dumping = Promise.all(dumps).catch((error: unknown) => {
    done = true;
    throw error;
  });
  const from = await node.height();
  const faucet = await connectFaucet(net, node);
  for (let i = 0; i < 3; i++)
    assertIsDeliverTxSuccess(
      await faucet.client.sendTokens(faucet.address, faucet.address, coins(1, 'uauton'), 'auto'),
    );
  await Promise.all(net.nodes.map((one) => one.waitForHeight(from + 10n)));
  done = true;
  for (const count of await dumping) expect(count).toBeGreaterThan(0);
  const exits = await Promise.all(net.nodes.map((one) => one.stop()));
  expect(exits.map(({ code }) => code)).toEqual([0, 0]);
});
