import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';

let project = '';

// A project without dependencies, so that its set-up needs no registry; the script stands for `npm run proto`.
beforeAll(() => {
  project = mkdtempSync(join(tmpdir(), 'autonomy-bootstrap-'));
  mkdirSync(join(project, 'scripts'));
  cpSync(join(import.meta.dirname, 'bootstrap.mjs'), join(project, 'scripts', 'bootstrap.mjs'));
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  writeFileSync(
    join(project, 'package-lock.json'),
    '{ "lockfileVersion": 3, "requires": true, "packages": { "": {} } }\n',
  );
  writeFileSync(
    join(project, 'scripts', 'proto.ts'),
    `const [what, code]: string[] = process.argv.slice(2);
     if (what === 'wait') {
       for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => { console.log('got', signal); process.exit(5); });
       setInterval(() => {}, 1000);
     } else process.exitCode = Number(code);
     console.log('ready', process.env.NODE_COMPILE_CACHE !== undefined);`,
  );
});

afterAll(() => rmSync(project, { recursive: true, force: true }));

interface Run {
  readonly child: ChildProcess;
  readonly output: () => string;
  readonly exitCode: Promise<number | null>;
}

const start = (...args: string[]): Run => {
  const child = spawn(process.execPath, [join(project, 'scripts', 'bootstrap.mjs'), ...args], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let text = '';
  for (const stream of [child.stdout, child.stderr])
    stream?.on('data', (data: Buffer) => {
      text += data.toString();
    });
  return { child, output: () => text, exitCode: once(child, 'close').then(([code]) => code as number | null) };
};

const saysSoon = async (run: Run, words: string): Promise<void> =>
  expect.poll(run.output, { timeout: 15_000 }).toContain(words);

test('the first run installs, the second one starts at once; exit codes pass through', async () => {
  const first = start('proto', 'exit', '3');
  expect(await first.exitCode).toBe(3);
  expect(first.output()).toContain('set-up: installing');
  expect(first.output()).toContain('ready true');
  const stamp = join(project, 'node_modules', '.autonomy-installed');
  const installedAt = statSync(stamp).mtimeMs;
  const second = start('proto', 'exit', '0');
  expect(await second.exitCode).toBe(0);
  expect(second.output()).toBe('ready true\n');
  expect(statSync(stamp).mtimeMs).toBe(installedAt);
});

test('a changed lock is noticed', async () => {
  const lock = join(project, 'package-lock.json');
  writeFileSync(lock, `${readFileSync(lock, 'utf8')}\n`);
  const run = start('proto', 'exit', '0');
  expect(await run.exitCode).toBe(0);
  expect(run.output()).toContain('set-up: installing');
});

test.each(['SIGINT', 'SIGTERM'] as const)('%s reaches the script, and its exit code comes back', async (signal) => {
  const run = start('proto', 'wait');
  await saysSoon(run, 'ready');
  run.child.kill(signal);
  expect(await run.exitCode).toBe(5);
  expect(run.output()).toContain(`got ${signal}`);
});

test('a lock that a dead process left behind does not block', async () => {
  const dead = spawn(process.execPath, ['-e', '']);
  await once(dead, 'exit');
  const lock = join(project, '.cache', 'setup.lock');
  writeFileSync(lock, String(dead.pid));
  expect(await start('proto', 'exit', '0').exitCode).toBe(0);
  expect(existsSync(lock)).toBe(false);
});

test('a second set-up waits for the first', async () => {
  const lock = join(project, '.cache', 'setup.lock');
  writeFileSync(lock, String(process.pid));
  const run = start('proto', 'exit', '0');
  await saysSoon(run, `waiting for the set-up that process ${process.pid} is doing`);
  rmSync(lock);
  expect(await run.exitCode).toBe(0);
});

test('an unknown command and a missing script are clear sentences', async () => {
  const unknown = start('nonsense');
  expect(await unknown.exitCode).toBe(1);
  expect(unknown.output()).toMatch(/^unknown command "nonsense": expected one of start, /);
  const missing = start('bench');
  expect(await missing.exitCode).toBe(1);
  expect(missing.output()).toBe('bench/main.ts is missing: is this a complete checkout?\n');
});
