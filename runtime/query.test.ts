import { expect, test } from 'vitest';
import { concat, EMPTY, fromUtf8, toHex, utf8 } from '#core/bytes.ts';
import { accountAddress } from '#core/crypto/keys.ts';
import { decodeCommitmentProof } from '#core/ics23/codec.ts';
import { iavlSpec, tendermintSpec } from '#core/ics23/specs.ts';
import { existenceRoot, verifyMembership, verifyNonMembership } from '#core/ics23/verify.ts';
import { MAX_UINT64 } from '#core/int.ts';
import { BaseAccountSchema } from '#proto/gen/cosmos/auth/v1beta1/auth_pb.ts';
import * as auth from '#proto/gen/cosmos/auth/v1beta1/query_pb.ts';
import * as bank from '#proto/gen/cosmos/bank/v1beta1/query_pb.ts';
import {
  GetTxResponseSchema,
  SimulateRequestSchema,
  SimulateResponseSchema,
} from '#proto/gen/cosmos/tx/v1beta1/service_pb.ts';
import { type DescMessage, decodeStrict, encode, type MessageInitShape, type MessageShape } from '#proto/message.ts';
import { queryHandler, type RuntimeModule } from './module.ts';
import { authModule } from './modules/auth/module.ts';
import { bankModule } from './modules/bank/module.ts';
import { chainModule } from './modules/chain/module.ts';
import { startTestChain, TEST_TIME, type TestChain, testKey } from './test-chain.ts';
import { buildSimulation } from './tx/build.ts';

const alice = testKey(1);
const bob = testKey(2);

function raw(chain: TestChain, path: string, data: Uint8Array, height = 0n, prove = false) {
  return chain.app.query({ path, data, height, prove });
}

function ask<Q extends DescMessage, A extends DescMessage>(
  chain: TestChain,
  path: string,
  [request, response]: readonly [Q, A],
  init: MessageInitShape<Q>,
  height = 0n,
): MessageShape<A> {
  const answer = raw(chain, path, encode(request, init), height);
  expect(answer.log).toBe('');
  const decoded = decodeStrict(response, answer.value);
  if (!decoded.ok) throw new Error(decoded.error);
  return decoded.value;
}

const BALANCE = '/cosmos.bank.v1beta1.Query/Balance';
const balanceTypes = [bank.QueryBalanceRequestSchema, bank.QueryBalanceResponseSchema] as const;
const ACCOUNT = '/cosmos.auth.v1beta1.Query/Account';

test('accounts: as an Any, absent ones as NotFound', async () => {
  const chain = await startTestChain();
  await chain.block();
  await chain.deliver(chain.sign(bob, { messages: [chain.send(bob, chain.address(alice), 1n)] }));
  const types = [auth.QueryAccountRequestSchema, auth.QueryAccountResponseSchema] as const;
  const { account } = ask(chain, ACCOUNT, types, { address: chain.address(bob) });
  expect(account?.typeUrl).toBe('/cosmos.auth.v1beta1.BaseAccount');
  const base = decodeStrict(BaseAccountSchema, account?.value ?? EMPTY);
  expect(base).toMatchObject({ ok: true, value: { address: chain.address(bob), accountNumber: 1n, sequence: 1n } });
  expect(base.ok && base.value.pubKey?.typeUrl).toBe('/cosmos.crypto.secp256k1.PubKey');
  const absent = raw(chain, ACCOUNT, encode(auth.QueryAccountRequestSchema, { address: chain.address(testKey(77)) }));
  expect(absent).toMatchObject({ code: 22, codespace: 'sdk', value: EMPTY });
  expect(absent.log).toMatch(/^rpc error: code = NotFound desc = account auton1\w+ not found: key not found$/);
  const wrong = raw(chain, ACCOUNT, encode(auth.QueryAccountRequestSchema, { address: 'nobody' }));
  expect(wrong).toMatchObject({ code: 18, log: expect.stringMatching(/^rpc error: code = InvalidArgument/) });
});

test('balances at past heights, supply, pages', async () => {
  const coins = ['uauton', 'uatom', 'ubtc'].map((denom) => ({ denom, amount: 10_000n }));
  const chain = await startTestChain({ coins });
  await chain.block();
  for (let i = 0; i < 3; i++)
    await chain.deliver(chain.sign(alice, { messages: [chain.send(alice, chain.address(bob), 10n)] }));
  const at = (height: bigint) =>
    ask(chain, BALANCE, balanceTypes, { address: chain.address(bob), denom: 'uauton' }, height).balance?.amount;
  expect([1n, 2n, 3n, 4n, 0n].map(at)).toEqual(['10000', '10010', '10020', '10030', '10030']);
  expect(raw(chain, BALANCE, EMPTY, 9n)).toMatchObject({
    code: 26,
    log: expect.stringMatching(/height in the future/),
  });
  const all = [bank.QueryAllBalancesRequestSchema, bank.QueryAllBalancesResponseSchema] as const;
  const path = '/cosmos.bank.v1beta1.Query/AllBalances';
  const address = chain.address(bob);
  const first = ask(chain, path, all, { address, pagination: { limit: 2n, countTotal: true } });
  expect(first.balances.map(({ denom }) => denom)).toEqual(['uatom', 'uauton']);
  expect(first.pagination).toMatchObject({ total: 3n });
  expect(fromUtf8(first.pagination?.nextKey ?? EMPTY)).toBe('ubtc');
  const second = ask(chain, path, all, { address, pagination: { key: first.pagination?.nextKey ?? EMPTY, limit: 2n } });
  expect(second.balances.map(({ denom }) => denom)).toEqual(['ubtc']);
  expect(second.pagination?.nextKey).toEqual(EMPTY);
  const backwards = ask(chain, path, all, { address, pagination: { limit: 2n, reverse: true } });
  expect(backwards.balances.map(({ denom }) => denom)).toEqual(['ubtc', 'uauton']);
  const offset = ask(chain, path, all, { address, pagination: { offset: 1n, limit: 9n } });
  expect(offset.balances.map(({ denom }) => denom)).toEqual(['uauton', 'ubtc']);
  const supplyTypes = [bank.QueryTotalSupplyRequestSchema, bank.QueryTotalSupplyResponseSchema] as const;
  const { supply } = ask(chain, '/cosmos.bank.v1beta1.Query/TotalSupply', supplyTypes, {});
  expect(supply.map(({ amount }) => amount)).toEqual(['30000', '30000', '30000']);
});

test('store keys come with proofs that a light client verifies', async () => {
  const chain = await startTestChain();
  await chain.block();
  await chain.block();
  const owner = accountAddress(alice.publicKey);
  const key = concat(Uint8Array.of(2, owner.length), owner, utf8('uauton'));
  const present = raw(chain, '/store/bank/key', key, 2n, true);
  expect(present.proofOps.map(({ type }) => type)).toEqual(['ics23:iavl', 'ics23:simple']);
  expect(fromUtf8(present.value)).toBe('1000000000');
  const absentKey = concat(key, Uint8Array.of(0));
  const absent = raw(chain, '/store/bank/key', absentKey, 2n, true);
  expect(absent.value).toEqual(EMPTY);
  for (const { answer, asked } of [
    { answer: present, asked: key },
    { answer: absent, asked: absentKey },
  ]) {
    const [ofKey, ofStore] = answer.proofOps.map(({ data }) => {
      const proof = decodeCommitmentProof(data);
      if (!proof.ok) throw new Error(proof.error);
      return proof.value;
    });
    if (ofKey === undefined || ofStore?.kind !== 'exist') throw new Error('expected two proofs');
    const storeRoot = ofStore.exist.value;
    expect(existenceRoot(ofStore.exist)).toMatchObject({ ok: true, value: chain.app.info().lastBlockAppHash });
    expect(
      verifyMembership(tendermintSpec, ofStore, chain.app.info().lastBlockAppHash, utf8('bank'), storeRoot).ok,
    ).toBe(true);
    const verdict =
      answer === present
        ? verifyMembership(iavlSpec, ofKey, storeRoot, asked, answer.value)
        : verifyNonMembership(iavlSpec, ofKey, storeRoot, asked);
    expect(verdict.ok).toBe(true);
  }
  expect(raw(chain, '/store/nothing/key', key)).toMatchObject({ code: 6 });
  expect(raw(chain, '/store/bank/key', EMPTY)).toMatchObject({ code: 18 });
});

test('simulation: as wallets ask for it, with gas that then suffices', async () => {
  const chain = await startTestChain();
  await chain.block();
  const plan = { messages: [chain.send(alice, chain.address(bob), 3n)], fee: [], gasLimit: 0n };
  const simulate = (sequence: bigint, amount = 3n) => {
    const messages = [chain.send(alice, chain.address(bob), amount)];
    const txBytes = buildSimulation({ ...plan, messages }, [{ publicKey: alice.publicKey, sequence }]);
    return raw(chain, '/cosmos.tx.v1beta1.Service/Simulate', encode(SimulateRequestSchema, { txBytes }));
  };
  const hash = toHex(chain.app.info().lastBlockAppHash);
  const answer = simulate(0n);
  expect(answer.log).toBe('');
  const decoded = decodeStrict(SimulateResponseSchema, answer.value);
  if (!decoded.ok) throw new Error(decoded.error);
  const { gasInfo, result } = decoded.value;
  expect(gasInfo?.gasWanted).toBe(MAX_UINT64);
  expect(result?.msgResponses).toHaveLength(1);
  const gasLimit = ((gasInfo?.gasUsed ?? 0n) * 13n + 9n) / 10n;
  const real = await chain.deliver(chain.sign(alice, { messages: plan.messages, gasLimit }));
  expect(real.code).toBe(0);
  expect(hash).not.toBe(toHex(chain.app.info().lastBlockAppHash));
  expect(simulate(5n)).toMatchObject({
    code: 6,
    log: expect.stringMatching(
      /^rpc error: code = Unknown desc = account sequence mismatch, expected 1, got 5: incorrect account sequence with gas used: '\d+': unknown request$/,
    ),
  });
  expect(simulate(1n, 10n ** 12n).log).toMatch(/insufficient funds with gas used: '\d+'/);
});

test('GetTx is encoded from what an index has found', async () => {
  const chain = await startTestChain();
  await chain.block();
  const tx = chain.sign(alice, { messages: [chain.send(alice, chain.address(bob), 3n)], memo: 'hello' });
  const result = await chain.deliver(tx);
  const encoded = chain.app.encodeGetTx({ tx, height: 2n, time: TEST_TIME, result });
  const decoded = decodeStrict(GetTxResponseSchema, encoded.ok ? encoded.value : EMPTY);
  expect(decoded).toMatchObject({
    ok: true,
    value: { tx: { body: { memo: 'hello' } }, txResponse: { height: 2n, code: 0, timestamp: '2026-01-01T00:00:00Z' } },
  });
});

test('queries that make no sense answer with an error', async () => {
  const chain = await startTestChain();
  expect(raw(chain, BALANCE, EMPTY)).toMatchObject({
    code: 26,
    log: expect.stringMatching(/no block has been committed/),
  });
  await chain.block();
  expect(raw(chain, '/nope', EMPTY)).toMatchObject({
    code: 6,
    log: expect.stringMatching(/unknown query path "\/nope"/),
  });
  expect(raw(chain, BALANCE, Uint8Array.of(0xff))).toMatchObject({ code: 18 });
  expect(raw(chain, BALANCE, encode(bank.QueryBalanceRequestSchema, { address: 'x', denom: '' }))).toMatchObject({
    code: 18,
  });
  expect(raw(chain, BALANCE, new Uint8Array(2_097_153))).toMatchObject({ code: 18 });
  expect(raw(chain, '/cosmos.tx.v1beta1.Service/Simulate', EMPTY)).toMatchObject({ code: 18 });
});

test('a query that reads without end is stopped before consensus misses the node', async () => {
  const endless: RuntimeModule = {
    name: 'endless',
    stores: [],
    queries: [
      queryHandler({
        path: '/test.Query/Endless',
        request: bank.QueryParamsRequestSchema,
        response: bank.QueryParamsResponseSchema,
        query({ state }) {
          for (;;) for (const _entry of state.store('bank').entries({}));
        },
      }),
    ],
  };
  const chain = await startTestChain({ modules: [chainModule, authModule, bankModule, endless] });
  await chain.block();
  const answer = chain.app.query({ path: '/test.Query/Endless', data: new Uint8Array(0), height: 0n, prove: false });
  expect(answer).toMatchObject({ code: 11, codespace: 'sdk' });
  expect(answer.log).toContain('gasWanted: 20000000');
});
