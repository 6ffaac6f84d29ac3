import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Application } from './abci.ts';
import { createGrammarChecker, type GrammarCall, withGrammar } from './abci-grammar.ts';
import { EMPTY } from './bytes.ts';
import { toHeight, toRound } from './types/brand.ts';
import { ZERO_TIME } from './types/timestamp.ts';

const info = (lastBlockHeight: bigint): GrammarCall => ({ kind: 'info', lastBlockHeight });
const init: GrammarCall = { kind: 'init-chain', initialHeight: 1n };
const offer: GrammarCall = { kind: 'offer-snapshot' };
const chunk: GrammarCall = { kind: 'apply-snapshot-chunk' };
const commit: GrammarCall = { kind: 'commit' };
const at = (
  kind: 'prepare-proposal' | 'process-proposal' | 'extend-vote' | 'verify-vote-extension' | 'finalize-block',
  height: bigint,
): GrammarCall => ({ kind, height });
const extend = (height: bigint, round: number): GrammarCall => ({ kind: 'extend-vote', height, round });

function run(...calls: readonly GrammarCall[]): string | undefined {
  const checker = createGrammarChecker();
  for (const call of calls) checker.call(call);
  return checker.violation;
}

test('what CometBFT does: a clean start, two heights, a proposer and a follower', () => {
  expect(
    run(
      info(0n),
      init,
      at('prepare-proposal', 1n),
      at('process-proposal', 1n),
      at('verify-vote-extension', 1n),
      extend(1n, 0),
      at('verify-vote-extension', 1n),
      at('finalize-block', 1n),
      commit,
      at('verify-vote-extension', 2n),
      at('process-proposal', 2n),
      extend(2n, 0),
      info(1n),
      at('finalize-block', 2n),
      commit,
    ),
  ).toBeUndefined();
});

test('replay decides heights without any round; a recovery goes on after the height that was told', () => {
  expect(run(info(7n), at('finalize-block', 8n), commit, at('finalize-block', 9n), commit)).toBeUndefined();
  expect(run(info(7n), at('finalize-block', 7n))).toContain('expected height 8');
});

test('state sync: attempts, a success that ends with info, then the height after the snapshot', () => {
  expect(run(init, offer, offer, chunk, offer, chunk, chunk, info(40n), at('process-proposal', 41n))).toBeUndefined();
  expect(run(init, offer, chunk, info(40n), at('process-proposal', 40n))).toContain('expected height 41');
  expect(run(init, chunk)).toContain('after offer-snapshot');
  expect(run(init, offer, at('process-proposal', 1n))).toContain('during state sync');
  expect(run(init, at('process-proposal', 1n), offer)).toContain('right after init-chain');
});

test.each<[string, string, GrammarCall[]]>([
  ['a block before genesis', 'at the start', [at('finalize-block', 1n)]],
  ['a block for an application without genesis', 'told height 0', [info(0n), at('finalize-block', 1n)]],
  ['genesis twice', 'after the start', [init, init]],
  ['genesis for a chain that runs', 'at height 3', [info(3n), init]],
  ['commit without a decision', 'not decided', [init, commit]],
  ['commit twice', 'not decided', [init, at('finalize-block', 1n), commit, commit]],
  ['two decisions', 'before the commit', [init, at('finalize-block', 1n), at('finalize-block', 1n)]],
  ['a vote between decision and commit', 'before the commit', [init, at('finalize-block', 1n), extend(1n, 0)]],
  ['a height left out', 'expected height 2', [init, at('finalize-block', 1n), commit, at('finalize-block', 3n)]],
  ['a vote of the height before', 'expected height 2', [init, at('finalize-block', 1n), commit, extend(1n, 0)]],
  ['two extensions of one round', 'until round 1', [init, extend(1n, 0), extend(1n, 0)]],
  [
    'two blocks judged in round 0',
    'until round 1',
    [init, at('process-proposal', 1n), at('process-proposal', 1n), extend(1n, 0)],
  ],
  ['a round that falls back', 'until round 3', [init, extend(1n, 2), extend(1n, 1)]],
])('%s', (_name, sentence, calls) => {
  expect(run(...calls)).toContain(sentence);
});

test('the first violation stays', () => {
  const checker = createGrammarChecker();
  checker.call(commit);
  const first = checker.violation;
  expect(first).toBeDefined();
  expect(checker.call(init)).toBe(first);
});

/** Draws words of the grammar itself. */
const word = fc
  .record({
    initialHeight: fc.bigInt(1n, 9n),
    heights: fc.array(
      fc.array(fc.record({ votes: fc.nat(2), prepare: fc.boolean(), process: fc.boolean(), extend: fc.boolean() }), {
        maxLength: 3,
      }),
      { maxLength: 4 },
    ),
  })
  .map(({ initialHeight, heights }) => {
    const calls: GrammarCall[] = [{ kind: 'init-chain', initialHeight }];
    heights.forEach((rounds, i) => {
      const height = initialHeight + BigInt(i);
      rounds.forEach(({ votes, prepare, process, extend: extends_ }, round) => {
        if (prepare) calls.push({ kind: 'prepare-proposal', height, round });
        for (let vote = 0; vote < votes; vote++) calls.push(at('verify-vote-extension', height));
        if (process) calls.push({ kind: 'process-proposal', height, round });
        if (extends_) calls.push({ kind: 'extend-vote', height, round });
      });
      calls.push(at('finalize-block', height), commit);
    });
    return calls;
  });

test('every word of the grammar passes, and no block may be lost from it', () => {
  fc.assert(fc.property(word, (calls) => run(...calls) === undefined));
  fc.assert(
    fc.property(word, fc.nat(), (calls, pick) => {
      const decisions = calls.flatMap((call, i) =>
        call.kind === 'finalize-block' || call.kind === 'commit' ? [i] : [],
      );
      fc.pre(decisions.length > 0);
      const lost = decisions[pick % decisions.length];
      const rest = calls.filter((_, i) => i !== lost);
      // A word may end anywhere: without its last commit it is one still.
      return run(...rest) !== undefined || lost === calls.length - 1;
    }),
  );
});

test('an application in a checker is called as before, and each call out of order is told before it is made', async () => {
  const made: string[] = [];
  const told: string[] = [];
  const app = withGrammar(recorder(made), createGrammarChecker(), (sentence) =>
    told.push(`${made.length}: ${sentence}`),
  );
  const block = { height: toHeight(1), time: ZERO_TIME, nextValidatorsHash: EMPTY, proposerAddress: EMPTY };
  const proposal = {
    ...block,
    misbehavior: [],
    txs: [],
    hash: EMPTY,
    proposedLastCommit: { round: toRound(0), votes: [] },
  };
  app.info();
  app.initChain({ initialHeight: toHeight(1) } as Parameters<Application['initChain']>[0]);
  app.processProposal(proposal);
  app.extendVote({ ...proposal, round: toRound(0) });
  app.finalizeBlock({ ...proposal, decidedLastCommit: proposal.proposedLastCommit });
  await app.commit();
  expect(told).toEqual([]);
  expect(made).toEqual(['info', 'initChain', 'processProposal', 'extendVote', 'finalizeBlock', 'commit']);
  await app.commit();
  expect(told).toEqual(['6: ABCI grammar: commit in height 2, which is not decided']);
  expect(made).toHaveLength(7);
});

/** Notes the calls; answers only what the checker reads. */
function recorder(made: string[]): Application {
  return new Proxy({} as Application, {
    get: (_target, name) => () => {
      made.push(String(name));
      return { lastBlockHeight: 0n };
    },
  });
}
