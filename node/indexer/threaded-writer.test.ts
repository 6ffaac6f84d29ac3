import { readdirSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { toHex, utf8 } from '#core/bytes.ts';
import type { Kv } from '#core/ports/kv.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { encodeFinalizeResponse } from '../driver/abci-codec.ts';
import { openLevelKv } from '../storage/level-kv.ts';
import { createRangeReader } from '../storage/range-reader.ts';
import type { IndexedBlock } from './entries.ts';
import { createIndexer } from './indexer.ts';
import { INDEX_LIMITS } from './limits.ts';
import { type IndexThread, threadedWriter } from './threaded-writer.ts';
import { type IndexRequest, type IndexResponse, packBlock, unpackBlock } from './worker-protocol.ts';
import { directWriter, type IndexWriter, kvTarget, writeBlocks } from './writer.ts';

const folder = await mkdtemp(join(tmpdir(), 'autonomy-index-'));
const rangeReader = createRangeReader();
afterAll(async () => {
  await rangeReader.close();
  await rm(folder, { recursive: true });
});

function blockOf(height: bigint, count: number, log = ''): IndexedBlock {
  // Views into one piece of memory, as a block's transactions may be.
  const memory = utf8(Array.from({ length: count }, (_, i) => `${height}/${String(i).padStart(5, '0')}`).join(''));
  const size = `${height}/00000`.length;
  const attributes = [
    { key: 'sender', value: `s${height}`, index: true },
    { key: 'hidden', value: 'x', index: false },
    { key: 'long', value: 'y'.repeat(INDEX_LIMITS.maxIndexedValueBytes + 1), index: true },
  ];
  const results = encodeFinalizeResponse({
    events: [{ type: 'mint', attributes: [{ key: 'amount', value: '7', index: true }] }],
    txResults: Array.from({ length: count }, (_, i) => ({
      code: i % 3,
      data: new Uint8Array(0),
      log,
      info: '',
      gasWanted: 1n,
      gasUsed: 1n,
      events: [{ type: 'transfer', attributes }],
      codespace: '',
    })),
    validatorUpdates: [],
    consensusParamUpdates: undefined,
    appHash: new Uint8Array(32),
  });
  const txs = Array.from({ length: count }, (_, i) => memory.subarray(i * size, (i + 1) * size));
  return { height, txs, results, injected: false };
}

const dump = (kv: Kv) => [...kv.entries({})].map(([key, value]) => `${toHex(key)}=${toHex(value)}`);

const noSource = {
  heights: () => ({ base: 1n, latest: 9n }),
  block: () => undefined,
  encodedBlock: () => undefined,
  results: () => undefined,
};

test('a block of more transactions than a call takes arguments is handed over', () => {
  const tx = Uint8Array.of(1, 2);
  const block = { ...blockOf(3n, 0), txs: Array.from({ length: 150_000 }, () => tx) };
  const { txs } = unpackBlock(packBlock(block));
  expect(txs).toHaveLength(150_000);
  expect(txs.at(-1)).toEqual(tx);
});

test('another thread writes what this one would have, and the database closes after it', async () => {
  const path = join(folder, 'both');
  const kv = await openLevelKv({ path, cacheBytes: 1 << 20 }, { rangeReader });
  const expected = new MemoryKv();
  const writer = threadedWriter({ path, direct: directWriter(kv), logger: silentLogger });
  for (const blocks of [[blockOf(1n, 0)], [blockOf(2n, 100), blockOf(3n, 1)], [blockOf(4n, 2)], [blockOf(5n, 300)]]) {
    const last = (blocks.at(-1) as IndexedBlock).height;
    await writer.write(blocks, last);
    await writeBlocks(kvTarget(expected), blocks, last);
  }
  expect(dump(kv)).toEqual(dump(expected));
  await writer.close();
  await kv.close();
  const again = await openLevelKv({ path, cacheBytes: 1 << 20 }, { rangeReader });
  expect(createIndexer({ kv: again, source: noSource, logger: silentLogger }).indexedHeight()).toBe(5n);
  await again.close();
});

/** Field 19 of proc(5)'s stat: the name, which may hold spaces, ends with the last bracket. NaN: the thread has ended. */
const nicenessOf = (task: string): number => {
  let stat = '';
  try {
    stat = readFileSync(`/proc/self/task/${task}/stat`, 'utf8');
  } catch {}
  return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[16]);
};

test.runIf(process.platform === 'linux')('the thread gives way to the others, and they to nobody', async () => {
  const path = join(folder, 'niceness');
  const kv = await openLevelKv({ path, cacheBytes: 1 << 20 }, { rangeReader });
  const own = nicenessOf(String(process.pid));
  const lower = () => readdirSync('/proc/self/task').filter((task) => nicenessOf(task) > own).length;
  const before = lower();
  const writer = threadedWriter({ path, direct: directWriter(kv), logger: silentLogger });
  await writer.write([blockOf(1n, INDEX_LIMITS.minTxsForThread)], 1n);
  expect(lower()).toBe(before + 1);
  expect(nicenessOf(String(process.pid))).toBe(own);
  await writer.close();
  await kv.close();
});

test('a database that cannot be opened fails the call', async () => {
  const path = join(folder, 'absent');
  const writer = threadedWriter({ path, direct: directWriter(new MemoryKv()), logger: silentLogger });
  await expect(writer.write([blockOf(1n, 50)], 1n)).rejects.toThrow('the index cannot be written');
  await writer.close();
});

/** A thread that writes to `kv`, or dies when `dies` says so. */
function fakeThread(kv: MemoryKv, dies: () => boolean): IndexThread {
  const listeners: Record<string, (told: never) => void> = {};
  const tell = (event: string, told: unknown) => listeners[event]?.(told as never);
  return {
    on: (event: string, listener: (told: never) => void) => {
      listeners[event] = listener;
    },
    postMessage(request: IndexRequest) {
      const work = async () => {
        if (dies()) return tell('exit', 1);
        if (request.kind === 'write') await writeBlocks(kvTarget(kv), request.blocks.map(unpackBlock), request.height);
        tell('message', { kind: 'done' } satisfies IndexResponse);
      };
      void work();
    },
    ref() {},
    unref() {},
    terminate: async () => {},
  };
}

test('what a thread that dies has not written is written here; the next call starts another thread', async () => {
  const kv = new MemoryKv();
  let threads = 0;
  let dead = true;
  const spawn = () => {
    threads++;
    return fakeThread(kv, () => dead);
  };
  const here: bigint[] = [];
  const direct = directWriter(kv);
  const counting: IndexWriter = {
    ...direct,
    write(blocks, height) {
      here.push(height);
      return direct.write(blocks, height);
    },
  };
  const writer = threadedWriter({ path: 'nowhere', direct: counting, logger: silentLogger, spawn });
  await writer.write([blockOf(1n, 50)], 1n);
  dead = false;
  await writer.write([blockOf(2n, 50)], 2n);
  expect({ threads, here }).toEqual({ threads: 2, here: [1n] });
  const expected = new MemoryKv();
  for (const height of [1n, 2n]) await writeBlocks(kvTarget(expected), [blockOf(height, 50)], height);
  expect(kv.dump()).toEqual(expected.dump());
  await writer.close();
});

test('one transaction that tells much is handed over as many are', async () => {
  const kv = new MemoryKv();
  let threads = 0;
  const spawn = () => {
    threads++;
    return fakeThread(kv, () => false);
  };
  const none: IndexWriter = { write: () => Promise.reject(new Error('written here')), close: async () => {} };
  const writer = threadedWriter({ path: 'nowhere', direct: none, logger: silentLogger, spawn });
  const small = blockOf(1n, 1);
  await expect(writer.write([small], 1n)).rejects.toThrow('written here');
  await writer.write([blockOf(1n, 1, 'x'.repeat(INDEX_LIMITS.minResultBytesForThread))], 1n);
  expect(threads).toBe(1);
  const expected = new MemoryKv();
  await writeBlocks(kvTarget(expected), [small], 1n);
  expect(kv.dump()).toEqual(expected.dump());
  await writer.close();
});

test('a large block comes in several batches, its height in the last; half of it and then all of it is all of it', async () => {
  const block = blockOf(1n, INDEX_LIMITS.maxEntriesPerBatch);
  const whole = new MemoryKv();
  const batches: number[] = [];
  const counting = {
    get: (key: Uint8Array) => whole.get(key),
    write: async (ops: Parameters<Kv['write']>[0]) => {
      batches.push(ops.length);
      await whole.write(ops);
    },
  };
  await writeBlocks(kvTarget(counting), [block], 1n);
  expect(batches.length).toBeGreaterThan(1);
  expect(Math.max(...batches)).toBeLessThanOrEqual(INDEX_LIMITS.maxEntriesPerBatch + 1);
  const torn = new MemoryKv();
  let left = 1;
  const tearing = {
    get: (key: Uint8Array) => torn.get(key),
    write: async (ops: Parameters<Kv['write']>[0]) => {
      if (left-- === 0) throw new Error('killed');
      await torn.write(ops);
    },
  };
  await expect(writeBlocks(kvTarget(tearing), [block], 1n)).rejects.toThrow('killed');
  expect(createIndexer({ kv: torn, source: noSource, logger: silentLogger }).indexedHeight()).toBe(0n);
  await writeBlocks(kvTarget(torn), [block], 1n);
  expect(torn.dump()).toEqual(whole.dump());
});

test('what is packed takes along its own bytes alone', () => {
  const block = blockOf(7n, 3);
  const packed = packBlock(block);
  expect(packed.bytes.buffer.byteLength).toBe(packed.bytes.length);
  expect(unpackBlock(packed).txs.map(toHex)).toEqual(block.txs.map(toHex));
  expect(toHex(unpackBlock(packed).results)).toBe(toHex(block.results));
});
