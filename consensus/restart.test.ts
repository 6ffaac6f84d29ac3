/** What a node is after a crash at the worst moment: the same, whatever led to its own votes. */
import { expect, test } from 'vitest';
import { defined } from '#core/assert.ts';
import { concat } from '#core/bytes.ts';
import { indexOfValidator, proposerOf } from '#core/types/validator-set.ts';
import { PRECOMMIT } from '#core/types/vote.ts';
import type { EngineConfig } from './config.ts';
import type { Input } from './input.ts';
import { createEngine, type EngineState, resume } from './state.ts';
import { step } from './step.ts';
import { fingerprint, Kit } from './test-kit.ts';
import { decodeWal, encodeWalRecord, tailOfWal } from './wal-codec.ts';

test('a lock survives a restart at a height that began without the commit wait', () => {
  const { validators } = new Kit({ validators: 2, self: -1 }).state.chain;
  // Two validators: a decision takes both, so every precommit is in. This one proposes height 1, the other height 2.
  const self = indexOfValidator(validators, proposerOf(validators, 0).address);
  const other = 1 - self;
  const kit = new Kit({ validators: 2, self, config: { skipTimeoutCommit: true } }).fire('new-height');
  const own = kit.state.candidate;
  kit.prevotes(0, own, other).precommits(0, own, other);
  expect(kit.state.height).toBe(2n);
  const { env, chain, lastCommit } = kit.state;
  const seenCommit = defined(lastCommit, 'last commit').toExtendedCommit();
  const since = kit.logged.length;

  kit.fire('new-height');
  const block = kit.block('second');
  kit.propose(block, 0).prevotes(0, block, other);
  expect(kit.state.locked?.round).toBe(0);

  const restarted = createEngine(env, chain, seenCommit);
  for (const input of kit.logged.slice(since)) step(restarted, input);
  expect(fingerprint(restarted)).toBe(fingerprint(kit.state));
});

test('all that led to a signature is on disk before it is made', () => {
  for (let self = 0; self < 4; self++) {
    const kit = new Kit({ self, extensionsFrom: 1n }).fire('new-height');
    const block = kit.state.candidate ?? kit.block('new');
    if (kit.state.candidate === undefined) kit.propose(block, 0);
    kit.prevotes(0, block, ...[0, 1, 2, 3].filter((each) => each !== self));
    let unsynced = false;
    let signed = 0;
    for (const effect of kit.effects) {
      if (effect.kind === 'append-wal') unsynced = true;
      else if (effect.kind === 'sync-wal') unsynced = false;
      else if (effect.kind === 'sign-vote' || effect.kind === 'sign-proposal') {
        expect(unsynced).toBe(false);
        signed++;
      }
    }
    expect(signed).toBeGreaterThan(1);
  }
});

test('a decision of an earlier round makes what this node was about to propose pointless', () => {
  const { validators } = new Kit({ self: -1 }).state.chain;
  const self = indexOfValidator(validators, proposerOf(validators, 1).address);
  const [x = 0, y = 0, z = 0] = [0, 1, 2, 3].filter((each) => each !== self);
  const kit = new Kit({ self }).fire('new-height').fire('propose');
  const { state } = kit;
  const decided = kit.block('of round 0');
  kit.precommits(0, decided, x, y).precommits(0, undefined, self);
  // The engine alone: its questions stay open, as after a restart, when they are all asked anew.
  step(state, { kind: 'timeout', height: state.height, round: state.round, step: 'precommit' });
  expect([...state.awaiting.keys()]).toEqual(['prepare']);
  step(state, { kind: 'vote', vote: kit.vote(PRECOMMIT, z, 0, decided) });
  expect(state.step).toBe('commit');
  kit.send({ kind: 'prepared', height: state.height, round: state.round, txs: [], evidence: [] });
  kit.parts(decided, 0);
  expect(kit.of('commit').map(({ blockId }) => blockId)).toEqual([decided.blockId]);
});

const EMPTY_BLOCKS = [
  { createEmptyBlocks: true, createEmptyBlocksIntervalMs: 0 },
  { createEmptyBlocks: false, createEmptyBlocksIntervalMs: 0 },
  { createEmptyBlocks: false, createEmptyBlocksIntervalMs: 5_000 },
] as const;

/** At the beginning of height 3, where a node that makes no empty blocks waits for transactions. */
function atHeight3(self: number, config: Partial<EngineConfig>): Kit {
  const kit = new Kit({ self, config }).fire('new-height');
  while (kit.state.height < 3n) {
    const block = kit.state.candidate ?? kit.block('before');
    const others = [0, 1, 2, 3].filter((index) => index !== self);
    if (kit.state.proposal === undefined) kit.propose(block, 0);
    kit.prevotes(0, block, ...others.slice(1)).precommits(0, block, ...others.slice(1));
    if (kit.state.height < 3n) kit.fire('new-height');
  }
  return kit;
}

/** What a node is after a restart, its timers aside: those go by the configuration of today. */
function restarted({ env, chain }: EngineState, kit: Kit, config: Partial<EngineConfig>, inputs: readonly Input[]) {
  const seen = defined(kit.state.lastCommit, 'last commit').toExtendedCommit();
  const engine = createEngine({ ...env, config: { ...env.config, ...config } }, chain, seen);
  const bytes = inputs.map((input) => {
    if (input.kind === 'committed') throw new Error('never logged');
    return encodeWalRecord({ kind: 'input', input });
  });
  const content = decodeWal(concat(...bytes));
  if (!content.ok) throw new Error(content.error);
  for (const input of tailOfWal(content.value.records).inputs) step(engine, input);
  return engine;
}

const timeless = (state: EngineState) => ({ ...JSON.parse(fingerprint(state)), timers: undefined });

test('a round is rebuilt exactly, whatever the configuration says of empty blocks by then', () => {
  let waited = 0;
  for (const before of EMPTY_BLOCKS)
    for (const after of EMPTY_BLOCKS)
      for (let self = 0; self < 4; self++) {
        const kit = atHeight3(self, before);
        const since = kit.logged.length;
        const others = [0, 1, 2, 3].filter((index) => index !== self);
        const check = () => {
          const again = restarted(kit.state, kit, after, kit.logged.slice(since));
          expect(timeless(again)).toEqual(timeless(kit.state));
          return again;
        };
        check();
        kit.fire('new-height');
        const again = check();
        if (kit.state.step === 'new-round') {
          waited++;
          // Whoever now wants empty blocks begins the round at once; whoever has an interval waits no longer than it.
          const timer = resume(again).find((effect) => effect.kind === 'schedule-timeout');
          expect(timer?.durationMs).toBe(after.createEmptyBlocks ? 0 : after.createEmptyBlocksIntervalMs || undefined);
          kit.send({ kind: 'txs-available', height: kit.state.height });
          check();
        }
        const block = kit.state.candidate ?? kit.block('of height 3');
        if (kit.state.proposal === undefined) kit.propose(block, 0);
        kit.prevotes(0, block, ...others.slice(0, 2));
        expect(kit.state.locked?.round).toBe(0);
        check();
        kit.precommits(0, undefined, ...others.slice(0, 2)).fire('precommit');
        expect(kit.state.round).toBe(1);
        check();
      }
  expect(waited).toBe(24);
});
