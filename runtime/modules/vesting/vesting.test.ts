import { expect, test } from 'vitest';
import { accountAddress } from '#core/crypto/keys.ts';
import { BaseAccountSchema } from '#proto/gen/cosmos/auth/v1beta1/auth_pb.ts';
import { QueryAccountRequestSchema, QueryAccountResponseSchema } from '#proto/gen/cosmos/auth/v1beta1/query_pb.ts';
import {
  QuerySpendableBalancesRequestSchema,
  QuerySpendableBalancesResponseSchema,
} from '#proto/gen/cosmos/bank/v1beta1/query_pb.ts';
import * as tx from '#proto/gen/cosmos/vesting/v1beta1/tx_pb.ts';
import { PeriodicVestingAccountSchema } from '#proto/gen/cosmos/vesting/v1beta1/vesting_pb.ts';
import { decodeStrict, encode, pack } from '#proto/message.ts';
import { formatAddress, moduleAddress } from '../../address.ts';
import { noEvents } from '../../events.ts';
import { StateBranch } from '../../state/branch.ts';
import { startTestChain, TEST_TIME, type TestChain, testKey } from '../../test-chain.ts';
import { AUTH_STORE, getAccount } from '../auth/state.ts';
import { delegateCoins, ledgerOf, lockedOf, undelegateCoins } from '../bank/ledger.ts';
import { BANK_STORE, balanceOf } from '../bank/state.ts';

const alice = testKey(1);
const heir = testKey(50);
const START = TEST_TIME.seconds;
const coins = (amount: bigint) => [{ denom: 'uauton', amount: String(amount) }];

async function startChain(): Promise<TestChain> {
  const chain = await startTestChain();
  await chain.block();
  return chain;
}

function periodic(chain: TestChain, fields: object = {}) {
  return pack(tx.MsgCreatePeriodicVestingAccountSchema, {
    fromAddress: chain.address(alice),
    toAddress: chain.address(heir),
    startTime: START,
    vestingPeriods: [
      { length: 4n, amount: coins(100n) },
      { length: 1000n, amount: coins(900n) },
    ],
    ...fields,
  });
}

function spendable(chain: TestChain, address: string): string | undefined {
  const path = '/cosmos.bank.v1beta1.Query/SpendableBalances';
  const data = encode(QuerySpendableBalancesRequestSchema, { address });
  const answer = decodeStrict(
    QuerySpendableBalancesResponseSchema,
    chain.app.query({ path, data, height: 0n, prove: false }).value,
  );
  return answer.ok ? answer.value.balances[0]?.amount : answer.error;
}

test('coins of a periodic vesting account can be spent when their period is over', async () => {
  const chain = await startChain();
  const made = await chain.deliver(chain.sign(alice, { messages: [periodic(chain)] })); // block 2
  expect(made).toMatchObject({ code: 0, log: '' });
  const to = chain.address(testKey(2));
  const early = chain.sign(heir, { messages: [chain.send(heir, to, 100n)], fee: [] });
  const third = await chain.deliver(early);
  expect(third).toMatchObject({ code: 5, codespace: 'sdk' });
  expect(third.log).toContain('spendable balance 0uauton is smaller than 100uauton');
  expect(spendable(chain, chain.address(heir))).toBe('0');
  await chain.block(); // block 4: the first period ends
  expect(spendable(chain, chain.address(heir))).toBe('100');
  const late = await chain.deliver(chain.sign(heir, { messages: [chain.send(heir, to, 100n)], fee: [] }));
  expect(late.code).toBe(0);
  const more = await chain.deliver(chain.sign(heir, { messages: [chain.send(heir, to, 1n)], fee: [] }));
  expect(more.code).toBe(5);
  expect(chain.app.brokenInvariants()).toEqual([]);
});

test('fees cannot be paid with locked coins, and what is sent to the account later is free', async () => {
  const chain = await startChain();
  const locked = pack(tx.MsgCreatePermanentLockedAccountSchema, {
    fromAddress: chain.address(alice),
    toAddress: chain.address(heir),
    amount: coins(5_000n),
  });
  expect((await chain.deliver(chain.sign(alice, { messages: [locked] }))).code).toBe(0);
  const messages = [chain.send(heir, chain.address(alice), 10n)];
  expect((await chain.deliver(chain.sign(heir, { messages }))).log).toContain('spendable balance 0uauton');
  await chain.deliver(chain.sign(alice, { messages: [chain.send(alice, chain.address(heir), 1_010n)] }));
  expect((await chain.deliver(chain.sign(heir, { messages }))).code).toBe(0);
  expect(spendable(chain, chain.address(heir))).toBe('0');
});

test('locked coins can be delegated and come back locked', async () => {
  const chain = await startChain();
  await chain.deliver(chain.sign(alice, { messages: [periodic(chain)] }));
  const committed = chain.app.stateAt(0n);
  if (committed === undefined) throw new Error('no state');
  const state = new StateBranch(committed.state);
  const at = (seconds: bigint) =>
    ledgerOf({ state, events: noEvents, chain: committed.chain, block: { time: { seconds, nanos: 0 } } });
  const owner = accountAddress(heir.publicKey);
  const amount = (value: bigint) => [{ denom: 'uauton', amount: value }];
  expect(delegateCoins(at(START), owner, 'bonded_tokens_pool', amount(1_001n))).toMatchObject({ ok: false });
  expect(delegateCoins(at(START), owner, 'bonded_tokens_pool', amount(950n)).ok).toBe(true);
  expect(lockedOf(at(START), owner)).toEqual(amount(50n));
  expect(lockedOf(at(START + 4n), owner)).toEqual([]);
  expect(undelegateCoins(at(START + 4n), 'bonded_tokens_pool', owner, amount(950n)).ok).toBe(true);
  expect(lockedOf(at(START + 4n), owner)).toEqual(amount(900n));
  expect(balanceOf(state.store(BANK_STORE), owner, 'uauton')).toBe(1_000n);
});

test('Adversarial 32: periods that would break the account are refused (Barberry)', async () => {
  const chain = await startChain();
  const cases: [string, object, string][] = [
    ['no periods', { vestingPeriods: [] }, 'expected at least one period'],
    ['length 0', { vestingPeriods: [{ length: 0n, amount: coins(1n) }] }, 'length must be greater than 0'],
    ['length −1', { vestingPeriods: [{ length: -1n, amount: coins(1n) }] }, 'length must be greater than 0'],
    ['no coins', { vestingPeriods: [{ length: 1n, amount: [] }] }, 'expected at least one coin'],
    ['negative', { vestingPeriods: [{ length: 1n, amount: coins(-5n) }] }, 'expected a whole number'],
    [
      'a negative beside a positive',
      {
        vestingPeriods: [
          { length: 1n, amount: coins(10n) },
          { length: 1n, amount: coins(-5n) },
        ],
      },
      'expected a whole number',
    ],
    ['2^256', { vestingPeriods: [{ length: 1n, amount: coins(1n << 256n) }] }, 'exceeds 2^256'],
    [
      'a sum beyond 2^256',
      { vestingPeriods: [1, 2].map(() => ({ length: 1n, amount: coins((1n << 256n) - 1n) })) },
      'out of range',
    ],
    [
      'an end beyond 2^63',
      { vestingPeriods: [{ length: 0x7fffffffffffffffn, amount: coins(1n) }] },
      'the end time exceeds 2^63',
    ],
    ['start 0', { startTime: 0n }, 'invalid start time'],
    [
      'unsorted coins',
      {
        vestingPeriods: [
          {
            length: 1n,
            amount: [
              { denom: 'zzz', amount: '1' },
              { denom: 'aaa', amount: '1' },
            ],
          },
        ],
      },
      'sorted',
    ],
    [
      'too many',
      { vestingPeriods: Array.from({ length: 1_001 }, () => ({ length: 1n, amount: coins(1n) })) },
      'exceed the limit of 1000',
    ],
  ];
  for (const [name, fields, sentence] of cases) {
    const bytes = chain.sign(alice, { messages: [periodic(chain, fields)], gasLimit: 5_000_000n });
    const checked = await chain.app.checkTx({ tx: bytes, type: 'new' });
    expect(checked.code, name).not.toBe(0);
    expect(checked.log, name).toContain(sentence);
  }
  const state = chain.app.stateAt(0n)?.state;
  expect(state === undefined ? 0 : getAccount(state.store(AUTH_STORE), accountAddress(heir.publicKey))).toBeUndefined();
});

test('what has vested can be spent on a node that has just been started, too', async () => {
  const chain = await startChain();
  const funded = periodic(chain, { vestingPeriods: [{ length: 4n, amount: coins(100_000n) }] });
  expect(await chain.deliver(chain.sign(alice, { messages: [funded], gasLimit: 300_000n }))).toMatchObject({ code: 0 });
  for (let i = 0; i < 4; i++) await chain.block();
  const restarted = await chain.reopen();
  const spend = chain.sign(heir, { messages: [chain.send(heir, chain.address(alice), 5n)] });
  expect(await restarted.app.checkTx({ tx: spend, type: 'new' })).toMatchObject({ code: 0, log: '' });
});

test('Adversarial 32: no vesting for modules, for accounts that exist, or over in the past', async () => {
  const chain = await startChain();
  const create = (toAddress: string, endTime = START + 100n, delayed = false) =>
    pack(tx.MsgCreateVestingAccountSchema, {
      fromAddress: chain.address(alice),
      toAddress,
      amount: coins(10n),
      endTime,
      delayed,
    });
  const deliver = async (message: ReturnType<typeof create>) =>
    chain.deliver(chain.sign(alice, { messages: [message], gasLimit: 300_000n }));
  const module = formatAddress({ bech32Prefix: 'auton' }, moduleAddress('fee_collector'));
  expect(await deliver(create(module))).toMatchObject({ code: 4 });
  const exists = await deliver(create(chain.address(testKey(2))));
  expect(exists).toMatchObject({ code: 18 });
  expect(exists.log).toContain('already exists');
  expect((await deliver(create(chain.address(heir), 0n))).log).toContain('invalid end time');
  expect((await deliver(create(chain.address(heir), START))).log).toContain("expected after the block's time");
  expect((await deliver(create(chain.address(heir)))).code).toBe(0);
  expect((await deliver(create(chain.address(heir), START + 9n, true))).log).toContain('already exists');
});

test('created ahead of its owner, the account still serves its owner', async () => {
  const chain = await startChain();
  await chain.deliver(chain.sign(alice, { messages: [periodic(chain)] }));
  await chain.deliver(chain.sign(alice, { messages: [chain.send(alice, chain.address(heir), 5_000n)] }));
  const sent = await chain.deliver(chain.sign(heir, { messages: [chain.send(heir, chain.address(alice), 4_000n)] }));
  expect(sent.code).toBe(0);
});

test('queries show the type, genesis keeps it', async () => {
  const chain = await startChain();
  await chain.deliver(chain.sign(alice, { messages: [periodic(chain)] }));
  const answer = chain.app.query({
    path: '/cosmos.auth.v1beta1.Query/Account',
    data: encode(QueryAccountRequestSchema, { address: chain.address(heir) }),
    height: 0n,
    prove: false,
  });
  const found = decodeStrict(QueryAccountResponseSchema, answer.value);
  const account = found.ok ? found.value.account : undefined;
  expect(account?.typeUrl).toBe('/cosmos.vesting.v1beta1.PeriodicVestingAccount');
  const decoded = decodeStrict(PeriodicVestingAccountSchema, account?.value ?? new Uint8Array(0));
  expect(decoded.ok && decoded.value.baseVestingAccount).toMatchObject({
    baseAccount: { $typeName: BaseAccountSchema.typeName, address: chain.address(heir) },
    originalVesting: [{ denom: 'uauton', amount: '1000' }],
    endTime: START + 1004n,
  });
  const exported = chain.app.exportGenesis();
  const { auth, bank } = exported;
  if (auth === undefined || bank === undefined) throw new Error('auth and bank export their state');
  const again = await startTestChain({ moduleState: { auth, bank } });
  await again.block();
  expect(again.app.exportGenesis()).toMatchObject({ auth, bank });
});
