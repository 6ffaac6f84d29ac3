/** What the verifying threads and their owner say to each other. Both ends are this program: nothing here is untrusted. */
import type { SignatureCheck } from '#core/ports/crypto.ts';

export type Scheme = 'ed25519' | 'secp256k1';

export const KEY_BYTES: Readonly<Record<Scheme, number>> = { ed25519: 32, secp256k1: 33 };
export const SIGNATURE_BYTES = 64;

/** Checks in one piece of memory, which changes its owner instead of being copied. */
export interface VerifyRequest {
  readonly id: number;
  readonly scheme: Scheme;
  readonly checks: Uint8Array;
}

export interface VerifyResponse {
  readonly id: number;
  /** One byte for each check, in order: 1 when the signature is good. */
  readonly verdicts: Uint8Array;
}

/** Key, signature, length of the message (4 bytes, little-endian), message; one after the other. */
export function packChecks(checks: readonly SignatureCheck[]): Uint8Array {
  let size = 0;
  for (const { publicKey, signature, message } of checks)
    size += publicKey.length + signature.length + 4 + message.length;
  const out = new Uint8Array(size);
  const view = new DataView(out.buffer);
  let at = 0;
  for (const { publicKey, signature, message } of checks) {
    out.set(publicKey, at);
    out.set(signature, at + publicKey.length);
    at += publicKey.length + signature.length;
    view.setUint32(at, message.length, true);
    out.set(message, at + 4);
    at += 4 + message.length;
  }
  return out;
}

export function unpackChecks(scheme: Scheme, bytes: Uint8Array): SignatureCheck[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const keyBytes = KEY_BYTES[scheme];
  const checks: SignatureCheck[] = [];
  for (let at = 0; at < bytes.length; ) {
    const signatureAt = at + keyBytes;
    const lengthAt = signatureAt + SIGNATURE_BYTES;
    const end = lengthAt + 4 + view.getUint32(lengthAt, true);
    checks.push({
      publicKey: bytes.subarray(at, signatureAt),
      signature: bytes.subarray(signatureAt, lengthAt),
      message: bytes.subarray(lengthAt + 4, end),
    });
    at = end;
  }
  return checks;
}
