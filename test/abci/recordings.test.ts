/**
 * A network of four CometBFT v0.38.25 nodes ran this application: transfers, a model, a job that every validator
 * verified through vote extensions, a node that was killed and came back, a validator that signed twice. What it sent
 * and what it stored are facts for this program's own consensus.
 */
import { expect, test } from 'vitest';
import { finalizeRequest, maxTxBytes, validateBlock } from '#consensus/block-rules.ts';
import { applyFinalizeResponse, type ChainState } from '#consensus/chain-state.ts';
import { verifyVote } from '#consensus/verify-message.ts';
import type { Application, FinalizeBlockRequest, InitChainRequest } from '#core/abci.ts';
import { createGrammarChecker } from '#core/abci-grammar.ts';
import { defined } from '#core/assert.ts';
import { EMPTY, toHex } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import type { Duties } from '#core/ports/duties.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { type Block, encodeBlock, readBlock } from '#core/types/block.ts';
import { toAddress } from '#core/types/brand.ts';
import {
  type ExtendedCommit,
  encodeExtendedCommit,
  FLAG_ABSENT,
  readExtendedCommit,
  sigBlockId,
} from '#core/types/commit.ts';
import { headerHash } from '#core/types/header.ts';
import { createPartSet } from '#core/types/part-set.ts';
import { PRECOMMIT } from '#core/types/vote.ts';
import { dispatch } from '#node/abci/dispatch.ts';
import { encodeResponse } from '#node/abci/responses.ts';
import { createNativeVerifier } from '#node/crypto/native-verifier.ts';
import { openBlockStore } from '#node/driver/block-store.ts';
import { openEvidencePool } from '#node/driver/evidence-pool.ts';
import { handshake } from '#node/driver/handshake.ts';
import { noTxs } from '#node/driver/ports.ts';
import { openStateStore } from '#node/driver/state-store.ts';
import { openApplication } from '#runtime/app.ts';
import {
  type Exchange,
  extensionIn,
  grammarCall,
  infoResponse,
  initChainResponse,
  lasting,
  type RecordedBlock,
  readBlocks,
  readExchanges,
} from './recordings.ts';

const RUNS = ['validator0', 'validator0-restarted'] as const;
const runs = RUNS.map((name) => ({ name, exchanges: readExchanges(name) }));
const exchanges = runs.flatMap((run) => run.exchanges);
/** Another validator of the same network, which ran all the time. */
const other = readExchanges('validator1');
const blocks = readBlocks();
const verifier = createNativeVerifier({ keyCacheEntries: 16 });

/** Requests of one kind, by height. */
function byHeight<K extends Exchange['request']['kind']>(kind: K) {
  type Found = Extract<Exchange['request'], { readonly kind: K }>;
  return exchanges.filter((exchange) => exchange.request.kind === kind).map((exchange) => exchange.request as Found);
}

function genesis(): { readonly request: InitChainRequest; readonly response: Uint8Array } {
  const found = defined(
    exchanges.find(({ request }) => request.kind === 'init-chain'),
    'a recorded genesis',
  );
  if (found.request.kind !== 'init-chain') throw new Error('unreachable');
  return { request: found.request.request, response: found.response };
}

test('the recording has what the other tests are about', () => {
  const calls = new Set(exchanges.map(({ call }) => call));
  for (const call of ['init-chain', 'prepare-proposal', 'verify-vote-extension', 'check-tx', 'query'])
    expect(calls).toContain(call);
  const finalized = byHeight('finalize-block').map(({ request }) => request);
  expect(finalized.map(({ height }) => height)).toEqual(blocks.map(({ height }) => height));
  expect(finalized.flatMap(({ misbehavior }) => misbehavior.map(({ type }) => type))).toContain('duplicate-vote');
  const flags = new Set(finalized.flatMap(({ decidedLastCommit }) => decidedLastCommit.votes.map(({ flag }) => flag)));
  expect(flags).toEqual(new Set([1, 2, 3]));
  const extensions = byHeight('prepare-proposal').flatMap(({ request }) => request.localLastCommit.votes);
  expect(extensions.some(({ extension }) => extension.length > 0)).toBe(true);
});

test.each([...runs, { name: 'validator1', exchanges: other }])(
  '$name: CometBFT keeps to the grammar',
  ({ exchanges: run }) => {
    const checker = createGrammarChecker();
    for (const exchange of run) {
      const call = grammarCall(exchange);
      if (call !== undefined) checker.call(call);
    }
    expect(checker.violation).toBeUndefined();
    expect(checker.committed).toBeGreaterThan(20);
  },
);

test("the chain that CometBFT made is valid by this program's rules, and gives the requests that CometBFT sent", async () => {
  const node = await handshaken();
  let { state } = node;
  const sent = new Map(byHeight('finalize-block').map((each) => [each.request.height as bigint, each.request]));
  let compared = 0;
  let guilty = 0;
  for (const recorded of blocks) {
    const block = readBack(recorded);
    const valid = validateBlock(state, block, verifier);
    if (!valid.ok) throw new Error(`height ${recorded.height}: ${valid.error}`);
    expect(node.evidence.check(state, block.evidence)).toEqual({ ok: true, value: true });
    guilty += block.evidence.length;
    const hash = headerHash(block.header);
    const ours = finalizeRequest(block, hash, state.lastValidators);
    expect(plain(ours)).toEqual(plain(defined(sent.get(recorded.height), 'a request of this height')));
    // The engine asks about a proposal with the same content under another name.
    for (const { request: asked } of [...byHeight('process-proposal'), ...byHeight('extend-vote')])
      if (toHex(asked.hash) === toHex(hash)) {
        expect(plain({ ...asked, decidedLastCommit: asked.proposedLastCommit })).toEqual(plain(ours));
        compared++;
      }
    const seen = checkPrecommits(state, recorded);
    const parts = createPartSet(recorded.block);
    const blockId = { hash, partSetHeader: parts.header };
    expect(seen.blockId).toEqual(blockId);
    await node.blocks.save(block, blockId, parts, seen);
    const next = applyFinalizeResponse(state, blockId, block.header, recorded.response);
    if (!next.ok) throw new Error(next.error);
    state = next.value;
    await node.evidence.committed(state, block.evidence);
    await node.states.save(state);
  }
  expect(state.lastBlockHeight).toBe(blocks.at(-1)?.height);
  expect(compared).toBeGreaterThan(blocks.length);
  expect(guilty).toBeGreaterThan(0);
});

/** Decoded as a peer's block is, and encoded to the same bytes. */
function readBack({ height, block }: RecordedBlock): Block {
  const read = decode(() => readBlock('block', block));
  if (!read.ok) throw new Error(`height ${height}: ${read.error}`);
  expect(toHex(encodeBlock(read.value))).toBe(toHex(block));
  return read.value;
}

/** Every precommit of the block verifies, with its extension. */
function checkPrecommits(state: ChainState, { height, extendedCommit }: RecordedBlock): ExtendedCommit {
  const read = decode(() => readExtendedCommit('extended_commit', extendedCommit));
  if (!read.ok) throw new Error(`height ${height}: ${read.error}`);
  const commit = read.value;
  expect(toHex(encodeExtendedCommit(commit))).toBe(toHex(extendedCommit));
  const { chainId, validators } = state;
  for (const [validatorIndex, sig] of commit.signatures.entries()) {
    if (sig.flag === FLAG_ABSENT) continue;
    const { validatorAddress, timestamp, signature, extension, extensionSignature } = sig;
    const vote = {
      ...({ type: PRECOMMIT, height: commit.height, round: commit.round, blockId: sigBlockId(commit, sig) } as const),
      ...{ validatorAddress: toAddress(validatorAddress), validatorIndex, timestamp, signature },
      ...{ extension, extensionSignature },
    };
    const verified = verifyVote(vote, { chainId, validators, extensions: true, verifier });
    if (!verified.ok) throw new Error(`height ${height}: ${verified.error}`);
  }
  return commit;
}

/** What can be compared: bytes as hex, and only the fields of FinalizeBlock. */
function plain(request: FinalizeBlockRequest) {
  const { height, time, hash, nextValidatorsHash, proposerAddress, txs, misbehavior, decidedLastCommit } = request;
  return {
    height,
    time,
    hash: toHex(hash),
    nextValidatorsHash: toHex(nextValidatorsHash),
    proposerAddress: toHex(proposerAddress),
    txs: txs.map(toHex),
    misbehavior: misbehavior.map((item) => ({
      ...item,
      validator: toHex(item.validator.address),
      power: item.validator.power,
    })),
    round: decidedLastCommit.round,
    votes: decidedLastCommit.votes.map(
      ({ validator, flag }) => `${toHex(validator.address)} ${validator.power} ${flag}`,
    ),
  };
}

/** The state before the first block, from this program's handshake with an application that answers as recorded. */
async function handshaken() {
  const { request, response } = genesis();
  const { info, initChain } = recordedHandshake(response);
  const app: Application = new Proxy({ info, initChain } as Application, {
    get(target, name) {
      if (name === 'info') return target.info;
      if (name === 'initChain') return target.initChain;
      throw new Error(`the handshake of an empty chain calls ${String(name)}`);
    },
  });
  const kv = new MemoryKv();
  const blockStore = openBlockStore(kv);
  const states = openStateStore(kv);
  const evidence = openEvidencePool(kv, { blocks: blockStore, states }, verifier);
  const deps = { app, blocks: blockStore, states, evidence, txs: noTxs, logger: silentLogger, onCommitted: () => {} };
  const { chainId, initialHeight, time, consensusParams, validators, appStateBytes } = request;
  const state = await handshake(
    deps,
    { chainId, initialHeight, time, params: consensusParams, validators, appHash: EMPTY, appStateBytes },
    verifier,
  );
  return { state, blocks: blockStore, states, evidence };
}

function recordedHandshake(genesisResponse: Uint8Array): Pick<Application, 'info' | 'initChain'> {
  const told = defined(
    exchanges.find(({ call }) => call === 'info'),
    'the info of the handshake',
  );
  return { info: () => infoResponse(told.response), initChain: () => initChainResponse(genesisResponse) };
}

test('as many bytes are left for transactions as CometBFT leaves, but for the framing of evidence', () => {
  const { consensusParams, validators } = genesis().request;
  let withEvidence = 0;
  for (const { request } of byHeight('prepare-proposal').filter((each) => each.request.height > 1n)) {
    const recorded = blocks.find(({ height }) => height === request.height);
    const { evidence } = readBack(defined(recorded, `the block that was proposed at height ${request.height}`));
    expect(evidence).toHaveLength(request.misbehavior.length);
    const fewer = request.maxTxBytes - maxTxBytes(consensusParams, evidence, validators.length);
    // CometBFT counts the exact framing of the evidence, this program its upper bound: a proposer's own choice.
    expect(fewer).toBeGreaterThanOrEqual(0);
    expect(fewer).toBeLessThanOrEqual(8 * evidence.length);
    withEvidence += evidence.length;
  }
  expect(withEvidence).toBeGreaterThan(0);
});

/** Says what the recorded validator said: its verdicts are its own. */
function recordedDuties(recorded: readonly Exchange[]): Duties {
  const said = new Map<bigint, Uint8Array>();
  for (const { request, response } of recorded)
    if (request.kind === 'extend-vote') said.set(request.request.height, extensionIn(response));
  return { extension: (height) => said.get(height) ?? EMPTY };
}

/** Puts recorded requests to a new application; between two runs its process ends without notice. */
async function replay(recorded: readonly (readonly Exchange[])[]): Promise<readonly (readonly Uint8Array[])[]> {
  const kv = new MemoryKv();
  const duties = recordedDuties(recorded.flat());
  const answers: Uint8Array[][] = [];
  for (const run of recorded) {
    const app = await openApplication({}, { kv, verifier, duties, logger: silentLogger });
    const given: Uint8Array[] = [];
    for (const { request } of run)
      given.push(withoutLength(encodeResponse(await dispatch(app, silentLogger, request))));
    answers.push(given);
  }
  return answers;
}

test('the application answers every recorded request as it did then, and all validators alike', async () => {
  const mine = await replay(runs.map((run) => run.exchanges));
  for (const [i, { name, exchanges: run }] of runs.entries())
    for (const [j, { call, response }] of run.entries())
      expect([name, j, call, lasting(mine[i]?.[j] ?? EMPTY)]).toEqual([name, j, call, lasting(response)]);

  const others = await replay([other]);
  const decisions = (recorded: readonly Exchange[], answers: readonly Uint8Array[]) =>
    recorded.flatMap(({ call }, i) => (call === 'finalize-block' ? [toHex(answers[i] ?? EMPTY)] : []));
  const first = decisions(exchanges, mine.flat());
  expect(first).toHaveLength(blocks.length);
  // State roots, results, gas and events: byte for byte.
  expect(decisions(other, others.flat())).toEqual(first);
});

function withoutLength(delimited: Uint8Array): Uint8Array {
  const end = delimited.findIndex((byte) => byte < 128);
  return delimited.subarray(end + 1);
}
