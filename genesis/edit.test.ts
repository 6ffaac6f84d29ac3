import { expect, test } from 'vitest';
import { toBase64, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { accountAddress, bech32Address, keyFromPrivate } from '#core/crypto/keys.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { parseTime } from '#core/types/timestamp.ts';
import { formatOperator } from '#runtime/modules/staking/addresses.ts';
import { buildGenesis } from './builder.ts';
import type { GenesisDocument } from './document.ts';
import { accepted, addAccount, type StakedValidator, stakeValidators } from './edit.ts';
import type { VestingPlan } from './vesting.ts';

const keyOf = (name: string) => keyFromPrivate(sha256(utf8(name)));
const addressOf = (name: string) => bech32Address(keyOf(name).publicKey, 'auton');

function built(names: readonly string[] = ['alice']): GenesisDocument {
  const document = buildGenesis({
    chainId: 'ceremony-1',
    genesisTime: parseTime('2026-03-01T12:00:00Z'),
    validators: [{ publicKey: ed25519Key(sha256(utf8('maker'))), power: 10n, name: 'maker' }],
    accounts: names.map((name) => ({ address: addressOf(name), coins: [{ denom: 'uauton', amount: 50_000_000n }] })),
    moduleState: {
      poi: { operators: [{ pub_key: toBase64(sha256(utf8('maker'))), account: addressOf('alice') }] },
    },
  });
  if (!document.ok) throw new Error(document.error);
  return document.value;
}

function validator(name: string, tokens: bigint): StakedValidator {
  const operator = accountAddress(keyOf(name).publicKey);
  const publicKey = ed25519Key(sha256(utf8(`consensus key of ${name}`)));
  return {
    operator,
    publicKey,
    name,
    tokens,
    message: {
      description: { moniker: name },
      commission: { rate: '0.1', max_rate: '0.2', max_change_rate: '0.01' },
      min_self_delegation: '1',
      validator_address: formatOperator({ bech32Prefix: 'auton' }, operator),
      pubkey: { '@type': '/cosmos.crypto.ed25519.PubKey', key: toBase64(publicKey.bytes) },
      value: { denom: 'uauton', amount: String(tokens) },
    },
  };
}

test('an account is added once, with its coins in the supply and the next number', () => {
  const coins = [
    { denom: 'uauton', amount: 7n },
    { denom: 'uatom', amount: 2n },
  ];
  const added = addAccount(built(), { address: addressOf('bob'), coins });
  if (!added.ok) throw new Error(added.error);
  expect(added.value.appState.auth).toMatchObject({
    accounts: [{ account_number: '0' }, { address: addressOf('bob'), account_number: '1' }],
  });
  expect(added.value.appState.bank).toMatchObject({
    balances: [{ address: addressOf('alice') }, { address: addressOf('bob') }],
    supply: [
      { denom: 'uatom', amount: '2' },
      { denom: 'uauton', amount: '50000007' },
    ],
  });
  expect(addAccount(added.value, { address: addressOf('bob'), coins })).toEqual({
    ok: false,
    error: `app_state.auth.accounts[1]: ${addressOf('bob')} is there already`,
  });
  expect(addAccount(built(), { address: 'auton1nonsense', coins })).toMatchObject({ ok: false });
});

test('the validators of a document are those who stake, by their power, and nobody else', () => {
  const document = built(['alice', 'bob', 'carol']);
  const staked = stakeValidators(document, [
    validator('alice', 20_000_000n),
    validator('bob', 30_999_999n),
    validator('carol', 999_999n),
  ]);
  if (!staked.ok) throw new Error(staked.error);
  expect(staked.value.validators.map(({ name, power }) => [name, power])).toEqual([
    ['bob', 30n],
    ['alice', 20n],
  ]);
  expect(accepted(staked.value)).toEqual(staked);
  // Whoever changes the powers by hand is told what the stake says.
  const [first, ...others] = staked.value.validators;
  if (first === undefined) throw new Error('a validator');
  expect(accepted({ ...staked.value, validators: [{ ...first, power: 31n }, ...others] })).toMatchObject({
    ok: false,
    error: expect.stringContaining('has power 31, its stake gives 30'),
  });
});

test('coins vest from the start: continuous, delayed and periodic accounts, as the modules read them back', () => {
  const [start, end] = [1_800_000_000n, 1_900_000_000n];
  const coins = [{ denom: 'uauton', amount: 100n }];
  const amount = [{ denom: 'uauton', amount: 60n }];
  const periods = [
    { length: 10n, amount: [{ denom: 'uauton', amount: 25n }] },
    { length: 20n, amount: [{ denom: 'uauton', amount: 35n }] },
  ];
  const plans: readonly VestingPlan[] = [
    { kind: 'continuous', amount, startTime: start, endTime: end },
    { kind: 'delayed', amount, endTime: end },
    { kind: 'periodic', startTime: start, periods },
  ];
  let document = built();
  for (const vesting of plans) {
    const added = addAccount(document, { address: addressOf(vesting.kind), coins, vesting });
    if (!added.ok) throw new Error(added.error);
    document = added.value;
  }
  const original = { original_vesting: [{ denom: 'uauton', amount: '60' }], delegated_vesting: [], delegated_free: [] };
  expect(document.appState.auth).toMatchObject({
    accounts: [
      {},
      {
        '@type': '/cosmos.vesting.v1beta1.ContinuousVestingAccount',
        start_time: `${start}`,
        base_vesting_account: {
          base_account: { address: addressOf('continuous'), account_number: '1' },
          ...original,
          end_time: `${end}`,
        },
      },
      {
        '@type': '/cosmos.vesting.v1beta1.DelayedVestingAccount',
        base_vesting_account: { ...original, end_time: `${end}` },
      },
      {
        '@type': '/cosmos.vesting.v1beta1.PeriodicVestingAccount',
        start_time: `${start}`,
        base_vesting_account: { ...original, end_time: `${start + 30n}` },
        vesting_periods: [{ length: '10', amount: [{ amount: '25' }] }, { length: '20' }],
      },
    ],
  });
  expect(document.appState.bank).toMatchObject({ supply: [{ denom: 'uauton', amount: '50000300' }] });
  expect(accepted(document).ok).toBe(true);
  // Nobody vests what he has not.
  const refused: [VestingPlan, RegExp][] = [
    [
      { kind: 'delayed', amount: [{ denom: 'uauton', amount: 101n }], endTime: end },
      /101uauton is more than the account's 100uauton/,
    ],
    [{ kind: 'delayed', amount: [{ denom: 'uatom', amount: 1n }], endTime: end }, /1uatom is more/],
    [{ kind: 'delayed', amount: [], endTime: end }, /expected at least one coin/],
    [{ kind: 'delayed', amount, endTime: 0n }, /end time 0/],
    [{ kind: 'continuous', amount, startTime: end, endTime: end }, /start time 1900000000, expected .* before the end/],
    [{ kind: 'periodic', startTime: 0n, periods }, /start time of 0/],
    [{ kind: 'periodic', startTime: start, periods: [] }, /at least one period/],
    [{ kind: 'periodic', startTime: start, periods: [{ length: 0n, amount }] }, /invalid period length of 0/],
  ];
  for (const [vesting, sentence] of refused)
    expect(addAccount(built(), { address: addressOf('x'), coins, vesting })).toMatchObject({
      ok: false,
      error: expect.stringMatching(sentence),
    });
});

test('among equal stakes those validate whom staking chooses when there is no room for all', () => {
  const names = ['alice', 'bob', 'carol', 'dave'];
  const document = built(names);
  const params = { max_validators: 2, bond_denom: 'uauton', unbonding_time: '60s', max_entries: 7 };
  const staking = { params: { ...params, historical_entries: 5, min_commission_rate: '0.0' } };
  const limited = { ...document, appState: { ...document.appState, staking } };
  const staked = stakeValidators(
    limited,
    names.map((name) => validator(name, 10_000_000n)),
  );
  if (!staked.ok) throw new Error(staked.error);
  expect(staked.value.validators).toHaveLength(2);
});

test('stake that is not there, a key twice and no stake at all are refused by name', () => {
  const document = built(['alice', 'bob']);
  const errorOf = (staked: readonly StakedValidator[]) => {
    const result = stakeValidators(document, staked);
    return result.ok ? 'accepted' : result.error;
  };
  expect(errorOf([validator('alice', 60_000_000n)])).toMatch(
    /^app_state.staking.gen_validators\[0\]: .*50000000uauton is smaller than 60000000uauton/,
  );
  expect(errorOf([validator('alice', 10_000_000n), validator('alice', 10_000_000n)])).toMatch(/^genesis.validators: /);
  expect(errorOf([])).toBe('genesis.validators: expected at least one');
});
