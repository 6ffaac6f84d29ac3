/** A validator whose model children are killed: every duty is done in the end, or abstained from with a line in the log. */
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from 'vitest';
import { sha256 } from '#core/crypto/hash.ts';
import { decodeExtension } from '#core/poi/formats.ts';
import type { Logger } from '#core/ports/logger.ts';
import { CHAIN } from '#test/support/poi-chain.ts';
import { JobDriver } from '#test/support/poi-jobs.ts';
import { ENDLESS } from '#test/vm/outcome-shapes.ts';
import { component } from '#test/vm/wat.ts';
import { createDuties } from '../duties/duties.ts';
import { openVerdictFiles } from '../duties/verdict-files.ts';
import { createVmPool } from './pool.ts';

const SLOW = { timeout: 300_000 };
/** A call of about a tenth of a second. */
const GAS = 100_000_000n;
const RETRIED = 'a model child ended during a call, which is tried again';
const FAULT = 'a call ended in a host fault';
const ABSTAINED = 'a job ended in a fault of this host: no verdict';

const cleanUps: (() => Promise<void> | void)[] = [];
afterEach(async () => {
  for (const cleanUp of cleanUps.splice(0).reverse()) await cleanUp();
});

interface Line {
  readonly message: string;
  readonly fields: Readonly<Record<string, unknown>> | undefined;
}

/** One validator with real children, one job sealed for it, and a model that takes its time. */
async function validator() {
  const lines: Line[] = [];
  const logger: Logger = {
    debug() {},
    info() {},
    warn: (message, fields) => void lines.push({ message, fields }),
    error: (message, fields) => void lines.push({ message, fields }),
    child: () => logger,
  };
  const folder = mkdtempSync(join(tmpdir(), 'killed-'));
  const pool = createVmPool({ workers: 1 }, { logger });
  cleanUps.push(() => rmSync(folder, { recursive: true, force: true }), pool.close);
  const on = new JobDriver();
  const model = component(ENDLESS);
  let running = 0;
  const duties = createDuties(
    { chainId: CHAIN.chainId, validator: on.validator(0).address, secret: new Uint8Array(32).fill(1) },
    {
      query: (path, request) => on.chain.rawQuery(path, request),
      async execute(request) {
        running++;
        const component = () => Promise.resolve(model);
        const outcome = await pool.execute({ ...request, componentHash: sha256(model), component, gasLimit: GAS });
        running--;
        return outcome;
      },
      files: await openVerdictFiles(folder),
      logger,
    },
  );
  const job = on.request();
  on.seal(job);
  return {
    job,
    lines,
    pool,
    folder,
    messages: () => lines.map(({ message }) => message),
    busy: () => running > 0,
    /** Begins what is to be done; resolves when nothing is under way. */
    async work(): Promise<void> {
      duties.committed();
      await duties.idle();
    },
    committedTo(): bigint[] {
      const said = decodeExtension(duties.extension(0n));
      if (!said.ok) throw new Error(said.error);
      return said.value.commitments.map((commitment) => commitment.job);
    },
  };
}

type Validator = Awaited<ReturnType<typeof validator>>;

function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Kills the child that runs when this many turns of the event loop have passed since there was one. */
async function killAfter(at: Validator, turns: number): Promise<boolean> {
  while (at.pool.pids().length === 0) await turn();
  for (let left = turns; left > 0 && at.busy(); left--) await turn();
  const [pid] = at.pool.pids();
  const early = at.busy();
  if (pid !== undefined) process.kill(pid, 'SIGKILL');
  return early;
}

/** Kills child after child until the work is over. */
async function killAll(at: Validator): Promise<void> {
  let last: number | undefined;
  while (at.busy()) {
    const [pid] = at.pool.pids();
    if (pid !== undefined && pid !== last) {
      last = pid;
      process.kill(pid, 'SIGKILL');
    }
    await turn();
  }
}

/** From a child that has just been forked, over its start, the loading of the model and the call, to after its answer. */
const MOMENTS = [0, 100, 3_000, 10_000, 40_000, 160_000, 640_000];

test('a child killed at any moment loses no duty: it is done by the next child', SLOW, async () => {
  let retried = 0;
  for (const turns of MOMENTS) {
    const at = await validator();
    const work = at.work();
    const early = await killAfter(at, turns);
    await work;
    expect(at.committedTo(), `killed after ${turns} turns`).toEqual([at.job]);
    expect(readdirSync(at.folder)).toEqual([`${at.job}.json`]);
    // An answer that was on its way when the child was killed counts: then nothing is tried again.
    expect([[], [RETRIED]]).toContainEqual(at.messages());
    if (!early) expect(at.messages()).toEqual([]);
    retried += at.messages().length;
  }
  expect(retried).toBeGreaterThan(2);
});

test('children killed one after the other: abstained with a clear line each time, said to nobody', SLOW, async () => {
  const at = await validator();
  for (let attempt = 1; attempt <= 3; attempt++) {
    const work = at.work();
    while (!at.busy()) await turn();
    await killAll(at);
    await work;
    expect(at.committedTo()).toEqual([]);
    expect(at.messages()).toEqual(Array(attempt).fill([RETRIED, FAULT, ABSTAINED]).flat());
  }
  const detail = expect.stringMatching(/signal SIGKILL/);
  expect(at.lines[1]?.fields).toEqual({ reason: 'child-lost', detail });
  expect(at.lines[2]?.fields).toEqual({ job: at.job, reason: 'child-lost', detail });
  expect(readdirSync(at.folder)).toEqual([]);
});

test('a duty whose children were killed twice is done at the next look', SLOW, async () => {
  const at = await validator();
  const first = at.work();
  while (!at.busy()) await turn();
  await killAll(at);
  await first;
  expect(at.committedTo()).toEqual([]);
  await at.work();
  expect(at.committedTo()).toEqual([at.job]);
  expect(at.messages()).toEqual([RETRIED, FAULT, ABSTAINED]);
});
