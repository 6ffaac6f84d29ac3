/** The command line alone against a live chain: keys in several homes, transactions that go from hand to hand as files. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type SharedChain, startSharedChain } from './support/shared-chain.ts';

const CHAIN_ID = 'cli-1';
let chain: SharedChain;
let folder: string;

beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'autonomy-cli-e2e-'));
  chain = await startSharedChain({ chainId: CHAIN_ID, genesis: {} });
}, 120_000);

afterAll(async () => {
  await chain?.stop();
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly out: string;
  readonly err: string;
}

async function run(args: readonly string[]): Promise<Ended> {
  const child = spawn(process.execPath, ['node/cli/autond.ts', ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (chunk) => {
    out += String(chunk);
  });
  child.stderr.on('data', (chunk) => {
    err += String(chunk);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, out, err };
}

async function autond(...args: string[]): Promise<string> {
  const { code, out, err } = await run(args);
  if (code !== 0) throw new Error(`autond ${args.join(' ')}: ${err}`);
  return out;
}

async function refusal(...args: string[]): Promise<string> {
  const { code, err } = await run(args);
  expect(code).toBe(1);
  return err;
}

/** Flags of a keyring of its own. */
const home = (name: string): string[] => ['--keyring-backend', 'test', '--home', join(folder, name)];
const node = (): string[] => ['--node', chain.rpcUrl];
const faucet = (): string[] => ['--keyring-backend', 'test', '--home', chain.network.folder];
const file = (name: string): string => join(folder, name);

interface Key {
  readonly name: string;
  readonly type: string;
  readonly address: string;
  readonly pubkey: string;
}

async function newKey(name: string, at: string): Promise<Key> {
  return JSON.parse(await autond('keys', 'add', name, '-o', 'json', ...home(at))) as Key;
}

async function balanceOf(address: string): Promise<string> {
  return (await autond('query', 'bank', 'balances', address, ...node())).trim();
}

test('two of three members send for their group: each signs offline in its own home, one puts it together and broadcasts', async () => {
  const members = await Promise.all(['ann', 'ben', 'cyd'].map((name) => newKey(name, name)));
  const [ann, ben, cyd] = members as [Key, Key, Key];
  // Whoever coordinates has nobody's secret.
  for (const { name, pubkey } of members)
    expect(
      JSON.parse(await autond('keys', 'add', name, '--pubkey', pubkey, '-o', 'json', ...home('desk'))),
    ).toMatchObject({
      type: 'offline',
    });
  const threshold = ['--multisig-threshold', '2'];
  const group = JSON.parse(
    await autond('keys', 'add', 'group', '--multisig', 'cyd,ann,ben', ...threshold, '-o', 'json', ...home('desk')),
  ) as Key;
  expect(group).toMatchObject({ type: 'multi', pubkey: expect.stringContaining('LegacyAminoPubKey') });
  expect(
    await refusal('tx', 'bank', 'send', 'group', ann.address, '5uauton', '-y', ...home('desk'), ...node()),
  ).toContain('say --generate-only, then autond tx sign --multisig group');
  await autond('tx', 'bank', 'send', 'faucet', group.address, '1000000uauton', '-y', ...faucet(), ...node());

  const sent = ['tx', 'bank', 'send', 'group', ann.address, '250000uauton', '--memo', 'from all of us'];
  writeFileSync(file('unsigned.json'), await autond(...sent, '--generate-only', ...home('desk'), ...node()));
  const account = JSON.parse(await autond('query', 'auth', 'account', group.address, '-o', 'json', ...node())) as {
    accountNumber: string;
    sequence: string;
  };
  const offline = [
    '--offline',
    '--chain-id',
    CHAIN_ID,
    '--account-number',
    account.accountNumber,
    '--sequence',
    account.sequence,
  ];
  const sign = async ({ name }: Key, more: readonly string[] = offline) => {
    const out = file(`${name}.json`);
    const flags = ['--from', name, '--multisig', group.address, '--output-document', out];
    await autond('tx', 'sign', file('unsigned.json'), ...flags, ...more, ...home(name));
    return out;
  };
  const [byBen, byCyd] = await Promise.all([sign(ben), sign(cyd)]);
  const together = (...signatures: string[]) => [
    'tx',
    'multisign',
    file('unsigned.json'),
    'group',
    ...signatures,
    ...offline,
    ...home('desk'),
  ];
  expect(await refusal(...together(byBen))).toContain('1 of 2 signatures that group needs');
  expect(await refusal(...together(byBen, byBen))).toContain('the signature of ben is there twice');
  writeFileSync(file('signed.json'), await autond(...together(byCyd, byBen)));
  const outcome = JSON.parse(await autond('tx', 'broadcast', file('signed.json'), '-o', 'json', ...node()));
  expect(outcome).toMatchObject({ code: 0 });
  expect(BigInt(outcome.gasUsed)).toBeLessThan(BigInt(outcome.gasWanted));
  expect(await balanceOf(ann.address)).toBe('250000uauton');

  // The account has its key on the chain now, and the sequence has moved: the same signatures are worth nothing.
  expect(await refusal('tx', 'broadcast', file('signed.json'), ...node())).toMatch(/sequence mismatch|already/);
  // With a node to ask, number and sequence need not be told; all three may sign.
  writeFileSync(file('unsigned.json'), await autond(...sent, '--generate-only', ...home('desk'), ...node()));
  const three = await Promise.all(members.map((one) => sign(one, node())));
  writeFileSync(
    file('signed.json'),
    await autond('tx', 'multisign', file('unsigned.json'), 'group', ...three, ...home('desk'), ...node()),
  );
  await autond('tx', 'broadcast', file('signed.json'), ...node());
  expect(await balanceOf(ann.address)).toBe('500000uauton');
}, 240_000);

test('amino as hardware wallets sign it, a transaction generated without a node, a fee that somebody else pays', async () => {
  const [dan, eve] = await Promise.all([newKey('dan', 'one'), newKey('eve', 'one')]);
  await autond(
    'tx',
    'bank',
    'send',
    'faucet',
    dan.address,
    '1000000uauton',
    '-y',
    '--sign-mode',
    'amino-json',
    ...faucet(),
    ...node(),
  );
  await autond('tx', 'bank', 'send', 'faucet', eve.address, '1000uauton', '-y', ...faucet(), ...node());
  const allowance = { '@type': '/cosmos.feegrant.v1beta1.BasicAllowance', spend_limit: [], expiration: null };
  await autond(
    'tx',
    'feegrant',
    'grant-allowance',
    '--from',
    'dan',
    '--grantee',
    eve.address,
    '--json',
    JSON.stringify({ allowance }),
    '-y',
    ...home('one'),
    ...node(),
  );
  await autond(
    'tx',
    'bank',
    'send',
    'eve',
    dan.address,
    '400uauton',
    '-y',
    '--fee-granter',
    dan.address,
    ...home('one'),
    ...node(),
  );
  expect(await balanceOf(eve.address)).toBe('600uauton');

  const generate = [
    'tx',
    'bank',
    'send',
    eve.address,
    dan.address,
    '600uauton',
    '--generate-only',
    '--offline',
    '--gas',
    '100000',
  ];
  writeFileSync(file('eve.json'), await autond(...generate, '--fees', '2500uauton', '--fee-granter', dan.address));
  expect(await refusal(...generate.slice(0, -2))).toContain('--offline needs --generate-only and --gas with a number');
  writeFileSync(
    file('eve-signed.json'),
    await autond(
      'tx',
      'sign',
      file('eve.json'),
      '--from',
      'eve',
      '--sign-mode',
      'amino-json',
      ...home('one'),
      ...node(),
    ),
  );
  expect(JSON.parse(await autond('tx', 'simulate', file('eve-signed.json'), '-o', 'json', ...node()))).toMatchObject({
    gas: expect.stringMatching(/^\d+$/),
  });
  await autond('tx', 'broadcast', file('eve-signed.json'), ...node());
  expect(await balanceOf(eve.address)).toBe('no coins');
  // A height that is past is refused before anybody pays.
  expect(
    await refusal(
      'tx',
      'bank',
      'send',
      'dan',
      eve.address,
      '1uauton',
      '-y',
      '--timeout-height',
      '1',
      ...home('one'),
      ...node(),
    ),
  ).toMatch(/timeout/);
}, 240_000);

test('a transaction of two signers: generated, signed by one, then by the other, each in a home of its own, and broadcast', async () => {
  const [fay, gus] = await Promise.all([newKey('fay', 'fay'), newKey('gus', 'gus')]);
  for (const { address } of [fay, gus])
    await autond('tx', 'bank', 'send', 'faucet', address, '1000000uauton', '-y', ...faucet(), ...node());
  // They swap: neither pays unless both do.
  const generate = async (from: Key, to: Key, coins: string) =>
    JSON.parse(
      await autond(
        'tx',
        'bank',
        'send',
        from.address,
        to.address,
        coins,
        '--generate-only',
        '--gas',
        '200000',
        ...node(),
      ),
    ) as { body: { messages: unknown[] } };
  const [one, other] = await Promise.all([generate(fay, gus, '300uauton'), generate(gus, fay, '70uauton')]);
  const swap = { ...one, body: { ...one.body, messages: [...one.body.messages, ...other.body.messages] } };
  writeFileSync(file('swap.json'), JSON.stringify(swap));
  const sign = (key: Key, from: string, to: string) => {
    const flags = ['--from', key.name, '--sign-mode', 'amino-json', '--output-document', file(to)];
    return ['tx', 'sign', file(from), ...flags, ...home(key.name), ...node()];
  };
  await autond(...sign(fay, 'swap.json', 'swap-fay.json'));
  expect(await refusal('tx', 'broadcast', file('swap-fay.json'), ...node())).toContain('expected 2, got 1');
  expect(await refusal(...sign(fay, 'swap-fay.json', 'swap-both.json'))).toContain(
    `the next to sign is ${gus.address}`,
  );
  expect(await refusal(...sign(gus, 'swap.json', 'swap-gus.json'))).toContain(`the next to sign is ${fay.address}`);
  // In direct mode the second signature would change what the first is for.
  const direct = sign(gus, 'swap-fay.json', 'swap-both.json').map((word) => (word === 'amino-json' ? 'direct' : word));
  expect(await refusal(...direct)).toContain('--sign-mode amino-json to sign after the others');
  await autond(...sign(gus, 'swap-fay.json', 'swap-both.json'));
  expect(await refusal(...sign(gus, 'swap-both.json', 'swap-three.json'))).toContain('all 2 signers have signed');
  const outcome = JSON.parse(await autond('tx', 'broadcast', file('swap-both.json'), '-o', 'json', ...node()));
  expect(outcome).toMatchObject({ code: 0 });
  // Who signs first pays the fee: 200000 gas at 0.025.
  expect(await balanceOf(fay.address)).toBe(`${1_000_000 - 300 + 70 - 5_000}uauton`);
  expect(await balanceOf(gus.address)).toBe(`${1_000_000 + 300 - 70}uauton`);
}, 240_000);

test('what the chain has is asked: transactions and blocks by what they told, a block’s results, who votes, a state of before', async () => {
  const [ida, jon] = await Promise.all([newKey('ida', 'query'), newKey('jon', 'query')]);
  const json = async (...args: string[]) => JSON.parse(await autond('query', ...args, '-o', 'json', ...node()));
  const give = ['tx', 'bank', 'send', 'faucet', ida.address, '5000uauton', '-y', '-o', 'json', ...faucet(), ...node()];
  const first = JSON.parse(await autond(...give)) as { hash: string; height: string };
  const second = JSON.parse(await autond(...give)) as { hash: string; height: string };
  const query = ['--query', `transfer.recipient='${ida.address}'`];
  const found = await json('txs', ...query);
  expect(found.total_count).toBe('2');
  expect(found.txs.map(({ hash }: { hash: string }) => hash)).toEqual([first.hash, second.hash]);
  const text = await autond('query', 'txs', ...query, '--limit', '1', '--page', '2', '--order-by', 'desc', ...node());
  expect(text).toBe(`${first.hash}  height ${first.height}\ntransactions 2 to 2 of 2\n`);
  expect(await autond('query', 'txs', '--query', `transfer.recipient='${jon.address}'`, ...node())).toBe(
    'no transactions\n',
  );
  expect(await refusal('query', 'txs', '--query', 'nonsense', ...node())).toContain('failed to parse query');

  const block = await json('block', first.height);
  expect(block.block.header).toMatchObject({ chain_id: CHAIN_ID, height: first.height });
  expect(await json('block', block.block_id.hash.toLowerCase())).toEqual(block);
  expect(await autond('query', 'block', ...node())).toMatch(/^chain {9}cli-1\nheight {8}\d+\n/);
  expect(await refusal('query', 'block', '0'.repeat(64), ...node())).toContain('there is no block with the hash 0000');
  expect(await refusal('query', 'block', 'first', ...node())).toContain('expected a height of 1 or above');
  const range = `block.height>=${first.height} AND block.height<=${second.height}`;
  const blocks = await json('blocks', '--query', range, '--order-by', 'asc');
  expect(blocks.blocks[0]).toEqual(block);
  const results = await json('block-results', first.height);
  expect(results).toMatchObject({ height: first.height, txs_results: expect.any(Array) });
  const set = await json('validator-set', first.height);
  expect(set).toMatchObject({ block_height: first.height, validators: [{ voting_power: '10' }] });

  const balance = ['bank', 'balance', '--address', ida.address, '--denom', 'uauton'];
  expect((await json(...balance, '--height', first.height)).balance.amount).toBe('5000');
  expect((await json(...balance)).balance.amount).toBe('10000');
  expect(await refusal('query', ...balance, '--height', '999999999', ...node())).toMatch(/height/);
}, 240_000);

test('a fee payer signs second, and pays the whole fee', async () => {
  const [kim, lou] = await Promise.all([newKey('kim', 'payer'), newKey('lou', 'payer')]);
  for (const [{ address }, coins] of [
    [kim, '70uauton'],
    [lou, '1000000uauton'],
  ] as const)
    await autond('tx', 'bank', 'send', 'faucet', address, coins, '-y', ...faucet(), ...node());
  const send = ['tx', 'bank', 'send', 'kim', lou.address, '70uauton', '--fee-payer', lou.address];
  const at = [...home('payer'), ...node()];
  expect(await refusal(...send, '-y', ...at)).toContain(`${lou.address} signs too: say --generate-only`);
  writeFileSync(file('paid.json'), await autond(...send, '--generate-only', '--fees', '4000uauton', ...at));
  const sign = (name: string, from: string, to: string) =>
    autond('tx', 'sign', file(from), '--from', name, '--sign-mode', 'amino-json', '--output-document', file(to), ...at);
  await sign('kim', 'paid.json', 'paid-kim.json');
  expect(await refusal('tx', 'broadcast', file('paid-kim.json'), ...node())).toContain('expected 2, got 1');
  await sign('lou', 'paid-kim.json', 'paid-both.json');
  const outcome = JSON.parse(await autond('tx', 'broadcast', file('paid-both.json'), '-o', 'json', ...node()));
  expect(outcome.code).toBe(0);
  expect(BigInt(outcome.gasUsed)).toBeLessThanOrEqual(BigInt(outcome.gasWanted));
  expect(await balanceOf(kim.address)).toBe('no coins');
  expect(await balanceOf(lou.address)).toBe(`${1_000_000 + 70 - 4_000}uauton`);
}, 240_000);
