/**
 * What a module is: data. `module-table.ts` lists the modules in execution order, and the application walks that list;
 * nothing else knows a module by name. To add one:
 *
 * 1. `proto/autonomy/<name>/v1/*.proto`, `npm run proto`.
 * 2. `runtime/modules/<name>/state.ts`: `storeLayout('<name>', {...})` and typed collections over it.
 * 3. `handlers.ts`, `queries.ts`, `genesis.ts`: plain functions over the narrowest store (`KvWriter`, `KvReader`), and a
 *    value of type {@link RuntimeModule} (`module.ts`) that routes to them with {@link messageHandler}, {@link queryHandler}.
 * 4. One line in `module-table.ts`.
 *
 * Rules. Handlers are synchronous and deterministic. Expected failure is `err(...)`: what the transaction wrote is dropped,
 * its fee and sequence stay. `OutOfGas` passes through handlers untouched. Between modules, call plain functions
 * (`sendCoins`, `mintCoins`, `burnCoins` of bank). Order within a block: beginBlock of all modules, injection, transactions,
 * endBlock of all modules. A `beginBlock`, injection or `endBlock` that throws loses its own writes, not the block.
 */
import { EMPTY } from '#core/bytes.ts';
import type { Duties } from '#core/ports/duties.ts';
import { ok, type Result } from '#core/result.ts';
import type { ConsensusParamsUpdate } from '#core/types/consensus-params.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';
import {
  type DescMessage,
  decodeStrict,
  encode,
  type MessageInitShape,
  type MessageShape,
  typeUrlOf,
} from '#proto/message.ts';
import type {
  AnyMessage,
  BlockContext,
  ChainParams,
  CommitInfo,
  ExtendedCommitInfo,
  GenesisContext,
  MessageContext,
  ProposalContext,
  QueryContext,
} from './context.ts';
import { sdkFailure } from './errors.ts';
import { RUNTIME_LIMITS } from './limits.ts';
import type { UsualFields } from './usual-fields.ts';

/** Parsed JSON of one module in `app_state`. */
export type Json = null | boolean | number | string | readonly Json[] | { readonly [key: string]: Json };

export interface RuntimeModule {
  /** Key in `app_state`. */
  readonly name: string;
  /** Names of the stores that it alone writes. */
  readonly stores: readonly string[];
  /** Accounts without a key, by name, and what they may do. They exist from genesis on. */
  readonly moduleAccounts?: Readonly<Record<string, readonly ModulePermission[]>>;
  /** Message types that may stand inside an Any here, beside the table's messages (public keys, grants …). */
  readonly anyTypes?: readonly DescMessage[];
  /** `json` is undefined when `app_state` has no such key. Failure: a sentence that names the field. */
  initGenesis?(context: GenesisContext, json: Json | undefined): Result<void, string>;
  /** The state as `initGenesis` reads it. */
  exportGenesis?(context: QueryContext): Json;
  beginBlock?(context: BlockContext): void;
  readonly messages?: readonly MessageHandler[];
  readonly queries?: readonly QueryHandler[];
  endBlock?(context: BlockContext): EndBlockResult | undefined;
  /** At most one module of the table. */
  readonly injection?: Injection;
  /** At most one module of the table. */
  readonly voteExtension?: VoteExtension;
  /** What must hold after every block, for tests: a sentence for each breach. */
  invariants?(context: QueryContext): readonly string[];
}

export type ModulePermission = 'minter' | 'burner' | 'staking';

export interface EndBlockResult {
  readonly validatorUpdates?: readonly ValidatorUpdate[];
  readonly consensusParamUpdates?: ConsensusParamsUpdate;
}

/**
 * `txs[0]` of a block, put there by the proposer: `magic` ‖ payload. It never passes CheckTx. The module that owns it sees
 * the payload without the magic; `undefined` when the block has none.
 */
export interface Injection {
  /** Four bytes; the first is no tag of TxRaw, so that no transaction begins like it. */
  readonly magic: Uint8Array;
  /** The payload for this proposal, or undefined for none. Counts against the block's bytes, before transactions. */
  prepare(context: ProposalContext, localLastCommit: ExtendedCommitInfo): Uint8Array | undefined;
  /** Whether the payload is what an honest proposer could have sent. The failure says why not. */
  process(
    context: ProposalContext,
    payload: Uint8Array | undefined,
    proposedLastCommit: CommitInfo,
  ): Result<void, string>;
  /**
   * Executes it, after beginBlock; its events are the block's. A failure drops its writes and stands in the result's log;
   * the code stays 0.
   */
  apply(context: BlockContext, payload: Uint8Array | undefined): Result<void, string>;
}

export interface VoteExtension {
  /** Called by extendVote, with the block that is voted for. At once; `duties` has what was computed before. */
  extend(context: ProposalContext, duties: Duties): Uint8Array;
  /** Whether an extension of `validatorAddress` is well-formed. Never depends on node-local data; of the block it knows the height alone. */
  verify(context: ProposalContext, validatorAddress: Uint8Array, extension: Uint8Array): boolean;
}

/** A message type with its types erased; made by {@link messageHandler}. */
export interface MessageHandler {
  readonly typeUrl: string;
  readonly schema: DescMessage;
  readonly response: DescMessage;
  /** Its type URL. */
  readonly responseUrl: string;
  /** Raw addresses that must sign, first the one that pays. */
  signers(message: unknown, chain: ChainParams): Result<readonly Uint8Array[]>;
  /** Checks that need no state; also in CheckTx. */
  validate(message: unknown, chain: ChainParams): Result<void>;
  /** Messages that stand inside it and may be executed by it. */
  nested(message: unknown): readonly AnyMessage[];
  /**
   * Reads a message to its end as it is usually written; undefined, or with something left, when it is not. See
   * tx/usual.ts. For messages that nearly all transactions carry.
   */
  readonly usual: ((fields: UsualFields) => unknown) | undefined;
  /** The encoded response. */
  handle(context: MessageContext, message: unknown): Result<Uint8Array>;
}

export function messageHandler<Req extends DescMessage, Res extends DescMessage>(definition: {
  readonly schema: Req;
  readonly response: Res;
  signers(message: MessageShape<Req>, chain: ChainParams): Result<readonly Uint8Array[]>;
  validate?(message: MessageShape<Req>, chain: ChainParams): Result<void>;
  nested?(message: MessageShape<Req>): readonly AnyMessage[];
  usual?(fields: UsualFields): MessageShape<Req> | undefined;
  handle(context: MessageContext, message: MessageShape<Req>): Result<MessageInitShape<Res>>;
}): MessageHandler {
  const { schema, response } = definition;
  return {
    typeUrl: typeUrlOf(schema),
    schema,
    response,
    responseUrl: typeUrlOf(response),
    signers: (message, chain) => definition.signers(message as MessageShape<Req>, chain),
    validate: (message, chain) =>
      definition.validate === undefined
        ? { ok: true, value: undefined }
        : definition.validate(message as MessageShape<Req>, chain),
    nested: (message) => definition.nested?.(message as MessageShape<Req>) ?? [],
    usual: definition.usual,
    handle(context, message) {
      const result = definition.handle(context, message as MessageShape<Req>);
      if (!result.ok) return result;
      // Most responses have no fields.
      return { ok: true, value: response.fields.length === 0 ? EMPTY : encode(response, result.value) };
    },
  };
}

/** For `signers`: the owner of this address, and nobody else. */
export function signedBy(address: Result<Uint8Array>): Result<readonly Uint8Array[]> {
  return address.ok ? ok([address.value]) : address;
}

/** For `validate`: whether what can be read without state can be read. */
export function readable<T>(read: Result<T>): Result<void> {
  return read.ok ? ok(undefined) : read;
}

/** A query with its types erased; made by {@link queryHandler}. */
export interface QueryHandler {
  /** `/cosmos.bank.v1beta1.Query/Balance`. */
  readonly path: string;
  readonly request: DescMessage;
  readonly response: DescMessage;
  /** Encoded request in, encoded response out. */
  run(context: QueryContext, request: Uint8Array): Result<Uint8Array>;
}

export function queryHandler<Req extends DescMessage, Res extends DescMessage>(definition: {
  readonly path: string;
  readonly request: Req;
  readonly response: Res;
  query(context: QueryContext, request: MessageShape<Req>): Result<MessageInitShape<Res>>;
}): QueryHandler {
  const { path, request, response } = definition;
  return {
    path,
    request,
    response,
    run(context, bytes) {
      const decoded = decodeStrict(request, bytes, { maxFields: RUNTIME_LIMITS.maxFields });
      if (!decoded.ok) return { ok: false, error: sdkFailure('invalidRequest', decoded.error) };
      const result = definition.query(context, decoded.value);
      return result.ok ? { ok: true, value: encode(response, result.value) } : result;
    },
  };
}
