import { MAX_INT64 } from '#core/int.ts';
import { ok, type Result } from '#core/result.ts';
import { ParamsSchema } from '#proto/gen/autonomy/models/v1/models_pb.ts';
import * as q from '#proto/gen/autonomy/models/v1/query_pb.ts';
import { create } from '#proto/message.ts';
import type { GenesisContext } from '../../context.ts';
import { failGrpc } from '../../errors.ts';
import { asInteger, asObject, isAbsent, type JsonField, readJson, root } from '../../json.ts';
import { type Json, queryHandler, type RuntimeModule } from '../../module.ts';
import { registerModel } from './handlers.ts';
import { MODEL_LIMITS } from './limits.ts';
import { components, DEFAULT_PARAMS, getParams, MODELS_STORE, models, params } from './state.ts';

const MAX_PAGES = 4_096n;
const MAX_GAS_PER_BYTE = 1_000_000n;

/** `app_state.models`: `{"params": {…}}`, each absent field its default. */
function initModels(context: GenesisContext, json: Json | undefined): Result<void, string> {
  return readJson(() => {
    const top = asObject(root(json ?? {}, 'app_state.models'), ['params']);
    const fields = asObject({ path: top.params.path, value: top.params.value ?? {} }, [
      'max_component_bytes',
      'admission_gas_per_byte',
      'max_memory_pages',
      'max_gas_limit',
    ]);
    const read = (field: JsonField, fallback: bigint, max: bigint): bigint =>
      isAbsent(field) ? fallback : asInteger(field, 1n, max);
    const fallback = DEFAULT_PARAMS;
    params.set(
      context.state.store(MODELS_STORE),
      create(ParamsSchema, {
        maxComponentBytes: Number(
          read(fields.max_component_bytes, BigInt(fallback.maxComponentBytes), BigInt(MODEL_LIMITS.componentBytes)),
        ),
        admissionGasPerByte: read(fields.admission_gas_per_byte, fallback.admissionGasPerByte, MAX_GAS_PER_BYTE),
        maxMemoryPages: Number(read(fields.max_memory_pages, BigInt(fallback.maxMemoryPages), MAX_PAGES)),
        maxGasLimit: read(fields.max_gas_limit, fallback.maxGasLimit, MAX_INT64),
      }),
    );
  });
}

export const modelsModule: RuntimeModule = {
  name: 'models',
  stores: [MODELS_STORE],
  initGenesis: initModels,
  messages: [registerModel],
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
