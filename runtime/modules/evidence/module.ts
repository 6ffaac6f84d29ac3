/**
 * Who has signed two blocks at one height is slashed, jailed and tombstoned (x/evidence/keeper/infraction.go of v0.50).
 * Consensus has checked the evidence, its age included, before it is in a block.
 */

import type { Misbehavior } from '#core/abci.ts';
import { fromHex } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { ERRORS } from '#core/errors.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Timestamp } from '#core/types/timestamp.ts';
import { type Equivocation, EquivocationSchema } from '#proto/gen/cosmos/evidence/v1beta1/evidence_pb.ts';
import { GenesisStateSchema } from '#proto/gen/cosmos/evidence/v1beta1/genesis_pb.ts';
import * as q from '#proto/gen/cosmos/evidence/v1beta1/query_pb.ts';
import * as tx from '#proto/gen/cosmos/evidence/v1beta1/tx_pb.ts';
import { create, decodeStrict, encode, pack, typeUrlOf } from '#proto/message.ts';
import { parseAddress } from '../../address.ts';
import type { BlockContext, GenesisContext, QueryContext } from '../../context.ts';
import { failGrpc } from '../../errors.ts';
import { type Json, messageHandler, queryHandler, type RuntimeModule, signedBy } from '../../module.ts';
import { paginate } from '../../pagination.ts';
import { sdkFromJson, sdkToJson } from '../../sdk-json.ts';
import { bytesKey } from '../../state/codecs.ts';
import { map, storeLayout } from '../../state/collections.ts';
import { protoValue } from '../../state/proto-value.ts';
import { punish, VALIDATOR_UPDATE_DELAY } from '../slashing/liveness.ts';
import { bytesDec, getParams, isTombstoned, SLASHING_STORE, signingInfos } from '../slashing/state.ts';
import { formatConsensus, parseConsensus } from '../staking/addresses.ts';
import { BondStatus } from '../staking/records.ts';
import { getValidatorByConsensus, isActive, STAKING_STORE } from '../staking/state.ts';

const EVIDENCE_STORE = 'evidence';

const layout = storeLayout(EVIDENCE_STORE, { evidence: 0x00 });
const equivocationValue = protoValue(EquivocationSchema);
/** By its hash. */
const evidence = map(layout.evidence, bytesKey, equivocationValue);

/** 9999-12-31T23:59:59Z (x/evidence/types/params.go DoubleSignJailEndTime). */
const FOR_EVER: Timestamp = { seconds: 253_402_300_799n, nanos: 0 };

function hashOf(equivocation: Equivocation): Uint8Array {
  return sha256(encode(EquivocationSchema, equivocation));
}

function handle(context: BlockContext, { validator: signer, height, time }: Misbehavior): void {
  const { address, power } = signer;
  const validator = getValidatorByConsensus(context.state.store(STAKING_STORE), address);
  // Its stake is out of reach, and consensus asks nothing of it any more.
  if (validator === undefined || validator.status === BondStatus.UNBONDED) return;
  const slashing = context.state.store(SLASHING_STORE);
  const info = signingInfos.get(slashing, address);
  if (info === undefined || info.tombstoned) return;
  const fraction = bytesDec(getParams(slashing).slashFractionDoubleSign);
  punish(context, address, { reason: 'double_sign', height: height - VALIDATOR_UPDATE_DELAY, power, fraction });
  signingInfos.set(slashing, address, { ...info, tombstoned: true, jailedUntil: FOR_EVER });
  const equivocation = create(EquivocationSchema, {
    height,
    time: { ...time },
    power,
    consensusAddress: formatConsensus(context.chain, address),
  });
  evidence.set(context.state.store(EVIDENCE_STORE), hashOf(equivocation), equivocation);
}

function initEvidence(context: GenesisContext, json: Json | undefined): Result<void, string> {
  const read = sdkFromJson(GenesisStateSchema, json ?? {}, 'app_state.evidence', [EquivocationSchema]);
  if (!read.ok) return read;
  for (const [i, any] of read.value.evidence.entries()) {
    if (any.typeUrl !== typeUrlOf(EquivocationSchema))
      return err(`app_state.evidence.evidence[${i}]: expected ${typeUrlOf(EquivocationSchema)}`);
    const decoded = decodeStrict(EquivocationSchema, any.value);
    if (!decoded.ok) return decoded;
    evidence.set(context.state.store(EVIDENCE_STORE), hashOf(decoded.value), decoded.value);
  }
  return ok(undefined);
}

function exportEvidence({ state }: QueryContext): Json {
  const all = [...evidence.entries(state.store(EVIDENCE_STORE))];
  const genesis = create(GenesisStateSchema, {
    evidence: all.map(([, equivocation]) => ({ ...pack(EquivocationSchema, equivocation) })),
  });
  return sdkToJson(GenesisStateSchema, genesis, [EquivocationSchema]);
}

/** Whom evidence is kept of never validates again. */
function evidenceInvariants({ state, chain }: QueryContext): readonly string[] {
  return [...evidence.entries(state.store(EVIDENCE_STORE))].flatMap(([, { consensusAddress: text }]) => {
    const address = parseConsensus(chain, text, 'consensus_address');
    const isKnown = address.ok && isTombstoned(state.store(SLASHING_STORE), address.value);
    return isKnown ? [] : [`evidence: ${text} has double-signed and is not tombstoned`];
  });
}

const SERVICE = '/cosmos.evidence.v1beta1.Query';
const HASH = /^[0-9a-fA-F]{64}$/;

export const evidenceModule: RuntimeModule = {
  name: 'evidence',
  stores: [EVIDENCE_STORE],
  anyTypes: [EquivocationSchema],
  invariants: evidenceInvariants,
  initGenesis: initEvidence,
  exportGenesis: exportEvidence,
  beginBlock(context) {
    if (!isActive(context.state.store(STAKING_STORE))) return;
    for (const misbehavior of context.misbehavior) handle(context, misbehavior);
  },
  messages: [
    messageHandler({
      schema: tx.MsgSubmitEvidenceSchema,
      response: tx.MsgSubmitEvidenceResponseSchema,
      signers: (message, chain) => signedBy(parseAddress(chain, message.submitter, 'submitter')),
      // Double signing comes from consensus, and there is no other evidence that anybody could submit.
      handle(_context, { evidence: any }) {
        const { noEvidenceHandlerExists, invalidEvidence } = ERRORS.evidence;
        const refuse = (code: number, message: string) => err({ codespace: 'evidence', code, message });
        return any === undefined
          ? refuse(invalidEvidence, 'missing evidence: invalid evidence')
          : refuse(noEvidenceHandlerExists, `${any.typeUrl.slice(0, 100)}: unregistered handler for evidence type`);
      },
    }),
  ],
  queries: [
    queryHandler({
      path: `${SERVICE}/Evidence`,
      request: q.QueryEvidenceRequestSchema,
      response: q.QueryEvidenceResponseSchema,
      query({ state }, { hash }) {
        if (!HASH.test(hash)) return failGrpc('InvalidArgument', 'invalid evidence hash');
        const found = evidence.get(state.store(EVIDENCE_STORE), fromHex(hash));
        if (found !== undefined) return ok({ evidence: { ...pack(EquivocationSchema, found) } });
        return failGrpc('NotFound', `evidence ${hash} not found`);
      },
    }),
    queryHandler({
      path: `${SERVICE}/AllEvidence`,
      request: q.QueryAllEvidenceRequestSchema,
      response: q.QueryAllEvidenceResponseSchema,
      query({ state }, { pagination }) {
        const page = paginate(state.store(EVIDENCE_STORE), layout.evidence, pagination, (_key, value) => ({
          ...pack(EquivocationSchema, equivocationValue.decode(value)),
        }));
        return page.ok ? ok({ evidence: [...page.value.items], pagination: page.value.pagination }) : page;
      },
    }),
  ],
};
