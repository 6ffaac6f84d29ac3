/** What handlers are given. Each context has the narrowest reach that its moment needs. */
import type { CommitInfo, Event, ExtendedCommitInfo, Misbehavior } from '#core/abci.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import type { Result } from '#core/result.ts';
import type { ConsensusParams } from '#core/types/consensus-params.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';
import type { GasMeter } from './state/gas.ts';
import type { StateView, StateWriter } from './state/kv-view.ts';

/** What genesis fixes for ever. */
export interface ChainParams {
  readonly chainId: string;
  /** Human-readable part of account addresses, `auton` by default; validators' are this + `valoper`, `valcons`. */
  readonly bech32Prefix: string;
  /** The denomination that fees and stake are paid in, `uauton` by default. */
  readonly baseDenom: string;
}

export interface BlockInfo {
  readonly height: bigint;
  /** BFT time of the block. */
  readonly time: Timestamp;
  /** 20 bytes: the consensus address of the proposer. */
  readonly proposerAddress: Uint8Array;
}

/** Where handlers put events. Values are plain text; a key is never empty. */
export interface EventSink {
  emit(type: string, attributes: readonly (readonly [key: string, value: string])[]): void;
}

/** A message in its google.protobuf.Any. */
export interface AnyMessage {
  readonly typeUrl: string;
  readonly value: Uint8Array;
}

/** A message with the handler of its type. */
export interface OpenMessage {
  readonly typeUrl: string;
  /** Decoded. */
  readonly message: unknown;
  signers(chain: ChainParams): Result<readonly Uint8Array[]>;
  validate(chain: ChainParams): Result<void>;
  /** The encoded response. Whoever calls has made sure that the signers agree. */
  handle(context: MessageContext): Result<Uint8Array>;
}

/** Finds handlers for messages that stand inside others. */
export interface MessageRouter {
  has(typeUrl: string): boolean;
  open(any: AnyMessage): Result<OpenMessage>;
}

/** A message inside a transaction. All that it writes is dropped when it fails, or when a later message does. */
export interface MessageContext {
  /** Charges `gas` for each access. */
  readonly state: StateWriter;
  readonly gas: GasMeter;
  readonly events: EventSink;
  readonly block: BlockInfo;
  readonly chain: ChainParams;
  readonly router: MessageRouter;
}

/** Begin and end of a block. */
export interface BlockContext {
  readonly state: StateWriter;
  readonly events: EventSink;
  readonly block: BlockInfo;
  readonly chain: ChainParams;
  readonly lastCommit: CommitInfo;
  readonly misbehavior: readonly Misbehavior[];
}

/** A query against the state after `height`. */
export interface QueryContext {
  readonly state: StateView;
  readonly height: bigint;
  readonly chain: ChainParams;
}

export interface GenesisContext {
  readonly state: StateWriter;
  readonly chain: ChainParams;
  readonly time: Timestamp;
  readonly initialHeight: bigint;
  readonly consensusParams: ConsensusParams;
  /** The validators of the genesis document. */
  readonly validators: readonly ValidatorUpdate[];
}

/** Building or judging a proposal, extending or judging a vote: reads the committed state of the height before. */
export interface ProposalContext {
  readonly state: StateView;
  readonly block: BlockInfo;
  readonly chain: ChainParams;
  readonly verifier: Verifier;
}

export type { CommitInfo, Event, ExtendedCommitInfo };
