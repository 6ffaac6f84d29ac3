/** `npm run structure`: what docs/ARCHITECTURE.md promises of the source, checked. Part of check and of test. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import {
  checkManifest,
  checkSources,
  checkWords,
  type Manifest,
  type SourceFile,
  type Violation,
} from './structure-rules.ts';

const skippedFolders = new Set(['node_modules', 'dist', 'out', 'gen', 'assembly']);
const textFile = /\.(ts|mjs|cjs|js|md|proto|json|yaml|toml|sol|html|css|wat)$/;
// The lock is npm's; the check's own examples are what it must find.
const exemptFromWords = new Set(['package-lock.json', 'scripts/structure-check.test.ts']);

const listFiles = (root: string, below = ''): string[] =>
  readdirSync(join(root, below), { withFileTypes: true }).flatMap((entry) => {
    const path = below === '' ? entry.name : `${below}/${entry.name}`;
    if (entry.name.startsWith('.')) return [];
    if (entry.isDirectory()) return skippedFolders.has(entry.name) ? [] : listFiles(root, path);
    return entry.isFile() && textFile.test(entry.name) ? [path] : [];
  });

/** Reads the tree under `root` and applies every rule to it. */
export const checkTree = (root: string): { violations: Violation[]; files: number } => {
  const files: SourceFile[] = listFiles(root).map((path) => ({ path, text: readFileSync(join(root, path), 'utf8') }));
  // AssemblyScript looks like TypeScript and is another language.
  const sources = files.filter(({ path }) => path.endsWith('.ts') && !path.endsWith('.as.ts'));
  const textOf = (path: string): string => files.find((file) => file.path === path)?.text ?? '';
  const manifest = JSON.parse(textOf('package.json')) as Manifest;
  const violations = [
    ...checkSources(sources, manifest),
    ...files.filter((file) => !exemptFromWords.has(file.path)).flatMap(checkWords),
    ...checkManifest(manifest, textOf('docs/dependencies.md')),
  ];
  return { violations, files: sources.length };
};

if (import.meta.main) {
  const { violations, files } = checkTree(resolve(import.meta.dirname, '..'));
  for (const { path, line, rule, message } of violations) console.error(`${path}:${line} [${rule}] ${message}`);
  console.log(
    violations.length === 0
      ? `structure: ${files} files are as they should be`
      : `structure: ${violations.length} violations in ${files} files`,
  );
  process.exitCode = violations.length === 0 ? 0 : 1;
}
