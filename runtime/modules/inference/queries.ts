import { EMPTY } from '#core/bytes.ts';
import { ok } from '#core/result.ts';
import * as q from '#proto/gen/autonomy/inference/v1/query_pb.ts';
import { parseAddress } from '../../address.ts';
import { failGrpc } from '../../errors.ts';
import { type QueryHandler, queryHandler } from '../../module.ts';
import { INFERENCE_LIMITS } from './limits.ts';
import { refundSentence } from './reasons.ts';
import { getParams, INFERENCE_STORE, inputs, jobs, liveJobs, outputs, providers } from './state.ts';

const SERVICE = '/autonomy.inference.v1.Query';

const jobQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/Job`,
    request: q.QueryJobRequestSchema,
    response: q.QueryJobResponseSchema,
    query({ state }, { id }) {
      const job = jobs.get(state.store(INFERENCE_STORE), id);
      if (job === undefined) return failGrpc('NotFound', `job ${id} not found`);
      return ok({ job, refundSentence: refundSentence(job.refundReason) });
    },
  }),
  queryHandler({
    path: `${SERVICE}/Jobs`,
    request: q.QueryJobsRequestSchema,
    response: q.QueryJobsResponseSchema,
    query({ state }, { beforeId, limit }) {
      const page = {
        reverse: true,
        limit: Math.min(limit === 0 ? INFERENCE_LIMITS.defaultPageEntries : limit, INFERENCE_LIMITS.pageEntries),
        ...(beforeId === 0n ? {} : { lt: beforeId }),
      };
      return ok({ jobs: [...jobs.entries(state.store(INFERENCE_STORE), page)].map(([, job]) => job) });
    },
  }),
  queryHandler({
    path: `${SERVICE}/LiveJobs`,
    request: q.QueryLiveJobsRequestSchema,
    response: q.QueryLiveJobsResponseSchema,
    query: ({ state }, { provider }) =>
      ok({
        jobs: liveJobs(state.store(INFERENCE_STORE)).filter((job) => provider === '' || job.provider === provider),
      }),
  }),
  queryHandler({
    path: `${SERVICE}/Input`,
    request: q.QueryInputRequestSchema,
    response: q.QueryInputResponseSchema,
    query({ state }, { jobId }) {
      const store = state.store(INFERENCE_STORE);
      if (!jobs.has(store, jobId)) return failGrpc('NotFound', `job ${jobId} not found`);
      return ok({ input: inputs.get(store, jobId) ?? EMPTY });
    },
  }),
  queryHandler({
    path: `${SERVICE}/Output`,
    request: q.QueryOutputRequestSchema,
    response: q.QueryOutputResponseSchema,
    query({ state }, { jobId }) {
      const store = state.store(INFERENCE_STORE);
      if (jobs.get(store, jobId)?.result === undefined)
        return failGrpc('NotFound', `job ${jobId} has no opened result`);
      return ok({ output: outputs.get(store, jobId) ?? EMPTY });
    },
  }),
];

const providerQueries: readonly QueryHandler[] = [
  queryHandler({
    path: `${SERVICE}/Params`,
    request: q.QueryParamsRequestSchema,
    response: q.QueryParamsResponseSchema,
    query: ({ state }) => ok({ params: getParams(state.store(INFERENCE_STORE)) }),
  }),
  queryHandler({
    path: `${SERVICE}/Provider`,
    request: q.QueryProviderRequestSchema,
    response: q.QueryProviderResponseSchema,
    query({ state, chain }, { address: text }) {
      const address = parseAddress(chain, text, 'address');
      if (!address.ok) return address;
      const provider = providers.get(state.store(INFERENCE_STORE), address.value);
      return provider === undefined ? failGrpc('NotFound', `${text} has no provider's bond`) : ok({ provider });
    },
  }),
  queryHandler({
    path: `${SERVICE}/Providers`,
    request: q.QueryProvidersRequestSchema,
    response: q.QueryProvidersResponseSchema,
    query({ state }) {
      const page = { limit: INFERENCE_LIMITS.providersAnswered };
      return ok({
        providers: [...providers.entries(state.store(INFERENCE_STORE), page)].map(([, provider]) => provider),
      });
    },
  }),
];

export const inferenceQueries: readonly QueryHandler[] = [...jobQueries, ...providerQueries];
