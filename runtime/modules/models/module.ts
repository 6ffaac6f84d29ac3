import { ok } from '#core/result.ts';
import * as q from '#proto/gen/autonomy/models/v1/query_pb.ts';
import type { QueryContext } from '../../context.ts';
import { failGrpc } from '../../errors.ts';
import { queryHandler, type RuntimeModule } from '../../module.ts';
import { exportModels, initModels } from './genesis.ts';
import { registerModel } from './handlers.ts';
import { MODEL_LIMITS } from './limits.ts';
import { components, getParams, MODELS_STORE, models, nextId } from './state.ts';

/** Every model has its component, and an id below the next. */
function modelBreaches({ state }: QueryContext): readonly string[] {
  const store = state.store(MODELS_STORE);
  const next = nextId.peek(store);
  const breaches: string[] = [];
  for (const [id, { componentHash }] of models.entries(store)) {
    if (id >= next) breaches.push(`models: id ${id} is not below the next, ${next}`);
    if (!components.has(store, componentHash)) breaches.push(`models: the component of model ${id} is missing`);
  }
  return breaches;
}

export const modelsModule: RuntimeModule = {
  name: 'models',
  stores: [MODELS_STORE],
  initGenesis: initModels,
  exportGenesis: exportModels,
  messages: [registerModel],
  invariants: modelBreaches,
  queries: [
    queryHandler({
      path: '/autonomy.models.v1.Query/Params',
      request: q.QueryParamsRequestSchema,
      response: q.QueryParamsResponseSchema,
      query: ({ state }) => ok({ params: getParams(state.store(MODELS_STORE)) }),
    }),
    queryHandler({
      path: '/autonomy.models.v1.Query/Model',
      request: q.QueryModelRequestSchema,
      response: q.QueryModelResponseSchema,
      query({ state }, { id }) {
        const model = models.get(state.store(MODELS_STORE), id);
        return model === undefined ? failGrpc('NotFound', `model ${id} not found`) : ok({ model });
      },
    }),
    queryHandler({
      path: '/autonomy.models.v1.Query/Models',
      request: q.QueryModelsRequestSchema,
      response: q.QueryModelsResponseSchema,
      query({ state }, { beforeId, limit }) {
        const page = {
          reverse: true,
          limit: Math.min(limit === 0 ? MODEL_LIMITS.defaultPageEntries : limit, MODEL_LIMITS.pageEntries),
          ...(beforeId === 0n ? {} : { lt: beforeId }),
        };
        return ok({ models: [...models.entries(state.store(MODELS_STORE), page)].map(([, model]) => model) });
      },
    }),
    queryHandler({
      path: '/autonomy.models.v1.Query/Component',
      request: q.QueryComponentRequestSchema,
      response: q.QueryComponentResponseSchema,
      query({ state }, { hash }) {
        const component = components.get(state.store(MODELS_STORE), hash);
        return component === undefined
          ? failGrpc('NotFound', `component ${hash.length === 32 ? '' : '(expected a hash of 32 bytes) '}not found`)
          : ok({ component });
      },
    }),
  ],
};
