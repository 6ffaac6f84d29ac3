import { type ChildProcess, spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const AUTOND = fileURLToPath(new URL('../cli/autond.ts', import.meta.url));

export interface ProcessExit {
  /** Undefined when a signal ended it. */
  readonly code: number | undefined;
  readonly signal: string | undefined;
}

/** `autond` as a process of its own. */
export interface NodeProcess {
  readonly pid: number;
  readonly logFile: string;
  readonly exited: Promise<ProcessExit>;
  /** Undefined while it runs. */
  exit(): ProcessExit | undefined;
  kill(signal: NodeJS.Signals): void;
  /** SIGTERM, and SIGKILL when it has not ended after `graceMs`. */
  stop(graceMs?: number): Promise<ProcessExit>;
  /** The last lines of its log. */
  logTail(lines: number): Promise<string>;
}

/** Starts a node on a prepared home. Its output is appended to `node.log` in the home. */
export function spawnNode(home: string, before: readonly string[] = []): NodeProcess {
  return spawnScript(AUTOND, ['start', '--home', home], join(home, 'node.log'), {}, before);
}

/** Starts a command that runs until it is stopped. Its output is appended to the file. */
export function spawnAutond(args: readonly string[], logFile: string, env: NodeJS.ProcessEnv = {}): NodeProcess {
  return spawnScript(AUTOND, args, logFile, env);
}

/**
 * The same for another program than autond.
 * @param before a command that becomes the one that is written behind it, such as `ip netns exec <name>`.
 */
export function spawnScript(
  script: string,
  args: readonly string[],
  logFile: string,
  env: NodeJS.ProcessEnv = {},
  before: readonly string[] = [],
): NodeProcess {
  mkdirSync(dirname(logFile), { recursive: true });
  const log = openSync(logFile, 'a');
  const [command = process.execPath, ...rest] = [...before, process.execPath, script, ...args];
  const child: ChildProcess = spawn(command, rest, {
    // The child's standard input ends with this process, however that ends: see autond.ts.
    stdio: ['pipe', log, log],
    env: { ...process.env, AUTOND_FOLLOW_STDIN: '1', ...env },
    // Ctrl-C in a terminal goes to the whole foreground group: the launcher passes it on, in its own order.
    detached: true,
  });
  closeSync(log);
  let ended: ProcessExit | undefined;
  const exited = new Promise<ProcessExit>((resolve) => {
    const end = (exit: ProcessExit) => {
      ended ??= exit;
      resolve(ended);
    };
    child.on('exit', (code, signal) => end({ code: code ?? undefined, signal: signal ?? undefined }));
    child.on('error', () => end({ code: 1, signal: undefined }));
  });
  return {
    pid: child.pid ?? -1,
    logFile,
    exited,
    exit: () => ended,
    kill: (signal) => {
      child.kill(signal);
    },
    async stop(graceMs = 10_000) {
      if (ended === undefined) child.kill('SIGTERM');
      const timer = setTimeout(() => child.kill('SIGKILL'), graceMs);
      const exit = await exited;
      clearTimeout(timer);
      return exit;
    },
    async logTail(lines) {
      const text = await readFile(logFile, 'utf8').catch(() => '');
      return text
        .split('\n')
        .slice(-lines - 1)
        .join('\n');
    },
  };
}
