import { randomBytes } from 'node:crypto';
import { readdir, unlink } from 'node:fs/promises';
import { join } from 'node:path';
import { assertNever } from '#core/assert.ts';
import { concat, equal, fromBase64, fromUtf8, toBase64, toHex, utf8 } from '#core/bytes.ts';
import { type AccountKeyPair, isPrivateKey, keyFromPrivate } from '#core/crypto/keys.ts';
import { err, ok, type Result } from '#core/result.ts';
import type { Json } from '#runtime/module.ts';
import type { AccountKey } from '#runtime/tx/account-key.ts';
import { accountKeyFromJson, accountKeyJson } from '../client/account-keys.ts';
import { NODE_LIMITS } from '../limits.ts';
import { readFileBounded, replaceFileDurably } from '../storage/durable-file.ts';
import { DEFAULT_COST, type ScryptCost, type SealedSecret, seal, unseal } from './secret-box.ts';
import { secretService, type Vault } from './vault.ts';

export const KEYRING_BACKENDS = ['file', 'os', 'test'] as const;

/**
 * `file`: each key under a password. `os`: secrets in the operating system's keyring. `test`: not encrypted, for networks whose
 * coins are worth nothing.
 */
export type KeyringBackend = (typeof KEYRING_BACKENDS)[number];

export interface KeyInfo {
  readonly name: string;
  /** `local`: with its secret; `multi`: members sign for it; `offline`: the secret is somewhere else. */
  readonly type: 'local' | 'multi' | 'offline';
  readonly key: AccountKey;
}

export interface Keyring {
  list(): Promise<readonly KeyInfo[]>;
  /** A sentence for each file of the folder that is no key which can be read: {@link Keyring.list} leaves it out. */
  unreadable(): Promise<readonly string[]>;
  find(name: string): Promise<Result<KeyInfo, string>>;
  /** Fails when the name is taken or is no name. */
  add(name: string, privateKey: Uint8Array): Promise<Result<KeyInfo, string>>;
  /** A key without its secret. Fails as {@link Keyring.add}. */
  addPublic(name: string, key: AccountKey): Promise<Result<KeyInfo, string>>;
  /** Fails on a wrong password, and when the secret is not here. */
  unlock(name: string): Promise<Result<AccountKeyPair, string>>;
  remove(name: string): Promise<Result<KeyInfo, string>>;
}

export interface KeyringOptions {
  readonly backend: KeyringBackend;
  /** Folder of this backend's files. */
  readonly folder: string;
  readonly cost?: ScryptCost;
}

interface SecretFile {
  readonly version: 1;
  readonly type: 'secp256k1';
  readonly name: string;
  readonly pub_key: string;
  readonly secret: SealedSecret | { readonly plain: string } | VaultSecret;
}

/** It is in the operating system's keyring, in base64. */
interface VaultSecret {
  readonly vault: 'secret-service';
  readonly id: string;
}

interface PublicFile {
  readonly version: 1;
  readonly type: 'multi' | 'offline';
  readonly name: string;
  /** With its `@type`. */
  readonly pub_key: Json;
}

type KeyFile = SecretFile | PublicFile;

const NAME = /^[a-zA-Z0-9][a-zA-Z0-9._-]{0,63}$/;

/** One file a key. `password` is asked for when a secret is sealed or opened; `confirm`: a new one is being chosen. */
export function openKeyring(
  options: KeyringOptions,
  dependencies: {
    readonly password: (prompt: string, confirm: boolean) => Promise<string>;
    /** Of the backend `os`. Default: the Secret Service. */
    readonly vault?: Vault;
  },
): Keyring {
  const { backend, folder, cost = DEFAULT_COST } = options;
  const vault = dependencies.vault ?? secretService({ platform: process.platform, env: process.env });
  const path = (name: string) => join(folder, `${name}.json`);

  async function load(name: string): Promise<Result<{ file: KeyFile; info: KeyInfo }, string>> {
    if (!NAME.test(name)) return err(noName(name));
    const bytes = await readFileBounded(path(name), NODE_LIMITS.maxConfigFileBytes);
    if (bytes === undefined) return err(`there is no key ${name} in ${folder}`);
    try {
      const file = JSON.parse(fromUtf8(bytes)) as KeyFile;
      const key = keyIn(file);
      if (key === undefined) return err(`${path(name)} is no key file of version 1`);
      if (!key.ok) return err(`${path(name)}: ${key.error}`);
      return ok({ file, info: { name, type: file.type === 'secp256k1' ? 'local' : file.type, key: key.value } });
    } catch {
      return err(`${path(name)} is not valid JSON`);
    }
  }

  /** Undefined: the name may be given. */
  async function taken(name: string): Promise<string | undefined> {
    if (!NAME.test(name)) return noName(name);
    const there = await readFileBounded(path(name), NODE_LIMITS.maxConfigFileBytes);
    return there === undefined ? undefined : `there is already a key ${name} in ${folder}`;
  }

  const write = (file: KeyFile): Promise<void> =>
    replaceFileDurably(path(file.name), `${JSON.stringify(file, undefined, 2)}\n`);
  const associated = (name: string, publicKey: Uint8Array) => concat(utf8(name), publicKey);

  /** How the backend keeps it: what stands in the file. */
  async function kept(
    name: string,
    privateKey: Uint8Array,
    publicKey: Uint8Array,
  ): Promise<Result<SecretFile['secret'], string>> {
    switch (backend) {
      case 'test':
        return ok({ plain: toBase64(privateKey) });
      case 'file': {
        const password = await dependencies.password(`New password for key ${name}`, true);
        return ok(seal(privateKey, password, associated(name, publicKey), cost));
      }
      case 'os': {
        const id = toHex(new Uint8Array(randomBytes(16)));
        const text = toBase64(privateKey);
        const stored = await vault.store(id, `autond key ${name}`, text);
        if (!stored.ok) return stored;
        const found = await vault.lookup(id);
        if (!found.ok) return found;
        return found.value === text
          ? ok({ vault: 'secret-service', id })
          : err('keyring backend os: the Secret Service does not give back what it was given');
      }
      default:
        return assertNever(backend, 'keyring backend');
    }
  }

  async function opened(
    name: string,
    secret: SecretFile['secret'],
    publicKey: Uint8Array,
  ): Promise<Result<Uint8Array, string>> {
    if ('plain' in secret) return ok(fromBase64(secret.plain, 'secret.plain'));
    if (!('vault' in secret))
      return unseal(
        secret,
        await dependencies.password(`Password for key ${name}`, false),
        associated(name, publicKey),
      );
    const found = await vault.lookup(secret.id);
    if (!found.ok) return found;
    if (found.value === undefined) return err("its secret is not in the operating system's keyring of this user");
    try {
      return ok(fromBase64(found.value, 'the secret'));
    } catch {
      return err("its secret in the operating system's keyring was changed");
    }
  }

  async function readAll(): Promise<{ readonly keys: readonly KeyInfo[]; readonly unreadable: readonly string[] }> {
    const keys: KeyInfo[] = [];
    const unreadable: string[] = [];
    const files = (await readdir(folder).catch(() => [])).filter((entry) => entry.endsWith('.json'));
    for (const file of files.sort((a, b) => (a < b ? -1 : 1))) {
      const loaded = await load(file.slice(0, -'.json'.length));
      if (loaded.ok) keys.push(loaded.value.info);
      else unreadable.push(loaded.error);
    }
    return { keys, unreadable };
  }

  return {
    list: async () => (await readAll()).keys,
    unreadable: async () => (await readAll()).unreadable,
    async find(name) {
      const loaded = await load(name);
      return loaded.ok ? ok(loaded.value.info) : loaded;
    },
    async add(name, privateKey) {
      const refusal = await taken(name);
      if (refusal !== undefined) return err(refusal);
      const { publicKey } = keyFromPrivate(privateKey);
      const secret = await kept(name, privateKey, publicKey);
      if (!secret.ok) return secret;
      await write({ version: 1, type: 'secp256k1', name, pub_key: toBase64(publicKey), secret: secret.value });
      return ok({ name, type: 'local', key: { kind: 'secp256k1', bytes: publicKey } });
    },
    async addPublic(name, key) {
      const refusal = await taken(name);
      if (refusal !== undefined) return err(refusal);
      const type = key.kind === 'multisig' ? 'multi' : 'offline';
      await write({ version: 1, type, name, pub_key: accountKeyJson(key) });
      return ok({ name, type, key });
    },
    async unlock(name) {
      const loaded = await load(name);
      if (!loaded.ok) return loaded;
      const { file } = loaded.value;
      if (file.type !== 'secp256k1') return err(CANNOT_SIGN[file.type](name));
      const { secret } = file;
      const publicKey = fromBase64(file.pub_key, 'pub_key');
      const bytes = await opened(name, secret, publicKey);
      if (!bytes.ok) return err(`key ${name}: ${bytes.error}`);
      if (bytes.value.length !== 32 || !isPrivateKey(bytes.value))
        return err(`key ${name}: its secret is no private key of secp256k1`);
      const pair = keyFromPrivate(bytes.value);
      return equal(pair.publicKey, publicKey) ? ok(pair) : err(`key ${name}: pub_key is not that of the secret`);
    },
    async remove(name) {
      const loaded = await load(name);
      if (!loaded.ok) return loaded;
      const { file } = loaded.value;
      if (file.type === 'secp256k1' && 'vault' in file.secret) {
        const cleared = await vault.clear(file.secret.id);
        if (!cleared.ok) return cleared;
      }
      await unlink(path(name));
      return ok(loaded.value.info);
    },
  };
}

const CANNOT_SIGN = {
  multi: (name: string) =>
    `key ${name} is a multisig key: each member signs with autond tx sign --multisig ${name}, then autond tx multisign`,
  offline: (name: string) => `key ${name} is a public key alone: its secret is somewhere else`,
};

function noName(name: string): string {
  return `${JSON.stringify(name)} is no key name: letters, digits, ".", "_" and "-", at most 64`;
}

/** Undefined: it is no key file. */
function keyIn(file: KeyFile): Result<AccountKey, string> | undefined {
  if (file.version !== 1) return undefined;
  switch (file.type) {
    case 'secp256k1':
      if (typeof file.pub_key !== 'string') return undefined;
      return ok({ kind: 'secp256k1', bytes: fromBase64(file.pub_key, 'pub_key') });
    case 'multi':
    case 'offline':
      return accountKeyFromJson(file.pub_key, 'pub_key');
    default:
      return undefined;
  }
}
