import { createCipheriv, createDecipheriv, randomBytes, scryptSync } from 'node:crypto';
import { concat, fromBase64, toBase64 } from '#core/bytes.ts';
import { err, ok, type Result } from '#core/result.ts';

/** Cost of the password: 2^`logN` blocks of 1 KiB with r = 8. 2^16 takes 64 MiB and about a quarter of a second. */
export interface ScryptCost {
  readonly logN: number;
}

export const DEFAULT_COST: ScryptCost = { logN: 16 };
/** A file that asks for more memory than this is refused. */
const MAX_LOG_N = 20;

/** A secret under a password: scrypt (RFC 7914), then ChaCha20-Poly1305 (RFC 8439). Base64 texts. */
export interface SealedSecret {
  readonly kdf: 'scrypt';
  readonly log_n: number;
  readonly r: 8;
  readonly p: 1;
  readonly salt: string;
  readonly cipher: 'chacha20-poly1305';
  readonly nonce: string;
  /** Ciphertext and 16-byte tag. */
  readonly box: string;
}

const TAG_BYTES = 16;

/** @param associated what the secret belongs to: it opens only together with the same bytes. */
export function seal(secret: Uint8Array, password: string, associated: Uint8Array, cost = DEFAULT_COST): SealedSecret {
  const salt = new Uint8Array(randomBytes(16));
  const nonce = new Uint8Array(randomBytes(12));
  const cipher = createCipheriv('chacha20-poly1305', stretch(password, salt, cost.logN), nonce, {
    authTagLength: TAG_BYTES,
  });
  cipher.setAAD(associated, { plaintextLength: secret.length });
  const text = concat(cipher.update(secret), cipher.final());
  return {
    kdf: 'scrypt',
    log_n: cost.logN,
    r: 8,
    p: 1,
    salt: toBase64(salt),
    cipher: 'chacha20-poly1305',
    nonce: toBase64(nonce),
    box: toBase64(concat(text, cipher.getAuthTag())),
  };
}

/** The error says that the password is wrong or the file was changed: the two cannot be told apart. */
export function unseal(sealed: SealedSecret, password: string, associated: Uint8Array): Result<Uint8Array, string> {
  if (!Number.isInteger(sealed.log_n) || sealed.log_n < 1 || sealed.log_n > MAX_LOG_N)
    return err(`log_n: expected 1 … ${MAX_LOG_N}, got ${sealed.log_n}`);
  try {
    const box = fromBase64(sealed.box, 'box');
    const key = stretch(password, fromBase64(sealed.salt, 'salt'), sealed.log_n);
    const decipher = createDecipheriv('chacha20-poly1305', key, fromBase64(sealed.nonce, 'nonce'), {
      authTagLength: TAG_BYTES,
    });
    const text = box.subarray(0, Math.max(0, box.length - TAG_BYTES));
    decipher.setAAD(associated, { plaintextLength: text.length });
    decipher.setAuthTag(box.subarray(text.length));
    return ok(concat(decipher.update(text), decipher.final()));
  } catch {
    return err('wrong password, or the file was changed');
  }
}

function stretch(password: string, salt: Uint8Array, logN: number): Uint8Array {
  const n = 2 ** logN;
  // RFC 7914: 128 · r · (N + p) bytes and some.
  return new Uint8Array(
    scryptSync(password.normalize('NFKC'), salt, 32, { N: n, r: 8, p: 1, maxmem: 1_200 * n + (1 << 20) }),
  );
}
