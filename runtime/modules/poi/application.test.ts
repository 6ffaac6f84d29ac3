/** The injection through the application's own calls: CheckTx, proposals, blocks. */
import { ed25519 } from '@noble/curves/ed25519.js';
import { expect, test } from 'vitest';
import type { ExtendedCommitInfo, PrepareProposalRequest } from '#core/abci.ts';
import { concat, EMPTY, toHex } from '#core/bytes.ts';
import { consensusAddress } from '#core/crypto/pubkey.ts';
import { encodeExtension } from '#core/poi/formats.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { FLAG_COMMIT } from '#core/types/commit.ts';
import { voteExtensionSignBytes } from '#core/types/vote.ts';
import { MsgRegisterModelSchema } from '#proto/gen/autonomy/models/v1/tx_pb.ts';
import { pack } from '#proto/message.ts';
import { commitInfoOf, testValidators } from '#test/support/poi-chain.ts';
import { component, guest } from '#test/vm/wat.ts';
import { startTestChain, TEST_CHAIN_ID, type TestChain, testKey } from '../../test-chain.ts';
import { encodeInjection, INJECTION_MAGIC } from './injection.ts';

const validators = testValidators([10n, 10n, 10n]);
const alice = testKey(1);

async function start(): Promise<TestChain> {
  const chain = await startTestChain({
    extensionsFrom: 1n,
    validators: validators.map(({ publicKey, power }) => ({ publicKey, power })),
  });
  await chain.block();
  return chain;
}

/** Every validator's precommit for the newest block, with this extension. */
function commitOf(chain: TestChain, extension: Uint8Array = EMPTY): ExtendedCommitInfo {
  const height = chain.app.info().lastBlockHeight;
  const signed = voteExtensionSignBytes(TEST_CHAIN_ID, { height, round: 0, extension });
  return {
    round: toRound(0),
    votes: validators.map(({ publicKey, power, secret }) => ({
      validator: { address: consensusAddress(publicKey), power },
      flag: FLAG_COMMIT,
      extension,
      extensionSignature: ed25519.sign(signed, secret),
    })),
  };
}

function prepare(chain: TestChain, change: Partial<PrepareProposalRequest> = {}): readonly Uint8Array[] {
  const { decidedLastCommit: _, hash: __, ...request } = chain.request([]);
  return chain.app.prepareProposal({
    ...request,
    maxTxBytes: 1_000_000,
    txs: [],
    localLastCommit: commitOf(chain),
    ...change,
  });
}

function judge(chain: TestChain, txs: readonly Uint8Array[], commit = commitOf(chain)): string {
  const { decidedLastCommit: _, ...request } = chain.request(txs);
  const answer = chain.app.processProposal({ ...request, proposedLastCommit: commitInfoOf(commit) });
  return answer.accept ? 'accepted' : answer.reason;
}

test('no transaction of the mempool is an injection', async () => {
  const chain = await start();
  for (const tx of [INJECTION_MAGIC, concat(INJECTION_MAGIC, encodeInjection(commitOf(chain)))])
    for (const type of ['new', 'recheck'] as const)
      expect(await chain.app.checkTx({ tx, type })).toMatchObject({ codespace: 'sdk', code: 2 });
});

test('the proposer puts it first, and takes nothing from the mempool that looks like one', async () => {
  const chain = await start();
  const send = chain.sign(alice, { messages: [chain.send(alice, chain.address(testKey(2)), 1n)] });
  const fake = concat(INJECTION_MAGIC, encodeInjection(commitOf(chain)));
  const txs = prepare(chain, { txs: [fake, send] });
  expect(txs.map(toHex)).toEqual([toHex(fake), toHex(send)]);
  expect(judge(chain, txs)).toBe('accepted');
  expect(judge(chain, [send])).toContain('missing');
  expect(judge(chain, [send, ...txs.slice(0, 1)])).toContain('missing');
  expect(judge(chain, [fake, fake])).toContain('transaction 0');
  // What it takes of the block's bytes is not there for transactions.
  expect(prepare(chain, { txs: [send], maxTxBytes: fake.length + 10 }).map(toHex)).toEqual([toHex(fake)]);
});

test('its result has code 0, no gas, and the block tells what did not count', async () => {
  const chain = await start();
  const extension = encodeExtension({ commitments: [{ job: 9n, hash: new Uint8Array(32) }], openings: [] });
  const commit = commitOf(chain, extension);
  const txs = prepare(chain, { localLastCommit: commit });
  expect(judge(chain, txs, commit)).toBe('accepted');
  const { txResults, events } = await chain.block(txs);
  expect(txResults.map(({ code, gasUsed, gasWanted }) => [code, gasUsed, gasWanted])).toEqual([[0, 0n, 0n]]);
  expect(events.map(({ type }) => type)).toEqual(Array(3).fill('verdict_ignored'));
  expect(chain.app.brokenInvariants()).toEqual([]);
});

test('the first block has none, and a chain without extensions never does', async () => {
  const chain = await startTestChain({ extensionsFrom: 1n });
  expect(prepare(chain, { localLastCommit: { round: toRound(0), votes: [] } })).toEqual([]);
  const without = await startTestChain({
    validators: validators.map(({ publicKey, power }) => ({ publicKey, power })),
  });
  await without.block();
  expect(prepare(without)).toEqual([]);
  expect(judge(without, [])).toBe('accepted');
  expect(judge(without, [concat(INJECTION_MAGIC, encodeInjection(commitOf(without)))])).toContain('expected none');
});

test('extensions are judged the same before and after a block', async () => {
  const chain = await start();
  const good = encodeExtension({ commitments: [{ job: 9n, hash: new Uint8Array(32) }], openings: [] });
  const ask = (extension: Uint8Array) =>
    chain.app.verifyVoteExtension({
      hash: EMPTY,
      validatorAddress: consensusAddress(validators[0]?.publicKey ?? { type: 'ed25519', bytes: EMPTY }),
      height: toHeight(5n),
      extension,
    });
  const verdicts = () => [ask(good), ask(EMPTY), ask(good.subarray(1)), ask(new Uint8Array(20_000))];
  expect(verdicts()).toEqual([true, true, false, false]);
  await chain.block();
  expect(verdicts()).toEqual([true, true, false, false]);
});

test('a broken component costs its fee and sequence and leaves nothing else', async () => {
  const chain = await start();
  const message = (bytes: Uint8Array) =>
    pack(MsgRegisterModelSchema, {
      creator: chain.address(alice),
      name: 'x',
      licence: 'MIT',
      component: bytes,
      price: 1n,
      gasLimitMax: 1n,
    });
  const broken = component(guest()).slice();
  broken[40] = (broken[40] ?? 0) ^ 255;
  const plan = { gasLimit: 1_000_000n, fee: [{ denom: 'uauton', amount: 100_000n }] };
  const before = chain.app.exportGenesis();
  const result = await chain.deliver(chain.sign(alice, { ...plan, messages: [message(broken)] }));
  expect(result.codespace).toBe('models');
  expect(result.code).toBeGreaterThanOrEqual(10);
  const after = chain.app.exportGenesis();
  expect(after.models).toEqual(before.models);
  expect(after.credits).toEqual(before.credits);
  const good = await chain.deliver(chain.sign(alice, { ...plan, messages: [message(component(guest()))] }));
  expect(good).toMatchObject({ code: 0 });
  expect(chain.app.exportGenesis().models).not.toEqual(before.models);
});

test('the state of all modules goes through the application’s export and back', async () => {
  const chain = await start();
  const state = chain.app.exportGenesis();
  for (const module of ['credits', 'models', 'inference', 'poi']) expect(state[module], module).toBeDefined();
  const again = await startTestChain({
    extensionsFrom: 1n,
    validators: validators.map(({ publicKey, power }) => ({ publicKey, power })),
    moduleState: state,
  });
  await again.block();
  expect(again.app.exportGenesis()).toEqual(state);
});
