/** The secret that the salts of seals and verdicts come from. */
import { hkdfSync, randomBytes } from 'node:crypto';
import { concat, EMPTY, fromBase64, fromUtf8, lengthPrefixed, toBase64, u64be, utf8 } from '#core/bytes.ts';
import { SALT_BYTES } from '#core/poi/formats.ts';
import { NODE_LIMITS } from '../limits.ts';
import { KeyFileError } from '../privval/key-files.ts';
import { readFileBounded, replaceFileDurably } from '../storage/durable-file.ts';

const TYPE = 'autonomy/DutySecret';
const SECRET_BYTES = 32;

export type SaltRole = 'validator' | 'provider';

/**
 * 32 bytes: HKDF-SHA256 of the secret (RFC 5869, no salt of its own) with info `chain_id ‖ u64 job ‖ role ‖ address`, the
 * variable-length items behind their u32 length. The same job has the same salt after a restart, so that what was
 * committed before it opens after it.
 */
export function deriveSalt(
  secret: Uint8Array,
  where: { readonly chainId: string; readonly job: bigint; readonly role: SaltRole; readonly address: Uint8Array },
): Uint8Array {
  const info = concat(
    lengthPrefixed(utf8(where.chainId)),
    u64be(where.job),
    lengthPrefixed(utf8(where.role)),
    where.address,
  );
  return new Uint8Array(hkdfSync('sha256', secret, EMPTY, info, SALT_BYTES));
}

/** The secret in `path`; a new one is written there when the file does not exist. @throws KeyFileError */
export async function loadDutySecret(path: string): Promise<Uint8Array> {
  const bytes = await readFileBounded(path, NODE_LIMITS.maxConfigFileBytes);
  if (bytes !== undefined) return parse(path, bytes);
  const secret = new Uint8Array(randomBytes(SECRET_BYTES));
  await replaceFileDurably(path, `${JSON.stringify({ type: TYPE, value: toBase64(secret) }, undefined, 2)}\n`);
  return secret;
}

function parse(path: string, bytes: Uint8Array): Uint8Array {
  let file: unknown;
  try {
    file = JSON.parse(fromUtf8(bytes));
  } catch {
    throw new KeyFileError(`${path}: not valid JSON`);
  }
  if (typeof file !== 'object' || file === null || !('type' in file) || !('value' in file) || file.type !== TYPE)
    throw new KeyFileError(`${path}: expected an object with type ${TYPE} and value`);
  if (typeof file.value !== 'string') throw new KeyFileError(`${path}: value: expected base64 text`);
  let secret: Uint8Array;
  try {
    secret = fromBase64(file.value, 'value');
  } catch (error) {
    throw new KeyFileError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (secret.length !== SECRET_BYTES)
    throw new KeyFileError(`${path}: value: expected ${SECRET_BYTES} bytes, got ${secret.length}`);
  return secret;
}
