/** What keeps a validator from forking the chain or signing twice. */
import type { Mutation } from './mutation.ts';

export const consensusMutations: readonly Mutation[] = [
  {
    name: 'a locked validator prevotes another new block',
    file: 'consensus/rules.ts',
    search: 'return state.locked === undefined || isCandidate(state.locked.candidate, candidate.blockId);',
    replace: 'return true;',
    test: {
      project: 'unit',
      file: 'consensus/step.test.ts',
      name: 'line 23: whoever is locked on a block does not prevote another new one',
    },
  },
  {
    name: 'a proof of lock older than the lock frees it',
    file: 'consensus/rules.ts',
    search: 'return locked.round <= proposal.polRound || isCandidate(locked.candidate, candidate.blockId);',
    replace: 'return true;',
    test: {
      project: 'unit',
      file: 'consensus/step.test.ts',
      name: 'line 29: a proof of lock from before the lock does not free it',
    },
  },
  {
    name: 'the application judges a second block of the round',
    file: 'consensus/rules.ts',
    search: 'judgeByPolka(state, candidate, out);',
    replace: 'judge(state, candidate, out);',
    test: {
      project: 'unit',
      file: 'consensus/hostile-proposer.test.ts',
      name: 'two proposals of one round: the application judges the first, a polka makes the second valid',
    },
  },
  {
    name: 'a node claims any prevote of an equivocator as part of a proof of lock',
    file: 'consensus/state.ts',
    search: 'state.votes.prevotes(polRound).bitsFor(proposal.blockId)',
    replace: 'state.votes.prevotes(polRound).bits()',
    test: {
      project: 'unit',
      file: 'consensus/gossip.test.ts',
      name: 'a proof of lock reaches a peer whom an equivocator showed another prevote of that round',
    },
  },
  {
    name: 'the WAL is not synced before a vote leaves',
    file: 'node/driver/executor.ts',
    search: 'return wal.sync();',
    replace: 'return;',
    test: {
      project: 'sim',
      file: 'test/sim/executor.test.ts',
      name: 'the WAL is synced before anything that this node signed leaves',
    },
  },
  {
    name: 'the engine does not ask for the sync before it publishes its vote',
    file: 'consensus/step.ts',
    search: "out.push({ kind: 'sync-wal' }, { kind: 'publish', message: { kind: 'vote', vote } });",
    replace: "out.push({ kind: 'publish', message: { kind: 'vote', vote } });",
    test: {
      project: 'unit',
      file: 'consensus/step.test.ts',
      name: 'the log is synced before anything this node signed leaves',
    },
  },
  {
    name: 'the signer signs something else at a place it has signed',
    file: 'consensus/last-sign.ts',
    search: 'if (!equal(request.timelessBytes, last.timelessBytes))',
    replace: 'if (request.timelessBytes.length === 0)',
    test: {
      project: 'unit',
      file: 'consensus/last-sign.test.ts',
      name: 'the same place: other bytes are refused',
    },
  },
  {
    name: 'the signer goes back to an earlier place',
    file: 'consensus/last-sign.ts',
    search: 'if (order < 0)',
    replace: 'if (order < -1_000)',
    test: {
      project: 'unit',
      file: 'consensus/last-sign.test.ts',
      name: 'an earlier place is refused',
    },
  },
  {
    name: 'a new block may name another proposer',
    file: 'consensus/rules.ts',
    search: 'if (!equal(candidate.block.header.proposerAddress, proposer.address)) {',
    replace: 'if (proposer.address.length === 0) {',
    test: {
      project: 'unit',
      file: 'consensus/step.test.ts',
      name: 'proposer binding: a new block that names another proposer',
    },
  },
  {
    name: 'a signer answers two calls at once',
    file: 'node/driver/guarded-signer.ts',
    search: 'const signed = turn.then(() => signNow(...request));',
    replace: 'const signed = signNow(...request);',
    test: {
      project: 'unit',
      file: 'node/driver/guarded-signer.test.ts',
      name: 'two calls at once for one place: the second is refused, whatever the disk takes',
    },
  },
  {
    name: 'addresses are taken from whoever sends them',
    file: 'node/p2p/peer-exchange.ts',
    search: 'if (asked === undefined || asked < 0)',
    replace: 'if (asked === now + 1)',
    test: {
      project: 'unit',
      file: 'node/p2p/peers.test.ts',
      name: 'too many addresses, answers not asked for and requests too early are held against a peer',
    },
  },
  {
    name: 'the lock rule, by exhaustive search',
    file: 'consensus/rules.ts',
    search: 'return state.locked === undefined || isCandidate(state.locked.candidate, candidate.blockId);',
    replace: 'return true;',
    test: {
      project: 'sim',
      file: 'test/sim/search/search.test.ts',
      name: 'no order of messages within the bounds makes a fork, breaks a lock or votes twice',
    },
  },
];
