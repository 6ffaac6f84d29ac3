/** Wallets that never stop sending while the network suffers, and a reader that follows what gets into blocks. */
import { fromBase64, toBase64, toHexUpper, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { type AccountKeyPair, bech32Address, keyFromPrivate } from '#core/crypto/keys.ts';
import { createRpcClient, type RpcClient, RpcClientError } from '#node/client/rpc-client.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { buildTx } from '#runtime/tx/build.ts';
import type { Rng } from '../../sim/rng.ts';
import { chainOf, type TestNetwork, type TestNode, until } from './network.ts';

/** A key that follows from its name. */
export function namedKey(name: string): AccountKeyPair {
  return keyFromPrivate(sha256(utf8(name)));
}

export function addressOf(key: AccountKeyPair): string {
  return bech32Address(key.publicKey, 'auton');
}

export interface WorkloadOptions {
  /** Each has coins in the genesis document. */
  readonly keys: readonly AccountKeyPair[];
  /** Gets one uauton of every transaction. */
  readonly sink: string;
  readonly rng: Rng;
  /** How often the process of a node has been killed so far: what it had accepted may be gone with it. */
  readonly deaths: (node: TestNode) => number;
}

export interface Workload {
  /** Hashes of all that some node has accepted. */
  readonly accepted: ReadonlySet<string>;
  /** Hash → heights of the blocks that have it. */
  readonly committed: ReadonlyMap<string, readonly bigint[]>;
  /** Sent once more to somebody else, because who had accepted it was killed or did not answer. */
  resent(): number;
  /** No further transactions. Resolves when the last ones are in blocks. */
  drain(timeoutMs: number): Promise<void>;
}

interface BlockAnswer {
  readonly block: { readonly data: { readonly txs: readonly string[] } };
}

const PAUSE_MS = 100;
const pause = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
/** A node that is stopped answers nothing: ask the next one. */
const ANSWER_MS = 2_000;

type Answer = 'accepted' | 'refused' | 'silent';

export async function startWorkload(net: TestNetwork, options: WorkloadOptions): Promise<Workload> {
  const { keys, sink, rng, deaths } = options;
  const clients = new Map(net.nodes.map((node) => [node, createRpcClient(node.rpcUrl, { timeoutMs: ANSWER_MS })]));
  const clientOf = (node: TestNode): RpcClient => clients.get(node) as RpcClient;
  const accepted = new Set<string>();
  const committed = new Map<string, bigint[]>();
  let resent = 0;
  let draining = false;
  let ended = false;

  async function follow(): Promise<void> {
    for (let height = 1n; !ended; ) {
      try {
        const { block } = await clientOf(rng.pick(net.nodes)).call<BlockAnswer>('block', { height: String(height) });
        for (const tx of block.data.txs) {
          const hash = toHexUpper(sha256(fromBase64(tx, 'a transaction')));
          committed.set(hash, [...(committed.get(hash) ?? []), height]);
        }
        height += 1n;
      } catch (error) {
        if (!(error instanceof RpcClientError)) throw error;
        await pause();
      }
    }
  }

  async function offer(node: TestNode, tx: Uint8Array): Promise<Answer> {
    try {
      const answer = await clientOf(node).call<{ code: number; log: string }>('broadcast_tx_sync', {
        tx: toBase64(tx),
      });
      return answer.code === 0 ? 'accepted' : 'refused';
    } catch (error) {
      if (!(error instanceof RpcClientError)) throw error;
      return /already exists in cache/.test(error.message) ? 'accepted' : 'silent';
    }
  }

  /** Until it is in a block: who has accepted it and lives on owes it, and gets no help. */
  async function deliver(tx: Uint8Array): Promise<void> {
    const hash = toHexUpper(sha256(tx));
    for (let tries = 0; !ended && !committed.has(hash); tries++) {
      const node = rng.pick(net.nodes);
      const before = deaths(node);
      const answer = await offer(node, tx);
      if (answer === 'accepted') {
        if (tries > 0) resent += 1;
        accepted.add(hash);
        while (!ended && !committed.has(hash) && deaths(node) === before) await pause();
      } else await pause();
    }
    // Its acceptance may have been said to nobody: the block counts as well.
    if (committed.has(hash)) accepted.add(hash);
  }

  const first = chainOf(net.node(0));
  const accounts = await Promise.all(
    keys.map(async (key) => {
      const address = addressOf(key);
      const account = await first.account(address);
      if (account === undefined) throw new Error(`${address} is not in the genesis document`);
      return { key, address, ...account };
    }),
  );

  async function wallet({ key, address, accountNumber, ...account }: (typeof accounts)[number]): Promise<void> {
    for (let { sequence } = account; !draining; sequence++) {
      const message = pack(MsgSendSchema, {
        fromAddress: address,
        toAddress: sink,
        amount: [{ denom: 'uauton', amount: '1' }],
      });
      const content = { messages: [message], memo: '', fee: [], gasLimit: 200_000n };
      await deliver(buildTx(content, net.network.chainId, [{ key, accountNumber, sequence }]));
    }
  }

  const following = follow();
  const wallets = Promise.all(accounts.map(wallet));
  // Who fails is heard of when it is waited for.
  for (const work of [following, wallets]) work.catch(() => undefined);
  return {
    accepted,
    committed,
    resent: () => resent,
    async drain(timeoutMs) {
      draining = true;
      let done = false;
      const finished = wallets.then(() => {
        done = true;
      });
      await Promise.race([until('every accepted transaction is in a block', async () => done, timeoutMs), finished]);
      ended = true;
      await Promise.all([wallets, following]);
    },
  };
}
