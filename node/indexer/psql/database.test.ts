import { Client } from 'pg';
import { expect, test } from 'vitest';
import type { ExecTxResult } from '#core/abci.ts';
import { EMPTY, toHexUpper, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { encodeBlock } from '#core/types/block.ts';
import { EMPTY_COMMIT } from '#core/types/commit.ts';
import { headerAt } from '#rpc/comet/fake-chain.test-util.ts';
import { postgresFolder, sharedPostgres } from '#test/support/postgres.ts';
import { encodeFinalizeResponse } from '../../driver/abci-codec.ts';
import { databaseMessage, openSinkDatabase, type SinkDatabase } from './database.ts';
import type { SinkBlock } from './rows.ts';

const programs = postgresFolder();
const { emptyDatabase } = sharedPostgres(programs);

/** @param payments of each transaction */
function blockAt(height: bigint, payments: readonly number[]): SinkBlock {
  const txResults = payments.map(
    (count, tx): ExecTxResult => ({
      code: 0,
      data: EMPTY,
      log: '',
      info: '',
      gasWanted: 1n,
      gasUsed: 1n,
      codespace: '',
      events: Array.from({ length: count }, (_, i) => ({
        type: 'transfer',
        attributes: [
          { key: 'sender', value: `'"\\{${tx}},`, index: true },
          { key: 'amount', value: String(i), index: true },
        ],
      })),
    }),
  );
  const txs = payments.map((_, i) => utf8(`tx ${height} ${i}`));
  return {
    height,
    block: encodeBlock({ header: headerAt(height), txs, evidence: [], lastCommit: EMPTY_COMMIT }),
    results: encodeFinalizeResponse({
      events: [],
      txResults,
      validatorUpdates: [],
      consensusParamUpdates: undefined,
      appHash: EMPTY,
    }),
    injected: false,
  };
}

/** A transaction that keeps others from a table until its connection ends. */
async function lockTable(url: string, table: string): Promise<Client> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query('BEGIN');
  await client.query(`LOCK TABLE ${table} IN EXCLUSIVE MODE`);
  return client;
}

async function writing(database: SinkDatabase, ...blocks: readonly SinkBlock[]): Promise<boolean[]> {
  const written: boolean[] = [];
  for (const block of blocks) written.push(await database.write(block));
  return written;
}

test.skipIf(programs === undefined)('blocks are rows of the tables and of the views that join them', async () => {
  const postgres = await emptyDatabase();
  const database = await openSinkDatabase(postgres.url, 'one');
  expect(await database.lastHeight()).toBe(0n);
  expect(await writing(database, blockAt(5n, [2, 0]), blockAt(6n, []))).toEqual([true, true]);
  expect(await database.lastHeight()).toBe(6n);
  expect(await postgres.query('SELECT height, chain_id FROM blocks ORDER BY height')).toEqual([
    { height: '5', chain_id: 'one' },
    { height: '6', chain_id: 'one' },
  ]);
  const hashes = [0, 1].map((i) => toHexUpper(sha256(utf8(`tx 5 ${i}`))));
  expect(await postgres.query('SELECT index, tx_hash FROM tx_results ORDER BY index')).toEqual([
    { index: 0, tx_hash: hashes[0] },
    { index: 1, tx_hash: hashes[1] },
  ]);
  expect(await postgres.query('SELECT height, composite_key, value FROM block_events ORDER BY height')).toEqual([
    { height: '5', composite_key: 'block.height', value: '5' },
    { height: '6', composite_key: 'block.height', value: '6' },
  ]);
  expect(
    await postgres.query("SELECT index, key, value FROM tx_events WHERE type = 'transfer' ORDER BY key, value"),
  ).toEqual([
    { index: 0, key: 'amount', value: '0' },
    { index: 0, key: 'amount', value: '1' },
    { index: 0, key: 'sender', value: `'"\\{0},` },
    { index: 0, key: 'sender', value: `'"\\{0},` },
  ]);
  await database.close();
});

test.skipIf(programs === undefined)(
  'more rows than one statement takes are all there, each with its own event',
  async () => {
    const postgres = await emptyDatabase();
    const database = await openSinkDatabase(postgres.url, 'one');
    await writing(database, blockAt(1n, [1, 4_321, 3, 2_500]));
    const counted = await postgres.query(
      `SELECT index, count(*)::int AS payments, count(DISTINCT value)::int AS amounts
     FROM tx_events WHERE composite_key = 'transfer.amount' GROUP BY index ORDER BY index`,
    );
    expect(counted).toEqual([1, 4_321, 3, 2_500].map((payments, index) => ({ index, payments, amounts: payments })));
    await database.close();
  },
);

test.skipIf(programs === undefined)(
  'a block is written once, whoever writes it: two nodes, two chains, one database',
  async () => {
    const postgres = await emptyDatabase();
    const url = new URL(postgres.url);
    // As an administrator may have it for all that does not say otherwise: who comes second would fail instead of waiting.
    url.searchParams.set('options', '-c default_transaction_isolation=serializable');
    const [first, second] = await Promise.all(['one', 'one'].map((chain) => openSinkDatabase(url.href, chain)));
    const other = await openSinkDatabase(postgres.url, 'two');
    if (first === undefined || second === undefined) throw new Error('two were opened');
    const blocks = Array.from({ length: 20 }, (_, i) => blockAt(BigInt(i + 1), [3, 1]));
    const written = await Promise.all([writing(first, ...blocks), writing(second, ...blocks)]);
    for (const i of blocks.keys())
      expect([written[0]?.[i], written[1]?.[i]].filter(Boolean), `block ${i}`).toHaveLength(1);
    expect(await writing(other, ...blocks)).toEqual(blocks.map(() => true));
    expect(
      await postgres.query(
        'SELECT chain_id, count(*)::int AS txs FROM tx_events WHERE composite_key = $1 GROUP BY chain_id ORDER BY chain_id',
        ['tx.hash'],
      ),
    ).toEqual([
      { chain_id: 'one', txs: 40 },
      { chain_id: 'two', txs: 40 },
    ]);
    for (const database of [first, second, other]) await database.close();
  },
);

test.skipIf(programs === undefined)(
  'a connection that ends in the middle of a block leaves nothing of it',
  async () => {
    const postgres = await emptyDatabase();
    const database = await openSinkDatabase(postgres.url, 'one');
    await writing(database, blockAt(1n, [1]));
    const lock = await lockTable(postgres.url, 'attributes');
    const stuck = expect(database.write(blockAt(2n, [3]))).rejects.toThrow('terminat');
    const waiting = "FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE 'INSERT INTO attributes%'";
    await expect.poll(() => postgres.query(`SELECT 1 ${waiting}`), { timeout: 20_000 }).toHaveLength(1);
    await postgres.query(`SELECT pg_terminate_backend(pid) ${waiting}`);
    await stuck;
    await lock.end();
    const next = await openSinkDatabase(postgres.url, 'one');
    expect(await next.lastHeight()).toBe(1n);
    expect(await writing(next, blockAt(2n, [3]))).toEqual([true]);
    expect(await postgres.query('SELECT count(*)::int AS txs FROM tx_results')).toEqual([{ txs: 2 }]);
    await next.close();
  },
);

test.skipIf(programs === undefined)('a connection that ended while nobody asked is told with its reason', async () => {
  const postgres = await emptyDatabase();
  const database = await openSinkDatabase(postgres.url, 'one');
  const others = 'FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()';
  await postgres.query(`SELECT pg_terminate_backend(pid) ${others}`);
  await expect.poll(() => postgres.query(`SELECT 1 ${others}`), { timeout: 20_000 }).toEqual([]);
  await expect(database.write(blockAt(1n, []))).rejects.toThrow('terminating connection due to administrator command');
  await database.close();
});

test.skipIf(programs === undefined)('who may only write rows writes to tables that are there', async () => {
  const postgres = await emptyDatabase();
  await (await openSinkDatabase(postgres.url, 'one')).close();
  await postgres.query("CREATE ROLE writer LOGIN PASSWORD 'w'");
  await postgres.query('GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA public TO writer');
  await postgres.query('GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO writer');
  const url = new URL(postgres.url);
  [url.username, url.password] = ['writer', 'w'];
  const database = await openSinkDatabase(url.href, 'one');
  expect(await writing(database, blockAt(1n, [1]))).toEqual([true]);
  await database.close();
  const elsewhere = new URL((await emptyDatabase()).url);
  [elsewhere.username, elsewhere.password] = ['writer', 'w'];
  await expect(openSinkDatabase(elsewhere.href, 'one')).rejects.toThrow('permission denied for schema public');
  url.password = 'x';
  await expect(openSinkDatabase(url.href, 'one')).rejects.toThrow('password authentication failed for user "writer"');
});

test.skipIf(programs === undefined)('a connection that this side refuses is ended by it', async () => {
  const url = new URL((await emptyDatabase()).url);
  url.password = '';
  const open = (): number => process.getActiveResourcesInfo().filter((kind) => kind.startsWith('TCPSocket')).length;
  const before = open();
  const refused: unknown = await openSinkDatabase(url.href, 'one').catch((error: unknown) => error);
  expect(databaseMessage(refused)).toMatch(/^the server asks for a password, and there is none in the address/);
  // The server would end it as well, after a minute.
  await expect.poll(open, { timeout: 20_000 }).toBeLessThanOrEqual(before);
});

test.skipIf(programs === undefined)(
  'a database that cannot hold every text is refused before the first block',
  async () => {
    const postgres = await emptyDatabase();
    await postgres.query(`CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0`);
    const url = new URL(postgres.url);
    url.pathname = '/latin';
    await expect(openSinkDatabase(url.href, 'one')).rejects.toThrow("the database's encoding is LATIN1: expected UTF8");
  },
);
