/**
 * Reads a transaction as wallets write it, in one pass and without an object that is not part of the answer: a few
 * messages, signers and coins, simple keys and modes, fields in ascending order, shortest varints, ASCII. It answers for
 * nothing else: what looks different is left to the strict decoder (decode.ts), whose verdict and words are the rule. So
 * what is read here is what that one reads, and why something is refused is never said here.
 */
import type { SignMode } from '#proto/gen/cosmos/tx/signing/v1beta1/signing_pb.ts';
import type { AuthInfo, Fee, ModeInfo, SignerInfo, TxBody } from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import type { DescMessage } from '#proto/message.ts';
import type { MessageHandler } from '../module.ts';
import { append, UsualFields, usualCoins } from '../usual-fields.ts';
import { isUsualKey, SECP256K1_KEY, SECP256K1_URL } from './account-key.ts';

/** Of messages, signers, signatures and coins each: what is read here consists of few objects. */
const MOST = 4;

interface UsualMessage {
  readonly handler: MessageHandler;
  readonly message: unknown;
}

/** What this asks of the TxTypes that the decoder is given. */
interface Types {
  readonly messages: ReadonlyMap<string, MessageHandler>;
  resolveAny(typeUrl: string): DescMessage | undefined;
}

/** The DecodedTx that the strict decoder makes of the same bytes, or undefined: ask that one. */
export function readUsualTx(bytes: Uint8Array, types: Types) {
  const fields = new UsualFields(bytes);
  let outer = fields.enter(0x0a);
  if (outer < 0) return undefined;
  const bodyBytes = fields.rest();
  const read = readBody(fields, types);
  if (read === undefined || !fields.leave(outer)) return undefined;
  const { body, messages } = read;
  outer = fields.enter(0x12);
  if (outer < 0) return undefined;
  const authInfoBytes = fields.rest();
  const authInfo = readAuthInfo(fields, types);
  if (authInfo === undefined || !fields.leave(outer)) return undefined;
  let signatures: Uint8Array[] = [];
  for (;;) {
    const signature = fields.view(0x1a);
    if (signature === undefined) break;
    if (signatures.length === MOST) return undefined;
    signatures = append(signatures, signature);
  }
  if (fields.at !== bytes.length) return undefined;
  const raw = { bodyBytes, authInfoBytes, signatures };
  return {
    raw,
    size: bytes.length,
    body,
    authInfo,
    messages,
    isUsual: true as const,
    facts: undefined,
    pass: undefined,
  };
}

/** Of all bodies: nobody writes to what was decoded. */
const NONE: TxBody['extensionOptions'] = [];

function readBody(
  fields: UsualFields,
  types: Types,
): { readonly body: TxBody; readonly messages: readonly UsualMessage[] } | undefined {
  let anys: TxBody['messages'] = [];
  let messages: UsualMessage[] = [];
  for (let outer = fields.enter(0x0a); outer >= 0; outer = fields.enter(0x0a)) {
    const typeUrl = fields.name(0x0a);
    const handler = types.messages.get(typeUrl);
    const around = fields.enter(0x12);
    if (handler?.usual === undefined || around < 0 || types.resolveAny(typeUrl) !== handler.schema) return undefined;
    const value = fields.rest();
    const message = handler.usual(fields);
    if (message === undefined || !fields.leave(around) || !fields.leave(outer)) return undefined;
    if (messages.length === MOST) return undefined;
    messages = append(messages, { handler, message });
    anys = append(anys, { $typeName: 'google.protobuf.Any' as const, typeUrl, value });
  }
  const body: TxBody = {
    $typeName: 'cosmos.tx.v1beta1.TxBody',
    messages: anys,
    memo: fields.text(0x12),
    timeoutHeight: fields.uint64(0x18),
    extensionOptions: NONE,
    nonCriticalExtensionOptions: NONE,
  };
  return { body, messages };
}

function readAuthInfo(fields: UsualFields, types: Types): AuthInfo | undefined {
  let signerInfos: SignerInfo[] = [];
  for (let outer = fields.enter(0x0a); outer >= 0; outer = fields.enter(0x0a)) {
    const info = readSignerInfo(fields, types);
    if (info === undefined || !fields.leave(outer) || signerInfos.length === MOST) return undefined;
    signerInfos = append(signerInfos, info);
  }
  const fee = readFee(fields);
  return fee === undefined ? undefined : { $typeName: 'cosmos.tx.v1beta1.AuthInfo', signerInfos, fee };
}

/** The last one that was read. Most transactions offer the same, and those that wait for a block share one. */
let lastFee: { readonly bytes: Uint8Array; readonly fee: Fee } | undefined;

function readFee(fields: UsualFields): Fee | undefined {
  const outer = fields.enter(0x12);
  if (outer < 0) return undefined;
  if (lastFee !== undefined && fields.takeRest(lastFee.bytes)) {
    fields.leave(outer);
    return lastFee.fee;
  }
  const bytes = fields.rest();
  const amount = usualCoins(fields, 0x0a);
  if (amount === undefined) return undefined;
  const fee: Fee = {
    $typeName: 'cosmos.tx.v1beta1.Fee',
    amount,
    gasLimit: fields.uint64(0x10),
    payer: fields.text(0x1a),
    granter: fields.text(0x22),
  };
  if (!fields.leave(outer)) return undefined;
  lastFee = { bytes: bytes.slice(), fee };
  return fee;
}

function readSignerInfo(fields: UsualFields, types: Types): SignerInfo | undefined {
  const outer = fields.enter(0x0a);
  let publicKey: SignerInfo['publicKey'];
  if (outer >= 0) {
    const typeUrl = fields.name(0x0a);
    const value = fields.view(0x12);
    if (typeUrl !== SECP256K1_URL || value === undefined || !isUsualKey(value)) return undefined;
    if (!fields.leave(outer) || types.resolveAny(typeUrl) !== SECP256K1_KEY) return undefined;
    publicKey = { $typeName: 'google.protobuf.Any', typeUrl, value };
  }
  const modeInfo = readMode(fields);
  if (modeInfo === undefined) return undefined;
  const sequence = fields.uint64(0x18);
  return publicKey === undefined
    ? { $typeName: 'cosmos.tx.v1beta1.SignerInfo', sequence, modeInfo }
    : { $typeName: 'cosmos.tx.v1beta1.SignerInfo', sequence, publicKey, modeInfo };
}

/** Single ones, by their sign mode: there are few. */
const MODES: (ModeInfo | undefined)[] = [];

/** A single one. */
function readMode(fields: UsualFields): ModeInfo | undefined {
  const outer = fields.enter(0x12);
  const around = outer < 0 ? -1 : fields.enter(0x0a);
  if (around < 0) return undefined;
  const mode = fields.value(0x08) as SignMode;
  if (!fields.leave(around) || !fields.leave(outer)) return undefined;
  let info = MODES[mode];
  if (info === undefined) {
    const single = { $typeName: 'cosmos.tx.v1beta1.ModeInfo.Single' as const, mode };
    info = { $typeName: 'cosmos.tx.v1beta1.ModeInfo', sum: { case: 'single', value: single } };
    MODES[mode] = info;
  }
  return info;
}
