/** `app_state.models`: `params`, each absent field its default, and after an export `next_id`, `models`, `components`. */
import { equal, toBase64 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { MAX_INT64 } from '#core/int.ts';
import type { Result } from '#core/result.ts';
import { ModelSchema, ParamsSchema } from '#proto/gen/autonomy/models/v1/models_pb.ts';
import { create } from '#proto/message.ts';
import { parseAddress } from '../../address.ts';
import type { GenesisContext, QueryContext } from '../../context.ts';
import {
  asArrayOrEmpty,
  asInteger,
  asObject,
  isAbsent,
  JsonError,
  type JsonField,
  readJson,
  root,
} from '../../json.ts';
import type { Json } from '../../module.ts';
import { asBase64, asRecord, recordJson } from '../../records-json.ts';
import { MODEL_LIMITS } from './limits.ts';
import { components, DEFAULT_PARAMS, getParams, MODELS_STORE, models, nextId, params } from './state.ts';

const MAX_PAGES = 4_096n;
const MAX_GAS_PER_BYTE = 1_000_000n;

export function initModels(context: GenesisContext, json: Json | undefined): Result<void, string> {
  return readJson(() => {
    const store = context.state.store(MODELS_STORE);
    const top = asObject(root(json ?? {}, 'app_state.models'), ['params', 'next_id', 'models', 'components']);
    params.set(store, readParams(top.params));
    for (const field of asArrayOrEmpty(top.components)) {
      const component = asBase64(field);
      components.set(store, sha256(component), component);
    }
    for (const field of asArrayOrEmpty(top.models)) readModel(context, field);
    if (!isAbsent(top.next_id)) nextId.set(store, asInteger(top.next_id, 1n, MAX_INT64));
  });
}

/** What a registration checks, as far as jobs rely on it: a settlement that cannot pay is a halt. */
function readModel({ state, chain }: GenesisContext, field: JsonField): void {
  const store = state.store(MODELS_STORE);
  const model = asRecord(field, ModelSchema);
  const creator = parseAddress(chain, model.creator, 'creator');
  if (!creator.ok) throw new JsonError(`${field.path}: ${creator.error.message}`);
  if (model.price < 1n || model.price > MODEL_LIMITS.maxPrice)
    throw new JsonError(`${field.path}: price: expected 1 … ${MODEL_LIMITS.maxPrice}, got ${model.price}`);
  if (models.has(store, model.id)) throw new JsonError(`${field.path}: model ${model.id} is listed twice`);
  const component = components.get(store, model.componentHash);
  if (component === undefined || !equal(sha256(component), model.componentHash))
    throw new JsonError(`${field.path}: the component of model ${model.id} is not listed`);
  models.set(store, model.id, model);
  if (nextId.peek(store) <= model.id) nextId.set(store, model.id + 1n);
}

function readParams(field: JsonField) {
  const fields = asObject({ path: field.path, value: field.value ?? {} }, [
    'max_component_bytes',
    'admission_gas_per_byte',
    'max_memory_pages',
    'max_gas_limit',
  ]);
  const read = (one: JsonField, fallback: bigint, max: bigint): bigint =>
    isAbsent(one) ? fallback : asInteger(one, 1n, max);
  const { maxComponentBytes, admissionGasPerByte, maxMemoryPages, maxGasLimit } = DEFAULT_PARAMS;
  const componentLimit = BigInt(MODEL_LIMITS.componentBytes);
  return create(ParamsSchema, {
    maxComponentBytes: Number(read(fields.max_component_bytes, BigInt(maxComponentBytes), componentLimit)),
    admissionGasPerByte: read(fields.admission_gas_per_byte, admissionGasPerByte, MAX_GAS_PER_BYTE),
    maxMemoryPages: Number(read(fields.max_memory_pages, BigInt(maxMemoryPages), MAX_PAGES)),
    maxGasLimit: read(fields.max_gas_limit, maxGasLimit, MAX_INT64),
  });
}

export function exportModels(context: QueryContext): Json {
  const store = context.state.store(MODELS_STORE);
  const { maxComponentBytes, admissionGasPerByte, maxMemoryPages, maxGasLimit } = getParams(store);
  return {
    params: {
      max_component_bytes: maxComponentBytes,
      admission_gas_per_byte: String(admissionGasPerByte),
      max_memory_pages: maxMemoryPages,
      max_gas_limit: String(maxGasLimit),
    },
    next_id: String(nextId.peek(store)),
    models: [...models.entries(store)].map(([, model]) => recordJson(ModelSchema, model)),
    components: [...components.entries(store)].map(([, component]) => toBase64(component)),
  };
}
