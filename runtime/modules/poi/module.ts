import { EMPTY, equal, toBase64, toHex } from '#core/bytes.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { ok, type Result } from '#core/result.ts';
import { JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import { ValidatorSchema } from '#proto/gen/autonomy/poi/v1/poi_pb.ts';
import * as q from '#proto/gen/autonomy/poi/v1/query_pb.ts';
import { create } from '#proto/message.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import type { GenesisContext } from '../../context.ts';
import { asArrayOrEmpty, asObject, asParsed, asString, JsonError, readJson, root } from '../../json.ts';
import { type Json, queryHandler, type RuntimeModule } from '../../module.ts';
import { getParams, INFERENCE_STORE, liveJobs } from '../inference/state.ts';
import { getParams as getModelParams, MODELS_STORE } from '../models/state.ts';
import { voteExtension } from './extension.ts';
import { injection } from './injection.ts';
import { judgeJobs } from './judge.ts';
import { committee, extensionsFrom, POI_STORE, validators, verdicts, verdictsOf } from './state.ts';

/**
 * `app_state.poi`: `{"operators": [{"pub_key": <base64>, "account": <address>}]}`, the accounts that verification is paid
 * to. The validators themselves are the genesis document's; one that is not listed verifies unpaid.
 */
function initPoi(context: GenesisContext, json: Json | undefined): Result<void, string> {
  return readJson(() => {
    const store = context.state.store(POI_STORE);
    const top = asObject(root(json ?? {}, 'app_state.poi'), ['operators']);
    const accounts = new Map<string, string>();
    for (const entry of asArrayOrEmpty(top.operators)) {
      const fields = asObject(entry, ['pub_key', 'account']);
      const key = asString(fields.pub_key);
      if (!context.validators.some(({ publicKey }) => toBase64(publicKey.bytes) === key))
        throw new JsonError(`${fields.pub_key.path}: ${JSON.stringify(key)} is the key of no genesis validator`);
      if (accounts.has(key)) throw new JsonError(`${fields.pub_key.path}: listed twice`);
      const account = asParsed(fields.account, (text, title) => parseAddress(context.chain, text, title));
      accounts.set(key, formatAddress(context.chain, account));
    }
    for (const { publicKey, power } of context.validators) {
      const address = consensusAddress(publicKey);
      const operator = accounts.get(toBase64(publicKey.bytes)) ?? '';
      const member = { address, keyType: publicKey.type, publicKey: publicKey.bytes, power, operator };
      validators.set(store, address, create(ValidatorSchema, member));
    }
    extensionsFrom.set(store, context.consensusParams.abci.voteExtensionsEnableHeight);
  });
}

export const poiModule: RuntimeModule = {
  name: 'poi',
  stores: [POI_STORE],
  initGenesis: initPoi,
  queries: [
    queryHandler({
      path: '/autonomy.poi.v1.Query/Validators',
      request: q.QueryValidatorsRequestSchema,
      response: q.QueryValidatorsResponseSchema,
      query: ({ state }) => ok({ validators: [...committee(state.store(POI_STORE))] }),
    }),
    queryHandler({
      path: '/autonomy.poi.v1.Query/Verdicts',
      request: q.QueryVerdictsRequestSchema,
      response: q.QueryVerdictsResponseSchema,
      query: ({ state }, { jobId }) => ok({ verdicts: [...verdictsOf(state.store(POI_STORE), jobId)] }),
    }),
    queryHandler({
      path: '/autonomy.poi.v1.Query/Duties',
      request: q.QueryDutiesRequestSchema,
      response: q.QueryDutiesResponseSchema,
      query({ state }, { validator }) {
        const store = state.store(POI_STORE);
        const inference = state.store(INFERENCE_STORE);
        const member = validators.has(store, validator);
        const open = liveJobs(inference).filter(
          ({ status }) => member && (status === JobStatus.COMMITTING || status === JobStatus.REVEALING),
        );
        return ok({
          duties: open.map((job) => {
            const verdict = verdicts.get(store, [job.id, validator]);
            return { job, commitment: verdict?.commitment ?? EMPTY, opened: verdict?.opening !== undefined };
          }),
          maxOutputBytes: getParams(inference).maxOutputBytes,
          maxMemoryPages: getModelParams(state.store(MODELS_STORE)).maxMemoryPages,
        });
      },
    }),
  ],
  injection,
  voteExtension,
  endBlock(context) {
    judgeJobs(context);
    return undefined;
  },
  /** Whoever opened had committed; nobody but a member is recorded. */
  invariants({ state }) {
    const store = state.store(POI_STORE);
    return [...verdicts.entries(store)].flatMap(([[job, validator], verdict]) => {
      const known = validators.has(store, validator) && equal(verdict.validator, validator);
      return known ? [] : [`poi: a verdict on job ${job} by ${toHex(validator)}, who is no validator`];
    });
  },
};
