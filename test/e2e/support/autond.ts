/** The command line as users run it. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';

export interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

export interface RunOptions {
  /** SIGKILL after so many milliseconds, unless it has ended. */
  readonly killAfterMs?: number;
  readonly env?: NodeJS.ProcessEnv;
  /** By default in the repository. */
  readonly cwd?: string;
}

const AUTOND = new URL('../../../node/cli/autond.ts', import.meta.url).pathname;

export async function runAutond(args: readonly string[], options: RunOptions = {}): Promise<Ended> {
  const { killAfterMs, env = {}, cwd } = options;
  const child = spawn(process.execPath, [AUTOND, ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...env },
    ...(cwd === undefined ? {} : { cwd }),
  });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    err += String(chunk);
  });
  const timer = killAfterMs === undefined ? undefined : setTimeout(() => child.kill('SIGKILL'), killAfterMs);
  const [code] = (await once(child, 'close')) as [number | null];
  clearTimeout(timer);
  return { code, out, err };
}

/** Standard output. @throws Error with what was printed when it did not exit 0. */
export async function autond(...args: string[]): Promise<string> {
  const { code, out, err } = await runAutond(args);
  if (code !== 0) throw new Error(`autond ${args.join(' ')}: ${err}`);
  return out;
}

/** What it printed as JSON. */
export async function autondJson<T>(...args: string[]): Promise<T> {
  return JSON.parse(await autond(...args, '-o', 'json')) as T;
}

/** The sentence with which it is refused, exit code 1. */
export async function refusalOf(...args: string[]): Promise<string> {
  const { code, err } = await runAutond(args);
  if (code !== 1) throw new Error(`autond ${args.join(' ')}: exit code ${code}, expected 1`);
  return err;
}
