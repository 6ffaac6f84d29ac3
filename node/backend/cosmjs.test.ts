/** Unmodified CosmJS against the JSON-RPC server, over the real application. */
import { toBase64, toBech32 } from '@cosmjs/encoding';
import { DirectSecp256k1HdWallet } from '@cosmjs/proto-signing';
import { calculateFee, coins, GasPrice, SigningStargateClient, StargateClient } from '@cosmjs/stargate';
import { Comet38Client, connectComet } from '@cosmjs/tendermint-rpc';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { defined } from '#core/assert.ts';
import { fromHex, toHexUpper } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { type CometServer, startCometServer } from '#rpc/comet/server.ts';
import { DEFAULT_SERVER_LIMITS } from '#rpc/limits.ts';
import { type SoloChain, startSoloChain } from './solo-chain.test-util.ts';

const CHAIN_ID = 'autonomy-test-1';
const MNEMONIC = 'abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon abandon about';
const ABSENT = toBech32('auton', new Uint8Array(20));

let wallet: DirectSecp256k1HdWallet;
let sender: string;
let recipient: string;
let chain: SoloChain;
let server: CometServer;

const addressOf = async (from: DirectSecp256k1HdWallet): Promise<string> =>
  defined((await from.getAccounts())[0], 'an account').address;

beforeAll(async () => {
  wallet = await DirectSecp256k1HdWallet.fromMnemonic(MNEMONIC, { prefix: 'auton' });
  sender = await addressOf(wallet);
  const other = await DirectSecp256k1HdWallet.generate(12, { prefix: 'auton' });
  recipient = await addressOf(other);
  chain = await startSoloChain({
    chainId: CHAIN_ID,
    appState: { bank: { balances: [{ address: sender, coins: [{ denom: 'uauton', amount: '1000000000' }] }] } },
    // A block as soon as there is something to put in it.
    available: () => void setImmediate(() => void chain.produce()),
  });
  await chain.produce();
  server = await startCometServer(
    { host: '127.0.0.1', port: 0, corsOrigins: [], limits: DEFAULT_SERVER_LIMITS },
    { backend: chain.backend, logger: silentLogger },
  );
});

afterAll(async () => {
  await server?.close();
});

const connectSigning = () =>
  SigningStargateClient.connectWithSigner(server.url, wallet, {
    gasPrice: GasPrice.fromString('0.025uauton'),
    broadcastPollIntervalMs: 20,
    broadcastTimeoutMs: 10_000,
  });

test('StargateClient connects, reads chain id, height, account and balances', async () => {
  const client = await StargateClient.connect(server.url);
  expect(await client.getChainId()).toBe(CHAIN_ID);
  expect(await client.getHeight()).toBeGreaterThanOrEqual(1);
  expect(await client.getAccount(sender)).toMatchObject({ address: sender });
  expect(await client.getAccount(ABSENT)).toBeNull();
  expect(await client.getBalance(ABSENT, 'uauton')).toEqual({ denom: 'uauton', amount: '0' });
  expect((await client.getAllBalances(sender)).map(({ denom }) => denom)).toEqual(['uauton']);
  expect((await client.getBlock(1)).header).toMatchObject({ chainId: CHAIN_ID, height: 1 });
  client.disconnect();
});

test('simulates, signs, broadcasts and finds a transfer', async () => {
  const client = await connectSigning();
  const before = BigInt((await client.getBalance(recipient, 'uauton')).amount);
  const message = {
    typeUrl: '/cosmos.bank.v1beta1.MsgSend',
    value: { fromAddress: sender, toAddress: recipient, amount: coins(1_234, 'uauton') },
  };
  const gas = await client.simulate(sender, [message], 'hello');
  expect(gas).toBeGreaterThan(10_000);
  const sent = await client.sendTokens(
    sender,
    recipient,
    coins(1_234, 'uauton'),
    calculateFee(gas * 2, '0.025uauton'),
    'hello',
  );
  expect(sent.code).toBe(0);
  expect(BigInt((await client.getBalance(recipient, 'uauton')).amount) - before).toBe(1_234n);
  const transfers = sent.events.filter(({ type }) => type === 'transfer').flatMap(({ attributes }) => attributes);
  expect(transfers).toContainEqual({ key: 'recipient', value: recipient });
  const byHash = await client.getTx(sent.transactionHash);
  expect(byHash).toMatchObject({ hash: sent.transactionHash, height: sent.height, code: 0, txIndex: 0 });
  expect(byHash?.msgResponses.map(({ typeUrl }) => typeUrl)).toEqual(['/cosmos.bank.v1beta1.MsgSendResponse']);
  const byHeight = await client.searchTx(`tx.height=${sent.height}`);
  expect(byHeight.map(({ hash }) => hash)).toContain(sent.transactionHash);
  const byEvent = await client.searchTx([{ key: 'transfer.recipient', value: recipient }]);
  expect(byEvent.map(({ hash }) => hash)).toEqual([sent.transactionHash]);
  expect(await client.searchTx([{ key: 'transfer.recipient', value: ABSENT }])).toEqual([]);
  expect(await client.getTx('00'.repeat(32))).toBeNull();
  client.disconnect();
});

test('a refused transfer says why', async () => {
  const client = await connectSigning();
  const fee = calculateFee(200_000, '0.025uauton');
  await expect(client.sendTokens(sender, recipient, coins(5_000_000_000, 'uauton'), fee)).resolves.toMatchObject({
    code: 5,
  });
  const tooLittle = { ...fee, amount: coins(1, 'uauton') };
  const tooDear = { ...fee, amount: coins(2_000_000_000, 'uauton') };
  await expect(client.sendTokens(sender, recipient, coins(1, 'uauton'), tooDear)).rejects.toThrow(/insufficient funds/);
  await expect(client.sendTokens(sender, recipient, coins(1, 'uauton'), tooLittle)).rejects.toThrow(/insufficient fee/);
  client.disconnect();
});

test('Comet38Client reads every kind of answer', async () => {
  const client = (await connectComet(server.url)) as Comet38Client;
  expect(client).toBeInstanceOf(Comet38Client);
  const status = await client.status();
  const latest = status.syncInfo.latestBlockHeight;
  expect(status).toMatchObject({ nodeInfo: { network: CHAIN_ID }, syncInfo: { catchingUp: false } });
  expect(status.validatorInfo.votingPower).toBe(10n);
  expect((await client.abciInfo()).lastBlockHeight).toBe(latest);
  const { block, blockId } = await client.block(latest);
  expect(toHexUpper(blockId.hash)).toBe(toHexUpper(status.syncInfo.latestBlockHash));
  expect(block.lastCommit?.signatures).toHaveLength(1);
  expect((await client.block(1)).block.lastCommit).toBeNull();
  const commit = await client.commit(latest - 1);
  expect(commit).toMatchObject({ canonical: true, header: { height: latest - 1 } });
  expect((await client.commit(latest)).canonical).toBe(false);
  const validators = await client.validatorsAll(latest);
  expect(validators).toMatchObject({ blockHeight: latest, count: 1, total: 1 });
  const chainInfo = await client.blockchain(1, 2);
  expect(chainInfo.blockMetas.map(({ header }) => header.height)).toEqual([2, 1]);
  const search = await client.blockSearchAll({ query: 'block.height >= 1', per_page: 1 });
  expect(search.totalCount).toBe(latest);
  // CosmJS itself sorts them ascending.
  expect(search.blocks.map((one) => one.block.header.height)).toEqual(Array.from({ length: latest }, (_, i) => i + 1));
  expect(await client.numUnconfirmedTxs()).toEqual({ total: 0, totalBytes: 0 });
  expect(await client.health()).toBeNull();
  const results = await client.blockResults(2);
  expect(results.results).toHaveLength((await client.block(2)).block.txs.length);
  const txs = await client.txSearchAll({ query: 'tx.height > 0', per_page: 1, prove: true });
  expect(txs.txs).toHaveLength(txs.totalCount);
  for (const found of txs.txs) {
    expect(toHexUpper(found.hash)).toBe(toHexUpper(sha256(found.tx)));
    const { header } = (await client.block(found.height)).block;
    expect(found.proof?.rootHash).toEqual(header.dataHash);
    expect(await client.tx({ hash: found.hash, prove: true })).toEqual(found);
  }
  client.disconnect();
});

test('GetTx of the tx service is answered from the index, proofs from the store', async () => {
  const client = await StargateClient.connect(server.url);
  const [found] = await client.searchTx('tx.height > 0');
  const { GetTxRequest, GetTxResponse } = await import('cosmjs-types/cosmos/tx/v1beta1/service');
  const comet = (await connectComet(server.url)) as Comet38Client;
  const ask = (hash: string) =>
    comet.abciQuery({
      path: '/cosmos.tx.v1beta1.Service/GetTx',
      data: GetTxRequest.encode(GetTxRequest.fromPartial({ hash })).finish(),
    });
  const answer = GetTxResponse.decode((await ask(found?.hash ?? '')).value);
  expect(answer.txResponse).toMatchObject({ txhash: found?.hash, height: BigInt(found?.height ?? 0), code: 0 });
  expect(answer.tx?.body?.memo).toBe('hello');
  const absent = await ask('AB'.repeat(32));
  expect(absent).toMatchObject({ codespace: 'sdk', code: 22 });
  expect(absent.log).toContain('rpc error: code = NotFound');
  expect((await ask('xyz')).log).toContain('expected 64 hex digits');
  const proven = await comet.abciQuery({ path: '/store/bank/key', data: fromHex('00'), prove: true });
  expect(proven.height).toBeGreaterThan(0);
  expect(proven.proof?.ops.map(({ type }) => type)).toEqual(['ics23:iavl', 'ics23:simple']);
  client.disconnect();
  comet.disconnect();
});

test('broadcast_tx_commit waits for the block', async () => {
  const client = await connectSigning();
  const fee = calculateFee(200_000, '0.025uauton');
  const message = {
    typeUrl: '/cosmos.bank.v1beta1.MsgSend',
    value: { fromAddress: sender, toAddress: recipient, amount: coins(7, 'uauton') },
  };
  const signed = await client.sign(sender, [message], fee, '');
  const { TxRaw } = await import('cosmjs-types/cosmos/tx/v1beta1/tx');
  const comet = (await connectComet(server.url)) as Comet38Client;
  const tx = TxRaw.encode(signed).finish();
  // Asking first leaves no trace: the broadcast is not refused for its sequence.
  const ask = { jsonrpc: '2.0', id: 1, method: 'check_tx', params: { tx: toBase64(tx) } };
  for (let i = 0; i < 2; i++) {
    const response = await fetch(server.url, { method: 'POST', body: JSON.stringify(ask) });
    expect(await response.json()).toMatchObject({ result: { code: 0, gas_wanted: '200000' } });
  }
  const done = await comet.broadcastTxCommit({ tx });
  expect(done).toMatchObject({ checkTx: { code: 0 }, txResult: { code: 0 } });
  expect(done.height).toBe((await comet.status()).syncInfo.latestBlockHeight);
  const again = await comet.broadcastTxSync({ tx });
  expect(again.code).not.toBe(0);
  client.disconnect();
  comet.disconnect();
});

test('on the wire: which numbers are strings, which are not; hashes in upper-case hex; no list is null', async () => {
  // biome-ignore lint/suspicious/noExplicitAny: whatever the server answered
  const ask = async (method: string, params: unknown = {}): Promise<any> => {
    const response = await fetch(server.url, {
      method: 'POST',
      body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }),
    });
    return ((await response.json()) as { result: unknown }).result;
  };
  const digits = expect.stringMatching(/^\d+$/);
  const hash = expect.stringMatching(/^[0-9A-F]{64}$/);
  expect(await ask('status')).toMatchObject({
    node_info: {
      version: expect.stringMatching(/^0\.38\./),
      moniker: expect.stringMatching(/./),
      listen_addr: expect.any(String),
    },
    sync_info: {
      latest_block_hash: hash,
      latest_app_hash: hash,
      latest_block_height: digits,
      catching_up: expect.any(Boolean),
    },
    validator_info: { voting_power: digits },
  });
  // The first block has no transaction.
  const { block_id, block } = await ask('block', { height: '1' });
  expect(block_id).toMatchObject({ hash, parts: { total: expect.any(Number), hash } });
  expect(block.header).toMatchObject({ height: '1', app_hash: hash });
  expect(block.data).toEqual({ txs: [] });
  expect(block.evidence).toEqual({ evidence: [] });
  const { signed_header } = await ask('commit', { height: '1' });
  expect(signed_header.commit).toMatchObject({ height: '1', round: expect.any(Number), signatures: expect.any(Array) });
  const { validators, ...counts } = await ask('validators');
  expect(counts).toEqual({ block_height: digits, count: digits, total: digits });
  expect(validators[0]).toMatchObject({
    address: expect.stringMatching(/^[0-9A-F]{40}$/),
    voting_power: digits,
    pub_key: { type: 'tendermint/PubKeyEd25519', value: expect.stringMatching(/=$/) },
  });
  for (const method of ['unconfirmed_txs', 'num_unconfirmed_txs'])
    expect(await ask(method)).toMatchObject({ n_txs: digits, total: digits, total_bytes: digits });
  expect((await ask('unconfirmed_txs')).txs).toEqual([]);
  expect(await ask('tx_search', { query: "tx.hash='00'" })).toEqual({ txs: [], total_count: '0' });
  // `data` arrives as lower-case hex, as CosmJS writes it.
  const path = '/cosmos.bank.v1beta1.Query/Params';
  for (const data of ['', '0a00'])
    expect((await ask('abci_query', { path, data })).response).toMatchObject({
      code: expect.any(Number),
      height: digits,
    });
  expect((await ask('abci_query', { path, data: '' })).response).toMatchObject({
    code: 0,
    height: expect.not.stringMatching(/^0$/),
  });
  expect(await ask('broadcast_tx_sync', { tx: 'AAAA' })).toMatchObject({ code: 2, codespace: 'sdk', data: '', hash });
});
