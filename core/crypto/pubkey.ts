import { expectLength } from '../bytes.ts';
import { asBytes, DecodeError, readFields } from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { type Address, toAddress } from '../types/brand.ts';
import { ripemd160, sha256, sha256Truncated } from './hash.ts';

/** A consensus public key: ed25519 (32 bytes) or secp256k1 (33 bytes, compressed). */
export interface PublicKey {
  readonly type: 'ed25519' | 'secp256k1';
  readonly bytes: Uint8Array;
}

const KEY_BYTES = { ed25519: 32, secp256k1: 33 } as const;

/** @throws RangeError on a wrong length. */
export function ed25519Key(bytes: Uint8Array): PublicKey {
  return { type: 'ed25519', bytes: expectLength(bytes, KEY_BYTES.ed25519, 'ed25519 public key') };
}

/** ed25519: first 20 bytes of SHA-256; secp256k1: RIPEMD-160 of SHA-256 (CometBFT crypto/{ed25519,secp256k1}). */
export function consensusAddress(key: PublicKey): Address {
  return toAddress(key.type === 'ed25519' ? sha256Truncated(key.bytes) : ripemd160(sha256(key.bytes)));
}

/** tendermint.crypto.PublicKey. */
export function encodePublicKey(key: PublicKey): Uint8Array {
  return new ProtoWriter().message(key.type === 'ed25519' ? 1 : 2, key.bytes).finish();
}

/** @throws DecodeError */
export function readPublicKey(title: string, bytes: Uint8Array): PublicKey {
  const fields = readFields(title, bytes, { known: [1, 2] });
  const field = fields[0];
  if (field === undefined || fields.length > 1) throw new DecodeError(`${title}: expected exactly one key`);
  const type = field.number === 1 ? 'ed25519' : 'secp256k1';
  const key = asBytes(`${title}.${type}`, field, KEY_BYTES[type]);
  if (key.length !== KEY_BYTES[type])
    throw new DecodeError(`${title}.${type}: expected ${KEY_BYTES[type]} bytes, got ${key.length}`);
  return { type, bytes: key.slice() };
}
