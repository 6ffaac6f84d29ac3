/**
 * What transactions of many kinds, good and bad, cost and answer, recorded once: code, gas, the whole result with its
 * events, what a proposal keeps, and the app hash after each block. Gas is a price and results are hashed: neither may
 * change by how the work is done. Where a rule is changed on purpose, the table is recorded anew (the test prints it).
 */
import { expect, test } from 'vitest';
import type { ExecTxResult } from '#core/abci.ts';
import { defined } from '#core/assert.ts';
import { toHex, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { toRound } from '#core/types/brand.ts';
import { TEST_CHAIN_ID, testKey } from '../test-chain.ts';
import { buildTx } from './build.ts';
import { alice, MIXED_BLOCKS, rawTx, startMixedChain } from './mixed-txs.test-util.ts';

/** Digests are short: what they are compared with was recorded, nobody searches for collisions. */
function digest(value: unknown): string {
  const text = JSON.stringify(value, (_, part: unknown) =>
    typeof part === 'bigint' ? `${part}n` : part instanceof Uint8Array ? toHex(part) : part,
  );
  return toHex(sha256(utf8(text))).slice(0, 12);
}

/** All of a result: its events are decoded when they are asked for. */
function whole(result: ExecTxResult): ExecTxResult {
  const { code, codespace, data, log, info, gasWanted, gasUsed, events } = result;
  return { code, codespace, data, log, info, gasWanted, gasUsed, events };
}

test('results, gas, events, proposals and app hashes of many kinds of transactions are what they were', async () => {
  const chain = await startMixedChain();
  const seen: Record<string, string> = {};
  for (const [height, make] of MIXED_BLOCKS.entries()) {
    const block = make(chain);
    const txs = block.map(([, tx]) => tx);
    const request = chain.request(txs);
    const { decidedLastCommit, ...context } = request;
    const localLastCommit = { round: toRound(0), votes: [] };
    for (const [name, tx] of block) {
      const trial = chain.app.tryTx(tx);
      const checked = await chain.app.checkTx({ tx, type: 'new' });
      seen[`${name}: check`] = `${checked.code} ${checked.gasUsed} ${digest([trial, checked])}`;
    }
    const prepared = chain.app.prepareProposal({ ...context, maxTxBytes: 1_000_000, localLastCommit });
    const judged = chain.app.processProposal({ ...context, txs, proposedLastCommit: decidedLastCommit });
    seen[`block ${height}: proposal`] = `${prepared.length} ${digest([prepared, judged])}`;
    const response = chain.app.finalizeBlock(request);
    for (const [i, [name]] of block.entries()) {
      const result = whole(defined(response.txResults[i], 'the result of a transaction'));
      seen[name] = `${result.code} ${result.gasUsed} ${digest(result)}`;
    }
    seen[`block ${height}: events`] = digest([response.events, response.validatorUpdates]);
    seen[`block ${height}: app hash`] = toHex(response.appHash);
    await chain.app.commit();
  }
  expect(chain.app.brokenInvariants()).toEqual([]);
  expect(seen).toEqual(PINNED);
});

test('with any gas limit a transaction runs out of gas at the same place', async () => {
  const chain = await startMixedChain();
  const state: string[] = [];
  const plan = {
    messages: [chain.send(alice, chain.address(testKey(50)), 7n)],
    fee: [{ denom: 'uauton', amount: 1_000n }],
  };
  // With little gas nothing is written, and the signature is of no account.
  for (let gasLimit = 250n; gasLimit < 60_000n; gasLimit += 250n) {
    const tx = rawTx(plan.messages, { gasLimit });
    const { code, log, gasUsed } = await chain.app.checkTx({ tx, type: 'recheck' });
    state.push(`${gasLimit} ${code} ${gasUsed} ${log}`);
    if (code === 0) break;
  }
  const delivered: string[] = [];
  for (let gasLimit = 48_000n, sequence = 0n; gasLimit < 90_000n; gasLimit += 1_000n) {
    const tx = buildTx({ ...plan, gasLimit }, TEST_CHAIN_ID, [{ key: alice, accountNumber: 0n, sequence }]);
    const { code, log, gasUsed, events } = await chain.deliver(tx);
    if (events.length > 0) sequence++;
    delivered.push(`${gasLimit} ${code} ${gasUsed} ${log} ${events.length}`);
  }
  expect([state.length, state.at(-1), digest(state)]).toEqual(PINNED_ANTE_GAS);
  expect([delivered.at(0), delivered.at(-1), digest(delivered)]).toEqual(PINNED_GAS);
});

/** `code gas digest-of-the-result`, by name. */
const PINNED: Record<string, string> = {
  'wrong sequence: check': '32 42537 28e4d4fdaa79',
  'wrong account number: check': '4 42517 48997775219e',
  'another key: check': '8 41517 4267e76378bb',
  'zeros for a signature: check': '4 42517 48997775219e',
  'funds for the fee: check': '5 29484 c10875b67b3a',
  'a fee in what is no fee: check': '13 26152 5395a4064530',
  'unsorted fee: check': '13 26272 8ac567eb716a',
  'absent sender: check': '9 27235 dad51544af3f',
  'memo: check': '12 1042 9a70db7f600f',
  'timeout: check': '30 1042 a965b682bf63',
  'no gas: check': '41 0 e9d3895dd7ef',
  'little gas: check': '11 1000 ff035493d461',
  'too much gas: check': '18 0 7582e2fe974a',
  'no message: check': '18 0 c6b06510912b',
  'unknown message: check': '2 0 ac883ddfcaba',
  'recipient that is no address: check': '7 0 c1e5c3a7c0cd',
  'recipient of another chain: check': '4 0 6524060d6eb9',
  'zero amount: check': '10 0 146059545750',
  'sent by a module: check': '4 0 a5b27d9a73fd',
  'granter without a grant: check': '38 27768 f6407a0358fe',
  'granter that is no address: check': '7 26252 c76fc12c1e56',
  'critical unknown field: check': '2 0 3c6a5e13727c',
  'unknown field of auth_info: check': '2 0 472f9cff892e',
  'an unknown sign mode: check': '37 42517 30196d6740f7',
  'no mode: check': '24 41457 fb9e2b3995b0',
  'garbage: check': '2 0 d29947715a09',
  'nothing: check': '13 0 14e192305db4',
  'a fee below the price: check': '13 26162 86789a37742c',
  'no fee: check': '13 26032 ed19ab9c77af',
  'block 0: proposal': '2 47340166f40c',
  'wrong sequence': '32 42537 57eae99c9bb3',
  'wrong account number': '4 42517 17229f2f2d17',
  'another key': '8 41517 4d218c10b02c',
  'zeros for a signature': '4 42517 17229f2f2d17',
  'funds for the fee': '5 29484 1822d4ff833f',
  'a fee in what is no fee': '5 31407 bce7fde0b509',
  'unsorted fee': '13 26272 85e552a59f5a',
  'absent sender': '9 27235 f6bf941c3720',
  memo: '12 1042 1a922818278b',
  timeout: '30 1042 b7c1c2a24ddc',
  'no gas': '41 0 2494548a544d',
  'little gas': '11 1000 3f2ac5a9650e',
  'too much gas': '18 0 271973f9a7f9',
  'no message': '18 0 c0d383755765',
  'unknown message': '2 0 0306649dd237',
  'recipient that is no address': '7 0 7e787b748ce3',
  'recipient of another chain': '4 0 f3bad3bc182e',
  'zero amount': '10 0 4d9ac5d6b80f',
  'sent by a module': '4 0 088c1f048354',
  'granter without a grant': '38 27768 8911d1deabca',
  'granter that is no address': '7 26252 7f2b55759bdd',
  'critical unknown field': '2 0 b92681e1205d',
  'unknown field of auth_info': '2 0 8c3da95066e9',
  'an unknown sign mode': '37 42517 ffb42d7bb899',
  'no mode': '24 41457 a2d0311b4c2a',
  garbage: '2 0 d28e14575679',
  nothing: '13 0 3376a9a23ed0',
  'a fee below the price': '0 61255 d2698f4131cd',
  'no fee': '0 48392 7ffcf9829821',
  'block 0: events': '643d54371042',
  'block 0: app hash': 'f0327dfa4c0bdb2a2ee3c23e7ffcbcb5d0ad871687280e300a4dc1cb0f636a63',
  'send: check': '0 45249 a4de96baa93e',
  'the same again: check': '32 40342 e9f07727e425',
  'send to a new account, with a memo: check': '0 45302 6d074981d401',
  'send to oneself: check': '0 45252 e2774999d643',
  'two sends: check': '0 46652 e882715315a5',
  'two sends, the second too much: check': '0 46742 266fc095dd2c',
  'send to a module: check': '0 45252 b6249bbb5a13',
  'out of gas in the message: check': '0 45252 0144c4940e8c',
  'multi-send: check': '0 46362 e60ba4dbf516',
  'amino, with a non-critical field, which amino cannot show: check': '37 40382 bfd86a671578',
  'amino: check': '0 45252 81b402093fdc',
  'direct, with a non-critical field, without a key: check': '0 44602 a00a8b5dfbf4',
  'two signers and a payer: check': '0 76707 d81dd4308829',
  'all that is there: check': '0 44760 9ccea1d8a506',
  'block 1: proposal': '12 d9a1f9289c47',
  send: '0 59117 8820001eb4cf',
  'the same again': '32 40342 76db8d2682f4',
  'send to a new account, with a memo': '0 72738 a14303711d3f',
  'send to oneself': '0 59303 137e79f710be',
  'two sends': '0 74388 75519eabeadd',
  'two sends, the second too much': '5 66114 d322610e18bf',
  'send to a module': '4 48399 65d192d6150e',
  'out of gas in the message': '11 54866 e34688e67870',
  'multi-send': '0 92968 0a109386adb9',
  'amino, with a non-critical field, which amino cannot show': '37 40382 28a7b2b89ab5',
  amino: '0 59120 7425841d178e',
  'direct, with a non-critical field, without a key': '0 58470 14b4daadda16',
  'two signers and a payer': '0 104893 0938e315e1d4',
  'all that is there': '0 57746 bd9369142767',
  'block 1: events': '643d54371042',
  'block 1: app hash': 'e4db14f7d68acf7c7beada187a010c7f9a7b2f0f7396d50c5115faebda25ffb0',
  'grant of an allowance: check': '0 45915 c447e9132c56',
  'grant of a message: check': '0 46065 ec568e898500',
  'vesting account: check': '0 45595 d32e73bd2f32',
  'coins for the group: check': '0 45325 2f2fae814828',
  'coins for the vesting account: check': '0 45315 1ad71487e726',
  'block 2: proposal': '5 38c3409b5f98',
  'grant of an allowance': '0 56718 d8e026ee12b1',
  'grant of a message': '0 64085 5dbb82597fed',
  'vesting account': '0 78041 833b6bffe4b3',
  'coins for the group': '0 72881 0f9c0ab3dcfb',
  'coins for the vesting account': '0 59192 8f5015656186',
  'block 2: events': '643d54371042',
  'block 2: app hash': '0e963ffca90671a9e98630c47b4cd13494d5328a0e76174df4e9163bff41e256',
  'fee by an allowance, nothing to send: check': '0 52190 fce1d9116e69',
  'fee beyond the allowance: check': '2 27968 18e73613a776',
  'exec of a send: check': '0 46236 92f1cc3fa149',
  'exec of what was not granted: check': '0 46226 f847502db1ca',
  'exec of an exec of what is wrong: check': '10 0 146059545750',
  'send of coins that vest: check': '0 46065 713b97423169',
  'send of coins that do not: check': '0 46721 df8aa1823f39',
  'group: check': '0 54435 248d8a4ebede',
  'group with a wrong signature: check': '4 46053 b7eada02485a',
  'block 3: proposal': '6 de00a9a33a0b',
  'fee by an allowance, nothing to send': '5 57895 3c0c67af624f',
  'fee beyond the allowance': '2 27968 172220983089',
  'exec of a send': '0 61797 8ada98986fa5',
  'exec of what was not granted': '2 47439 9bb90c3b437a',
  'exec of an exec of what is wrong': '10 0 4d9ac5d6b80f',
  'send of coins that vest': '5 51899 44852d69576d',
  'send of coins that do not': '0 60859 b46185c0d454',
  group: '0 68951 71d0217d9bc5',
  'group with a wrong signature': '4 46053 5a849e65b5e0',
  'block 3: events': '643d54371042',
  'block 3: app hash': 'a9262292e635174bdca21ba09d5840d6129213ac65aad128aa6db853aca38dbd',
};

/** Steps, the last of them, and the digest of all. */
const PINNED_ANTE_GAS = [190, '47500 0 47427 ', '74f8dc597272'];
const PINNED_GAS = [
  '48000 11 48427 out of gas in location: ReadFlat; gasWanted: 48000, gasUsed: 48427: out of gas 7',
  '89000 0 58922  12',
  '4184ca37e1ca',
];
