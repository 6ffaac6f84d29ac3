import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { encodeBlock } from '#core/types/block.ts';
import { toHeight } from '#core/types/brand.ts';
import { EMPTY_COMMIT } from '#core/types/commit.ts';
import type { CommittedBlock, SearchRequest } from '#rpc/backend.ts';
import { headerAt } from '#rpc/comet/fake-chain.test-util.ts';
import { parseQuery } from '#rpc/query.ts';
import { encodeFinalizeResponse } from '../driver/abci-codec.ts';
import { createIndexer } from '../indexer/indexer.ts';
import { createSearcher } from '../indexer/search.ts';
import { openLevelKv } from '../storage/level-kv.ts';
import { createRangeReader } from '../storage/range-reader.ts';
import { startSoloChain } from './solo-chain.test-util.ts';

const folder = mkdtempSync(join(tmpdir(), 'autonomy-backend-'));
const rangeReader = createRangeReader();
afterAll(async () => {
  await rangeReader.close();
  rmSync(folder, { recursive: true });
});

function request(text: string, page = 1, perPage = 10): SearchRequest {
  const query = parseQuery(text);
  if (!query.ok) throw new Error(query.error);
  return { query: query.value, order: 'asc', page, perPage };
}

test('before the first block: nothing is there, and everything says so', async () => {
  const { backend } = await startSoloChain({ chainId: 'empty-1', appState: {} });
  expect(backend.heights()).toEqual({ base: 0n, latest: 0n });
  expect(backend.status()).toMatchObject({ latest: undefined, earliest: undefined, catchingUp: false });
  expect(backend.block(toHeight(1))).toEqual({
    ok: false,
    error: { kind: 'not-found', message: 'could not find block for height #1' },
  });
  expect(backend.consensusState()).toMatchObject({ ok: false, error: { kind: 'unavailable' } });
  expect(await backend.searchTxs(request('tx.height > 0'))).toEqual({ ok: true, value: { total: 0, items: [] } });
});

test('without an index: blocks are answered, searches and transactions are refused by name', async () => {
  const chain = await startSoloChain({ chainId: 'noindex-1', appState: {}, index: false });
  await chain.produce();
  expect(chain.backend.status().node.txIndex).toBe(false);
  expect(chain.backend.block(toHeight(1)).ok).toBe(true);
  const refused = { ok: false, error: { kind: 'unavailable', message: 'transaction indexing is disabled' } };
  expect(await chain.backend.tx(new Uint8Array(32))).toEqual(refused);
  expect(await chain.backend.searchTxs(request('tx.height > 0'))).toEqual(refused);
  expect(await chain.backend.searchBlocks(request('block.height > 0'))).toEqual(refused);
});

test('each commit is told in order, after it is indexed; a listener that fails harms nobody', async () => {
  const chain = await startSoloChain({ chainId: 'told-1', appState: {} });
  const told: CommittedBlock[] = [];
  const indexedThen: boolean[] = [];
  chain.backend.onCommitted(() => {
    throw new Error('a listener that fails');
  });
  const stop = chain.backend.onCommitted((committed) => {
    told.push(committed);
    indexedThen.push(chain.backend.block(committed.block.header.height).ok);
  });
  await chain.produce();
  await chain.produce();
  stop();
  await chain.produce();
  expect(told.map(({ block }) => block.header.height)).toEqual([1n, 2n]);
  expect(indexedThen).toEqual([true, true]);
  expect(chain.backend.heights().latest).toBe(3n);
  for (const { block, results } of told)
    expect(chain.backend.results(block.header.height)).toEqual({ ok: true, value: results });
});

test('a refused transaction is answered with its code, one that was not checked likewise', async () => {
  const chain = await startSoloChain({ chainId: 'refused-1', appState: {} });
  await chain.produce();
  const garbage = await chain.backend.broadcastTx(utf8('not a transaction'));
  expect(garbage).toMatchObject({ ok: true, value: { codespace: 'sdk', code: 2 } });
  const large = await chain.backend.broadcastTx(new Uint8Array(200_000));
  expect(large).toMatchObject({ ok: true, value: { codespace: 'sdk', code: 21 } });
  expect(chain.backend.mempool(10)).toEqual({ count: 0, bytes: 0, txs: [] });
  expect(await chain.backend.checkTx(utf8('not a transaction'))).toMatchObject({ ok: true, value: { code: 2 } });
});

test('the last commit is the one this node saw, the others those of the chain', async () => {
  const chain = await startSoloChain({ chainId: 'commits-1', appState: {} });
  for (let i = 0; i < 3; i++) await chain.produce();
  const [second, third] = [chain.backend.signedHeader(toHeight(2)), chain.backend.signedHeader(toHeight(3))];
  expect(second).toMatchObject({ ok: true, value: { canonical: true } });
  expect(third).toMatchObject({ ok: true, value: { canonical: false } });
  expect(chain.backend.validators(toHeight(4))).toMatchObject({ ok: true, value: { totalPower: 10n } });
});

test('the index on LevelDB finds many large entries, and after reopening', async () => {
  const total = 3_000;
  const hash = (i: number) => sha256(utf8(`tx ${i}`));
  const event = { type: 'note', attributes: [{ key: 'text', value: 'x'.repeat(200), index: true }] };
  const result = {
    code: 0,
    data: EMPTY,
    log: '',
    info: '',
    gasWanted: 0n,
    gasUsed: 0n,
    codespace: '',
    events: [event],
  };
  const committed = {
    block: {
      header: headerAt(1n),
      txs: Array.from({ length: total }, (_, i) => utf8(`tx ${i}`)),
      evidence: [],
      lastCommit: EMPTY_COMMIT,
    },
    results: {
      events: [],
      txResults: Array.from({ length: total }, () => result),
      validatorUpdates: [],
      appHash: new Uint8Array(32),
    },
  } as unknown as CommittedBlock;
  const source = {
    heights: () => ({ base: 1n, latest: 1n }),
    block: () => committed.block,
    encodedBlock: () => encodeBlock(committed.block),
    results: () => encodeFinalizeResponse(committed.results),
  };
  const open = async () => {
    const kv = await openLevelKv({ path: join(folder, 'index'), cacheBytes: 1 << 20 }, { rangeReader });
    const indexer = createIndexer({ kv, source, logger: silentLogger });
    return { kv, indexer, searcher: createSearcher({ kv, indexer }) };
  };
  const first = await open();
  await first.indexer.committed(committed);
  await first.kv.close();
  const { kv, indexer, searcher } = await open();
  expect(indexer.indexedHeight()).toBe(1n);
  for (const text of ["note.text CONTAINS 'xx'", `note.text='${'x'.repeat(200)}'`, 'tx.height=1']) {
    const found = await searcher.txs(request(text, 300, 10));
    expect(found, text).toMatchObject({ ok: true, value: { total } });
    if (found.ok) expect(found.value.positions).toHaveLength(10);
  }
  expect(indexer.txByHash(hash(2_999))).toMatchObject({ height: 1n, index: 2_999 });
  await kv.close();
});
