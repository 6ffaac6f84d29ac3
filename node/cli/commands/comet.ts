import { rm } from 'node:fs/promises';
import { Command } from 'commander';
import { toBase64 } from '#core/bytes.ts';
import { homePaths } from '../../config/home.ts';
import { nodeIdOf } from '../../p2p/node-id.ts';
import { readNodeKey, readValidatorKey } from '../../privval/key-files.ts';
import { HomeLockedError, lockHome } from '../../storage/home-lock.ts';
import { CliError, homeOption, withOptions } from '../context.ts';

interface Flags {
  readonly home: string;
}

export function cometCommand(): Command {
  const showNodeId = new Command('show-node-id').description("the node's id in the peer-to-peer network");
  withOptions(showNodeId, [homeOption()]).action(async (flags: Flags) => {
    const path = homePaths(flags.home).nodeKey;
    const key = await readNodeKey(path);
    if (key === undefined) throw new CliError(`there is no ${path}: make a home with autond init`);
    process.stdout.write(`${await nodeIdOf(key.seed)}\n`);
  });
  const showValidator = new Command('show-validator').description("the validator's public key, as JSON");
  withOptions(showValidator, [homeOption()]).action(async (flags: Flags) => {
    const path = homePaths(flags.home).validatorKey;
    const key = await readValidatorKey(path);
    if (key === undefined) throw new CliError(`there is no ${path}: this node is no validator`);
    const shown = { '@type': '/cosmos.crypto.ed25519.PubKey', key: toBase64(key.publicKey) };
    process.stdout.write(`${JSON.stringify(shown)}\n`);
  });
  const reset = new Command('unsafe-reset-all').description(
    'forget the whole chain, and what the validator has signed: only when it will never validate that chain again',
  );
  withOptions(reset, [homeOption()]).action(async (flags: Flags) => {
    const paths = homePaths(flags.home);
    const lock = await lockHome(flags.home).catch((error: unknown) => {
      if (error instanceof HomeLockedError) throw new CliError(error.message, { cause: error });
      throw error;
    });
    const { blockStore, state, application, index, snapshots, duties, wal, validatorState } = paths;
    for (const path of [blockStore, state, application, index, snapshots, duties, wal, validatorState])
      await rm(path, { recursive: true, force: true });
    await lock.release();
    process.stderr.write(`${flags.home} is as it was before its first block; keys, config.toml and genesis stay\n`);
  });
  return new Command('comet')
    .description('keys and data of the node')
    .addCommand(showNodeId)
    .addCommand(showValidator)
    .addCommand(reset);
}
