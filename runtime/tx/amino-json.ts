/**
 * The sign document of SIGN_MODE_LEGACY_AMINO_JSON, which hardware wallets show and sign: JSON with sorted keys, made of
 * the messages by the options on their descriptors (ADR-050 of the Cosmos SDK; x/tx/signing/aminojson of v0.50).
 */
import { toBase64, utf8 } from '#core/bytes.ts';
import { divFloor } from '#core/int.ts';
import { err, type Failure, ok, type Result } from '#core/result.ts';
import { formatTime } from '#core/types/timestamp.ts';
import { TxBodySchema } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { type DescMessage, decodeChecked, decodeStrict, type MessageShape } from '#proto/message.ts';
import { aminoField, aminoMessage, type DescField, type ReflectMessage, reflect } from '#proto/reflect.ts';
import { sdkFailure } from '../errors.ts';
import type { DecodedTx, TxTypes } from './decode.ts';

type AminoJson = null | boolean | number | string | readonly AminoJson[] | { readonly [key: string]: AminoJson };

/** Thrown inside the encoder, caught by {@link aminoSignBytes}. */
class NotAmino extends Error {}

export interface SignerData {
  readonly chainId: string;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
}

/** UTF-8 of the sign document. Failure: the transaction cannot be shown in this form. */
export function aminoSignBytes(
  tx: DecodedTx,
  types: Pick<TxTypes, 'resolveAny'>,
  signer: SignerData,
): Result<Uint8Array> {
  const { body, authInfo } = tx;
  if (body.extensionOptions.length > 0 || body.nonCriticalExtensionOptions.length > 0)
    return fail('SIGN_MODE_LEGACY_AMINO_JSON does not support protobuf extension options');
  const strict = decodeStrict(TxBodySchema, tx.raw.bodyBytes, { title: 'TxBody' });
  if (!strict.ok) return fail(`SIGN_MODE_LEGACY_AMINO_JSON does not show what it does not know: ${strict.error}`);
  const { fee } = authInfo;
  try {
    const document: AminoJson = {
      account_number: String(signer.accountNumber),
      chain_id: signer.chainId,
      fee: {
        amount: (fee?.amount ?? []).map(({ denom, amount }) => ({ denom, amount })),
        gas: String(fee?.gasLimit ?? 0n),
        ...(fee === undefined || fee.payer === '' ? {} : { payer: fee.payer }),
        ...(fee === undefined || fee.granter === '' ? {} : { granter: fee.granter }),
      },
      memo: body.memo,
      msgs: tx.messages.map(({ handler, message }) =>
        named(types, handler.schema, message as MessageShape<DescMessage>),
      ),
      sequence: String(signer.sequence),
      ...(body.timeoutHeight === 0n ? {} : { timeout_height: String(body.timeoutHeight) }),
    };
    return ok(utf8(canonicalJson(document)));
  } catch (error) {
    if (error instanceof NotAmino) return fail(error.message);
    throw error;
  }
}

function fail(detail: string): { readonly ok: false; readonly error: Failure } {
  return err(sdkFailure('notSupported', detail));
}

/** The Amino JSON of one message as it stands in an Any: `{type, value}`. @throws Error for types that it cannot show. */
export function aminoJsonOf<D extends DescMessage>(
  types: Pick<TxTypes, 'resolveAny'>,
  schema: D,
  message: MessageShape<D>,
): string {
  return canonicalJson(named(types, schema, message));
}

/** A message without a registered name stands under its type URL. */
function named<D extends DescMessage>(
  types: Pick<TxTypes, 'resolveAny'>,
  schema: D,
  message: MessageShape<D>,
): AminoJson {
  const name = aminoMessage(schema).name || `/${schema.typeName}`;
  return { type: name, value: messageValue(types, reflect(schema, message)) };
}

function messageValue(types: Pick<TxTypes, 'resolveAny'>, message: ReflectMessage): AminoJson {
  const { typeName } = message.desc;
  if (typeName === 'google.protobuf.Timestamp')
    return formatTime({ seconds: bigOf(message, 'seconds'), nanos: numberOf(message, 'nanos') });
  if (typeName === 'google.protobuf.Duration')
    return String(bigOf(message, 'seconds') * 1_000_000_000n + BigInt(numberOf(message, 'nanos')));
  if (typeName === 'google.protobuf.Any') return anyValue(types, message);
  const { encoding } = aminoMessage(message.desc);
  if (encoding === 'key_field') return toBase64(bytesOf(message, 'key'));
  const out: Record<string, AminoJson> = {};
  for (const field of message.fields) {
    if (encoding === 'threshold_string') out[field.name] = fieldValue(types, message, field);
    else writeField(types, message, field, out);
  }
  if (encoding !== 'threshold_string') return out;
  return { pubkeys: out.public_keys ?? [], threshold: String(out.threshold ?? 0) };
}

function writeField(
  types: Pick<TxTypes, 'resolveAny'>,
  message: ReflectMessage,
  field: DescField,
  out: Record<string, AminoJson>,
): void {
  const { name, keepEmpty, oneofName } = aminoField(field);
  const set = message.isSet(field);
  if (field.oneof !== undefined) {
    const isEmpty = message.oneofCase(field.oneof) === undefined;
    const shown = upperCamel(field.oneof.name);
    if (isEmpty) out[shown] = null;
    if (set) out[shown] = { type: oneofName, value: { [name]: fieldValue(types, message, field) } };
    return;
  }
  if (!set && !keepEmpty) return;
  if (!set && field.fieldKind === 'message') throw new NotAmino(`${message.desc.typeName}.${field.name}: missing`);
  out[name] = fieldValue(types, message, field);
}

/** A oneof stands under the name of its Go field. */
function upperCamel(name: string): string {
  return name.replace(/(?:^|_)([a-z0-9])/g, (_, first: string) => first.toUpperCase());
}

function fieldValue(types: Pick<TxTypes, 'resolveAny'>, message: ReflectMessage, field: DescField): AminoJson {
  switch (field.fieldKind) {
    case 'message':
      return messageValue(types, message.get(field));
    case 'list': {
      const list = message.get(field);
      // Go's nil slice; `legacy_coins` shows it as an empty one.
      if (list.size === 0 && aminoField(field).encoding !== 'legacy_coins' && aminoField(field).keepEmpty) return null;
      return [...list].map((entry) =>
        field.listKind === 'message' ? messageValue(types, entry as ReflectMessage) : scalarValue(field, entry),
      );
    }
    case 'map':
      throw new NotAmino(`${message.desc.typeName}.${field.name}: maps are not supported`);
    default:
      return scalarValue(field, message.get(field));
  }
}

function scalarValue(field: DescField, value: unknown): AminoJson {
  const { scalar } = aminoField(field);
  if (scalar === 'cosmos.Int') return value === '' ? '0' : String(value);
  if (scalar === 'cosmos.Dec' && typeof value === 'string') return value === '' ? '0' : decimal(field, value);
  if (value instanceof Uint8Array) return toBase64(value);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'string' || typeof value === 'boolean' || typeof value === 'number') return value;
  throw new NotAmino(`${field.name}: cannot be shown`);
}

const DEC_ONE = 1_000_000_000_000_000_000n;

/** Protobuf carries a decimal as a whole number of 10^-18; people read it with a point (LegacyDec.String). */
function decimal(field: DescField, text: string): string {
  if (!/^-?[0-9]{1,100}$/.test(text)) throw new NotAmino(`${field.name}: expected a whole number of 10^-18`);
  const atomics = BigInt(text);
  const abs = atomics < 0n ? -atomics : atomics;
  const whole = divFloor(abs, DEC_ONE);
  return `${atomics < 0n ? '-' : ''}${whole}.${String(abs - whole * DEC_ONE).padStart(18, '0')}`;
}

function anyValue(types: Pick<TxTypes, 'resolveAny'>, any: ReflectMessage): AminoJson {
  const typeUrl = textOf(any, 'type_url');
  const schema = types.resolveAny(typeUrl);
  if (schema === undefined) throw new NotAmino(`unable to resolve type URL ${typeUrl}`);
  const decoded = decodeChecked(schema, bytesOf(any, 'value'));
  if (!decoded.ok) throw new NotAmino(decoded.error);
  return named(types, schema, decoded.value);
}

function fieldOf(message: ReflectMessage, name: string): unknown {
  const field = message.fields.find((one) => one.name === name);
  return field === undefined ? undefined : message.get(field);
}

function bigOf(message: ReflectMessage, name: string): bigint {
  const value = fieldOf(message, name);
  return typeof value === 'bigint' ? value : 0n;
}

function numberOf(message: ReflectMessage, name: string): number {
  const value = fieldOf(message, name);
  return typeof value === 'number' ? value : 0;
}

function textOf(message: ReflectMessage, name: string): string {
  const value = fieldOf(message, name);
  return typeof value === 'string' ? value : '';
}

function bytesOf(message: ReflectMessage, name: string): Uint8Array {
  const value = fieldOf(message, name);
  return value instanceof Uint8Array ? value : new Uint8Array(0);
}

/** Sorted keys, no spaces, and the escapes of Go's encoding/json. */
function canonicalJson(value: AminoJson): string {
  if (value === null || typeof value !== 'object') return goString(value);
  if (Array.isArray(value)) return `[${value.map(canonicalJson).join(',')}]`;
  const entries = Object.entries(value as { readonly [key: string]: AminoJson });
  entries.sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0));
  return `{${entries.map(([key, entry]) => `${goString(key)}:${canonicalJson(entry)}`).join(',')}}`;
}

function goString(value: null | boolean | number | string): string {
  return JSON.stringify(value).replace(
    /[<>&\u2028\u2029]/g,
    (char) => `\\u${char.charCodeAt(0).toString(16).padStart(4, '0')}`,
  );
}
