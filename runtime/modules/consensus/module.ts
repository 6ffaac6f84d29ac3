/**
 * The consensus parameters (x/consensus of v0.50): what queries answer, and how governance changes them. A change ends with
 * the block that makes it and holds from the next height on.
 */
import { divFloor } from '#core/int.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type ConsensusParams, validateConsensusParams } from '#core/types/consensus-params.ts';
import * as q from '#proto/gen/cosmos/consensus/v1/query_pb.ts';
import * as tx from '#proto/gen/cosmos/consensus/v1/tx_pb.ts';
import * as proto from '#proto/gen/tendermint/types/params_pb.ts';
import { create } from '#proto/message.ts';
import { authoritySigners, requireAuthority } from '../../authority.ts';
import { numberText, stringText, textOf, timeText } from '../../compact-text.ts';
import type { BlockContext, GenesisContext, MessageContext } from '../../context.ts';
import { failGrpc, failSdk } from '../../errors.ts';
import { RUNTIME_LIMITS } from '../../limits.ts';
import { type EndBlockResult, type Json, messageHandler, queryHandler, type RuntimeModule } from '../../module.ts';
import { u64Value } from '../../state/codecs.ts';
import { item, storeLayout } from '../../state/collections.ts';
import type { KvReader } from '../../state/kv-view.ts';
import { protoValue } from '../../state/proto-value.ts';

const CONSENSUS_STORE = 'consensus';

const layout = storeLayout(CONSENSUS_STORE, { params: 0x01, changedAt: 0x02 });
const stored = item(layout.params, protoValue(proto.ConsensusParamsSchema));
/** Height of the block that changed them last. */
const changedAt = item(layout.changedAt, u64Value);

const NANOS = 1_000_000_000n;

function toProto({ block, evidence, validator, version, abci }: ConsensusParams): proto.ConsensusParams {
  const { maxAgeNanos, maxAgeNumBlocks, maxBytes } = evidence;
  return create(proto.ConsensusParamsSchema, {
    block: { ...block },
    evidence: {
      maxAgeNumBlocks,
      maxAgeDuration: { seconds: divFloor(maxAgeNanos, NANOS), nanos: Number(maxAgeNanos % NANOS) },
      maxBytes,
    },
    validator: { pubKeyTypes: [...validator.pubKeyTypes] },
    version: { ...version },
    abci: { ...abci },
  });
}

function fromProto({ block, evidence, validator, version, abci }: proto.ConsensusParams): ConsensusParams {
  const { seconds = 0n, nanos = 0 } = evidence?.maxAgeDuration ?? {};
  return {
    block: { maxBytes: block?.maxBytes ?? 0n, maxGas: block?.maxGas ?? 0n },
    evidence: {
      maxAgeNumBlocks: evidence?.maxAgeNumBlocks ?? 0n,
      maxAgeNanos: seconds * NANOS + BigInt(nanos),
      maxBytes: evidence?.maxBytes ?? 0n,
    },
    validator: { pubKeyTypes: validator?.pubKeyTypes ?? [] },
    version: { app: version?.app ?? 0n },
    abci: { voteExtensionsEnableHeight: abci?.voteExtensionsEnableHeight ?? 0n },
  };
}

function paramsOf(store: KvReader): ConsensusParams | undefined {
  const found = stored.get(store);
  return found === undefined ? undefined : fromProto(found);
}

/** What consensus would stop at, or could never change back, is refused here. Failure: a sentence that names the field. */
function checkChange(now: ConsensusParams, message: tx.MsgUpdateParams): Result<ConsensusParams, string> {
  const { block, evidence, validator, abci } = message;
  if (block === undefined || evidence === undefined || validator === undefined)
    return err('all parameters must be present: block, evidence, validator');
  const asked = fromProto(create(proto.ConsensusParamsSchema, { block, evidence, validator }));
  const next = validateConsensusParams({ ...now, block: asked.block, evidence: asked.evidence });
  if (!next.ok) return next;
  if (asked.validator.pubKeyTypes.join() !== now.validator.pubKeyTypes.join())
    return err(`validator.pub_key_types: cannot be changed, expected ${now.validator.pubKeyTypes.join(', ')}`);
  if (abci !== undefined && abci.voteExtensionsEnableHeight !== now.abci.voteExtensionsEnableHeight)
    return err(
      `abci.vote_extensions_enable_height: cannot be changed, expected ${now.abci.voteExtensionsEnableHeight}`,
    );
  const { maxBytes, maxGas } = asked.block;
  const { minBlockBytes, minBlockGas } = RUNTIME_LIMITS;
  if (maxBytes !== -1n && maxBytes < minBlockBytes)
    return err(`block.max_bytes: expected −1 or at least ${minBlockBytes}, got ${maxBytes}`);
  if (maxGas !== -1n && maxGas < minBlockGas)
    return err(`block.max_gas: expected −1 or at least ${minBlockGas}, got ${maxGas}`);
  if (maxBytes !== -1n && asked.evidence.maxBytes * 2n > maxBytes)
    return err(`evidence.max_bytes: expected at most half of block.max_bytes, got ${asked.evidence.maxBytes}`);
  return next;
}

/** As v0.50 prints what the message says; its version is never part of it. */
function paramsText({ block, evidence, validator }: ConsensusParams, abci: tx.MsgUpdateParams['abci']): string {
  const { maxAgeNanos } = evidence;
  const seconds = divFloor(maxAgeNanos, NANOS);
  const parts = [
    textOf('block', [numberText('max_bytes', block.maxBytes), numberText('max_gas', block.maxGas)]),
    textOf('evidence', [
      numberText('max_age_num_blocks', evidence.maxAgeNumBlocks),
      timeText('max_age_duration', { seconds, nanos: Number(maxAgeNanos % NANOS) }),
      numberText('max_bytes', evidence.maxBytes),
    ]),
    textOf(
      'validator',
      validator.pubKeyTypes.map((type) => stringText('pub_key_types', type)),
    ),
    textOf('version', []),
  ];
  if (abci !== undefined)
    parts.push(textOf('abci', [numberText('vote_extensions_enable_height', abci.voteExtensionsEnableHeight)]));
  return parts.join('');
}

function updateParams(context: MessageContext, message: tx.MsgUpdateParams): Result<Record<string, never>> {
  const allowed = requireAuthority(context.chain, message.authority);
  if (!allowed.ok) return allowed;
  const store = context.state.store(CONSENSUS_STORE);
  const now = paramsOf(store);
  if (now === undefined) return failSdk('notFound', 'this state has no consensus parameters');
  const next = checkChange(now, message);
  if (!next.ok) return failSdk('invalidRequest', next.error);
  stored.set(store, toProto(next.value));
  changedAt.set(store, context.block.height);
  context.events.emit('update_consensus_params', [
    ['authority', message.authority],
    ['parameters', paramsText(next.value, message.abci)],
  ]);
  return ok({});
}

function endConsensus({ state, block }: BlockContext): EndBlockResult | undefined {
  const store = state.store(CONSENSUS_STORE);
  const params = changedAt.get(store) === block.height ? paramsOf(store) : undefined;
  return params && { consensusParamUpdates: { block: params.block, evidence: params.evidence } };
}

function initConsensus(context: GenesisContext, json: Json | undefined): Result<void, string> {
  if (json !== undefined && json !== null)
    return err('app_state.consensus: expected null, for these parameters stand in the document itself');
  stored.set(context.state.store(CONSENSUS_STORE), toProto(context.consensusParams));
  return ok(undefined);
}

export const consensusModule: RuntimeModule = {
  name: 'consensus',
  stores: [CONSENSUS_STORE],
  initGenesis: initConsensus,
  endBlock: endConsensus,
  messages: [
    messageHandler({
      schema: tx.MsgUpdateParamsSchema,
      response: tx.MsgUpdateParamsResponseSchema,
      signers: ({ authority }, chain) => authoritySigners(chain, authority),
      handle: updateParams,
    }),
  ],
  queries: [
    queryHandler({
      path: '/cosmos.consensus.v1.Query/Params',
      request: q.QueryParamsRequestSchema,
      response: q.QueryParamsResponseSchema,
      query({ state }) {
        const params = stored.get(state.store(CONSENSUS_STORE));
        return params === undefined ? failGrpc('NotFound', 'this state has no consensus parameters') : ok({ params });
      },
    }),
  ],
};
