/** What a soak run sees of one process: its memory and files in /proc, its own readings, its folders on disk. */
import { readdir, readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { homePaths } from '#node/config/home.ts';

/** How often the probe in each process writes its readings, and how often they are taken. */
export const PROBE_EVERY_MS = 5_000;

/** Right after a full collection. */
export interface HeldMemory {
  /** Another one for each collection. */
  readonly number: number;
  /** Resident memory without pages of files. */
  readonly anonymousMiB: number;
  readonly heapMiB: number;
}

/** What the probe in a process says of it. */
export interface ProbeReading {
  readonly heapUsedMiB: number;
  readonly heapTotalMiB: number;
  readonly externalMiB: number;
  readonly arrayBuffersMiB: number;
  readonly held: HeldMemory | null;
  /** Since the reading before. */
  readonly eventLoopDelayP99Ms: number;
}

/** MiB of each part of a data folder. */
export interface DiskUse {
  /** Blocks, with all that is known of their heights. */
  readonly chain: number;
  readonly application: number;
  readonly index: number;
  readonly wal: number;
}

export interface ProcessSample {
  /** Minutes since the run began. */
  readonly minute: number;
  /** Resident memory without pages of files: what the process itself has taken. */
  readonly anonymousMiB: number;
  /** Resident memory as `ps` shows it, with the pages of database files that are mapped. */
  readonly residentMiB: number;
  readonly openFiles: number;
  readonly threads: number;
  readonly probe: ProbeReading | undefined;
  readonly disk: DiskUse;
}

const KIB_PER_MIB = 1_024;
const BYTES_PER_MIB = 1_048_576;

/** @throws Error when there is no such process, or no /proc. */
export async function sampleProcess(
  target: { readonly pid: number; readonly home: string; readonly probeFolder: string },
  minute: number,
): Promise<ProcessSample> {
  const status = await readFile(`/proc/${target.pid}/status`, 'utf8');
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? Number.NaN);
  const paths = homePaths(target.home);
  const [chain, application, index, wal] = await Promise.all(
    [paths.blockStore, paths.application, paths.index, paths.wal].map(folderMiB),
  );
  return {
    minute,
    anonymousMiB: field('RssAnon') / KIB_PER_MIB,
    residentMiB: field('VmRSS') / KIB_PER_MIB,
    openFiles: (await readdir(`/proc/${target.pid}/fd`)).length,
    threads: field('Threads'),
    probe: await readProbe(join(target.probeFolder, `${target.pid}.json`)),
    disk: { chain: chain ?? 0, application: application ?? 0, index: index ?? 0, wal: wal ?? 0 },
  };
}

async function readProbe(file: string): Promise<ProbeReading | undefined> {
  const text = await readFile(file, 'utf8').catch(() => undefined);
  return text === undefined ? undefined : (JSON.parse(text) as ProbeReading);
}

/** MiB of the files in a folder that has no folders. A file may go while they are counted: databases replace theirs. */
async function folderMiB(folder: string): Promise<number> {
  const names = await readdir(folder).catch(() => []);
  const sizes = await Promise.all(
    names.map((name) =>
      stat(join(folder, name)).then(
        ({ size }) => size,
        () => 0,
      ),
    ),
  );
  return sizes.reduce((sum, size) => sum + size, 0) / BYTES_PER_MIB;
}
