import { readFile } from 'node:fs/promises';

interface Process {
  readonly pid: number;
}

/** Processor time that all threads of a process have used, in milliseconds: fields 14 and 15 of its stat, in hundredths of a second. */
export async function cpuMs({ pid }: Process): Promise<number> {
  return msOf(await readFile(`/proc/${pid}/stat`, 'utf8'));
}

/** The same of a process's main thread alone. */
export async function mainThreadMs({ pid }: Process): Promise<number> {
  return msOf(await readFile(`/proc/${pid}/task/${pid}/stat`, 'utf8'));
}

function msOf(stat: string): number {
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
