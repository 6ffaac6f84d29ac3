/**
 * Safety checks that must not be lost unnoticed. Each is taken out in a copy of the tree (`npm run mutants`), and the
 * named test must then fail. `search` must occur in the file exactly once, so that a mutation cannot go stale.
 */

export interface NamedTest {
  /** Project of vitest.config.ts. */
  readonly project: 'unit' | 'vectors' | 'sim' | 'e2e' | 'fuzz';
  readonly file: string;
  /** Full name or a part of it; exactly the tests with it are run. */
  readonly name: string;
}

export interface Mutation {
  readonly name: string;
  readonly file: string;
  readonly search: string;
  readonly replace: string;
  readonly test: NamedTest;
}

export const mutations: readonly Mutation[] = [
  {
    name: 'the structure check forgets the layer table',
    file: 'scripts/structure-rules.ts',
    search: 'if (importAllowed([...layer.imports, ...extra], target)) return undefined;',
    replace: 'return undefined;',
    test: {
      project: 'unit',
      file: 'scripts/structure-check.test.ts',
      name: 'layers: consensus does not see the runtime',
    },
  },
];
