import { compare, toHexUpper } from '#core/bytes.ts';
import { consensusAddress, type PublicKey } from '#core/crypto/pubkey.ts';
import type { Validator, ValidatorUpdate } from '#core/types/validator-set.ts';
import { asBase64, asHex, asInt64, asObject, asString, base64, JsonError } from './reader.ts';

const AMINO_NAMES = { ed25519: 'tendermint/PubKeyEd25519', secp256k1: 'tendermint/PubKeySecp256k1' } as const;
const PROTO_NAMES = {
  ed25519: 'tendermint.crypto.PublicKey_Ed25519',
  secp256k1: 'tendermint.crypto.PublicKey_Secp256K1',
} as const;
const KEY_BYTES = { ed25519: 32, secp256k1: 33 } as const;

export function publicKeyJson(key: PublicKey) {
  return { type: AMINO_NAMES[key.type], value: base64(key.bytes) };
}

/** The amino form `{type, value}`, or the protobuf form `{Sum: {type, value: {ed25519}}}` of validator updates. */
export function readPublicKeyJson(title: string, value: unknown): PublicKey {
  const object = asObject(title, value);
  if (object.Sum !== undefined) {
    const sum = asObject(`${title}.Sum.value`, asObject(`${title}.Sum`, object.Sum).value);
    const type = sum.ed25519 === undefined ? 'secp256k1' : 'ed25519';
    return sizedKey(`${title}.Sum.value.${type}`, type, asBase64(`${title}.Sum.value.${type}`, sum[type]));
  }
  const name = asString(`${title}.type`, object.type);
  const type = name === AMINO_NAMES.ed25519 ? 'ed25519' : name === AMINO_NAMES.secp256k1 ? 'secp256k1' : undefined;
  if (type === undefined)
    throw new JsonError(`${title}.type: expected ${Object.values(AMINO_NAMES).join(' or ')}, got ${name}`);
  return sizedKey(`${title}.value`, type, asBase64(`${title}.value`, object.value));
}

function sizedKey(title: string, type: PublicKey['type'], bytes: Uint8Array): PublicKey {
  if (bytes.length !== KEY_BYTES[type])
    throw new JsonError(`${title}: expected ${KEY_BYTES[type]} bytes of ${type}, got ${bytes.length}`);
  return { type, bytes };
}

export function validatorJson(validator: Validator) {
  return {
    address: toHexUpper(validator.address),
    pub_key: publicKeyJson(validator.publicKey),
    voting_power: String(validator.power),
    proposer_priority: String(validator.priority),
  };
}

/** `power` and `priority` are admitted for `voting_power` and `proposer_priority`, as genesis documents write them. */
export function readValidatorJson(title: string, value: unknown): Validator {
  const object = asObject(title, value);
  const publicKey = readPublicKeyJson(`${title}.pub_key`, object.pub_key);
  const address = consensusAddress(publicKey);
  const stated = asHex(`${title}.address`, object.address);
  if (stated.length > 0 && compare(stated, address) !== 0)
    throw new JsonError(`${title}.address: expected ${toHexUpper(address)}, the address of pub_key`);
  return {
    address,
    publicKey,
    power: asInt64(`${title}.voting_power`, object.voting_power ?? object.power),
    priority: asInt64(`${title}.proposer_priority`, object.proposer_priority ?? object.priority ?? '0'),
  };
}

export function validatorUpdateJson({ publicKey, power }: ValidatorUpdate) {
  return {
    pub_key: { Sum: { type: PROTO_NAMES[publicKey.type], value: { [publicKey.type]: base64(publicKey.bytes) } } },
    ...(power === 0n ? {} : { power: String(power) }),
  };
}

/** A missing power is 0: the validator leaves. */
export function readValidatorUpdateJson(title: string, value: unknown): ValidatorUpdate {
  const object = asObject(title, value);
  return {
    publicKey: readPublicKeyJson(`${title}.pub_key`, object.pub_key),
    power: asInt64(`${title}.power`, object.power ?? object.voting_power ?? '0'),
  };
}
