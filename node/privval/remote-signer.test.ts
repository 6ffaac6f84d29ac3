import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, expect, test, vi } from 'vitest';
import { toHex, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { consensusAddress, ed25519Key } from '#core/crypto/pubkey.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { type BlockId, NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { type Vote, voteExtensionSignBytes, voteSignBytes } from '#core/types/vote.ts';
import { openGuardedSigner } from '../driver/guarded-signer.ts';
import type { LastSignStore, Signer } from '../driver/ports.ts';
import { freePorts } from '../localnet/ports.ts';
import { parseSignerDialAddress, type SignerDialAddress, type SignerListenAddress } from './address.ts';
import { ed25519KeyFromSeed } from './ed25519-key.ts';
import { lastSignFile } from './last-sign-file.ts';
import { PRIVVAL_LIMITS } from './limits.ts';
import { openRemoteSigner, type RemoteSigner, type RemoteSignerOptions } from './remote-signer.ts';
import { type SignerServer, startSignerServer } from './signer-server.ts';

const CHAIN = 'test-chain';
const folder = mkdtempSync(join(tmpdir(), 'autonomy-signer-'));
const closers: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

afterAll(() => rmSync(folder, { recursive: true }));

const key = (seed: number) => ed25519KeyFromSeed(new Uint8Array(32).fill(seed));
const validator = key(9);
let serial = 0;
const unixPath = () => join(folder, `${serial++}.sock`);

function memoryStore(): LastSignStore {
  let bytes: Uint8Array | undefined;
  return {
    load: async () => bytes,
    async save(state) {
      bytes = state.slice();
    },
  };
}

const guarded = (store: LastSignStore = memoryStore(), seed = 9): Promise<Signer> => {
  const { publicKey, sign } = key(seed);
  return openGuardedSigner({ publicKey: ed25519Key(publicKey), sign }, store);
};

function serve(signer: Signer, nodes: readonly SignerDialAddress[], chainId = CHAIN, identity = 5): SignerServer {
  const server = startSignerServer(
    { nodes, chainId },
    { signer, identity: key(identity), verifier: pureVerifier, logger: silentLogger },
  );
  closers.push(() => server.close());
  return server;
}

/** A node's end. `start` sees the address on which it listens before a signer has come. */
async function node(
  listen: SignerListenAddress,
  start: () => unknown,
  options: Partial<RemoteSignerOptions> = {},
): Promise<RemoteSigner> {
  const opening = openRemoteSigner(
    { listen, chainId: CHAIN, timeoutMs: 10_000, startTimeoutMs: 10_000, allowed: [], ...options },
    { identity: key(1), verifier: pureVerifier, logger: silentLogger },
  );
  start();
  const signer = await opening;
  closers.push(() => signer.close());
  return signer;
}

const blockId = (text: string): BlockId => ({
  hash: sha256(utf8(text)),
  partSetHeader: { total: 1, hash: sha256(utf8(`${text} parts`)) },
});

const vote = (
  height: number,
  block: BlockId,
  extension = '',
  type: 1 | 2 = 2,
): Omit<Vote, 'signature' | 'extensionSignature'> => ({
  type,
  height: toHeight(height),
  round: toRound(0),
  blockId: block,
  timestamp: { seconds: 1_700_000_000n + BigInt(height), nanos: 5 },
  validatorAddress: consensusAddress(ed25519Key(validator.publicKey)),
  validatorIndex: 0,
  extension: utf8(extension),
});

const proposal = (height: number, block: BlockId) => ({
  height: toHeight(height),
  round: toRound(0),
  polRound: toRound(-1),
  blockId: block,
  timestamp: { seconds: 1_700_000_000n, nanos: 0 },
});

async function freePort(): Promise<number> {
  const [ports] = await freePorts(1);
  if (ports === undefined) throw new Error('no port');
  return ports.p2p;
}

test.each(['unix', 'tcp'] as const)('votes, extensions and proposals are signed over %s', async (kind) => {
  const address =
    kind === 'unix'
      ? ({ kind, path: unixPath() } as const)
      : ({ kind, host: '127.0.0.1', port: await freePort() } as const);
  const pinned = kind === 'unix' ? address : { ...address, id: toHex(consensusAddress(ed25519Key(key(1).publicKey))) };
  const signer = await guarded();
  const remote = await node(address, () => serve(signer, [pinned]));
  expect(remote.publicKey.bytes).toEqual(validator.publicKey);
  expect((await remote.signProposal(CHAIN, proposal(1, blockId('a')))).ok).toBe(true);
  const prevote = await remote.signVote(CHAIN, vote(1, NIL_BLOCK_ID, '', 1), false);
  expect(prevote.ok && prevote.value.extensionSignature.length).toBe(0);
  const asked = vote(1, blockId('a'), 'x'.repeat(60_000));
  const signed = await remote.signVote(CHAIN, asked, true);
  if (!signed.ok) throw new Error(signed.error);
  const { signature, extensionSignature } = signed.value;
  expect(pureVerifier.ed25519(validator.publicKey, voteSignBytes(CHAIN, asked), signature)).toBe(true);
  expect(pureVerifier.ed25519(validator.publicKey, voteExtensionSignBytes(CHAIN, asked), extensionSignature)).toBe(
    true,
  );
});

test('Adversarial 27: two nodes with one signer never get two signatures for one place', async () => {
  const [one, two] = [unixPath(), unixPath()].map((path) => ({ kind: 'unix', path }) as const);
  if (one === undefined || two === undefined) throw new Error('two addresses');
  // A disk takes its time: long enough for the other node's request to come in between.
  const store = memoryStore();
  const save = async (state: Uint8Array) => {
    await new Promise((resolve) => setTimeout(resolve, 5));
    await store.save(state);
  };
  const signer = await guarded({ ...store, save });
  const server = serve(signer, [one, two]);
  const [a, b] = await Promise.all([node(one, () => undefined), node(two, () => undefined)]);
  await vi.waitFor(() => expect(server.connected).toBe(2), { timeout: 10_000 });
  for (let height = 1; height <= 20; height++) {
    const answers = await Promise.all([
      a.signVote(CHAIN, vote(height, blockId('a')), false),
      b.signVote(CHAIN, vote(height, blockId('b')), false),
    ]);
    expect(answers.filter((answer) => answer.ok)).toHaveLength(1);
    expect(answers.flatMap((answer) => (answer.ok ? [] : [answer.error]))[0]).toMatch(/something else is signed/);
  }
  const before = await b.signVote(CHAIN, vote(1, blockId('a')), false);
  expect(before.ok ? 'signed' : before.error).toMatch(/is before height 20/);
});

test('a signer that was killed comes back with its memory, and a node waits for it', async () => {
  const address = { kind: 'unix', path: unixPath() } as const;
  const path = join(folder, 'state');
  const first = lastSignFile(path);
  const before = serve(await guarded(first), [address]);
  const remote = await node(address, () => undefined);
  const signed = await remote.signVote(CHAIN, vote(5, blockId('a')), false);
  await before.close();
  await first.close();
  // Asked while nobody is there; the signer comes while the node waits.
  const waiting = remote.signVote(CHAIN, { ...vote(5, blockId('a')), timestamp: { seconds: 9n, nanos: 0 } }, false);
  const second = lastSignFile(path);
  closers.push(() => second.close());
  serve(await guarded(second), [address]);
  expect(await waiting).toEqual(signed);
  const other = await remote.signVote(CHAIN, vote(5, blockId('b')), false);
  expect(other.ok ? 'signed' : other.error).toMatch(/something else is signed at height 5/);
  expect((await remote.signVote(CHAIN, vote(6, blockId('b')), false)).ok).toBe(true);
});

test('without a signer the node gets a refusal in time, and does not start', async () => {
  const address = { kind: 'unix', path: unixPath() } as const;
  const server = serve(await guarded(), [address]);
  const remote = await node(address, () => undefined, { timeoutMs: 200 });
  await server.close();
  await vi.waitFor(
    async () => expect(await remote.signVote(CHAIN, vote(1, blockId('a')), false)).toMatchObject({ ok: false }),
    { timeout: 10_000 },
  );
  await expect(node({ kind: 'unix', path: unixPath() }, () => undefined, { startTimeoutMs: 50 })).rejects.toThrow(
    /no signer has connected to unix:.* in 50 ms: start it, or set priv_validator_laddr/,
  );
});

test('another chain, another key, and signers that are not allowed get nowhere', async () => {
  const foreign = { kind: 'unix', path: unixPath() } as const;
  let asked = 0;
  const other = await guarded(memoryStore(), 3).then(
    (signer): Signer => ({
      ...signer,
      signVote(...args) {
        asked += 1;
        return signer.signVote(...args);
      },
    }),
  );
  await expect(node(foreign, async () => serve(other, [foreign], 'another'), { startTimeoutMs: 400 })).rejects.toThrow(
    /no signer/,
  );

  const address = { kind: 'tcp', host: '127.0.0.1', port: await freePort() } as const;
  const allowed = [toHex(consensusAddress(ed25519Key(key(5).publicKey)))];
  serve(other, [address], CHAIN, 6);
  const right = await guarded();
  const remote = await node(address, () => serve(right, [address], CHAIN, 5), { allowed });
  expect(remote.publicKey.bytes).toEqual(validator.publicKey);
  // Allowed to connect, but its key is not the validator's: it never signs.
  serve(other, [address], CHAIN, 5);
  for (let height = 1; height <= 3; height++)
    expect((await remote.signVote(CHAIN, vote(height, blockId('a')), false)).ok).toBe(true);
  expect(asked).toBe(0);
});

test('a pinned node that shows another key is not signed for', async () => {
  const address = { kind: 'tcp', host: '127.0.0.1', port: await freePort(), id: 'ab'.repeat(20) } as const;
  const signer = await guarded();
  await expect(node(address, () => serve(signer, [address]), { startTimeoutMs: 500 })).rejects.toThrow(/no signer/);
});

test('answers that are not what was asked for are not used, and the one standing by takes over', async () => {
  const address = { kind: 'unix', path: unixPath() } as const;
  const honest = await guarded();
  const lying: Signer = {
    publicKey: honest.publicKey,
    signVote: (chainId, asked, extend) => honest.signVote(chainId, { ...asked, round: toRound(7) }, extend),
    signProposal: async (_chainId, { timestamp }) => ({
      ok: true,
      value: { timestamp, signature: new Uint8Array(64) },
    }),
  };
  const liar = serve(lying, [address]);
  const remote = await node(address, () => undefined, { timeoutMs: 1_000 });
  const refused = await remote.signProposal(CHAIN, proposal(1, blockId('a')));
  expect(refused.ok ? 'signed' : refused.error).toMatch(/does not verify|no signer|closed/);
  await liar.close();
  serve(await guarded(), [address]);
  await vi.waitFor(async () => expect((await remote.signProposal(CHAIN, proposal(1, blockId('a')))).ok).toBe(true), {
    timeout: 8_000,
  });
});

test('nothing is signed once the memory cannot be kept', async () => {
  const address = { kind: 'unix', path: unixPath() } as const;
  const store: LastSignStore = {
    load: async () => undefined,
    save: () => Promise.reject(new Error('disk full')),
  };
  const server = serve(await guarded(store), [address]);
  const remote = await node(address, () => undefined, { timeoutMs: 500 });
  expect((await remote.signVote(CHAIN, vote(1, blockId('a')), false)).ok).toBe(false);
  expect(String(await server.failed)).toMatch(/disk full/);
  expect((await remote.signVote(CHAIN, vote(2, blockId('a')), false)).ok).toBe(false);
});

test('garbage, unasked answers and too many connections end at the door; the signer in use is not disturbed', async () => {
  const address = { kind: 'unix', path: unixPath() } as const;
  const signer = await guarded();
  const remote = await node(address, () => serve(signer, [address]));
  const closed = (bytes: Uint8Array) =>
    new Promise<void>((resolve) => {
      const socket = connect(address.path, () => socket.write(bytes));
      socket.on('error', () => undefined);
      socket.once('close', () => resolve());
      socket.resume();
    });
  await closed(Uint8Array.of(0x81, 0xff, 0xff, 0x7f));
  await closed(Uint8Array.of(2, 0x4a, 0));
  await closed(Uint8Array.of(2, 0x42, 0, 2, 0x42, 0));
  const idle = Array.from({ length: PRIVVAL_LIMITS.maxPendingConnections + 4 }, () => connect(address.path));
  const ended = new Set<unknown>();
  for (const socket of idle) {
    socket.on('error', () => undefined);
    socket.once('close', () => ended.add(socket));
    socket.resume();
  }
  // Sooner than silence ends them.
  const timeout = PRIVVAL_LIMITS.handshakeTimeoutMs - 1_000;
  await vi.waitFor(() => expect(ended.size).toBeGreaterThanOrEqual(5), { timeout });
  expect((await remote.signVote(CHAIN, vote(1, blockId('a')), false)).ok).toBe(true);
  for (const socket of idle) socket.destroy();
});

test('an address where another node listens, or another file lies, is not taken', async () => {
  const address = { kind: 'unix', path: unixPath() } as const;
  const signer = await guarded();
  const remote = await node(address, () => serve(signer, [address]));
  await expect(node(address, () => undefined)).rejects.toThrow(/priv_validator_laddr unix:.*EADDRINUSE/);
  expect((await remote.signVote(CHAIN, vote(1, blockId('a')), false)).ok).toBe(true);
  const path = join(folder, 'precious');
  writeFileSync(path, 'kept');
  await expect(node({ kind: 'unix', path }, () => undefined)).rejects.toThrow(/EADDRINUSE/);
  expect(readFileSync(path, 'utf8')).toBe('kept');
});

test('addresses to dial', () => {
  const id = 'ab'.repeat(20);
  expect(parseSignerDialAddress(`tcp://${id}@10.0.0.1:26659`)).toEqual({
    ok: true,
    value: { kind: 'tcp', host: '10.0.0.1', port: 26_659, id },
  });
  expect(parseSignerDialAddress('tcp://h:1')).toEqual({ ok: true, value: { kind: 'tcp', host: 'h', port: 1 } });
  expect(parseSignerDialAddress('unix:///run/s')).toEqual({ ok: true, value: { kind: 'unix', path: '/run/s' } });
  for (const text of ['', 'tcp://zz@h:1', 'http://h:1', 'unix://'])
    expect(parseSignerDialAddress(text).ok, text).toBe(false);
});
