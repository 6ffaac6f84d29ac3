/**
 * Signatures of transactions that are signed part by part, elsewhere: one signature as a file of its own, and those of a
 * multisig key's members put together. The files are those of the Cosmos SDK's tools.
 */
import { AnySchema } from '@bufbuild/protobuf/wkt';
import { EMPTY, equal } from '#core/bytes.ts';
import { type AccountKeyPair, signSecp256k1 } from '#core/crypto/keys.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { err, ok, type Result } from '#core/result.ts';
import { MultiSignatureSchema } from '#proto/gen/cosmos/crypto/multisig/v1beta1/multisig_pb.ts';
import {
  type SignatureDescriptor,
  type SignatureDescriptor_Data,
  SignatureDescriptorsSchema,
  SignMode,
} from '#proto/gen/cosmos/tx/signing/v1beta1/signing_pb.ts';
import {
  AuthInfoSchema,
  type ModeInfo,
  ModeInfoSchema,
  type SignerInfo,
  SignerInfoSchema,
} from '#proto/gen/cosmos/tx/v1beta1/tx_pb.ts';
import { create, decodeStrict, encode, type MessageInitShape } from '#proto/message.ts';
import { isObject } from '#runtime/json.ts';
import type { Json } from '#runtime/module.ts';
import { sdkFromJson, sdkToJson } from '#runtime/sdk-json.ts';
import {
  ACCOUNT_KEY_TYPES,
  type AccountKey,
  addressOfKey,
  type MultisigKey,
  readAccountKey,
} from '#runtime/tx/account-key.ts';
import { aminoSignBytes } from '#runtime/tx/amino-json.ts';
import { type DecodedTx, decodeTx, type RawTx } from '#runtime/tx/decode.ts';
import { directSignBytes } from '#runtime/tx/sign-bytes.ts';
import { signersOf } from '#runtime/tx/signers.ts';
import { verifySignature } from '#runtime/tx/verify.ts';
import { NODE_LIMITS } from '../limits.ts';
import { packAccountKey } from './account-keys.ts';
import { encodeTxParts, TX_TABLE } from './tx-json.ts';

/** For whom a transaction is signed. */
export interface SigningFor {
  readonly chainId: string;
  readonly accountNumber: bigint;
  readonly sequence: bigint;
}

export type SigningMode = 'direct' | 'amino-json';

/** One signer's part of a transaction. */
export interface SignerPart {
  readonly info: SignerInfo;
  readonly signature: Uint8Array;
}

type Data = MessageInitShape<typeof ModeInfoSchema>;

const single = (mode: SignMode): Data => ({ sum: { case: 'single', value: { mode } } });

function infoOf(key: AccountKey | undefined, modeInfo: Data, sequence: bigint): SignerInfo {
  const publicKey = key === undefined ? {} : { publicKey: create(AnySchema, packAccountKey(key)) };
  return create(SignerInfoSchema, { ...publicKey, modeInfo, sequence });
}

/** The transaction with these signers in the place of those it had. Failure: its auth_info cannot be read. */
export function withSigners(parts: RawTx, signers: readonly SignerPart[]): Result<RawTx, string> {
  const read = decodeStrict(AuthInfoSchema, parts.authInfoBytes, { title: 'auth_info' });
  if (!read.ok) return read;
  const { $typeName: _, ...before } = read.value;
  return ok({
    bodyBytes: parts.bodyBytes,
    authInfoBytes: encode(AuthInfoSchema, { ...before, signerInfos: signers.map(({ info }) => info) }),
    signatures: signers.map(({ signature }) => signature),
  });
}

/** Who has signed it already. Failure: what it has does not fit together. */
export function signersIn(parts: RawTx): Result<readonly SignerPart[], string> {
  const read = decodeStrict(AuthInfoSchema, parts.authInfoBytes, { title: 'auth_info' });
  if (!read.ok) return read;
  const { signerInfos } = read.value;
  if (signerInfos.length !== parts.signatures.length)
    return err(`${signerInfos.length} signer infos and ${parts.signatures.length} signatures, expected as many`);
  return ok(signerInfos.map((info, i) => ({ info, signature: parts.signatures[i] ?? EMPTY })));
}

/** Addresses whose signatures a transaction needs, in the order in which they must stand. */
export function neededSigners(parts: RawTx, bech32Prefix: string): Result<readonly Uint8Array[], string> {
  const tx = decoded(parts);
  if (!tx.ok) return tx;
  const signers = signersOf(tx.value, { chainId: '', bech32Prefix, baseDenom: '' });
  return signers.ok ? ok(signers.value.all) : err(signers.error.message);
}

function decoded(parts: RawTx): Result<DecodedTx, string> {
  const tx = decodeTx(encodeTxParts(parts), TX_TABLE);
  return tx.ok ? tx : err(tx.error.message);
}

/**
 * One key's signature. In DIRECT mode the signers are part of what is signed, so this one is taken to be alone. Failure: the
 * transaction cannot be shown in that mode.
 */
export function signPart(
  parts: RawTx,
  pair: AccountKeyPair,
  mode: SigningMode,
  signing: SigningFor,
): Result<SignerPart, string> {
  const key: AccountKey = { kind: 'secp256k1', bytes: pair.publicKey };
  const signed = (info: SignerInfo, bytes: Uint8Array): Result<SignerPart, string> =>
    ok({ info, signature: signSecp256k1(pair.privateKey, bytes) });
  if (mode === 'direct') {
    const info = infoOf(key, single(SignMode.DIRECT), signing.sequence);
    const alone = withSigners(parts, [{ info, signature: EMPTY }]);
    if (!alone.ok) return alone;
    return signed(info, directSignBytes(alone.value, signing.chainId, signing.accountNumber));
  }
  const tx = decoded(parts);
  if (!tx.ok) return tx;
  const bytes = aminoSignBytes(tx.value, TX_TABLE, signing);
  if (!bytes.ok) return err(bytes.error.message);
  return signed(infoOf(key, single(SignMode.LEGACY_AMINO_JSON), signing.sequence), bytes.value);
}

/** What simulating needs: nothing is signed, and all is as long as it will be. Undefined key: that of the account. */
export function simulatedPart(key: AccountKey | undefined, sequence: bigint): SignerPart {
  if (key?.kind !== 'multisig') return { info: infoOf(key, single(SignMode.UNSPECIFIED), sequence), signature: EMPTY };
  const { modeInfo, signature } = simulatedSignature(key);
  return { info: infoOf(key, modeInfo, sequence), signature };
}

const SIGNATURE_BYTES = 64;

function simulatedSignature(key: AccountKey): { readonly modeInfo: Data; readonly signature: Uint8Array } {
  if (key.kind === 'secp256k1')
    return { modeInfo: single(SignMode.LEGACY_AMINO_JSON), signature: new Uint8Array(SIGNATURE_BYTES) };
  return joined(
    key,
    key.keys.slice(0, key.threshold).map((one, at) => ({ at, ...simulatedSignature(one) })),
  );
}

/** The file of one signature, without the transaction. */
export function signatureFile({ info, signature }: SignerPart): Result<string, string> {
  const data = dataOf(info.modeInfo, signature);
  if (!data.ok) return data;
  const { publicKey, sequence } = info;
  const message = create(SignatureDescriptorsSchema, {
    signatures: [{ ...(publicKey === undefined ? {} : { publicKey }), data: data.value, sequence }],
  });
  return ok(`${JSON.stringify(sdkToJson(SignatureDescriptorsSchema, message, ACCOUNT_KEY_TYPES), undefined, 2)}\n`);
}

type DescriptorData = Exclude<
  NonNullable<MessageInitShape<typeof SignatureDescriptorsSchema>['signatures']>[number]['data'],
  undefined
>;

function dataOf(modeInfo: ModeInfo | undefined, signature: Uint8Array): Result<DescriptorData, string> {
  const sum = modeInfo?.sum;
  if (sum?.case === 'single') return ok({ sum: { case: 'single', value: { mode: sum.value.mode, signature } } });
  if (sum?.case !== 'multi') return err('mode_info: missing');
  const read = decodeStrict(MultiSignatureSchema, signature);
  if (!read.ok) return read;
  const signatures: DescriptorData[] = [];
  for (const [i, inner] of sum.value.modeInfos.entries()) {
    const one = dataOf(inner, read.value.signatures[i] ?? EMPTY);
    if (!one.ok) return one;
    signatures.push(one.value);
  }
  const { bitarray } = sum.value;
  return ok({ sum: { case: 'multi', value: { ...(bitarray === undefined ? {} : { bitarray }), signatures } } });
}

/** Failure: a sentence that names the field. */
export function readSignatureFile(text: string): Result<readonly SignatureDescriptor[], string> {
  if (text.length > NODE_LIMITS.maxTxJsonCharacters)
    return err(`signatures: ${text.length} characters exceed the limit of ${NODE_LIMITS.maxTxJsonCharacters}`);
  let json: Json;
  try {
    json = JSON.parse(text) as Json;
  } catch {
    return err('signatures: expected JSON');
  }
  if (isObject(json) && json.body !== undefined)
    return err('signatures: that is a whole transaction, expected what autond tx sign --multisig wrote');
  const read = sdkFromJson(SignatureDescriptorsSchema, json, 'signatures', ACCOUNT_KEY_TYPES);
  if (!read.ok) return read;
  const { signatures } = read.value;
  return signatures.length === 0 ? err('signatures: there is none') : ok(signatures);
}

interface MemberPart {
  /** Which of the multisig key's members. */
  readonly at: number;
  readonly modeInfo: Data;
  readonly signature: Uint8Array;
}

/** Signatures of members, in their order: each set bit of the array stands for the next of them. */
function joined(key: MultisigKey, parts: readonly MemberPart[]): { modeInfo: Data; signature: Uint8Array } {
  const count = key.keys.length;
  const elems = new Uint8Array((count + 7) >>> 3);
  for (const { at } of parts) elems[at >>> 3] = (elems[at >>> 3] ?? 0) | (0x80 >>> (at & 7));
  return {
    modeInfo: {
      sum: {
        case: 'multi',
        value: {
          bitarray: { elems, extraBitsStored: count & 7 },
          modeInfos: parts.map(({ modeInfo }) => create(ModeInfoSchema, modeInfo)),
        },
      },
    },
    signature: encode(MultiSignatureSchema, { signatures: parts.map(({ signature }) => signature) }),
  };
}

/**
 * The members' signatures as the one of the multisig key; each is verified. Failure: which is not one, which member's is
 * there twice, or how many are missing.
 */
export function multisign(
  parts: RawTx,
  key: MultisigKey,
  signing: SigningFor,
  descriptors: readonly SignatureDescriptor[],
  nameOf: (key: AccountKey) => string,
): Result<SignerPart, string> {
  const tx = decoded(parts);
  if (!tx.ok) return tx;
  const found = new Map<number, MemberPart>();
  for (const { publicKey, data, sequence } of descriptors) {
    const made = publicKey === undefined ? undefined : readAccountKey(publicKey);
    if (made?.ok !== true) return err(made === undefined ? 'a signature has no public key' : made.error.message);
    const member = made.value;
    const name = nameOf(member);
    const at = key.keys.findIndex((one) => equal(addressOfKey(one), addressOfKey(member)));
    if (at < 0) return err(`${name} is no member of ${nameOf(key)}`);
    if (found.has(at)) return err(`the signature of ${name} is there twice`);
    if (sequence !== signing.sequence)
      return err(`${name} has signed for sequence ${sequence}, expected ${signing.sequence}`);
    const part = partOf(data);
    if (!part.ok) return err(`the signature of ${name}: ${part.error}`);
    const info = create(SignerInfoSchema, { modeInfo: create(ModeInfoSchema, part.value.modeInfo) });
    const entry = { key: member, info, signature: part.value.signature, ...signing };
    const context = { tx: tx.value, types: TX_TABLE, chainId: signing.chainId };
    const valid = verifySignature(pureVerifier, context, entry);
    if (!valid.ok) return err(`the signature of ${name}: ${valid.error.message}`);
    found.set(at, { at, ...part.value });
  }
  if (found.size < key.threshold) return err(`${found.size} of ${key.threshold} signatures that ${nameOf(key)} needs`);
  const members = [...found.values()].sort((a, b) => a.at - b.at);
  const { modeInfo, signature } = joined(key, members);
  return ok({ info: infoOf(key, modeInfo, signing.sequence), signature });
}

/** Whether it is of its key's form the verification judges. */
function partOf(data: SignatureDescriptor_Data | undefined): Result<Omit<MemberPart, 'at'>, string> {
  const sum = data?.sum;
  if (sum?.case === 'single') return ok({ modeInfo: single(sum.value.mode), signature: sum.value.signature });
  if (sum?.case !== 'multi') return err('there is nothing in it');
  const modeInfos: ModeInfo[] = [];
  const signatures: Uint8Array[] = [];
  for (const one of sum.value.signatures) {
    const inner = partOf(one);
    if (!inner.ok) return inner;
    modeInfos.push(create(ModeInfoSchema, inner.value.modeInfo));
    signatures.push(inner.value.signature);
  }
  const { bitarray } = sum.value;
  return ok({
    modeInfo: { sum: { case: 'multi', value: { ...(bitarray === undefined ? {} : { bitarray }), modeInfos } } },
    signature: encode(MultiSignatureSchema, { signatures }),
  });
}
