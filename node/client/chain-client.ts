import { fromBase64, toBase64, toHex } from '#core/bytes.ts';
import {
  Bech32PrefixRequestSchema,
  Bech32PrefixResponseSchema,
  QueryAccountInfoRequestSchema,
  QueryAccountInfoResponseSchema,
} from '#proto/gen/cosmos/auth/v1beta1/query_pb.ts';
import {
  QueryAllBalancesRequestSchema,
  QueryAllBalancesResponseSchema,
} from '#proto/gen/cosmos/bank/v1beta1/query_pb.ts';
import { SimulateRequestSchema, SimulateResponseSchema } from '#proto/gen/cosmos/tx/v1beta1/service_pb.ts';
import { type DescMessage, decodeStrict, encode, type MessageInitShape, type MessageShape } from '#proto/message.ts';
import type { Coin } from '#runtime/coins.ts';
import { type RpcClient, RpcClientError } from './rpc-client.ts';

/** A refusal of the application: its code and codespace, and its sentence. */
export class AppError extends Error {
  override readonly name = 'AppError';
  readonly codespace: string;
  readonly code: number;

  constructor(codespace: string, code: number, log: string) {
    super(log === '' ? `${codespace} error ${code}` : `${log} (${codespace} ${code})`);
    this.codespace = codespace;
    this.code = code;
  }
}

export interface TxOutcome {
  readonly hash: string;
  readonly height: string;
  readonly code: number;
  readonly codespace: string;
  readonly log: string;
  readonly gasWanted: string;
  readonly gasUsed: string;
  /** base64 of TxMsgData. */
  readonly data: string;
  readonly events: readonly unknown[];
}

export interface ChainStatus {
  readonly node_info: {
    readonly id: string;
    readonly network: string;
    readonly moniker: string;
    readonly version: string;
  };
  readonly sync_info: {
    readonly latest_block_hash: string;
    readonly latest_app_hash: string;
    readonly latest_block_height: string;
    readonly latest_block_time: string;
    readonly catching_up: boolean;
  };
  readonly validator_info: { readonly address: string; readonly voting_power: string };
}

interface AbciQueryAnswer {
  readonly response: {
    readonly code: number;
    readonly codespace: string;
    readonly log: string;
    readonly value: string | null;
  };
}

interface TxAnswer {
  readonly hash: string;
  readonly height: string;
  readonly tx_result: {
    readonly code: number;
    readonly codespace: string;
    readonly log: string;
    readonly gas_wanted: string;
    readonly gas_used: string;
    readonly data: string | null;
    readonly events: readonly unknown[];
  };
}

/** What wallets do with a chain, over its public RPC. All methods throw RpcClientError or {@link AppError}. */
export interface ChainClient {
  readonly rpc: RpcClient;
  status(): Promise<ChainStatus>;
  /** @param height of the state that is asked; 0 or absent: the newest. */
  query<Q extends DescMessage, A extends DescMessage>(
    path: string,
    request: Q,
    init: MessageInitShape<Q>,
    response: A,
    height?: bigint,
  ): Promise<MessageShape<A>>;
  bech32Prefix(): Promise<string>;
  /** `undefined`: no such account on the chain yet. */
  account(address: string): Promise<{ readonly accountNumber: bigint; readonly sequence: bigint } | undefined>;
  balances(address: string): Promise<readonly Coin[]>;
  /** Gas that the transaction uses. */
  simulate(tx: Uint8Array): Promise<bigint>;
  /** Checked and in the mempool when this resolves. Answers the hash in upper-case hex. */
  broadcast(tx: Uint8Array): Promise<string>;
  /** `undefined`: not in a block. */
  tx(hash: string): Promise<TxOutcome | undefined>;
  waitForTx(hash: string, timeoutMs: number): Promise<TxOutcome>;
  /** One page of what the index finds; `total` counts all of it. */
  searchTxs(search: Search): Promise<{ readonly total: string; readonly txs: readonly TxOutcome[] }>;
}

/** Conditions in CometBFT's query language, and which page of what they find. */
export interface Search {
  readonly query: string;
  readonly page: number;
  readonly perPage: number;
  readonly order: 'asc' | 'desc';
}

/** Parameters of the routes `tx_search` and `block_search`. */
export function searchParams({ query, page, perPage, order }: Search) {
  return { query, page: String(page), per_page: String(perPage), order_by: order };
}

const POLL_MS = 200;

export function createChainClient(rpc: RpcClient): ChainClient {
  async function abciQuery(path: string, data: Uint8Array, height: bigint): Promise<Uint8Array> {
    const { response } = await rpc.call<AbciQueryAnswer>('abci_query', {
      path,
      data: toHex(data),
      height: String(height),
      prove: false,
    });
    if (response.code !== 0) throw new AppError(response.codespace, response.code, response.log);
    return fromBase64(response.value ?? '', 'the value of abci_query');
  }

  const query: ChainClient['query'] = async (path, request, init, response, height = 0n) => {
    const decoded = decodeStrict(response, await abciQuery(path, encode(request, init), height));
    if (!decoded.ok) throw new RpcClientError(`the answer to ${path} is not understood: ${decoded.error}`);
    return decoded.value;
  };

  async function tx(hash: string): Promise<TxOutcome | undefined> {
    try {
      return toOutcome(await rpc.call<TxAnswer>('tx', { hash: toBase64(Buffer.from(hash, 'hex')), prove: false }));
    } catch (error) {
      if (error instanceof RpcClientError && /not found/i.test(error.message)) return undefined;
      throw error;
    }
  }

  return {
    rpc,
    status: () => rpc.call<ChainStatus>('status'),
    query,
    async bech32Prefix() {
      const answer = await query(
        '/cosmos.auth.v1beta1.Query/Bech32Prefix',
        Bech32PrefixRequestSchema,
        {},
        Bech32PrefixResponseSchema,
      );
      return answer.bech32Prefix;
    },
    async account(address) {
      try {
        const { info } = await query(
          '/cosmos.auth.v1beta1.Query/AccountInfo',
          QueryAccountInfoRequestSchema,
          { address },
          QueryAccountInfoResponseSchema,
        );
        return info && { accountNumber: info.accountNumber, sequence: info.sequence };
      } catch (error) {
        if (error instanceof AppError && /not ?found/i.test(error.message)) return undefined;
        throw error;
      }
    },
    async balances(address) {
      const { balances } = await query(
        '/cosmos.bank.v1beta1.Query/AllBalances',
        QueryAllBalancesRequestSchema,
        { address },
        QueryAllBalancesResponseSchema,
      );
      return balances.map(({ denom, amount }) => ({ denom, amount: BigInt(amount) }));
    },
    async simulate(bytes) {
      const { gasInfo } = await query(
        '/cosmos.tx.v1beta1.Service/Simulate',
        SimulateRequestSchema,
        { txBytes: bytes },
        SimulateResponseSchema,
      );
      return gasInfo?.gasUsed ?? 0n;
    },
    async broadcast(bytes) {
      const answer = await rpc.call<{ code: number; codespace: string; log: string; hash: string }>(
        'broadcast_tx_sync',
        {
          tx: toBase64(bytes),
        },
      );
      if (answer.code !== 0) throw new AppError(answer.codespace, answer.code, answer.log);
      return answer.hash;
    },
    tx,
    async searchTxs(search) {
      const found = await rpc.call<{ readonly total_count: string; readonly txs: readonly TxAnswer[] }>(
        'tx_search',
        searchParams(search),
      );
      return { total: found.total_count, txs: found.txs.map(toOutcome) };
    },
    async waitForTx(hash, timeoutMs) {
      for (const deadline = Date.now() + timeoutMs; Date.now() < deadline; ) {
        const outcome = await tx(hash);
        if (outcome !== undefined) return outcome;
        await new Promise((resolve) => setTimeout(resolve, POLL_MS));
      }
      throw new RpcClientError(
        `transaction ${hash} is not in a block after ${timeoutMs} ms; look again with: autond query tx ${hash}`,
      );
    },
  };
}

function toOutcome({ hash, height, tx_result: result }: TxAnswer): TxOutcome {
  return {
    hash,
    height,
    code: result.code,
    codespace: result.codespace,
    log: result.log,
    gasWanted: result.gas_wanted,
    gasUsed: result.gas_used,
    data: result.data ?? '',
    events: result.events,
  };
}
