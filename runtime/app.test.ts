import { expect, test } from 'vitest';
import type { Event } from '#core/abci.ts';
import { EMPTY, toHex } from '#core/bytes.ts';
import { accountAddress } from '#core/crypto/keys.ts';
import { toHeight, toRound } from '#core/types/brand.ts';
import { MsgMultiSendSchema, MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { TxMsgDataSchema } from '#proto/gen/cosmos/base/abci/v1beta1/abci_pb.ts';
import { decodeStrict, pack } from '#proto/message.ts';
import { moduleAddress } from './address.ts';
import { AUTH_STORE, getAccount } from './modules/auth/state.ts';
import { BANK_STORE, balanceOf } from './modules/bank/state.ts';
import { startTestChain, type TestChain, testKey } from './test-chain.ts';
import { buildTx } from './tx/build.ts';

const alice = testKey(1);
const bob = testKey(2);
const stranger = testKey(99);

function balance(chain: TestChain, address: Uint8Array, denom = 'uauton'): bigint {
  const state = chain.app.stateAt(0n)?.state;
  return state === undefined ? 0n : balanceOf(state.store(BANK_STORE), address, denom);
}

function sequenceOf(chain: TestChain, address: Uint8Array): bigint | undefined {
  const state = chain.app.stateAt(0n)?.state;
  return state === undefined ? undefined : getAccount(state.store(AUTH_STORE), address)?.sequence;
}

function attributes(events: readonly Event[], type: string): Record<string, string>[] {
  return events
    .filter((event) => event.type === type)
    .map((event) => Object.fromEntries(event.attributes.map(({ key, value }) => [key, value])));
}

const START = 1_000_000_000n;

test('a send moves coins, pays the fee, raises the sequence', async () => {
  const chain = await startTestChain();
  await chain.block();
  const to = accountAddress(stranger.publicKey);
  const result = await chain.deliver(chain.sign(alice, { messages: [chain.send(alice, chain.address(stranger), 5n)] }));
  expect(result).toMatchObject({ code: 0, codespace: '', log: '', gasWanted: 200_000n });
  expect(result.gasUsed).toBeGreaterThan(40_000n);
  expect(result.gasUsed).toBeLessThan(100_000n);
  expect(balance(chain, accountAddress(alice.publicKey))).toBe(START - 1_005n);
  expect(balance(chain, to)).toBe(5n);
  expect(balance(chain, moduleAddress('fee_collector'))).toBe(1_000n);
  expect(sequenceOf(chain, accountAddress(alice.publicKey))).toBe(1n);
  expect(sequenceOf(chain, to)).toBe(0n);
  const data = decodeStrict(TxMsgDataSchema, result.data);
  expect(data.ok && data.value.msgResponses.map(({ typeUrl }) => typeUrl)).toEqual([
    '/cosmos.bank.v1beta1.MsgSendResponse',
  ]);
  expect(chain.app.brokenInvariants()).toEqual([]);
});

test('events have the shape that wallets and indexers read', async () => {
  const chain = await startTestChain();
  await chain.block();
  const { events } = await chain.deliver(chain.sign(alice, { messages: [chain.send(alice, chain.address(bob), 7n)] }));
  const [from, to] = [chain.address(alice), chain.address(bob)];
  expect(attributes(events, 'tx')).toMatchObject([
    { fee: '1000uauton', fee_payer: from },
    { acc_seq: `${from}/0` },
    { signature: expect.stringMatching(/^[A-Za-z0-9+/]{86}==$/) },
  ]);
  expect(attributes(events, 'transfer').at(-1)).toEqual({
    recipient: to,
    sender: from,
    amount: '7uauton',
    msg_index: '0',
  });
  expect(attributes(events, 'coin_spent').at(-1)).toEqual({ spender: from, amount: '7uauton', msg_index: '0' });
  expect(attributes(events, 'coin_received').at(-1)).toEqual({ receiver: to, amount: '7uauton', msg_index: '0' });
  expect(attributes(events, 'message')).toEqual([
    { sender: from },
    { action: '/cosmos.bank.v1beta1.MsgSend', sender: from, module: 'bank', msg_index: '0' },
    { sender: from, msg_index: '0' },
  ]);
  for (const { attributes: all } of events) for (const { key } of all) expect(key).not.toBe('');
});

test('a transaction whose second message fails changes nothing but fee and sequence', async () => {
  const chain = await startTestChain();
  await chain.block();
  const to = chain.address(bob);
  const result = await chain.deliver(
    chain.sign(alice, { messages: [chain.send(alice, to, 10n), chain.send(alice, to, START)] }),
  );
  expect(result).toMatchObject({ code: 5, codespace: 'sdk', data: EMPTY });
  expect(result.log).toBe(
    `failed to execute message; message index: 1: spendable balance ${START - 1_010n}uauton is smaller than ${START}uauton: insufficient funds`,
  );
  expect(attributes(result.events, 'transfer')).toHaveLength(1);
  expect(balance(chain, accountAddress(alice.publicKey))).toBe(START - 1_000n);
  expect(balance(chain, accountAddress(bob.publicKey))).toBe(START);
  expect(sequenceOf(chain, accountAddress(alice.publicKey))).toBe(1n);
});

test('out of gas in a message keeps fee and sequence; before it, nothing', async () => {
  const chain = await startTestChain();
  await chain.block();
  const messages = [chain.send(alice, chain.address(bob), 10n)];
  const late = await chain.deliver(chain.sign(alice, { messages, gasLimit: 54_000n }));
  expect(late).toMatchObject({ code: 11, codespace: 'sdk', gasWanted: 54_000n });
  expect(late.log).toMatch(/^out of gas in location: \w+; gasWanted: 54000, gasUsed: \d+: out of gas$/);
  expect(balance(chain, accountAddress(alice.publicKey))).toBe(START - 1_000n);
  expect(sequenceOf(chain, accountAddress(alice.publicKey))).toBe(1n);
  const early = await chain.deliver(chain.sign(alice, { messages, gasLimit: 1_000n }));
  expect(early).toMatchObject({ code: 11, codespace: 'sdk' });
  expect(balance(chain, accountAddress(alice.publicKey))).toBe(START - 1_000n);
  expect(sequenceOf(chain, accountAddress(alice.publicKey))).toBe(1n);
});

test('each refusal has its code, says what is wrong, and changes nothing', async () => {
  const chain = await startTestChain();
  await chain.block();
  const before = JSON.stringify(chain.app.exportGenesis());
  const messages = [chain.send(alice, chain.address(bob), 1n)];
  const to = chain.address(bob);
  const plan = { messages, fee: [{ denom: 'uauton', amount: 1_000n }], gasLimit: 200_000n };
  const signed = (changes: object, signer: object = {}) =>
    buildTx({ ...plan, ...changes }, 'test-1', [{ key: alice, accountNumber: 0n, sequence: 0n, ...signer }]);
  const send = (fields: object) =>
    pack(MsgSendSchema, {
      fromAddress: chain.address(alice),
      toAddress: to,
      amount: [{ denom: 'uauton', amount: '1' }],
      ...fields,
    });
  const cases: [string, Uint8Array, number, RegExp][] = [
    [
      'sequence',
      signed({}, { sequence: 3n }),
      32,
      /^account sequence mismatch, expected 0, got 3: incorrect account sequence$/,
    ],
    [
      'account number',
      signed({}, { accountNumber: 9n }),
      4,
      /^signature verification failed; please verify account number \(0\)/,
    ],
    ['chain id', buildTx(plan, 'other', [{ key: alice, accountNumber: 0n, sequence: 0n }]), 4, /chain-id \(test-1\)/],
    ['key', signed({}, { key: bob }), 8, /pubKey does not match signer address/],
    ['funds for the fee', signed({ fee: [{ denom: 'uauton', amount: START + 1n }] }), 5, /insufficient funds$/],
    [
      'absent sender',
      chain.sign(stranger, { messages: [chain.send(stranger, to, 1n)] }),
      9,
      /does not exist: unknown address$/,
    ],
    ['memo', signed({ memo: 'x'.repeat(257) }), 12, /maximum number of characters is 256 but received 257/],
    ['timeout', signed({ timeoutHeight: 1n }), 30, /block height: \d+, timeout height: 1: tx timeout height$/],
    ['no gas', signed({ gasLimit: 0n }), 41, /must provide positive gas/],
    ['no message', signed({ messages: [] }), 18, /at least one message/],
    [
      'unknown message',
      signed({ messages: [{ typeUrl: '/cosmos.bank.v1beta1.MsgBurn', value: EMPTY }] }),
      2,
      /unable to resolve type URL \/cosmos.bank.v1beta1.MsgBurn/,
    ],
    [
      'recipient of another chain',
      signed({ messages: [send({ toAddress: 'cosmos1pkptre7fdkl6gfrzlesjjvhxhlc3r4gmmk8rs6' })] }),
      4,
      /invalid Bech32 prefix; expected auton, got cosmos/,
    ],
    ['recipient that is no address', signed({ messages: [send({ toAddress: 'nobody' })] }), 7, /to_address/],
    [
      'zero amount',
      signed({ messages: [send({ amount: [{ denom: 'uauton', amount: '0' }] })] }),
      10,
      /must be positive/,
    ],
    [
      'negative amount',
      signed({ messages: [send({ amount: [{ denom: 'uauton', amount: '-1' }] })] }),
      10,
      /expected a whole number/,
    ],
    [
      'amount beyond 256 bits',
      signed({ messages: [send({ amount: [{ denom: 'uauton', amount: String(1n << 256n) }] })] }),
      10,
      /exceeds 2\^256/,
    ],
    [
      'unsorted coins',
      signed({
        messages: [send({ amount: ['uauton', 'ucredit', 'uauton'].map((denom) => ({ denom, amount: '1' })) })],
      }),
      10,
      /sorted and unique/,
    ],
    ['garbage', Uint8Array.of(1, 2, 3), 2, /TxRaw/],
    ['nothing', EMPTY, 13, /fee/],
    ['oversized', new Uint8Array(1_048_577), 21, /exceed the limit of 1048576/],
  ];
  for (const [name, tx, code, log] of cases) {
    const checked = await chain.app.checkTx({ tx, type: 'new' });
    expect({ name, code: checked.code, codespace: checked.codespace }).toEqual({ name, code, codespace: 'sdk' });
    expect(checked.log, name).toMatch(log);
    expect((await chain.deliver(tx)).code, name).toBe(code);
  }
  expect(JSON.stringify(chain.app.exportGenesis())).toBe(before);
});

test('funds sent to a module account are refused', async () => {
  const chain = await startTestChain();
  await chain.block();
  const collector = chain.app.table.moduleAccounts.find(({ name }) => name === 'fee_collector');
  expect(collector).toBeDefined();
  const { bech32 } = await import('@scure/base');
  const to = bech32.encode('auton', bech32.toWords(moduleAddress('fee_collector')));
  const result = await chain.deliver(chain.sign(alice, { messages: [chain.send(alice, to, 1n)] }));
  expect(result).toMatchObject({ code: 4, codespace: 'sdk' });
  expect(result.log).toMatch(/is not allowed to receive funds: unauthorized$/);
});

test('multi-send: one input, sums must match', async () => {
  const chain = await startTestChain();
  await chain.block();
  const coins = (amount: bigint) => [{ denom: 'uauton', amount: String(amount) }];
  const multi = (input: bigint, ...outputs: bigint[]) =>
    pack(MsgMultiSendSchema, {
      inputs: [{ address: chain.address(alice), coins: coins(input) }],
      outputs: outputs.map((amount, i) => ({ address: chain.address(testKey(50 + i)), coins: coins(amount) })),
    });
  const good = await chain.deliver(chain.sign(alice, { messages: [multi(10n, 4n, 6n)] }));
  expect(good.code).toBe(0);
  expect(balance(chain, accountAddress(testKey(51).publicKey))).toBe(6n);
  const bad = await chain.deliver(chain.sign(alice, { messages: [multi(10n, 4n, 7n)] }));
  expect(bad).toMatchObject({ code: 4, codespace: 'bank' });
  const none = await chain.deliver(chain.sign(alice, { messages: [multi(10n)] }));
  expect(none).toMatchObject({ code: 3, codespace: 'bank' });
  expect(chain.app.brokenInvariants()).toEqual([]);
});

test('several signers, and a fee payer who signs too', async () => {
  const chain = await startTestChain();
  await chain.block();
  const carol = testKey(3);
  const plan = { fee: [{ denom: 'uauton', amount: 1_000n }], gasLimit: 300_000n };
  const messages = [chain.send(alice, chain.address(carol), 1n), chain.send(bob, chain.address(carol), 2n)];
  const signers = [alice, bob].map((key, i) => ({ key, accountNumber: BigInt(i), sequence: 0n }));
  const both = buildTx({ ...plan, messages }, 'test-1', signers);
  const swapped = buildTx({ ...plan, messages }, 'test-1', signers.toReversed());
  const one = buildTx({ ...plan, messages }, 'test-1', signers.slice(0, 1));
  expect(await chain.deliver(swapped)).toMatchObject({ code: 8 });
  expect(await chain.deliver(one)).toMatchObject({
    code: 4,
    log: 'wrong number of signers; expected 2, got 1: unauthorized',
  });
  expect(await chain.deliver(both)).toMatchObject({ code: 0 });
  expect(balance(chain, accountAddress(alice.publicKey))).toBe(START - 1_001n);
  expect(balance(chain, accountAddress(bob.publicKey))).toBe(START - 2n);
  const payer = { key: carol, accountNumber: 2n, sequence: 0n };
  const sender = { key: alice, accountNumber: 0n, sequence: 1n };
  const send = [chain.send(alice, chain.address(bob), 1n)];
  const paid = buildTx({ ...plan, messages: send, feePayer: chain.address(carol) }, 'test-1', [sender, payer]);
  expect(await chain.deliver(paid)).toMatchObject({ code: 0 });
  expect(balance(chain, accountAddress(carol.publicKey))).toBe(START + 3n - 1_000n);
  expect(balance(chain, accountAddress(alice.publicKey))).toBe(START - 1_002n);
});

test('the mempool may hold several transactions of one sender, in sequence', async () => {
  const chain = await startTestChain();
  await chain.block();
  const messages = [chain.send(alice, chain.address(bob), 1n)];
  const txs = [0n, 1n, 2n].map((ahead) => chain.sign(alice, { messages }, ahead));
  const check = async (i: number, type: 'new' | 'recheck' = 'new') => chain.app.checkTx({ tx: txs[i] ?? EMPTY, type });
  expect((await check(1)).code).toBe(32);
  expect(await check(0)).toMatchObject({ code: 0, sender: chain.address(alice), sequence: 0n, priority: 5_000n });
  expect(await check(1)).toMatchObject({ code: 0, sequence: 1n });
  expect(await check(2)).toMatchObject({ code: 0, sequence: 2n });
  expect((await check(0)).code).toBe(32);
  await chain.block(txs.slice(0, 1));
  expect((await check(0, 'recheck')).code).toBe(32);
  expect((await check(1, 'recheck')).code).toBe(0);
  expect((await check(2, 'recheck')).code).toBe(0);
});

test('a check whose events nobody wants answers without them, and the same otherwise', async () => {
  const [shown, unseen] = [await startTestChain(), await startTestChain()];
  for (const chain of [shown, unseen]) await chain.block();
  const tx = shown.sign(alice, { messages: [shown.send(alice, shown.address(bob), 1n)] });
  const answer = await shown.app.checkTx({ tx, type: 'new' });
  expect(answer.events.map(({ type }) => type)).toContain('tx');
  expect(await unseen.app.checkTx({ tx, type: 'new', withoutEvents: true })).toEqual({ ...answer, events: [] });
  const [one, other] = [await shown.block([tx]), await unseen.block([tx])];
  expect(other).toEqual(one);
});

test('the minimum gas price counts in CheckTx alone', async () => {
  const chain = await startTestChain({ minGasPrices: '0.01uauton' });
  await chain.block();
  const tx = chain.sign(alice, { messages: [chain.send(alice, chain.address(bob), 1n)] });
  const checked = await chain.app.checkTx({ tx, type: 'new' });
  expect(checked).toMatchObject({ code: 13, codespace: 'sdk' });
  expect(checked.log).toBe('insufficient fees; got: 1000uauton required: 2000uauton: insufficient fee');
  expect((await chain.deliver(tx)).code).toBe(0);
});

const proposal = { nextValidatorsHash: EMPTY, proposerAddress: new Uint8Array(20), misbehavior: [] };

test('a proposal drops what fails or does not fit, and is accepted by others', async () => {
  const chain = await startTestChain({ maxGas: 500_000n });
  await chain.block();
  const messages = [chain.send(alice, chain.address(bob), 1n)];
  const a = [0n, 1n, 2n].map((ahead) => chain.sign(alice, { messages }, ahead));
  const gap = chain.sign(bob, { messages: [chain.send(bob, chain.address(alice), 1n)] }, 5n);
  const big = chain.sign(testKey(3), {
    messages: [chain.send(testKey(3), chain.address(bob), 1n)],
    memo: 'm'.repeat(200),
  });
  const { height, time } = chain.request([]);
  const localLastCommit = { round: toRound(0), votes: [] };
  const prepare = (maxTxBytes: number, txs: readonly Uint8Array[]) =>
    chain.app.prepareProposal({ ...proposal, height, time, maxTxBytes, txs, localLastCommit });
  const txs = [gap, Uint8Array.of(9), ...a].filter((tx) => tx !== undefined);
  expect(prepare(1_000_000, txs)).toEqual(a.slice(0, 2));
  const size = (a[0]?.length ?? 0) + 3;
  expect(prepare(size, [big, ...a])).toEqual(a.slice(0, 1));
  expect(prepare(size - 1, [big, ...a])).toEqual([]);
  const judge = (some: readonly Uint8Array[]) =>
    chain.app.processProposal({
      ...proposal,
      height,
      time,
      txs: some,
      proposedLastCommit: localLastCommit,
      hash: EMPTY,
    });
  expect(judge(a.slice(0, 2))).toEqual({ accept: true, reason: '' });
  expect(judge(a)).toMatchObject({ accept: false, reason: expect.stringMatching(/gas limits/) });
  expect(judge([Uint8Array.of(9)])).toMatchObject({
    accept: false,
    reason: expect.stringMatching(/^transaction 0: TxRaw/),
  });
  // ASA-2024-002: what only fails when executed does not make an honest proposal invalid.
  expect(judge([gap]).accept).toBe(true);
});

test('a block beyond the gas limit fails the transactions that exceed it', async () => {
  const chain = await startTestChain({ maxGas: 130_000n });
  await chain.block();
  const messages = [chain.send(alice, chain.address(bob), 1n)];
  const txs = [0n, 1n, 2n, 3n].map((ahead) => chain.sign(alice, { messages, gasLimit: 90_000n }, ahead));
  const { txResults } = await chain.block(txs);
  expect(txResults.map(({ code }) => code)).toEqual([0, 0, 11, 11]);
  expect(txResults.map(({ gasUsed }) => gasUsed)[0]).toBeGreaterThan(30_000n);
  expect(txResults[3]?.log).toBe('no block gas left to run tx: out of gas');
});

test('finalizing one height twice, or reopening in between, gives the same hashes', async () => {
  const one = await startTestChain();
  const two = await startTestChain();
  const first = one.request([one.sign(alice, { messages: [one.send(alice, one.address(bob), 1n)] })]);
  const hashes = [one.app.finalizeBlock(first).appHash, one.app.finalizeBlock(first).appHash];
  await one.app.commit();
  expect(toHex((await two.block(first.txs)).appHash)).toBe(toHex(hashes[0] ?? EMPTY));
  expect(toHex(hashes[1] ?? EMPTY)).toBe(toHex(hashes[0] ?? EMPTY));
  let current = two;
  for (let i = 0; i < 6; i++) {
    const txs = [one.sign(bob, { messages: [one.send(bob, one.address(testKey(20 + i)), 3n)] })];
    const expected = await one.block(txs);
    if (i % 2 === 0) {
      // Lost before its commit.
      current.app.finalizeBlock(current.request(txs));
      current = await current.reopen();
      expect(current.app.info().lastBlockHeight).toBe(toHeight(BigInt(i) + 1n));
    }
    const got = await current.block(txs);
    expect(toHex(got.appHash)).toBe(toHex(expected.appHash));
    expect(got.txResults).toEqual(expected.txResults);
  }
  expect(current.app.info().lastBlockAppHash).toEqual(one.app.info().lastBlockAppHash);
});

test('nothing node-local reaches a block: nodes with other settings agree (CWA-2022-001)', async () => {
  const plain = await startTestChain();
  const other = await startTestChain({ minGasPrices: '5uauton', version: '9.9.9' });
  await plain.block();
  await other.block();
  const txs = [plain.sign(alice, { messages: [plain.send(alice, plain.address(bob), 1n)] })];
  // One of them has seen the transaction before, the other refuses it in its own mempool.
  expect((await plain.app.checkTx({ tx: txs[0] ?? EMPTY, type: 'new' })).code).toBe(0);
  expect((await other.app.checkTx({ tx: txs[0] ?? EMPTY, type: 'new' })).code).toBe(13);
  const [one, two] = [await plain.block(txs), await other.block(txs)];
  expect(one.txResults.map(({ code }) => code)).toEqual([0]);
  expect(two).toEqual(one);
});

test('genesis exports what it can be started from again', async () => {
  const chain = await startTestChain();
  await chain.block();
  await chain.deliver(chain.sign(alice, { messages: [chain.send(alice, chain.address(stranger), 5n)] }));
  const exported = chain.app.exportGenesis();
  const again = await startTestChain({ moduleState: exported });
  await again.block();
  expect(again.app.exportGenesis()).toEqual(exported);
  expect(again.app.brokenInvariants()).toEqual([]);
});

test('a chain with another prefix and denomination runs on the same code', async () => {
  const chain = await startTestChain({ prefix: 'cosmos', baseDenom: 'ustake' });
  await chain.block();
  expect(chain.address(alice)).toMatch(/^cosmos1/);
  const result = await chain.deliver(chain.sign(alice, { messages: [chain.send(alice, chain.address(bob), 5n)] }));
  expect(result.code).toBe(0);
});

test('a genesis that is wrong is refused with the name of the field', async () => {
  const start = (moduleState: object) => startTestChain({ moduleState: moduleState as Record<string, never> });
  await expect(start({ surprise: {} })).rejects.toThrow(/^genesis: app_state.surprise: no such module/);
  await expect(start({ bank: { balances: [{ address: 'x', coins: [] }] } })).rejects.toThrow(
    /^genesis: app_state.bank.balances\[0\].address/,
  );
  await expect(start({ bank: { supply: [{ denom: 'uauton', amount: '1' }] } })).rejects.toThrow(
    /^genesis: app_state.bank.supply: states 1uauton, but the balances add up to/,
  );
  await expect(start({ auth: { params: { tx_sig_limit: '0' } } })).rejects.toThrow(/app_state.auth.params/);
  await expect(start({ chain: { bech32_prefix: 'A B' } })).rejects.toThrow(/app_state.chain.bech32_prefix/);
});
