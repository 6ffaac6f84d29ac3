/** Where chains begin: a ceremony of several homes, and the state of a chain that was. */
import { spawnSync } from 'node:child_process';
import { appendFileSync, copyFileSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import { type AccountKeyPair, bech32Address, keyFromMnemonic, newMnemonic } from '#core/crypto/keys.ts';
import { parseGasPrice } from '#node/client/amounts.ts';
import { type ChainClient, createChainClient } from '#node/client/chain-client.ts';
import { createRpcClient } from '#node/client/rpc-client.ts';
import { createSender } from '#node/client/sender.ts';
import { startLocalnet, waitForHeight } from '#node/localnet/localnet.ts';
import type { NetworkNode, NodePorts } from '#node/localnet/network.ts';
import { type NodeProcess, spawnAutond } from '#node/localnet/node-process.ts';
import { freePorts } from '#node/localnet/ports.ts';
import * as bank from '#proto/gen/cosmos/bank/v1beta1/query_pb.ts';
import { MsgSendSchema } from '#proto/gen/cosmos/bank/v1beta1/tx_pb.ts';
import * as staking from '#proto/gen/cosmos/staking/v1beta1/query_pb.ts';
import { BondStatus } from '#proto/gen/cosmos/staking/v1beta1/staking_pb.ts';
import { MsgDelegateSchema, MsgUndelegateSchema } from '#proto/gen/cosmos/staking/v1beta1/tx_pb.ts';
import { pack } from '#proto/message.ts';

const DENOM = 'uauton';
const WAIT_MS = 60_000;

function autond(...args: string[]): string {
  const { status, stdout, stderr } = spawnSync(process.execPath, ['node/cli/autond.ts', ...args], {
    encoding: 'utf8',
    timeout: WAIT_MS,
  });
  if (status !== 0) throw new Error(`autond ${args.join(' ')}: ${stderr}`);
  return stdout;
}

function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-genesis-'));
  onTestFinished(({ task }) => {
    if (task.result?.state !== 'fail') rmSync(folder, { recursive: true, force: true });
  });
  return folder;
}

function started(home: string, args: readonly string[] = []): NodeProcess {
  const process = spawnAutond(['start', '--home', home, ...args], join(home, 'node.log'));
  onTestFinished(async () => {
    process.kill('SIGKILL');
    await process.exited;
  });
  return process;
}

function nodeAt(name: string, home: string, ports: NodePorts): NetworkNode {
  return { name, home, nodeId: '', ports, rpcUrl: `http://127.0.0.1:${ports.rpc}` };
}

const chainAt = ({ rpcUrl }: NetworkNode): ChainClient => createChainClient(createRpcClient(rpcUrl));

/** What must be the same on a chain and on the one that goes on from its state. */
async function holdings(chain: ChainClient, addresses: readonly string[]) {
  const query = '/cosmos.staking.v1beta1.Query';
  const { supply } = await chain.query(
    '/cosmos.bank.v1beta1.Query/TotalSupply',
    bank.QueryTotalSupplyRequestSchema,
    {},
    bank.QueryTotalSupplyResponseSchema,
  );
  const { validators } = await chain.query(
    `${query}/Validators`,
    staking.QueryValidatorsRequestSchema,
    {},
    staking.QueryValidatorsResponseSchema,
  );
  const pool = await chain.query(`${query}/Pool`, staking.QueryPoolRequestSchema, {}, staking.QueryPoolResponseSchema);
  const delegations = await Promise.all(
    addresses.map((delegatorAddr) =>
      chain.query(
        `${query}/DelegatorDelegations`,
        staking.QueryDelegatorDelegationsRequestSchema,
        { delegatorAddr },
        staking.QueryDelegatorDelegationsResponseSchema,
      ),
    ),
  );
  const unbondings = await Promise.all(
    addresses.map((delegatorAddr) =>
      chain.query(
        `${query}/DelegatorUnbondingDelegations`,
        staking.QueryDelegatorUnbondingDelegationsRequestSchema,
        { delegatorAddr },
        staking.QueryDelegatorUnbondingDelegationsResponseSchema,
      ),
    ),
  );
  return {
    supply,
    pool: pool.pool,
    validators: validators.map(({ operatorAddress, tokens, delegatorShares, status }) => ({
      operatorAddress,
      tokens,
      delegatorShares,
      status,
    })),
    delegations: delegations.map(({ delegationResponses }) => delegationResponses),
    unbondings: unbondings.map(({ unbondingResponses }) => unbondingResponses),
    balances: await Promise.all(addresses.map((address) => chain.balances(address))),
    accounts: await Promise.all(addresses.map((address) => chain.account(address))),
  };
}

test('three homes each make a gentx, one collects, and the network that they staked makes blocks', async () => {
  const folder = temporaryFolder();
  const ports = await freePorts(3);
  const nodes = ports.map((port, i) => nodeAt(`validator${i}`, join(folder, `${i}`), port));
  const file = (i: number, ...path: string[]) => join(folder, `${i}`, 'config', ...path);
  const stakes = ['30000000uauton', '20000000uauton', '10000000uauton'];
  const keyring = ['--keyring-backend', 'test', '--home'];
  const addresses = nodes.map(({ home, name }) => {
    autond('init', name, '--chain-id', 'ceremony-1', '--home', home);
    const made = autond('keys', 'add', 'operator', '-o', 'json', ...keyring, home);
    return (JSON.parse(made) as { address: string }).address;
  });
  const [first] = nodes as [NetworkNode];
  for (const address of addresses) autond('genesis', 'add-account', address, `50000000${DENOM}`, '--home', first.home);
  // Three that have 10000 each, of which 6000 are theirs only later.
  const vesting = [
    ['delayed', '--vesting-amount', `6000${DENOM}`, '--vesting-end-time', '4102444800'],
    [
      'even',
      '--vesting-amount',
      `6000${DENOM}`,
      '--vesting-start-time',
      '4102444800',
      '--vesting-end-time',
      '4102444900',
    ],
    ['periodic', '--vesting-periods', join(folder, 'periods.json')],
  ];
  const period = { coins: `3000${DENOM}`, length_seconds: 100 };
  writeFileSync(join(folder, 'periods.json'), JSON.stringify({ start_time: 4_102_444_800, periods: [period, period] }));
  const locked = vesting.map(([name = '', ...flags]) => {
    const made = autond('keys', 'add', name, '-o', 'json', ...keyring, first.home);
    const { address } = JSON.parse(made) as { address: string };
    autond('genesis', 'add-account', address, `10000${DENOM}`, ...flags, '--home', first.home);
    return address;
  });
  for (const [
    i,
    {
      home,
      ports: { p2p },
    },
  ] of nodes.entries()) {
    if (i > 0) copyFileSync(file(0, 'genesis.json'), file(i, 'genesis.json'));
    autond('genesis', 'gentx', 'operator', stakes[i] as string, '--p2p-port', `${p2p}`, ...keyring, home);
    for (const name of i === 0 ? [] : readdirSync(file(i, 'gentx')))
      copyFileSync(file(i, 'gentx', name), file(0, 'gentx', name));
  }
  const collected = JSON.parse(autond('genesis', 'collect-gentxs', '-o', 'json', '--home', first.home));
  expect(collected.validators).toEqual([
    { name: 'validator0', power: '30' },
    { name: 'validator1', power: '20' },
    { name: 'validator2', power: '10' },
  ]);
  expect(collected.peers).toHaveLength(2);
  expect(autond('genesis', 'validate', '--home', first.home)).toContain(
    'valid genesis of ceremony-1 with 3 validators',
  );
  for (const i of [1, 2]) copyFileSync(file(0, 'genesis.json'), file(i, 'genesis.json'));

  // The collector knows the others from their memos; they are found by it.
  for (const { home, ports } of nodes)
    started(home, [
      ...['--rpc-laddr', `tcp://127.0.0.1:${ports.rpc}`, '--p2p-laddr', `tcp://127.0.0.1:${ports.p2p}`],
      ...['--set', 'consensus.timeout_commit=200ms'],
    ]);
  await waitForHeight(nodes, 5n, WAIT_MS);
  const chain = chainAt(first);
  const { pool, balances, validators } = await holdings(chain, addresses);
  expect(pool).toMatchObject({ bondedTokens: '60000000', notBondedTokens: '0' });
  expect(validators.map(({ tokens }) => tokens).toSorted()).toEqual(['10000000', '20000000', '30000000']);
  expect(balances.map(([coin]) => coin?.amount)).toEqual([20_000_000n, 30_000_000n, 40_000_000n]);
  const set = await chain.rpc.call<{ validators: { voting_power: string }[] }>('validators', { height: '5' });
  expect(set.validators.map(({ voting_power }) => voting_power)).toEqual(['30', '20', '10']);
  for (const address of locked) {
    const spendable = await chain.query(
      '/cosmos.bank.v1beta1.Query/SpendableBalances',
      bank.QuerySpendableBalancesRequestSchema,
      { address },
      bank.QuerySpendableBalancesResponseSchema,
    );
    expect(spendable.balances).toMatchObject([{ denom: DENOM, amount: '4000' }]);
    expect(await chain.balances(address)).toEqual([{ denom: DENOM, amount: 10_000n }]);
  }
  const send = (amount: string) =>
    autond(
      ...[
        'tx',
        'bank',
        'send',
        'delayed',
        addresses[0] ?? '',
        amount,
        '-y',
        '--gas',
        '150000',
        '--fees',
        `1000${DENOM}`,
      ],
      ...keyring,
      first.home,
      '--node',
      first.rpcUrl,
    );
  expect(() => send(`3001${DENOM}`)).toThrow(/insufficient funds/);
  send(`2000${DENOM}`);
  expect(await chain.balances(locked[0] ?? '')).toEqual([{ denom: DENOM, amount: 6_000n }]);
});

test('a chain goes on from the exported state of another: every balance, stake and sequence, the supply to the unit', async () => {
  const folder = temporaryFolder();
  const key: AccountKeyPair = keyFromMnemonic(newMnemonic());
  const alice = bech32Address(key.publicKey, 'auton');
  const ports = await freePorts(3);
  const config = { 'consensus.timeout_commit': '200ms' };
  const localnet = await startLocalnet({ chainId: 'before-1', validators: 3, ports, config, folder });
  const { nodes, faucet, operators } = localnet.network;
  const [first] = nodes as [NetworkNode];
  const addresses = [alice, faucet.address, ...operators.map(({ address }) => address)];
  const gasPrice = parseGasPrice(`0.025${DENOM}`);
  if (!gasPrice.ok) throw new Error(gasPrice.error);
  const options = { gasPrice: gasPrice.value, timeoutMs: WAIT_MS };
  const funder = await createSender(chainAt(first), { key: keyFromMnemonic(faucet.mnemonic), ...options });
  const coin = (amount: bigint) => ({ denom: DENOM, amount: String(amount) });
  await funder.send([
    pack(MsgSendSchema, { fromAddress: faucet.address, toAddress: alice, amount: [coin(77_000_000n)] }),
  ]);
  const { validators } = await holdings(chainAt(first), addresses);
  const validatorAddress = validators[0]?.operatorAddress ?? '';
  const sender = await createSender(chainAt(first), { key, ...options });
  const move = (amount: bigint) => ({ delegatorAddress: alice, validatorAddress, amount: coin(amount) });
  await sender.send([pack(MsgDelegateSchema, move(31_000_000n))]);
  await sender.send([pack(MsgUndelegateSchema, move(1_000_001n))]);
  const before = await holdings(chainAt(first), addresses);
  expect(before.delegations[0]).toMatchObject([{ balance: coin(29_999_999n) }]);
  // While the node runs its state is its own.
  expect(() => autond('genesis', 'export', '--home', first.home)).toThrow(/is already in use by a running node/);
  await localnet.stop();

  // Under another document of the same chain id, its blocks would be of a network of its own.
  const document = join(first.home, 'config', 'genesis.json');
  const bytes = readFileSync(document);
  appendFileSync(document, '\n');
  expect(() => autond('start', '--home', first.home)).toThrow(
    /is not the document that the chain in this home began with/,
  );
  writeFileSync(document, bytes);

  const exported = join(folder, 'exported.json');
  autond('genesis', 'export', '--home', first.home, '--chain-id', 'after-1', '--output-document', exported);
  expect(autond('genesis', 'validate', exported)).toContain('valid genesis of after-1 with 3 validators');
  const { initial_height: initial, validators: listed } = JSON.parse(
    autond('genesis', 'validate', exported, '-o', 'json'),
  ) as { initial_height: string; validators: { power: string }[] };
  expect(listed.map(({ power }) => power).toSorted()).toEqual(['10', '10', '39']);
  for (const { home } of nodes) {
    autond('comet', 'unsafe-reset-all', '--home', home);
    copyFileSync(exported, join(home, 'config', 'genesis.json'));
  }
  const running = nodes.map(({ home }) => started(home));
  await waitForHeight(nodes, BigInt(initial) + 5n, WAIT_MS);
  const after = await holdings(chainAt(first), addresses);
  expect(after).toEqual(before);
  // And it is a chain like any other: whoever had coins spends them.
  const again = await createSender(chainAt(first), { key, ...options });
  expect(again.chainId).toBe('after-1');
  const sent = await again.send([
    pack(MsgSendSchema, { fromAddress: alice, toAddress: faucet.address, amount: [coin(1_000_000n)] }),
  ]);
  expect(sent.code).toBe(0);

  // And once more, from height 1, with two of the three who may validate.
  const last = await holdings(chainAt(first), addresses);
  for (const process of running) await process.stop();
  const [one, two] = last.validators.map(({ operatorAddress }) => operatorAddress);
  const zero = ['--for-zero-height', '--jail-allowed-addrs', `${one},${two}`, '--chain-id', 'again-1'];
  autond('export', '--home', first.home, ...zero, '--output-document', exported);
  expect(autond('genesis', 'validate', exported)).toContain('valid genesis of again-1 with 2 validators');
  for (const { home } of nodes) {
    autond('comet', 'unsafe-reset-all', '--home', home);
    copyFileSync(exported, join(home, 'config', 'genesis.json'));
    started(home);
  }
  await waitForHeight(nodes, 4n, WAIT_MS);
  const anew = await holdings(chainAt(first), addresses);
  expect(anew.supply).toEqual(last.supply);
  expect(anew.delegations).toEqual(last.delegations);
  expect(anew.accounts).toEqual(last.accounts);
  expect(anew.validators.map(({ tokens }) => tokens)).toEqual(last.validators.map(({ tokens }) => tokens));
  const bonded = anew.validators.filter(({ status }) => status === BondStatus.BONDED);
  expect(bonded.map(({ operatorAddress }) => operatorAddress).toSorted()).toEqual([one, two].toSorted());
});
