/**
 * Signed bank sends through the public interface of whole nodes. Every sender is another one, and sends once.
 * 40,000 of others come before, outside the clock. `BENCH_SENDS="1:30000,4:12000"` names the networks (validators:transactions), `BENCH_SENDS_INDEX="on,off"` the indexes.
 */
import { createHash } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fromBase64, toBase64, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { type AccountKeyPair, bech32Address, keyFromPrivate, signSecp256k1 } from '#core/crypto/keys.ts';
import { createChainClient } from '#node/client/chain-client.ts';
import { createRpcClient, type RpcClient } from '#node/client/rpc-client.ts';
import { createNativeVerifier } from '#node/crypto/native-verifier.ts';
import { heightOf, type Localnet, startLocalnet } from '#node/localnet/localnet.ts';
import type { NetworkNode } from '#node/localnet/network.ts';
import { freePorts } from '#node/localnet/ports.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { buildTx } from '#runtime/tx/build.ts';
import type { Entry, Metric, Sample } from './harness.ts';
import { cpuMs, mainThreadMs } from './process-time.ts';

const CHAIN_ID = 'bench-sends';
const DENOM = 'uauton';
const BATCH = 100;
/**
 * Sends before the clock runs: the just-in-time compilers of the nodes are cold at first. They use a few seconds of each
 * node in all, which a validator does once in its life: after 6,000 sends they still took an eighth of the processors. These
 * come of the same senders again and again, so that the state has no more accounts for it.
 */
const WARM_UP_SENDERS = 2_000;
const WARM_UP_ROUNDS = 20;
/** Batches that are on their way at the same time. */
const IN_FLIGHT = 8;
const POLL_MS = 20;
const DRAIN_MS = 120_000;
const VERIFICATIONS = 4_000;
/** Accounts of faucet, provider and operators come first: fillers make senders have the same numbers in each network. */
const MOST_VALIDATORS = 16;
const FIRST_SENDER = BigInt(2 + MOST_VALIDATORS);

interface Network {
  readonly validators: number;
  readonly txs: number;
  readonly index: boolean;
}

function plannedNetworks(): readonly Network[] {
  const indexes = (process.env.BENCH_SENDS_INDEX ?? 'on,off').split(',').map((word) => word === 'on');
  return (process.env.BENCH_SENDS ?? '1:30000,4:12000').split(',').flatMap((text) => {
    const [validators = 0, txs = 0] = text.split(':').map(Number);
    if (
      !([validators, txs].every((value) => Number.isSafeInteger(value) && value > 0) && validators <= MOST_VALIDATORS)
    )
      throw new Error(
        `BENCH_SENDS: expected validators:transactions, at most ${MOST_VALIDATORS} validators, got "${text}"`,
      );
    return indexes.map((index) => ({ validators, txs, index }));
  });
}

interface Sender {
  readonly key: AccountKeyPair;
  readonly address: string;
}

/** The same senders in every run: each makes and signs its transactions once, since account numbers are the same too. */
const senders: Sender[] = [];
const warmUps: (readonly Uint8Array[])[] = [];
const signed: Uint8Array[] = [];

function sendersUpTo(count: number): readonly Sender[] {
  while (senders.length < count) {
    const key = keyFromPrivate(sha256(utf8(`bench sender ${senders.length}`)));
    senders.push({ key, address: bech32Address(key.publicKey, 'auton') });
  }
  return senders.slice(0, count);
}

/** What sender `at` of `count` sends to the next. */
function sendOf(at: number, count: number, sequence: bigint): Uint8Array {
  const all = sendersUpTo(count);
  const { key, address } = all[at] as Sender;
  const message = pack(MsgSendSchema, {
    fromAddress: address,
    toAddress: (all[(at + 1) % count] as Sender).address,
    amount: [{ denom: DENOM, amount: '1' }],
  });
  const plan = { messages: [message], fee: [{ denom: DENOM, amount: 3_750n }], gasLimit: 150_000n };
  return buildTx(plan, CHAIN_ID, [{ key, accountNumber: FIRST_SENDER + BigInt(at), sequence }]);
}

/** Rounds of one transaction of each of the first senders. */
function warmUp(): readonly (readonly Uint8Array[])[] {
  while (warmUps.length < WARM_UP_ROUNDS)
    warmUps.push(
      Array.from({ length: WARM_UP_SENDERS }, (_, at) => sendOf(at, WARM_UP_SENDERS, BigInt(warmUps.length))),
    );
  return warmUps;
}

/** One transaction of each of as many other senders. */
function measured(count: number): readonly Uint8Array[] {
  const all = WARM_UP_SENDERS + count;
  while (signed.length < count) signed.push(sendOf(WARM_UP_SENDERS + signed.length, all, 0n));
  return signed.slice(0, count);
}

async function start({ validators, txs, index }: Network, folder: string): Promise<Localnet> {
  const fillers = Array.from({ length: MOST_VALIDATORS - validators }, (_, i) =>
    bech32Address(keyFromPrivate(sha256(utf8(`bench filler ${i}`))).publicKey, 'auton'),
  );
  const all = WARM_UP_SENDERS + txs;
  return startLocalnet({
    chainId: CHAIN_ID,
    validators,
    ports: await freePorts(validators),
    config: {
      'consensus.timeout_commit': '0',
      'consensus.skip_timeout_commit': true,
      'tx_index.enabled': index,
      'mempool.size': 2 * all,
      'mempool.max_txs_bytes': 1_000 * all + 1_000_000,
      'mempool.cache_size': 2 * all,
      // A batch may have to wait for blocks of thousands of transactions.
      'rpc.max_response_ms': DRAIN_MS,
      'rpc.max_requests_per_second': 0,
      log_level: 'error',
    },
    genesis: {
      accounts: [...fillers, ...sendersUpTo(all).map(({ address }) => address)].map((address) => ({
        address,
        coins: [{ denom: DENOM, amount: 1_000_000n }],
      })),
    },
    folder,
  });
}

interface BatchAnswer {
  readonly error?: unknown;
  readonly result?: { readonly code: number; readonly log: string };
}

const batchBody = (txs: readonly Uint8Array[]): string =>
  JSON.stringify(
    txs.map((tx, id) => ({ jsonrpc: '2.0', id, method: 'broadcast_tx_sync', params: { tx: toBase64(tx) } })),
  );

const bodiesOf = (txs: readonly Uint8Array[]): readonly string[] =>
  Array.from({ length: Math.ceil(txs.length / BATCH) }, (_, i) => batchBody(txs.slice(i * BATCH, (i + 1) * BATCH)));

/** One batch; each of its transactions must have passed CheckTx. */
async function sendBatch(url: string, body: string): Promise<void> {
  const response = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body });
  const answers = (await response.json()) as readonly BatchAnswer[];
  const bad = Array.isArray(answers) ? answers.find(({ result }) => result?.code !== 0) : answers;
  if (bad !== undefined) throw new Error(`a transaction was refused: ${JSON.stringify(bad)}`);
}

/** All batches, to the nodes in turn. */
async function sendAll(urls: readonly string[], bodies: readonly string[]): Promise<void> {
  let next = 0;
  const worker = async (): Promise<void> => {
    for (let at = next++; at < bodies.length; at = next++)
      await sendBatch(urls[at % urls.length] as string, bodies[at] as string);
  };
  await Promise.all(Array.from({ length: IN_FLIGHT }, worker));
}

/** Resolves when no mempool holds anything: what was in it is in a block, or was dropped, which {@link verifyCommitted} sees. */
async function drained(nodes: readonly RpcClient[]): Promise<void> {
  const waiting = new Set(nodes);
  for (const deadline = performance.now() + DRAIN_MS; ; ) {
    for (const node of waiting)
      if ((await node.call<{ total: string }>('num_unconfirmed_txs')).total === '0') waiting.delete(node);
    if (waiting.size === 0) return;
    if (performance.now() > deadline) throw new Error(`${waiting.size} mempools are not empty after ${DRAIN_MS} ms`);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}

interface BlockAnswer {
  readonly block: { readonly data: { readonly txs: readonly string[] } };
}
interface ResultsAnswer {
  readonly txs_results: readonly { readonly code: number; readonly log: string }[] | null;
}

const hashOf = (tx: Uint8Array): string => createHash('sha256').update(tx).digest('hex');

/** Every transaction is in one block, with code 0. Answers how many blocks had any. */
async function verifyCommitted(node: RpcClient, txs: readonly Uint8Array[], to: bigint): Promise<number> {
  const missing = new Set(txs.map(hashOf));
  let blocks = 0;
  for (let height = 1n; height <= to && missing.size > 0; height++) {
    const { block } = await node.call<BlockAnswer>('block', { height: String(height) });
    const hashes = block.data.txs.map((text) => hashOf(fromBase64(text, 'a transaction')));
    if (!hashes.some((hash) => missing.has(hash))) continue;
    blocks += 1;
    const { txs_results: results } = await node.call<ResultsAnswer>('block_results', { height: String(height) });
    for (const [i, hash] of hashes.entries()) {
      const known = missing.delete(hash);
      if (known && results?.[i]?.code !== 0)
        throw new Error(`transaction ${i} of block ${height} failed: ${JSON.stringify(results?.[i])}`);
    }
  }
  if (missing.size > 0) throw new Error(`${missing.size} of ${txs.length} transactions are in no block`);
  return blocks;
}

const perClock = ({ validators, index }: Network) => `${validators} validators, index ${index ? 'on' : 'off'}`;
const perProcessor = (network: Network) => `${perClock(network)}, processor`;

async function measureNetwork(network: Network): Promise<Sample> {
  const folder = await mkdtemp(join(tmpdir(), 'autonomy-bench-'));
  const all = WARM_UP_SENDERS + network.txs;
  // Before there are connections: nothing else happens meanwhile, and servers close what is idle for seconds.
  const [rounds, txs] = [warmUp(), measured(network.txs)];
  const localnet = await start(network, folder);
  try {
    const { nodes } = localnet.network;
    const [first] = nodes as readonly [NetworkNode];
    const reader = createRpcClient(first.rpcUrl, { timeoutMs: DRAIN_MS, maxResponseBytes: 268_435_456 });
    const last = sendersUpTo(all).at(-1) as Sender;
    const account = await createChainClient(reader).account(last.address);
    if (account?.accountNumber !== FIRST_SENDER + BigInt(all - 1))
      throw new Error(`unexpected account number ${account?.accountNumber} of the last sender`);
    const bodies = bodiesOf(txs);
    const urls = nodes.map(({ rpcUrl }) => rpcUrl);
    const clients = urls.map((url) => createRpcClient(url, { timeoutMs: DRAIN_MS }));
    for (const round of rounds) {
      // A sender's transactions always go to the same node: it knows of the one before.
      await sendAll(urls, bodiesOf(round));
      await drained(clients);
    }
    const sumOf = async (read: typeof cpuMs) =>
      (await Promise.all(localnet.processes.map(read))).reduce((sum, ms) => sum + ms, 0);
    const usedBefore = await sumOf(cpuMs);
    const mainBefore = await sumOf(mainThreadMs);
    const ownBefore = process.cpuUsage();
    const began = performance.now();
    await sendAll(urls, bodies);
    await drained(clients);
    const seconds = (performance.now() - began) / 1_000;
    const own = process.cpuUsage(ownBefore);
    const processorSeconds = ((await sumOf(cpuMs)) - usedBefore) / 1_000;
    const mainSeconds = ((await sumOf(mainThreadMs)) - mainBefore) / 1_000;
    const blocks = await verifyCommitted(reader, txs, await heightOf(first));
    const ownSeconds = (own.user + own.system) / 1_000_000;
    console.error(
      `${perClock(network)}: ${txs.length} in ${blocks} blocks, ${seconds.toFixed(1)} s; processor seconds: all nodes ${processorSeconds.toFixed(1)}, of it their main threads ${mainSeconds.toFixed(1)}, the sender ${ownSeconds.toFixed(1)}`,
    );
    return {
      [perClock(network)]: txs.length / seconds,
      [perProcessor(network)]: txs.length / processorSeconds,
    };
  } finally {
    await localnet.stop();
    await rm(folder, { recursive: true, force: true });
  }
}

const networks = plannedNetworks();

async function run(): Promise<Sample> {
  let sample: Sample = {};
  // Most first: the others send the first of the same transactions.
  for (const network of networks.toSorted((a, b) => b.txs - a.txs))
    sample = { ...sample, ...(await measureNetwork(network)) };
  return sample;
}

/** Signatures a second that one core verifies here and now, by the clock and by processor time. */
function verifications(): Promise<Sample> {
  const verifier = createNativeVerifier({ keyCacheEntries: 1 });
  const checks = sendersUpTo(200).map(({ key }, i) => {
    const message = utf8(`a sign document of the usual length ${i} `.repeat(6));
    return { publicKey: key.publicKey, message, signature: signSecp256k1(key.privateKey, message) };
  });
  const round = () => {
    for (const { publicKey, message, signature } of checks)
      if (!verifier.secp256k1(publicKey, message, signature)) throw new Error('a good signature was refused');
  };
  round();
  const before = process.cpuUsage();
  const began = performance.now();
  for (let done = 0; done < VERIFICATIONS; done += checks.length) round();
  const seconds = (performance.now() - began) / 1_000;
  const { user, system } = process.cpuUsage(before);
  const byClock = VERIFICATIONS / seconds;
  const byProcessor = (VERIFICATIONS * 1_000_000) / (user + system);
  return Promise.resolve(
    Object.fromEntries(
      networks.flatMap((network) => [
        [perClock(network), byClock],
        [perProcessor(network), byProcessor],
      ]),
    ),
  );
}

const metrics = networks.flatMap((network): Metric[] => [
  { name: perClock(network), unit: 'tx/s', better: 'higher' },
  { name: perProcessor(network), unit: 'tx/processor s', better: 'higher' },
]);

export const bankSends: Entry = {
  name: 'bank-sends',
  description:
    'signed bank sends of as many senders, in batches of broadcast_tx_sync, from the first broadcast to the commit of the last, minimal timeouts; a second, and a second of processor time of all nodes; beside native secp256k1 verifications of one core',
  metrics,
  runs: 1,
  run,
  reference: { name: 'native secp256k1 verifications', run: verifications },
};
