import type { Mutation } from './mutation.ts';

const life = {
  project: 'sim',
  file: 'test/app-sim/app-sim.test.ts',
  name: 'a short life on all applications, with nearly all operations',
} as const;

/** Of the modules, seen by random lives of the whole application alone. */
export const applicationMutations: readonly Mutation[] = [
  {
    name: 'a slashing passes stake that unbonds, and counts it as paid',
    file: 'runtime/modules/staking/slash.ts',
    search: 'if (!isLiable(scope, entry, infraction)) return entry;\n      const due',
    replace: 'if (entry.balance >= 0n) return entry;\n      const due',
    test: life,
  },
  {
    name: 'a transaction that the checks refuse leaves what it wrote',
    file: 'runtime/tx/run.ts',
    search: 'if (!passed.ok) return passed;',
    replace: 'if (!passed.ok) {\n    branch.write();\n    return passed;\n  }',
    test: life,
  },
  {
    name: 'a recheck repeats what the checks have written over an account that has changed since',
    file: 'runtime/tx/carried.ts',
    search: '!equal(account, before)',
    replace: 'false',
    test: {
      project: 'unit',
      file: 'runtime/tx/carried.test.ts',
      name: 'a pass is repeated where parameters and account are the same, and the fee is less than what is there',
    },
  },
  {
    name: 'an export leaves out where rewards go',
    file: 'runtime/modules/distribution/genesis.ts',
    search: 'delegatorWithdrawInfos: [...withdrawAddresses.entries(store)]',
    replace: 'delegatorWithdrawInfos: [...withdrawAddresses.entries(store)].slice(1)',
    test: life,
  },
  {
    name: 'a slashing is not written down for rewards',
    file: 'runtime/modules/staking/slash.ts',
    search: '  beforeValidatorSlashed(scope, validator, effective);\n',
    replace: '',
    test: life,
  },
];
