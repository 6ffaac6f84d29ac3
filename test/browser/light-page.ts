/** What runs in the page: the light client, its sources over `fetch`, nothing else. */
import { fromHex, toHex } from '#core/bytes.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { headerHash } from '#core/types/header.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { createLightClient } from '#light/client.ts';
import { openLightStore } from '#light/store.ts';
import { DEFAULT_TRUST_LEVEL } from '#light/verifier.ts';
import { createHttpProvider, createSourceClient } from '#node/light/http-provider.ts';

export interface FollowRequest {
  readonly chainId: string;
  readonly primary: string;
  readonly witness: string;
  readonly root: { readonly height: number; readonly hash: string };
  readonly height: number;
}

/** The verified header's hash and application hash, or why there is none. */
export interface FollowAnswer {
  readonly hash?: string;
  readonly appHash?: string;
  readonly fault?: { readonly kind: string; readonly message: string };
}

export interface LightPage {
  followChain(request: FollowRequest): Promise<FollowAnswer>;
}

async function followChain({ chainId, primary, witness, root, height }: FollowRequest): Promise<FollowAnswer> {
  const store = await openLightStore(new MemoryKv(), chainId);
  if (!store.ok) throw new Error(store.error);
  const client = createLightClient(
    {
      chainId,
      trustingPeriodNanos: 3_600_000_000_000n,
      maxClockDriftNanos: 10_000_000_000n,
      trustLevel: DEFAULT_TRUST_LEVEL,
      mode: 'skipping',
      witnessLagMs: 10_000,
      keep: 100,
    },
    {
      primary: createHttpProvider(createSourceClient(primary)),
      witnesses: [createHttpProvider(createSourceClient(witness))],
      store: store.value,
      verifier: pureVerifier,
      clock: { now: () => fromMillis(BigInt(Date.now())) },
      logger: silentLogger,
      wait: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    },
  );
  if (!client.ok) throw new Error(client.error);
  const trusted = await client.value.trust({ height: BigInt(root.height), hash: fromHex(root.hash) });
  const block = trusted.ok ? await client.value.verifyAt(BigInt(height)) : trusted;
  if (!block.ok) return { fault: { kind: block.error.kind, message: block.error.message } };
  const { header } = block.value;
  const hash = headerHash(header);
  return { hash: toHex(hash), appHash: toHex(header.appHash) };
}

Object.assign(globalThis, { page: { followChain } satisfies LightPage });
