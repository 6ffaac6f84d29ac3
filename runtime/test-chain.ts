/** A chain in memory for tests of the runtime: genesis with funded accounts, blocks on demand, no consensus. */
import type { ExecTxResult, FinalizeBlockRequest, FinalizeBlockResponse } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { type AccountKeyPair, accountAddress, keyFromPrivate } from '#core/crypto/keys.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import type { BatchVerifier, Verifier } from '#core/ports/crypto.ts';
import { noDuties } from '#core/ports/duties.ts';
import type { Kv } from '#core/ports/kv.ts';
import { type Logger, silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import { addMillis, parseTime } from '#core/types/timestamp.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { formatAddress } from './address.ts';
import { type ApplicationOptions, openApplication, type RuntimeApplication } from './app.ts';
import type { Coin } from './coins.ts';
import type { Json } from './module.ts';
import { AUTH_STORE, getAccount } from './modules/auth/state.ts';
import { buildTx, type TxPlan } from './tx/build.ts';

export const TEST_CHAIN_ID = 'test-1';
export const TEST_TIME = parseTime('2026-01-01T00:00:00Z');
const BLOCK_MS = 1_000n;

/** Keys 1, 2, 3 …: always the same. */
export function testKey(n: number): AccountKeyPair {
  return keyFromPrivate(sha256(utf8(`autonomy test key ${n}`)));
}

export interface TestChainOptions extends ApplicationOptions {
  readonly accounts?: number;
  readonly coins?: readonly Coin[];
  readonly maxGas?: bigint;
  readonly prefix?: string;
  /** Default {@link TEST_CHAIN_ID}. */
  readonly chainId?: string;
  readonly baseDenom?: string;
  readonly moduleState?: { readonly [module: string]: Json };
  readonly validators?: readonly ValidatorUpdate[];
  /** First height with vote extensions; by default never. */
  readonly extensionsFrom?: bigint;
  readonly verifier?: Verifier;
  readonly batch?: Pick<BatchVerifier, 'secp256k1'>;
  readonly kv?: Kv;
  readonly logger?: Logger;
}

export interface TestChain {
  readonly app: RuntimeApplication;
  readonly kv: Kv;
  readonly prefix: string;
  address(key: AccountKeyPair): string;
  /** A transaction by `key` with the sequence of committed state plus `ahead`. */
  sign(key: AccountKeyPair, plan: Partial<TxPlan>, ahead?: bigint): Uint8Array;
  send(from: AccountKeyPair, to: string, amount: bigint): TxPlan['messages'][number];
  request(txs: readonly Uint8Array[]): FinalizeBlockRequest;
  /** Finalizes and commits the next block. */
  block(txs?: readonly Uint8Array[]): Promise<FinalizeBlockResponse>;
  /** One transaction in a block of its own. */
  deliver(tx: Uint8Array): Promise<ExecTxResult>;
  /** The same chain over the same store, opened again. */
  reopen(): Promise<TestChain>;
}

export async function startTestChain(options: TestChainOptions = {}): Promise<TestChain> {
  const kv = options.kv ?? new MemoryKv();
  const chain = await openTestChain(options, kv);
  const prefix = chain.prefix;
  const coins = options.coins ?? [{ denom: options.baseDenom ?? 'uauton', amount: 1_000_000_000n }];
  const accounts = Array.from({ length: options.accounts ?? 3 }, (_, i) =>
    formatAddress({ bech32Prefix: prefix }, accountAddress(testKey(i + 1).publicKey)),
  );
  const appState: Json = {
    chain: { bech32_prefix: prefix, base_denom: options.baseDenom ?? 'uauton' },
    auth: {
      accounts: accounts.map((address, i) => ({
        '@type': '/cosmos.auth.v1beta1.BaseAccount',
        address,
        pub_key: null,
        account_number: String(i),
        sequence: '0',
      })),
    },
    bank: {
      balances: accounts.map((address) => ({
        address,
        coins: coins.map(({ denom, amount }) => ({ denom, amount: String(amount) })),
      })),
    },
    ...options.moduleState,
  };
  chain.app.initChain({
    time: TEST_TIME,
    chainId: options.chainId ?? TEST_CHAIN_ID,
    consensusParams: {
      ...DEFAULT_CONSENSUS_PARAMS,
      block: { maxBytes: DEFAULT_CONSENSUS_PARAMS.block.maxBytes, maxGas: options.maxGas ?? -1n },
      abci: { voteExtensionsEnableHeight: options.extensionsFrom ?? 0n },
    },
    validators: options.validators ?? [],
    appStateBytes: utf8(JSON.stringify(appState)),
    initialHeight: toHeight(options.initialHeight ?? 1n),
  });
  return chain;
}

async function openTestChain(options: TestChainOptions, kv: Kv): Promise<TestChain> {
  const app = await openApplication(options, {
    kv,
    verifier: options.verifier ?? pureVerifier,
    ...(options.batch === undefined ? {} : { batch: options.batch }),
    duties: noDuties,
    logger: options.logger ?? silentLogger,
  });
  return testChainOf(options, kv, app);
}

function testChainOf(options: TestChainOptions, kv: Kv, app: RuntimeApplication): TestChain {
  const prefix = options.prefix ?? 'auton';
  const denom = options.baseDenom ?? 'uauton';
  const nextHeight = (): bigint => {
    const { lastBlockHeight } = app.info();
    return lastBlockHeight === 0n ? (options.initialHeight ?? 1n) : lastBlockHeight + 1n;
  };
  const chain: TestChain = {
    app,
    kv,
    prefix,
    address: (key) => formatAddress({ bech32Prefix: prefix }, accountAddress(key.publicKey)),
    sign(key, plan, ahead = 0n) {
      const committed = app.stateAt(0n)?.state.store(AUTH_STORE);
      const account = committed === undefined ? undefined : getAccount(committed, accountAddress(key.publicKey));
      const full = { messages: [], fee: [{ denom, amount: 1_000n }], gasLimit: 200_000n, ...plan };
      const { accountNumber, sequence } = account ?? { accountNumber: 0n, sequence: 0n };
      return buildTx(full, options.chainId ?? TEST_CHAIN_ID, [{ key, accountNumber, sequence: sequence + ahead }]);
    },
    send: (from, to, amount) =>
      pack(MsgSendSchema, {
        fromAddress: chain.address(from),
        toAddress: to,
        amount: [{ denom, amount: String(amount) }],
      }),
    request(txs) {
      const height = nextHeight();
      return {
        height: toHeight(height),
        time: addMillis(TEST_TIME, height * BLOCK_MS),
        nextValidatorsHash: EMPTY,
        proposerAddress: new Uint8Array(20),
        misbehavior: [],
        txs,
        decidedLastCommit: { round: toRound(0), votes: [] },
        hash: EMPTY,
      };
    },
    async block(txs = []) {
      const response = app.finalizeBlock(chain.request(txs));
      await app.commit();
      return response;
    },
    async deliver(tx) {
      return defined((await chain.block([tx])).txResults[0], 'the result of the transaction');
    },
    reopen: () => openTestChain(options, kv),
  };
  return chain;
}
