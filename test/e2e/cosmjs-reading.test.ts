/** Unmodified CosmJS on a live chain: what explorers and indexers read and follow, and how failures reach wallets. */
import { fromBech32, toBech32 } from '@cosmjs/encoding';
import { assertIsDeliverTxSuccess, BroadcastTxError, coins, type StdFee, TimeoutError } from '@cosmjs/stargate';
import { Comet38Client, HttpClient, type RpcClient, WebsocketClient } from '@cosmjs/tendermint-rpc';
import { TxRaw } from 'cosmjs-types/cosmos/tx/v1beta1/tx';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defined } from '#core/assert.ts';
import { fromHex, toBase64, toHex, toHexUpper } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import {
  ABSENT,
  CHAIN_ID,
  type CosmjsChain,
  DENOM,
  everyQuery,
  FEE,
  type Person,
  send,
  startCosmjsChain,
} from './support/cosmjs-chain.ts';
import { until } from './support/network.ts';

let chain: CosmjsChain;
let comet: Comet38Client;

beforeAll(async () => {
  chain = await startCosmjsChain(4);
  ({ comet } = chain);
});

afterAll(() => chain?.stop());

/** Bytes of a signed transfer of one unit. */
async function signedSend(
  { client, address }: Person,
  options: { fee?: StdFee; sequence?: number; chainId?: string; amount?: number } = {},
): Promise<Uint8Array> {
  const { accountNumber, sequence } = await client.getSequence(address);
  const data = { accountNumber, sequence: options.sequence ?? sequence, chainId: options.chainId ?? CHAIN_ID };
  const message = send(address, ABSENT, options.amount ?? 1);
  return TxRaw.encode(await client.sign(address, [message], options.fee ?? FEE, '', data)).finish();
}

/** The answer to one request as it is on the wire. */
async function ask(method: string, params: unknown) {
  const body = JSON.stringify({ jsonrpc: '2.0', id: 1, method, params });
  const response = await fetch(chain.rpcUrl, { method: 'POST', body });
  // biome-ignore lint/suspicious/noExplicitAny: whatever the node answered
  return ((await response.json()) as any).result;
}

test('search: by hash, heights, attributes, in both orders and in pages', async () => {
  const { client, address } = chain.person(0);
  const hashes: string[] = [];
  const heights: number[] = [];
  for (let i = 0; i < 3; i++) {
    const sent = await client.sendTokens(address, ABSENT, coins(10 + i, DENOM), FEE);
    assertIsDeliverTxSuccess(sent);
    hashes.push(sent.transactionHash);
    heights.push(sent.height);
  }
  const sender = `transfer.sender='${address}'`;
  const found = async (query: string) => (await client.searchTx(query)).map(({ hash }) => hash);
  expect(await found(`tx.hash='${hashes[1]}'`)).toEqual([hashes[1]]);
  expect(await found(`tx.height=${heights[2]}`)).toContain(hashes[2]);
  expect(await found(sender)).toEqual(hashes);
  expect(await found(`${sender} AND tx.height>${heights[0]} AND tx.height<=${heights[2]}`)).toEqual(hashes.slice(1));
  expect(await found(`${sender} AND transfer.amount CONTAINS '11'`)).toEqual([hashes[1]]);
  expect(await found(`transfer.amount EXISTS AND tx.height>=${heights[2]} AND ${sender}`)).toEqual([hashes[2]]);
  expect(await found(`transfer.sender='${ABSENT}'`)).toEqual([]);
  const pairs = [
    { key: 'transfer.sender', value: address },
    { key: 'message.action', value: '/cosmos.bank.v1beta1.MsgSend' },
  ];
  expect((await client.searchTx(pairs)).map(({ hash }) => hash)).toEqual(hashes);
  // `total_count` counts all, whatever the page: clients read pages until they have as many.
  const page = await comet.txSearch({ query: sender, page: 2, per_page: 2, order_by: 'desc' });
  expect(page.totalCount).toBe(3);
  expect(page.txs.map(({ hash }) => toHexUpper(hash))).toEqual([hashes[0]]);
  expect((await comet.txSearchAll({ query: sender, per_page: 1 })).txs).toHaveLength(3);
  const proven = await comet.txSearch({ query: `tx.hash='${hashes[0]}'`, prove: true });
  const { header } = (await comet.block(heights[0])).block;
  expect(proven.txs[0]?.proof?.rootHash).toEqual(header.dataHash);
  await expect(comet.txSearch({ query: sender, page: 9 })).rejects.toThrow('page should be within [1, 1] range');
});

test('search: a committed transaction on the wire, as wallets poll for it', async () => {
  const person = chain.person(0);
  const tx = await signedSend(person);
  const hash = toHexUpper(sha256(tx));
  const broadcast = await ask('broadcast_tx_sync', { tx: toBase64(tx) });
  expect(broadcast).toEqual({ code: 0, data: '', log: '', codespace: '', hash });
  const query = { query: `tx.hash='${hash}'` };
  await until('the transaction is in a block', async () => (await ask('tx_search', query)).total_count === '1');
  const [found] = (await ask('tx_search', query)).txs;
  expect(found).toMatchObject({
    hash,
    height: expect.stringMatching(/^\d+$/),
    index: expect.any(Number),
    tx: toBase64(tx),
  });
  expect(found.tx_result).toMatchObject({
    code: 0,
    log: '',
    gas_wanted: '200000',
    gas_used: expect.stringMatching(/^\d+$/),
    data: expect.stringMatching(/^[A-Za-z0-9+/]+=*$/),
  });
  // `tx` takes the hash in base64.
  expect(await ask('tx', { hash: toBase64(fromHex(hash)) })).toEqual(found);
  const empty = await ask('tx_search', { query: `tx.hash='${'00'.repeat(32)}'` });
  expect(empty).toEqual({ txs: [], total_count: '0' });
});

test.each([
  ['HTTP', () => new HttpClient(chain.rpcUrl)],
  ['WebSocket', () => new WebsocketClient(chain.websocketUrl)],
] as const)('blocks: every kind of answer over %s', async (_name, rpc: () => RpcClient) => {
  const client = Comet38Client.create(rpc());
  const { syncInfo } = await client.status();
  const latest = syncInfo.latestBlockHeight;
  const { block, blockId } = await client.block(latest);
  expect(block.header).toMatchObject({ chainId: CHAIN_ID, height: latest });
  expect(block.lastCommit?.height).toBe(latest - 1);
  expect((await client.block(1)).block.lastCommit).toBeNull();
  expect((await client.commit(latest - 1)).commit.blockId.hash).toEqual(block.header.lastBlockId?.hash);
  const { blockMetas } = await client.blockchain(latest - 1, latest);
  expect(blockMetas.map(({ blockId: id }) => toHex(id.hash))[0]).toBe(toHex(blockId.hash));
  const results = await client.blockResults(latest);
  expect(results).toMatchObject({ height: latest, validatorUpdates: [] });
  expect((await client.validatorsAll(latest)).validators).toHaveLength(1);
  const search = await client.blockSearch({
    query: `block.height>=${latest - 3} AND block.height<=${latest - 1}`,
    per_page: 2,
  });
  expect(search.totalCount).toBe(3);
  const all = await client.blockSearchAll({
    query: `block.height>=${latest - 3} AND block.height<${latest}`,
    per_page: 1,
  });
  expect(all.blocks.map(({ block: { header } }) => header.height)).toEqual([latest - 3, latest - 2, latest - 1]);
  expect(await client.genesis()).toMatchObject({ chainId: CHAIN_ID, appHash: new Uint8Array(0) });
  const info = await client.abciInfo();
  expect(info.lastBlockHeight).toBeGreaterThanOrEqual(latest);
  expect((await client.numUnconfirmedTxs()).total).toBeGreaterThanOrEqual(0);
  await expect(client.block(latest + 1_000)).rejects.toThrow(
    'must be less than or equal to the current blockchain height',
  );
  client.disconnect();
});

test('blocks: the state of a past height, and proofs of it', async () => {
  const { client, address } = chain.person(1);
  const height = await client.getHeight();
  const sent = await client.sendTokens(address, ABSENT, coins(1_000, DENOM), FEE);
  assertIsDeliverTxSuccess(sent);
  const at = async (given: number) => {
    const { QueryBalanceRequest, QueryBalanceResponse } = await import('cosmjs-types/cosmos/bank/v1beta1/query');
    const data = QueryBalanceRequest.encode(QueryBalanceRequest.fromPartial({ address, denom: DENOM })).finish();
    const answer = await comet.abciQuery({ path: '/cosmos.bank.v1beta1.Query/Balance', data, height: given });
    expect(answer.height).toBe(given);
    return BigInt(QueryBalanceResponse.decode(answer.value).balance?.amount ?? 0n);
  };
  expect((await at(height)) - (await at(sent.height))).toBe(6_000n);
  const proven = await comet.abciQuery({ path: '/store/bank/key', data: fromHex('00'), height, prove: true });
  expect(proven.proof?.ops.map(({ type }) => type)).toEqual(['ics23:iavl', 'ics23:simple']);
  expect(proven.height).toBe(height);
});

test('blocks: what a wallet sends and does not wait for, sends until it is in its block, and reads again', async () => {
  const person = chain.person(1);
  const { client, address } = person;
  // The three ways of the RPC, one after the other: each stands in a block before the next is signed.
  const asynchronous = await signedSend(person);
  const { hash } = await comet.broadcastTxAsync({ tx: asynchronous });
  expect(hash).toEqual(sha256(asynchronous));
  await until('the transaction is in a block', async () => (await client.getTx(toHexUpper(hash))) !== null);
  const committed = await comet.broadcastTxCommit({ tx: await signedSend(person) });
  expect(committed).toMatchObject({ checkTx: { code: 0 }, txResult: { code: 0 }, height: expect.any(Number) });
  const synchronous = await client.signAndBroadcastSync(address, [send(address, ABSENT, 3)], FEE);
  expect(synchronous).toMatch(/^[0-9A-F]{64}$/);
  await until('the transaction is in a block', async () => (await client.getTx(synchronous)) !== null);
  await expect(client.broadcastTxSync(asynchronous)).rejects.toBeInstanceOf(BroadcastTxError);

  const found = await comet.tx({ hash: committed.hash, prove: true });
  expect(found).toMatchObject({ height: committed.height, hash: committed.hash, result: { code: 0 } });
  const block = await client.getBlock(committed.height);
  expect(block.header).toMatchObject({ chainId: CHAIN_ID, height: committed.height });
  expect(block.txs.map(toBase64)).toContain(toBase64(found.tx));
  expect(found.proof?.rootHash).toEqual((await comet.block(committed.height)).block.header.dataHash);
  const { tx, txResponse } = await everyQuery(comet).tx.getTx(synchronous);
  expect(txResponse).toMatchObject({ txhash: synchronous, code: 0, codespace: '' });
  expect(tx?.body?.messages.map(({ typeUrl }) => typeUrl)).toEqual(['/cosmos.bank.v1beta1.MsgSend']);
});

test('subscriptions: transactions, all and by an attribute, blocks and headers, as long as somebody listens', async () => {
  const client = Comet38Client.create(new WebsocketClient(chain.websocketUrl));
  const txs: string[] = [];
  const mine: string[] = [];
  const blocks: number[] = [];
  const headers: number[] = [];
  const fail = (error: unknown) => expect.unreachable(String(error));
  const person = chain.person(2);
  const subscriptions = [
    client.subscribeTx().subscribe({ next: ({ hash }) => void txs.push(toHexUpper(hash)), error: fail }),
    client
      .subscribeTx(`transfer.sender = '${person.address}'`)
      .subscribe({ next: ({ hash }) => void mine.push(toHexUpper(hash)), error: fail }),
    client.subscribeNewBlock().subscribe({ next: ({ header }) => void blocks.push(header.height), error: fail }),
    client.subscribeNewBlockHeader().subscribe({ next: ({ height }) => void headers.push(height), error: fail }),
  ];
  await until('blocks are told', async () => blocks.length > 0 && headers.length > 0);
  const own = await person.client.sendTokens(person.address, ABSENT, coins(1, DENOM), FEE);
  const other = await chain.person(3).client.sendTokens(chain.person(3).address, ABSENT, coins(1, DENOM), FEE);
  await until('the transactions are told', async () => txs.length >= 2 && mine.length >= 1);
  expect(txs).toEqual([own.transactionHash, other.transactionHash]);
  expect(mine).toEqual([own.transactionHash]);
  await until('more blocks are told', async () => blocks.length >= 4 && headers.length >= 4);
  // None is left out, none comes twice.
  for (const list of [blocks, headers]) expect(list).toEqual(list.map((_, i) => defined(list[0], 'a height') + i));
  for (const one of subscriptions) one.unsubscribe();
  // The same connection goes on answering, and nothing more is told.
  await client.health();
  const told = blocks.length;
  const { latestBlockHeight } = (await client.status()).syncInfo;
  await until('blocks go on', async () => (await client.status()).syncInfo.latestBlockHeight > latestBlockHeight + 2);
  expect(blocks.length).toBeLessThanOrEqual(told + 1);
  client.disconnect();
});

test('subscriptions: a browser wallet follows its transaction by its hash, with positional parameters', async () => {
  const tx = await signedSend(chain.person(2));
  const id = sha256(tx);
  const socket = new WebSocket(`${chain.websocketUrl}/websocket`);
  await new Promise((resolve) => socket.addEventListener('open', resolve));
  // biome-ignore lint/suspicious/noExplicitAny: whatever the node answered
  const told: any[] = [];
  socket.addEventListener('message', ({ data }) => void told.push(JSON.parse(String(data))));
  const call = (id: number, method: string, params: unknown[]) =>
    socket.send(JSON.stringify({ jsonrpc: '2.0', id, method, params }));
  call(1, 'subscribe', ["tm.event='NewBlock'"]);
  call(2, 'subscribe', [`tm.event='Tx' AND tx.hash='${toHexUpper(id)}'`]);
  call(3, 'tx', [toBase64(id), false]);
  const answers = (given: number) => told.filter((answer) => answer.id === given);
  await until('the transaction is not there yet', async () => answers(3).length === 1);
  expect(answers(3)[0].error).toMatchObject({ code: -32603, data: `tx (${toHexUpper(id)}) not found` });
  await ask('broadcast_tx_sync', [toBase64(tx)]);
  await until('the transaction is told', async () => answers(2).length === 2);
  expect(answers(2)[0]).toEqual({ jsonrpc: '2.0', id: 2, result: {} });
  const { data, events } = answers(2)[1].result;
  expect(data.type).toBe('tendermint/event/Tx');
  expect(data.value.TxResult).toMatchObject({
    height: expect.any(String),
    tx: toBase64(tx),
    result: { data: expect.any(String) },
  });
  expect(data.value.TxResult.result.code ?? 0).toBe(0);
  expect(events).toMatchObject({ 'tx.hash': [toHexUpper(id)], 'tm.event': ['Tx'] });
  await until('its block is told', async () =>
    answers(1).some(({ result }) => result.data?.value.block.header.height === data.value.TxResult.height),
  );
  call(4, 'tx', [toBase64(id), false]);
  await until('the transaction is found', async () => answers(4).length === 1);
  expect(answers(4)[0].result).toMatchObject({
    hash: toHexUpper(id),
    height: data.value.TxResult.height,
    tx: toBase64(tx),
  });
  socket.close();
});

test('subscriptions: a malformed query fails the stream with the error of CometBFT', async () => {
  const client = Comet38Client.create(new WebsocketClient(chain.websocketUrl));
  const failed = new Promise<unknown>((resolve) =>
    client.subscribeTx('malformed query').subscribe({ error: resolve, next: () => resolve('told something') }),
  );
  expect(String(await failed)).toContain('failed to parse query');
  client.disconnect();
});

test('timeouts: a transaction that is not found in time has its id in the error, and may still arrive', async () => {
  const person = chain.person(3);
  const tx = await signedSend(person);
  const failure = await person.client.broadcastTx(tx, 1, 5).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(TimeoutError);
  const { txId } = failure as TimeoutError;
  expect(txId).toBe(toHexUpper(sha256(tx)));
  await until('the transaction is found later', async () => (await person.client.getTx(txId)) !== null);
});

/** How CosmJS shows what CheckTx refuses. */
async function refusal(person: Person, tx: Promise<Uint8Array>): Promise<BroadcastTxError> {
  const failure = await person.client.broadcastTx(await tx, 5_000, 50).catch((error: unknown) => error);
  expect(failure).toBeInstanceOf(BroadcastTxError);
  return failure as BroadcastTxError;
}

test('errors: what is refused has code, codespace and reason', async () => {
  const person = chain.person(3);
  const { sequence } = await person.client.getSequence(person.address);
  const cases = [
    [{ fee: { amount: coins(2_000_000_000, DENOM), gas: '200000' } }, 5, 'insufficient funds'],
    [{ sequence: sequence + 5 }, 32, `account sequence mismatch, expected ${sequence}, got ${sequence + 5}`],
    [{ chainId: 'another-1' }, 4, 'signature verification failed'],
    [{ fee: { amount: coins(5_000, DENOM), gas: '1000' } }, 11, 'out of gas'],
  ] as const;
  for (const [options, code, log] of cases) {
    const error = await refusal(person, signedSend(person, options));
    expect(error, log).toMatchObject({ code, codespace: 'sdk' });
    expect(error.log).toContain(log);
  }
  const { client, address } = person;
  const data = { ...(await client.getSequence(address)), chainId: CHAIN_ID };
  const badPrefix = await client.sign(
    address,
    [send(address, toBech32('tgrade', new Uint8Array(20)), 1)],
    FEE,
    '',
    data,
  );
  const error = await refusal(person, Promise.resolve(TxRaw.encode(badPrefix).finish()));
  expect(error).toMatchObject({ code: 4, codespace: 'sdk' });
  // None of it has cost anything.
  expect(await client.getSequence(address)).toMatchObject({ sequence });
});

test('errors: what fails in its block has its code, and what it used', async () => {
  const { client, address } = chain.person(3);
  const fee = { amount: coins(5_000, DENOM), gas: '99000' };
  const tooMuch = await client.sendTokens(address, ABSENT, coins(2_000_000_000, DENOM), fee);
  expect(tooMuch).toMatchObject({ code: 5, rawLog: expect.stringContaining('insufficient funds'), gasWanted: 99_000n });
  expect(tooMuch.gasUsed).toBeGreaterThan(40_000n);
  expect(tooMuch.gasUsed).toBeLessThan(99_000n);
  expect(() => assertIsDeliverTxSuccess(tooMuch)).toThrow('Error when broadcasting tx');
  const stake = {
    typeUrl: '/cosmos.staking.v1beta1.MsgDelegate',
    value: { delegatorAddress: address, validatorAddress: chain.validator, amount: { denom: DENOM, amount: '11' } },
  };
  const short = await client.signAndBroadcast(address, [stake], fee);
  expect(short).toMatchObject({ code: 11, gasWanted: 99_000n });
  // What it needed when it was stopped, as the Cosmos SDK counts.
  expect(short.gasUsed).toBeGreaterThan(short.gasWanted);
  const found = defined(await client.getTx(short.transactionHash), 'the failed transaction');
  expect(found).toMatchObject({ code: 11, rawLog: expect.stringContaining('out of gas') });
});

test('queries: every one that CosmJS makes of bank, staking, distribution, mint and slashing', async () => {
  const { staking, distribution, mint, slashing } = everyQuery(comet);
  const { validator } = chain;
  const { address } = chain.person(0);
  expect((await staking.validator(validator)).validator).toMatchObject({ operatorAddress: validator, jailed: false });
  expect((await staking.validators('BOND_STATUS_BONDED')).validators).toHaveLength(1);
  expect((await staking.validators('BOND_STATUS_UNBONDED')).validators).toHaveLength(0);
  expect((await staking.params()).params).toMatchObject({ bondDenom: DENOM, maxValidators: 10 });
  expect((await staking.pool()).pool?.bondedTokens).toBe('10000000');
  const { latestBlockHeight } = (await comet.status()).syncInfo;
  const { hist } = await staking.historicalInfo(latestBlockHeight - 1);
  expect(hist?.header?.height).toBe(BigInt(latestBlockHeight - 1));
  expect(hist?.valset).toHaveLength(1);
  expect((await staking.delegatorDelegations(address)).delegationResponses).toEqual([]);
  expect((await distribution.params()).params).toBeDefined();
  expect((await distribution.communityPool()).pool).toBeDefined();
  expect((await distribution.delegatorWithdrawAddress(address)).withdrawAddress).toBe(address);
  expect((await distribution.delegatorValidators(address)).validators).toEqual([]);
  expect((await distribution.delegationTotalRewards(address)).total).toEqual([]);
  expect((await distribution.validatorCommission(validator)).commission).toBeDefined();
  expect((await distribution.validatorOutstandingRewards(validator)).rewards).toBeDefined();
  expect((await distribution.validatorSlashes(validator, 0, latestBlockHeight)).slashes).toEqual([]);
  const inflation = await mint.inflation();
  expect(inflation.toFloatApproximation()).toBeGreaterThan(0);
  expect((await mint.params()).mintDenom).toBe(DENOM);
  expect((await mint.annualProvisions()).toFloatApproximation()).toBeGreaterThan(0);
  expect((await slashing.params()).params).toBeDefined();
  const { info } = await slashing.signingInfos();
  expect(info).toHaveLength(1);
  const one = await slashing.signingInfo(defined(info[0], 'a signing info').address);
  expect(one.valSigningInfo).toMatchObject({ tombstoned: false, missedBlocksCounter: 0n });
  // Who operates the validator has staked for it.
  const operator = toBech32('auton', fromBech32(validator).data);
  expect((await staking.delegatorValidator(operator, validator)).validator.operatorAddress).toBe(validator);
  expect((await distribution.delegationRewards(operator, validator)).rewards.map(({ denom }) => denom)).toEqual([
    DENOM,
  ]);
});
