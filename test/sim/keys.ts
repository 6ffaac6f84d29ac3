/** Signatures of the simulator: keyed hashes, which only the verifier that knows the keys can check. Fast, and no less binding here. */
import { hash } from 'node:crypto';
import { concat, toHex, u64be, utf8 } from '#core/bytes.ts';
import { consensusAddress, ed25519Key } from '#core/crypto/pubkey.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import type { Address } from '#core/types/brand.ts';
import type { KeyHolder } from '#node/driver/guarded-signer.ts';

export interface SimKey extends KeyHolder {
  readonly address: Address;
}

function keyedHash(secret: Uint8Array, message: Uint8Array): Uint8Array {
  const digest = hash('sha512', concat(secret, message), 'buffer');
  return new Uint8Array(digest.buffer, digest.byteOffset, digest.length);
}

export class SimKeys {
  readonly #secrets = new Map<string, Uint8Array>();
  /** By the key's bytes themselves: those in a validator set stay the same, and need no name. */
  readonly #known = new WeakMap<Uint8Array, Uint8Array>();
  readonly verifier: Verifier = {
    ed25519: (publicKey, message, signature) => this.#verify(publicKey, message, signature),
    secp256k1: () => false,
  };

  make(index: number): SimKey {
    const publicKey = ed25519Key(keyedHash(utf8('public'), u64be(BigInt(index))).slice(0, 32));
    const secret = keyedHash(utf8('secret'), concat(publicKey.bytes, u64be(BigInt(index))));
    this.#secrets.set(toHex(publicKey.bytes), secret);
    return { publicKey, address: consensusAddress(publicKey), sign: (message) => keyedHash(secret, message) };
  }

  #verify(publicKey: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
    const secret = this.#known.get(publicKey) ?? this.#secrets.get(toHex(publicKey));
    if (secret === undefined) return false;
    this.#known.set(publicKey, secret);
    return Buffer.compare(keyedHash(secret, message), signature) === 0;
  }
}
