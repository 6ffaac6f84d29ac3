/**
 * The load of a soak run: bank sends of many accounts at a steady rate, queries beside them, and a ledger of what
 * became of every transaction that a node has accepted.
 */
import { createHash } from 'node:crypto';
import { fromBase64, toBase64, toHex, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { type AccountKeyPair, bech32Address, keyFromPrivate } from '#core/crypto/keys.ts';
import type { GenesisAccount } from '#genesis/builder.ts';
import { createChainClient } from '#node/client/chain-client.ts';
import { createRpcClient, type RpcClient } from '#node/client/rpc-client.ts';
import { QueryBalanceRequestSchema } from '#proto/gen/cosmos/bank/v1beta1/query_pb.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { encode, pack } from '#proto/message.ts';
import { buildTx } from '#runtime/tx/build.ts';
import type { LoadRun } from './soak-verdict.ts';

const DENOM = 'uauton';
const FUNDS = 1_000_000_000_000n;
const GAS_LIMIT = 150_000n;
const FEE = 3_750n;
/** `sdk` code of a mempool that is full: the node says so, and nothing is lost. */
const MEMPOOL_IS_FULL = 20;
const WRONG_SEQUENCE = 32;
const RPC_TIMEOUT_MS = 20_000;
const FOLLOW_EVERY_MS = 500;
const DRAIN_MS = 60_000;
/** When all accounts send at once, in ms since the beginning: what a node starts with its first crowd is there before growth is judged. */
const CROWDS_AT_MS = [1_000, 45_000, 90_000];

interface Account {
  readonly key: AccountKeyPair;
  readonly address: string;
  number: bigint;
  sequence: bigint;
  /** One transaction of an account is on its way to the node at a time, so that its sequences arrive in order. */
  busy: boolean;
}

/** The same accounts in every run. */
export function soakAccounts(count: number): readonly Account[] {
  return Array.from({ length: count }, (_, i) => {
    const key = keyFromPrivate(sha256(utf8(`soak account ${i}`)));
    return { key, address: bech32Address(key.publicKey, 'auton'), number: 0n, sequence: 0n, busy: false };
  });
}

export function fundedAtGenesis(accounts: readonly Account[]): readonly GenesisAccount[] {
  return accounts.map(({ address }) => ({ address, coins: [{ denom: DENOM, amount: FUNDS }] }));
}

export interface LoadPlan {
  readonly chainId: string;
  /** Each account keeps to one of them. */
  readonly rpcUrls: readonly string[];
  readonly accounts: readonly Account[];
  readonly txsPerSecond: number;
  readonly queriesPerSecond: number;
}

export interface LoadCounts extends LoadRun {
  readonly committed: number;
  /** Not accepted: the mempool was full, or the node did not answer. */
  readonly refused: number;
  /** Milliseconds from acceptance to the block's being seen, of the transactions since the counts before. */
  readonly latenciesMs: readonly number[];
  /** What was refused or failed, in words; the last few. */
  readonly complaints: readonly string[];
}

export interface Load {
  counts(): LoadCounts;
  /** Sends nothing more, waits until every accepted transaction is in a block or a minute has passed. */
  finish(): Promise<LoadCounts>;
  /** Ends without waiting for anything, however it was going; also after {@link finish}. */
  abort(): void;
}

/** What has become of the transactions. */
interface Ledger {
  accepted(hash: string): void;
  committed(hash: string, code: number): void;
  readonly pending: number;
  readonly wrong: number;
  readonly acceptedCount: number;
  readonly committedCount: number;
  takeLatencies(): readonly number[];
}

const MAX_COMPLAINTS = 5;

function createLedger(complain: (what: string) => void): Ledger {
  const pending = new Map<string, number>();
  /** Seen in a block before the node's answer was read. */
  const early = new Set<string>();
  /** Bounded by the run's length: what was in a block must not come again. */
  const done = new Set<string>();
  let latencies: number[] = [];
  let wrong = 0;
  let accepted = 0;
  return {
    accepted(hash) {
      accepted += 1;
      if (!early.delete(hash)) pending.set(hash, performance.now());
    },
    committed(hash, code) {
      if (done.has(hash) || code !== 0) {
        wrong += 1;
        complain(done.has(hash) ? `${hash} is in two blocks` : `${hash} failed in its block with code ${code}`);
      }
      done.add(hash);
      const since = pending.get(hash);
      if (since === undefined) early.add(hash);
      else latencies.push(performance.now() - since);
      pending.delete(hash);
    },
    get pending() {
      return pending.size;
    },
    get wrong() {
      return wrong;
    },
    get acceptedCount() {
      return accepted;
    },
    get committedCount() {
      return done.size;
    },
    takeLatencies() {
      const taken = latencies;
      latencies = [];
      return taken;
    },
  };
}

export async function startLoad(plan: LoadPlan): Promise<Load> {
  const complaints: string[] = [];
  const complain = (what: string): void => {
    complaints.push(what);
    if (complaints.length > MAX_COMPLAINTS) complaints.shift();
  };
  const nodes = plan.rpcUrls.map((url) => createRpcClient(url, { timeoutMs: RPC_TIMEOUT_MS }));
  for (const account of plan.accounts) await findAccount(nodes[0] as RpcClient, account);
  const ledger = createLedger(complain);
  const follower = followBlocks(nodes[0] as RpcClient, ledger, complain);
  const sending = startSending(plan, nodes, ledger, complain);
  const querying = startQuerying(plan, nodes, () => follower.height(), complain);
  const counts = (): LoadCounts => ({
    accepted: ledger.acceptedCount,
    committed: ledger.committedCount,
    lost: ledger.pending,
    wrong: ledger.wrong,
    refused: sending.refused(),
    queries: querying.asked(),
    failedQueries: querying.failed(),
    latenciesMs: ledger.takeLatencies(),
    complaints: [...complaints],
  });
  return {
    counts,
    async finish() {
      await Promise.all([sending.stop(), querying.stop()]);
      for (const deadline = performance.now() + DRAIN_MS; ledger.pending > 0 && performance.now() < deadline; )
        await pause(FOLLOW_EVERY_MS);
      await follower.stop();
      return counts();
    },
    abort() {
      for (const part of [sending, querying, follower]) void part.stop();
    },
  };
}

const pause = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms));

/** Calls `work` so often a second, whatever it takes; a burst makes up for turns that came late, up to a second's worth. */
function steadily(perSecond: number, work: () => Promise<void>): { stop(): Promise<void> } {
  const running = new Set<Promise<void>>();
  let due = performance.now();
  const timer = setInterval(() => {
    const now = performance.now();
    due = Math.max(due, now - 1_000);
    for (; due <= now; due += 1_000 / perSecond) {
      const one = work().finally(() => running.delete(one));
      running.add(one);
    }
  }, 20);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(running);
    },
  };
}

function startSending(
  plan: LoadPlan,
  nodes: readonly RpcClient[],
  ledger: Ledger,
  complain: (what: string) => void,
): { refused(): number; stop(): Promise<void> } {
  const { accounts, chainId } = plan;
  let next = 0;
  let refused = 0;
  const send = async (at: number): Promise<void> => {
    const from = accounts[at] as Account;
    const to = accounts[(at + 1) % accounts.length] as Account;
    from.busy = true;
    try {
      const outcome = await submit(nodes[at % nodes.length] as RpcClient, signedSend(from, to, chainId, at));
      if (outcome.code === 0) {
        from.sequence += 1n;
        ledger.accepted(outcome.hash);
        return;
      }
      refused += 1;
      if (outcome.code !== MEMPOOL_IS_FULL) complain(`a node refused a transaction: ${outcome.log} (${outcome.code})`);
      const expected = /expected (\d+)/.exec(outcome.log)?.[1];
      if (outcome.code === WRONG_SEQUENCE && expected !== undefined) from.sequence = BigInt(expected);
    } catch (error) {
      refused += 1;
      complain(`a node did not take a transaction: ${String(error)}`);
    } finally {
      from.busy = false;
    }
  };
  const isBusy = (at: number): boolean => (accounts[at] as Account).busy;
  let lastCrowd: Promise<unknown> | undefined;
  const crowd = (): void => {
    const free = accounts.flatMap((_, at) => (isBusy(at) ? [] : [at]));
    lastCrowd = Promise.all(free.map(send));
  };
  const turns = steadily(plan.txsPerSecond, async () => {
    const at = next++ % accounts.length;
    if (isBusy(at)) refused += 1;
    else await send(at);
  });
  const crowds = CROWDS_AT_MS.map((ms) => setTimeout(crowd, ms));
  return {
    refused: () => refused,
    async stop() {
      for (const timer of crowds) clearTimeout(timer);
      await Promise.all([turns.stop(), lastCrowd]);
    },
  };
}

function signedSend(from: Account, to: Account, chainId: string, at: number): Uint8Array {
  const message = pack(MsgSendSchema, {
    fromAddress: from.address,
    toAddress: to.address,
    amount: [{ denom: DENOM, amount: String(1 + at) }],
  });
  const content = { messages: [message], fee: [{ denom: DENOM, amount: FEE }], gasLimit: GAS_LIMIT };
  return buildTx(content, chainId, [{ key: from.key, accountNumber: from.number, sequence: from.sequence }]);
}

/** What the chain knows the account by. */
async function findAccount(node: RpcClient, account: Account): Promise<void> {
  const found = await createChainClient(node).account(account.address);
  if (found === undefined) throw new Error(`${account.address} is not on the chain`);
  account.number = found.accountNumber;
  account.sequence = found.sequence;
}

interface Submitted {
  readonly code: number;
  readonly log: string;
  readonly hash: string;
}

const submit = (node: RpcClient, tx: Uint8Array): Promise<Submitted> =>
  node.call<Submitted>('broadcast_tx_sync', { tx: toBase64(tx) });

interface BlockAnswer {
  readonly block: { readonly data: { readonly txs: readonly string[] } };
}
interface ResultsAnswer {
  readonly txs_results: readonly { readonly code: number }[] | null;
}
interface StatusAnswer {
  readonly sync_info: { readonly latest_block_height: string };
}

/** Reads every block of one node, and tells the ledger what is in it. */
function followBlocks(
  node: RpcClient,
  ledger: Ledger,
  complain: (what: string) => void,
): { height(): bigint; stop(): Promise<void> } {
  let height = 0n;
  let stopped = false;
  const readBlock = async (at: bigint): Promise<void> => {
    const [{ block }, { txs_results: results }] = await Promise.all([
      node.call<BlockAnswer>('block', { height: String(at) }),
      node.call<ResultsAnswer>('block_results', { height: String(at) }),
    ]);
    for (const [i, text] of block.data.txs.entries()) {
      const tx = fromBase64(text, 'a transaction');
      // What the proposer puts in front is no transaction of anybody: the first byte tells.
      if (i === 0 && tx[0] !== TX_RAW_TAG) continue;
      ledger.committed(createHash('sha256').update(tx).digest('hex').toUpperCase(), results?.[i]?.code ?? -1);
    }
  };
  const work = (async () => {
    while (!stopped) {
      try {
        const { sync_info } = await node.call<StatusAnswer>('status');
        for (const latest = BigInt(sync_info.latest_block_height); height < latest; height += 1n)
          await readBlock(height + 1n);
      } catch (error) {
        complain(`blocks cannot be followed: ${String(error)}`);
      }
      await pause(FOLLOW_EVERY_MS);
    }
  })();
  return {
    height: () => height,
    async stop() {
      stopped = true;
      await work;
    },
  };
}

/** The first byte of an encoded TxRaw. */
const TX_RAW_TAG = 0x0a;

/** What wallets and explorers ask, of the nodes in turn. */
function startQuerying(
  plan: LoadPlan,
  nodes: readonly RpcClient[],
  height: () => bigint,
  complain: (what: string) => void,
): { asked(): number; failed(): number; stop(): Promise<void> } {
  let asked = 0;
  let failed = 0;
  /** A height that the slowest node has, most likely: the one that is followed may be a block or two ahead. */
  const everywhere = () => (height() > 3n ? height() - 2n : 1n);
  const balanceOf = (address: string) => toHex(encode(QueryBalanceRequestSchema, { address, denom: DENOM }));
  const questions: readonly ((node: RpcClient, account: Account) => Promise<unknown>)[] = [
    (node, { address }) =>
      node.call('abci_query', { path: '/cosmos.bank.v1beta1.Query/Balance', data: balanceOf(address) }),
    (node) => node.call('status'),
    (node, { address }) =>
      node.call('tx_search', { query: `transfer.sender='${address}'`, per_page: '5', order_by: 'desc' }),
    (node) => node.call('block'),
    (node) => node.call('block_results', { height: String(everywhere()) }),
    (node) => node.call('validators'),
    (node) => node.call('net_info'),
    (node) => node.call('num_unconfirmed_txs'),
    (node) => node.call('block_search', { query: `block.height=${everywhere()}` }),
  ];
  const askOne = async (): Promise<void> => {
    const turn = asked++;
    const node = nodes[turn % nodes.length] as RpcClient;
    const ask = questions[turn % questions.length] as (typeof questions)[number];
    try {
      await ask(node, plan.accounts[turn % plan.accounts.length] as Account);
    } catch (error) {
      failed += 1;
      complain(`a query failed: ${String(error)}`);
    }
  };
  const turns = steadily(plan.queriesPerSecond, askOne);
  return { asked: () => asked, failed: () => failed, stop: () => turns.stop() };
}
