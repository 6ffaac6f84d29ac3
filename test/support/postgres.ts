/** A PostgreSQL server of a test's own: on this machine's loopback, in a temporary folder, gone when it is removed. */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { chmodSync, chownSync, existsSync, globSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { Client, type QueryResultRow } from 'pg';
import { afterAll, beforeAll, vi } from 'vitest';
import { defined } from '#core/assert.ts';
import { freePorts } from '#node/localnet/ports.ts';

/** As tests need it: hard to write in an address, so that all of it must be escaped rightly. */
const PASSWORD = 'p@ss/word:%?';
const WAIT_MS = 30_000;

/** The folder of the newest server's programs on this machine; undefined, and said, where there is none, or no user that may run it. */
export function postgresFolder(): string | undefined {
  const installed = globSync('/usr/lib/postgresql/*/bin').toSorted((a, b) => versionOf(b) - versionOf(a));
  const folders = [...installed, ...(process.env.PATH ?? '').split(delimiter)];
  const found = folders.find((folder) => existsSync(join(folder, 'initdb')) && existsSync(join(folder, 'postgres')));
  if (found === undefined) {
    console.info(
      'PostgreSQL is not installed (Debian: apt-get install postgresql): what is written there is not tested',
    );
    return undefined;
  }
  try {
    execFileSync(join(found, 'postgres'), ['--version'], { ...serverUser(), cwd: '/', stdio: 'pipe' });
  } catch (error) {
    console.info(`PostgreSQL cannot be started here (${String(error)}): what is written there is not tested`);
    return undefined;
  }
  return found;
}

const versionOf = (folder: string): number => Number(folder.split('/').at(-2));

export interface TestDatabase {
  readonly url: string;
  query<Row extends QueryResultRow>(text: string, values?: readonly unknown[]): Promise<Row[]>;
}

export interface TestPostgres {
  /** An empty one. */
  createDatabase(): Promise<TestDatabase>;
  start(): Promise<void>;
  /** At once, as in a crash. */
  kill(): Promise<void>;
  /** The end: with everything that is in it. */
  remove(): Promise<void>;
}

/** One server for the tests of a file. Answers an empty database of it, each time. */
export function sharedPostgres(programs: string | undefined) {
  let server: TestPostgres | undefined;
  beforeAll(async () => {
    if (programs !== undefined) server = await startPostgres(programs);
  }, 2 * WAIT_MS);
  afterAll(() => server?.remove());
  return {
    server: () => defined(server, 'the server'),
    emptyDatabase: () => defined(server, 'the server').createDatabase(),
  };
}

export async function startPostgres(programs: string): Promise<TestPostgres> {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-postgres-'));
  const data = join(folder, 'data');
  const passwordFile = join(folder, 'password');
  const user = serverUser();
  mkdirSync(data);
  writeFileSync(passwordFile, PASSWORD);
  chmodSync(folder, 0o755);
  if (user !== undefined) for (const path of [folder, data, passwordFile]) chownSync(path, user.uid, user.gid);
  const options = { cwd: folder, env: { PATH: programs, LC_ALL: 'C' }, ...user };
  const init = ['-D', data, '-U', 'postgres', '-A', 'scram-sha-256', '--pwfile', passwordFile, '-E', 'UTF8', '-N'];
  execFileSync(join(programs, 'initdb'), init, { ...options, stdio: 'pipe' });
  const [free] = await freePorts(1);
  const port = free?.rpc ?? 0;
  const urlOf = (database: string): string =>
    `postgres://postgres:${encodeURIComponent(PASSWORD)}@127.0.0.1:${port}/${database}`;

  let server: ChildProcess | undefined;
  const answers = async (): Promise<void> => {
    const client = new Client({ connectionString: urlOf('postgres') });
    client.on('error', () => undefined);
    await client.connect();
    await client.end();
  };
  const databaseOf = (name: string): TestDatabase => ({
    url: urlOf(name),
    async query<Row extends QueryResultRow>(text: string, values: readonly unknown[] = []) {
      const client = new Client({ connectionString: urlOf(name) });
      await client.connect();
      try {
        return (await client.query<Row>(text, [...values])).rows;
      } finally {
        await client.end();
      }
    },
  });
  let databases = 0;
  const self: TestPostgres = {
    async createDatabase() {
      const name = `database${++databases}`;
      await databaseOf('postgres').query(`CREATE DATABASE ${name}`);
      return databaseOf(name);
    },
    async start() {
      const args = ['-D', data, '-p', String(port), '-k', folder, '-c', 'listen_addresses=127.0.0.1', '-F'];
      server = spawn(join(programs, 'postgres'), args, { ...options, stdio: 'ignore' });
      await vi.waitFor(answers, { timeout: WAIT_MS, interval: 50 });
    },
    async kill() {
      if (server === undefined || server.exitCode !== null) return;
      const gone = new Promise((resolve) => server?.once('exit', resolve));
      // Its own way to stop at once, connections and all; killed, it would leave its children behind.
      server.kill('SIGQUIT');
      await gone;
    },
    async remove() {
      await self.kill();
      rmSync(folder, { recursive: true, force: true });
    },
  };
  await self.start();
  return self;
}

/** The server refuses to run as root: Debian's package has a user for it. */
function serverUser(): { readonly uid: number; readonly gid: number } | undefined {
  if (process.getuid?.() !== 0) return undefined;
  const idOf = (flag: string): number => Number(execFileSync('id', [flag, 'postgres'], { encoding: 'utf8' }));
  return { uid: idOf('-u'), gid: idOf('-g') };
}
