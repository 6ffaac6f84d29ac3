import { access, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { type ConfigValues, renderConfig } from '../config/config.ts';
import { type HomePaths, homePaths } from '../config/home.ts';
import { loadDutySecret } from '../duties/secret.ts';
import { nodeIdOf } from '../p2p/node-id.ts';
import { type Ed25519Key, generateEd25519Key } from '../privval/ed25519-key.ts';
import { readNodeKey, readValidatorKey, writeNodeKey, writeValidatorKey } from '../privval/key-files.ts';
import { replaceFileDurably } from '../storage/durable-file.ts';

/** The keys of a home folder. */
export interface HomeKeys {
  readonly paths: HomePaths;
  readonly nodeId: string;
  readonly validator: Ed25519Key;
}

/** Makes the folder, its two keys and the secret of its duties; what is there stays. */
export async function prepareHome(home: string): Promise<HomeKeys> {
  const paths = homePaths(home);
  await mkdir(join(home, 'config'), { recursive: true });
  await mkdir(join(home, 'data'), { recursive: true });
  let nodeKey = await readNodeKey(paths.nodeKey);
  if (nodeKey === undefined) {
    nodeKey = generateEd25519Key();
    await writeNodeKey(paths.nodeKey, nodeKey);
  }
  let validator = await readValidatorKey(paths.validatorKey);
  if (validator === undefined) {
    validator = generateEd25519Key();
    await writeValidatorKey(paths.validatorKey, validator);
  }
  await loadDutySecret(paths.dutyKey);
  return { paths, nodeId: await nodeIdOf(nodeKey.seed), validator };
}

/** Writes config.toml and genesis.json. */
export async function writeHomeFiles(paths: HomePaths, config: ConfigValues, genesis: string): Promise<void> {
  await replaceFileDurably(paths.config, renderConfig(config), 0o644);
  await replaceFileDurably(paths.genesis, genesis, 0o644);
}

export async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
