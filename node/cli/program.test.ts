import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Secp256k1HdWallet } from '@cosmjs/amino';
import { stringToPath } from '@cosmjs/crypto';
import type { Command } from 'commander';
import { afterAll, expect, test } from 'vitest';
import { createProgram } from './program.ts';

const AUTOND = fileURLToPath(new URL('./autond.ts', import.meta.url));
/** Processes start in a second each, also on a busy machine. */
const SLOW = { timeout: 120_000 };
const root = mkdtempSync(join(tmpdir(), 'autonomy-cli-'));
afterAll(() => rmSync(root, { recursive: true }));

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function autond(args: readonly string[], input = '', env: NodeJS.ProcessEnv = {}): Promise<Ended> {
  const child = spawn(process.execPath, [AUTOND, ...args], { env: { ...process.env, ...env } });
  let out = '';
  let err = '';
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    err += String(chunk);
  });
  child.stdin.on('error', () => {
    // A command that reads nothing may end before it is written to.
  });
  child.stdin.end(input);
  const [code] = (await once(child, 'close')) as [number];
  return { code, out, err };
}

test('every command has a description and a help text, and no two flags of one collide', async () => {
  const visit = (command: Command, path: string) => {
    expect(command.description(), path).not.toBe('');
    expect(command.helpInformation(), path).toContain(`Usage: ${path}`);
    for (const child of command.commands) visit(child, `${path} ${child.name()}`);
  };
  // Building the program throws on colliding flags.
  visit(await createProgram(), 'autond');
});

test('a wrong command or flag names the right one and exits 2', SLOW, async () => {
  const command = await autond(['statsu']);
  expect(command.code).toBe(2);
  expect(command.err).toContain('Did you mean status?');
  const flag = await autond(['start', '--hoem', 'x']);
  expect(flag.code).toBe(2);
  expect(flag.err).toContain('Did you mean --home?');
  const choice = await autond(['status', '-o', 'yaml']);
  expect(choice.code).toBe(2);
  expect(choice.err).toContain('Allowed choices are text, json');
  expect((await autond(['--help'])).code).toBe(0);
});

test('keys: made, shown, listed, exported, imported, recovered, deleted', SLOW, async () => {
  const home = ['--home', join(root, 'keys'), '--keyring-backend', 'test'];
  const made = await autond(['keys', 'add', 'alice', '-o', 'json', ...home]);
  const alice = JSON.parse(made.out) as { address: string; mnemonic: string };
  expect(alice.mnemonic.split(' ')).toHaveLength(24);
  expect((await autond(['keys', 'show', 'alice', '-a', ...home])).out).toBe(`${alice.address}\n`);
  const secret = (await autond(['keys', 'export', 'alice', '--unarmored-hex', '--unsafe', ...home])).out;
  expect(secret).toMatch(/^[0-9a-f]{64}\n$/);
  const imported = await autond(['keys', 'import', 'copy', '-o', 'json', ...home], secret);
  expect(JSON.parse(imported.out)).toMatchObject({ address: alice.address });
  const passphrase = { AUTOND_ARMOR_PASSPHRASE: 'under this it travels' };
  const bare = await autond(['keys', 'export', 'alice', '--unsafe', ...home]);
  expect(bare).toMatchObject({ code: 1, err: expect.stringContaining('--unarmored-hex and --unsafe go together') });
  const armor = await autond(['keys', 'export', 'alice', ...home], '', passphrase);
  expect(armor.out).toMatch(/^-----BEGIN TENDERMINT PRIVATE KEY-----\nkdf: argon2\n/);
  writeFileSync(join(root, 'alice.asc'), armor.out);
  const carried = await autond(
    ['keys', 'import', 'carried', join(root, 'alice.asc'), '-o', 'json', ...home],
    '',
    passphrase,
  );
  expect(JSON.parse(carried.out)).toMatchObject({ address: alice.address });
  const piped = await autond(['keys', 'import', 'piped', ...home], `${armor.out}not under this\n`);
  expect(piped).toMatchObject({ code: 1, err: expect.stringContaining('wrong passphrase') });
  expect((await autond(['keys', 'import', 'piped', ...home], `${armor.out}under this it travels\n`)).code).toBe(0);
  const zero = await autond(['keys', 'import', 'zero', ...home], `${'0'.repeat(64)}\n`);
  expect(zero).toMatchObject({ code: 1, err: expect.stringContaining('no private key of secp256k1') });
  for (const name of ['carried', 'piped']) expect((await autond(['keys', 'delete', name, '-y', ...home])).code).toBe(0);
  const recovered = await autond(['keys', 'add', 'again', '--recover', '-o', 'json', ...home], `${alice.mnemonic}\n`);
  expect(JSON.parse(recovered.out)).toMatchObject({ address: alice.address });
  expect(recovered.out).not.toContain('mnemonic');
  expect((await autond(['keys', 'rename', 'copy', 'alice', ...home])).err).toContain('there is already a key alice');
  const renamed = await autond(['keys', 'rename', 'copy', 'twin', '-o', 'json', ...home]);
  expect(JSON.parse(renamed.out)).toMatchObject({ name: 'twin', type: 'local', address: alice.address });
  expect((await autond(['keys', 'show', 'copy', ...home])).err).toContain('there is no key copy');
  expect((await autond(['keys', 'delete', 'twin', '-y', ...home])).code).toBe(0);
  const listed = JSON.parse((await autond(['keys', 'list', '-o', 'json', ...home])).out) as { name: string }[];
  expect(listed.map((key) => key.name)).toEqual(['again', 'alice']);
  const twice = await autond(['keys', 'add', 'alice', ...home]);
  expect(twice).toMatchObject({ code: 1, err: expect.stringContaining('there is already a key alice') });
  const nonsense = await autond(['keys', 'add', 'bob', '--recover', ...home], 'no such words in the list');
  expect(nonsense).toMatchObject({ code: 1, err: expect.stringContaining('that is no mnemonic') });
});

test('keys: paths, passphrases and groups give the accounts that other wallets give', SLOW, async () => {
  const home = ['--home', join(root, 'paths'), '--keyring-backend', 'test', '-o', 'json'];
  const words = 'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about';
  const add = async (name: string, flags: readonly string[], input = `${words}\n`) => {
    const { code, out, err } = await autond(['keys', 'add', name, '--recover', ...flags, ...home], input);
    return code === 0 ? (JSON.parse(out) as { address: string }).address : err;
  };
  const theirs = async (path: string, bip39Password = '') => {
    const options = { prefix: 'auton', hdPaths: [stringToPath(path)], bip39Password };
    const [account] = await (await Secp256k1HdWallet.fromMnemonic(words, options)).getAccounts();
    return account?.address;
  };
  expect(await add('first', [])).toBe(await theirs("m/44'/118'/0'/0/0"));
  expect(await add('second', ['--account', '2', '--index', '7'])).toBe(await theirs("m/44'/118'/2'/0/7"));
  expect(await add('ether', ['--hd-path', "m/44'/60'/0'/0/0"])).toBe(await theirs("m/44'/60'/0'/0/0"));
  expect(await add('hidden', ['--bip39-passphrase'], `${words}\nhunter2 and more\n`)).toBe(
    await theirs("m/44'/118'/0'/0/0", 'hunter2 and more'),
  );
  expect(await add('wrong', ['--hd-path', 'here'])).toContain('--hd-path: expected such as m/44');
  const group = ['keys', 'add', 'group', '--multisig', 'first, second', '--multisig-threshold', '3', ...home];
  expect((await autond(group)).err).toContain('threshold 3, expected 1 … 2');
  const operator = await autond(['keys', 'show', 'first', '-a', '--bech', 'val', ...home]);
  expect(operator.out).toMatch(/^autonvaloper1/);
  const forms = JSON.parse((await autond(['keys', 'parse', operator.out.trim(), '-o', 'json'])).out);
  expect(forms).toMatchObject({ account: await theirs("m/44'/118'/0'/0/0"), operator: operator.out.trim() });
  const fromHex = await autond(['keys', 'parse', forms.hex, '--prefix', 'cosmos', '-o', 'json']);
  expect(JSON.parse(fromHex.out)).toEqual({
    hex: forms.hex,
    account: expect.stringMatching(/^cosmos1/),
    operator: expect.stringMatching(/^cosmosvaloper1/),
    consensus: expect.stringMatching(/^cosmosvalcons1/),
  });
  expect((await autond(['keys', 'parse', 'auton1xyz'])).err).toContain('expected 40 or 64 hex digits, or an address');
});

test('keys of the file backend open with their password alone', SLOW, async () => {
  const home = ['--home', join(root, 'sealed'), '--keyring-backend', 'file'];
  const short = await autond(['keys', 'add', 'alice', ...home], 'short\n');
  expect(short).toEqual({ code: 1, out: '', err: 'autond: the password needs at least 8 characters, got 5\n' });
  expect((await autond(['keys', 'add', 'alice', ...home], 'long enough\n')).code).toBe(0);
  const wrong = await autond(['keys', 'export', 'alice', '--unarmored-hex', '--unsafe', ...home], 'not this one\n');
  expect(wrong).toMatchObject({ code: 1, out: '', err: expect.stringContaining('wrong password') });
  const right = await autond(['keys', 'export', 'alice', '--unarmored-hex', '--unsafe', ...home], '', {
    AUTOND_PASSWORD: 'long enough',
  });
  expect(right.out).toMatch(/^[0-9a-f]{64}\n$/);
  expect((await autond(['keys', 'rename', 'alice', 'ann', ...home], 'long enough\nanother one\n')).code).toBe(0);
  const renamed = await autond(['keys', 'export', 'ann', '--unarmored-hex', '--unsafe', ...home], 'another one\n');
  expect(renamed.out).toBe(right.out);
});

test('init makes a home once, and start explains what is wrong with one', SLOW, async () => {
  const home = join(root, 'home');
  const made = await autond(['init', 'first', '--chain-id', 'test-1', '--home', home]);
  expect(made).toMatchObject({ code: 0 });
  for (const file of [
    'config/config.toml',
    'config/genesis.json',
    'config/node_key.json',
    'config/priv_validator_key.json',
  ])
    expect(existsSync(join(home, file)), file).toBe(true);
  const id = await autond(['comet', 'show-node-id', '--home', home]);
  expect(made.out).toContain(id.out.trim());
  expect(JSON.parse((await autond(['comet', 'show-validator', '--home', home])).out)).toHaveProperty('key');
  expect((await autond(['init', 'first', '--home', home])).err).toContain('is there already');

  const key = readFileSync(join(home, 'config/priv_validator_key.json'), 'utf8');
  expect((await autond(['init', 'second', '--overwrite', '--home', home])).code).toBe(0);
  expect(readFileSync(join(home, 'config/priv_validator_key.json'), 'utf8')).toBe(key);

  // A chain of the Cosmos kind: its prefix, what fees are paid in and what is staked.
  const cosmos = join(root, 'cosmos');
  const kind = ['--prefix', 'cosmos', '--base-denom', 'ucosm', '--bond-denom', 'ustake', '--home', cosmos];
  expect((await autond(['init', 'third', '--chain-id', 'simd-testing', ...kind])).code).toBe(0);
  expect(JSON.parse(readFileSync(join(cosmos, 'config/genesis.json'), 'utf8')).app_state).toMatchObject({
    chain: { bech32_prefix: 'cosmos', base_denom: 'ucosm' },
    staking: { params: { bond_denom: 'ustake', unbonding_time: '1814400s' } },
  });
  const wrong = await autond(['init', 'third', '--overwrite', '--bond-denom', '5', '--home', cosmos]);
  expect(wrong).toMatchObject({ code: 1, err: expect.stringContaining('bond_denom: "5" is not a denomination') });

  const setting = await autond(['start', '--home', home, '--set', 'consensus.timeout_comit=1s']);
  expect(setting).toMatchObject({ code: 1, err: expect.stringContaining('did you mean consensus.timeout_commit?') });
  writeFileSync(join(home, 'config/genesis.json'), '{"chain_id": 5}');
  const genesis = await autond(['start', '--home', home]);
  expect(genesis).toMatchObject({ code: 1, err: expect.stringMatching(/genesis\.json: genesis/) });
  expect(genesis.err).not.toMatch(/\n {4}at /);
  const nowhere = await autond(['start', '--home', join(root, 'nowhere')]);
  expect(nowhere).toMatchObject({ code: 1, err: expect.stringContaining('make a home with autond init') });
});

test('a node that is not there is named, without a stack', async () => {
  const status = await autond(['status', '--node', 'http://127.0.0.1:1']);
  expect(status).toMatchObject({ code: 1, out: '' });
  expect(status.err).toMatch(/^autond: no answer from http:\/\/127\.0\.0\.1:1: is the node running\?/);
});
