/** What a mutation is: `mutations.ts` lists them. */

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
