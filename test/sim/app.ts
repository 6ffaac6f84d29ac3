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
import type { Genesis } from '#node/driver/handshake.ts';

const INJECTION = 'inject:';
/** The transaction that switches vote extensions on, three heights later. */
export const ENABLE_EXTENSIONS = utf8('extensions');
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
  /** Those of genesis; 0: by transaction only. */
  readonly extensionsFrom: bigint;
  /** So many first validators never leave: the Byzantine ones stay below a third. */
  readonly pinned: number;
}

interface AppState {
  readonly height: bigint;
  readonly hash: Uint8Array;
  /** Power of each of the options' validators after the updates so far; 0: not in the set. */
  readonly powers: readonly bigint[];
  /** Height from which votes are extended; 0: never. */
  readonly extensionsFrom: bigint;
}

function encodeState({ height, hash, powers, extensionsFrom }: AppState): Uint8Array {
  return concat(u64be(height), u64be(extensionsFrom), ...powers.map(u64be), hash);
}

function decodeState(bytes: Uint8Array, validators: number): AppState {
  const at = (i: number) => readU64be(bytes.subarray(8 * i, 8 * i + 8));
  return {
    height: at(0),
    extensionsFrom: at(1),
    powers: Array.from({ length: validators }, (_, i) => at(2 + i)),
    hash: bytes.slice(8 * (2 + validators)),
  };
}

export function simAppOptions(genesis: Genesis, pinned: number): SimAppOptions {
  return {
    validators: genesis.validators,
    extensionsFrom: genesis.params.abci.voteExtensionsEnableHeight,
    pinned,
  };
}

export function openSimApp(kv: Kv, options: SimAppOptions): Application {
  const stored = kv.get(STATE_KEY);
  const genesis: AppState = {
    height: 0n,
    hash: EMPTY,
    powers: options.validators.map(({ power }) => power),
    extensionsFrom: options.extensionsFrom,
  };
  let committed = stored === undefined ? genesis : decodeState(stored, options.validators.length);
  let working: AppState | undefined;

  /** `power:index:power`. A change that would leave too little power in honest hands is refused. */
  function changePower(text: string, powers: bigint[]): number {
    const [, index, power] = text.split(':').map(Number);
    const known = powers[index ?? -1];
    const wanted = BigInt(power ?? 0);
    if (index === undefined || known === undefined || (wanted === 0n && (known === 0n || index < options.pinned)))
      return 1;
    powers[index] = wanted;
    return 0;
  }

  function finalizeTx(tx: Uint8Array, powers: bigint[]): number {
    const text = fromUtf8(tx);
    if (text.startsWith('power:')) return changePower(text, powers);
    return text.startsWith('bad') ? 2 : 0;
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
      committed = { ...genesis, hash };
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
      if (committed.height > 0n && request.height !== committed.height + 1n)
        throw new Error(`application at ${committed.height} asked to finalize ${request.height}`);
      const powers = [...committed.powers];
      const txResults = request.txs.map((tx) => {
        const code = startsWith(tx, utf8(INJECTION)) ? 0 : finalizeTx(tx, powers);
        return { code, data: EMPTY, log: '', info: '', gasWanted: 0n, gasUsed: 1n, events: [], codespace: '' };
      });
      const validatorUpdates = options.validators.flatMap(({ publicKey }, i) =>
        powers[i] === committed.powers[i] ? [] : [{ publicKey, power: powers[i] as bigint }],
      );
      const enable = committed.extensionsFrom === 0n && request.txs.some((tx) => equal(tx, ENABLE_EXTENSIONS));
      const extensionsFrom = enable ? request.height + 3n : committed.extensionsFrom;
      const signers = request.decidedLastCommit.votes.filter((vote) => vote.flag === FLAG_COMMIT).length;
      const guilty = request.misbehavior.map((item) => item.validator.address);
      const hash = sha256(
        concat(committed.hash, u64be(request.height), u64be(BigInt(signers)), request.hash, ...request.txs, ...guilty),
      );
      working = { height: request.height, hash, powers, extensionsFrom };
      return {
        events: [],
        txResults,
        validatorUpdates,
        consensusParamUpdates: enable ? { abci: { voteExtensionsEnableHeight: extensionsFrom } } : undefined,
        appHash: hash,
      };
    },
    commit: async () => {
      const state = defined(working, 'a finalized block');
      await kv.write([{ type: 'put', key: STATE_KEY, value: encodeState(state) }], { sync: true });
      committed = state;
      working = undefined;
      return { retainHeight: 0n };
    },
  };
}
