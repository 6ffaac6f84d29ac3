/** `autond abci` as a process: a recorded network's calls over its socket, killed in the middle, and started again. */
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { fromUtf8, toHex } from '#core/bytes.ts';
import { noDuties } from '#core/ports/duties.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { formatGenesis } from '#genesis/document.ts';
import type { AbciAddress } from '#node/abci/address.ts';
import { dispatch } from '#node/abci/dispatch.ts';
import { createNativeVerifier } from '#node/crypto/native-verifier.ts';
import { type NodeProcess, spawnAutond } from '#node/localnet/node-process.ts';
import { RequestSchema } from '#proto/gen/tendermint/abci/types_pb.ts';
import { decodeStrict } from '#proto/message.ts';
import { openApplication } from '#runtime/app.ts';
import { type Exchange, readExchanges } from '#test/abci/recordings.ts';
import { type AbciClient, openAbciClient } from '#test/support/abci-client.ts';

const WAIT_MS = 60_000;

/** What drives the state: the rest of the recording only asks. */
const DRIVING: ReadonlySet<string> = new Set(['init-chain', 'finalize-block', 'commit']);
const recorded = readExchanges('validator1').filter(({ call }) => DRIVING.has(call));

function requestOf(exchange: Exchange) {
  const decoded = decodeStrict(RequestSchema, exchange.requestBytes);
  if (!decoded.ok || decoded.value.value.case === undefined) throw new Error('a recorded request');
  return decoded.value.value;
}

/** The state roots that the application in this process comes to. */
async function expectedRoots(): Promise<readonly string[]> {
  const verifier = createNativeVerifier({ keyCacheEntries: 16 });
  const app = await openApplication({}, { kv: new MemoryKv(), verifier, duties: noDuties, logger: silentLogger });
  const roots: string[] = [];
  for (const { request } of recorded) {
    const answer = await dispatch(app, silentLogger, request);
    if (answer.kind === 'finalize-block') roots.push(toHex(answer.response.appHash));
  }
  return roots;
}

function makeHome(): string {
  const home = mkdtempSync(join(tmpdir(), 'autonomy-abci-e2e-'));
  mkdirSync(join(home, 'config'));
  const begin = recorded[0]?.request;
  if (begin?.kind !== 'init-chain') throw new Error('the recording begins with genesis');
  const { time, chainId, consensusParams, validators, appStateBytes, initialHeight } = begin.request;
  const document = {
    genesisTime: time,
    chainId,
    initialHeight,
    consensusParams,
    validators: validators.map((update) => ({ ...update, name: '' })),
    appHash: new Uint8Array(0),
    appState: JSON.parse(fromUtf8(appStateBytes)) as Parameters<typeof formatGenesis>[0]['appState'],
  };
  writeFileSync(join(home, 'config', 'genesis.json'), formatGenesis(document));
  return home;
}

async function connectTo(address: AbciAddress, node: NodeProcess): Promise<AbciClient> {
  for (const deadline = Date.now() + WAIT_MS; ; ) {
    try {
      return await openAbciClient(address);
    } catch (error) {
      if (Date.now() > deadline || node.exit() !== undefined)
        throw new Error(`no connection; the log ends:\n${await node.logTail(10)}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

test('a killed application comes back at the block that it had committed, and goes on to the same state', async () => {
  const home = makeHome();
  const address: AbciAddress = { kind: 'unix', path: join(home, 'abci.sock') };
  const args = ['abci', '--home', home, '--address', `unix://${address.path}`, '--log-format', 'json'];
  const start = () => spawnAutond(args, join(home, 'abci.log'));
  let node = start();
  onTestFinished(async () => {
    node.kill('SIGKILL');
    await node.exited;
    rmSync(home, { recursive: true, force: true });
  });
  let client = await connectTo(address, node);
  const roots: string[] = [];
  const killAfter = 20;
  let killed = false;
  for (let i = 0; i < recorded.length; i++) {
    const answer = await client.call(requestOf(recorded[i] as Exchange));
    if (answer.case === 'exception') throw new Error(answer.value.error);
    if (answer.case !== 'finalizeBlock') continue;
    if (roots.length === killAfter && !killed) {
      // Executed and not committed: the block is to come again.
      killed = true;
      node.kill('SIGKILL');
      await node.exited;
      node = start();
      client = await connectTo(address, node);
      expect(await client.call({ case: 'info', value: {} })).toMatchObject({
        case: 'info',
        value: { lastBlockHeight: BigInt(killAfter) },
      });
      i--;
    } else roots.push(toHex(answer.value.appHash));
  }
  expect(killed).toBe(true);
  expect(roots).toEqual(await expectedRoots());

  // A second process on the same home is told so, and the first one is not disturbed.
  const second = start();
  expect((await second.exited).code).toBe(1);
  expect(await second.logTail(3)).toContain('already in use');
  expect((await client.call({ case: 'info', value: {} })).case).toBe('info');
  expect((await node.stop()).code).toBe(0);
});
