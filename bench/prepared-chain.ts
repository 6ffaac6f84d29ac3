/** A chain made in advance, in the stores of a node that then only serves it: the node's own code, without a network. */
import { readFile, writeFile } from 'node:fs/promises';
import { extendedCommitInfo, finalizeRequest, makeBlock } from '#consensus/block-rules.ts';
import type { ChainState } from '#consensus/chain-state.ts';
import { defined } from '#core/assert.ts';
import { EMPTY, toHex } from '#core/bytes.ts';
import { keyFromMnemonic } from '#core/crypto/keys.ts';
import { noDuties } from '#core/ports/duties.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { encodeBlock } from '#core/types/block.ts';
import type { BlockId } from '#core/types/block-id.ts';
import { type Height, toHeight, toRound } from '#core/types/brand.ts';
import {
  EMPTY_COMMIT,
  type ExtendedCommit,
  type ExtendedCommitSig,
  FLAG_COMMIT,
  toCommit,
} from '#core/types/commit.ts';
import { extensionsEnabled } from '#core/types/consensus-params.ts';
import { headerHash } from '#core/types/header.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { addMillis } from '#core/types/timestamp.ts';
import { PRECOMMIT, voteExtensionSignBytes, voteSignBytes } from '#core/types/vote.ts';
import { parseGenesis, toInitChain } from '#genesis/document.ts';
import { type ConfigValues, renderConfig } from '#node/config/config.ts';
import { homePaths } from '#node/config/home.ts';
import { createNativeVerifier } from '#node/crypto/native-verifier.ts';
import { applyBlock, type BlockExecutorDeps } from '#node/driver/block-executor.ts';
import { openBlockStore } from '#node/driver/block-store.ts';
import { openEvidencePool } from '#node/driver/evidence-pool.ts';
import { handshake } from '#node/driver/handshake.ts';
import { noTxs } from '#node/driver/ports.ts';
import { openStateStore } from '#node/driver/state-store.ts';
import { generateNetwork, type Network, type NetworkNode } from '#node/localnet/network.ts';
import { freePorts } from '#node/localnet/ports.ts';
import type { Ed25519Key } from '#node/privval/ed25519-key.ts';
import { readValidatorKey } from '#node/privval/key-files.ts';
import { openLevelKv } from '#node/storage/level-kv.ts';
import { createRangeReader } from '#node/storage/range-reader.ts';
import { openApplication } from '#runtime/app.ts';
import { selfSend } from './self-send.ts';

export interface PreparedChain {
  readonly network: Network;
  /** A full node that has all blocks, and one that has none and dials the first. Neither runs yet. */
  readonly server: NetworkNode;
  readonly follower: NetworkNode;
}

const BLOCK_MS = 1_000n;
const CACHE_BYTES = 64 * 1024 * 1024;

/** `blocks` blocks by `validators` validators, all of whom sign; each has one transaction. */
export async function prepareChain(folder: string, blocks: number, validators: number): Promise<PreparedChain> {
  const generated = await generateNetwork({
    chainId: 'bench',
    folder,
    validators,
    fullNodes: 2,
    ports: await freePorts(validators + 2),
    config: { log_level: 'error' },
  });
  if (!generated.ok) throw new Error(generated.error);
  const network = generated.value;
  const [server, follower] = network.nodes.slice(validators) as [NetworkNode, NetworkNode];
  await configure(server, '');
  await configure(follower, `${server.nodeId}@127.0.0.1:${server.ports.p2p}`);
  const keys: Ed25519Key[] = [];
  for (const { home } of network.nodes.slice(0, validators))
    keys.push(defined(await readValidatorKey(homePaths(home).validatorKey), 'the key of a validator'));
  await fill(server, network, keys, blocks);
  return { network, server, follower };
}

async function configure(node: NetworkNode, peers: string): Promise<void> {
  const values: ConfigValues = {
    moniker: node.name,
    'rpc.laddr': `tcp://127.0.0.1:${node.ports.rpc}`,
    'p2p.laddr': `tcp://127.0.0.1:${node.ports.p2p}`,
    'p2p.persistent_peers': peers,
    log_level: 'error',
  };
  await writeFile(homePaths(node.home).config, renderConfig(values));
}

async function fill(node: NetworkNode, network: Network, keys: readonly Ed25519Key[], count: number): Promise<void> {
  const paths = homePaths(node.home);
  const document = parseGenesis(await readFile(paths.genesis, 'utf8'));
  if (!document.ok) throw new Error(document.error);
  const request = toInitChain(document.value);
  const rangeReader = createRangeReader();
  const open = (path: string) => openLevelKv({ path, cacheBytes: CACHE_BYTES }, { rangeReader });
  const chainKv = await open(paths.blockStore);
  const appKv = await open(paths.application);
  const verifier = createNativeVerifier({ keyCacheEntries: keys.length });
  const blocks = openBlockStore(chainKv);
  const states = openStateStore(chainKv);
  const evidence = openEvidencePool(chainKv, { blocks, states }, verifier);
  const app = await openApplication({}, { kv: appKv, verifier, duties: noDuties, logger: silentLogger });
  const deps: BlockExecutorDeps = {
    app,
    blocks,
    states,
    evidence,
    txs: noTxs,
    logger: silentLogger,
    onCommitted: () => {},
  };
  const genesis = { ...request, params: request.consensusParams, appHash: document.value.appHash };
  const state = await handshake(deps, genesis, verifier);
  const faucet = keyFromMnemonic(network.faucet.mnemonic);
  await grow(deps, state, keys, count, (sequence) => selfSend(faucet, network.chainId, 0n, sequence));
  await chainKv.close();
  await appKv.close();
  await rangeReader.close();
}

async function grow(
  deps: BlockExecutorDeps,
  genesis: ChainState,
  keys: readonly Ed25519Key[],
  count: number,
  txOf: (sequence: bigint) => Uint8Array,
): Promise<void> {
  const { app, blocks } = deps;
  const byKey = new Map(keys.map((key) => [toHex(key.publicKey), key]));
  let state = genesis;
  let seen: ExtendedCommit | undefined;
  for (let i = 0; i < count; i++) {
    const lastCommit = seen === undefined ? EMPTY_COMMIT : toCommit(seen);
    const proposerAddress = defined(state.validators.proposer, 'proposer').address;
    const draft = makeBlock(state, { txs: [], evidence: [], lastCommit, proposerAddress });
    const draftRequest = finalizeRequest(draft, EMPTY, state.lastValidators);
    const txs = app.prepareProposal({
      ...draftRequest,
      maxTxBytes: 1_000_000,
      txs: [txOf(BigInt(i))],
      localLastCommit: extendedCommitInfo(seen, state.lastValidators),
    });
    const block = makeBlock(state, { txs, evidence: [], lastCommit, proposerAddress });
    const parts = createPartSet(encodeBlock(block));
    const blockId = { hash: headerHash(block.header), partSetHeader: parts.header };
    seen = commitOf(state, block.header.height, blockId, block.header.time, byKey);
    await blocks.save(block, blockId, parts, seen);
    state = await applyBlock(deps, state, block, blockId);
  }
}

/** All validators of the height sign. */
function commitOf(
  { chainId, validators, params }: ChainState,
  height: Height,
  blockId: BlockId,
  time: Parameters<typeof addMillis>[0],
  keys: ReadonlyMap<string, Ed25519Key>,
): ExtendedCommit {
  const round = toRound(0);
  const timestamp = addMillis(time, BLOCK_MS);
  const signatures = validators.validators.map(({ address, publicKey }): ExtendedCommitSig => {
    const key = defined(keys.get(toHex(publicKey.bytes)), 'the key of a validator');
    const vote = { type: PRECOMMIT, height, round, blockId, timestamp };
    return {
      flag: FLAG_COMMIT,
      validatorAddress: address,
      timestamp,
      signature: key.sign(voteSignBytes(chainId, vote)),
      extension: EMPTY,
      extensionSignature: extensionsEnabled(params, height)
        ? key.sign(voteExtensionSignBytes(chainId, { height, round, extension: EMPTY }))
        : EMPTY,
    };
  });
  return { height: toHeight(height), round, blockId, signatures };
}
