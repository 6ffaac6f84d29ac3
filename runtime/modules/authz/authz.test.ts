import { expect, test } from 'vitest';
import { type AccountKeyPair, accountAddress } from '#core/crypto/keys.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import { GenericAuthorizationSchema } from '#proto/gen/cosmos/authz/v1beta1/authz_pb.ts';
import * as q from '#proto/gen/cosmos/authz/v1beta1/query_pb.ts';
import * as tx from '#proto/gen/cosmos/authz/v1beta1/tx_pb.ts';
import { SendAuthorizationSchema } from '#proto/gen/cosmos/bank/v1beta1/authz_pb.ts';
import { MsgMultiSendSchema, MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import { MsgCreateVestingAccountSchema } from '#proto/gen/cosmos/vesting/v1beta1/tx_pb.ts';
import {
  type DescMessage,
  decodeStrict,
  encode,
  type MessageInitShape,
  type MessageShape,
  pack,
} from '#proto/message.ts';
import type { AnyMessage } from '../../context.ts';
import { StateBranch } from '../../state/branch.ts';
import { MultiStore } from '../../state/multistore.ts';
import { startTestChain, TEST_TIME, type TestChain, testKey } from '../../test-chain.ts';
import { BANK_STORE, balanceOf } from '../bank/state.ts';
import { AUTHZ_STORE, allGrants, authzBreaches, putGrant, removeExpired } from './state.ts';

const [alice, bob, carol] = [testKey(1), testKey(2), testKey(3)];
const SEND = '/cosmos.bank.v1beta1.MsgSend';

async function startChain(): Promise<TestChain> {
  const chain = await startTestChain();
  await chain.block();
  return chain;
}

const generic = (msg: string) => pack(GenericAuthorizationSchema, { msg });
const coins = (amount: bigint) => [{ denom: 'uauton', amount: String(amount) }];

function grant(chain: TestChain, authorization: AnyMessage, seconds?: bigint, from = alice, to = bob) {
  const expiration = seconds === undefined ? {} : { expiration: { seconds: TEST_TIME.seconds + seconds } };
  return pack(tx.MsgGrantSchema, {
    granter: chain.address(from),
    grantee: chain.address(to),
    grant: { authorization: { ...authorization }, ...expiration },
  });
}

const exec = (chain: TestChain, by: AccountKeyPair, ...msgs: AnyMessage[]) =>
  pack(tx.MsgExecSchema, { grantee: chain.address(by), msgs: msgs.map((one) => ({ ...one })) });

const deliver = (chain: TestChain, key: AccountKeyPair, ...messages: AnyMessage[]) =>
  chain.deliver(chain.sign(key, { messages, gasLimit: 1_000_000n }));

function balance(chain: TestChain, key: AccountKeyPair): bigint {
  const state = chain.app.stateAt(0n)?.state;
  return state === undefined ? 0n : balanceOf(state.store(BANK_STORE), accountAddress(key.publicKey), 'uauton');
}

function ask<Q extends DescMessage, A extends DescMessage>(
  chain: TestChain,
  [method, request, response]: readonly [string, Q, A],
  fields: MessageInitShape<Q>,
): MessageShape<A> | string {
  const path = `/cosmos.authz.v1beta1.Query/${method}`;
  const answer = chain.app.query({ path, data: encode(request, fields), height: 0n, prove: false });
  if (answer.code !== 0) return answer.log;
  const decoded = decodeStrict(response, answer.value);
  return decoded.ok ? decoded.value : decoded.error;
}

const GRANTS = ['Grants', q.QueryGrantsRequestSchema, q.QueryGrantsResponseSchema] as const;

test('a generic authorization: the grantee acts for the granter until it is revoked', async () => {
  const chain = await startChain();
  const send = chain.send(alice, chain.address(carol), 7n);
  expect(await deliver(chain, bob, exec(chain, bob, send))).toMatchObject({ code: 2, codespace: 'authz' });
  const granted = await deliver(chain, alice, grant(chain, generic(SEND)));
  expect(granted).toMatchObject({ code: 0, log: '' });
  expect(granted.events.find(({ type }) => type === 'cosmos.authz.v1beta1.EventGrant')?.attributes).toMatchObject([
    { key: 'grantee', value: `"${chain.address(bob)}"` },
    { key: 'granter', value: `"${chain.address(alice)}"` },
    { key: 'msg_type_url', value: `"${SEND}"` },
    { key: 'msg_index', value: '0' },
  ]);
  const before = balance(chain, carol);
  const done = await deliver(chain, bob, exec(chain, bob, send, chain.send(bob, chain.address(carol), 5n)));
  expect(done).toMatchObject({ code: 0, log: '' });
  expect(balance(chain, carol)).toBe(before + 12n);
  const inner = done.events.filter(({ attributes }) => attributes.some(({ key }) => key === 'authz_msg_index'));
  expect(inner.filter(({ type }) => type === 'transfer')).toHaveLength(2);
  const parties = { granter: chain.address(alice), grantee: chain.address(bob) };
  const revoke = pack(tx.MsgRevokeSchema, { ...parties, msgTypeUrl: SEND });
  expect((await deliver(chain, alice, revoke)).code).toBe(0);
  expect(await deliver(chain, alice, revoke)).toMatchObject({ code: 2, codespace: 'authz' });
  expect(await deliver(chain, bob, exec(chain, bob, send))).toMatchObject({ code: 2, codespace: 'authz' });
  expect(chain.app.brokenInvariants()).toEqual([]);
});

test('a send authorization: up to its limit, to whom it names', async () => {
  const chain = await startChain();
  const authorization = pack(SendAuthorizationSchema, { spendLimit: coins(10n), allowList: [chain.address(carol)] });
  await deliver(chain, alice, grant(chain, authorization));
  const send = (to: AccountKeyPair, amount: bigint) => exec(chain, bob, chain.send(alice, chain.address(to), amount));
  expect(await deliver(chain, bob, send(carol, 11n))).toMatchObject({ code: 5 });
  const other = await deliver(chain, bob, send(testKey(4), 1n));
  expect(other).toMatchObject({ code: 4 });
  expect(other.log).toContain(`cannot send to ${chain.address(testKey(4))} address`);
  expect((await deliver(chain, bob, send(carol, 4n))).code).toBe(0);
  const parties = { granter: chain.address(alice), grantee: chain.address(bob) };
  const left = ask(chain, GRANTS, { ...parties, msgTypeUrl: SEND });
  if (typeof left === 'string') throw new Error(left);
  const value = left.grants[0]?.authorization?.value ?? new Uint8Array(0);
  expect(decodeStrict(SendAuthorizationSchema, value)).toMatchObject({ ok: true, value: { spendLimit: coins(6n) } });
  expect((await deliver(chain, bob, send(carol, 6n))).code).toBe(0);
  expect(ask(chain, GRANTS, { ...parties, msgTypeUrl: SEND })).toContain('NotFound');
  expect(ask(chain, GRANTS, parties)).toMatchObject({ grants: [] });
});

test('what cannot be granted', async () => {
  const chain = await startChain();
  const cases: [AnyMessage, number, string, string][] = [
    [grant(chain, generic(SEND), undefined, alice, alice), 7, 'authz', 'should be different'],
    [grant(chain, generic('/none')), 29, 'sdk', "doesn't exist"],
    [grant(chain, generic(SEND), 1n), 3, 'authz', 'expiration must be after the current block time'],
    [grant(chain, pack(SendAuthorizationSchema, {})), 10, 'sdk', 'spend limit must be positive'],
    [grant(chain, pack(SendAuthorizationSchema, { spendLimit: coins(-1n) })), 10, 'sdk', 'expected a whole number'],
    [
      grant(chain, pack(SendAuthorizationSchema, { spendLimit: coins(1n), allowList: ['x', 'x'] })),
      8,
      'bank',
      'duplicate entry',
    ],
    [grant(chain, pack(MsgSendSchema, {})), 29, 'sdk', 'is none here'],
    [exec(chain, alice), 18, 'sdk', 'messages cannot be empty'],
  ];
  for (const [message, code, codespace, sentence] of cases) {
    const result = await deliver(chain, alice, message);
    expect(result, sentence).toMatchObject({ code, codespace });
    expect(result.log).toContain(sentence);
  }
});

test('Adversarial 33: an inner message gets every check that an outer one gets (Elderflower)', async () => {
  const chain = await startChain();
  await deliver(chain, alice, grant(chain, generic(SEND)));
  const bad: [AnyMessage, string][] = [
    [
      pack(MsgSendSchema, { fromAddress: chain.address(alice), toAddress: chain.address(bob), amount: coins(-1n) }),
      'whole number',
    ],
    [
      pack(MsgCreateVestingAccountSchema, {
        fromAddress: chain.address(bob),
        toAddress: chain.address(testKey(70)),
        amount: coins(1n),
        endTime: -1n,
      }),
      'invalid end time',
    ],
    [pack(MsgMultiSendSchema, {}), 'no inputs'],
    [exec(chain, bob), 'messages cannot be empty'],
  ];
  for (const [inner, sentence] of bad) {
    for (const wrapped of [exec(chain, bob, inner), exec(chain, bob, exec(chain, bob, inner))]) {
      const checked = await chain.app.checkTx({ tx: chain.sign(bob, { messages: [wrapped] }), type: 'new' });
      expect(checked.code, sentence).not.toBe(0);
      expect(checked.log).toContain(sentence);
    }
  }
});

test('Adversarial 33: wrapping does not lend anybody’s name', async () => {
  const chain = await startChain();
  const send = chain.send(alice, chain.address(bob), 1n);
  // Bob may exec for carol; that does not make him alice.
  await deliver(chain, carol, grant(chain, generic('/cosmos.authz.v1beta1.MsgExec'), undefined, carol, bob));
  const forCarol = exec(chain, bob, exec(chain, carol, send));
  expect(await deliver(chain, bob, forCarol)).toMatchObject({ code: 2, codespace: 'authz' });
  // With alice's grant to carol, both links of the chain hold.
  await deliver(chain, alice, grant(chain, generic(SEND), undefined, alice, carol));
  expect(await deliver(chain, bob, forCarol)).toMatchObject({ code: 0 });
  // A chain with the other order does not.
  expect(await deliver(chain, bob, exec(chain, bob, send))).toMatchObject({ code: 2, codespace: 'authz' });
});

test('Adversarial 33: how deep and how many is limited, before anything is paid', async () => {
  const chain = await startChain();
  let nested: AnyMessage = chain.send(bob, chain.address(alice), 1n);
  for (let depth = 1; depth < 4; depth++) nested = exec(chain, bob, nested);
  expect((await deliver(chain, bob, nested)).code).toBe(0);
  const before = balance(chain, bob);
  const deeper = await deliver(chain, bob, exec(chain, bob, nested));
  expect(deeper).toMatchObject({ code: 18 });
  expect(deeper.log).toContain('deeper than 4');
  const one = chain.send(bob, chain.address(alice), 1n);
  const wide = exec(chain, bob, ...Array.from({ length: 60 }, () => one));
  const many = await deliver(chain, bob, wide, wide);
  expect(many.log).toContain('more than 100 messages');
  expect(balance(chain, bob)).toBe(before);
});

test('Adversarial 33: a message with two signers is nobody’s to delegate', async () => {
  const chain = await startChain();
  await deliver(chain, alice, grant(chain, generic('/cosmos.bank.v1beta1.MsgMultiSend')));
  const multi = pack(MsgMultiSendSchema, {
    inputs: [
      { address: chain.address(alice), coins: coins(1n) },
      { address: chain.address(carol), coins: coins(1n) },
    ],
    outputs: [{ address: chain.address(bob), coins: coins(2n) }],
  });
  const result = await deliver(chain, bob, exec(chain, bob, multi));
  expect(result.code).not.toBe(0);
});

test('Adversarial 33: a grant expires by the block’s time, for messages and for queries alike (Jackfruit)', async () => {
  const chain = await startChain();
  // Block n has time n seconds after the start: granted in 2, good until 4.
  await deliver(chain, alice, grant(chain, generic(SEND), 4n));
  const send = exec(chain, bob, chain.send(alice, chain.address(carol), 1n));
  const parties = { granter: chain.address(alice), grantee: chain.address(bob) };
  expect((await deliver(chain, bob, send)).code).toBe(0);
  expect((await deliver(chain, bob, send)).code).toBe(0);
  expect(ask(chain, GRANTS, parties)).toMatchObject({ grants: [{}] });
  expect(await deliver(chain, bob, send)).toMatchObject({ codespace: 'authz' });
  expect(ask(chain, GRANTS, parties)).toMatchObject({ grants: [] });
  expect(chain.app.brokenInvariants()).toEqual([]);
});

test('of the grants that end within one second, those are cleared away that end before the moment', () => {
  const store = new StateBranch(MultiStore.open(new MemoryKv(), [AUTHZ_STORE]).latest()).store(AUTHZ_STORE);
  for (const nanos of [500, 501, 999_999_999]) {
    const key = { granter: Uint8Array.of(1), grantee: Uint8Array.of(nanos % 250), message: SEND };
    putGrant(store, key, { authorization: generic(SEND), expiration: { seconds: 1_000n, nanos } });
  }
  const left = (seconds: bigint, nanos: number, limit = 10) => {
    removeExpired(store, { seconds, nanos }, limit);
    expect(authzBreaches(store)).toEqual([]);
    return [...allGrants(store)].length;
  };
  expect([left(999n, 999_999_999), left(1_000n, 500), left(1_000n, 501), left(1_000n, 999_999_999)]).toEqual([
    3, 3, 2, 1,
  ]);
  expect([left(1_001n, 0, 0), left(1_001n, 0)]).toEqual([1, 0]);
});

test('a new grant replaces the old, with its expiration', async () => {
  const chain = await startChain();
  await deliver(chain, alice, grant(chain, generic(SEND), 4n));
  await deliver(chain, alice, grant(chain, generic(SEND), 400n));
  for (let i = 0; i < 4; i++) await chain.block();
  const send = exec(chain, bob, chain.send(alice, chain.address(carol), 1n));
  expect((await deliver(chain, bob, send)).code).toBe(0);
  expect(chain.app.brokenInvariants()).toEqual([]);
});

test('grants by granter and by grantee, and in genesis', async () => {
  const chain = await startChain();
  const limited = pack(SendAuthorizationSchema, { spendLimit: coins(9n) });
  await deliver(
    chain,
    alice,
    grant(chain, limited, 1_000n),
    grant(chain, generic('/cosmos.bank.v1beta1.MsgMultiSend')),
    grant(chain, generic(SEND), 1_000n, alice, carol),
  );
  const byGranter = ask(
    chain,
    ['GranterGrants', q.QueryGranterGrantsRequestSchema, q.QueryGranterGrantsResponseSchema],
    { granter: chain.address(alice) },
  );
  expect(byGranter).toMatchObject({ grants: [{}, {}, {}] });
  const byGrantee = ask(
    chain,
    ['GranteeGrants', q.QueryGranteeGrantsRequestSchema, q.QueryGranteeGrantsResponseSchema],
    { grantee: chain.address(bob), pagination: { limit: 1n } },
  );
  expect(byGrantee).toMatchObject({ grants: [{ granter: chain.address(alice), grantee: chain.address(bob) }] });
  const { auth, bank, authz } = chain.app.exportGenesis();
  if (auth === undefined || bank === undefined || authz === undefined) throw new Error('no export');
  const again = await startTestChain({ moduleState: { auth, bank, authz } });
  await again.block();
  expect(again.app.exportGenesis().authz).toEqual(authz);
  expect(again.app.brokenInvariants()).toEqual([]);
});
