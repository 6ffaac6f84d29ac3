/**
 * The rules of the structure check, over files in memory: whoever changes a rule finds its failing and its passing
 * example in structure-check.test.ts.
 */
import { builtinModules } from 'node:module';
import { dirname, join, normalize } from 'node:path/posix';
import { parseSync } from 'oxc-parser';
import { bannedTokens } from './banned-tokens.ts';
import { type Import, type Layer, layers } from './layers.ts';
import { isNode, type Node, walk } from './syntax.ts';

export interface SourceFile {
  /** Below the project root, with `/`. */
  readonly path: string;
  readonly text: string;
}

export interface Manifest {
  readonly dependencies?: Readonly<Record<string, string>>;
  readonly devDependencies?: Readonly<Record<string, string>>;
  readonly optionalDependencies?: Readonly<Record<string, string>>;
  readonly overrides?: Readonly<Record<string, unknown>>;
}

export interface Violation {
  readonly path: string;
  /** From 1. */
  readonly line: number;
  readonly rule: string;
  readonly message: string;
}

interface Reference {
  readonly specifier: string;
  readonly offset: number;
}

export const isTestFile = (path: string): boolean => path.endsWith('.test.ts');

const layerOf = (path: string): Layer | undefined => {
  const slash = path.indexOf('/');
  return slash < 0 ? undefined : layers.find((layer) => layer.name === path.slice(0, slash));
};

const lineAt = (text: string, offset: number): number => {
  let line = 1;
  for (let at = text.indexOf('\n'); at >= 0 && at < offset; at = text.indexOf('\n', at + 1)) line++;
  return line;
};

const builtins = new Set(builtinModules);
const isBuiltin = (specifier: string): boolean => specifier.startsWith('node:') || builtins.has(specifier);

const packageOf = (specifier: string): string =>
  specifier
    .split('/')
    .slice(0, specifier.startsWith('@') ? 2 : 1)
    .join('/');

const packageAllowed = (name: string, allowed: readonly string[]): boolean =>
  allowed.some((pattern) => (pattern.endsWith('/*') ? name.startsWith(pattern.slice(0, -1)) : name === pattern));

const importAllowed = (imports: readonly Import[], target: string): boolean => {
  const [layer = ''] = target.split('/');
  const below = target.slice(layer.length + 1);
  return imports.some((allowed) =>
    typeof allowed === 'string'
      ? allowed === layer
      : allowed.layer === layer &&
        allowed.only.some((prefix) => below === `${prefix}.ts` || below.startsWith(`${prefix}/`)),
  );
};

/** Every module that a file names: import, export from, `import()` and `import('…').Type`. */
const referencesOf = (program: Node): Reference[] => {
  const found: Reference[] = [];
  walk(program, (node) => {
    const { source } = node;
    if (!isNode(source) || source.type !== 'Literal' || typeof source.value !== 'string') return;
    if (/^(Import|Export|TSImportType)/.test(node.type)) found.push({ specifier: source.value, offset: source.start });
  });
  return found;
};

const declaredPackages = (manifest: Manifest): Record<string, string> => ({
  ...manifest.dependencies,
  ...manifest.devDependencies,
  ...manifest.optionalDependencies,
});

const isReexport = (statement: Node): boolean =>
  statement.type === 'ExportAllDeclaration' ||
  (statement.type === 'ExportNamedDeclaration' && isNode(statement.source));

/** The conformance door is one file by its purpose: an outside suite imports it alone. */
const doors: readonly string[] = ['test/vectors/subject.ts'];

const barrelProblem = (path: string, program: Node): string | undefined => {
  if (doors.includes(path)) return undefined;
  const body = Array.isArray(program.body) ? program.body.filter(isNode) : [];
  if (path.endsWith('/index.ts')) return 'index.ts is a barrel by name: name the file for what it has';
  if (body.some((statement) => statement.type === 'ExportAllDeclaration'))
    return '`export * from` hides where things come from: import from the file that has them';
  if (body.length > 0 && body.every(isReexport))
    return 'the file only re-exports: import from the files that have the things';
  return undefined;
};

interface ImportContext {
  readonly file: SourceFile;
  readonly layer: Layer;
  readonly test: boolean;
  readonly declared: Readonly<Record<string, string>>;
}

/** What is wrong with one import, as [rule, message]; undefined when nothing is. */
const importProblem = (context: ImportContext, specifier: string): readonly [string, string] | undefined => {
  const { file, layer, test, declared } = context;
  if (specifier.startsWith('.')) {
    const target = normalize(join(dirname(file.path), specifier));
    if (layerOf(target)?.name !== layer.name)
      return ['paths', `"${specifier}" leaves the layer ${layer.name}: write it as #layer/path.ts`];
    if (!/\.(ts|mjs|json)$/.test(specifier)) return ['paths', `"${specifier}": a relative import ends in .ts`];
    return undefined;
  }
  if (specifier.startsWith('#')) {
    const target = specifier.slice(1);
    const targetLayer = layerOf(target);
    if (targetLayer === undefined) return ['paths', `"${specifier}" names no layer`];
    // test, bench and scripts are collections of things beside each other rather than one layer.
    if (targetLayer.name === layer.name && layer.imports !== 'all')
      return ['paths', `"${specifier}" is in the same layer: write it as a relative path`];
    if (!/\.(ts|json)$/.test(specifier)) return ['paths', `"${specifier}": an import across layers ends in .ts`];
    if (layer.imports === 'all' || (test && targetLayer.name === 'test')) return undefined;
    const extra = layer.extra?.[file.path.slice(layer.name.length + 1)] ?? [];
    if (importAllowed([...layer.imports, ...extra], target)) return undefined;
    return ['layers', `${layer.name} may not import "${specifier}" (scripts/layers.ts)`];
  }
  if (isBuiltin(specifier)) {
    if (layer.nodeBuiltins || test) return undefined;
    return ['builtins', `${layer.name} may not use the Node built-in "${specifier}": it runs in a browser as it is`];
  }
  const name = packageOf(specifier);
  if (!Object.hasOwn(declared, name)) return ['packages', `"${name}" is not declared in package.json`];
  if (layer.packages === 'any' || test || packageAllowed(name, layer.packages)) return undefined;
  return ['packages', `${layer.name} may not use the package "${name}" (scripts/layers.ts)`];
};

/** Each import cycle once, as the files along it. */
export const findCycles = (graph: ReadonlyMap<string, readonly string[]>): string[][] => {
  const cycles: string[][] = [];
  const done = new Set<string>();
  const path: string[] = [];
  const visit = (file: string): void => {
    const start = path.indexOf(file);
    if (start >= 0) {
      cycles.push([...path.slice(start), file]);
      return;
    }
    if (done.has(file)) return;
    path.push(file);
    for (const next of graph.get(file) ?? []) visit(next);
    path.pop();
    done.add(file);
  };
  for (const file of graph.keys()) visit(file);
  return cycles;
};

const resolveReference = (from: string, specifier: string): string | undefined => {
  if (specifier.startsWith('.')) return normalize(join(dirname(from), specifier));
  return specifier.startsWith('#') ? specifier.slice(1) : undefined;
};

// Put together, so that this file does not have the words it looks for.
const unfinished = new RegExp(`\\b(${['TO' + 'DO', 'FIX' + 'ME', 'XX' + 'X'].join('|')})\\b`, 'g');
const focused = /\b(?:test|it|describe|suite|bench)(?:\.\w+)*\.(only|skip|todo)\(/g;

/** Words that say that something is not finished, in any text file. */
export const checkWords = (file: SourceFile): Violation[] => {
  const found: Violation[] = [];
  const report = (rule: string, message: string, offset: number): void => {
    found.push({ path: file.path, line: lineAt(file.text, offset), rule, message });
  };
  for (const match of file.text.matchAll(unfinished))
    report('words', `"${match[1]}": finish it, or write down what is missing where users look`, match.index);
  if (/\.[mc]?[jt]s$/.test(file.path))
    for (const match of file.text.matchAll(focused)) report('words', `.${match[1]}( leaves tests out`, match.index);
  return found;
};

const checkFile = (
  file: SourceFile,
  declared: Readonly<Record<string, string>>,
): { violations: Violation[]; targets: string[] } => {
  const violations: Violation[] = [];
  const report = (rule: string, message: string, offset: number): void => {
    violations.push({ path: file.path, line: lineAt(file.text, offset), rule, message });
  };
  const { program: parsed, errors } = parseSync(file.path, file.text, { lang: 'ts', sourceType: 'module' });
  const program = parsed as unknown as Node;
  for (const error of errors) report('syntax', error.message, error.labels[0]?.start ?? 0);
  const references = referencesOf(program);
  const layer = layerOf(file.path);
  const test = isTestFile(file.path);
  const targets = references.flatMap(({ specifier }) => resolveReference(file.path, specifier) ?? []);
  if (layer === undefined) {
    if (file.path.includes('/'))
      report('layers', `the folder ${file.path.split('/')[0]} is no layer (scripts/layers.ts)`, 0);
    return { violations, targets };
  }
  for (const { specifier, offset } of references) {
    const problem = importProblem({ file, layer, test, declared }, specifier);
    if (problem) report(problem[0], problem[1], offset);
  }
  const barrel = barrelProblem(file.path, program);
  if (barrel) report('barrels', barrel, 0);
  if (test && file.text.includes('vi.mock(') && !file.path.endsWith('.mocked.test.ts'))
    report('mocked', 'replaces a module: name the file *.mocked.test.ts, so that it has a process of its own', 0);
  if (!test) for (const token of bannedTokens(layer, file.path, program)) report('tokens', token.message, token.offset);
  return { violations, targets };
};

/** Layers, paths, packages, built-ins, barrels, banned tokens, names of tests and cycles of the TypeScript files. */
export const checkSources = (files: readonly SourceFile[], manifest: Manifest): Violation[] => {
  const declared = declaredPackages(manifest);
  const known = new Set(files.map((file) => file.path));
  const graph = new Map<string, readonly string[]>();
  const violations: Violation[] = [];
  for (const file of files) {
    const checked = checkFile(file, declared);
    violations.push(...checked.violations);
    graph.set(
      file.path,
      checked.targets.filter((target) => known.has(target)),
    );
  }
  for (const cycle of findCycles(graph))
    violations.push({ path: cycle[0] ?? '', line: 1, rule: 'cycles', message: `import cycle: ${cycle.join(' → ')}` });
  return violations;
};

const exactVersion = /^\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$/;

const pinProblems = (name: string, pin: unknown): string[] => {
  if (typeof pin === 'string')
    return exactVersion.test(pin) || pin.startsWith('$')
      ? []
      : [`"${name}": "${pin}" is no exact version (expected 1.2.3)`];
  return Object.entries(pin as Record<string, unknown>).flatMap(([inner, value]) =>
    pinProblems(`${name} > ${inner}`, value),
  );
};

/** Exact pins, and one line in docs/dependencies.md for each dependency and for nothing else. */
export const checkManifest = (manifest: Manifest, dependencyPage: string): Violation[] => {
  const declared = declaredPackages(manifest);
  const violations: Violation[] = [];
  for (const [name, pin] of [...Object.entries(declared), ...Object.entries(manifest.overrides ?? {})])
    for (const message of pinProblems(name, pin))
      violations.push({ path: 'package.json', line: 1, rule: 'pins', message });
  const documented = new Map(
    [...dependencyPage.matchAll(/^\|\s*`([^`]+)`\s*\|(.*)$/gm)].map((match) => [match[1] ?? '', match]),
  );
  const page = 'docs/dependencies.md';
  for (const name of Object.keys(declared))
    if (!documented.has(name))
      violations.push({ path: page, line: 1, rule: 'dependencies', message: `no line for "${name}"` });
  for (const [name, match] of documented) {
    if (!Object.hasOwn(declared, name)) {
      const line = lineAt(dependencyPage, match.index);
      violations.push({ path: page, line, rule: 'dependencies', message: `"${name}" is no dependency any more` });
    }
  }
  return violations;
};
