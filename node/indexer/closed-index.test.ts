/** What is done to an index that no indexer has open. */
import { expect, test } from 'vitest';
import type { ExecTxResult } from '#core/abci.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { encodeBlock } from '#core/types/block.ts';
import { EMPTY_COMMIT } from '#core/types/commit.ts';
import { headerAt } from '#rpc/comet/fake-chain.test-util.ts';
import { encodeFinalizeResponse } from '../driver/abci-codec.ts';
import { createIndexer, type IndexSource, indexedHeightOf, reindex, rollbackIndex } from './indexer.ts';

const isInjection = () => false;

function result(sender: string): ExecTxResult {
  const attributes = [{ key: 'sender', value: sender, index: true }];
  const events = [{ type: 'transfer', attributes }];
  return { code: 0, data: EMPTY, log: '', info: '', gasWanted: 1n, gasUsed: 1n, events, codespace: '' };
}

/** Three transactions a block; `base`: lower blocks are gone. */
function sourceOf(latest: bigint, base = 1n, sender = 'alice'): IndexSource {
  const isKept = (height: bigint) => height >= base && height <= latest;
  const blockOf = (height: bigint) => ({
    header: headerAt(height),
    txs: [0, 1, 2].map((i) => utf8(`tx ${height} ${i}`)),
    evidence: [],
    lastCommit: EMPTY_COMMIT,
  });
  return {
    heights: () => ({ base, latest }),
    block: (height) => (isKept(height) ? blockOf(height) : undefined),
    encodedBlock: (height) => (isKept(height) ? encodeBlock(blockOf(height)) : undefined),
    results: (height) =>
      isKept(height)
        ? encodeFinalizeResponse({
            events: [{ type: 'mint', attributes: [{ key: 'height', value: String(height), index: true }] }],
            txResults: [0, 1, 2].map(() => result(sender)),
            validatorUpdates: [],
            consensusParamUpdates: undefined,
            appHash: EMPTY,
          })
        : undefined,
  };
}

async function indexed(latest: bigint): Promise<MemoryKv> {
  const kv = new MemoryKv();
  const indexer = createIndexer({ kv, source: sourceOf(latest), logger: silentLogger, isInjection });
  await indexer.catchUp();
  await indexer.close();
  return kv;
}

test('taken back, an index is what it was at that height, and made again what it was above', async () => {
  const [four, six] = [await indexed(4n), await indexed(6n)];
  const kv = await indexed(6n);
  await rollbackIndex({ kv, source: sourceOf(6n), isInjection }, 4n);
  expect(kv.dump()).toEqual(four.dump());
  expect(indexedHeightOf(kv)).toBe(4n);
  await rollbackIndex({ kv, source: sourceOf(6n), isInjection }, 9n);
  expect(kv.dump()).toEqual(four.dump());
  const indexer = createIndexer({ kv, source: sourceOf(6n), logger: silentLogger, isInjection });
  await indexer.catchUp();
  expect(kv.dump()).toEqual(six.dump());
});

test('interrupted after the mark, it is made again by a node, and taken back by whoever takes back again', async () => {
  const [kv, four, six] = [await indexed(6n), await indexed(4n), await indexed(6n)];
  const write = kv.write.bind(kv);
  let writes = 0;
  kv.write = async (ops) => {
    if (++writes > 1) throw new Error('killed');
    return write(ops);
  };
  await expect(rollbackIndex({ kv, source: sourceOf(6n), isInjection }, 4n)).rejects.toThrow('killed');
  kv.write = write;
  expect(kv.dump()).not.toEqual(four.dump());
  const again = new MemoryKv();
  await again.write(kv.dump().map(([key, value]) => ({ type: 'put', key, value })));
  await rollbackIndex({ kv: again, source: sourceOf(6n), isInjection }, 4n);
  expect(again.dump()).toEqual(four.dump());
  const indexer = createIndexer({ kv, source: sourceOf(6n), logger: silentLogger, isInjection });
  expect(indexer.indexedHeight()).toBe(4n);
  await indexer.catchUp();
  expect(kv.dump()).toEqual(six.dump());
});

test('a height that is written anew leaves a hash to the later attempt, unless its own succeeded', async () => {
  const tx = utf8('the same');
  const named = async (...codes: readonly number[]) => {
    const blockOf = (height: bigint) => ({
      header: headerAt(height),
      txs: [tx],
      evidence: [],
      lastCommit: EMPTY_COMMIT,
    });
    const source: IndexSource = {
      heights: () => ({ base: 1n, latest: BigInt(codes.length) }),
      block: blockOf,
      encodedBlock: (height) => encodeBlock(blockOf(height)),
      results: (height) =>
        encodeFinalizeResponse({
          events: [],
          txResults: [{ ...result('alice'), code: codes[Number(height) - 1] ?? 0 }],
          validatorUpdates: [],
          consensusParamUpdates: undefined,
          appHash: EMPTY,
        }),
    };
    const kv = new MemoryKv();
    const indexer = createIndexer({ kv, source, logger: silentLogger, isInjection });
    await indexer.catchUp();
    const before = kv.dump();
    for (const height of codes.keys()) {
      const range = { from: BigInt(height) + 1n, to: BigInt(height) + 1n };
      await reindex({ kv, source, isInjection }, range, () => {});
      expect(kv.dump()).toEqual(before);
    }
    return indexer.txByHash(sha256(tx))?.height;
  };
  expect(await named(5, 5)).toBe(2n);
  expect(await named(0, 5)).toBe(1n);
  expect(await named(5, 0, 5)).toBe(2n);
  expect(await named(0, 5, 0, 5)).toBe(3n);
});

test('a range is written anew without moving the height that is indexed, unless it goes on from there', async () => {
  const six = await indexed(6n);
  const kv = await indexed(6n);
  const lost = kv
    .dump()
    .filter(([, value]) => value.length > 1)
    .slice(1, 9);
  await kv.write(lost.map(([key]) => ({ type: 'del', key })));
  expect(kv.dump()).not.toEqual(six.dump());
  const told: bigint[] = [];
  const source = sourceOf(6n);
  expect(await reindex({ kv, source, isInjection }, { from: 1n, to: 6n }, (height) => told.push(height))).toBe(6);
  expect([kv.dump(), told]).toEqual([six.dump(), [1n, 2n, 3n, 4n, 5n, 6n]]);
  const partial = await indexed(3n);
  await reindex({ kv: partial, source, isInjection }, { from: 5n, to: 6n }, () => {});
  expect(indexedHeightOf(partial)).toBe(3n);
  await reindex({ kv: partial, source, isInjection }, { from: 3n, to: 6n }, () => {});
  expect([indexedHeightOf(partial), partial.dump()]).toEqual([6n, six.dump()]);
  const pruned = new MemoryKv();
  expect(await reindex({ kv: pruned, source: sourceOf(6n, 4n), isInjection }, { from: 2n, to: 6n }, () => {})).toBe(3);
  expect(indexedHeightOf(pruned)).toBe(6n);
  const indexer = createIndexer({ kv: pruned, source, logger: silentLogger, isInjection });
  expect(indexer.txByHash(sha256(utf8('tx 5 1')))?.height).toBe(5n);
});
