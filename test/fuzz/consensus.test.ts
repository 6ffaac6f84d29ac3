/** What peers and a damaged disk can put before consensus: decoded or refused with a sentence, never anything else. */
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { decodeLastSign, encodeLastSign, SIGN_STEP } from '#consensus/last-sign.ts';
import { decodePeerMessage, encodePeerMessage } from '#consensus/messages.ts';
import { roundStatus } from '#consensus/state.ts';
import { GENESIS_TIME, Kit } from '#consensus/test-kit.ts';
import { decodeWal, encodeWalRecord } from '#consensus/wal-codec.ts';
import type { Result } from '#core/result.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { PRECOMMIT } from '#core/types/vote.ts';
import { decodeSnapshotMessage, encodeSnapshotMessage } from '#node/statesync/messages.ts';
import { duplicateVote } from '../arbitrary/block.ts';
import { fuzzRuns } from './runs.ts';

const kit = new Kit({ extensionsFrom: 1n }).fire('new-height');
const block = kit.state.candidate ?? kit.block('a');
kit.propose(block, 0).prevotes(0, block, 1, 2);
const height = toHeight(1n);

const messages = [
  encodePeerMessage({ kind: 'proposal', proposal: kit.proposal(block, 2, 1) }),
  encodePeerMessage({ kind: 'vote', vote: kit.vote(PRECOMMIT, 1, 0, block, 'extension') }),
  encodePeerMessage({ kind: 'status', status: roundStatus(kit.state, height) }),
  encodePeerMessage({ kind: 'block-request', height }),
  ...fc.sample(duplicateVote, 3).map((evidence) => encodePeerMessage({ kind: 'evidence', evidence })),
  ...block.parts.parts.map((part) => encodePeerMessage({ kind: 'block-part', height, round: toRound(0), part })),
];
const place = { height: 40n, format: 1, index: 2 };
const snapshot = { height: 40n, format: 1, chunks: 3, hash: new Uint8Array(32), metadata: new Uint8Array(96) };
const snapshotMessages = [
  encodeSnapshotMessage({ kind: 'snapshots-request' }),
  encodeSnapshotMessage({ kind: 'snapshots-response', snapshots: [snapshot, { ...snapshot, height: 30n }] }),
  encodeSnapshotMessage({ kind: 'chunk-request', ...place }),
  encodeSnapshotMessage({ kind: 'chunk-response', ...place, chunk: new Uint8Array(50) }),
  encodeSnapshotMessage({ kind: 'chunk-response', ...place, chunk: undefined }),
];
const log = kit.logged
  .filter((input) => input.kind !== 'committed')
  .map((input) => encodeWalRecord({ kind: 'input', input }));
const lastSign = encodeLastSign({
  height: 5n,
  round: 1,
  step: SIGN_STEP.prevote,
  timestamp: GENESIS_TIME,
  timelessBytes: new Uint8Array(40),
  signature: new Uint8Array(64),
});

const TARGETS: [string, readonly Uint8Array[], (bytes: Uint8Array) => Result<unknown, string>][] = [
  ['peer message', messages, decodePeerMessage],
  ['snapshot message', snapshotMessages, decodeSnapshotMessage],
  ['write-ahead log', log, decodeWal],
  ['last-sign state', [lastSign], decodeLastSign],
];

/** Up to five edits of one byte or of the length. */
const edits = fc.array(fc.record({ at: fc.nat(), to: fc.integer({ min: 0, max: 255 }), cut: fc.boolean() }), {
  maxLength: 5,
});

describe.each(TARGETS)('%s', (_, seeds, decode) => {
  test('mutated', () => {
    fc.assert(
      fc.property(fc.constantFrom(...seeds), edits, (seed, changes) => {
        let bytes = seed.slice();
        for (const { at, to, cut } of changes) {
          if (bytes.length === 0) break;
          if (cut) bytes = bytes.slice(0, at % bytes.length);
          else bytes[at % bytes.length] = to;
        }
        const result = decode(bytes);
        if (!result.ok) expect(result.error).toMatch(/\w/);
      }),
      { numRuns: fuzzRuns() },
    );
  });

  test('random', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
        expect(typeof decode(bytes).ok).toBe('boolean');
      }),
      { numRuns: fuzzRuns() },
    );
  });
});
