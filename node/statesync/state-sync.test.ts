/** Snapshots taken, served and restored between applications in memory, with peers that lie, stall and leave. */
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { ApplySnapshotChunkResponse, Snapshot } from '#core/abci.ts';
import { EMPTY, equal, utf8 } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { ok } from '#core/result.ts';
import { storeKey } from '../driver/store-records.ts';
import { NODE_LIMITS } from '../limits.ts';
import { openSnapshotFiles } from './archive.ts';
import { ChunkFetch } from './chunks.ts';
import { decodeSnapshotMessage, encodeSnapshotMessage } from './messages.ts';
import { createSnapshotService } from './service.ts';
import { missingSetting } from './source.ts';
import { discardUnfinishedSync } from './start.ts';

const snapshotAt = (height: bigint, chunks = 3): Snapshot => ({
  height,
  format: 1,
  chunks,
  hash: new Uint8Array(32).fill(Number(height)),
  metadata: new Uint8Array(32 * chunks),
});

function temporary(): string {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-snapshots-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  return folder;
}

async function filled(folder: string, heights: readonly bigint[]) {
  const files = await openSnapshotFiles(folder, { logger: silentLogger });
  for (const height of heights)
    await files.add(height, async (sink) => {
      for (let i = 0; i < 3; i++) await sink(i, utf8(`chunk ${i} of ${height}`));
      return ok(snapshotAt(height));
    });
  return files;
}

test('the archive: newest first, the oldest go, what a crash left unfinished is not offered', async () => {
  const folder = temporary();
  const files = await filled(folder, [10n, 30n, 20n]);
  expect((await files.list()).map(({ height }) => height)).toEqual([30n, 20n, 10n]);
  await files.keepNewest(2);
  expect(files.oldest()).toBe(20n);
  expect(await files.chunk(10n, 1, 0)).toBeUndefined();
  await expect(
    files.add(40n, async (sink) => {
      await sink(0, utf8('half'));
      throw new Error('disk full');
    }),
  ).rejects.toThrow('disk full');
  mkdirSync(join(folder, '50.unfinished'));
  mkdirSync(join(folder, 'notes'));
  const again = await openSnapshotFiles(folder, { logger: silentLogger });
  expect(await again.list()).toEqual([snapshotAt(30n), snapshotAt(20n)]);
  expect(await again.chunk(30n, 1, 2)).toEqual(utf8('chunk 2 of 30'));
  for (const [height, format, index] of [
    [30n, 1, 3],
    [30n, 2, 0],
    [31n, 1, 0],
  ] as const)
    expect(await again.chunk(height, format, index)).toBeUndefined();
});

test('the service answers requests, a bounded number of one peer at once, and refuses what cannot be read', async () => {
  const sent: [string, Uint8Array][] = [];
  let release = () => {};
  const gate = new Promise<void>((resolve) => {
    release = resolve;
  });
  const files = await filled(temporary(), [10n]);
  const service = createSnapshotService(
    { interval: 10n, keepRecent: 1 },
    {
      app: {
        listSnapshots: () => files.list(),
        loadSnapshotChunk: async ({ height, format, chunk }) => {
          await gate;
          return (await files.chunk(height, format, chunk)) ?? EMPTY;
        },
        exportSnapshot: async (height, sink) => {
          for (let i = 0; i < 3; i++) await sink(i, utf8(`chunk ${i} of ${height}`));
          return ok(snapshotAt(height));
        },
      },
      files,
      send: (peer, bytes) => sent.push([peer, bytes]),
      pause: async () => {},
      logger: silentLogger,
    },
  );
  const request = encodeSnapshotMessage({ kind: 'chunk-request', height: 10n, format: 1, index: 1 });
  for (let i = 0; i < 20; i++) expect(service.receive('greedy', request)).toEqual({ kind: 'ignore' });
  service.receive('modest', request);
  release();
  await expect.poll(() => sent.filter(([peer]) => peer === 'modest').length).toBe(1);
  expect(sent.filter(([peer]) => peer === 'greedy')).toHaveLength(NODE_LIMITS.snapshotRequestsPerPeer);
  expect(decodeSnapshotMessage(sent[0]?.[1] ?? EMPTY)).toMatchObject({ value: { chunk: utf8('chunk 1 of 10') } });
  // Unsolicited answers are nobody's fault, and change nothing.
  const answer = encodeSnapshotMessage({ kind: 'snapshots-response', snapshots: [snapshotAt(99n)] });
  expect(service.receive('eager', answer)).toEqual({ kind: 'ignore' });
  expect(service.receive('garbled', Uint8Array.of(66, 1, 8))).toMatchObject({ kind: 'reject' });

  service.committed(15n);
  service.committed(20n);
  await service.settled();
  expect((await files.list()).map(({ height }) => height)).toEqual([20n]);
});

interface Peer {
  readonly name: string;
  /** Answers a request for chunk `index`; undefined: never. */
  readonly answer: (index: number) => { readonly chunk: Uint8Array | undefined } | undefined;
}

const right = (index: number) => Uint8Array.of(index, 7);
const honest = (name: string): Peer => ({ name, answer: (index) => ({ chunk: right(index) }) });

/** Restores a snapshot of `chunks` chunks from peers over a link that delivers at once; time passes when nothing does. */
async function fetchFrom(peers: readonly Peer[], chunks: number) {
  const asked: [string, number][] = [];
  const applied: number[] = [];
  const gone = new Set<string>();
  let now = 0;
  let next = 0;
  const delivered: (() => void)[] = [];
  const apply = async ({ index, chunk, sender }: { index: number; chunk: Uint8Array; sender: string }) => {
    const nothing = { refetchChunks: [], rejectSenders: [], reason: '', done: false };
    if (index !== next || !equal(chunk, right(index)))
      return {
        result: 'retry',
        ...nothing,
        refetchChunks: [next],
        rejectSenders: [sender],
      } as ApplySnapshotChunkResponse;
    applied.push(index);
    next++;
    return { result: 'accept', ...nothing, done: next === chunks } as ApplySnapshotChunkResponse;
  };
  const snapshot = snapshotAt(9n, chunks);
  const fetch: ChunkFetch = new ChunkFetch(snapshot, {
    holders: () => peers.map(({ name }) => name).filter((name) => !gone.has(name)),
    send(name, bytes) {
      const message = decodeSnapshotMessage(bytes);
      if (!message.ok || message.value.kind !== 'chunk-request') throw new Error('a chunk request');
      const { index } = message.value;
      asked.push([name, index]);
      const answer = peers.find((peer) => peer.name === name)?.answer(index);
      if (answer !== undefined)
        delivered.push(
          () => void fetch.receive(name, { kind: 'chunk-response', height: 9n, format: 1, index, ...answer }),
        );
    },
    apply,
    async changed() {
      const deliver = delivered.shift();
      if (deliver === undefined) now += NODE_LIMITS.chunkTimeoutMs;
      else deliver();
    },
    nowMs: () => now,
  });
  return { result: await fetch.run(), asked, applied, fetch };
}

test('chunks come from several peers and are applied in order', async () => {
  const { result, asked, applied } = await fetchFrom([honest('a'), honest('b'), honest('c')], 20);
  expect(result).toEqual({ ok: true, value: true });
  expect(applied).toEqual(Array.from({ length: 20 }, (_, i) => i));
  for (const name of ['a', 'b', 'c']) expect(asked.filter(([peer]) => peer === name).length).toBeGreaterThan(3);
});

test('Limit: snapshot chunks that lie: a peer that lies, one that stalls and one without chunks cost time, not the snapshot', async () => {
  const liar: Peer = { name: 'liar', answer: () => ({ chunk: utf8('lie') }) };
  const stalling: Peer = { name: 'stalling', answer: () => undefined };
  const empty: Peer = { name: 'empty', answer: () => ({ chunk: undefined }) };
  const { result, asked } = await fetchFrom([liar, stalling, empty, honest('a')], 30);
  expect(result).toEqual({ ok: true, value: true });
  // A lie is told once: every chunk that was asked of the liar before it came to light.
  expect(asked.filter(([peer]) => peer === 'liar').length).toBeLessThanOrEqual(NODE_LIMITS.chunkRequestsPerPeer + 1);
  expect(asked.filter(([peer]) => peer === 'empty').length).toBeLessThanOrEqual(NODE_LIMITS.chunkRequestsPerPeer);
});

test('Limit: snapshot chunks that lie: when all lie, or nobody ever answers, it ends with a sentence', async () => {
  const lies = await fetchFrom([{ name: 'liar', answer: () => ({ chunk: utf8('lie') }) }], 5);
  expect(lies.result).toEqual({ ok: false, error: 'no peer is left that has its chunks' });
  const silence = await fetchFrom([{ name: 'stalling', answer: () => undefined }], 5);
  expect(silence.result).toMatchObject({ error: expect.stringContaining('failed to come') });
});

test('Adversarial 17: a snapshot that claims the most chunks costs a few requests, and what nobody asked for is not kept', async () => {
  const { asked, fetch } = await fetchFrom([{ name: 'a', answer: () => ({ chunk: undefined }) }], 65_536);
  expect(asked.length).toBeLessThanOrEqual(NODE_LIMITS.chunkRequests);
  const unasked = { kind: 'chunk-response', height: 9n, format: 1, index: 60_000, chunk: right(1) } as const;
  expect(fetch.receive('a', unasked)).toBe(false);
});

test('an interrupted state sync leaves nothing behind at the next start', async () => {
  const [chain, application] = [new MemoryKv(), new MemoryKv()];
  const put = (key: Uint8Array) => [{ type: 'put', key, value: utf8('x') }] as const;
  await chain.write(put(utf8('block')));
  await application.write(put(utf8('half a state')));
  expect(await discardUnfinishedSync(chain, [application])).toBe(false);
  expect(chain.size + application.size).toBe(2);
  await chain.write(put(storeKey('stateSync')));
  expect(await discardUnfinishedSync(chain, [application])).toBe(true);
  expect(chain.size + application.size).toBe(0);
});

test('the pre-flight check names the setting that is missing', () => {
  const complete = {
    chainId: 'c',
    initialHeight: snapshotAt(1n).height as never,
    rpcServers: ['http://a:1', 'http://b:1'],
    trustHeight: 5n,
    trustHash: 'ab'.repeat(32),
    trustPeriodMs: 1,
  };
  expect(missingSetting(complete)).toBeUndefined();
  expect(missingSetting({ ...complete, rpcServers: ['http://a:1', 'http://a:1/'] })).toContain('two different nodes');
  expect(missingSetting({ ...complete, trustHeight: 0n })).toContain('statesync.trust_height');
  expect(missingSetting({ ...complete, trustHash: '' })).toContain('statesync.trust_hash');
});
