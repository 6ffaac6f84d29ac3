/**
 * In which order an application is called: the grammar of CometBFT v0.38 (spec/abci, "CometBFT's expected behavior") as
 * a state machine. Heights are checked as well, and rounds as far as the calls name them.
 *
 *     start            = clean-start / recovery
 *     clean-start      = [info] init-chain [state-sync] consensus-exec
 *     recovery         = info consensus-exec
 *     consensus-height = *consensus-round decide commit
 *
 * The rest (CheckTx, Query, ListSnapshots, LoadSnapshotChunk, Echo, Flush, and Info for a client) may come at any time.
 */
import type { Application } from './abci.ts';
import { assertNever } from './assert.ts';

/** `round`: where the caller knows it. */
export type GrammarCall =
  /** With the height that the application answered. */
  | { readonly kind: 'info'; readonly lastBlockHeight: bigint }
  | { readonly kind: 'init-chain'; readonly initialHeight: bigint }
  | { readonly kind: 'offer-snapshot' }
  | { readonly kind: 'apply-snapshot-chunk' }
  | { readonly kind: 'prepare-proposal'; readonly height: bigint; readonly round?: number }
  | { readonly kind: 'process-proposal'; readonly height: bigint; readonly round?: number }
  | { readonly kind: 'extend-vote'; readonly height: bigint; readonly round?: number }
  | { readonly kind: 'verify-vote-extension'; readonly height: bigint }
  | { readonly kind: 'finalize-block'; readonly height: bigint }
  | { readonly kind: 'commit' };

export interface GrammarChecker {
  /** Takes the next call. Answers what is wrong with it; after the first violation always the same sentence. */
  call(call: GrammarCall): string | undefined;
  /** The first violation. */
  readonly violation: string | undefined;
  /** Blocks committed so far. */
  readonly committed: number;
}

/** The places that a run goes through. */
type Place =
  /** Nothing but Info has been called; `told` is what it answered. */
  | { readonly at: 'start'; readonly told: bigint | undefined }
  | { readonly at: 'syncing'; readonly initialHeight: bigint; readonly chunks: number }
  | { readonly at: 'height'; readonly height: bigint; readonly fresh: boolean; readonly round: RoundPlace }
  | { readonly at: 'decided'; readonly height: bigint };

/** The least round that the height's calls allow, and how far it has come there. */
interface RoundPlace {
  readonly least: number;
  readonly done: number;
}

/** Order of the three calls that each round has once at most. */
const STEPS = { 'prepare-proposal': 1, 'process-proposal': 2, 'extend-vote': 3 } as const;
const NEW_ROUND: RoundPlace = { least: 0, done: 0 };

/** For one process from its start: a restarted node begins a new run. */
export function createGrammarChecker(): GrammarChecker {
  let place: Place = { at: 'start', told: undefined };
  let violation: string | undefined;
  let committed = 0;
  return {
    call(call) {
      if (violation !== undefined) return violation;
      const next = follow(place, call);
      if (typeof next === 'string') violation = `ABCI grammar: ${next}`;
      else {
        if (call.kind === 'commit') committed++;
        place = next;
      }
      return violation;
    },
    get violation() {
      return violation;
    },
    get committed() {
      return committed;
    },
  };
}

/** The next place, or what is wrong. */
function follow(place: Place, call: GrammarCall): Place | string {
  switch (call.kind) {
    case 'info':
      return afterInfo(place, call.lastBlockHeight);
    case 'init-chain':
      if (place.at !== 'start') return 'init-chain after the start';
      if (place.told !== undefined && place.told > 0n) return `init-chain for an application at height ${place.told}`;
      return atHeight(call.initialHeight, true);
    case 'offer-snapshot':
      if (place.at === 'syncing') return { ...place, chunks: 0 };
      if (place.at === 'height' && place.fresh) return { at: 'syncing', initialHeight: place.height, chunks: 0 };
      return `offer-snapshot ${where(place)}: expected right after init-chain`;
    case 'apply-snapshot-chunk':
      return place.at === 'syncing'
        ? { ...place, chunks: place.chunks + 1 }
        : `apply-snapshot-chunk ${where(place)}: expected after offer-snapshot`;
    case 'commit':
      return place.at === 'decided' ? atHeight(place.height + 1n, false) : `commit ${where(place)}`;
    case 'prepare-proposal':
    case 'process-proposal':
    case 'extend-vote':
    case 'verify-vote-extension':
    case 'finalize-block':
      return inHeight(place, call);
    default:
      return assertNever(call, 'ABCI call');
  }
}

function atHeight(height: bigint, fresh: boolean): Place {
  return { at: 'height', height, fresh, round: NEW_ROUND };
}

function afterInfo(place: Place, lastBlockHeight: bigint): Place {
  if (place.at === 'start') return { at: 'start', told: lastBlockHeight };
  // The end of a successful state sync; anywhere else a client has asked.
  return place.at === 'syncing' && place.chunks > 0 ? atHeight(lastBlockHeight + 1n, false) : place;
}

function inHeight(place: Place, call: Extract<GrammarCall, { readonly height: bigint }>): Place | string {
  // A recovery: the application is where it says.
  const now = place.at === 'start' && (place.told ?? 0n) > 0n ? atHeight((place.told ?? 0n) + 1n, false) : place;
  if (now.at !== 'height') return `${call.kind} of height ${call.height} ${where(now)}`;
  if (call.height !== now.height) return `${call.kind} of height ${call.height}: expected height ${now.height}`;
  if (call.kind === 'finalize-block') return { at: 'decided', height: now.height };
  if (call.kind === 'verify-vote-extension') return { ...now, fresh: false };
  const round = inRound(now.round, call);
  return typeof round === 'string' ? round : { ...now, fresh: false, round };
}

function inRound(
  { least, done }: RoundPlace,
  call: { readonly kind: keyof typeof STEPS; readonly height: bigint; readonly round?: number },
): RoundPlace | string {
  const step = STEPS[call.kind];
  const follows = step > done ? least : least + 1;
  const { round } = call;
  if (round === undefined) return { least: follows, done: step };
  return round < follows
    ? `${call.kind} of height ${call.height} in round ${round}: the calls before it take until round ${follows}`
    : { least: round, done: step };
}

function where(place: Place): string {
  switch (place.at) {
    case 'start':
      return place.told === undefined ? 'at the start' : `after info told height ${place.told}`;
    case 'syncing':
      return 'during state sync';
    case 'height':
      return `in height ${place.height}, which is not decided`;
    case 'decided':
      return `before the commit of height ${place.height}`;
    default:
      return assertNever(place, 'place');
  }
}

/** The application, with each call reported to `checker` before it is made; `violated` is told what is wrong. */
export function withGrammar(
  app: Application,
  checker: GrammarChecker,
  violated: (sentence: string) => void,
): Application {
  const note = (call: GrammarCall): void => {
    const wrong = checker.call(call);
    if (wrong !== undefined) violated(wrong);
  };
  return {
    query: (request) => app.query(request),
    checkTx: (request) => app.checkTx(request),
    info() {
      const answer = app.info();
      note({ kind: 'info', lastBlockHeight: answer.lastBlockHeight });
      return answer;
    },
    initChain(request) {
      note({ kind: 'init-chain', initialHeight: request.initialHeight });
      return app.initChain(request);
    },
    prepareProposal(request) {
      note({ kind: 'prepare-proposal', height: request.height });
      return app.prepareProposal(request);
    },
    processProposal(request) {
      note({ kind: 'process-proposal', height: request.height });
      return app.processProposal(request);
    },
    extendVote(request) {
      note({ kind: 'extend-vote', height: request.height, round: request.round });
      return app.extendVote(request);
    },
    verifyVoteExtension(request) {
      note({ kind: 'verify-vote-extension', height: request.height });
      return app.verifyVoteExtension(request);
    },
    finalizeBlock(request) {
      note({ kind: 'finalize-block', height: request.height });
      return app.finalizeBlock(request);
    },
    commit() {
      note({ kind: 'commit' });
      return app.commit();
    },
  };
}
