/**
 * A deterministic application shaped like the real one: state on disk, an app hash over every change, an injected first
 * transaction that the last commit must confirm, vote extensions that are verified, validator changes by transaction.
 */
import type { Application, CommitInfo, ExtendedCommitInfo, FinalizeBlockResponse } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { concat, EMPTY, equal, fromUtf8, readU64be, startsWith, u64be, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import type { Kv } from '#core/ports/kv.ts';
import { toHeight } from '#core/types/brand.ts';
import { FLAG_COMMIT } from '#core/types/commit.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';

const INJECTION = 'inject:';
const STATE_KEY = utf8('state');

/** Every honest extension says its height, so that a stale or foreign one is told apart. */
export function extensionFor(height: bigint): Uint8Array {
  return height % 3n === 0n ? EMPTY : utf8(`extension of ${height}`);
}

function injection(votes: (CommitInfo | ExtendedCommitInfo)['votes'], round: number): Uint8Array {
  const flags = votes.map((vote) => vote.flag).join('');
  return utf8(`${INJECTION}${round}:${flags}`);
}

export interface SimAppOptions {
  readonly validators: readonly ValidatorUpdate[];
}

interface AppState {
  readonly height: bigint;
  readonly hash: Uint8Array;
}

export function openSimApp(kv: Kv, options: SimAppOptions): Application {
  const stored = kv.get(STATE_KEY);
  let committed: AppState =
    stored === undefined ? { height: 0n, hash: EMPTY } : { height: readU64be(stored), hash: stored.slice(8) };
  let working: AppState | undefined;

  function finalizeTx(tx: Uint8Array): { readonly code: number; readonly update?: ValidatorUpdate } {
    const text = fromUtf8(tx);
    if (text.startsWith('power:')) {
      const [, index, power] = text.split(':').map(Number);
      const validator = options.validators[index ?? -1];
      if (validator === undefined) return { code: 1 };
      return { code: 0, update: { publicKey: validator.publicKey, power: BigInt(power ?? 0) } };
    }
    return { code: text.startsWith('bad') ? 2 : 0 };
  }

  return {
    info: () => ({
      data: 'sim',
      version: '1',
      appVersion: 0n,
      lastBlockHeight: toHeight(committed.height),
      lastBlockAppHash: committed.hash,
    }),
    query: () => {
      throw new Error('the simulated application answers no queries');
    },
    checkTx: () => {
      throw new Error('the simulated application has no mempool');
    },
    initChain: () => {
      const hash = sha256(utf8('genesis'));
      committed = { height: 0n, hash };
      return { consensusParams: undefined, validators: [], appHash: hash };
    },
    prepareProposal: (request) =>
      request.localLastCommit.votes.length === 0
        ? request.txs
        : [injection(request.localLastCommit.votes, request.localLastCommit.round), ...request.txs],
    processProposal: (request) => {
      const { votes, round } = request.proposedLastCommit;
      const first = request.txs[0];
      const expected = votes.length === 0 ? undefined : injection(votes, round);
      const fits = expected === undefined ? true : first !== undefined && equal(first, expected);
      return fits
        ? { accept: true, reason: '' }
        : { accept: false, reason: 'the injection does not fit the last commit' };
    },
    extendVote: (request) => extensionFor(request.height),
    verifyVoteExtension: (request) => equal(request.extension, extensionFor(request.height)),
    finalizeBlock: (request): FinalizeBlockResponse => {
      if (request.height !== committed.height + 1n)
        throw new Error(`application at ${committed.height} asked to finalize ${request.height}`);
      const updates = new Map<string, ValidatorUpdate>();
      const txResults = request.txs.map((tx) => {
        const injected = startsWith(tx, utf8(INJECTION));
        const { code, update } = injected ? { code: 0, update: undefined } : finalizeTx(tx);
        if (update !== undefined) updates.set(String(update.publicKey.bytes), update);
        return { code, data: EMPTY, log: '', info: '', gasWanted: 0n, gasUsed: 1n, events: [], codespace: '' };
      });
      const signers = request.decidedLastCommit.votes.filter((vote) => vote.flag === FLAG_COMMIT).length;
      const guilty = request.misbehavior.map((item) => item.validator.address);
      const hash = sha256(
        concat(committed.hash, u64be(request.height), u64be(BigInt(signers)), request.hash, ...request.txs, ...guilty),
      );
      working = { height: request.height, hash };
      return {
        events: [],
        txResults,
        validatorUpdates: [...updates.values()],
        consensusParamUpdates: undefined,
        appHash: hash,
      };
    },
    commit: async () => {
      const state = defined(working, 'a finalized block');
      await kv.write([{ type: 'put', key: STATE_KEY, value: concat(u64be(state.height), state.hash) }], { sync: true });
      committed = state;
      working = undefined;
      return { retainHeight: 0n };
    },
  };
}
