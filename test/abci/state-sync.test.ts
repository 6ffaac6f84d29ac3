/** State sync and pruning as CometBFT drives them: real sockets, real frames, a recorded network's blocks. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { EMPTY, toHex, utf8 } from '#core/bytes.ts';
import { noDuties } from '#core/ports/duties.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { createKeeping, KEEP_ALL, type KeepingOptions } from '#node/abci/keeping.ts';
import { startAbciServer } from '#node/abci/server.ts';
import { createNativeVerifier } from '#node/crypto/native-verifier.ts';
import { openSnapshotFiles } from '#node/statesync/archive.ts';
import { RequestSchema, type Snapshot } from '#proto/gen/tendermint/abci/types_pb.ts';
import { decodeStrict } from '#proto/message.ts';
import { openApplication } from '#runtime/app.ts';
import { openAbciClient, type RequestValue } from '#test/support/abci-client.ts';
import { readExchanges } from './recordings.ts';

const DRIVING: ReadonlySet<string> = new Set(['init-chain', 'finalize-block', 'commit']);

const recorded = readExchanges('validator1')
  .filter(({ call }) => DRIVING.has(call))
  .map(({ requestBytes, request }) => {
    const decoded = decodeStrict(RequestSchema, requestBytes);
    if (!decoded.ok || decoded.value.value.case === undefined) throw new Error('a recorded request');
    return {
      value: decoded.value.value as RequestValue,
      height: 'request' in request && 'height' in request.request ? request.request.height : 0n,
    };
  });

async function serve(options: KeepingOptions) {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-abci-sync-'));
  const files = await openSnapshotFiles(folder, { logger: silentLogger });
  const app = await openApplication(
    { pruning: options.pruning, minRetainBlocks: options.minRetainBlocks },
    {
      kv: new MemoryKv(),
      verifier: createNativeVerifier({ keyCacheEntries: 16 }),
      duties: noDuties,
      logger: silentLogger,
      snapshots: files,
    },
  );
  const keeping = createKeeping(options, { app, files, logger: silentLogger });
  const failures: unknown[] = [];
  const server = await startAbciServer(
    { listen: { kind: 'unix', path: join(folder, 'abci.sock') } },
    {
      app,
      logger: silentLogger,
      onCommitted: () => keeping.committed(app.info().lastBlockHeight),
      neededFrom: () => files.oldest(),
      fatal: (error) => failures.push(error),
    },
  );
  onTestFinished(async () => {
    await server.close();
    await keeping.close();
    rmSync(folder, { recursive: true, force: true });
  });
  return {
    app,
    keeping,
    failures,
    client: await openAbciClient(server.address),
    open: () => openAbciClient(server.address),
  };
}

type Served = Awaited<ReturnType<typeof serve>>;

/** Plays the recorded blocks above `from`; answers roots by height and what each Commit said of blocks. */
async function play({ client, keeping }: Served, from: bigint) {
  const roots = new Map<bigint, string>();
  const retained: bigint[] = [];
  let at = 0n;
  for (const { value, height } of recorded) {
    if (value.case === 'initChain' ? from > 0n : value.case === 'finalizeBlock' ? height <= from : at === 0n) continue;
    const answer = await client.call(value);
    if (answer.case === 'exception') throw new Error(answer.value.error);
    if (answer.case === 'finalizeBlock') {
      at = height;
      roots.set(height, toHex(answer.value.appHash));
    }
    if (answer.case !== 'commit') continue;
    retained.push(answer.value.retainHeight);
    // A snapshot may be under way while blocks go on; here each shall be there when it is looked for.
    await keeping.settled();
  }
  return { roots, retained };
}

async function snapshotsOf({ open }: Served): Promise<readonly Snapshot[]> {
  const answer = await (await open()).call({ case: 'listSnapshots', value: {} });
  if (answer.case !== 'listSnapshots') throw new Error(answer.case);
  return answer.value.snapshots;
}

async function info({ client }: Served) {
  const answer = await client.call({ case: 'info', value: {} });
  if (answer.case !== 'info') throw new Error(answer.case);
  return { height: answer.value.lastBlockHeight, root: toHex(answer.value.lastBlockAppHash) };
}

const KEEPING: KeepingOptions = {
  pruning: { kind: 'everything' },
  minRetainBlocks: 3n,
  snapshotInterval: 5n,
  snapshotKeepRecent: 2,
};

test('a fresh application is restored over the socket from what another one serves, and goes on to the same state', async () => {
  const source = await serve(KEEPING);
  const { roots, retained } = await play(source, 0n);
  const last = retained.length;
  expect(last).toBeGreaterThan(20);

  const snapshots = await snapshotsOf(source);
  const newest = BigInt(last - (last % 5));
  expect(snapshots.map(({ height }) => height)).toEqual([newest, newest - 5n]);
  const [snapshot] = snapshots as readonly [Snapshot];

  const restored = await serve(KEEP_ALL);
  const { client } = restored;
  expect(await info(restored)).toEqual({ height: 0n, root: '' });
  const appHash = Buffer.from(roots.get(snapshot.height) ?? '', 'hex');
  const offer = (offered: Partial<Snapshot>) =>
    client.call({ case: 'offerSnapshot', value: { snapshot: { ...snapshot, ...offered }, appHash } });
  // What peers may say: each is refused without an exception, which would end CometBFT.
  expect(await offer({ format: 99 })).toMatchObject({ value: { result: 4 } });
  expect(await offer({ metadata: utf8('noise') })).toMatchObject({ value: { result: 3 } });
  expect(await offer({ hash: EMPTY })).toMatchObject({ value: { result: 3 } });
  expect(await client.call({ case: 'offerSnapshot', value: {} })).toMatchObject({ case: 'offerSnapshot' });
  expect(await offer({})).toMatchObject({ case: 'offerSnapshot', value: { result: 1 } });

  const chunks = await source.open();
  for (let index = 0; index < snapshot.chunks; index++) {
    const { height, format } = snapshot;
    const loaded = await chunks.call({ case: 'loadSnapshotChunk', value: { height, format, chunk: index } });
    if (loaded.case !== 'loadSnapshotChunk') throw new Error(loaded.case);
    const apply = (chunk: Uint8Array) =>
      client.call({ case: 'applySnapshotChunk', value: { index, chunk, sender: 'peer' } });
    expect(await apply(utf8('something else'))).toMatchObject({
      value: { result: 3, refetchChunks: [index], rejectSenders: ['peer'] },
    });
    expect(await apply(loaded.value.chunk)).toMatchObject({ case: 'applySnapshotChunk', value: { result: 1 } });
  }
  expect(await info(restored)).toEqual({ height: snapshot.height, root: roots.get(snapshot.height) });

  const rest = await play(restored, snapshot.height);
  for (const [height, root] of rest.roots) expect(root, `root of height ${height}`).toBe(roots.get(height));
  expect(await info(restored)).toEqual(await info(source));
  // Whoever has a state takes no other one.
  expect(await offer({})).toMatchObject({ case: 'offerSnapshot', value: { result: 2 } });
  expect([...source.failures, ...restored.failures]).toEqual([]);
});

test('Commit answers which blocks may go: never those after a snapshot that is served', async () => {
  const keeping = await serve(KEEPING);
  const { retained } = await play(keeping, 0n);
  for (const [i, retain] of retained.entries()) {
    const height = BigInt(i + 1);
    const byCount = height <= 3n ? 0n : height - 2n;
    // Of the snapshots at multiples of 5 the newest two are served; the one of this very height is taken after the answer.
    const newest = height - 1n - ((height - 1n) % 5n);
    const oldest = newest >= 10n ? newest - 5n : newest;
    expect(retain, `at height ${height}`).toBe(oldest > 0n && oldest < byCount ? oldest : byCount);
  }
  expect(retained.at(-1)).toBeGreaterThan(0n);
  // Old states are gone, and said to be.
  expect(keeping.app.stateAt(2n)).toBeUndefined();
  const all = await serve(KEEP_ALL);
  expect(new Set((await play(all, 0n)).retained)).toEqual(new Set([0n]));
  expect(await snapshotsOf(all)).toEqual([]);
});

test('a chunk that is not there, or whose file cannot be read, is empty and no exception', async () => {
  const { client } = await serve(KEEP_ALL);
  for (const value of [{}, { height: 2n ** 63n, format: 2 ** 32 - 1, chunk: 2 ** 32 - 1 }])
    expect(await client.call({ case: 'loadSnapshotChunk', value })).toMatchObject({ value: { chunk: EMPTY } });
});
