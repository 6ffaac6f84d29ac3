import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { homePaths } from '#node/config/home.ts';
import { type NodeProcess, spawnAutond } from '#node/localnet/node-process.ts';
import { createTestNetwork, until } from './support/network.ts';

test('Adversarial 27: a validator whose key is with a signer waits for it, survives its death, and no second process has the key', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-signer-'));
  onTestFinished(() => rmSync(folder, { recursive: true, force: true }));
  const address = `unix://${join(folder, 's.sock')}`;
  const net = await createTestNetwork({ validators: 1, config: { priv_validator_laddr: address } });
  const node = net.node(0);
  const home = join(folder, 'signer');
  mkdirSync(join(home, 'config'), { recursive: true });
  mkdirSync(join(home, 'data'));
  renameSync(homePaths(node.home).validatorKey, homePaths(home).validatorKey);

  const signers: NodeProcess[] = [];
  onTestFinished(async () => {
    await Promise.all(signers.map((signer) => signer.stop()));
  });
  const startSigner = () => {
    const log = join(folder, `signer-${signers.length}.log`);
    const signer = spawnAutond(['signer', 'start', '--home', home, '--chain-id', 'e2e', '--connect', address], log);
    signers.push(signer);
    return signer;
  };

  node.start();
  const first = startSigner();
  await node.waitForHeight(3n);

  const second = startSigner();
  expect((await second.exited).code).toBe(1);
  expect(await second.logTail(3)).toContain('is already in use');

  first.kill('SIGKILL');
  await first.exited;
  await until('the signature is missed', async () =>
    (await node.log()).some(({ msg }) => msg.startsWith('the signer refuses')),
  );
  const before = await node.height();
  startSigner();
  await node.waitForHeight(before + 2n);

  // The node alone comes back too, by the signer that kept dialling.
  await node.kill();
  node.start();
  await node.waitForHeight(before + 4n);
});
