import { expect, test } from 'vitest';
import { utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { bech32Address, keyFromPrivate } from '#core/crypto/keys.ts';
import { ed25519Key } from '#core/crypto/pubkey.ts';
import { parseTime } from '#core/types/timestamp.ts';
import { checkAppState } from './app-state.ts';
import { buildGenesis, type GenesisPlan } from './builder.ts';
import { formatGenesis, parseGenesis, toInitChain } from './document.ts';

const address = bech32Address(keyFromPrivate(sha256(utf8('faucet'))).publicKey, 'auton');

const plan: GenesisPlan = {
  chainId: 'autonomy-local-1',
  genesisTime: parseTime('2026-03-01T12:00:00Z'),
  validators: [1, 2, 3, 4].map((n) => ({
    publicKey: ed25519Key(sha256(Uint8Array.of(n))),
    power: 10n,
    name: `val${n}`,
  })),
  accounts: [
    {
      address,
      coins: [
        { denom: 'uauton', amount: 5n },
        { denom: 'uatom', amount: 7n },
      ],
    },
  ],
};

function built(changes: Partial<GenesisPlan> = {}) {
  const document = buildGenesis({ ...plan, ...changes });
  if (!document.ok) throw new Error(document.error);
  return document.value;
}

test('what is built reads back the same, and the modules accept it', () => {
  const document = built();
  const text = formatGenesis(document);
  const read = parseGenesis(text);
  expect(read).toEqual({ ok: true, value: document });
  expect(read.ok && formatGenesis(read.value)).toBe(text);
  expect(checkAppState(document)).toEqual({
    ok: true,
    value: { chainId: 'autonomy-local-1', bech32Prefix: 'auton', baseDenom: 'uauton' },
  });
  expect(toInitChain(document)).toMatchObject({ chainId: 'autonomy-local-1', initialHeight: 1n });
});

test('a chain of the Cosmos kind: prefix cosmos, its own denominations', () => {
  const cosmos = bech32Address(keyFromPrivate(sha256(utf8('faucet'))).publicKey, 'cosmos');
  const accounts = [{ address: cosmos, coins: [{ denom: 'ustake', amount: 1n }] }];
  const document = built({ chainId: 'simd-testing', bech32Prefix: 'cosmos', baseDenom: 'ustake', accounts });
  expect(checkAppState(document)).toMatchObject({ ok: true, value: { bech32Prefix: 'cosmos', baseDenom: 'ustake' } });
});

test('what is wrong is named', () => {
  const errorOf = (change: (json: Record<string, never>) => void) => {
    const json = JSON.parse(formatGenesis(built()));
    change(json);
    const read = parseGenesis(JSON.stringify(json));
    return read.ok ? 'accepted' : read.error;
  };
  // biome-ignore lint/suspicious/noExplicitAny: the cases below break the document on purpose
  const cases: [(json: any) => void, RegExp][] = [
    [(json) => (json.chain_id = ''), /^genesis.chain_id: expected/],
    [(json) => (json.genesis_time = 'yesterday'), /^genesis.genesis_time: expected RFC 3339/],
    [(json) => (json.surprise = 1), /^genesis.surprise: unknown field/],
    [(json) => (json.validators = []), /^genesis.validators: expected at least one/],
    [(json) => (json.validators[1].power = '0'), /^genesis.validators\[1\].power: expected an integer 1/],
    [(json) => (json.validators[2].address = '00'), /^genesis.validators\[2\].address: expected [0-9A-F]{40}/],
    [(json) => (json.validators[0].pub_key.type = 'rsa'), /^genesis.validators\[0\].pub_key.type: expected/],
    [(json) => (json.validators[3] = json.validators[0]), /^genesis.validators: /],
    [(json) => (json.consensus_params.block.max_bytes = '0'), /^genesis.consensus_params.block.max_bytes/],
    [(json) => (json.app_state = []), /^genesis.app_state: expected an object/],
    [(json) => (json.consensus_params = 'x'), /^genesis.consensus_params: expected an object, got "x"/],
  ];
  for (const [change, expected] of cases) expect(errorOf(change)).toMatch(expected);
  expect(parseGenesis('{')).toMatchObject({ ok: false, error: expect.stringMatching(/^genesis: expected JSON/) });
  expect(buildGenesis({ ...plan, accounts: [{ address: 'auton1x', coins: [] }] })).toMatchObject({
    ok: false,
    error: expect.stringMatching(/^app_state.auth.accounts\[0\].address/),
  });
});

test('metadata of a denomination are what wallets can count with, as the Cosmos SDK checks them', () => {
  const unit = (denom: string, exponent: number, aliases: string[] = []) => ({ denom, exponent, aliases });
  const units = [unit('uatom', 0, ['microatom']), unit('atom', 6)];
  const atom = { base: 'uatom', display: 'atom', name: 'Atom', symbol: 'ATOM', denom_units: units };
  const build = (...denomMetadata: object[]) => {
    const made = buildGenesis({ ...plan, denomMetadata: denomMetadata as GenesisPlan['denomMetadata'] & object });
    return made.ok ? 'accepted' : made.error;
  };
  const wrong = (change: object) => build({ ...atom, ...change });
  expect(build(atom, { ...atom, base: 'stake', display: 'stake', denom_units: [unit('stake', 0)] })).toBe('accepted');
  expect(build(atom, atom)).toBe('app_state.bank.denom_metadata[1].base: uatom is described twice');
  const at = 'app_state.bank.denom_metadata[0]';
  expect(wrong({ name: ' ' })).toBe(`${at}.name: expected a text that is not blank`);
  expect(wrong({ symbol: '' })).toContain(`${at}.symbol: `);
  expect(wrong({ display: 'x' })).toContain(`${at}.display: "x" is not a denomination`);
  expect(wrong({ display: 'matom' })).toContain(`${at}.denom_units: no unit is matom`);
  expect(wrong({ denom_units: [] })).toContain(`${at}.denom_units: no unit is atom`);
  expect(wrong({ denom_units: units.toReversed() })).toBe(
    `${at}.denom_units[0]: expected uatom with exponent 0 as the first unit`,
  );
  expect(wrong({ denom_units: [...units, unit('katom', 6)] })).toBe(
    `${at}.denom_units[2].exponent: expected more than 6, got 6`,
  );
  expect(wrong({ denom_units: [...units, unit('atom', 9)] })).toContain(`${at}.denom_units[2].denom: atom is listed`);
  expect(wrong({ denom_units: [unit('uatom', 0, ['m', 'm']), unit('atom', 6)] })).toContain('one is listed twice');
});
