/**
 * The tables of CometBFT's event sink (v0.38 state/indexer/sink/psql): programs that read those read ours. Made where they are
 * missing, so that a database made by CometBFT's own file serves as well.
 */
import type { ClientBase } from 'pg';

const TABLES = [
  `CREATE TABLE IF NOT EXISTS blocks (
    rowid BIGSERIAL PRIMARY KEY,
    height BIGINT NOT NULL,
    chain_id VARCHAR NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    UNIQUE (height, chain_id))`,
  'CREATE INDEX IF NOT EXISTS idx_blocks_height_chain ON blocks (height, chain_id)',
  `CREATE TABLE IF NOT EXISTS tx_results (
    rowid BIGSERIAL PRIMARY KEY,
    block_id BIGINT NOT NULL REFERENCES blocks (rowid),
    index INTEGER NOT NULL,
    created_at TIMESTAMPTZ NOT NULL,
    tx_hash VARCHAR NOT NULL,
    tx_result BYTEA NOT NULL,
    UNIQUE (block_id, index))`,
  `CREATE TABLE IF NOT EXISTS events (
    rowid BIGSERIAL PRIMARY KEY,
    block_id BIGINT NOT NULL REFERENCES blocks (rowid),
    tx_id BIGINT NULL REFERENCES tx_results (rowid),
    type VARCHAR NOT NULL)`,
  `CREATE TABLE IF NOT EXISTS attributes (
    event_id BIGINT NOT NULL REFERENCES events (rowid),
    key VARCHAR NOT NULL,
    composite_key VARCHAR NOT NULL,
    value VARCHAR NULL,
    UNIQUE (event_id, key))`,
] as const;

/** A view that is there is left as it is: somebody may have more columns in it. */
const VIEWS = {
  event_attributes: `SELECT block_id, tx_id, type, key, composite_key, value
    FROM events LEFT JOIN attributes ON events.rowid = attributes.event_id`,
  block_events: `SELECT blocks.rowid AS block_id, height, chain_id, type, key, composite_key, value
    FROM blocks JOIN event_attributes ON blocks.rowid = event_attributes.block_id
    WHERE event_attributes.tx_id IS NULL`,
  tx_events: `SELECT height, index, chain_id, type, key, composite_key, value, tx_results.created_at
    FROM blocks JOIN tx_results ON blocks.rowid = tx_results.block_id
    JOIN event_attributes ON tx_results.rowid = event_attributes.tx_id
    WHERE event_attributes.tx_id IS NOT NULL`,
} as const;

/** Of an advisory lock: nodes that begin at the same time make the tables one after the other. */
const SCHEMA_LOCK = 7_261_954;

export async function ensureSchema(db: ClientBase): Promise<void> {
  const there = await db.query<{ tables: string }>(
    `SELECT count(*)::text AS tables FROM unnest($1::text[]) AS name WHERE to_regclass(name) IS NOT NULL`,
    [['blocks', 'tx_results', 'events', 'attributes', ...Object.keys(VIEWS)]],
  );
  // Who may only write rows need not be allowed to make tables.
  if (there.rows[0]?.tables === '7') return;
  await db.query('BEGIN ISOLATION LEVEL READ COMMITTED');
  try {
    await db.query('SELECT pg_advisory_xact_lock($1)', [SCHEMA_LOCK]);
    for (const statement of TABLES) await db.query(statement);
    for (const [name, select] of Object.entries(VIEWS)) {
      const found = await db.query('SELECT 1 WHERE to_regclass($1) IS NOT NULL', [name]);
      if (found.rowCount === 0) await db.query(`CREATE VIEW ${name} AS ${select}`);
    }
    await db.query('COMMIT');
  } catch (error) {
    // What was wrong is told, not that the connection is gone by now.
    await db.query('ROLLBACK').catch(() => undefined);
    throw error;
  }
}
