import { expect, test } from 'vitest';
import { postgresFolder, startPostgres } from '../support/postgres.ts';
import { autondJson, refusalOf } from './support/autond.ts';
import { configure, createTestNetwork, type TestNode, until } from './support/network.ts';
import { connectFaucet, connectWallet } from './support/wallet.ts';

const programs = postgresFolder();

interface Results {
  readonly txs_results: readonly { readonly events: readonly ToldEvent[] | null }[] | null;
  readonly finalize_block_events: readonly ToldEvent[] | null;
}

interface ToldEvent {
  readonly type: string;
  readonly attributes: readonly { readonly key: string; readonly value: string; readonly index: boolean }[];
}

interface Row {
  readonly height: string;
  readonly index: number | null;
  readonly composite_key: string;
  readonly value: string;
}

/** What the tables must have of a height, by what the node itself answers. */
async function expectedRows(node: TestNode, height: number): Promise<Row[]> {
  const { txs_results, finalize_block_events } = await node.rpc.call<Results>('block_results', {
    height: String(height),
  });
  const rowsOf = (index: number | null, events: readonly ToldEvent[] | null): Row[] =>
    (events ?? []).flatMap(({ type, attributes }) =>
      attributes
        .filter((attribute) => attribute.index)
        .map(({ key, value }) => ({ height: String(height), index, composite_key: `${type}.${key}`, value })),
    );
  return [
    ...rowsOf(null, finalize_block_events),
    ...(txs_results ?? []).flatMap(({ events }, index) => rowsOf(index, events)),
  ];
}

test.skipIf(programs === undefined)(
  'every block is in PostgreSQL once, whatever happens to the node and to the database',
  async () => {
    const postgres = await startPostgres(programs ?? '');
    try {
      const database = await postgres.createDatabase();
      const net = await createTestNetwork({ validators: 1 });
      const node = net.node(0);
      await configure(node, 'tx_index', { psql_conn: database.url });
      node.start();
      await node.waitForHeight(2n);
      const faucet = await connectFaucet(net, node);
      const { address } = await connectWallet(node);
      const send = async (amount: string): Promise<number> => {
        const coins = [{ denom: 'uauton', amount }];
        const sent = await faucet.client.sendTokens(faucet.address, address, coins, 'auto');
        expect(sent.code).toBe(0);
        return sent.height;
      };
      const lastThere = async (): Promise<number> => {
        const [row] = await database.query<{ last: string | null }>('SELECT max(height) AS last FROM blocks');
        return Number(row?.last ?? 0);
      };
      const first = await send('1');
      await until('the block of the first payment is there', async () => (await lastThere()) >= first);

      // The database dies, and the chain goes on; the node dies as well, before the database is back.
      await postgres.kill();
      await send('2');
      await node.kill();
      node.start();
      await node.waitForHeight(1n);
      const third = await send('3');
      await postgres.start();
      await until('what was missed is there', async () => (await lastThere()) >= third);
      await node.kill();
      node.start();
      await node.waitForHeight(1n);
      const last = await send('4');
      await until('the last one is there', async () => (await lastThere()) >= last);

      const heights = await database.query<{ height: string }>(
        'SELECT height FROM blocks WHERE height <= $1 ORDER BY height',
        [last],
      );
      expect(heights.map(({ height }) => Number(height))).toEqual(Array.from({ length: last }, (_, i) => i + 1));
      const rows = await database.query<Row>(
        `SELECT height, index, composite_key, value FROM tx_events WHERE composite_key NOT IN ('tx.hash', 'tx.height')
       UNION ALL SELECT height, NULL, composite_key, value FROM block_events WHERE composite_key <> 'block.height'`,
      );
      const sorted = (some: readonly Row[]): string[] =>
        some.map((row) => [row.height, row.index, row.composite_key, row.value].join(' ')).toSorted();
      const expected = await Promise.all(heights.map(({ height }) => expectedRows(node, Number(height))));
      expect(sorted(rows.filter(({ height }) => Number(height) <= last))).toEqual(sorted(expected.flat()));
      expect(
        (
          await database.query<{ value: string }>(
            "SELECT value FROM tx_events WHERE composite_key = 'transfer.amount' AND value IN ('1uauton', '2uauton', '3uauton', '4uauton') ORDER BY value",
          )
        ).map(({ value }) => value),
      ).toEqual(['1uauton', '2uauton', '3uauton', '4uauton']);

      // By the program, into a database that has nothing yet.
      expect((await node.stop()).code).toBe(0);
      const other = await postgres.createDatabase();
      await configure(node, 'tx_index', { enabled: false, psql_conn: other.url });
      const rebuilt = await autondJson<{ end_height: string }>('index', 'rebuild', '--home', node.home);
      expect(rebuilt).toMatchObject({ start_height: '1', added_to_postgresql: Number(rebuilt.end_height), missing: 0 });
      expect(await autondJson('index', 'rebuild', '--home', node.home)).toMatchObject({
        added_to_postgresql: 0,
        missing: 0,
      });
      const txs = 'SELECT tx_hash, tx_result FROM tx_results ORDER BY rowid';
      expect(await other.query(txs)).toEqual(await database.query(txs));

      // Where it cannot write it says so, and ends.
      await other.query("ALTER TABLE blocks ADD CHECK (chain_id = '') NOT VALID");
      expect(await refusalOf('index', 'rebuild', '--home', node.home)).toMatch(
        /autond: height 1 cannot be written to PostgreSQL: new row for relation "blocks" violates check constraint/,
      );
      await postgres.kill();
      await configure(node, 'tx_index', { psql_conn: other.url.replace('127.0.0.1', 'localhost') });
      expect(await refusalOf('index', 'rebuild', '--home', node.home)).toMatch(
        /autond: tx_index\.psql_conn: .*ECONNREFUSED/,
      );
    } finally {
      await postgres.remove();
    }
  },
);
