/** Verdicts on disk: a restart opens what was committed before it, without executing again. */
import { mkdir, readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { fromHex, fromUtf8, toHex } from '#core/bytes.ts';
import { HASH_BYTES, isOutcomeKind, type Opened } from '#core/poi/formats.ts';
import { readFileBounded, replaceFileDurably } from '../storage/durable-file.ts';

/** A validator's result; the salt is derived. */
export type Verdict = Omit<Opened, 'salt'>;

export interface VerdictFiles {
  /** Undefined when there is none, or when it does not read: then the job is executed again. */
  load(job: bigint): Promise<Verdict | undefined>;
  /** Durable when it resolves. */
  save(job: bigint, verdict: Verdict): Promise<void>;
  /** Drops everything but the verdicts of these jobs. */
  keep(jobs: ReadonlySet<bigint>): Promise<void>;
}

const MAX_FILE_BYTES = 4_096;
const NAME = /^(\d{1,20})\.json$/;

export async function openVerdictFiles(folder: string): Promise<VerdictFiles> {
  await mkdir(folder, { recursive: true });
  const path = (job: bigint) => join(folder, `${job}.json`);
  return {
    async load(job) {
      const bytes = await readFileBounded(path(job), MAX_FILE_BYTES);
      return bytes === undefined ? undefined : parse(bytes);
    },
    async save(job, { kind, outputRoot, traceRoot, gasUsed }) {
      const file = { kind, output_root: toHex(outputRoot), trace_root: toHex(traceRoot), gas_used: String(gasUsed) };
      await replaceFileDurably(path(job), `${JSON.stringify(file)}\n`);
    },
    async keep(jobs) {
      for (const name of await readdir(folder)) {
        const number = NAME.exec(name)?.[1];
        if (number !== undefined && !jobs.has(BigInt(number))) await unlink(join(folder, name));
      }
    },
  };
}

function parse(bytes: Uint8Array): Verdict | undefined {
  try {
    const file = JSON.parse(fromUtf8(bytes)) as Record<string, unknown>;
    const { kind, output_root: output, trace_root: trace, gas_used: gas } = file;
    if (typeof kind !== 'number' || !isOutcomeKind(kind)) return undefined;
    if (typeof output !== 'string' || typeof trace !== 'string' || typeof gas !== 'string') return undefined;
    const verdict = { kind, outputRoot: fromHex(output), traceRoot: fromHex(trace), gasUsed: BigInt(gas) };
    const whole = verdict.outputRoot.length === HASH_BYTES && verdict.traceRoot.length === HASH_BYTES;
    return whole ? verdict : undefined;
  } catch {
    return undefined;
  }
}
