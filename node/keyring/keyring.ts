import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { concat, equal, fromBase64, fromUtf8, toBase64, utf8 } from '#core/bytes.ts';
import { type AccountKeyPair, keyFromPrivate } from '#core/crypto/keys.ts';
import { err, ok, type Result } from '#core/result.ts';
import { NODE_LIMITS } from '../limits.ts';
import { readFileBounded, replaceFileDurably } from '../storage/durable-file.ts';
import { DEFAULT_COST, type ScryptCost, type SealedSecret, seal, unseal } from './secret-box.ts';

/** `file`: each key under a password. `test`: not encrypted, for networks whose coins are worth nothing. */
export type KeyringBackend = 'file' | 'test';

export interface KeyInfo {
  readonly name: string;
  /** 33 bytes, compressed secp256k1. */
  readonly publicKey: Uint8Array;
}

export interface Keyring {
  list(): Promise<readonly KeyInfo[]>;
  find(name: string): Promise<Result<KeyInfo, string>>;
  /** Fails when the name is taken or is no name. */
  add(name: string, privateKey: Uint8Array): Promise<Result<KeyInfo, string>>;
  /** Fails on a wrong password. */
  unlock(name: string): Promise<Result<AccountKeyPair, string>>;
  remove(name: string): Promise<Result<KeyInfo, string>>;
}

export interface KeyringOptions {
  readonly backend: KeyringBackend;
  /** Folder of this backend's files. */
  readonly folder: string;
  readonly cost?: ScryptCost;
}

interface KeyFile {
  readonly version: 1;
  readonly type: 'secp256k1';
  readonly name: string;
  readonly pub_key: string;
  readonly secret: SealedSecret | { readonly plain: string };
}

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;

/** One file a key. `password` is asked for when a secret is sealed or opened; `confirm`: a new one is being chosen. */
export function openKeyring(
  options: KeyringOptions,
  dependencies: { readonly password: (prompt: string, confirm: boolean) => Promise<string> },
): Keyring {
  const { backend, folder, cost = DEFAULT_COST } = options;
  const path = (name: string) => join(folder, `${name}.json`);

  async function load(name: string): Promise<Result<KeyFile, string>> {
    if (!NAME.test(name))
      return err(`${JSON.stringify(name)} is no key name: letters, digits, ".", "_" and "-", at most 64`);
    const bytes = await readFileBounded(path(name), NODE_LIMITS.maxConfigFileBytes);
    if (bytes === undefined) return err(`there is no key ${name} in ${folder}`);
    try {
      const file = JSON.parse(fromUtf8(bytes)) as KeyFile;
      if (file.version !== 1 || file.type !== 'secp256k1' || typeof file.pub_key !== 'string')
        return err(`${path(name)} is no key file of version 1`);
      return ok(file);
    } catch {
      return err(`${path(name)} is not valid JSON`);
    }
  }

  const info = (name: string, file: KeyFile): KeyInfo => ({ name, publicKey: fromBase64(file.pub_key, 'pub_key') });
  const associated = (name: string, publicKey: Uint8Array) => concat(utf8(name), publicKey);

  return {
    async list() {
      let names: string[];
      try {
        names = await readdir(folder);
      } catch {
        return [];
      }
      const keys: KeyInfo[] = [];
      for (const file of names.filter((entry) => entry.endsWith('.json')).sort((a, b) => (a < b ? -1 : 1))) {
        const name = file.slice(0, -'.json'.length);
        const loaded = await load(name);
        if (loaded.ok) keys.push(info(name, loaded.value));
      }
      return keys;
    },
    async find(name) {
      const loaded = await load(name);
      return loaded.ok ? ok(info(name, loaded.value)) : loaded;
    },
    async add(name, privateKey) {
      if (!NAME.test(name))
        return err(`${JSON.stringify(name)} is no key name: letters, digits, ".", "_" and "-", at most 64`);
      if ((await readFileBounded(path(name), NODE_LIMITS.maxConfigFileBytes)) !== undefined)
        return err(`there is already a key ${name} in ${folder}`);
      const { publicKey } = keyFromPrivate(privateKey);
      const secret =
        backend === 'test'
          ? { plain: toBase64(privateKey) }
          : seal(
              privateKey,
              await dependencies.password(`New password for key ${name}`, true),
              associated(name, publicKey),
              cost,
            );
      const file: KeyFile = { version: 1, type: 'secp256k1', name, pub_key: toBase64(publicKey), secret };
      await replaceFileDurably(path(name), `${JSON.stringify(file, undefined, 2)}\n`);
      return ok({ name, publicKey });
    },
    async unlock(name) {
      const loaded = await load(name);
      if (!loaded.ok) return loaded;
      const { secret } = loaded.value;
      const { publicKey } = info(name, loaded.value);
      const opened =
        'plain' in secret
          ? ok(fromBase64(secret.plain, 'secret.plain'))
          : unseal(secret, await dependencies.password(`Password for key ${name}`, false), associated(name, publicKey));
      if (!opened.ok) return err(`key ${name}: ${opened.error}`);
      const pair = keyFromPrivate(opened.value);
      return equal(pair.publicKey, publicKey) ? ok(pair) : err(`key ${name}: pub_key is not that of the secret`);
    },
    async remove(name) {
      const loaded = await load(name);
      if (!loaded.ok) return loaded;
      await unlink(path(name));
      return ok(info(name, loaded.value));
    },
  };
}
