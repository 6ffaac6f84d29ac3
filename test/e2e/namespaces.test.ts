import { expect, test } from 'vitest';
import { maxBig } from '#core/int.ts';
import { Rng } from '../sim/rng.ts';
import { expectNoDoubleSigns, expectSameBlocks } from './support/agreement.ts';
import { createPlaces, type Place, probe } from './support/namespaces.ts';
import { createTestNetwork, until } from './support/network.ts';
import { addressOf, namedKey, startWorkload } from './support/workload.ts';

const SEED = Number(process.env.AUTONOMY_NAMESPACES_SEED ?? 20_261_127);
const NODES = 4;
const WALLETS = 4;
const BLOCKS = 8n;
const UNPLUGGED_BLOCKS = 4n;
const RECOVERY_MS = 20_000;

const machine = probe();
if ('missing' in machine)
  console.warn(`network namespaces: left out, this machine does not allow them: ${machine.missing}`);
else if (machine.shaping === 'tbf')
  console.warn('network namespaces: this kernel has no netem, so packets are lost in a narrow queue, not at random');

test.skipIf('missing' in machine)(
  'blocks are made while packets are lost, and a node that was unplugged comes back',
  async () => {
    if ('missing' in machine) return;
    const rng = new Rng(SEED);
    const places = createPlaces(NODES);
    const keys = Array.from({ length: WALLETS }, (_, i) => namedKey(`namespace wallet ${i}`));
    const sink = addressOf(namedKey('namespace sink'));
    const net = await createTestNetwork({
      validators: NODES,
      places,
      genesis: {
        accounts: keys.map((key) => ({ address: addressOf(key), coins: [{ denom: 'uauton', amount: 1_000_000n }] })),
      },
    });
    for (const node of net.nodes) node.start();
    await Promise.all(net.nodes.map((node) => node.waitForHeight(2n)));
    const workload = await startWorkload(net, { keys, sink, rng: rng.fork(), deaths: () => 0 });

    // All links lose packets, and blocks are made.
    for (const place of places) place.spoil(machine.shaping);
    const lostSoFar = () => places.reduce((sum, place) => sum + place.lost(), 0);
    const from = await net.node(0).height();
    await Promise.all(net.nodes.map((node) => node.waitForHeight(from + BLOCKS)));
    // A slow machine seldom sends much at once. This answer is more than a narrow way takes.
    await until('packets are lost', async () => {
      await net.node(0).rpc.call('blockchain');
      return lostSoFar() > 0;
    });

    // One node hears and says nothing for longer than it takes to notice; the others go on.
    const victim = rng.below(NODES);
    const others = net.nodes.filter((_, i) => i !== victim);
    const unplugged = places[victim] as Place;
    unplugged.unplug();
    const without = await (others[0] as (typeof others)[number]).height();
    await Promise.all(others.map((node) => node.waitForHeight(without + UNPLUGGED_BLOCKS)));
    unplugged.plug();
    const lost = lostSoFar();
    for (const place of places) place.mend();

    const over = Date.now();
    const left = () => Math.max(RECOVERY_MS - (Date.now() - over), 1);
    await workload.drain(left());
    const agreed = (await Promise.all(net.nodes.map((node) => node.height()))).reduce(maxBig) + 2n;
    await Promise.all(net.nodes.map((node) => node.waitForHeight(agreed, left())));
    const recoveredMs = Date.now() - over;
    await expectSameBlocks(net.nodes, 1n, agreed);
    await expectNoDoubleSigns(net.nodes);
    for (const hash of workload.accepted)
      expect(workload.committed.get(hash), `heights of transaction ${hash}`).toHaveLength(1);
    console.log(
      `namespaces: seed ${SEED}, ${machine.shaping}, ${agreed} blocks agree ${recoveredMs} ms after the last fault; ` +
        `${workload.accepted.size} transactions, ${lost} packets lost`,
    );
  },
);
