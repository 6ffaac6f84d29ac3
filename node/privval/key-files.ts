import { concat, equal, fromBase64, fromUtf8, toBase64, toHexUpper } from '#core/bytes.ts';
import { consensusAddress, ed25519Key } from '#core/crypto/pubkey.ts';
import { NODE_LIMITS } from '../limits.ts';
import { readFileBounded, replaceFileDurably } from '../storage/durable-file.ts';
import { type Ed25519Key, ed25519KeyFromSeed } from './ed25519-key.ts';

/** Names of Amino's registered types, as CometBFT writes them. */
const PUBLIC = 'tendermint/PubKeyEd25519';
const PRIVATE = 'tendermint/PrivKeyEd25519';

/** A key file that is absent or not what it should be; the message names file and field. */
export class KeyFileError extends Error {
  override readonly name = 'KeyFileError';
}

/** priv_validator_key.json in CometBFT's shape (privval/file.go FilePVKey). */
function renderValidatorKey(key: Ed25519Key): string {
  const file = {
    address: toHexUpper(consensusAddress(ed25519Key(key.publicKey))),
    pub_key: { type: PUBLIC, value: toBase64(key.publicKey) },
    priv_key: { type: PRIVATE, value: toBase64(concat(key.seed, key.publicKey)) },
  };
  return `${JSON.stringify(file, undefined, 2)}\n`;
}

/** node_key.json in CometBFT's shape (p2p/key.go NodeKey). */
function renderNodeKey(key: Ed25519Key): string {
  return `${JSON.stringify({ priv_key: { type: PRIVATE, value: toBase64(concat(key.seed, key.publicKey)) } }, undefined, 2)}\n`;
}

export async function writeValidatorKey(path: string, key: Ed25519Key): Promise<void> {
  await replaceFileDurably(path, renderValidatorKey(key));
}

export async function writeNodeKey(path: string, key: Ed25519Key): Promise<void> {
  await replaceFileDurably(path, renderNodeKey(key));
}

/** `undefined` when there is no such file. @throws KeyFileError */
export async function readValidatorKey(path: string): Promise<Ed25519Key | undefined> {
  const file = await readJson(path);
  if (file === undefined) return undefined;
  const key = privateKey(path, file);
  const stated = typed(path, file, 'pub_key', PUBLIC);
  if (!equal(stated, key.publicKey)) throw new KeyFileError(`${path}: pub_key is not that of priv_key`);
  const address = toHexUpper(consensusAddress(ed25519Key(key.publicKey)));
  if (file.address !== address)
    throw new KeyFileError(`${path}: address: expected ${address}, got ${JSON.stringify(file.address)}`);
  return key;
}

/** `undefined` when there is no such file. @throws KeyFileError */
export async function readNodeKey(path: string): Promise<Ed25519Key | undefined> {
  const file = await readJson(path);
  return file === undefined ? undefined : privateKey(path, file);
}

async function readJson(path: string): Promise<Record<string, unknown> | undefined> {
  const bytes = await readFileBounded(path, NODE_LIMITS.maxConfigFileBytes);
  if (bytes === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(fromUtf8(bytes));
  } catch {
    throw new KeyFileError(`${path}: not valid JSON`);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value))
    throw new KeyFileError(`${path}: expected a JSON object`);
  return value as Record<string, unknown>;
}

function privateKey(path: string, file: Record<string, unknown>): Ed25519Key {
  const secret = typed(path, file, 'priv_key', PRIVATE);
  if (secret.length !== 64)
    throw new KeyFileError(`${path}: priv_key.value: expected 64 bytes (seed and public key), got ${secret.length}`);
  const key = ed25519KeyFromSeed(secret.subarray(0, 32));
  if (!equal(secret.subarray(32), key.publicKey))
    throw new KeyFileError(`${path}: priv_key.value: its second half is not the public key of its first`);
  return key;
}

/** The bytes of `{ type, value }` under `field`. */
function typed(path: string, file: Record<string, unknown>, field: string, type: string): Uint8Array {
  const inner = file[field];
  if (typeof inner !== 'object' || inner === null || !('type' in inner) || !('value' in inner))
    throw new KeyFileError(`${path}: ${field}: expected an object with type and value`);
  if (inner.type !== type)
    throw new KeyFileError(`${path}: ${field}.type: expected ${type}, got ${JSON.stringify(inner.type)}`);
  if (typeof inner.value !== 'string') throw new KeyFileError(`${path}: ${field}.value: expected base64 text`);
  try {
    return fromBase64(inner.value, `${field}.value`);
  } catch (error) {
    throw new KeyFileError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
