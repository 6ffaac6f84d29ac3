/** The duties of one validator over the chain's own modules: what it says, when, and after which mishaps. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { sha256 } from '#core/crypto/hash.ts';
import { decodeExtension, outputRoot } from '#core/poi/formats.ts';
import type { Logger } from '#core/ports/logger.ts';
import { err } from '#core/result.ts';
import { JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { CHAIN } from '#test/support/poi-chain.ts';
import { JobDriver, TRUTH } from '#test/support/poi-jobs.ts';
import { type ExecutionOutcome, hostFault } from '#vm/outcome.ts';
import { createDuties, type NodeDuties } from './duties.ts';
import type { ExecuteModel } from './execute-job.ts';
import { openVerdictFiles } from './verdict-files.ts';

const folders: string[] = [];
afterEach(() => {
  for (const folder of folders.splice(0)) rmSync(folder, { recursive: true, force: true });
});

function newFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'duties-'));
  folders.push(folder);
  return folder;
}

const RESULT: ExecutionOutcome = {
  kind: 'ok',
  output: TRUTH.output,
  gasUsed: 1_000n,
  traceRoot: sha256(Uint8Array.of(1)),
};

interface Bench {
  readonly on: JobDriver;
  readonly duties: NodeDuties;
  readonly folder: string;
  readonly errors: string[];
  calls: number;
}

async function bench(
  options: {
    readonly on?: JobDriver;
    readonly folder?: string;
    readonly execute?: ExecuteModel;
    readonly secret?: number;
    readonly broken?: boolean;
  } = {},
): Promise<Bench> {
  const on = options.on ?? new JobDriver();
  const folder = options.folder ?? newFolder();
  const errors: string[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (message) => void errors.push(message),
    error: (message) => void errors.push(message),
    child: () => logger,
  };
  const execute = options.execute ?? (async () => RESULT);
  const made: Bench = { on, folder, errors, calls: 0, duties: undefined as never };
  const duties = createDuties(
    {
      chainId: CHAIN.chainId,
      validator: on.validator(0).address,
      secret: new Uint8Array(32).fill(options.secret ?? 1),
    },
    {
      query: (path, request) => (options.broken === true ? err('no state') : on.chain.rawQuery(path, request)),
      async execute(request) {
        made.calls++;
        // The bytes are asked for as the pool does when no child holds the model.
        await request.component();
        return execute(request);
      },
      files: await openVerdictFiles(folder),
      logger,
    },
  );
  return Object.assign(made, { duties });
}

/** The duties have settled on what they say: looks, and lets what is under way end. */
async function look({ duties }: Bench): Promise<ReturnType<typeof said>> {
  duties.committed();
  await duties.idle();
  return said(duties);
}

function said(duties: NodeDuties, height = 0n) {
  const decoded = decodeExtension(duties.extension(height));
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
}

/** What the validator says goes into the next block. */
async function record(at: Bench): Promise<void> {
  at.on.say(new Map([[at.on.validator(0), await look(at)]]));
}

test('a sealed job is committed to until that is recorded, then opened until that is, then forgotten', async () => {
  const at = await bench();
  const { on } = at;
  expect(await look(at)).toEqual({ commitments: [], openings: [] });
  const job = on.request();
  expect(await look(at)).toEqual({ commitments: [], openings: [] });
  on.seal(job);
  const first = await look(at);
  expect(first.commitments.map((commitment) => commitment.job)).toEqual([job]);
  expect(first.openings).toEqual([]);
  on.idle(1);
  expect(await look(at)).toEqual(first);
  await record(at);
  expect(await look(at)).toEqual({ commitments: [], openings: [] });
  on.commit(job, [1, 2, 3]);
  expect(on.job(job).status).toBe(JobStatus.REVEALING);
  const { openings, commitments } = await look(at);
  expect(commitments).toEqual([]);
  expect(openings).toMatchObject([
    { job, kind: 0, gasUsed: 1_000n, outputRoot: outputRoot(0, 0, TRUTH.output), traceRoot: RESULT.traceRoot },
  ]);
  await record(at);
  expect(await look(at)).toEqual({ commitments: [], openings: [] });
  expect(at.calls).toBe(1);
  expect(readdirSync(at.folder)).toEqual([`${job}.json`]);
  on.idle(8);
  await look(at);
  expect(readdirSync(at.folder)).toEqual([]);
  expect(at.errors).toEqual([]);
});

test('with more to say than one vote holds, each vote says what the one before did not', async () => {
  const at = await bench();
  const jobs = Array.from({ length: 80 }, () => at.on.request({ deadlineIn: 200n }));
  at.on.chain.block(jobs.map((job) => at.on.sealAction(job)));
  await look(at);
  // What a vote says is recorded two blocks later: meanwhile it would only be said again.
  const votes = [1n, 2n, 3n].map((height) => said(at.duties, height).commitments.map(({ job }) => job));
  expect(votes.map(({ length }) => length)).toEqual([32, 32, 32]);
  expect(new Set(votes.flat())).toEqual(new Set(jobs));
  // A second round of the same height says the same.
  expect(said(at.duties, 3n).commitments.map(({ job }) => job)).toEqual(votes[2]);
});

test('asking for the extension never waits: what is not ready is not in it', async () => {
  const { promise, resolve } = Promise.withResolvers<ExecutionOutcome>();
  const at = await bench({ execute: () => promise });
  const job = at.on.request();
  at.on.seal(job);
  at.duties.committed();
  expect(said(at.duties)).toEqual({ commitments: [], openings: [] });
  at.duties.committed();
  resolve(RESULT);
  await at.duties.idle();
  expect(said(at.duties).commitments.length).toBe(1);
  expect(at.calls).toBe(1);
});

test('a restart says the same, from its file without executing, and without the file after executing again', async () => {
  const at = await bench();
  const job = at.on.request();
  at.on.seal(job);
  const before = await look(at);
  const restarted = await bench({ on: at.on, folder: at.folder });
  expect(await look(restarted)).toEqual(before);
  expect(restarted.calls).toBe(0);
  writeFileSync(join(at.folder, `${job}.json`), '{"kind":0,"output_root":"');
  const damaged = await bench({ on: at.on, folder: at.folder });
  expect(await look(damaged)).toEqual(before);
  expect(damaged.calls).toBe(1);
});

test('a fault of the host is no verdict: tried three times, told each time, never said', async () => {
  const at = await bench({ execute: async () => hostFault('timeout', 'too slow') });
  const job = at.on.request();
  at.on.seal(job);
  for (let i = 0; i < 5; i++) expect(await look(at)).toEqual({ commitments: [], openings: [] });
  expect(at.calls).toBe(3);
  expect(at.errors).toEqual(Array(3).fill('a job ended in a fault of this host: no verdict'));
  expect(readdirSync(at.folder)).toEqual([]);
});

test('a trap and a gas limit reached are results like any other', async () => {
  const trap: ExecutionOutcome = { kind: 'trap', code: 1, gasUsed: 9n, traceRoot: sha256(Uint8Array.of(2)) };
  const at = await bench({ execute: async () => trap });
  const job = at.on.request();
  at.on.seal(job);
  await record(at);
  at.on.commit(job, [1, 2, 3]);
  expect((await look(at)).openings).toMatchObject([
    { kind: 2, gasUsed: 9n, outputRoot: outputRoot(2, 1, new Uint8Array()) },
  ]);
});

test('a commitment that another secret made cannot be opened, and the operator is told once', async () => {
  const at = await bench();
  const job = at.on.request();
  at.on.seal(job);
  await record(at);
  at.on.commit(job, [1, 2, 3]);
  const other = await bench({ on: at.on, secret: 2 });
  expect(await look(other)).toEqual({ commitments: [], openings: [] });
  await look(other);
  expect(other.errors).toEqual(['the recorded commitment is not of this verdict: it cannot be opened']);
});

test('who did not commit in time has nothing to do', async () => {
  const at = await bench();
  const job = at.on.request();
  at.on.seal(job);
  at.on.commit(job, [1, 2, 3]);
  at.on.idle(7);
  expect(at.on.job(job).status).toBe(JobStatus.REVEALING);
  expect(await look(at)).toEqual({ commitments: [], openings: [] });
  expect(at.calls).toBe(0);
});

test('many jobs at once: the oldest first, as many as an extension holds', async () => {
  const at = await bench();
  const jobs = Array.from({ length: 40 }, (_, i) => BigInt(i + 1));
  at.on.chain.block(jobs.map(() => at.on.requestAction()));
  at.on.chain.block(jobs.map((job) => at.on.sealAction(job)));
  expect((await look(at)).commitments.map(({ job }) => job)).toEqual(jobs.slice(0, 32));
  await record(at);
  expect((await look(at)).commitments.map(({ job }) => job)).toEqual(jobs.slice(32));
});

test('a chain that cannot be asked is told of, and nothing is said', async () => {
  const at = await bench({ broken: true });
  expect(await look(at)).toEqual({ commitments: [], openings: [] });
  expect(at.errors).toEqual(['a query for duties failed']);
});

test('closing ends quietly, whatever the executor answers then', async () => {
  const { promise, resolve } = Promise.withResolvers<ExecutionOutcome>();
  const at = await bench({ execute: () => promise });
  const job = at.on.request();
  at.on.seal(job);
  at.duties.committed();
  const closed = at.duties.close();
  resolve(hostFault('unavailable', 'the pool is closed'));
  await closed;
  expect(at.errors).toEqual([]);
});
