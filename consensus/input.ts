import type { Height, Round } from '#core/types/brand.ts';
import type { Evidence } from '#core/types/evidence.ts';
import type { Part } from '#core/types/part-set.ts';
import type { ChainState } from './chain-state.ts';
import type { VerifiedProposal, VerifiedVote } from './verify-message.ts';

/** What a timeout waits for. `new-height`: timeout_commit; `new-round`: create_empty_blocks_interval. */
export type TimeoutStep = 'new-height' | 'new-round' | 'propose' | 'prevote' | 'precommit';

/**
 * Everything that the world can tell the engine. Inputs that the engine takes are in the WAL, all but `committed`,
 * which the stores remember. Answers carry the height and round of their question: late ones are ignored.
 */
export type Input =
  | { readonly kind: 'proposal'; readonly proposal: VerifiedProposal }
  | { readonly kind: 'block-part'; readonly height: Height; readonly round: Round; readonly part: Part }
  | { readonly kind: 'vote'; readonly vote: VerifiedVote }
  | {
      readonly kind: 'timeout';
      readonly height: Height;
      readonly round: Round;
      readonly step: TimeoutStep;
      /**
       * Of `new-height` alone, put in by the engine: whether round 0 then waited for transactions. It follows from the
       * node's configuration, which may be another one when the log is replayed.
       */
      readonly waits?: boolean;
    }
  /** The mempool is no longer empty. */
  | { readonly kind: 'txs-available'; readonly height: Height }
  /** Answer to `prepare-proposal`: what the new block contains. */
  | {
      readonly kind: 'prepared';
      readonly height: Height;
      readonly round: Round;
      readonly txs: readonly Uint8Array[];
      readonly evidence: readonly Evidence[];
    }
  /** Answer to `process-proposal`. */
  | {
      readonly kind: 'processed';
      readonly height: Height;
      readonly round: Round;
      readonly blockHash: Uint8Array;
      readonly accept: boolean;
    }
  /** Answer to `extend-vote`. */
  | { readonly kind: 'extended'; readonly height: Height; readonly round: Round; readonly extension: Uint8Array }
  /** Answer to `verify-extension`. */
  | { readonly kind: 'extension-checked'; readonly vote: VerifiedVote; readonly accept: boolean }
  /** Answer to `sign-proposal`: stamped and signed by this node. */
  | { readonly kind: 'proposal-signed'; readonly proposal: VerifiedProposal }
  /** Answer to `sign-vote`: stamped and signed by this node. */
  | { readonly kind: 'vote-signed'; readonly vote: VerifiedVote }
  /** Answer to either when the signer refuses: the node goes on without that message. */
  | { readonly kind: 'sign-refused'; readonly height: Height; readonly round: Round; readonly what: SignedStep }
  /** Answer to `commit`: block stored, executed, its state saved. `state.lastBlockHeight` is the committed height. */
  | { readonly kind: 'committed'; readonly state: ChainState };

export type SignedStep = 'proposal' | 'prevote' | 'precommit';

/** What the write-ahead log holds. */
export type WalRecord =
  | { readonly kind: 'input'; readonly input: Exclude<Input, { kind: 'committed' }> }
  /** The block of this height is stored: nothing before this mark is needed any more. */
  | { readonly kind: 'end-height'; readonly height: Height };
