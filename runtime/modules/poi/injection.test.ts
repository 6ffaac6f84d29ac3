import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { CommitInfo, ExtendedCommitInfo } from '#core/abci.ts';
import { concat, EMPTY } from '#core/bytes.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { encodeExtension, type PoiExtension } from '#core/poi/formats.ts';
import type { Duties } from '#core/ports/duties.ts';
import { toRound } from '#core/types/brand.ts';
import { FLAG_ABSENT, FLAG_NIL } from '#core/types/commit.ts';
import { commitInfoOf, commitmentOf, openingOf, PoiChain, type TestValidator } from '#test/support/poi-chain.ts';
import { JobDriver } from '#test/support/poi-jobs.ts';
import { voteExtension } from './extension.ts';
import { decodeInjection, encodeInjection, INJECTION_MAGIC, injection } from './injection.ts';

const chain = new PoiChain({ powers: [40n, 30n, 20n, 10n], balances: {} });
chain.block();
chain.block();
const [a, b, c, d] = chain.validators as [TestValidator, TestValidator, TestValidator, TestValidator];
const said = encodeExtension({ commitments: [{ job: 1n, hash: new Uint8Array(32) }], openings: [] });
/** d was absent; b had nothing to say. */
const honest = chain.extendedCommit(
  new Map([
    [a, said],
    [b, EMPTY],
    [c, said],
  ]),
);

function judge(payload: Uint8Array | undefined, lastCommit: CommitInfo = commitInfoOf(honest), on = chain): string {
  const judged = injection.process(on.proposalContext(), payload, lastCommit);
  return judged.ok ? 'accepted' : judged.error;
}

/** The honest extended commit with one vote changed. */
function changed(index: number, change: Partial<ExtendedCommitInfo['votes'][number]>): ExtendedCommitInfo {
  return { ...honest, votes: honest.votes.map((vote, i) => (i === index ? { ...vote, ...change } : vote)) };
}

describe('a proposal', () => {
  test('with what an honest proposer prepares is accepted', () => {
    const payload = injection.prepare(chain.proposalContext(), honest);
    if (payload === undefined) throw new Error('nothing prepared');
    expect(judge(payload)).toBe('accepted');
  });

  test('with millions of empty votes is refused before they become objects', () => {
    const empties = new Uint8Array(2_000_000).map((_, i) => (i % 2 === 0 ? 0x12 : 0));
    expect(judge(new ProtoWriter().message(1, empties).finish())).toContain('too many fields');
  });

  test('without the injection is refused, and the first block with one', () => {
    expect(judge(undefined)).toBe('injection: missing');
    const fresh = new PoiChain({ powers: [40n, 30n, 20n, 10n], balances: {} });
    const none = { round: toRound(0), votes: [] };
    expect(judge(undefined, none, fresh)).toBe('accepted');
    expect(injection.prepare(fresh.proposalContext(), none)).toBeUndefined();
    expect(judge(encodeInjection(none), none, fresh)).toContain('expected none');
  });

  const first = honest.votes[0];
  const third = honest.votes[2];
  if (first === undefined || third === undefined) throw new Error('four votes');
  const swapped = { ...honest, votes: [honest.votes[1], first, third, honest.votes[3]].filter((v) => v !== undefined) };
  test.each<[string, ExtendedCommitInfo, string]>([
    ['another order', swapped, 'votes[0]: validator'],
    ['a power of its own', changed(0, { validator: { ...first.validator, power: 41n } }), 'votes[0]: power 41'],
    ['another flag', changed(0, { flag: FLAG_NIL, extension: EMPTY, extensionSignature: EMPTY }), 'votes[0]: flag 3'],
    ['an absent one made present', changed(3, { flag: 2, extension: EMPTY }), 'votes[3]: flag 2'],
    ['one vote fewer', { ...honest, votes: honest.votes.slice(0, 3) }, '3 votes, the last commit has 4'],
    ['one vote more', { ...honest, votes: [...honest.votes, first] }, '5 votes, the last commit has 4'],
    ['another round', { ...honest, round: toRound(1) }, 'round 1'],
    ['a changed extension', changed(0, { extension: EMPTY }), 'votes[0]: the signature'],
    ['a forged signature', changed(0, { extensionSignature: third.extensionSignature }), 'votes[0]: the signature'],
    ['no signature', changed(1, { extensionSignature: EMPTY }), 'votes[1]: the signature'],
    ['an extension of an absent validator', changed(3, { extension: said }), 'without a vote'],
  ])('with %s is refused', (_name, extended, sentence) => {
    expect(judge(encodeInjection(extended))).toContain(sentence);
  });

  test('with an extension signed for another height or round is refused', () => {
    const later = new PoiChain({ powers: [40n, 30n, 20n, 10n], balances: {} });
    for (let i = 0; i < 3; i++) later.block();
    expect(judge(encodeInjection(honest), commitInfoOf(honest), later)).toContain('the signature');
    const other = { ...honest, round: toRound(1) };
    expect(judge(encodeInjection(other), commitInfoOf(other))).toContain('the signature');
  });

  test('with powers that both lists forge is refused by the validators in state', () => {
    const forged = changed(0, { validator: { ...first.validator, power: 400n } });
    expect(judge(encodeInjection(forged), commitInfoOf(forged))).toContain('power 400, expected 40');
    const stranger = changed(0, { validator: { address: new Uint8Array(20), power: 40n } });
    expect(judge(encodeInjection(stranger), commitInfoOf(stranger))).toContain('is no validator');
  });

  test('with a signed extension that does not decode is refused', () => {
    const malformed = chain.extendedCommit(new Map([[a, Uint8Array.of(9, 9, 9)]]));
    expect(judge(encodeInjection(malformed), commitInfoOf(malformed))).toContain('version 9');
  });

  test('with bytes that are not the one encoding is refused', () => {
    const payload = encodeInjection(honest);
    expect(judge(concat(payload, Uint8Array.of(0)))).toContain('injection');
    // The field twice: protobuf would merge it.
    expect(judge(concat(payload, payload))).toContain('canonical');
    expect(judge(EMPTY)).toContain('extended_commit: missing');
  });

  test('mutated in any byte is never accepted', () => {
    const payload = encodeInjection(honest);
    fc.assert(
      fc.property(fc.nat(payload.length - 1), fc.integer({ min: 1, max: 255 }), (at, flip) => {
        const mutated = payload.slice();
        mutated[at] = (mutated[at] ?? 0) ^ flip;
        expect(judge(mutated)).not.toBe('accepted');
      }),
      { numRuns: 150 },
    );
  });
});

test('the decoder of injections never throws', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const decoded = decodeInjection(bytes);
      if (!decoded.ok) expect(decoded.error).toContain('injection');
    }),
  );
});

test('no transaction begins like an injection', () => {
  expect(INJECTION_MAGIC.length).toBe(4);
  // Field 1, 2 or 3 of TxRaw, length-delimited.
  expect([0x0a, 0x12, 0x1a]).not.toContain(INJECTION_MAGIC[0]);
});

describe('the vote extension', () => {
  const dutiesOf = (extension: PoiExtension): Duties => ({ extension: () => encodeExtension(extension) });

  test('carries what is due, and leaves out what the chain does not wait for', () => {
    const on = new JobDriver();
    const committing = on.request();
    on.seal(committing);
    const revealing = on.toRevealing();
    const validator = on.validator(0);
    const all = [committing, revealing].map((job) => ({ job, opened: on.truth(job, validator) }));
    const ready: PoiExtension = {
      commitments: all.map(({ job, opened }) => commitmentOf(validator, job, opened)),
      openings: all.map(({ job, opened }) => openingOf(job, opened)),
    };
    const [first, second] = all;
    if (first === undefined || second === undefined) throw new Error('two jobs');
    expect(voteExtension.extend(on.chain.proposalContext(), dutiesOf(ready))).toEqual(
      encodeExtension({
        commitments: [commitmentOf(validator, committing, first.opened)],
        // The opening of a job that is still committing would tell others what to copy.
        openings: [openingOf(revealing, second.opened)],
      }),
    );
  });

  test('is empty when the duties say nothing sensible', () => {
    const nonsense: Duties = { extension: () => Uint8Array.of(1, 2, 3) };
    expect(voteExtension.extend(chain.proposalContext(), nonsense)).toEqual(EMPTY);
  });

  test('is judged by its bytes alone', () => {
    const fresh = new PoiChain({ powers: [1n], balances: {} });
    for (const context of [chain.proposalContext(), fresh.proposalContext()])
      for (const validator of [a.address, new Uint8Array(20)]) {
        expect(voteExtension.verify(context, validator, said)).toBe(true);
        expect(voteExtension.verify(context, validator, EMPTY)).toBe(true);
        expect(voteExtension.verify(context, validator, concat(said, Uint8Array.of(0)))).toBe(false);
        expect(voteExtension.verify(context, validator, new Uint8Array(65_536))).toBe(false);
      }
  });
});

test('execution skips those who did not vote for the block', () => {
  const on = new JobDriver();
  const job = on.request();
  on.seal(job);
  const validator = on.validator(0);
  const extension = encodeExtension({
    commitments: [commitmentOf(validator, job, on.truth(job, validator))],
    openings: [],
  });
  const votes = on.chain.extendedCommit(new Map([[validator, extension]]));
  const absent = { ...votes, votes: votes.votes.map((vote) => ({ ...vote, flag: FLAG_ABSENT }) as const) };
  const events: string[] = [];
  const context = {
    state: on.chain.state.branch(),
    events: { emit: (type: string) => void events.push(type) },
    block: on.chain.blockInfo(),
    chain: on.chain.queryContext().chain,
    lastCommit: { round: toRound(0), votes: [] },
    misbehavior: [],
  };
  expect(injection.apply(context, encodeInjection(absent))).toMatchObject({ ok: true });
  expect(events).toEqual([]);
  expect(injection.apply(context, encodeInjection(votes))).toMatchObject({ ok: true });
  expect(events).toEqual(['verdict_committed']);
  expect(d.power).toBe(10n);
});
