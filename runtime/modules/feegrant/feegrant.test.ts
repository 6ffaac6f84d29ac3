import { expect, test } from 'vitest';
import { accountAddress } from '#core/crypto/keys.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import * as f from '#proto/gen/cosmos/feegrant/v1beta1/feegrant_pb.ts';
import * as q from '#proto/gen/cosmos/feegrant/v1beta1/query_pb.ts';
import * as tx from '#proto/gen/cosmos/feegrant/v1beta1/tx_pb.ts';
import {
  type DescMessage,
  decodeStrict,
  encode,
  type MessageInitShape,
  type MessageShape,
  pack,
} from '#proto/message.ts';
import { StateBranch } from '../../state/branch.ts';
import { MultiStore } from '../../state/multistore.ts';
import { startTestChain, TEST_TIME, type TestChain, testKey } from '../../test-chain.ts';
import { BANK_STORE, balanceOf } from '../bank/state.ts';
import { addAllowance, allAllowances, FEEGRANT_STORE, feegrantBreaches, removeExpired } from './state.ts';

const granter = testKey(1);
const grantee = testKey(60);
const START = 1_000_000_000n;

async function startChain(): Promise<TestChain> {
  const chain = await startTestChain();
  await chain.block();
  return chain;
}

function grant(chain: TestChain, allowance: { typeUrl: string; value: Uint8Array }, to = grantee) {
  return pack(tx.MsgGrantAllowanceSchema, {
    granter: chain.address(granter),
    grantee: chain.address(to),
    allowance,
  });
}

const basic = (amount: bigint, seconds?: bigint) =>
  pack(f.BasicAllowanceSchema, {
    spendLimit: [{ denom: 'uauton', amount: String(amount) }],
    ...(seconds === undefined ? {} : { expiration: { seconds: TEST_TIME.seconds + seconds } }),
  });

function ask<Q extends DescMessage, A extends DescMessage>(
  chain: TestChain,
  [method, request, response]: readonly [string, Q, A],
  fields: MessageInitShape<Q>,
): MessageShape<A> | string {
  const path = `/cosmos.feegrant.v1beta1.Query/${method}`;
  const answer = chain.app.query({ path, data: encode(request, fields), height: 0n, prove: false });
  if (answer.code !== 0) return answer.log;
  const decoded = decodeStrict(response, answer.value);
  return decoded.ok ? decoded.value : decoded.error;
}

const ALLOWANCE = ['Allowance', q.QueryAllowanceRequestSchema, q.QueryAllowanceResponseSchema] as const;
const ALLOWANCES = ['Allowances', q.QueryAllowancesRequestSchema, q.QueryAllowancesResponseSchema] as const;
const BY_GRANTER = [
  'AllowancesByGranter',
  q.QueryAllowancesByGranterRequestSchema,
  q.QueryAllowancesByGranterResponseSchema,
] as const;

test('somebody without a coin sends transactions that the granter pays', async () => {
  const chain = await startChain();
  const granted = await chain.deliver(chain.sign(granter, { messages: [grant(chain, basic(1_500n))] }));
  expect(granted).toMatchObject({ code: 0, log: '' });
  expect(granted.events.find(({ type }) => type === 'set_feegrant')?.attributes).toMatchObject([
    { key: 'granter', value: chain.address(granter) },
    { key: 'grantee', value: chain.address(grantee) },
    { key: 'msg_index' },
  ]);
  const messages = [pack(tx.MsgPruneAllowancesSchema, { pruner: chain.address(grantee) })];
  const plan = { messages, feeGranter: chain.address(granter) };
  const used = await chain.deliver(chain.sign(grantee, plan));
  expect(used).toMatchObject({ code: 0 });
  const names = used.events.map(({ type }) => type);
  expect(names).toContain('use_feegrant');
  const paid = used.events.find(({ attributes }) => attributes.some(({ key }) => key === 'fee_payer'));
  expect(paid?.attributes).toMatchObject([{ value: '1000uauton' }, { value: chain.address(granter) }]);
  const state = chain.app.stateAt(0n)?.state;
  if (state === undefined) throw new Error('no state');
  expect(balanceOf(state.store(BANK_STORE), accountAddress(granter.publicKey), 'uauton')).toBe(START - 2_000n);
  const exceeded = await chain.deliver(chain.sign(grantee, plan));
  expect(exceeded).toMatchObject({ code: 2, codespace: 'feegrant' });
  expect(exceeded.log).toContain('does not allow to pay fees for');
  const last = await chain.deliver(chain.sign(grantee, { ...plan, fee: [{ denom: 'uauton', amount: 500n }] }));
  expect(last.events.map(({ type }) => type)).toContain('revoke_feegrant');
  const gone = await chain.deliver(chain.sign(grantee, { ...plan, fee: [{ denom: 'uauton', amount: 1n }] }));
  expect(gone).toMatchObject({ code: 38, codespace: 'sdk' });
  expect(chain.app.brokenInvariants()).toEqual([]);
});

test('grants are refused twice, to oneself, when over; revoked once', async () => {
  const chain = await startChain();
  const deliver = (message: { typeUrl: string; value: Uint8Array }) =>
    chain.deliver(chain.sign(granter, { messages: [message] }));
  expect((await deliver(grant(chain, basic(5n), granter))).log).toContain('cannot self-grant');
  expect((await deliver(grant(chain, basic(5n, -1n)))).log).toContain('expiration is before current block time');
  expect((await deliver(grant(chain, basic(5n)))).code).toBe(0);
  expect((await deliver(grant(chain, basic(5n)))).log).toContain('fee allowance already exists');
  const parties = { granter: chain.address(granter), grantee: chain.address(grantee) };
  const revoke = pack(tx.MsgRevokeAllowanceSchema, parties);
  expect((await deliver(revoke)).code).toBe(0);
  expect(await deliver(revoke)).toMatchObject({ code: 38, codespace: 'sdk' });
  expect(ask(chain, ALLOWANCE, parties)).toContain('rpc error: code = NotFound');
});

test('expiration goes by the block time, and what is over is cleared away', async () => {
  const chain = await startChain();
  // Block n has time n seconds after the start: granted in block 2, good until 3, cleared after 4.
  await chain.deliver(chain.sign(granter, { messages: [grant(chain, basic(5_000n, 3n))] }));
  const messages = [pack(tx.MsgPruneAllowancesSchema, { pruner: chain.address(grantee) })];
  const plan = { messages, feeGranter: chain.address(granter) };
  expect((await chain.deliver(chain.sign(grantee, plan))).code).toBe(0);
  const parties = { granter: chain.address(granter), grantee: chain.address(grantee) };
  expect(ask(chain, ALLOWANCE, parties)).toMatchObject({ allowance: parties });
  const late = await chain.deliver(chain.sign(grantee, plan));
  expect(late).toMatchObject({ code: 3, codespace: 'feegrant' });
  expect(ask(chain, ALLOWANCE, parties)).toContain('NotFound');
  expect(chain.app.brokenInvariants()).toEqual([]);
});

test('of the allowances that end within one second, those are cleared away that end before the moment', () => {
  const store = new StateBranch(MultiStore.open(new MemoryKv(), [FEEGRANT_STORE]).latest()).store(FEEGRANT_STORE);
  const ends = [500, 501, 999_999_999];
  for (const nanos of ends) {
    const expiration = { seconds: 1_000n, nanos };
    const parties = { granter: Uint8Array.of(1), grantee: Uint8Array.of(nanos % 250) };
    addAllowance(store, parties, { kind: 'basic', spendLimit: undefined, expiration });
  }
  const left = (seconds: bigint, nanos: number, limit = 10) => {
    removeExpired(store, { seconds, nanos }, limit);
    expect(feegrantBreaches(store)).toEqual([]);
    return [...allAllowances(store)].length;
  };
  expect([left(999n, 999_999_999), left(1_000n, 500), left(1_000n, 501), left(1_000n, 999_999_999)]).toEqual([
    3, 3, 2, 1,
  ]);
  expect([left(1_001n, 0, 0), left(1_001n, 0)]).toEqual([1, 0]);
});

test('queries by grantee and by granter, pages, genesis', async () => {
  const chain = await startChain();
  const grants = [61, 62, 63].map((n) => grant(chain, basic(BigInt(n), 1_000n), testKey(n)));
  await chain.deliver(chain.sign(granter, { messages: grants, gasLimit: 1_000_000n }));
  const mine = ask(chain, BY_GRANTER, { granter: chain.address(granter), pagination: { limit: 2n } });
  expect(mine).toMatchObject({ allowances: [{}, {}], pagination: { nextKey: expect.any(Uint8Array) } });
  expect(ask(chain, ALLOWANCES, { grantee: chain.address(testKey(62)) })).toMatchObject({
    allowances: [
      { granter: chain.address(granter), allowance: { typeUrl: '/cosmos.feegrant.v1beta1.BasicAllowance' } },
    ],
  });
  const { auth, bank, feegrant } = chain.app.exportGenesis();
  if (auth === undefined || bank === undefined || feegrant === undefined) throw new Error('no export');
  expect(feegrant).toMatchObject({
    allowances: [
      { allowance: { '@type': '/cosmos.feegrant.v1beta1.BasicAllowance', expiration: '2026-01-01T00:16:40Z' } },
      {},
      {},
    ],
  });
  const again = await startTestChain({ moduleState: { auth, bank, feegrant } });
  await again.block();
  expect(again.app.exportGenesis().feegrant).toEqual(feegrant);
  expect(again.app.brokenInvariants()).toEqual([]);
});
