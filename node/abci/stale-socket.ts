import { lstat, rm } from 'node:fs/promises';
import { connect } from 'node:net';

/** What a killed process has left behind; a socket on which somebody answers stays, and so does any other file. */
export async function removeStaleSocket(path: string): Promise<void> {
  const found = await lstat(path).catch(() => undefined);
  if (found?.isSocket() !== true) return;
  const answered = await new Promise<boolean>((resolve) => {
    const probe = connect(path);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', (error) => resolve(!('code' in error) || error.code !== 'ECONNREFUSED'));
  });
  if (!answered) await rm(path);
}
