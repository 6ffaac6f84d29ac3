import { Client } from 'pg';
import { INDEX_LIMITS } from '../limits.ts';
import { type RowGroup, rowsOf, type SinkBlock } from './rows.ts';
import { ensureSchema } from './schema.ts';

/** A connection to the database, of one chain. What it throws {@link databaseMessage} says. */
export interface SinkDatabase {
  /** The greatest height of this chain that is there; 0: none. */
  lastHeight(): Promise<bigint>;
  /** Writes a block whole or not at all. False: it is there already, by whomever. */
  write(block: SinkBlock): Promise<boolean>;
  close(): Promise<void>;
}

/** Connects, and makes the tables where they are missing. @param url as libpq has it: postgres://user:password@host:port/database */
export async function openSinkDatabase(url: string, chainId: string): Promise<SinkDatabase> {
  const db = new Client({
    connectionString: url,
    application_name: `autond ${chainId}`,
    connectionTimeoutMillis: INDEX_LIMITS.psqlConnectMs,
    query_timeout: INDEX_LIMITS.psqlStatementMs,
    keepAlive: true,
  });
  // A connection that ends while nobody asks: whoever writes next is told why.
  let lost: Error | undefined;
  db.on('error', (error) => {
    lost ??= error;
  });
  try {
    await db.connect();
    await expectUnicode(db);
    await ensureSchema(db);
  } catch (error) {
    // Who refuses a connection for reasons of its own has to end it; a server that does not answer is not waited for.
    void db.end();
    throw error;
  }
  return {
    async lastHeight() {
      const { rows } = await db.query<{ last: string | null }>(
        'SELECT max(height)::text AS last FROM blocks WHERE chain_id = $1',
        [chainId],
      );
      return BigInt(rows[0]?.last ?? 0);
    },
    async write(block) {
      if (lost !== undefined) throw lost;
      await db.query('BEGIN ISOLATION LEVEL READ COMMITTED');
      try {
        const isNew = await writeBlock(db, chainId, block);
        await db.query('COMMIT');
        return isNew;
      } catch (error) {
        // What cannot be taken back any more goes with the connection.
        await db.query('ROLLBACK').catch(() => undefined);
        throw error;
      }
    },
    close: () => db.end(),
  };
}

export function databaseMessage(error: unknown): string {
  // One that was refused at several addresses has no message of its own.
  if (error instanceof AggregateError && error.message === '') return error.errors.map(databaseMessage).join('; ');
  const message = error instanceof Error ? error.message : String(error);
  return /client password must be a (non-empty )?string/.test(message)
    ? 'the server asks for a password, and there is none in the address, in PGPASSWORD or in ~/.pgpass'
    : message;
}

/** In any other encoding some text has no place: its block, and all after it, could not be written. */
async function expectUnicode(db: Client): Promise<void> {
  const { rows } = await db.query<{ server_encoding: string }>('SHOW server_encoding');
  const found = rows[0]?.server_encoding;
  // The second takes bytes as they are.
  if (found !== 'UTF8' && found !== 'SQL_ASCII')
    throw new Error(`the database's encoding is ${found}: expected UTF8 (CREATE DATABASE … ENCODING 'UTF8')`);
}

async function writeBlock(db: Client, chainId: string, block: SinkBlock): Promise<boolean> {
  const now = new Date();
  // Who writes the same block at the same time is waited for here.
  const { rows } = await db.query<{ rowid: string }>(
    'INSERT INTO blocks (height, chain_id, created_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING RETURNING rowid',
    [String(block.height), chainId, now],
  );
  const blockId = rows[0]?.rowid;
  if (blockId === undefined) return false;
  for (const groups of batches(rowsOf(block))) await writeGroups(db, blockId, now, groups);
  return true;
}

/** Groups that are written together. */
function* batches(groups: Iterable<RowGroup>): Generator<readonly RowGroup[]> {
  let batch: RowGroup[] = [];
  let rows = 0;
  let bytes = 0;
  for (const group of groups) {
    batch.push(group);
    rows += group.events.length;
    bytes += group.tx?.result.length ?? 0;
    if (rows < INDEX_LIMITS.psqlRowsTogether && bytes < INDEX_LIMITS.psqlBytesTogether) continue;
    yield batch;
    [batch, rows, bytes] = [[], 0, 0];
  }
  yield batch;
}

async function writeGroups(db: Client, blockId: string, now: Date, groups: readonly RowGroup[]): Promise<void> {
  const txs = groups.flatMap(({ tx }) => (tx === undefined ? [] : [tx]));
  const txIds = await newIds(db, 'tx_results', txs.length);
  await db.query(
    `INSERT INTO tx_results (rowid, block_id, created_at, index, tx_hash, tx_result)
     SELECT id, $1::bigint, $2::timestamptz, place, hash, result
     FROM unnest($3::bigint[], $4::integer[], $5::varchar[], $6::bytea[]) AS row (id, place, hash, result)`,
    [
      blockId,
      now,
      txIds,
      txs.map(({ index }) => index),
      txs.map(({ hash }) => hash),
      txs.map((tx) => Buffer.from(tx.result)),
    ],
  );
  const events: { readonly txId: string | null; readonly event: RowGroup['events'][number] }[] = [];
  let nextTx = 0;
  for (const group of groups) {
    const txId = group.tx === undefined ? null : (txIds[nextTx++] ?? null);
    for (const event of group.events) events.push({ txId, event });
  }
  for (let from = 0; from < events.length; from += INDEX_LIMITS.psqlRowsTogether)
    await writeEvents(db, blockId, events.slice(from, from + INDEX_LIMITS.psqlRowsTogether));
}

async function writeEvents(
  db: Client,
  blockId: string,
  events: readonly { readonly txId: string | null; readonly event: RowGroup['events'][number] }[],
): Promise<void> {
  const ids = await newIds(db, 'events', events.length);
  await db.query(
    `INSERT INTO events (rowid, block_id, tx_id, type)
     SELECT id, $1::bigint, tx_id, type FROM unnest($2::bigint[], $3::bigint[], $4::varchar[]) AS row (id, tx_id, type)`,
    [blockId, ids, events.map(({ txId }) => txId), events.map(({ event }) => event.type)],
  );
  const attributes = events.flatMap(({ event: { type, attributes } }, i) =>
    attributes.map(([key, value]) => ({ id: ids[i], key, compositeKey: `${type}.${key}`, value })),
  );
  await db.query(
    `INSERT INTO attributes (event_id, key, composite_key, value)
     SELECT * FROM unnest($1::bigint[], $2::varchar[], $3::varchar[], $4::varchar[])`,
    [
      attributes.map(({ id }) => id),
      attributes.map(({ key }) => key),
      attributes.map(({ compositeKey }) => compositeKey),
      attributes.map(({ value }) => value),
    ],
  );
}

/** Ids of rows to come, in ascending order: rows that name one another are written without asking in between. */
async function newIds(db: Client, table: 'tx_results' | 'events', count: number): Promise<readonly string[]> {
  const { rows } = await db.query<{ id: string }>(
    `SELECT nextval(pg_get_serial_sequence($1, 'rowid'))::text AS id FROM generate_series(1, $2)`,
    [table, count],
  );
  return rows.map(({ id }) => id);
}
