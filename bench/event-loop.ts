import { setImmediate } from 'node:timers/promises';
import { u32be } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { bech32Address, keyFromPrivate } from '#core/crypto/keys.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { noDuties } from '#core/ports/duties.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { buildGenesis } from '#genesis/builder.ts';
import { toInitChain } from '#genesis/document.ts';
import { type ClosingBatchVerifier, createBatchVerifier, verifierThreads } from '#node/crypto/batch-verifier.ts';
import { createNativeVerifier } from '#node/crypto/native-verifier.ts';
import { generateEd25519Key } from '#node/privval/ed25519-key.ts';
import { openApplication } from '#runtime/app.ts';
import type { Entry, Sample } from './harness.ts';
import { selfSend } from './self-send.ts';
import { signedCommit } from './verify-commit.ts';

const VALIDATORS = 175;
const COMMITS = 20;
const TXS = 2_000;
const CHAIN_ID = 'bench';

interface Watched {
  /** Longest time for which the main thread did nothing else, and all of it, in milliseconds. */
  readonly longest: number;
  readonly taken: number;
}

async function watch(work: () => Promise<unknown> | unknown): Promise<Watched> {
  let last = performance.now();
  let longest = 0;
  const tick = () => {
    const now = performance.now();
    longest = Math.max(longest, now - last);
    last = now;
  };
  const timer = setInterval(tick, 1);
  try {
    const began = performance.now();
    last = began;
    await work();
    const taken = performance.now() - began;
    tick();
    return { longest, taken };
  } finally {
    clearInterval(timer);
  }
}

async function commits(batch: ClosingBatchVerifier): Promise<{ readonly here: Watched; readonly there: Watched }> {
  const native = createNativeVerifier({ keyCacheEntries: 1_000 });
  // Verified before, all of the keys and the code are warm on both sides.
  const { checks } = signedCommit(VALIDATORS);
  const many = Array.from({ length: COMMITS }, () => checks).flat();
  const here = () =>
    many.every(({ publicKey, message, signature }) => native.ed25519(publicKey, message, signature)) || fail();
  const there = async () => (await batch.ed25519(many)).every((good) => good) || fail();
  here();
  await there();
  return { here: await watch(here), there: await watch(there) };
}

function fail(): never {
  throw new Error('a good signature was refused');
}

/** The signatures of a block of transactions that no mempool has seen. */
async function block(batch: ClosingBatchVerifier): Promise<Watched> {
  const keys = Array.from({ length: TXS }, (_, i) => keyFromPrivate(sha256(u32be(i))));
  const genesis = buildGenesis({
    chainId: CHAIN_ID,
    genesisTime: fromMillis(1_700_000_000_000n),
    validators: [{ publicKey: ed25519Key(generateEd25519Key().publicKey), power: 10n, name: 'validator' }],
    accounts: keys.map(({ publicKey }) => ({
      address: bech32Address(publicKey, 'auton'),
      coins: [{ denom: 'uauton', amount: 1_000n }],
    })),
  });
  if (!genesis.ok) throw new Error(genesis.error);
  const app = await openApplication(
    {},
    {
      kv: new MemoryKv(),
      verifier: createNativeVerifier({ keyCacheEntries: 16 }),
      batch,
      pause: () => setImmediate(),
      duties: noDuties,
      logger: silentLogger,
    },
  );
  app.initChain(toInitChain(genesis.value));
  const txs = keys.map((key, i) => selfSend(key, CHAIN_ID, BigInt(i), 0n));
  return watch(() => app.verifyAhead(txs));
}

async function run(): Promise<Sample> {
  const batch = createBatchVerifier({ threads: verifierThreads() }, { logger: silentLogger, now: Date.now });
  try {
    const { here, there } = await commits(batch);
    // The first time is the compilers'.
    await block(batch);
    const ahead = await block(batch);
    return {
      [`${COMMITS} commits on the main thread`]: here.longest,
      [`${COMMITS} commits on other threads`]: there.longest,
      [`${COMMITS} commits on other threads, all in all`]: there.taken,
      [`${TXS} transactions ahead of their block`]: ahead.longest,
      [`${TXS} transactions ahead of their block, all in all`]: ahead.taken,
    };
  } finally {
    await batch.close();
  }
}

export const eventLoop: Entry = {
  name: 'event-loop',
  description: `the longest time for which the main thread does nothing else while commits of ${VALIDATORS} signatures, or the signatures of a block, are verified`,
  metrics: [
    `${COMMITS} commits on the main thread`,
    `${COMMITS} commits on other threads`,
    `${COMMITS} commits on other threads, all in all`,
    `${TXS} transactions ahead of their block`,
    `${TXS} transactions ahead of their block, all in all`,
  ].map((name) => ({ name, unit: 'ms', better: 'lower' as const })),
  runs: 3,
  run,
};
