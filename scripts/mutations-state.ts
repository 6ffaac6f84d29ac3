import type { Mutation } from './mutation.ts';

const pruning = (name: string) => ({ project: 'unit', file: 'runtime/state/pruning.test.ts', name }) as const;
const snapshot = (name: string) =>
  ({ project: 'unit', file: 'runtime/state/snapshot/snapshot.test.ts', name }) as const;

/** Of the authenticated store. */
export const stateMutations: readonly Mutation[] = [
  {
    name: 'pruning frees a page with the first of its bottoms',
    file: 'runtime/state/pruning.ts',
    search: 'if (bottoms === 1) {',
    replace: 'if (bottoms >= 1) {',
    test: pruning('what is kept stays bounded under everlasting overwrites'),
  },
  {
    name: 'pruning passes leases',
    file: 'runtime/state/pruning.ts',
    search: 'for (const version of leased) target = minBig(target, version);',
    replace: '',
    test: pruning('a reader of a version that goes gets an error that says so; a lease keeps it'),
  },
  {
    name: 'a view of a pruned version reads on',
    file: 'runtime/state/multistore.ts',
    search: 'if (version !== 0n && version < this.firstVersion) throw',
    replace: 'if (version < 0n) throw',
    test: pruning('a reader of a version that goes gets an error that says so; a lease keeps it'),
  },
  {
    name: 'an import does not compare the app hash',
    file: 'runtime/state/snapshot/import.ts',
    search: 'if (!equal(hash, this.#appHash)) return',
    replace: 'if (hash.length === 0) return',
    test: snapshot('another state'),
  },
  {
    name: 'an unfinished import opens as a state',
    file: 'runtime/state/multistore.ts',
    search: 'if (kv.get(IMPORTING_KEY) !== undefined)',
    replace: 'if (kv.get(IMPORTING_KEY)?.length === 0)',
    test: snapshot('power lost at any write of an import leaves nothing that opens as a state'),
  },
];
