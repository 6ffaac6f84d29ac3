import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Event, ExecTxResult, FinalizeBlockResponse } from '#core/abci.ts';
import { EMPTY, toHexUpper, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { type Block, encodeBlock } from '#core/types/block.ts';
import { EMPTY_COMMIT } from '#core/types/commit.ts';
import { eventValues } from '#rpc/backend.ts';
import { headerAt } from '#rpc/comet/fake-chain.test-util.ts';
import { matchesQuery, parseQuery, type Query } from '#rpc/query.ts';
import { txResult } from '#test/arbitrary/result.ts';
import { encodeFinalizeResponse } from '../driver/abci-codec.ts';
import { type CommittedResults, createIndexer, type Indexer, type IndexSource } from './indexer.ts';
import {
  heightOfPosition,
  INDEX_PREFIXES,
  memberPlace,
  PLACE_BYTES,
  type Position,
  position,
  putPlace,
  readPlaces,
  SEGMENT,
} from './keys.ts';
import { INDEX_LIMITS } from './limits.ts';
import { createSearcher } from './search.ts';
import { resultReader, txReader } from './stored-txs.ts';

function event(type: string, attributes: Record<string, string>, index = true): Event {
  return { type, attributes: Object.entries(attributes).map(([key, value]) => ({ key, value, index })) };
}

function result(events: readonly Event[], code = 0): ExecTxResult {
  return { code, data: EMPTY, log: '', info: '', gasWanted: 1n, gasUsed: 1n, events, codespace: '' };
}

function committed(
  height: number,
  txs: readonly { readonly tx: Uint8Array; readonly result: ExecTxResult }[],
  events: readonly Event[] = [],
): CommittedResults {
  const block: Block = {
    header: headerAt(BigInt(height)),
    txs: txs.map(({ tx }) => tx),
    evidence: [],
    lastCommit: EMPTY_COMMIT,
  };
  const results: FinalizeBlockResponse = {
    events,
    txResults: txs.map((one) => one.result),
    validatorUpdates: [],
    consensusParamUpdates: undefined,
    appHash: EMPTY,
  };
  return { block, results };
}

function sourceOf(chain: readonly CommittedResults[], base = 1n): IndexSource {
  const at = (height: bigint) => (height < base ? undefined : chain[Number(height) - 1]);
  return {
    heights: () => ({ base, latest: BigInt(chain.length) }),
    block: (height) => at(height)?.block,
    encodedBlock(height) {
      const found = at(height);
      return found && encodeBlock(found.block);
    },
    results(height) {
      const found = at(height);
      return found && encodeFinalizeResponse(found.results);
    },
  };
}

function open(source: IndexSource, kv = new MemoryKv()) {
  const indexer = createIndexer({ kv, source, logger: silentLogger });
  return { kv, indexer, searcher: createSearcher({ kv, indexer }) };
}

function parsed(text: string): Query {
  const query = parseQuery(text);
  if (!query.ok) throw new Error(query.error);
  return query.value;
}

async function search(
  { searcher }: ReturnType<typeof open>,
  text: string,
  options: { order?: 'asc' | 'desc'; page?: number; perPage?: number; blocks?: boolean } = {},
) {
  const { order = 'asc', page = 1, perPage = 100, blocks = false } = options;
  const found = await searcher[blocks ? 'blocks' : 'txs']({ query: parsed(text), order, page, perPage });
  if (!found.ok) throw new Error(found.error.message);
  return found.value;
}

const send = (from: string, to: string) =>
  result([event('transfer', { sender: from, recipient: to }), event('message', { action: 'send' })]);

function sampleChain(): CommittedResults[] {
  return [
    committed(1, []),
    committed(
      2,
      [
        { tx: utf8('tx-a'), result: send('alice', 'bob') },
        { tx: utf8('tx-b'), result: send('carol', 'alice') },
      ],
      [event('mint', { amount: '7' })],
    ),
    committed(3, [{ tx: utf8('tx-c'), result: send('alice', 'carol') }], [event('mint', { amount: '12' })]),
  ];
}

test('finds transactions by hash, height and attributes', async () => {
  const chain = sampleChain();
  const index = open(sourceOf(chain));
  await index.indexer.catchUp();
  const hash = toHexUpper(sha256(utf8('tx-b')));
  expect(await search(index, `tx.hash='${hash}'`)).toEqual({ total: 1, positions: [position(2n, 1)] });
  expect(await search(index, `tx.hash='${hash.toLowerCase()}'`)).toEqual({ total: 1, positions: [position(2n, 1)] });
  expect(await search(index, `tx.hash='${hash}' AND tx.height=3`)).toEqual({ total: 0, positions: [] });
  expect(await search(index, `tx.hash='${hash}' AND transfer.sender='alice'`)).toEqual({ total: 0, positions: [] });
  expect(await search(index, "tx.hash='00'")).toEqual({ total: 0, positions: [] });
  expect((await search(index, 'tx.height=2')).positions).toEqual([position(2n, 0), position(2n, 1)]);
  expect((await search(index, 'tx.height>2')).positions).toEqual([position(3n, 0)]);
  expect((await search(index, 'tx.height < 2.5 AND tx.height >= 1.5')).total).toBe(2);
  expect((await search(index, "tx.height='3'")).total).toBe(1);
  expect((await search(index, "transfer.sender='alice'")).positions).toEqual([position(2n, 0), position(3n, 0)]);
  expect((await search(index, "transfer.sender='alice' AND tx.height>=3")).positions).toEqual([position(3n, 0)]);
  expect((await search(index, "transfer.sender='alice' AND transfer.recipient='alice'")).total).toBe(0);
  expect((await search(index, "transfer.recipient CONTAINS 'aro' AND message.action EXISTS")).total).toBe(1);
  expect((await search(index, "transfer.sender='nobody'")).total).toBe(0);
});

test('finds blocks by height and by the events of the block', async () => {
  const index = open(sourceOf(sampleChain()));
  await index.indexer.catchUp();
  expect((await search(index, 'block.height > 1', { blocks: true })).positions).toEqual([
    position(2n, 0),
    position(3n, 0),
  ]);
  expect((await search(index, 'mint.amount > 7', { blocks: true })).positions).toEqual([position(3n, 0)]);
  expect((await search(index, "transfer.sender='alice'", { blocks: true })).total).toBe(0);
});

test('pages agree with the total, in both orders', async () => {
  const chain = Array.from({ length: 7 }, (_, i) =>
    committed(
      i + 1,
      [0, 1, 2].map((n) => ({ tx: utf8(`tx-${i}-${n}`), result: send('a', 'b') })),
    ),
  );
  const index = open(sourceOf(chain));
  await index.indexer.catchUp();
  for (const order of ['asc', 'desc'] as const) {
    const seen: Position[] = [];
    for (let page = 1; ; page++) {
      const found = await search(index, "transfer.sender='a'", { order, page, perPage: 4 });
      expect(found.total).toBe(21);
      if (found.positions.length === 0) break;
      seen.push(...found.positions);
    }
    const inOrder = [...seen].sort((a, b) => (a < b ? -1 : 1));
    expect(seen).toEqual(order === 'asc' ? inOrder : inOrder.reverse());
    expect(new Set(seen).size).toBe(21);
  }
});

test('catches up after a restart, and with what a crash lost', async () => {
  const chain = sampleChain();
  const whole = open(sourceOf(chain));
  await whole.indexer.catchUp();
  const behind = open(sourceOf(chain.slice(0, 1)));
  await behind.indexer.catchUp();
  await behind.indexer.close();
  const reopened = open(sourceOf(chain), behind.kv);
  expect(reopened.indexer.indexedHeight()).toBe(1n);
  await reopened.indexer.catchUp();
  expect(reopened.kv.dump()).toEqual(whole.kv.dump());
});

test('indexes what commits tell it, in order, and fills the gaps from the source', async () => {
  const chain = sampleChain();
  const index = open(sourceOf(chain));
  // The first commit was missed.
  const told = chain.slice(1).map((one) => index.indexer.committed(one));
  await Promise.all(told);
  expect(index.indexer.indexedHeight()).toBe(3n);
  const whole = open(sourceOf(chain));
  await whole.indexer.catchUp();
  expect(index.kv.dump()).toEqual(whole.kv.dump());
});

test('a block that is stored but not executed yet waits for its commit', async () => {
  const chain = sampleChain();
  const whole = sourceOf(chain);
  // As a catch-up sees the store while the third block is being executed.
  const index = open({ ...whole, results: (height) => (height === 3n ? undefined : whole.results(height)) });
  await index.indexer.catchUp();
  expect(index.indexer.indexedHeight()).toBe(2n);
  await index.indexer.committed(chain[2] as CommittedResults);
  expect((await search(index, 'tx.height=3')).total).toBe(1);
});

test('after a failed write the same block is tried again', async () => {
  const chain = sampleChain();
  const index = open(sourceOf(chain));
  const write = index.kv.write.bind(index.kv);
  index.kv.write = async () => {
    throw new Error('the disk is full');
  };
  await expect(index.indexer.committed(chain[0] as CommittedResults)).rejects.toThrow('the disk is full');
  index.kv.write = write;
  await index.indexer.committed(chain[1] as CommittedResults);
  const undisturbed = open(sourceOf(chain.slice(0, 2)));
  await undisturbed.indexer.catchUp();
  expect(index.kv.dump()).toEqual(undisturbed.kv.dump());
});

test('starts at the oldest block that is kept', async () => {
  const index = open(sourceOf(sampleChain(), 3n));
  await index.indexer.catchUp();
  expect((await search(index, 'tx.height > 0')).positions).toEqual([position(3n, 0)]);
});

test('a hash goes on naming the transaction that succeeded', async () => {
  const tx = utf8('same');
  const hash = sha256(tx);
  const one = (height: number, ...codes: number[]) =>
    committed(
      height,
      codes.map((code) => ({ tx, result: result([], code) })),
    );
  const index = open(sourceOf([one(1, 5), one(2, 0, 5), one(3, 5)]));
  await index.indexer.catchUp();
  expect(index.indexer.txByHash(hash)).toMatchObject({ height: 2n, index: 0, result: { code: 0 } });
  expect(index.indexer.txByHash(sha256(utf8('other')))).toBeUndefined();
});

test('attributes that are not to be indexed are not found, but stand in the record', async () => {
  const hidden = event('secret', { key: 'x' }, false);
  const index = open(sourceOf([committed(1, [{ tx: utf8('t'), result: result([hidden]) }])]));
  await index.indexer.catchUp();
  expect((await search(index, "secret.key='x'")).total).toBe(0);
  const [record] = await index.indexer.txsAt([position(1n, 0)]);
  expect(record?.result.events).toEqual([hidden]);
});

test('a search reads in chunks, and no more than it may', async () => {
  const chain = sampleChain();
  const { kv, indexer } = open(sourceOf(chain));
  await indexer.catchUp();
  const limits = { maxScannedEntries: 3, scanChunkEntries: 1, maxConcurrentSearches: 2 };
  const searcher = createSearcher({ kv, indexer }, limits);
  const ask = (text: string) => searcher.txs({ query: parsed(text), order: 'asc', page: 1, perPage: 10 });
  expect(await ask('tx.height>0')).toMatchObject({ ok: true, value: { total: 3 } });
  const refused = await ask('message.action EXISTS AND transfer.sender EXISTS');
  expect(refused).toMatchObject({ ok: false, error: { kind: 'invalid' } });
  if (!refused.ok) expect(refused.error.message).toContain('more than 3 index entries');
  const many = await Promise.all([1, 2, 3].map(() => ask('tx.height>0')));
  expect(many.map(({ ok }) => ok)).toEqual([true, true, false]);
  expect((await ask('tx.height>0')).ok).toBe(true);
});

test('what the transactions of a large block share is an entry for each segment, and names each of them', async () => {
  const count = 2 * SEGMENT + 3;
  const txs = Array.from({ length: count }, (_, i) => ({ tx: utf8(`tx-${i}`), result: send(`sender ${i}`, 'shop') }));
  const index = open(sourceOf([committed(1, txs)]));
  await index.indexer.catchUp();
  for (const query of ["message.action='send'", "transfer.recipient='shop'", 'tx.height=1', 'transfer.sender EXISTS']) {
    const { total, positions } = await search(index, query, { perPage: count });
    expect(total).toBe(count);
    expect(positions).toEqual(Array.from({ length: count }, (_, i) => position(1n, i)));
  }
  for (const i of [0, SEGMENT - 1, SEGMENT, count - 1])
    expect((await search(index, `transfer.sender='sender ${i}'`)).positions).toEqual([position(1n, i)]);
  // Of each transaction its hash and its sender.
  expect(index.kv.size - 2 * count).toBeLessThan(20);
});

test('values of every length are found, as far as they are indexed, and no others', async () => {
  const lengths = [0, 1, 3, 4, 5, 126, 127, 128, 200, 254, 255, 256, 1_023, 1_024, 1_025, 16_383, 16_384];
  // Two of each length, which differ in their last byte.
  const all = lengths.flatMap((length) =>
    length === 0 ? [''] : ['a', 'b'].map((end) => 'v'.repeat(length - 1) + end),
  );
  const txs = all.map((value, i) => ({ tx: utf8(`tx ${i}`), result: result([event('t', { k: value })]) }));
  const index = open(sourceOf([committed(1, txs)]));
  await index.indexer.catchUp();
  // A query has at most 512 characters.
  for (const [i, value] of all.entries())
    if (value.length < 500) expect((await search(index, `t.k='${value}'`)).positions).toEqual([position(1n, i)]);
  const isIndexed = (value: string) => value.length <= INDEX_LIMITS.maxIndexedValueBytes;
  for (const end of ['a', 'b'])
    expect((await search(index, `t.k CONTAINS '${end}'`)).positions).toEqual(
      all.flatMap((value, i) => (isIndexed(value) && value.endsWith(end) ? [position(1n, i)] : [])),
    );
});

test('entries come in the order of their keys, where few bytes tell them apart', async () => {
  const order: string[] = [];
  const kv = new MemoryKv();
  const write = kv.write.bind(kv);
  kv.write = async (ops) => {
    order.push(...ops.map(({ key }) => toHexUpper(key)));
    return write(ops);
  };
  // Of one length, with a common beginning: as accounts are.
  const value = (i: number) => `auton1${String((i * 389) % 1_000).padStart(3, '0')}rest`;
  const txs = Array.from({ length: 1_000 }, (_, i) => ({
    tx: utf8(`tx ${i}`),
    result: result([event('transfer', { sender: value(i) })]),
  }));
  await open(sourceOf([committed(1, txs)]), kv).indexer.catchUp();
  const ofPrefix = (prefix: number) => order.filter((key) => key.startsWith(toHexUpper(Uint8Array.of(prefix))));
  for (const prefix of [INDEX_PREFIXES.txEvent, INDEX_PREFIXES.txByHash]) {
    expect(ofPrefix(prefix)).toHaveLength(1_000);
    expect(ofPrefix(prefix)).toEqual(ofPrefix(prefix).sort());
  }
});

test("the proposer's own transaction is not in the index, nor what it tells", async () => {
  const chain = [1, SEGMENT + 1].map((count, i) =>
    committed(
      i + 1,
      Array.from({ length: count }, (_, n) => ({ tx: utf8(`tx ${i} ${n}`), result: send('alice', 'bob') })),
    ),
  );
  const kv = new MemoryKv();
  const isInjection = () => true;
  const indexer = createIndexer({ kv, source: sourceOf(chain), logger: silentLogger, isInjection });
  await indexer.catchUp();
  const index = { kv, indexer, searcher: createSearcher({ kv, indexer }) };
  const others = Array.from({ length: SEGMENT }, (_, n) => position(2n, n + 1));
  for (const query of ["transfer.sender='alice'", 'tx.height > 0', 'message.action EXISTS'])
    expect((await search(index, query, { perPage: 3 * SEGMENT })).positions).toEqual(others);
  expect(indexer.txByHash(sha256(utf8('tx 0 0')))).toBeUndefined();
  expect(indexer.txByHash(sha256(utf8('tx 1 0')))).toBeUndefined();
  expect(indexer.txByHash(sha256(utf8('tx 1 1')))).toMatchObject({ index: 1 });
});

test('an account that pays is one entry, found by each of its names and by no other', async () => {
  const payer = result([
    event('coin_spent', { spender: 'alice' }),
    event('transfer', { sender: 'alice' }),
    event('tx', { fee_payer: 'alice' }),
    event('message', { sender: 'alice' }),
  ]);
  const payee = result([event('coin_received', { receiver: 'alice' }), event('transfer', { recipient: 'alice' })]);
  const speaker = result([event('message', { sender: 'alice' })]);
  const txs = [payer, payee, speaker].map((one, i) => ({ tx: utf8(`tx ${i}`), result: one }));
  const index = open(sourceOf([committed(1, txs)]));
  await index.indexer.catchUp();
  // The account as payer and as payee, and three hashes; the block, its transactions, the height.
  expect(index.kv.size).toBe(2 + 3 + 3);
  const found = async (text: string) => (await search(index, text)).positions.map((at) => Number(at & 0xffn));
  for (const name of ['coin_spent.spender', 'transfer.sender', 'tx.fee_payer'])
    for (const condition of ["='alice'", 'EXISTS', "CONTAINS 'lic'"])
      expect(await found(`${name} ${condition}`), name).toEqual([0]);
  expect(await found("message.sender='alice'")).toEqual([0, 2]);
  expect(await found("message.sender='alice' AND tx.fee_payer='alice'")).toEqual([0]);
  expect(await found("coin_received.receiver='alice'")).toEqual([1]);
  expect(await found('transfer.recipient EXISTS')).toEqual([1]);
  expect(await found("transfer.sender='alice' AND transfer.recipient='alice'")).toEqual([]);
});

test('places survive their encoding, by name', () => {
  const anyPlace = fc.tuple(fc.nat(SEGMENT - 1), fc.nat(3), fc.oneof(fc.nat(300), fc.nat(0xffffffff)));
  fc.assert(
    fc.property(fc.array(anyPlace), fc.nat(1_000_000), (all, segment) => {
      const memory = new Uint8Array(all.length * PLACE_BYTES);
      let end = 0;
      for (const [offset, member, number] of all) end = putPlace(memory, end, memberPlace(offset, member), number);
      const out = memory.subarray(0, end);
      for (let member = 0; member < 4; member++)
        expect(readPlaces(out, segment, member)).toEqual(
          all.filter((place) => place[1] === member).map(([offset, , number]) => [segment + offset, number]),
        );
    }),
  );
});

test('attributes whose hashes are the same are two', async () => {
  // Found by trying: values of the first name of a segment, they have the same hash.
  const [one, other] = ['1351075', '1371580'];
  const block = committed(1, [
    { tx: utf8('x'), result: result([event('a', { b: one })]) },
    { tx: utf8('y'), result: result([event('a', { b: other })]) },
  ]);
  const index = open(sourceOf([block]));
  await index.indexer.catchUp();
  expect((await search(index, `a.b='${one}'`)).positions).toEqual([position(1n, 0)]);
  expect((await search(index, `a.b='${other}'`)).positions).toEqual([position(1n, 1)]);
});

const values = fc.constantFrom('1', '2', '10', 'x', 'xy', '');

function eventsOf(types: fc.Arbitrary<string>, keys: fc.Arbitrary<string>): fc.Arbitrary<Event> {
  return fc
    .record({ type: types, attributes: fc.array(fc.tuple(keys, values, fc.boolean()), { maxLength: 3 }) })
    .map(({ type, attributes }) => ({
      type,
      attributes: attributes.map(([key, value, index]) => ({ key, value, index })),
    }));
}

function conditionsOf(types: fc.Arbitrary<string>, keys: fc.Arbitrary<string>): fc.Arbitrary<string> {
  return fc.oneof(
    fc.tuple(types, keys, values).map(([type, key, value]) => `${type}.${key}='${value}'`),
    fc
      .tuple(types, keys, fc.constantFrom('<', '<=', '>', '>=', '='), fc.nat(12))
      .map(([type, key, op, n]) => `${type}.${key}${op}${n}`),
    fc.tuple(types, keys).map(([type, key]) => `${type}.${key} EXISTS`),
    fc.tuple(types, keys).map(([type, key]) => `${type}.${key} CONTAINS 'x'`),
  );
}

const letters = fc.constantFrom('a', 'b', 'ab');
const anyEvent = eventsOf(letters, letters);

test.each([
  ['of any names', letters, letters],
  // Of these, some stand together in one entry.
  [
    'of accounts',
    fc.constantFrom('transfer', 'message', 'coin_spent'),
    fc.constantFrom('sender', 'recipient', 'spender'),
  ],
])('a search finds exactly what a walk over all transactions finds: attributes %s', async (_, types, keys) => {
  const anyTx = fc.tuple(fc.array(eventsOf(types, keys), { maxLength: 3 }), fc.boolean());
  const anyChain = fc.array(fc.array(anyTx, { maxLength: 3 }), { minLength: 1, maxLength: 5 });
  const anyConditions = fc.array(conditionsOf(types, keys), { minLength: 1, maxLength: 3 });
  await fc.assert(
    fc.asyncProperty(anyChain, anyConditions, async (blocks, conditions) => {
      const chain = blocks.map((txs, i) =>
        committed(
          i + 1,
          txs.map(([events, failed], n) => ({ tx: utf8(`${i}/${n}`), result: result(events, failed ? 1 : 0) })),
        ),
      );
      const index = open(sourceOf(chain));
      await index.indexer.catchUp();
      const text = conditions.join(' AND ');
      const expected = chain.flatMap(({ block, results }) =>
        results.txResults.flatMap((one, i) =>
          matchesQuery(parsed(text), eventValues(one.events, true)) ? [position(block.header.height, i)] : [],
        ),
      );
      expect((await search(index, text)).positions).toEqual(expected);
      const height = BigInt(chain.length);
      expect((await search(index, `${text} AND tx.height=${height}`)).positions).toEqual(
        expected.filter((at) => heightOfPosition(at) === height),
      );
    }),
  );
});

test('each result is found again among those of its block, whatever is asked first', () => {
  fc.assert(
    fc.property(
      fc.array(txResult, { maxLength: 4 }),
      fc.array(anyEvent),
      fc.array(fc.nat(5)),
      (txResults, events, asked) => {
        const { results } = committed(1, [], events);
        const resultAt = resultReader('results', encodeFinalizeResponse({ ...results, txResults }));
        for (const index of asked) expect(resultAt(index)).toEqual(txResults[index]);
      },
    ),
  );
});

test('a transaction is read out of a block as it is stored, whatever it is and whichever is asked for', () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array({ maxLength: 300 }), { maxLength: 5 }), fc.array(fc.nat(6)), (txs, asked) => {
      const txAt = txReader(encodeBlock({ header: headerAt(1n), txs, evidence: [], lastCommit: EMPTY_COMMIT }));
      for (const index of asked) expect(txAt(index)).toEqual(txs[index]);
    }),
  );
});

test('closing waits for the block at hand', async () => {
  const index: { indexer: Indexer; kv: MemoryKv } = open(sourceOf(sampleChain()));
  const running = index.indexer.catchUp();
  await index.indexer.close();
  await running;
  const before = index.kv.size;
  await index.indexer.catchUp();
  expect(index.kv.size).toBe(before);
});

test("a proposer's injection is in no answer, and the transactions behind it keep their places", async () => {
  const [injection, tx] = [utf8('INJ payload'), utf8('a transaction')];
  const done = result([event('tx', { a: 'b' })]);
  const chain = [
    committed(1, [
      { tx: injection, result: result([]) },
      { tx, result: done },
    ]),
  ];
  const indexer = createIndexer({
    kv: new MemoryKv(),
    source: sourceOf(chain),
    logger: silentLogger,
    isInjection: (bytes) => bytes === injection,
  });
  await indexer.catchUp();
  expect(indexer.txByHash(sha256(injection))).toBeUndefined();
  expect(indexer.txByHash(sha256(tx))).toMatchObject({ height: 1n, index: 1 });
});

test('a pruned index is the index of the blocks that are kept, whatever was pruned twice', async () => {
  const again = { tx: utf8('tx-a'), result: send('alice', 'dave') };
  const chain = [...sampleChain(), committed(4, [again], [event('mint', { amount: '7' })])];
  for (let keptFrom = 1; keptFrom <= 4; keptFrom++) {
    const whole = open(sourceOf(chain));
    await whole.indexer.catchUp();
    // A crash after the index and before the blocks: the same heights come again.
    await whole.indexer.prune(1n, BigInt(keptFrom));
    await whole.indexer.prune(1n, BigInt(keptFrom));
    const kept = open(sourceOf(chain, BigInt(keptFrom)));
    await kept.indexer.catchUp();
    expect(whole.kv.dump()).toEqual(kept.kv.dump());
  }
});
