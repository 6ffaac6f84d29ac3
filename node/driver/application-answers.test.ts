import { expect, test } from 'vitest';
import { decodeWal } from '#consensus/wal-codec.ts';
import { LIMITS } from '#core/limits.ts';
import { startDriver } from './test-kit.ts';

const params = { abci: { voteExtensionsEnableHeight: 1n } };
const small = { block: { maxBytes: 1_100_000n, maxGas: -1n } };

test('an application that prepares more transactions than a block may hold stops the node before it proposes', async () => {
  const txs = new Array<Uint8Array>(LIMITS.maxTxsPerBlock + 1).fill(new Uint8Array(1));
  const driver = await startDriver({ validators: 1, app: { prepareProposal: () => txs } });
  await driver.fire();
  expect(driver.failures.map(String)).toEqual([
    'ApplicationError: PrepareProposal at height 1 answered 100001 transactions, expected at most 100000: not proposing',
  ]);
  expect(driver.published).toEqual([]);
});

test('an application that prepares more bytes than it was permitted stops the node before it proposes', async () => {
  let asked = 0;
  const driver = await startDriver({
    validators: 1,
    params: small,
    app: {
      prepareProposal: ({ maxTxBytes }) => {
        asked = maxTxBytes;
        // Tag and length of a transaction count too: without them it would fit.
        return [new Uint8Array(maxTxBytes)];
      },
    },
  });
  await driver.fire();
  expect(driver.failures.map(String)).toEqual([
    `ApplicationError: PrepareProposal at height 1 answered ${asked + 4} bytes of transactions, expected at most ${asked}: not proposing`,
  ]);
  expect(driver.published).toEqual([]);
});

test('exactly what is permitted is proposed, and decided', async () => {
  const driver = await startDriver({
    validators: 1,
    params: small,
    app: { prepareProposal: ({ maxTxBytes }) => [new Uint8Array(maxTxBytes - 4)] },
  });
  await driver.fire();
  expect(driver.failures).toEqual([]);
  expect(driver.executor.state.height).toBe(2n);
});

test('an application that makes too large an extension stops the node, and the log can be read again', async () => {
  const extendVote = () => new Uint8Array(LIMITS.maxExtensionBytes + 1);
  const driver = await startDriver({ validators: 1, params, app: { extendVote } });
  await driver.fire();
  expect(driver.failures.map(String)).toEqual([
    'ApplicationError: ExtendVote at height 1 answered 65537 bytes, expected at most 65536: not voting',
  ]);
  const { ok } = decodeWal(driver.disks.wal.bytes);
  expect(ok).toBe(true);
  const again = await startDriver({ validators: 1, params, disks: driver.disks });
  await again.executor.idle();
  expect(again.executor.state.height).toBe(2n);
});
