import type {
  ExtendedCommitInfo,
  ExtendVoteRequest,
  ProcessProposalRequest,
  VerifyVoteExtensionRequest,
} from '#core/abci.ts';
import type { Block } from '#core/types/block.ts';
import type { BlockId } from '#core/types/block-id.ts';
import type { Height, Round } from '#core/types/brand.ts';
import type { ExtendedCommit } from '#core/types/commit.ts';
import type { Evidence } from '#core/types/evidence.ts';
import type { PartSet } from '#core/types/part-set.ts';
import type { Proposal } from '#core/types/proposal.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import type { Vote } from '#core/types/vote.ts';
import type { Input, TimeoutStep } from './input.ts';
import type { PeerMessage } from './messages.ts';
import type { VerifiedVote } from './verify-message.ts';

/**
 * Everything that consensus can do to the world. Effects are performed one after another in the order given, each
 * finished before the next begins: that order is the contract. In particular `sync-wal` stands before every `sign-…` and
 * again before every `publish` of what was signed. The first is what safety rests on: all that led to a signature is on
 * disk before it exists, so a restart comes back to the same lock and the same question, however the vote has left
 * meanwhile: the engine counts it as soon as it is signed, and repair may hand it to a peer before it is published.
 */
export type Effect =
  /** Append the input to the log; it need not be on disk yet. */
  | { readonly kind: 'append-wal'; readonly input: Input }
  /** Everything appended so far is on disk when this effect is done. */
  | { readonly kind: 'sync-wal' }
  /** Stamp with max(now, minTime), sign, answer `vote-signed` or `sign-refused`. */
  | { readonly kind: 'sign-vote'; readonly vote: UnsignedVote; readonly minTime: Timestamp; readonly extend: boolean }
  /** Stamp with now, sign, answer `proposal-signed` or `sign-refused`. */
  | { readonly kind: 'sign-proposal'; readonly proposal: UnsignedProposal }
  /** First delivery, to everybody. */
  | { readonly kind: 'publish'; readonly message: PeerMessage }
  /** This node's height, round or step has changed: peers want to know. */
  | { readonly kind: 'status-changed' }
  /** Answer `timeout` after `durationMs`. Timeouts of earlier heights, rounds and steps may be dropped. */
  | {
      readonly kind: 'schedule-timeout';
      readonly height: Height;
      readonly round: Round;
      readonly step: TimeoutStep;
      readonly durationMs: number;
    }
  /** Collect evidence and transactions, ask the application for the block's content, answer `prepared`. */
  | { readonly kind: 'prepare-proposal'; readonly round: Round; readonly request: ProposalDraft }
  /** Check the block's evidence, ask the application, answer `processed`. */
  | {
      readonly kind: 'process-proposal';
      readonly round: Round;
      readonly request: ProcessProposalRequest;
      readonly evidence: readonly Evidence[];
    }
  /** Answer `extended`. */
  | { readonly kind: 'extend-vote'; readonly request: ExtendVoteRequest }
  /** Answer `extension-checked`. */
  | { readonly kind: 'verify-extension'; readonly vote: VerifiedVote; readonly request: VerifyVoteExtensionRequest }
  /**
   * Store the block with the commit that was seen for it, mark the height's end in the WAL, execute the block, commit
   * the application, save the new state, answer `committed`.
   */
  | {
      readonly kind: 'commit';
      readonly block: Block;
      readonly blockId: BlockId;
      readonly parts: PartSet;
      readonly seenCommit: ExtendedCommit;
    }
  /** One validator signed two different votes: keep the pair as evidence. */
  | { readonly kind: 'report-evidence'; readonly first: Vote; readonly second: Vote }
  /** Something a person should know; consensus goes on. */
  | { readonly kind: 'log'; readonly message: string; readonly fields: Readonly<Record<string, unknown>> };

export type UnsignedVote = Omit<Vote, 'timestamp' | 'signature' | 'extensionSignature'>;
export type UnsignedProposal = Omit<Proposal, 'timestamp' | 'signature'>;

/** What of a PrepareProposal request the engine knows; evidence and transactions are the executor's. */
export interface ProposalDraft {
  readonly height: Height;
  readonly time: Timestamp;
  readonly nextValidatorsHash: Uint8Array;
  readonly proposerAddress: Uint8Array;
  readonly localLastCommit: ExtendedCommitInfo;
  /** Number of signatures in the block's last commit: it takes from the bytes that are left for transactions. */
  readonly lastCommitSize: number;
}
