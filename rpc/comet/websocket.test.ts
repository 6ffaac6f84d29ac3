import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, expect, test } from 'vitest';
import { WebSocket } from 'ws';
import { defined } from '#core/assert.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { NIL_BLOCK_ID } from '#core/types/block-id.ts';
import { toAddress, toHeight, toRound } from '#core/types/brand.ts';
import { ZERO_TIME } from '#core/types/timestamp.ts';
import { PREVOTE } from '#core/types/vote.ts';
import { DEFAULT_SERVER_LIMITS, RPC_LIMITS, type ServerLimits } from '../limits.ts';
import { attributes, blockOf, fakeChain, INJECTION, txResult } from './fake-chain.test-util.ts';
import { type CometServer, startCometServer } from './server.ts';

// biome-ignore lint/suspicious/noExplicitAny: whatever the server answered
type Json = any;

const closers: (() => unknown)[] = [];
afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
});

async function serve(limits: Partial<ServerLimits> = {}, corsOrigins: string[] = []) {
  const chain = fakeChain();
  const server: CometServer = await startCometServer(
    { host: '127.0.0.1', port: 0, corsOrigins, limits: { ...DEFAULT_SERVER_LIMITS, ...limits } },
    { backend: chain.backend, logger: silentLogger },
  );
  closers.push(() => server.close());
  return { chain, server, url: `${server.url.replace('http', 'ws')}/websocket` };
}

/** A client that keeps what it is told until somebody asks for it. */
async function connectClient(url: string, headers: Record<string, string> = {}) {
  const socket = new WebSocket(url, { headers });
  const got: Json[] = [];
  const waiting: ((message: Json) => void)[] = [];
  socket.on('message', (data) => {
    const message = JSON.parse(String(data));
    const first = waiting.shift();
    if (first === undefined) got.push(message);
    else first(message);
  });
  const closed = new Promise<{ code: number; reason: string }>((resolve) =>
    socket.on('close', (code, reason) => resolve({ code, reason: String(reason) })),
  );
  closers.push(() => socket.terminate());
  await once(socket, 'open');
  const next = (): Promise<Json> =>
    got.length > 0 ? Promise.resolve(got.shift()) : new Promise((resolve) => waiting.push(resolve));
  const send = (value: unknown) => socket.send(typeof value === 'string' ? value : JSON.stringify(value));
  let lastId = 0;
  return {
    socket,
    closed,
    send,
    next,
    async ask(method: string, params?: unknown, id: unknown = ++lastId) {
      send({ jsonrpc: '2.0', id, method, params });
      return next();
    },
    unread: () => got.length,
  };
}

const refusal = (id: unknown, data: string) => ({
  jsonrpc: '2.0',
  id,
  error: { code: -32603, message: 'Internal error', data },
});
const subscribed = (id: unknown) => ({ jsonrpc: '2.0', id, result: {} });

test('every method is there, requests are answered in order, and faults do not end the connection', async () => {
  const { url } = await serve();
  const client = await connectClient(url);
  expect(await client.ask('health')).toEqual(subscribed(1));
  expect(await client.ask('health', [], 'text')).toEqual(subscribed('text'));
  expect(await client.ask('genesis_chunked', ['0'])).toMatchObject({ result: { chunk: '0', total: '1' } });
  expect(await client.ask('block', { height: '0' })).toEqual(refusal(3, 'height must be greater than 0, but got 0'));
  client.send('not json');
  expect(await client.next()).toMatchObject({ id: null, error: { code: -32700 } });
  expect(await client.ask('nothing')).toMatchObject({ id: 4, error: { code: -32601 } });
  client.send([
    { jsonrpc: '2.0', id: 'a', method: 'health' },
    { jsonrpc: '2.0', id: 'b', method: 'health' },
  ]);
  expect(await client.next()).toEqual([subscribed('a'), subscribed('b')]);
  // A notification has no answer: the next answer is that of the request after it.
  client.send({ jsonrpc: '2.0', method: 'health' });
  expect(await client.ask('health')).toEqual(subscribed(5));
  for (let id = 100; id < 150; id++) client.send({ jsonrpc: '2.0', id, method: 'health' });
  for (let id = 100; id < 150; id++) expect((await client.next()).id).toBe(id);
});

test('subscribe: the acknowledgement, then events under the id and the query of the request', async () => {
  const { url, chain } = await serve();
  const client = await connectClient(url);
  expect(await client.ask('subscribe', { query: "tm.event='Tx'  AND transfer.recipient = 'b'" })).toEqual(
    subscribed(1),
  );
  const transfer = attributes('transfer', ['sender', 'a'], ['recipient', 'b'], ['amount', '8uauton']);
  const own = utf8('tx');
  chain.commit(
    blockOf(7n, [
      [INJECTION, txResult(transfer)],
      [utf8('other'), txResult(attributes('transfer', ['recipient', 'c']))],
      [own, { ...txResult(transfer), gasUsed: 5n, code: 4, log: 'no' }],
    ]),
  );
  const hash = createHash('sha256').update(own).digest('hex').toUpperCase();
  expect(await client.next()).toEqual({
    jsonrpc: '2.0',
    id: 1,
    result: {
      query: "tm.event='Tx'  AND transfer.recipient = 'b'",
      data: {
        type: 'tendermint/event/Tx',
        value: {
          TxResult: {
            height: '7',
            index: 2,
            tx: 'dHg=',
            result: { code: 4, log: 'no', gas_used: '5', events: [{ ...transfer }] },
          },
        },
      },
      events: {
        'transfer.sender': ['a'],
        'transfer.recipient': ['b'],
        'transfer.amount': ['8uauton'],
        'tm.event': ['Tx'],
        'tx.hash': [hash],
        'tx.height': ['7'],
      },
    },
  });
  expect(await client.ask('health')).toEqual(subscribed(2));
  expect(client.unread()).toBe(0);
});

test('Limit: maxSubscriptionClients, maxSubscriptionsPerClient; subscribe: what is wrong with it is said, with the sentences of CometBFT', async () => {
  const { url, server } = await serve({ maxSubscriptionsPerClient: 2, maxSubscriptionClients: 2 });
  const client = await connectClient(url);
  expect(await client.ask('subscribe', { query: "tm.event='Tx'" })).toEqual(subscribed(1));
  expect(await client.ask('subscribe', { query: "tm.event =  'Tx'" })).toEqual(refusal(2, 'already subscribed'));
  expect(await client.ask('subscribe', { query: 'malformed query' })).toMatchObject({
    error: { code: -32603, data: expect.stringContaining('failed to parse query: offset 10: got tag') },
  });
  expect(await client.ask('subscribe', {})).toMatchObject({ error: { code: -32602, data: 'query: missing' } });
  expect(await client.ask('subscribe', ["tm.event='NewBlock'"])).toEqual(subscribed(5));
  expect(await client.ask('subscribe', ["tm.event='Vote'"])).toEqual(
    refusal(6, 'max_subscriptions_per_client 2 reached'),
  );
  const second = await connectClient(url);
  expect(await second.ask('subscribe', ["tm.event='Tx'"])).toEqual(subscribed(1));
  const third = await connectClient(url);
  expect(await third.ask('subscribe', ["tm.event='Tx'"])).toEqual(refusal(1, 'max_subscription_clients 2 reached'));
  // A client that goes makes room.
  second.socket.close();
  await second.closed;
  for (let answer = await third.ask('subscribe', ["tm.event='Tx'"]); answer.error; )
    answer = await third.ask('subscribe', ["tm.event='Tx'"]);
  expect(await client.ask('unsubscribe', { query: "tm.event='NewBlockHeader'" })).toEqual(
    refusal(7, 'subscription not found'),
  );
  expect(await client.ask('unsubscribe', { query: "tm.event = 'NewBlock'" })).toEqual(subscribed(8));
  expect(await client.ask('unsubscribe_all')).toEqual(subscribed(9));
  expect(await client.ask('unsubscribe_all')).toEqual(refusal(10, 'subscription not found'));
  // Over HTTP there is nowhere to send events to.
  const posted = await fetch(server.url, { method: 'POST', body: '{"id":1,"method":"subscribe","params":["a.b=1"]}' });
  expect(await posted.json()).toMatchObject({ error: { code: -32601 } });
  expect((await fetch(`${server.url}/subscribe?query="a.b=1"`)).status).toBe(404);
  expect((await fetch(`${server.url}/websocket`)).status).toBe(400);
});

test('every kind of event, in the order of CometBFT', async () => {
  const { url, chain } = await serve();
  const client = await connectClient(url);
  // Conditions on what all have, or only some.
  expect(await client.ask('subscribe', { query: 'tm.event EXISTS' })).toEqual(subscribed(1));
  const height = toHeight(9);
  const where = { height, round: 0, step: 3 } as const;
  chain.happen({ kind: 'new-round', height, round: 0, proposer: { address: toAddress(new Uint8Array(20)), index: 2 } });
  chain.happen({ kind: 'round-state', name: 'NewRoundStep', ...where });
  chain.happen({ kind: 'complete-proposal', ...where, blockId: NIL_BLOCK_ID });
  const vote = {
    type: PREVOTE,
    height,
    round: toRound(0),
    blockId: NIL_BLOCK_ID,
    timestamp: ZERO_TIME,
    validatorAddress: toAddress(new Uint8Array(20)),
    validatorIndex: 3,
    signature: Uint8Array.of(1),
    extension: EMPTY,
    extensionSignature: EMPTY,
  } as const;
  chain.happen({ kind: 'vote', vote });
  const minted = attributes('mint', ['amount', '7']);
  const updates = [{ publicKey: { type: 'ed25519', bytes: new Uint8Array(32) }, power: 5n }] as const;
  const block = blockOf(9n, [[utf8('tx'), txResult()]], [minted]);
  const withUpdates = { ...block, results: { ...block.results, validatorUpdates: updates } };
  chain.commit({
    ...withUpdates,
    block: {
      ...block.block,
      evidence: [
        {
          kind: 'duplicate-vote',
          voteA: vote,
          voteB: vote,
          totalVotingPower: 9n,
          validatorPower: 3n,
          timestamp: ZERO_TIME,
        },
      ],
    },
  });
  const values: Json = {};
  const order: string[] = [];
  for (let i = 0; i < 10; i++) {
    const { data, events } = (await client.next()).result;
    const [name] = events['tm.event'];
    order.push(name);
    values[name] = data;
  }
  expect(order).toEqual([
    'NewRound',
    'NewRoundStep',
    'CompleteProposal',
    'Vote',
    'NewBlock',
    'NewBlockHeader',
    'NewBlockEvents',
    'NewEvidence',
    'Tx',
    'ValidatorSetUpdates',
  ]);
  expect(values).toMatchObject({
    NewRound: {
      type: 'tendermint/event/NewRound',
      value: { height: '9', round: 0, step: 'RoundStepNewRound', proposer: { address: '00'.repeat(20), index: 2 } },
    },
    NewRoundStep: {
      type: 'tendermint/event/RoundState',
      value: { height: '9', round: 0, step: 'RoundStepPropose' },
    },
    CompleteProposal: { value: { height: '9', step: 'RoundStepPropose', block_id: { hash: '' } } },
    Vote: { type: 'tendermint/event/Vote', value: { Vote: { type: 1, height: '9', validator_index: 3 } } },
    NewBlock: {
      type: 'tendermint/event/NewBlock',
      value: {
        block: { header: { height: '9' }, data: { txs: ['dHg='] } },
        block_id: { hash: '' },
        result_finalize_block: {
          events: [minted],
          tx_results: [{ code: 0, gas_used: '0' }],
          validator_updates: [{ power: '5' }],
        },
      },
    },
    NewBlockHeader: { type: 'tendermint/event/NewBlockHeader', value: { header: { height: '9' } } },
    NewBlockEvents: {
      type: 'tendermint/event/NewBlockEvents',
      value: { height: '9', events: [minted], num_txs: '1' },
    },
    NewEvidence: { value: { height: '9', evidence: { type: 'tendermint/DuplicateVoteEvidence' } } },
    ValidatorSetUpdates: {
      type: 'tendermint/event/ValidatorSetUpdates',
      value: {
        validator_updates: [
          { voting_power: '5', proposer_priority: '0', pub_key: { type: 'tendermint/PubKeyEd25519' } },
        ],
      },
    },
  });
});

test('only who subscribed is told, and only until it unsubscribes', async () => {
  const { url, chain } = await serve();
  const [one, two] = [await connectClient(url), await connectClient(url)];
  await one.ask('subscribe', { query: "tm.event='NewBlockHeader'" });
  await two.ask('subscribe', { query: "tm.event='NewBlockHeader'" });
  chain.commit(blockOf(1n, []));
  expect((await one.next()).result.data.value.header.height).toBe('1');
  expect((await two.next()).result.data.value.header.height).toBe('1');
  await one.ask('unsubscribe', { query: "tm.event='NewBlockHeader'" });
  chain.commit(blockOf(2n, []));
  expect((await two.next()).result.data.value.header.height).toBe('2');
  expect(await one.ask('health')).toEqual(subscribed(3));
});

/** A client of bare TCP that upgrades, subscribes, and then reads nothing. */
async function deafClient(url: string, ...requests: unknown[]): Promise<Socket> {
  const { port } = new URL(url);
  const socket = connect(Number(port), '127.0.0.1');
  closers.push(() => socket.destroy());
  await once(socket, 'connect');
  socket.write(
    'GET /websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n\r\n',
  );
  await once(socket, 'data');
  for (const request of requests) socket.write(frame(JSON.stringify(request)));
  return socket;
}

/** Writes the same again and again until the other side is gone. */
async function refusesWrites(socket: Socket, bytes: Uint8Array, between?: () => Promise<void>): Promise<void> {
  let gone = false;
  socket.on('error', () => {
    gone = true;
  });
  while (!gone) {
    if (socket.writableLength < 1_000_000) socket.write(bytes);
    await between?.();
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
}

/** A masked text frame (RFC 6455 section 5.2); the mask is zero. */
function frame(message: string): Buffer {
  const payload = Buffer.from(message);
  const head =
    payload.length < 126 ? [0x81, 0x80 | payload.length] : [0x81, 0xfe, payload.length >> 8, payload.length & 255];
  return Buffer.concat([Buffer.from([...head, 0, 0, 0, 0]), payload]);
}

const bigBlock = (height: bigint) => blockOf(height, [[new Uint8Array(300_000), txResult()]]);

test('a client that does not read is dropped with the error of CometBFT; a client beside it gets every event', async () => {
  const { url, chain } = await serve({ maxBufferedMessages: 5, writeTimeoutMs: 60_000 });
  const good = await connectClient(url);
  await good.ask('subscribe', { query: "tm.event='NewBlock'" });
  const deaf = await deafClient(url, { jsonrpc: '2.0', id: 7, method: 'subscribe', params: ["tm.event='NewBlock'"] });
  await once(deaf, 'data');
  deaf.pause();
  let height = 0n;
  // Some lie in the sockets' own buffers before the server's fill.
  for (; height < 50n; ) {
    chain.commit(bigBlock(++height));
    expect((await good.next()).result.data.value.block.header.height).toBe(String(height));
  }
  const error = { code: -32000, message: 'Server error', data: 'subscription was canceled (reason: slow client)' };
  const last = JSON.stringify({ jsonrpc: '2.0', id: 7, error });
  let text = '';
  for await (const chunk of deaf) {
    text += (chunk as Buffer).toString('latin1');
    if (text.includes(last)) break;
  }
  expect(text.split('tendermint/event/NewBlock"').length - 1).toBeLessThan(50);
  chain.commit(bigBlock(++height));
  expect((await good.next()).result.data.value.block.header.height).toBe(String(height));
});

test('Limit: writeTimeoutMs, a client that takes nothing within the time is cut off, though few messages wait for it', async () => {
  const { url, chain } = await serve({ writeTimeoutMs: 200 });
  const deaf = await deafClient(url, { jsonrpc: '2.0', id: 7, method: 'subscribe', params: ["tm.event='NewBlock'"] });
  await once(deaf, 'data');
  deaf.pause();
  for (let height = 1n; height <= 40n; height++) chain.commit(bigBlock(height));
  await refusesWrites(deaf, frame('{}'));
});

test('Limit: maxBufferedBytesOfAll, who has the most waiting goes first when all together have too much', async () => {
  const { createOutputs } = await import('./output.ts');
  const sent: string[] = [];
  const pretend = () => ({
    OPEN: 1,
    readyState: 1,
    bufferedAmount: 0,
    send: (text: string) => sent.push(text),
    close: () => {},
    terminate: () => {},
  });
  const outputs = createOutputs({ maxBufferedMessages: 100, maxBufferedBytes: 1_000, writeTimeoutMs: 60_000 }, 1_000);
  const slow: string[] = [];
  const [a, b] = ['a', 'b'].map((name) => outputs.open(pretend() as unknown as WebSocket, () => slow.push(name)));
  if (a === undefined || b === undefined) throw new Error('two outputs');
  a.send('x'.repeat(600));
  b.send('x'.repeat(300));
  expect(slow).toEqual([]);
  b.send('x'.repeat(200));
  expect(slow).toEqual(['a']);
  a.send('more');
  expect(sent).toHaveLength(3);
  a.close();
  b.close();
});

test('a client that sends and does not read is not read from either, and goes in the end', async () => {
  const { url, server } = await serve({ writeTimeoutMs: 300 });
  const greedy = await deafClient(url);
  greedy.pause();
  const ask = frame(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'genesis' }));
  // As much as it can get rid of; the node answers others all the while.
  await refusesWrites(greedy, ask, async () => {
    const answer = await fetch(server.url, { method: 'POST', body: '{"id":1,"method":"health"}' });
    expect(answer.status).toBe(200);
  });
});

test('Limit: maxBodyBytes, a message that is too large ends the connection with 1009', async () => {
  const { url } = await serve({ maxBodyBytes: 1_000 });
  const client = await connectClient(url);
  client.send('x'.repeat(1_001));
  expect((await client.closed).code).toBe(1009);
});

test('Limit: maxQueuedRequests, more requests at once than the limit end the connection', async () => {
  const { url, chain } = await serve();
  const raw = await deafClient(url);
  const busy = frame(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'check_tx', params: { tx: 'AAAA' } }));
  // Small enough to arrive in one piece, before the socket is paused.
  const many = Array.from({ length: RPC_LIMITS.maxQueuedRequests + 1 }, () => frame('{}'));
  raw.write(Buffer.concat([busy, ...many]));
  const [chunk] = (await once(raw, 'data')) as [Buffer];
  expect(chunk.readUInt8(0)).toBe(0x88);
  expect(chunk.readUInt16BE(2)).toBe(1008);
  expect(chunk.toString('latin1')).toContain(`more than ${RPC_LIMITS.maxQueuedRequests} requests at once`);
  chain.release();
});

test('Limit: maxBufferedBytes, few large messages that wait are as much as many small ones', async () => {
  const { url, chain } = await serve({ maxBufferedBytes: 2_000_000, writeTimeoutMs: 60_000 });
  const deaf = await deafClient(url, { jsonrpc: '2.0', id: 7, method: 'subscribe', params: ["tm.event='NewBlock'"] });
  await once(deaf, 'data');
  deaf.pause();
  for (let height = 1n; height <= 60n; height++) chain.commit(bigBlock(height));
  let text = '';
  for await (const chunk of deaf) {
    text += (chunk as Buffer).toString('latin1');
    if (text.includes('(reason: slow client)')) break;
  }
  expect(text.split('tendermint/event/NewBlock"').length - 1).toBeLessThan(60);
});

test('Limit: maxQueuedBlocks, blocks that nobody takes out in time end all subscriptions', async () => {
  const { url, chain } = await serve();
  const client = await connectClient(url);
  await client.ask('subscribe', { query: "tm.event='NewBlockHeader'" });
  for (let height = 1n; height <= RPC_LIMITS.maxQueuedBlocks + 1; height++) chain.commit(blockOf(height, []));
  expect((await client.next()).error?.data).toContain('event buffer is out of capacity');
  expect(await client.ask('subscribe', { query: "tm.event='NewBlockHeader'" })).toEqual(subscribed(2));
});

test('Limit: pingPeriodMs, an answer keeps the connection, silence ends it', async () => {
  const { url } = await serve({ pingPeriodMs: 500 });
  const lively = await connectClient(url);
  const silent = await deafClient(url);
  // It reads, but answers no ping.
  silent.resume();
  await once(silent, 'close');
  expect(await lively.ask('health')).toEqual(subscribed(1));
  const ponged = once(lively.socket, 'pong');
  lively.socket.ping();
  await ponged;
});

test('a page of another origin is refused, a listed one and the node’s own are not', async () => {
  const { url } = await serve({}, ['https://wallet.example']);
  const refused = new WebSocket(url, { headers: { origin: 'https://other.example' } });
  const [error] = (await once(refused, 'error')) as [Error];
  expect(error.message).toContain('403');
  const listed = await connectClient(url, { origin: 'https://wallet.example' });
  expect(await listed.ask('health')).toEqual(subscribed(1));
  const own = await connectClient(url, { origin: `http://${new URL(url).host}` });
  expect(await own.ask('health')).toEqual(subscribed(1));
  const elsewhere = new WebSocket(url.replace('/websocket', '/other'));
  const [missing] = (await once(elsewhere, 'error')) as [Error];
  expect(missing.message).toContain('404');
});

test('when the node stops, subscribers are told and the server goes', async () => {
  const { url, server, chain } = await serve();
  const client = await connectClient(url);
  await client.ask('subscribe', { query: "tm.event='Tx'" });
  const last = client.next();
  await server.close();
  expect((await last).error).toEqual({
    code: -32000,
    message: 'Server error',
    data: 'subscription was canceled (reason: the node is stopping)',
  });
  await client.closed;
  expect(chain.listeners()).toBe(0);
});

test('Limit: maxQueuedEvents, events that nobody takes out in time end all subscriptions, and new ones may be made', async () => {
  const { url, chain } = await serve();
  const client = await connectClient(url);
  await client.ask('subscribe', { query: "tm.event='NewRoundStep'" });
  for (let i = 0; i <= RPC_LIMITS.maxQueuedEvents; i++)
    chain.happen({ kind: 'round-state', name: 'NewRoundStep', height: toHeight(1), round: i, step: 3 });
  expect((await client.next()).error?.data).toBe(
    'subscription was canceled (reason: internal subscription event buffer is out of capacity)',
  );
  expect(await client.ask('subscribe', { query: "tm.event='NewRoundStep'" })).toEqual(subscribed(2));
  chain.happen({ kind: 'round-state', name: 'NewRoundStep', height: toHeight(1), round: 5, step: 8 });
  expect(defined((await client.next()).result, 'an event').data.value).toEqual({
    height: '1',
    round: 5,
    step: 'RoundStepCommit',
  });
});
