/** Registered models, and the components that they run. Model ids are sequence numbers from 1, never reused. */
import type { Params } from '#proto/gen/autonomy/models/v1/models_pb.ts';
import { ModelSchema, ParamsSchema } from '#proto/gen/autonomy/models/v1/models_pb.ts';
import { create } from '#proto/message.ts';
import { bytesKey, bytesValue, u64Key } from '../../state/codecs.ts';
import { item, map, sequence, storeLayout } from '../../state/collections.ts';
import type { KvReader } from '../../state/kv-view.ts';
import { protoValue } from '../../state/proto-value.ts';

export const MODELS_STORE = 'models';

const layout = storeLayout(MODELS_STORE, { params: 0x01, nextId: 0x02, models: 0x03, components: 0x04 });

export const params = item(layout.params, protoValue(ParamsSchema));
export const nextId = sequence(layout.nextId, 1n);
export const models = map(layout.models, u64Key, protoValue(ModelSchema));
/** By SHA-256 of the component. */
export const components = map(layout.components, bytesKey, bytesValue);

export const DEFAULT_PARAMS: Params = create(ParamsSchema, {
  maxComponentBytes: 512 * 1024,
  admissionGasPerByte: 10n,
  maxMemoryPages: 1_024,
  maxGasLimit: 100_000_000_000n,
});

export function getParams(store: KvReader): Params {
  return params.get(store) ?? DEFAULT_PARAMS;
}
