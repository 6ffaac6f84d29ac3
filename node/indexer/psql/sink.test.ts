import { Worker } from 'node:worker_threads';
import { expect, test, vi } from 'vitest';
import { EMPTY, utf8 } from '#core/bytes.ts';
import type { Logger } from '#core/ports/logger.ts';
import { encodeBlock } from '#core/types/block.ts';
import { EMPTY_COMMIT } from '#core/types/commit.ts';
import { headerAt } from '#rpc/comet/fake-chain.test-util.ts';
import { postgresFolder, sharedPostgres, type TestDatabase } from '#test/support/postgres.ts';
import { encodeFinalizeResponse } from '../../driver/abci-codec.ts';
import type { IndexSource } from '../indexer.ts';
import { type PsqlSink, startPsqlSink } from './sink.ts';

const programs = postgresFolder();
const { server, emptyDatabase } = sharedPostgres(programs);
const POLL = { timeout: 30_000, interval: 50 };

const result = { code: 0, data: EMPTY, log: '', info: '', gasWanted: 1n, gasUsed: 1n, events: [], codespace: '' };

/** A chain that grows; its blocks have two transactions, the first of which is the proposer's own. */
class GrowingChain implements IndexSource {
  base = 1n;
  latest = 0n;
  /** Of which the results are still to come, or gone. */
  withoutResults = new Set<bigint>();

  heights() {
    return { base: this.base, latest: this.latest };
  }
  block(height: bigint) {
    if (height < this.base || height > this.latest) return undefined;
    const txs = [utf8('own'), utf8(`tx ${height}`)];
    return { header: headerAt(height), txs, evidence: [], lastCommit: EMPTY_COMMIT };
  }
  encodedBlock(height: bigint) {
    const block = this.block(height);
    return block && encodeBlock(block);
  }
  results(height: bigint) {
    if (this.block(height) === undefined || this.withoutResults.has(height)) return undefined;
    return encodeFinalizeResponse({
      events: [],
      txResults: [result, result],
      validatorUpdates: [],
      consensusParamUpdates: undefined,
      appHash: EMPTY,
    });
  }
}

function listening(): { readonly logger: Logger; readonly said: string[] } {
  const said: string[] = [];
  const hear = (message: string, fields?: Readonly<Record<string, unknown>>): void => {
    said.push(fields === undefined ? message : `${message} ${Object.values(fields).join(' ')}`);
  };
  const logger: Logger = { debug: hear, info: hear, warn: hear, error: hear, child: () => logger };
  return { logger, said };
}

const following = (url: string, source: IndexSource, logger: Logger): PsqlSink =>
  startPsqlSink({ url, chainId: 'one' }, { source, isInjection: (tx) => tx.length === 3 }, logger);

async function heights(database: TestDatabase): Promise<number[]> {
  const rows = await database.query<{ height: number }>('SELECT height::int AS height FROM blocks ORDER BY height');
  return rows.map(({ height }) => height);
}

const upTo = (last: number, first = 1): number[] => Array.from({ length: last - first + 1 }, (_, i) => first + i);

test.skipIf(programs === undefined)(
  'it follows the chain through the death of the database, and after its own',
  async () => {
    const postgres = server();
    const database = await emptyDatabase();
    const chain = new GrowingChain();
    const { logger, said } = listening();
    const sink = following(database.url, chain, logger);
    const grow = (blocks: bigint): void => {
      for (let i = 0n; i < blocks; i++) {
        chain.latest++;
        sink.committed();
      }
    };
    grow(3n);
    await expect.poll(() => heights(database).catch(() => []), POLL).toEqual(upTo(3));
    await postgres.kill();
    grow(4n);
    await expect.poll(() => said.filter((line) => line.startsWith('PostgreSQL cannot')), POLL).not.toEqual([]);
    grow(2n);
    await postgres.start();
    await expect.poll(() => heights(database), POLL).toEqual(upTo(9));
    grow(1n);
    await expect.poll(() => heights(database), POLL).toEqual(upTo(10));
    await sink.close();

    chain.latest += 5n;
    const next = following(database.url, chain, logger);
    await expect.poll(() => heights(database), POLL).toEqual(upTo(15));
    await next.close();
    expect(await database.query('SELECT DISTINCT index FROM tx_results')).toEqual([{ index: 1 }]);
  },
);

test.skipIf(programs === undefined)('a height is passed over only when it is not kept, and that is said', async () => {
  const database = await emptyDatabase();
  const chain = new GrowingChain();
  const { logger, said } = listening();
  const sink = following(database.url, chain, logger);
  chain.latest = 4n;
  // As of the newest block, which is stored before it is executed.
  chain.withoutResults.add(4n);
  sink.committed();
  await expect.poll(() => heights(database).catch(() => []), POLL).toEqual(upTo(3));
  chain.withoutResults.clear();
  sink.committed();
  await expect.poll(() => heights(database), POLL).toEqual(upTo(4));
  await sink.close();

  [chain.base, chain.latest] = [8n, 12n];
  chain.withoutResults.add(10n);
  const next = following(database.url, chain, logger);
  await expect.poll(() => heights(database), POLL).toEqual([1, 2, 3, 4, 8, 9, 11, 12]);
  await next.close();
  expect(said.filter((line) => line.includes('not kept'))).toEqual([
    'Blocks are not kept and stay out of PostgreSQL. 5 7',
    'The results of a block are not kept: it stays out of PostgreSQL. 10',
  ]);
});

test.skipIf(programs === undefined)(
  'what another node has written above is no reason to leave out heights',
  async () => {
    const database = await emptyDatabase();
    const chain = new GrowingChain();
    const sink = following(database.url, chain, listening().logger);
    chain.latest = 3n;
    sink.committed();
    await expect.poll(() => heights(database).catch(() => []), POLL).toEqual(upTo(3));
    await database.query("INSERT INTO blocks (height, chain_id, created_at) VALUES (9, 'one', now())");
    const ended = await database.query(
      "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'autond one' AND datname = current_database()",
    );
    expect(ended).toHaveLength(1);
    chain.latest = 10n;
    sink.committed();
    await expect.poll(() => heights(database), POLL).toEqual(upTo(10));
    await sink.close();
  },
);

test('where nobody listens it tries again, says so once, and is closed at once', async () => {
  const { logger, said } = listening();
  const chain = new GrowingChain();
  chain.latest = 2n;
  // Nobody may listen at this port without being asked to: it is the one of discard.
  const sink = following('postgres://nobody@127.0.0.1:9/nothing', chain, logger);
  await expect.poll(() => said, POLL).toHaveLength(1);
  expect(said[0]).toMatch(/^PostgreSQL cannot be written; it is tried again\. .*ECONNREFUSED/);
  for (let i = 0; i < 1_000; i++) sink.committed();
  await sink.close();
  expect(said).toHaveLength(1);
});

test('a thread that does not end, as one that looks up a name, keeps nobody from closing', async () => {
  const { logger, said } = listening();
  const chain = new GrowingChain();
  const sink = following('postgres://nobody@127.0.0.1:9/nothing', chain, logger);
  await expect.poll(() => said, POLL).toHaveLength(1);
  const terminate = vi.spyOn(Worker.prototype, 'terminate').mockReturnValueOnce(new Promise(() => undefined));
  await sink.close();
  const [thread] = terminate.mock.contexts;
  terminate.mockRestore();
  expect(thread).toBeInstanceOf(Worker);
  await (thread as Worker).terminate();
});
