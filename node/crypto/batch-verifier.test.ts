import { EventEmitter } from 'node:events';
import { readFileSync } from 'node:fs';
import { ed25519 } from '@noble/curves/ed25519.js';
import { secp256k1 } from '@noble/curves/secp256k1.js';
import fc from 'fast-check';
import { afterAll, expect, test } from 'vitest';
import { fromHex, utf8 } from '#core/bytes.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import type { SignatureCheck } from '#core/ports/crypto.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { vectorsPath } from '#test/vectors/locate.ts';
import { NODE_LIMITS } from '../limits.ts';
import { type BatchVerifierOptions, createBatchVerifier, type VerifyThread } from './batch-verifier.ts';
import { packChecks, type Scheme, unpackChecks, type VerifyRequest, type VerifyResponse } from './verify-protocol.ts';

const real = createBatchVerifier({ threads: 2 }, { logger: silentLogger, now: Date.now });
afterAll(() => real.close());

const secret = new Uint8Array(32).fill(7);
const edKey = ed25519.getPublicKey(secret);
const edCheck = (i: number): SignatureCheck => {
  const message = utf8(`vote ${i}`);
  return { publicKey: edKey, message, signature: ed25519.sign(message, secret) };
};
const spoilt = (check: SignatureCheck): SignatureCheck => ({ ...check, message: utf8('something else') });

test('verdicts come in the order of the checks, over several chunks and threads', async () => {
  const good = edCheck(1);
  const checks = Array.from({ length: 5 * NODE_LIMITS.verifierChunkChecks + 3 }, (_, i) =>
    i % 41 === 0 ? spoilt(good) : good,
  );
  expect(await real.ed25519(checks)).toEqual(checks.map((check) => check === good));
});

test('what crosses to the thread comes out as it went in', () => {
  const bytes = (length: number) => fc.uint8Array({ minLength: length, maxLength: length });
  for (const [scheme, length] of [
    ['ed25519', 32],
    ['secp256k1', 33],
  ] as const)
    fc.assert(
      fc.property(
        fc.array(fc.record({ publicKey: bytes(length), message: fc.uint8Array(), signature: bytes(64) })),
        (checks) => {
          expect(unpackChecks(scheme, packChecks(checks)).map(({ message }) => Buffer.from(message))).toEqual(
            checks.map(({ message }) => Buffer.from(message)),
          );
          expect(unpackChecks(scheme, packChecks(checks)).map(({ publicKey }) => Buffer.from(publicKey))).toEqual(
            checks.map(({ publicKey }) => Buffer.from(publicKey)),
          );
        },
      ),
    );
});

test('malformed keys and signatures are false, and do not shift what stands beside them', async () => {
  const good = edCheck(1);
  const odd = [
    { ...good, publicKey: edKey.subarray(1) },
    { ...good, signature: good.signature.subarray(1) },
    { ...good, signature: new Uint8Array(65) },
  ];
  expect(await real.ed25519([...odd, good])).toEqual([false, false, false, true]);
  expect(await real.ed25519(odd)).toEqual([false, false, false]);
  expect(await real.ed25519([])).toEqual([]);
});

const zip215 = vectorsPath('crypto', 'other', 'zip215.json');

test.runIf(zip215 !== undefined)('every ZIP-215 vector has its verdict on the threads too', async () => {
  const cases = JSON.parse(readFileSync(zip215 ?? '', 'utf8')) as {
    vk_bytes: string;
    sig_bytes: string;
    valid_zip215: boolean;
  }[];
  const verdicts = await real.ed25519(
    cases.map(({ vk_bytes, sig_bytes }) => ({
      publicKey: fromHex(vk_bytes),
      message: utf8('Zcash'),
      signature: fromHex(sig_bytes),
    })),
  );
  expect(verdicts).toEqual(cases.map(({ valid_zip215 }) => valid_zip215));
});

interface Wycheproof {
  readonly testGroups: readonly {
    readonly publicKey: { readonly pk?: string; readonly uncompressed?: string };
    readonly tests: readonly { readonly msg: string; readonly sig: string; readonly result: string }[];
  }[];
}

test.each([
  ['ed25519', 'ed25519_test.json'],
  ['secp256k1', 'ecdsa_secp256k1_sha256_p1363_test.json'],
] as const)('Wycheproof %s on the threads: the verdicts of the pure verifier', async (scheme, file) => {
  const path = vectorsPath('crypto', 'wycheproof', file);
  if (path === undefined) return;
  const { testGroups } = JSON.parse(readFileSync(path, 'utf8')) as Wycheproof;
  const checks = testGroups.flatMap(({ publicKey: { pk, uncompressed }, tests }) => {
    const publicKey = pk === undefined ? secp256k1.Point.fromHex(uncompressed ?? '').toBytes(true) : fromHex(pk);
    return tests.map(({ msg, sig }) => ({ publicKey, message: fromHex(msg), signature: fromHex(sig) }));
  });
  const pure = checks.map(({ publicKey, message, signature }) => pureVerifier[scheme](publicKey, message, signature));
  expect(pure).toContain(true);
  expect(pure).toContain(false);
  expect(await real[scheme](checks)).toEqual(pure);
});

test('random signatures, valid or damaged: the verdicts of the pure verifier', async () => {
  const bytes32 = fc.uint8Array({ minLength: 32, maxLength: 32 });
  const item = fc.record({ seed: bytes32, message: fc.uint8Array({ maxLength: 60 }), flip: fc.option(fc.nat(511)) });
  await fc.assert(
    fc.asyncProperty(fc.array(item, { maxLength: 12 }), async (items) => {
      const checks = items.map(({ seed, message, flip }) => {
        const signature = ed25519.sign(message, seed);
        if (flip !== null) signature[flip >>> 3] = (signature[flip >>> 3] ?? 0) ^ (1 << (flip & 7));
        return { publicKey: ed25519.getPublicKey(seed), message, signature };
      });
      const pure = checks.map((check) => pureVerifier.ed25519(check.publicKey, check.message, check.signature));
      expect(await real.ed25519(checks)).toEqual(pure);
    }),
    { numRuns: 20 },
  );
});

/** A thread that does what the test says, and knows no cryptography: a signature is good when it begins with 1. */
class FakeThread extends EventEmitter implements VerifyThread {
  readonly requests: VerifyRequest[] = [];
  ended = false;
  refs = 0;

  postMessage(request: VerifyRequest): void {
    this.requests.push(request);
  }

  answer(change: Partial<VerifyResponse> = {}): void {
    const request = this.requests.shift();
    if (request === undefined) throw new Error('the thread has nothing to answer');
    const verdicts = Uint8Array.from(
      unpackChecks(request.scheme, request.checks),
      ({ signature }) => signature[0] ?? 0,
    );
    this.emit('message', { id: request.id, verdicts, ...change });
  }

  ref(): void {
    this.refs = 1;
  }

  unref(): void {
    this.refs = 0;
  }

  async terminate(): Promise<void> {
    this.ended = true;
    this.emit('exit', 1);
  }
}

function fake(options: Partial<BatchVerifierOptions> = {}) {
  const threads: FakeThread[] = [];
  const clock = { now: 0 };
  const pool = createBatchVerifier(
    { threads: 1, ...options },
    {
      logger: silentLogger,
      now: () => clock.now,
      spawn: () => {
        const thread = new FakeThread();
        threads.push(thread);
        return thread;
      },
    },
  );
  return { threads, clock, pool };
}

const markedBy =
  (keyBytes: number) =>
  (good: boolean): SignatureCheck => ({
    publicKey: new Uint8Array(keyBytes),
    message: new Uint8Array(1),
    signature: new Uint8Array(64).fill(good ? 1 : 0),
  });
const marked = { ed25519: markedBy(32), secp256k1: markedBy(33) };
const many = (scheme: Scheme, count: number) => Array.from({ length: count }, () => marked[scheme](true));

test('a thread starts with the first work and is held only while it has some', async () => {
  const { threads, pool } = fake();
  expect(threads).toHaveLength(0);
  const answered = pool.ed25519([marked.ed25519(true), marked.ed25519(false)]);
  expect(threads[0]?.refs).toBe(1);
  threads[0]?.answer();
  expect(await answered).toEqual([true, false]);
  expect(threads[0]?.refs).toBe(0);
  expect(threads).toHaveLength(1);
});

test.each([
  ['dies', (thread: FakeThread) => thread.emit('exit', 134)],
  ['throws', (thread: FakeThread) => thread.emit('error', new Error('out of memory'))],
  ['answers to a question nobody asked', (thread: FakeThread) => thread.answer({ id: 99 })],
  ['answers too little', (thread: FakeThread) => thread.answer({ verdicts: Uint8Array.of(1) })],
])('a thread that %s leaves its checks unverified, and another takes over', async (_, harm) => {
  const { threads, pool } = fake();
  const lost = pool.ed25519(many('ed25519', 2));
  harm(threads[0] as FakeThread);
  expect(await lost).toEqual([false, false]);
  expect(threads[0]?.ended).toBe(true);
  const next = pool.ed25519([marked.ed25519(true)]);
  threads[1]?.answer();
  expect(await next).toEqual([true]);
  // What the lost one says now is not listened to.
  const later = pool.ed25519([marked.ed25519(false)]);
  threads[0]?.emit('message', { id: 1, verdicts: Uint8Array.of(1) });
  threads[1]?.answer();
  expect(await later).toEqual([false]);
});

test('a real thread that is killed loses no call', async () => {
  const { Worker } = await import('node:worker_threads');
  const workers: InstanceType<typeof Worker>[] = [];
  const pool = createBatchVerifier(
    { threads: 1 },
    {
      logger: silentLogger,
      now: Date.now,
      spawn: () => {
        const worker = new Worker(new URL('./verify-worker.ts', import.meta.url));
        workers.push(worker);
        return worker as unknown as VerifyThread;
      },
    },
  );
  const good = edCheck(1);
  expect(await pool.ed25519([good])).toEqual([true]);
  const lost = pool.ed25519(Array.from({ length: 2 * NODE_LIMITS.verifierChunkChecks }, () => spoilt(good)));
  await workers[0]?.terminate();
  expect((await lost).every((verdict) => !verdict)).toBe(true);
  expect(await pool.ed25519([good])).toEqual([true]);
  expect(workers).toHaveLength(2);
  await pool.close();
});

test('a silent thread is replaced', async () => {
  const { threads, pool } = fake({ timeoutMs: 1 });
  expect(await pool.ed25519([marked.ed25519(true)])).toEqual([false]);
  expect(threads[0]?.ended).toBe(true);
});

test('when threads die one after the other the main thread is left to work alone, for a while', async () => {
  const { threads, clock, pool } = fake();
  for (let i = 0; i < NODE_LIMITS.maxVerifierLosses; i++) {
    const lost = pool.ed25519([marked.ed25519(true)]);
    threads[i]?.emit('exit', 1);
    expect(await lost).toEqual([false]);
  }
  expect(await pool.ed25519([marked.ed25519(true)])).toEqual([false]);
  expect(threads).toHaveLength(NODE_LIMITS.maxVerifierLosses);
  clock.now += NODE_LIMITS.verifierRestMs + 1;
  const again = pool.ed25519([marked.ed25519(true)]);
  threads.at(-1)?.answer();
  expect(await again).toEqual([true]);
});

test('a thread that cannot be started fails no call', async () => {
  const pool = createBatchVerifier(
    { threads: 1 },
    {
      logger: silentLogger,
      now: () => 0,
      spawn: () => {
        throw new Error('no more threads');
      },
    },
  );
  expect(await pool.secp256k1([marked.secp256k1(true)])).toEqual([false]);
});

test('calls of one kind are answered in their order, whichever thread is done first', async () => {
  const { threads, pool } = fake({ threads: 2 });
  const order: number[] = [];
  const calls = [1, 2].map((n) => pool.ed25519([marked.ed25519(true)]).then(() => order.push(n)));
  threads[1]?.answer();
  threads[0]?.answer();
  await Promise.all(calls);
  expect(order).toEqual([1, 2]);
});

test('what consensus waits for goes before transactions', async () => {
  const { threads, pool } = fake();
  const txs = pool.secp256k1(many('secp256k1', 4 * NODE_LIMITS.verifierChunkChecks));
  const votes = pool.ed25519([marked.ed25519(true)]);
  const schemes: Scheme[] = [];
  for (let i = 0; i < 5; i++) {
    schemes.push(threads[0]?.requests[0]?.scheme ?? 'ed25519');
    threads[0]?.answer();
  }
  expect(schemes).toEqual(['secp256k1', 'secp256k1', 'ed25519', 'secp256k1', 'secp256k1']);
  expect(await votes).toEqual([true]);
  expect((await txs).every((verdict) => verdict)).toBe(true);
});

test('what exceeds the queue, by number or by bytes, is left to the caller at once', async () => {
  for (const bound of [{ maxQueuedChecks: 3 }, { maxQueuedBytes: 300 }]) {
    const { threads, pool } = fake(bound);
    const first = pool.ed25519(many('ed25519', 2));
    const second = pool.ed25519(many('ed25519', 2));
    expect(threads[0]?.requests).toHaveLength(1);
    threads[0]?.answer();
    expect(await first).toEqual([true, true]);
    expect(await second).toEqual([false, false]);
    const third = pool.ed25519(many('ed25519', 3 - 1));
    threads[0]?.answer();
    expect(await third).toEqual([true, true]);
  }
});

test('closing answers what waits and takes nothing more', async () => {
  const { threads, pool } = fake();
  const waiting = pool.ed25519(many('ed25519', 5 * NODE_LIMITS.verifierChunkChecks));
  await pool.close();
  expect((await waiting).every((verdict) => !verdict)).toBe(true);
  expect(threads.map(({ ended }) => ended)).toEqual([true]);
  expect(await pool.ed25519([marked.ed25519(true)])).toEqual([false]);
  expect(threads).toHaveLength(1);
});
