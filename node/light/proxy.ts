/** `autond light`: a local JSON-RPC that believes nobody. */
import { mkdir } from 'node:fs/promises';
import { dirname } from 'node:path';
import type { Logger } from '#core/ports/logger.ts';
import { err, ok, type Result } from '#core/result.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { createLightClient, type LightClient, type LightClientOptions, type TrustRoot } from '#light/client.ts';
import { openLightStore } from '#light/store.ts';
import { startCometServer } from '#rpc/comet/server.ts';
import { DEFAULT_SERVER_LIMITS } from '#rpc/limits.ts';
import type { ListenAddress } from '../config/address.ts';
import { createVerifyAhead } from '../crypto/ahead.ts';
import { createBatchVerifier, verifierThreads } from '../crypto/batch-verifier.ts';
import { createNativeVerifier } from '../crypto/native-verifier.ts';
import { rememberingVerifier } from '../crypto/remembering-verifier.ts';
import { NODE_LIMITS } from '../limits.ts';
import { openLevelKv } from '../storage/level-kv.ts';
import { createRangeReader } from '../storage/range-reader.ts';
import { createLightAccess } from './access.ts';
import { verifyingAhead } from './ahead-provider.ts';
import { createHttpProvider, createSourceClient } from './http-provider.ts';
import { createLightMethods } from './methods.ts';

export interface LightProxyOptions extends LightClientOptions {
  /** Addresses of the sources' RPC. */
  readonly primary: string;
  readonly witnesses: readonly string[];
  /** Needed the first time, and when what is stored has expired. */
  readonly root: TrustRoot | undefined;
  readonly listen: ListenAddress;
  /** Folder of the verified blocks. */
  readonly store: string;
  readonly passUnverified: boolean;
}

export interface LightProxy {
  readonly url: string;
  readonly client: LightClient;
  close(): Promise<void>;
}

const wait = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

/** The error is for the user. */
export async function startLightProxy(
  options: LightProxyOptions,
  dependencies: { readonly logger: Logger },
): Promise<Result<LightProxy, string>> {
  const logger = dependencies.logger.child('light');
  await mkdir(dirname(options.store), { recursive: true });
  const rangeReader = createRangeReader();
  const kv = await openLevelKv({ path: options.store, cacheBytes: 1 << 20 }, { rangeReader });
  const closers = [() => rangeReader.close(), () => kv.close()];
  const close = async () => {
    for (const one of closers.splice(0).reverse()) await one();
  };
  const proxy = await compose();
  if (!proxy.ok) await close();
  return proxy;

  async function compose(): Promise<Result<LightProxy, string>> {
    const store = await openLightStore(kv, options.chainId);
    if (!store.ok) return store;
    const clients = [options.primary, ...options.witnesses].map(createSourceClient);
    if (new Set(clients.map(({ url }) => url.replace(/\/+$/, ''))).size < clients.length)
      return err('primary and witnesses must be different nodes: one cannot confirm itself');
    const verifier = rememberingVerifier(
      createNativeVerifier({ keyCacheEntries: NODE_LIMITS.verifierKeyCacheEntries }),
      { entries: NODE_LIMITS.rememberedSignatures },
    );
    const batch = createBatchVerifier({ threads: verifierThreads() }, { logger, now: Date.now });
    closers.push(() => batch.close());
    const verifyAhead = createVerifyAhead({ batch, memory: verifier });
    const [primary, ...witnesses] = clients.map((rpc) =>
      verifyingAhead(createHttpProvider(rpc), options.chainId, verifyAhead),
    );
    if (primary === undefined) return err('a primary is needed');
    const client = createLightClient(options, {
      primary,
      witnesses,
      store: store.value,
      verifier,
      clock: { now: () => fromMillis(BigInt(Date.now())) },
      logger,
      wait,
    });
    if (!client.ok) return client;
    const rooted = await root(client.value, options.root);
    if (!rooted.ok) return rooted;
    const access = createLightAccess(client.value, new Map(clients.map((rpc) => [rpc.url, rpc])), wait);
    const server = await startCometServer(
      { ...options.listen, corsOrigins: [], limits: DEFAULT_SERVER_LIMITS },
      { methods: createLightMethods(access, options), logger },
    );
    closers.push(() => server.close());
    closers.push(follow(client.value, logger));
    return ok({ url: server.url, client: client.value, close });
  }
}

async function root(client: LightClient, given: TrustRoot | undefined): Promise<Result<true, string>> {
  if (given === undefined)
    return client.latest() === undefined
      ? err('nothing is trusted yet: give --trusted-height and --trusted-hash of a block that you know to be right')
      : ok(true);
  const trusted = await client.trust(given);
  return trusted.ok ? ok(true) : err(trusted.error.message);
}

/** Verifies the newest block again and again, so that what is trusted does not expire. Answers how to stop. */
function follow(client: LightClient, logger: Logger): () => Promise<void> {
  const { promise: stopped, resolve: stop } = Promise.withResolvers<'stopped'>();
  let reported = '';
  const run = async (): Promise<void> => {
    for (;;) {
      const updated = await client.update();
      if (updated.ok) {
        reported = '';
        logger.debug('verified', { height: updated.value.header.height });
      } else if (updated.error.message !== reported) {
        reported = updated.error.message;
        const level = updated.error.kind === 'attack' ? 'error' : 'warn';
        logger[level]('the newest block is not believed', { kind: updated.error.kind, reason: reported });
      }
      if ((await Promise.race([stopped, wait(NODE_LIMITS.lightUpdateMs)])) === 'stopped') return;
    }
  };
  const running = run();
  return async () => {
    stop('stopped');
    await running;
  };
}
