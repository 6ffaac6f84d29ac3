/** What a node that begins at a snapshot must know of the chain, from the RPC of others, verified by the light client. */
import type { ChainState } from '#consensus/chain-state.ts';
import { encodeParams } from '#consensus/chain-state-codec.ts';
import { equal, fromHex, toHex } from '#core/bytes.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import type { Logger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type Height, toHeight } from '#core/types/brand.ts';
import { type ConsensusParams, consensusParamsHash, validateConsensusParams } from '#core/types/consensus-params.ts';
import type { LightBlock } from '#core/types/light-block.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import { encodeValidatorSet } from '#core/types/validator-set.ts';
import { createLightClient, type LightClient } from '#light/client.ts';
import type { Provider } from '#light/provider.ts';
import { openLightStore } from '#light/store.ts';
import { DEFAULT_TRUST_LEVEL } from '#light/verifier.ts';
import { readConsensusParamsJson } from '#rpc/comet/json/params.ts';
import { asObject } from '#rpc/comet/json/reader.ts';
import { type RpcClient, RpcClientError } from '../client/rpc-client.ts';
import type { VerifyAhead } from '../crypto/ahead.ts';
import { verifyingAhead } from '../light/ahead-provider.ts';
import { createHttpProvider, createSourceClient, readAnswer } from '../light/http-provider.ts';
import { NODE_LIMITS } from '../limits.ts';

export interface SyncSourceOptions {
  readonly chainId: string;
  readonly initialHeight: Height;
  readonly rpcServers: readonly string[];
  readonly trustHeight: bigint;
  /** Hexadecimal. */
  readonly trustHash: string;
  readonly trustPeriodMs: number;
}

/** The chain around a snapshot's height: the state after that block, and what decided it. */
export interface SyncedChain {
  readonly state: ChainState;
  /** Parameters of the block itself; `state` has those of the next. */
  readonly lastParams: ConsensusParams;
  /** The block's header, commit and validators. */
  readonly last: LightBlock;
}

export interface SyncSource {
  /** Waits for the two headers above `height` when they are not made yet. The error is for the operator. */
  chainAt(height: bigint): Promise<Result<SyncedChain, string>>;
  /** Who may be asked for the headers before it; nothing that they answer is believed. */
  readonly providers: readonly Pick<Provider, 'name' | 'lightBlock'>[];
}

/** The first condition that is missing, as a sentence for the operator. */
export function missingSetting(options: SyncSourceOptions): string | undefined {
  const { rpcServers, trustHeight, trustHash } = options;
  const different = new Set(rpcServers.map((url) => url.replace(/\/+$/, '')));
  if (different.size < 2)
    return `statesync.rpc_servers: expected the RPC of at least two different nodes, got ${different.size}`;
  if (trustHeight < 1n) return 'statesync.trust_height: missing, the height of a block that you know to be right';
  if (!/^[0-9a-f]{64}$/.test(trustHash))
    return `statesync.trust_hash: expected the 64 hex digits of the hash of block ${trustHeight}, got ${trustHash.length} characters`;
  return undefined;
}

/** Asks every server and verifies the trusted block. The error says which condition is missing. */
export async function openSyncSource(
  options: SyncSourceOptions,
  dependencies: {
    readonly verifier: Verifier;
    /** Of the same memory as `verifier`. */
    readonly verifyAhead: VerifyAhead;
    readonly logger: Logger;
    readonly wait: (ms: number) => Promise<void>;
    readonly nowMs: () => number;
  },
): Promise<Result<SyncSource, string>> {
  const missing = missingSetting(options);
  if (missing !== undefined) return err(missing);
  const { verifier, verifyAhead, logger, wait, nowMs } = dependencies;
  const rpcs = options.rpcServers.map(createSourceClient);
  const providers = rpcs.map((rpc) => verifyingAhead(createHttpProvider(rpc), options.chainId, verifyAhead));
  for (const provider of providers) {
    const newest = await provider.lightBlock(0n);
    if (!newest.ok) return err(`an RPC server does not answer: ${newest.error.message}`);
    const { chainId } = newest.value.header;
    if (chainId !== options.chainId)
      return err(
        `${provider.name} is of the chain ${JSON.stringify(chainId)}, not of ${JSON.stringify(options.chainId)}`,
      );
  }
  const [primary, ...witnesses] = providers;
  const store = await openLightStore(new MemoryKv(), options.chainId);
  if (primary === undefined || !store.ok) return err('no RPC server');
  const client = createLightClient(
    {
      chainId: options.chainId,
      trustingPeriodNanos: BigInt(options.trustPeriodMs) * 1_000_000n,
      maxClockDriftNanos: 10_000_000_000n,
      trustLevel: DEFAULT_TRUST_LEVEL,
      mode: 'skipping',
      witnessLagMs: NODE_LIMITS.syncHeaderWaitMs,
      keep: NODE_LIMITS.lightKeptBlocks,
    },
    {
      primary,
      witnesses,
      store: store.value,
      verifier,
      clock: { now: () => fromMillis(BigInt(nowMs())) },
      logger: logger.child('light'),
      wait,
    },
  );
  if (!client.ok) return client;
  const rooted = await client.value.trust({ height: options.trustHeight, hash: fromHex(options.trustHash) });
  if (!rooted.ok) return err(`the trusted block is not verified (${rooted.error.kind}): ${rooted.error.message}`);
  const sources = { client: client.value, providers, rpcs, wait, nowMs };
  return ok({ chainAt: (height) => chainAt(height, options, sources), providers });
}

interface Sources {
  readonly client: LightClient;
  readonly providers: readonly Provider[];
  readonly rpcs: readonly RpcClient[];
  readonly wait: (ms: number) => Promise<void>;
  readonly nowMs: () => number;
}

/** CometBFT statesync/stateprovider.go State, with parameters and priorities that all servers must agree on. */
async function chainAt(
  height: bigint,
  options: SyncSourceOptions,
  sources: Sources,
): Promise<Result<SyncedChain, string>> {
  const blocks: LightBlock[] = [];
  for (const wanted of [height + 2n, height + 1n, height]) {
    const block = await verified(wanted, sources);
    if (!block.ok) return block;
    const agreed = await samePriorities(block.value, sources.providers);
    if (!agreed.ok) return agreed;
    blocks.push(block.value);
  }
  const [next, current, last] = blocks as [LightBlock, LightBlock, LightBlock];
  const params = await agreedParams(current, sources.rpcs);
  if (!params.ok) return params;
  const lastParams = await agreedParams(last, sources.rpcs);
  if (!lastParams.ok) return lastParams;
  const state: ChainState = {
    chainId: options.chainId,
    initialHeight: options.initialHeight,
    lastBlockHeight: last.header.height,
    lastBlockId: last.commit.blockId,
    lastBlockTime: last.header.time,
    validators: current.validators,
    nextValidators: next.validators,
    lastValidators: last.validators,
    lastHeightValidatorsChanged: toHeight(height + 2n),
    params: params.value,
    lastHeightParamsChanged: toHeight(height + 1n),
    lastResultsHash: current.header.lastResultsHash,
    appHash: current.header.appHash,
    lastHeaderAppHash: last.header.appHash,
  };
  return ok({ state, lastParams: lastParams.value, last });
}

async function verified(height: bigint, { client, wait, nowMs }: Sources): Promise<Result<LightBlock, string>> {
  for (const deadline = nowMs() + NODE_LIMITS.syncHeaderWaitMs; ; ) {
    const block = await client.verifyAt(height);
    if (block.ok) return block;
    if (block.error.kind !== 'unavailable' || nowMs() > deadline)
      return err(`header ${height} is not verified (${block.error.kind}): ${block.error.message}`);
    await wait(NODE_LIMITS.syncPollMs);
  }
}

/** Priorities are in no header: forged ones would make this node expect other proposers than everybody else. */
async function samePriorities(block: LightBlock, providers: readonly Provider[]): Promise<Result<true, string>> {
  const expected = encodeValidatorSet(block.validators);
  for (const provider of providers) {
    const other = await provider.lightBlock(block.header.height);
    if (!other.ok) return err(`the validators of height ${block.header.height}: ${other.error.message}`);
    if (!equal(encodeValidatorSet(other.value.validators), expected))
      return err(
        `${provider.name} states other validators or proposer priorities at height ${block.header.height}: remove it or the others`,
      );
  }
  return ok(true);
}

/** A header's hash covers only the block's limits: of the rest all servers must say the same. */
async function agreedParams(block: LightBlock, rpcs: readonly RpcClient[]): Promise<Result<ConsensusParams, string>> {
  const { height, consensusHash } = block.header;
  let agreed: ConsensusParams | undefined;
  for (const rpc of rpcs) {
    const read = await fetchParams(rpc, height);
    if (!read.ok) return read;
    if (agreed !== undefined && !equal(encodeParams(agreed), encodeParams(read.value)))
      return err(`${rpc.url} states other consensus parameters at height ${height} than ${rpcs[0]?.url}`);
    agreed = read.value;
  }
  if (agreed === undefined) return err('no RPC server');
  const hash = consensusParamsHash(agreed);
  if (!equal(hash, consensusHash))
    return err(
      `consensus parameters at height ${height}: their hash is ${toHex(hash)}, the header has ${toHex(consensusHash)}`,
    );
  return validateConsensusParams(agreed);
}

async function fetchParams(rpc: RpcClient, height: bigint): Promise<Result<ConsensusParams, string>> {
  try {
    const answer = await rpc.call('consensus_params', { height: String(height) });
    return readAnswer(rpc, () =>
      readConsensusParamsJson('consensus_params', asObject('consensus_params', answer).consensus_params),
    );
  } catch (error) {
    if (error instanceof RpcClientError) return err(`${rpc.url}: ${error.message}`);
    throw error;
  }
}
