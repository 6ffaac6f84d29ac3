import { ed25519Key } from '#core/crypto/pubkey.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import type { Logger } from '#core/ports/logger.ts';
import type { Closers } from './closers.ts';
import type { NodeConfig } from './config/config.ts';
import type { HomePaths } from './config/home.ts';
import { openGuardedSigner } from './driver/guarded-signer.ts';
import type { Signer } from './driver/ports.ts';
import type { Ed25519Key } from './privval/ed25519-key.ts';
import { readValidatorKey } from './privval/key-files.ts';
import { lastSignFile } from './privval/last-sign-file.ts';
import { PRIVVAL_LIMITS } from './privval/limits.ts';
import { openRemoteSigner } from './privval/remote-signer.ts';

/**
 * The validator's signer: the remote one that the configuration names, else the key in the home behind its last-sign state.
 * `undefined`: no validator key, a node that follows.
 */
export async function openSigner(
  paths: HomePaths,
  remoteSigner: NodeConfig['remoteSigner'],
  closers: Closers,
  context: {
    readonly chainId: string;
    readonly identity: Ed25519Key;
    readonly verifier: Verifier;
    readonly logger: Logger;
  },
): Promise<Signer | undefined> {
  if (remoteSigner !== undefined) {
    const { chainId, ...dependencies } = context;
    const { startTimeoutMs } = PRIVVAL_LIMITS;
    const remote = await openRemoteSigner({ ...remoteSigner, chainId, startTimeoutMs }, dependencies);
    closers.push(() => remote.close());
    return remote;
  }
  const key = await readValidatorKey(paths.validatorKey);
  if (key === undefined) return undefined;
  const lastSign = lastSignFile(paths.validatorState);
  closers.push(() => lastSign.close());
  return openGuardedSigner({ publicKey: ed25519Key(key.publicKey), sign: (message) => key.sign(message) }, lastSign);
}
