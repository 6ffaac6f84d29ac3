import { Command, InvalidArgumentError, Option } from 'commander';
import { consensusAddress, ed25519Key } from '#core/crypto/pubkey.ts';
import type { Logger } from '#core/ports/logger.ts';
import { Closers } from '../../closers.ts';
import type { LogLevel } from '../../config/config.ts';
import { homePaths } from '../../config/home.ts';
import { createNativeVerifier } from '../../crypto/native-verifier.ts';
import { openGuardedSigner } from '../../driver/guarded-signer.ts';
import { NODE_LIMITS } from '../../limits.ts';
import { createLogger } from '../../logger.ts';
import { parseSignerDialAddress, type SignerDialAddress } from '../../privval/address.ts';
import { generateEd25519Key } from '../../privval/ed25519-key.ts';
import { readNodeKey, readValidatorKey } from '../../privval/key-files.ts';
import { lastSignFile } from '../../privval/last-sign-file.ts';
import { type SignerServer, startSignerServer } from '../../privval/signer-server.ts';
import { HomeLockedError, lockHome } from '../../storage/home-lock.ts';
import { CliError, homeOption, withOptions } from '../context.ts';

interface Flags {
  readonly home: string;
  readonly chainId: string;
  readonly connect: readonly SignerDialAddress[];
  readonly logLevel: LogLevel;
  readonly logFormat: 'text' | 'json';
}

function readNode(text: string, before: readonly SignerDialAddress[] | undefined): readonly SignerDialAddress[] {
  const address = parseSignerDialAddress(text);
  if (!address.ok) throw new InvalidArgumentError(address.error);
  return [...(before ?? []), address.value];
}

/** The lock of the home keeps a second process, signer or node, from the same key and the same memory of it. */
async function open(flags: Flags, logger: Logger, closers: Closers): Promise<SignerServer> {
  const paths = homePaths(flags.home);
  const key = await readValidatorKey(paths.validatorKey);
  if (key === undefined) throw new CliError(`there is no ${paths.validatorKey}: copy the validator's key there`);
  const lock = await lockHome(flags.home);
  closers.push(() => lock.release());
  const lastSign = lastSignFile(paths.validatorState);
  closers.push(() => lastSign.close());
  const signer = await openGuardedSigner(
    { publicKey: ed25519Key(key.publicKey), sign: (message) => key.sign(message) },
    lastSign,
  );
  const identity = (await readNodeKey(paths.nodeKey)) ?? generateEd25519Key();
  const server = startSignerServer(
    { nodes: flags.connect, chainId: flags.chainId },
    {
      signer,
      identity,
      verifier: createNativeVerifier({ keyCacheEntries: NODE_LIMITS.verifierKeyCacheEntries }),
      logger,
    },
  );
  closers.push(() => server.close());
  logger.info('signer started', {
    validator: consensusAddress(signer.publicKey),
    id: consensusAddress(ed25519Key(identity.publicKey)),
    chain: flags.chainId,
  });
  return server;
}

function startSignerCommand(): Command {
  const command = new Command('start')
    .description("sign for nodes that listen at priv_validator_laddr, with the validator's key of this home")
    .requiredOption('--chain-id <id>', 'the chain; what is for another is refused')
    .requiredOption(
      '--connect <address>',
      "a node's priv_validator_laddr: unix://path or tcp://[node id@]host:port; may be repeated",
      readNode,
    );
  const level = new Option('--log-level <level>', 'least level that is logged')
    .choices(['debug', 'info', 'warn', 'error', 'silent'])
    .default('info');
  const format = new Option('--log-format <format>', 'lines for people, or one JSON object a line')
    .choices(['text', 'json'])
    .default('text');
  return withOptions(command, [homeOption(), level, format]).action(async (flags: Flags) => {
    const logger = createLogger({ level: flags.logLevel, format: flags.logFormat });
    const { promise: stopped, resolve: stop } = Promise.withResolvers<string>();
    for (const signal of ['SIGINT', 'SIGTERM'] as const) process.on(signal, () => stop(signal));
    const closers = new Closers();
    let reason: string | { readonly error: unknown };
    try {
      const server = await open(flags, logger, closers);
      reason = await Promise.race([stopped, server.failed.then((error) => ({ error }))]);
    } catch (error) {
      if (error instanceof HomeLockedError) throw new CliError(error.message, { cause: error });
      throw error;
    } finally {
      await closers.unwind();
    }
    if (typeof reason !== 'string') throw new CliError(`the signer has stopped: ${String(reason.error)}`);
    logger.info('stopped', { signal: reason });
  });
}

export function signerCommand(): Command {
  return new Command('signer')
    .description("holds the validator's key apart from the node")
    .addCommand(startSignerCommand());
}
