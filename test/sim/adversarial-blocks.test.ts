/**
 * What blocks may hold and what applications may answer, met at running validators: a block that breaks a limit is voted
 * down, an application that does stops its own node with the reason, and the others go on.
 */
import { describe, expect, test } from 'vitest';
import { extendedCommitInfo } from '#consensus/block-rules.ts';
import { encodePeerMessage } from '#consensus/messages.ts';
import type { FinalizeBlockResponse } from '#core/abci.ts';
import { concat, utf8 } from '#core/bytes.ts';
import { accountAddress } from '#core/crypto/keys.ts';
import { pureVerifier } from '#core/crypto/verify.ts';
import { LIMITS } from '#core/limits.ts';
import { noDuties } from '#core/ports/duties.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toHeight } from '#core/types/brand.ts';
import { DEFAULT_CONSENSUS_PARAMS } from '#core/types/consensus-params.ts';
import type { DuplicateVoteEvidence } from '#core/types/evidence.ts';
import { fromMillis } from '#core/types/timestamp.ts';
import type { ValidatorUpdate } from '#core/types/validator-set.ts';
import { PREVOTE } from '#core/types/vote.ts';
import { formatAddress } from '#runtime/address.ts';
import { openApplication } from '#runtime/app.ts';
import { encodeInjection, INJECTION_MAGIC } from '#runtime/modules/poi/injection.ts';
import { testKey } from '#runtime/test-chain.ts';
import { buildTx } from '#runtime/tx/build.ts';
import { decides, honestBlock, propose, SOME_ID } from '../support/hostile.ts';
import { CHAIN_ID, type MiniNet, type MiniNetOptions, openMiniNet } from '../support/mini-net.ts';
import { SimKeys } from './keys.ts';
import { EPOCH_MS } from './node.ts';

/** The played validator proposes this; the others vote it down and say why. */
async function votedDown(
  net: MiniNet,
  block: { readonly encoded: Uint8Array; readonly hash: Uint8Array },
  reason: RegExp,
): Promise<void> {
  const { height } = net.node('n0').executor.state;
  await propose(net, block.encoded, block.hash);
  expect(await decides(net, height, block.hash)).toBe(false);
  for (const id of ['n0', 'n1', 'n2'])
    expect(net.reasons.filter((text) => text.startsWith(`${id}: `)).join()).toMatch(reason);
  net.reasons.length = 0;
}

describe('size', () => {
  const params = {
    block: { maxBytes: 100_000n, maxGas: -1n },
    evidence: { ...DEFAULT_CONSENSUS_PARAMS.evidence, maxBytes: 10_000n },
  };

  test('Limit: a received block over max bytes', async () => {
    const net = await openMiniNet({ params });
    await net.playedTurn();
    // Two parts, as many as the limit permits; together they have too many bytes.
    await votedDown(
      net,
      honestBlock(net, { txs: [new Uint8Array(110_000).fill(32)] }),
      /bytes exceed the limit of 100000/,
    );
    // Three parts: not even collected.
    await net.playedTurn(net.node('n0').executor.state.height);
    const { height } = net.node('n0').executor.state;
    const large = honestBlock(net, { txs: [new Uint8Array(150_000).fill(32)] });
    await propose(net, large.encoded, large.hash);
    for (const { executor } of net.nodes.values()) expect(executor.state.collected).toBeUndefined();
    expect(await decides(net, height, large.hash)).toBe(false);
    // One that just fits.
    await net.playedTurn(net.node('n0').executor.state.height);
    const turn = net.node('n0').executor.state.height;
    const fits = honestBlock(net, { txs: [new Uint8Array(98_000).fill(32)] });
    await propose(net, fits.encoded, fits.hash);
    expect(await decides(net, turn, fits.hash)).toBe(true);
  });

  test('Limit: an own block over max bytes stops the node whose application prepared it', async () => {
    const net = await openMiniNet({
      params,
      wrapApp: (id, app) => (id === 'n0' ? { ...app, prepareProposal: () => [new Uint8Array(100_000).fill(32)] } : app),
    });
    await net.join('n3', 3);
    await net.until('the application has prepared it', () => net.failures.length > 0);
    expect(String(net.failures.splice(0)[0])).toMatch(/answered 100004 bytes of transactions, expected at most \d+/);
    await net.goesOn(5n, ['n1', 'n2', 'n3']);
  });
});

/** The real application at every node, with accounts 1 … 3. */
async function realNet(options: Partial<MiniNetOptions> & { readonly maxGas?: bigint } = {}) {
  const address = (n: number) => formatAddress({ bech32Prefix: 'auton' }, accountAddress(testKey(n).publicKey));
  const appState = {
    chain: { bech32_prefix: 'auton', base_denom: 'uauton' },
    auth: {
      accounts: [1, 2, 3].map((n) => ({
        '@type': '/cosmos.auth.v1beta1.BaseAccount',
        address: address(n),
        pub_key: null,
        account_number: String(n - 1),
        sequence: '0',
      })),
    },
    bank: {
      balances: [1, 2, 3].map((n) => ({ address: address(n), coins: [{ denom: 'uauton', amount: '1000000' }] })),
    },
  };
  const keys = new SimKeys();
  for (let i = 0; i < 4; i++) keys.make(i);
  const verifier = { ed25519: keys.verifier.ed25519, secp256k1: pureVerifier.secp256k1 };
  const apps = new Map(
    await Promise.all(
      ['n0', 'n1', 'n2'].map(async (id) => {
        const deps = { kv: new MemoryKv(), verifier, duties: noDuties, logger: silentLogger };
        return [id, await openApplication({}, deps)] as const;
      }),
    ),
  );
  const { maxGas, ...rest } = options;
  return openMiniNet({
    appState: utf8(JSON.stringify(appState)),
    params: { block: { maxBytes: 4_194_304n, maxGas: maxGas ?? -1n } },
    wrapApp: (id, app) => apps.get(id) ?? app,
    ...rest,
  });
}

/** One that says nothing but has a gas limit, of account `n`. */
function gasTx(n: number, gasLimit: bigint): Uint8Array {
  const plan = { messages: [], fee: [{ denom: 'uauton', amount: 1_000n }], gasLimit };
  return buildTx(plan, CHAIN_ID, [{ key: testKey(n), accountNumber: BigInt(n - 1), sequence: 0n }]);
}

describe('gas', () => {
  const txs = [1, 2, 3].map((n) => gasTx(n, 200_000n));

  test('Limit: a received block over max gas', async () => {
    const net = await realNet({ maxGas: 500_000n });
    await net.playedTurn();
    await votedDown(net, honestBlock(net, { bare: true, txs }), /gas limits add up to more than the block's 500000/);
    await net.playedTurn(net.node('n0').executor.state.height);
    const { height } = net.node('n0').executor.state;
    const fits = honestBlock(net, { bare: true, txs: txs.slice(0, 2) });
    await propose(net, fits.encoded, fits.hash);
    expect(await decides(net, height, fits.hash)).toBe(true);
  });

  test('Limit: an own block over max gas is never proposed, whatever the mempool hands out', async () => {
    const source = { reap: () => txs, isEmpty: () => false, update: async () => {} };
    const net = await realNet({ maxGas: 500_000n, txs: source });
    const top = await net.goesOn(6n);
    const counts: number[] = [];
    for (let height = 1n; height <= top; height++) counts.push(net.node('n0').blocks.block(height)?.txs.length ?? 0);
    expect(Math.max(...counts)).toBeLessThanOrEqual(2);
  });
});

test('Adversarial 9: a proposer that forges voting power in the injected extensions (ASA-2024-006)', async () => {
  const net = await realNet({ extensionsFrom: 1n });
  const turn = async () => {
    await net.playedTurn(net.node('n0').executor.state.height);
    const { chain } = net.node('n0').executor.state;
    return extendedCommitInfo(net.node('n0').blocks.seenCommit(chain.lastBlockHeight), chain.lastValidators);
  };
  const blockWith = (info: Awaited<ReturnType<typeof turn>>) =>
    honestBlock(net, { bare: true, txs: [concat(INJECTION_MAGIC, encodeInjection(info))] });
  await net.goesOn(1n);
  const forgeries: readonly (readonly [RegExp, (info: Awaited<ReturnType<typeof turn>>) => typeof info])[] = [
    [
      /power 1000, the last commit has 10/,
      (info) => ({
        ...info,
        votes: info.votes.map((vote) => ({ ...vote, validator: { ...vote.validator, power: 1_000n } })),
      }),
    ],
    [/validator [0-9a-f]{40}, the last commit has/, (info) => ({ ...info, votes: info.votes.toReversed() })],
    [/votes, the last commit has 4/, (info) => ({ ...info, votes: [...info.votes, ...info.votes.slice(0, 1)] })],
  ];
  for (const [reason, forge] of forgeries) await votedDown(net, blockWith(forge(await turn())), reason);
  // What it heard, as it heard it.
  const honest = blockWith(await turn());
  const { height } = net.node('n0').executor.state;
  await propose(net, honest.encoded, honest.hash);
  expect(await decides(net, height, honest.hash)).toBe(true);
});

/** Evidence that the played validator makes against itself, at the height that begins. */
async function crime(net: MiniNet): Promise<DuplicateVoteEvidence> {
  const height = await net.playedTurn(net.node('n0').executor.state.height);
  const [voteA, voteB] = [NIL_BLOCK_ID, SOME_ID].map((blockId) => net.vote({ type: PREVOTE, blockId }));
  if (voteA === undefined || voteB === undefined) throw new Error('two votes');
  await net.goesOn(1n);
  const timestamp = net.node('n0').blocks.meta(height)?.header.time ?? fromMillis(EPOCH_MS);
  return { kind: 'duplicate-vote', voteA, voteB, totalVotingPower: 40n, validatorPower: 10n, timestamp };
}

describe('evidence', () => {
  const evidenceParams = { maxAgeNumBlocks: 4n, maxAgeNanos: 1n, maxBytes: 10_000n };

  test('Limit: expired evidence, from a peer and in a block', async () => {
    const net = await openMiniNet({ params: { evidence: evidenceParams } });
    const evidence = await crime(net);
    await net.goesOn(6n);
    // Whoever tells of it may only be slow: nobody is blamed.
    for (const verdict of await net.attack({ kind: 'evidence', evidence })) expect(verdict.kind).toBe('ignore');
    await net.playedTurn(net.node('n0').executor.state.height);
    await votedDown(net, honestBlock(net, { evidence: [evidence] }), /evidence\[0\]: .*is too old at height/);
  });

  test('Limit: evidence from the future, from a peer and in a block', async () => {
    const net = await openMiniNet();
    const now = await crime(net);
    for (const height of [5_000n, 2n ** 63n - 1n]) {
      const [voteA, voteB] = [NIL_BLOCK_ID, SOME_ID].map((blockId) =>
        net.vote({ type: PREVOTE, blockId, height: toHeight(height) }),
      );
      if (voteA === undefined || voteB === undefined) throw new Error('two votes');
      const evidence = { ...now, voteA, voteB };
      for (const verdict of await net.attack({ kind: 'evidence', evidence })) expect(verdict.kind).toBe('ignore');
      await net.playedTurn(net.node('n0').executor.state.height);
      await votedDown(
        net,
        honestBlock(net, { evidence: [evidence] }),
        /evidence\[0\]: .*(not committed|nothing is known)/,
      );
    }
  });

  test('Limit: evidence twice in a block, and in two blocks', async () => {
    const net = await openMiniNet();
    const evidence = await crime(net);
    await net.playedTurn(net.node('n0').executor.state.height);
    await votedDown(
      net,
      honestBlock(net, { evidence: [evidence, evidence] }),
      /evidence\[1\]: occurs twice in the block/,
    );
    await net.playedTurn(net.node('n0').executor.state.height);
    const { height } = net.node('n0').executor.state;
    const first = honestBlock(net, { evidence: [evidence] });
    await propose(net, first.encoded, first.hash);
    expect(await decides(net, height, first.hash)).toBe(true);
    await net.playedTurn(net.node('n0').executor.state.height);
    await votedDown(net, honestBlock(net, { evidence: [evidence] }), /already in an earlier block/);
  });

  test('Limit: a block with more evidence than evidence.max_bytes', async () => {
    const net = await openMiniNet({
      params: { evidence: { ...DEFAULT_CONSENSUS_PARAMS.evidence, maxBytes: 300n } },
    });
    const evidence = await crime(net);
    // A validator's own blocks leave it out: it waits.
    for (const verdict of await net.attack({ kind: 'evidence', evidence })) expect(verdict.kind).toBe('ignore');
    const top = await net.goesOn(5n);
    for (let at = 1n; at <= top; at++) expect(net.node('n1').blocks.block(at)?.evidence).toEqual([]);
    await net.playedTurn(net.node('n0').executor.state.height);
    await votedDown(net, honestBlock(net, { evidence: [evidence] }), /evidence: \d+ bytes exceed the limit of 300/);
  });
});

/** n0's application answers FinalizeBlock at height 5 with this; n0 stops with the reason, the others go on. */
async function stopsAlone(change: (net: MiniNet) => Partial<FinalizeBlockResponse>, reason: RegExp): Promise<void> {
  let bend: Partial<FinalizeBlockResponse> = {};
  const net = await openMiniNet({
    wrapApp: (id, app) =>
      id !== 'n0'
        ? app
        : {
            ...app,
            finalizeBlock: (request) => ({ ...app.finalizeBlock(request), ...(request.height === 5n ? bend : {}) }),
          },
  });
  bend = change(net);
  await net.join('n3', 3);
  await net.until('height 5', () => net.node('n1').blocks.height >= 6n);
  expect(net.failures.map(String).join()).toMatch(reason);
  expect(net.failures).toHaveLength(1);
  net.failures.length = 0;
  await net.goesOn(3n, ['n1', 'n2', 'n3']);
}

describe('validator updates', () => {
  const all = (net: MiniNet, power: bigint): ValidatorUpdate[] =>
    net.validators.map(({ publicKey }) => ({ publicKey, power }));
  const one = (net: MiniNet, power: bigint): ValidatorUpdate => ({ publicKey: net.played.publicKey, power });

  test.each<[string, (net: MiniNet) => ValidatorUpdate[], RegExp]>([
    ['Limit: zero-power sets', (net) => all(net, 0n), /the changes would leave no validator/],
    [
      'Limit: total power overflow, 2^60 - 1 in all',
      (net) => all(net, LIMITS.maxTotalVotingPower),
      /total voting power would exceed 1152921504606846975/,
    ],
    [
      'Limit: one power beyond the total',
      (net) => [one(net, LIMITS.maxTotalVotingPower + 1n)],
      /power \d+ exceeds 1152921504606846975/,
    ],
    ['Limit: a negative power', (net) => [one(net, -1n)], /power -1 is negative/],
    ['Limit: duplicate validators', (net) => [one(net, 5n), one(net, 6n)], /is changed twice/],
    [
      'Limit: removal of who is no validator',
      (net) => [{ publicKey: net.keys.make(99).publicKey, power: 0n }],
      /is removed but not in the set/,
    ],
    [
      'Limit: a key of a type that is not permitted',
      (net) => [{ publicKey: { type: 'secp256k1', bytes: new Uint8Array(33).fill(2) }, power: one(net, 1n).power }],
      /key type secp256k1 is not among ed25519/,
    ],
  ])('%s', async (_name, updates, reason) => {
    await stopsAlone((net) => ({ validatorUpdates: updates(net) }), reason);
  });

  test('Limit: the largest total power there is', async () => {
    const rest = LIMITS.maxTotalVotingPower - 30n;
    const net = await openMiniNet({
      wrapApp: (_id, app) => ({
        ...app,
        finalizeBlock: (request) => ({
          ...app.finalizeBlock(request),
          validatorUpdates: request.height === 3n ? [{ publicKey: new SimKeys().make(0).publicKey, power: rest }] : [],
        }),
      }),
    });
    await net.goesOn(10n);
    expect(net.node('n0').executor.state.chain.validators.totalPower).toBe(LIMITS.maxTotalVotingPower);
  });
});

describe('parameter updates', () => {
  const extensions = (from: bigint) => () => ({
    consensusParamUpdates: { abci: { voteExtensionsEnableHeight: from } },
  });

  test('Adversarial 8: an application that enables vote extensions in the past stops its node, not the network', () =>
    stopsAlone(extensions(2n), /vote_extensions_enable_height: expected above the height 5, got 2/));

  test('Adversarial 8: an application that enables vote extensions now stops its node, not the network', () =>
    stopsAlone(extensions(5n), /vote_extensions_enable_height: expected above the height 5, got 5/));

  test('Adversarial 8: the height of vote extensions unchanged is no change', async () => {
    const net = await openMiniNet({
      extensionsFrom: 2n,
      wrapApp: (_id, app) => ({
        ...app,
        finalizeBlock: (request) => ({ ...app.finalizeBlock(request), ...extensions(2n)() }),
      }),
    });
    await net.goesOn(8n);
  });

  test('Limit: parameters out of range stop the node whose application sets them', () =>
    stopsAlone(
      () => ({ consensusParamUpdates: { block: { maxBytes: BigInt(LIMITS.maxBlockBytes) + 1n, maxGas: -1n } } }),
      /block\.max_bytes: expected −1 or 1 … 104857600, got 104857601/,
    ));
});

test('Limit: an evidence message that is not what it says', async () => {
  const net = await openMiniNet();
  const evidence = await crime(net);
  const swapped = { ...evidence, voteA: evidence.voteB, voteB: evidence.voteA };
  const same = { ...evidence, voteB: evidence.voteA };
  for (const [bent, reason] of [
    [swapped, /expected the lesser block id first/],
    [same, /the votes do not contradict each other/],
  ] as const)
    for (const verdict of await net.attack(encodePeerMessage({ kind: 'evidence', evidence: bent })))
      expect(verdict.kind === 'reject' ? verdict.reason : verdict.kind).toMatch(reason);
  await net.goesOn();
});
