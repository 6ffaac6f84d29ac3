/**
 * Safety checks that must not be lost unnoticed. Each is taken out in a copy of the tree (`npm run mutants`), and the
 * named test must then fail. `search` must occur in the file exactly once, so that a mutation cannot go stale.
 */

import type { Mutation } from './mutation.ts';
import { applicationMutations } from './mutations-application.ts';
import { consensusMutations } from './mutations-consensus.ts';
import { poiMutations } from './mutations-poi.ts';
import { stateMutations } from './mutations-state.ts';

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
  ...consensusMutations,
  ...poiMutations,
  ...stateMutations,
  ...applicationMutations,
];
