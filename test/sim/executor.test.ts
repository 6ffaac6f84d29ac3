/** The effect executor alone: the order in which it touches the world, and what it makes of messages from outside. */
import { expect, test } from 'vitest';
import { DEFAULT_ENGINE_CONFIG } from '#consensus/config.ts';
import { CONSENSUS_LIMITS } from '#consensus/limits.ts';
import { encodePeerMessage } from '#consensus/messages.ts';
import { fingerprint } from '#consensus/test-kit.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import type { Kv } from '#core/ports/kv.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { NO_ROUND, toHeight, toRound } from '#core/types/brand.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { type Proposal, proposalSignBytes } from '#core/types/proposal.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { indexOfValidator, proposerOf } from '#core/types/validator-set.ts';
import { PRECOMMIT, PREVOTE, type Vote, voteExtensionSignBytes, voteSignBytes } from '#core/types/vote.ts';
import { openBlockStore } from '#node/driver/block-store.ts';
import { openEvidencePool } from '#node/driver/evidence-pool.ts';
import { type Executor, startExecutor } from '#node/driver/executor.ts';
import { openGuardedSigner } from '#node/driver/guarded-signer.ts';
import { noTxs } from '#node/driver/ports.ts';
import { openStateStore } from '#node/driver/state-store.ts';
import { openSimApp } from './app.ts';
import { type SimKey, SimKeys } from './keys.ts';
import { EPOCH_MS } from './node.ts';
import { Scheduler } from './scheduler.ts';

const CHAIN_ID = 'executor-chain';

interface Setting {
  readonly executor: Executor;
  readonly scheduler: Scheduler;
  readonly keys: readonly SimKey[];
  /** Everything that was done, in order. */
  readonly done: string[];
  readonly failures: unknown[];
}

function logged(kv: Kv, name: string, done: string[]): Kv {
  return {
    get: (key) => kv.get(key),
    entries: (range) => kv.entries(range),
    close: () => kv.close(),
    write: (ops, options) => {
      done.push(`${name}${options?.sync === true ? ' synced' : ''}`);
      return kv.write(ops, options);
    },
  };
}

async function setting(options: { validators: number; extensionsFrom?: bigint; failSync?: boolean }): Promise<Setting> {
  const scheduler = new Scheduler();
  const simKeys = new SimKeys();
  const keys = Array.from({ length: options.validators }, (_, i) => simKeys.make(i));
  const [own] = keys;
  if (own === undefined) throw new Error('at least one validator');
  const done: string[] = [];
  const failures: unknown[] = [];
  const genesis = {
    chainId: CHAIN_ID,
    initialHeight: toHeight(1n),
    time: fromMillis(EPOCH_MS),
    params: { ...DEFAULT_CONSENSUS_PARAMS, abci: { voteExtensionsEnableHeight: options.extensionsFrom ?? 0n } },
    validators: keys.map((key) => ({ publicKey: key.publicKey, power: 10n })),
    appHash: EMPTY,
    appStateBytes: EMPTY,
  };
  const blocks = openBlockStore(logged(new MemoryKv(), 'block', done));
  const states = openStateStore(logged(new MemoryKv(), 'state', done));
  const app = openSimApp(logged(new MemoryKv(), 'application', done), {
    validators: genesis.validators,
    extensionsFrom: 0n,
    pinned: 1,
  });
  const store = {
    load: async () => undefined,
    save: async () => {
      done.push('last-sign');
    },
  };
  const executor = await startExecutor(
    { genesis, config: DEFAULT_ENGINE_CONFIG, statusIntervalMs: 1_000, statusFanout: 3 },
    {
      app: {
        ...app,
        finalizeBlock: (request) => {
          done.push('finalize');
          return app.finalizeBlock(request);
        },
      },
      blocks,
      states,
      evidence: openEvidencePool(new MemoryKv(), { blocks, states }, simKeys.verifier),
      txs: noTxs,
      logger: silentLogger,
      onCommitted: () => {},
      wal: {
        read: async () => EMPTY,
        truncate: async () => {},
        append: async () => {
          done.push('append');
        },
        sync: async () => {
          if (options.failSync === true) throw new Error('fsync: input/output error');
          done.push('sync');
        },
        rotate: async () => {},
        close: async () => {},
      },
      signer: await openGuardedSigner(own, store),
      transport: {
        publish: () => {
          done.push('publish');
        },
        send: () => {},
      },
      timers: {
        set: (delayMs, run) => {
          const entry = scheduler.after(delayMs, run);
          return {
            cancel: () => {
              entry.cancelled = true;
            },
          };
        },
      },
      clock: { now: () => fromMillis(EPOCH_MS + BigInt(scheduler.nowMs)) },
      verifier: simKeys.verifier,
      fatal: (error) => failures.push(error),
    },
  );
  await executor.idle();
  return { executor, scheduler, keys, done, failures };
}

async function runFor(s: Setting, ms: number): Promise<void> {
  const until = s.scheduler.nowMs + ms;
  while (await s.scheduler.next(until)) await s.executor.idle();
}

test('the WAL is synced before anything that this node signed leaves', async () => {
  const s = await setting({ validators: 1, extensionsFrom: 1n });
  await runFor(s, 5_000);
  expect(s.executor.state.height).toBeGreaterThan(3n);
  expect(s.failures).toEqual([]);
  let unsynced = 0;
  for (const [i, what] of s.done.entries()) {
    if (what === 'append') unsynced++;
    else if (what === 'sync') unsynced = 0;
    else if (what === 'publish') expect(unsynced, `records not synced at publish, event ${i}`).toBe(0);
  }
  expect(s.done.filter((what) => what === 'publish').length).toBeGreaterThan(9);
});

test('a commit: block, execution, its results, which take the block to disk, application, state, end of height in the log', async () => {
  const s = await setting({ validators: 1 });
  await runFor(s, 5_000);
  const from = s.done.indexOf('block');
  expect(s.done.slice(from, from + 6)).toEqual([
    'block',
    'finalize',
    'state synced',
    'application synced',
    'state',
    'append',
  ]);
});

test('a log that cannot be synced stops the node before its vote leaves', async () => {
  const s = await setting({ validators: 1, failSync: true });
  await runFor(s, 5_000);
  expect(s.failures).toEqual([new Error('fsync: input/output error')]);
  expect(s.done).not.toContain('publish');
});

/** A vote of validator `index` of the set, properly signed, then bent. */
function signedVote(s: Setting, index: number, change: Partial<Vote>, signer = index): Uint8Array {
  const { validators } = s.executor.state.chain;
  const keyOf = (at: number) => {
    const address = validators.validators[at]?.address;
    const key = s.keys.find((each) => String(each.address) === String(address));
    if (key === undefined || address === undefined) throw new Error(`no validator ${at}`);
    return { key, address };
  };
  const vote: Omit<Vote, 'signature'> = {
    type: PREVOTE,
    height: s.executor.state.height,
    round: toRound(0),
    blockId: NIL_BLOCK_ID,
    timestamp: fromMillis(EPOCH_MS),
    validatorAddress: keyOf(index).address,
    validatorIndex: index,
    extension: EMPTY,
    extensionSignature: EMPTY,
    ...change,
  };
  const signature = change.signature ?? keyOf(signer).key.sign(voteSignBytes(CHAIN_ID, vote));
  return encodePeerMessage({ kind: 'vote', vote: { ...vote, signature } });
}

const SOME_BLOCK = { hash: new Uint8Array(32).fill(5), partSetHeader: { total: 1, hash: new Uint8Array(32).fill(6) } };

test('malformed, foreign and absurd messages are refused or ignored, and change nothing', async () => {
  const s = await setting({ validators: 4, extensionsFrom: 1n });
  await runFor(s, 100);
  const before = fingerprint(s.executor.state);
  const own = indexOfValidator(s.executor.state.chain.validators, s.keys[0]?.address ?? EMPTY);
  const [x, y] = [0, 1, 2, 3].filter((index) => index !== own) as [number, number];
  const cases: [string, Uint8Array, 'reject' | 'ignore', RegExp?][] = [
    ['noise', utf8('hello'), 'reject'],
    ['nothing', EMPTY, 'reject', /exactly one kind/],
    ['too large', new Uint8Array(CONSENSUS_LIMITS.maxMessageBytes + 1), 'reject', /exceed the limit/],
    ['signed by another', signedVote(s, x, {}, y), 'reject', /signature/],
    ['index out of range', signedVote(s, x, { validatorIndex: 9 }), 'reject', /validator_index/],
    ['address of another', signedVote(s, x, { validatorIndex: y }), 'reject', /validator_address/],
    ['far height', signedVote(s, x, { height: toHeight(2n ** 62n) }), 'ignore'],
    [
      'no extension signature',
      signedVote(s, x, { type: PRECOMMIT, blockId: SOME_BLOCK }),
      'reject',
      /extension_signature/,
    ],
    [
      'extension on a prevote',
      signedVote(s, x, { extension: utf8('x'), extensionSignature: new Uint8Array(64) }),
      'reject',
      /extension/,
    ],
    ['extension signed by another', extendedBy(s, x, y), 'reject', /extension_signature/],
    ['proposal by a non-proposer', proposalBy(s, false), 'reject', /proposer/],
    ['proposal of a far round', proposalBy(s, true, { round: toRound(1_000_000) }), 'ignore'],
    ['proof of lock in its own round', proposalBy(s, true, { polRound: toRound(0) }), 'reject', /pol_round/],
  ];
  for (const [name, bytes, kind, pattern] of cases) {
    const verdict = s.executor.receive('peer', bytes);
    expect(verdict.kind, name).toBe(kind);
    if (verdict.kind === 'reject') expect(verdict.reason, name).toMatch(pattern ?? /./);
  }
  await s.executor.idle();
  expect(fingerprint(s.executor.state)).toBe(before);
  expect(s.failures).toEqual([]);
  expect(s.executor.receive('peer', signedVote(s, x, {})).kind).toBe('accept');
  await s.executor.idle();
  expect(fingerprint(s.executor.state)).not.toBe(before);
});

function extendedBy(s: Setting, index: number, other: number): Uint8Array {
  const key = s.keys.find(
    (each) => String(each.address) === String(s.executor.state.chain.validators.validators[other]?.address),
  );
  const place = { height: s.executor.state.height, round: 0, extension: utf8('x') };
  const extensionSignature = key?.sign(voteExtensionSignBytes(CHAIN_ID, place)) ?? EMPTY;
  return signedVote(s, index, { type: PRECOMMIT, blockId: SOME_BLOCK, extension: place.extension, extensionSignature });
}

function proposalBy(s: Setting, proposer: boolean, change: Partial<Proposal> = {}): Uint8Array {
  const { chain, height } = s.executor.state;
  const { address } = proposerOf(chain.validators, 0);
  const key = s.keys.find((each) => (String(each.address) === String(address)) === proposer);
  const proposal = {
    height,
    round: toRound(0),
    polRound: NO_ROUND,
    blockId: SOME_BLOCK,
    timestamp: fromMillis(EPOCH_MS),
    ...change,
  };
  return encodePeerMessage({
    kind: 'proposal',
    proposal: { ...proposal, signature: key?.sign(proposalSignBytes(CHAIN_ID, proposal)) ?? EMPTY },
  });
}

test('more parts than the maximum block size allows: the proposal is not taken', async () => {
  const s = await setting({ validators: 4 });
  const total = 1_000;
  const { hash } = SOME_BLOCK.partSetHeader;
  s.executor.receive(
    'peer',
    proposalBy(s, true, { blockId: { hash: SOME_BLOCK.hash, partSetHeader: { total, hash } } }),
  );
  await s.executor.idle();
  expect(s.executor.state.proposal).toBeUndefined();
});

test('a flood of parts for the height to come leaves room for its votes', async () => {
  const s = await setting({ validators: 4 });
  await runFor(s, 100);
  const part = (i: number) => createPartSet(new Uint8Array(100).fill(i)).parts[0];
  const next = toHeight(s.executor.state.height + 1n);
  for (let i = 0; i < 3 * CONSENSUS_LIMITS.maxEarlyMessages; i++) {
    const flood = part(i % 250);
    if (flood === undefined) throw new Error('a part set has a part');
    s.executor.receive(
      'flood',
      encodePeerMessage({ kind: 'block-part', height: next, round: toRound(0), part: flood }),
    );
  }
  const own = indexOfValidator(s.executor.state.chain.validators, s.keys[0]?.address ?? EMPTY);
  const other = own === 0 ? 1 : 0;
  expect(s.executor.receive('peer', signedVote(s, other, { height: next })).kind).toBe('accept');
  expect(s.executor.earlyMessages).toEqual({
    all: CONSENSUS_LIMITS.maxEarlyParts + 1,
    parts: CONSENSUS_LIMITS.maxEarlyParts,
  });
});
