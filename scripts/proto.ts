/**
 * `npm run proto` writes proto/gen from the .proto files, offline; `npm run proto -- --check` fails when the committed
 * files are not, byte for byte, what the .proto files give.
 */
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';

const root = resolve(import.meta.dirname, '..');

/** Relative path → content of every file below `folder`; empty when there is no such folder. */
const readTree = (folder: string): Map<string, string> => {
  const tree = new Map<string, string>();
  let entries: string[] = [];
  try {
    entries = readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return tree;
  }
  for (const path of entries.sort()) tree.set(path.slice(folder.length + 1), readFileSync(path, 'utf8'));
  return tree;
};

/** One line for each file that is missing, left over or different. Empty when the trees are equal. */
export const compareTrees = (committed: ReadonlyMap<string, string>, fresh: ReadonlyMap<string, string>): string[] => [
  ...[...fresh.keys()].filter((path) => !committed.has(path)).map((path) => `${path} is not committed`),
  ...[...committed.keys()].filter((path) => !fresh.has(path)).map((path) => `${path} comes from no .proto file`),
  ...[...fresh]
    .filter(([path, text]) => committed.has(path) && committed.get(path) !== text)
    .map(([path]) => `${path} differs`),
];

/** Generates below `outFolder`; throws with buf's message when the .proto files do not compile. */
const generate = (outFolder: string): void => {
  const bin = join(root, 'node_modules', '.bin');
  const result = spawnSync(
    join(bin, 'buf'),
    ['generate', 'proto', '--template', 'proto/buf.gen.yaml', '--output', outFolder],
    {
      cwd: root,
      encoding: 'utf8',
      env: { ...process.env, PATH: [bin, dirname(process.execPath), process.env.PATH ?? ''].join(delimiter) },
    },
  );
  if (result.error) throw result.error;
  if (result.status !== 0) throw new Error(`buf generate failed:\n${result.stderr}${result.stdout}`);
};

const check = (): number => {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-proto-'));
  try {
    generate(folder);
    const fresh = readTree(join(folder, 'gen'));
    const problems = compareTrees(readTree(join(root, 'proto', 'gen')), fresh);
    for (const problem of problems) console.error(`proto/gen/${problem}`);
    console.log(
      problems.length === 0
        ? `proto: ${fresh.size} generated files are up to date`
        : `proto: ${problems.length} files are out of date: run \`npm run proto\` and commit`,
    );
    return problems.length === 0 && fresh.size > 0 ? 0 : 1;
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
};

if (import.meta.main) {
  try {
    if (process.argv.includes('--check')) process.exitCode = check();
    else generate(join(root, 'proto'));
  } catch (error) {
    console.error(error instanceof Error ? error.message : String(error));
    process.exitCode = 1;
  }
}
