import { readFile } from 'node:fs/promises';

/** Processor time that all threads of a process have used, in milliseconds: fields 14 and 15 of its stat, in hundredths of a second. */
export async function cpuMs({ pid }: { readonly pid: number }): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) * 10;
}
