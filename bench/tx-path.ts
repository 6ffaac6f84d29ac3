/**
 * What one bank send costs the application alone: CheckTx, proposal, block, in one process over a store in memory. Every
 * sender is another one, and sends once. `BENCH_TX_PATH=rounds:sends` (default 10:1000) says how many blocks of how many
 * sends are measured, after as many rounds as warm the compilers up.
 */
import { createRequire } from 'node:module';
import type secp256k1Api from 'secp256k1';
import { lastResultsHash } from '#core/abci.ts';
import { utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { type AccountKeyPair, bech32Address } from '#core/crypto/keys.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { createNativeVerifier } from '#node/crypto/native-verifier.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { startTestChain, TEST_CHAIN_ID, type TestChain } from '#runtime/test-chain.ts';
import { buildTx } from '#runtime/tx/build.ts';
import type { Entry, Metric, Sample } from './harness.ts';

const secp256k1 = createRequire(import.meta.url)('secp256k1/bindings') as typeof secp256k1Api;

const DENOM = 'uauton';
const WARM_ROUNDS = 4;
const MAX_BLOCK_BYTES = 4_000_000;

interface Sender {
  readonly key: AccountKeyPair;
  readonly address: string;
}

interface Plan {
  readonly rounds: number;
  readonly sends: number;
}

function plan(): Plan {
  const text = process.env.BENCH_TX_PATH ?? '10:1000';
  const [rounds = 0, sends = 0] = text.split(':').map(Number);
  if (![rounds, sends].every((value) => Number.isSafeInteger(value) && value > 0))
    throw new Error(`BENCH_TX_PATH: expected rounds:sends, got "${text}"`);
  return { rounds, sends };
}

function makeSenders(count: number): readonly Sender[] {
  return Array.from({ length: count }, (_, i) => {
    const privateKey = sha256(utf8(`bench sender ${i}`));
    const publicKey = secp256k1.publicKeyCreate(privateKey, true);
    return { key: { privateKey, publicKey }, address: bech32Address(publicKey, 'auton') };
  });
}

const signNatively = (privateKey: Uint8Array, message: Uint8Array): Uint8Array =>
  secp256k1.ecdsaSign(sha256(message), privateKey).signature;

function signSend(senders: readonly Sender[], at: number): Uint8Array {
  const { key, address } = senders[at] as Sender;
  const { address: toAddress } = senders[(at + 1) % senders.length] as Sender;
  const send = pack(MsgSendSchema, { fromAddress: address, toAddress, amount: [{ denom: DENOM, amount: '1' }] });
  const terms = { messages: [send], fee: [{ denom: DENOM, amount: 3_750n }], gasLimit: 150_000n };
  return buildTx(terms, TEST_CHAIN_ID, [{ key, accountNumber: BigInt(at), sequence: 0n }], signNatively);
}

async function startChain(senders: readonly Sender[]): Promise<TestChain> {
  const chain = await startTestChain({
    verifier: createNativeVerifier({ keyCacheEntries: 1 }),
    kv: new MemoryKv(),
    minGasPrices: `0.025${DENOM}`,
    moduleState: {
      auth: {
        accounts: senders.map(({ address }, i) => ({
          '@type': '/cosmos.auth.v1beta1.BaseAccount',
          address,
          pub_key: null,
          account_number: String(i),
          sequence: '0',
        })),
      },
      bank: {
        balances: senders.map(({ address }) => ({ address, coins: [{ denom: DENOM, amount: '1000000' }] })),
      },
    },
  });
  await chain.block();
  return chain;
}

const STAGES = ['CheckTx', 'PrepareProposal', 'ProcessProposal', 'FinalizeBlock', 'results hash', 'commit'] as const;
type Stage = (typeof STAGES)[number];

async function oneBlock(chain: TestChain, txs: readonly Uint8Array[], spent: Map<Stage, number>): Promise<void> {
  const { app } = chain;
  let before = process.cpuUsage();
  const done = (stage: Stage): void => {
    const { user, system } = process.cpuUsage(before);
    spent.set(stage, (spent.get(stage) ?? 0) + user + system);
    before = process.cpuUsage();
  };
  for (const tx of txs) {
    const { code, log } = await app.checkTx({ tx, type: 'new' });
    if (code !== 0) throw new Error(`CheckTx refused a transaction: ${log}`);
  }
  done('CheckTx');
  const { decidedLastCommit, ...request } = chain.request(txs);
  const localLastCommit = { round: decidedLastCommit.round, votes: [] };
  const chosen = app.prepareProposal({ ...request, maxTxBytes: MAX_BLOCK_BYTES, localLastCommit });
  done('PrepareProposal');
  const judged = app.processProposal({ ...request, txs: chosen, proposedLastCommit: decidedLastCommit });
  if (!judged.accept) throw new Error(`ProcessProposal refused the block: ${judged.reason}`);
  done('ProcessProposal');
  const { txResults } = app.finalizeBlock({ ...request, txs: chosen, decidedLastCommit });
  done('FinalizeBlock');
  lastResultsHash(txResults);
  done('results hash');
  await app.commit();
  done('commit');
  const good = txResults.filter(({ code, events }) => code === 0 && events.length > 0).length;
  if (good !== txs.length) throw new Error(`${good} of ${txs.length} sends succeeded`);
}

const { rounds, sends } = plan();

async function run(): Promise<Sample> {
  const senders = makeSenders((WARM_ROUNDS + rounds) * sends);
  const chain = await startChain(senders);
  const signed = senders.map((_, at) => signSend(senders, at));
  const spent = new Map<Stage, number>();
  for (let round = 0; round < WARM_ROUNDS + rounds; round++) {
    if (round === WARM_ROUNDS) spent.clear();
    await oneBlock(chain, signed.slice(round * sends, (round + 1) * sends), spent);
  }
  const perTx = (micros: number): number => micros / (rounds * sends);
  const stages = STAGES.map((stage) => [stage, perTx(spent.get(stage) ?? 0)] as const);
  const all = stages.reduce((sum, [, micros]) => sum + micros, 0);
  return Object.fromEntries([...stages, ['all', all]]);
}

/** What the verification in CheckTx takes of it. */
function verification(): Promise<Sample> {
  const verifier = createNativeVerifier({ keyCacheEntries: 1 });
  const checks = makeSenders(200).map(({ key }, i) => {
    const message = utf8(`a sign document of the usual length ${i} `.repeat(6));
    return { publicKey: key.publicKey, message, signature: signNatively(key.privateKey, message) };
  });
  const round = (): void => {
    for (const { publicKey, message, signature } of checks)
      if (!verifier.secp256k1(publicKey, message, signature)) throw new Error('a good signature was refused');
  };
  round();
  const repeats = 10;
  const before = process.cpuUsage();
  for (let i = 0; i < repeats; i++) round();
  const { user, system } = process.cpuUsage(before);
  const micros = (user + system) / (repeats * checks.length);
  return Promise.resolve(Object.fromEntries([...STAGES, 'all'].map((name) => [name, micros])));
}

const metrics = [...STAGES, 'all'].map((name): Metric => ({ name, unit: 'µs/tx', better: 'lower' }));

export const txPath: Entry = {
  name: 'tx-path',
  description:
    'processor time of one bank send in each call to the application (in memory, one process, every sender another one); beside one native secp256k1 verification',
  metrics,
  runs: 3,
  run,
  reference: { name: 'native secp256k1 verification', run: verification },
};
