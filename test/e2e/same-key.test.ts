import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { maxBig } from '#core/int.ts';
import { homePaths } from '#node/config/home.ts';
import { spawnAutond } from '#node/localnet/node-process.ts';
import { expectNoDoubleSigns, expectSameBlocks } from './support/agreement.ts';
import { configure, createTestNetwork, until } from './support/network.ts';
import { consensusHexOf, signersOf } from './support/stake.ts';

/** In a row, so that neither luck nor the other process explains them. */
const SIGNED = 2;

test('two processes that are one validator, by one signer, never sign two things, and either of them is enough', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-twins-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const net = await createTestNetwork({
    validators: 3,
    fullNodes: 1,
    // Both propose when it is their turn, and one of them is refused: its proposal is waited for in vain.
    config: { 'consensus.timeout_propose': '1s' },
  });
  const [observer, other, one, two] = [net.node(0), net.node(1), net.node(2), net.node(3)];
  const twins = [one, two];
  const address = await consensusHexOf(one);

  const home = join(folder, 'signer');
  mkdirSync(join(home, 'config'), { recursive: true });
  mkdirSync(join(home, 'data'));
  renameSync(homePaths(one.home).validatorKey, homePaths(home).validatorKey);
  const sockets = twins.map((_, i) => `unix://${join(folder, `${i}.sock`)}`);
  for (const [i, twin] of twins.entries()) await configure(twin, '', { priv_validator_laddr: sockets[i] });
  const signer = spawnAutond(
    ['signer', 'start', '--home', home, '--chain-id', 'e2e', ...sockets.flatMap((socket) => ['--connect', socket])],
    join(folder, 'signer.log'),
  );
  onTestFinished(async () => {
    await signer.stop();
  });

  // Two of three validators are no majority: each block needs the signature of the twins.
  for (const node of net.nodes) node.start();
  await Promise.all(net.nodes.map((node) => node.waitForHeight(3n)));
  for (const twin of twins) {
    const status = await twin.rpc.call<{ validator_info: { address: string } }>('status');
    expect(status.validator_info.address, `${twin.name} is the validator`).toBe(address);
  }
  const signed = async (from: bigint) => {
    let height = from;
    let row = 0;
    await until(`${SIGNED} signatures of the twins from ${from} on`, async () => {
      for (const newest = await observer.height(); height < newest && row < SIGNED; height++)
        row = (await signersOf(observer, height)).has(address) ? row + 1 : 0;
      return row >= SIGNED;
    });
  };
  await signed(2n);
  for (const twin of twins) {
    await twin.kill();
    await signed((await observer.height()) + 1n);
    twin.start();
    await twin.waitForHeight(await observer.height());
  }
  await signed((await observer.height()) + 1n);

  const agreed = (await Promise.all(net.nodes.map((node) => node.height()))).reduce(maxBig);
  await Promise.all(net.nodes.map((node) => node.waitForHeight(agreed)));
  await expectSameBlocks([observer, other, ...twins], 1n, agreed);
  await expectNoDoubleSigns(net.nodes);
});
