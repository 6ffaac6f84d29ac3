import { EMPTY, equal, toHex } from '#core/bytes.ts';
import { ok } from '#core/result.ts';
import { JobStatus } from '#proto/gen/autonomy/inference/v1/inference_pb.ts';
import * as q from '#proto/gen/autonomy/poi/v1/query_pb.ts';
import type { QueryContext } from '../../context.ts';
import { queryHandler, type RuntimeModule } from '../../module.ts';
import { getParams, INFERENCE_STORE, jobs, liveJobs } from '../inference/state.ts';
import { getParams as getModelParams, MODELS_STORE } from '../models/state.ts';
import { STAKING_STORE } from '../staking/state.ts';
import { voteExtension } from './extension.ts';
import { followStake, stakedCommittee } from './follow.ts';
import { exportPoi, initPoi } from './genesis.ts';
import { injection } from './injection.ts';
import { judgeJobs } from './judge.ts';
import { committee, isMember, POI_STORE, scheduled, validators, verdicts, verdictsOf } from './state.ts';

/**
 * Nobody has judged a job that there is not, or was never a member; once no choice of the stake waits any more, the
 * committee is the last of them.
 */
function poiInvariants({ state, chain }: QueryContext): readonly string[] {
  const store = state.store(POI_STORE);
  const breaches: string[] = [];
  for (const [[job, validator], verdict] of verdicts.entries(store)) {
    if (!validators.has(store, validator) || !equal(verdict.validator, validator))
      breaches.push(`poi: a verdict on job ${job} by ${toHex(validator)}, who is no validator`);
    if (!jobs.has(state.store(INFERENCE_STORE), job)) breaches.push(`poi: a verdict on job ${job}, which there is not`);
  }
  const staked = stakedCommittee(state.store(STAKING_STORE), chain);
  for (const _ of scheduled.keys(store)) return breaches;
  if (staked === undefined) return breaches;
  const text = ({ address, power }: (typeof staked)[number]) => `${toHex(address)}: ${power}`;
  const members = new Set(committee(store).map(text));
  if (members.size !== staked.length || !staked.every((one) => members.has(text(one))))
    breaches.push('poi: the committee is not the stake’s');
  return breaches;
}

export const poiModule: RuntimeModule = {
  name: 'poi',
  stores: [POI_STORE],
  initGenesis: initPoi,
  exportGenesis: exportPoi,
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
        const member = isMember(store, validator);
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
    followStake(context);
    return undefined;
  },
  invariants: poiInvariants,
};
