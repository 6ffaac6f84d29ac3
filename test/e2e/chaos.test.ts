import { expect, test } from 'vitest';
import { fromHex, toBase64 } from '#core/bytes.ts';
import { maxBig } from '#core/int.ts';
import { RpcClientError } from '#node/client/rpc-client.ts';
import { Rng } from '../sim/rng.ts';
import { expectNoDoubleSigns, expectSameBlocks } from './support/agreement.ts';
import { createChaos, describeFault, planFaults } from './support/faults.ts';
import { type LightNode, startLight } from './support/light-node.ts';
import { linkThroughProxies } from './support/links.ts';
import { blockFacts, chainOf, createTestNetwork, until } from './support/network.ts';
import { addressOf, namedKey, startWorkload } from './support/workload.ts';

/** Of the faults; print it with a failure and put it here to see the same again. */
const SEED = Number(process.env.AUTONOMY_CHAOS_SEED ?? 20_261_127);
const LONG = process.env.AUTONOMY_E2E_LONG === '1';
const VALIDATORS = LONG ? 7 : 4;
const FULL_NODES = 2;
const FAULTS = Number(process.env.AUTONOMY_CHAOS_FAULTS ?? (LONG ? 80 : 12));
const WALLETS = 8;
/** Between two questions to the light node. */
const ASK_MS = 500;
/** After the last fault all is well again within this. */
const RECOVERY_MS = 20_000;

/** The newest header that the light node proves, again and again; what it said is checked afterwards. */
function askOn(light: LightNode): { stop(): Promise<ReadonlyMap<string, unknown>> } {
  const said = new Map<string, unknown>();
  let stopped = false;
  const asking = (async () => {
    while (!stopped) {
      try {
        const { header } = await light.rpc.call<{ header: { height: string } }>('header');
        said.set(header.height, header);
      } catch (error) {
        if (!(error instanceof RpcClientError)) throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, ASK_MS));
    }
  })();
  // Who fails is heard of when it is waited for.
  asking.catch(() => undefined);
  return {
    async stop() {
      stopped = true;
      await asking;
      return said;
    },
  };
}

test('through pauses, kills, cut and stalled connections and slow disks nothing is lost, and nobody differs', async () => {
  const rng = new Rng(SEED);
  const keys = Array.from({ length: WALLETS }, (_, i) => namedKey(`chaos wallet ${i}`));
  const sink = addressOf(namedKey('chaos sink'));
  const net = await createTestNetwork({
    validators: VALIDATORS,
    fullNodes: FULL_NODES,
    genesis: {
      accounts: keys.map((key) => ({ address: addressOf(key), coins: [{ denom: 'uauton', amount: 1_000_000n }] })),
    },
  });
  const links = await linkThroughProxies(net, rng.fork());
  const faults = planFaults(rng.fork(), net.nodes.length, FAULTS);
  console.log(`chaos: AUTONOMY_CHAOS_SEED=${SEED}\n${faults.map(describeFault).join('\n')}`);
  for (const node of net.nodes) node.start();
  await Promise.all(net.nodes.map((node) => node.waitForHeight(2n)));
  const light = await startLight({
    primary: net.node(VALIDATORS).rpcUrl,
    witnesses: [net.node(VALIDATORS + 1).rpcUrl, net.node(0).rpcUrl],
    root: { height: 1, hash: (await blockFacts(net.node(1), 1n)).hash },
  });

  const chaos = createChaos(net, links, rng.fork());
  const workload = await startWorkload(net, { keys, sink, rng: rng.fork(), deaths: chaos.deaths });
  const asked = askOn(light);
  await chaos.run(faults);

  const over = Date.now();
  const left = () => Math.max(RECOVERY_MS - (Date.now() - over), 1);
  await workload.drain(left());
  const heights = await Promise.all(net.nodes.map((node) => node.height()));
  const agreed = heights.reduce(maxBig) + 2n;
  await Promise.all(net.nodes.map((node) => node.waitForHeight(agreed, left())));
  const recoveredMs = Date.now() - over;

  await expectSameBlocks(net.nodes, 1n, agreed);
  await expectNoDoubleSigns(net.nodes);
  for (const hash of workload.accepted)
    expect(workload.committed.get(hash), `heights of transaction ${hash}`).toHaveLength(1);
  for (const node of net.nodes) {
    const { amount } = (await chainOf(node).balances(sink))[0] ?? { amount: 0n };
    expect(amount, `what ${node.name} says was paid`).toBe(BigInt(workload.accepted.size));
  }

  // The light node has had its sources fail one after another, and proves what they say as before.
  await until('the light node has followed', async () => {
    const newest = await light.rpc.call<{ sync_info: { latest_block_height: string } }>('status');
    return BigInt(newest.sync_info.latest_block_height) >= agreed;
  });
  for (let height = agreed; height > 0n; height -= 20n) {
    const at = { height: String(height) };
    expect(await light.rpc.call('header', at)).toEqual(await net.node(1).rpc.call('header', at));
  }
  const said = await asked.stop();
  expect(said.size, 'headers that the light node has proven meanwhile').toBeGreaterThan(0);
  for (const [height, header] of said)
    expect({ header }, `header ${height}`).toEqual(await net.node(1).rpc.call('header', { height }));
  const hash = [...workload.accepted].at(-1) ?? '';
  const found = await light.rpc.call<{ height: string }>('tx', { hash: toBase64(fromHex(hash)), prove: true });
  expect([BigInt(found.height)]).toEqual(workload.committed.get(hash));
  const exits = await Promise.all(net.nodes.map((node) => node.stop()));
  expect(exits.map((exit) => exit.code)).toEqual(net.nodes.map(() => 0));
  console.log(
    `chaos: seed ${SEED}, ${faults.length} faults, ${agreed} blocks agree ${recoveredMs} ms after the last; ` +
      `${workload.accepted.size} transactions, ${workload.resent()} sent again; ` +
      `${said.size} headers proven meanwhile`,
  );
});
