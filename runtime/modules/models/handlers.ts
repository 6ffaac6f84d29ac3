import { assert } from '#core/assert.ts';
import { equal, fromHex, toHex, utf8 } from '#core/bytes.ts';
import { ERRORS, type ModelsError, modelsError, type VmError } from '#core/errors.ts';
import { err, type Failure, ok, type Result } from '#core/result.ts';
import { ModelSchema } from '#proto/gen/autonomy/models/v1/models_pb.ts';
import * as tx from '#proto/gen/autonomy/models/v1/tx_pb.ts';
import { create, type MessageInitShape, type MessageShape } from '#proto/message.ts';
import { type AdmittedModel, admit } from '#vm/admission.ts';
import { formatAddress, parseAddress } from '../../address.ts';
import type { ChainParams, MessageContext } from '../../context.ts';
import { messageHandler, signedBy } from '../../module.ts';
import { MODEL_LIMITS } from './limits.ts';
import { components, getParams, MODELS_STORE, models, nextId } from './state.ts';

type MsgRegisterModel = MessageShape<typeof tx.MsgRegisterModelSchema>;

/** A component's preamble: "\0asm", version 0d, layer 1. */
const PREAMBLE = fromHex('0061736d0d000100');

function refused(kind: ModelsError, message: string): { readonly ok: false; readonly error: Failure } {
  return err(modelsError(kind, message));
}

function checkText(field: string, text: string, min: number, max: number): Result<void> {
  const length = utf8(text).length;
  if (length < min || length > max)
    return refused('badMetadata', `${field}: ${length} bytes, expected ${min} … ${max}`);
  // Control characters and reversals of direction could deceive whoever prints the text.
  const shown = field === 'description' ? text.replaceAll(/[\n\t]/g, '') : text;
  return /[\p{Cc}\u202a-\u202e\u2066-\u2069]/u.test(shown)
    ? refused('badMetadata', `${field}: control characters are not allowed`)
    : ok(undefined);
}

/** All that is known without state and without parsing the component: CheckTx stays cheap. */
function validate(message: MsgRegisterModel, chain: ChainParams): Result<void> {
  const creator = parseAddress(chain, message.creator, 'creator');
  if (!creator.ok) return creator;
  const texts = [
    checkText('name', message.name, 1, MODEL_LIMITS.nameBytes),
    checkText('description', message.description, 0, MODEL_LIMITS.descriptionBytes),
    checkText('licence', message.licence, 1, MODEL_LIMITS.licenceBytes),
  ];
  for (const text of texts) if (!text.ok) return text;
  if (message.price < 1n || message.price > MODEL_LIMITS.maxPrice)
    return refused('badMetadata', `price: expected 1 … ${MODEL_LIMITS.maxPrice}ucredit, got ${message.price}`);
  if (message.gasLimitMax < 1n) return refused('badMetadata', 'gas_limit_max: expected at least 1');
  if (message.component.length > MODEL_LIMITS.componentBytes)
    return refused(
      'componentTooLarge',
      `component: ${message.component.length} bytes, expected at most ${MODEL_LIMITS.componentBytes}`,
    );
  if (!equal(message.component.subarray(0, PREAMBLE.length), PREAMBLE))
    return refused('componentTemplate', `component: expected bytes that begin with ${toHex(PREAMBLE)}`);
  return ok(undefined);
}

const COMPONENT_ERRORS: Readonly<Partial<Record<VmError, ModelsError>>> = {
  malformed: 'componentMalformed',
  invalid: 'componentInvalid',
  unsupported: 'componentUnsupported',
  limit: 'componentLimit',
  template: 'componentTemplate',
  interface: 'componentInterface',
};

/** The verdict of the machine in this module's codespace. */
function admissionFailure(failure: Failure): Failure {
  for (const [kind, mapped] of Object.entries(COMPONENT_ERRORS))
    if (ERRORS.vm[kind as VmError] === failure.code) return modelsError(mapped, `component: ${failure.message}`);
  throw new Error(`admission answered ${failure.codespace} ${failure.code}: ${failure.message}`);
}

function admitComponent(component: Uint8Array, maxMemoryPages: number): Result<AdmittedModel> {
  const admitted = admit(component);
  if (!admitted.ok) return err(admissionFailure(admitted.error));
  const { initialPages } = admitted.value;
  return initialPages > maxMemoryPages
    ? refused('componentLimit', `component: memory of ${initialPages} pages, expected at most ${maxMemoryPages}`)
    : admitted;
}

function register(
  context: MessageContext,
  message: MsgRegisterModel,
): Result<MessageInitShape<typeof tx.MsgRegisterModelResponseSchema>> {
  const store = context.state.store(MODELS_STORE);
  const limits = getParams(store);
  const { component } = message;
  if (component.length > limits.maxComponentBytes)
    return refused(
      'componentTooLarge',
      `component: ${component.length} bytes, expected at most ${limits.maxComponentBytes}`,
    );
  if (message.gasLimitMax > limits.maxGasLimit)
    return refused('badMetadata', `gas_limit_max: expected at most ${limits.maxGasLimit}, got ${message.gasLimitMax}`);
  context.gas.consume(limits.admissionGasPerByte * BigInt(component.length), 'admission');
  const admitted = admitComponent(component, limits.maxMemoryPages);
  if (!admitted.ok) return admitted;
  const creator = parseAddress(context.chain, message.creator, 'creator');
  assert(creator.ok, 'the signer was read before');
  const { componentHash, moduleHash } = admitted.value;
  const id = nextId.next(store);
  if (!components.has(store, componentHash)) components.set(store, componentHash, component);
  const { name, description, licence, price, gasLimitMax } = message;
  models.set(
    store,
    id,
    create(ModelSchema, {
      id,
      creator: formatAddress(context.chain, creator.value),
      name,
      description,
      licence,
      componentHash,
      moduleHash,
      componentBytes: component.length,
      price,
      gasLimitMax,
      height: context.block.height,
    }),
  );
  context.events.emit('register_model', [
    ['model_id', String(id)],
    ['creator', message.creator],
    ['name', name],
    ['component_hash', toHex(componentHash)],
  ]);
  return ok({ id, componentHash });
}

export const registerModel = messageHandler({
  schema: tx.MsgRegisterModelSchema,
  response: tx.MsgRegisterModelResponseSchema,
  signers: (message, chain) => signedBy(parseAddress(chain, message.creator, 'creator')),
  validate,
  handle: register,
});
