import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, onTestFinished, test } from 'vitest';
import type { CheckTxResponse, QueryResponse } from '#core/abci.ts';
import { EMPTY, utf8 } from '#core/bytes.ts';
import { lengthDelimited } from '#core/codec/proto-writer.ts';
import { silentLogger } from '#core/ports/logger.ts';
import { toHeight } from '#core/types/brand.ts';
import { type AbciClient, openAbciClient, type RequestValue } from '#test/support/abci-client.ts';
import type { AbciAddress } from './address.ts';
import type { AbciApplication } from './dispatch.ts';
import { ABCI_LIMITS } from './limits.ts';
import { type AbciExchange, type AbciServerDeps, startAbciServer } from './server.ts';

const LOCAL: AbciAddress = { kind: 'tcp', host: '127.0.0.1', port: 0 };

const found: QueryResponse = {
  code: 0,
  codespace: '',
  log: '',
  info: '',
  index: 0n,
  key: EMPTY,
  value: EMPTY,
  proofOps: [],
  height: 1n,
};
const admitted: CheckTxResponse = {
  code: 0,
  codespace: '',
  log: '',
  data: EMPTY,
  gasWanted: 1n,
  gasUsed: 1n,
  events: [],
  priority: 0n,
  sender: '',
  sequence: 0n,
};

/** Answers everything plainly. */
const plain: AbciApplication = {
  info: () => ({ data: 'plain', version: '1', appVersion: 1n, lastBlockHeight: toHeight(3), lastBlockAppHash: EMPTY }),
  query: ({ path }) => ({ ...found, value: utf8(path) }),
  checkTx: async () => admitted,
  initChain: () => ({ consensusParams: undefined, validators: [], appHash: EMPTY }),
  prepareProposal: ({ txs }) => txs,
  processProposal: () => ({ accept: true, reason: '' }),
  extendVote: () => utf8('extension'),
  verifyVoteExtension: ({ extension }) => extension.length > 0,
  finalizeBlock: () => ({
    events: [],
    txResults: [],
    validatorUpdates: [],
    consensusParamUpdates: undefined,
    appHash: utf8('root'),
  }),
  commit: async () => ({ retainHeight: 0n }),
  listSnapshots: async () => [],
  offerSnapshot: async () => ({ result: 'reject', reason: 'not now' }),
  loadSnapshotChunk: async () => EMPTY,
  applySnapshotChunk: async () => ({ result: 'accept', refetchChunks: [], rejectSenders: [], reason: '', done: true }),
};

interface Served {
  readonly address: AbciAddress;
  readonly failures: unknown[];
  readonly exchanges: AbciExchange[];
  open(): Promise<AbciClient>;
}

async function serve(app: Partial<AbciApplication> = {}, deps: Partial<AbciServerDeps> = {}): Promise<Served> {
  const failures: unknown[] = [];
  const exchanges: AbciExchange[] = [];
  const server = await startAbciServer(
    { listen: LOCAL },
    {
      app: { ...plain, ...app },
      logger: silentLogger,
      fatal: (error) => failures.push(error),
      onExchange: (exchange) => exchanges.push(exchange),
      ...deps,
    },
  );
  onTestFinished(() => server.close());
  return { address: server.address, failures, exchanges, open: () => openAbciClient(server.address) };
}

const time = { seconds: 1_772_366_400n, nanos: 0 };
const commit: RequestValue = { case: 'commit', value: {} };
const finalize: RequestValue = { case: 'finalizeBlock', value: { height: 4n, time } };
const echo = (message: string): RequestValue => ({ case: 'echo', value: { message } });

test('four connections, each answered in the order of its requests', async () => {
  const { open, exchanges } = await serve();
  const clients = await Promise.all([open(), open(), open(), open()]);
  for (const [i, client] of clients.entries()) {
    client.send(echo(`first of ${i}`));
    client.send({ case: 'query', value: { path: `/second/${i}` } });
    client.send({ case: 'checkTx', value: { tx: utf8('tx') } });
    client.send({ case: 'verifyVoteExtension', value: { height: 4n, voteExtension: EMPTY } });
    client.send({ case: 'flush', value: {} });
  }
  for (const [i, client] of clients.entries()) {
    expect(await client.next()).toMatchObject({ case: 'echo', value: { message: `first of ${i}` } });
    expect(await client.next()).toMatchObject({ case: 'query', value: { value: utf8(`/second/${i}`) } });
    expect(await client.next()).toMatchObject({ case: 'checkTx', value: { gasWanted: 1n } });
    expect(await client.next()).toMatchObject({ case: 'verifyVoteExtension', value: { status: 2 } });
    expect((await client.next()).case).toBe('flush');
  }
  expect(new Set(exchanges.map(({ connection }) => connection))).toEqual(new Set([1, 2, 3, 4]));
});

test('every call of the interface has its answer', async () => {
  const { open } = await serve();
  const client = await open();
  const answers: [RequestValue, unknown][] = [
    [
      { case: 'info', value: {} },
      { case: 'info', value: { data: 'plain', lastBlockHeight: 3n } },
    ],
    [{ case: 'prepareProposal', value: { height: 4n, time, txs: [utf8('a')] } }, { value: { txs: [utf8('a')] } }],
    [{ case: 'processProposal', value: { height: 4n, time } }, { value: { status: 1 } }],
    [{ case: 'extendVote', value: { height: 4n, time } }, { value: { voteExtension: utf8('extension') } }],
    [finalize, { case: 'finalizeBlock', value: { appHash: utf8('root') } }],
    [commit, { case: 'commit', value: { retainHeight: 0n } }],
    [
      { case: 'listSnapshots', value: {} },
      { case: 'listSnapshots', value: { snapshots: [] } },
    ],
    [
      { case: 'offerSnapshot', value: {} },
      { case: 'offerSnapshot', value: { result: 3 } },
    ],
    [
      { case: 'loadSnapshotChunk', value: {} },
      { case: 'loadSnapshotChunk', value: { chunk: EMPTY } },
    ],
    [
      { case: 'applySnapshotChunk', value: {} },
      { case: 'applySnapshotChunk', value: { result: 1 } },
    ],
  ];
  for (const [request, answer] of answers) expect(await client.call(request)).toMatchObject(answer as object);
});

test('block-driving calls are made one at a time across connections; queries are answered meanwhile', async () => {
  const order: string[] = [];
  const { promise: written, resolve: finishWriting } = Promise.withResolvers<void>();
  const { open } = await serve({
    async commit() {
      order.push('commit begins');
      await written;
      order.push('commit ends');
      return { retainHeight: 0n };
    },
    finalizeBlock(request) {
      order.push('finalize');
      return plain.finalizeBlock(request);
    },
  });
  const [one, two, three] = await Promise.all([open(), open(), open()]);
  const committing = one.call(commit);
  const finalizing = two.call(finalize);
  while (order.length === 0) await three.call({ case: 'query', value: { path: '/wait' } });
  expect(await three.call({ case: 'query', value: { path: '/meanwhile' } })).toMatchObject({ case: 'query' });
  finishWriting();
  expect((await committing).case).toBe('commit');
  expect((await finalizing).case).toBe('finalizeBlock');
  const begins = order.indexOf('commit begins');
  expect(order[begins + 1]).toBe('commit ends');
  expect(order).toHaveLength(3);
});

test('a query or check at which the application throws is answered with a code: an exception would stop CometBFT', async () => {
  const { open, failures } = await serve({
    query: () => {
      throw new Error('a bug');
    },
    checkTx: async () => {
      throw new Error('another');
    },
  });
  const client = await open();
  const failed = { code: 35, codespace: 'sdk', log: 'internal error' };
  expect(await client.call({ case: 'query', value: {} })).toMatchObject({ case: 'query', value: failed });
  expect(await client.call({ case: 'checkTx', value: {} })).toMatchObject({ case: 'checkTx', value: failed });
  expect(failures).toEqual([]);
});

test('a block at which the application throws is an exception without a trace, and the end of the application', async () => {
  const { open, failures } = await serve({
    finalizeBlock: () => {
      throw new Error(`half a block\n    at secret.ts:1:1 ${'x'.repeat(5_000)}`);
    },
  });
  const client = await open();
  const answer = await client.call(finalize);
  expect(answer).toMatchObject({ case: 'exception', value: { error: 'half a block' } });
  expect(failures).toHaveLength(1);
});

test('a genesis that is refused is an exception, and the application can be asked again', async () => {
  let attempts = 0;
  const { open, failures } = await serve({
    initChain(request) {
      if (attempts++ === 0) throw new RangeError('genesis: app_state.bank: missing');
      return plain.initChain(request);
    },
  });
  const params = { block: { maxBytes: 1n, maxGas: -1n }, validator: { pubKeyTypes: ['ed25519'] } };
  const evidence = { maxAgeNumBlocks: 1n, maxAgeDuration: { seconds: 1n, nanos: 0 }, maxBytes: 0n };
  const begin: RequestValue = {
    case: 'initChain',
    value: { time, chainId: 'test', initialHeight: 1n, consensusParams: { ...params, evidence } },
  };
  const refused = await (await open()).call(begin);
  expect(refused).toMatchObject({ case: 'exception', value: { error: 'genesis: app_state.bank: missing' } });
  expect(failures).toEqual([]);
  expect((await (await open()).call(begin)).case).toBe('initChain');
});

test.each([
  ['no member', lengthDelimited(EMPTY), 'expected exactly one member, got 0'],
  ['two members', lengthDelimited(Uint8Array.of(0x12, 0, 0x5a, 0)), 'expected exactly one member, got 2'],
  ['a retired member', lengthDelimited(Uint8Array.of(0x3a, 0)), 'unknown field 7'],
  ['an unknown field', lengthDelimited(Uint8Array.of(0x12, 2, 0x08, 1)), 'unknown field 1'],
  ['no time', lengthDelimited(Uint8Array.of(0xa2, 1, 0)), 'finalize_block.time: missing'],
  ['a message of two gigabytes', Uint8Array.of(0xff, 0xff, 0xff, 0xff, 0x07), 'longer than 4 bytes'],
  ['a message beyond the limit', Uint8Array.of(0x81, 0x80, 0x80, 0x32), 'exceeds the limit'],
])('%s: a sentence, the end of that connection, and of no other', async (_name, bytes, sentence) => {
  const { open, failures } = await serve();
  const [bad, good] = await Promise.all([open(), open()]);
  bad.send(echo('before'));
  bad.raw(bytes);
  expect(await bad.next()).toMatchObject({ case: 'echo' });
  const answer = await bad.next();
  expect(answer.case).toBe('exception');
  expect((answer.value as { error: string }).error).toContain(sentence);
  await bad.closed;
  expect(await good.call(echo('still here'))).toMatchObject({ value: { message: 'still here' } });
  expect(failures).toEqual([]);
});

test('connections beyond the limit are dropped, the others stay', async () => {
  const { open } = await serve();
  const clients: AbciClient[] = [];
  for (let i = 0; i < ABCI_LIMITS.maxConnections; i++) {
    const client = await open();
    await client.call(echo(String(i)));
    clients.push(client);
  }
  const extra = await open();
  await extra.closed;
  expect(await clients[0]?.call(echo('still here'))).toMatchObject({ value: { message: 'still here' } });
});

test('a client that does not read holds up nobody, and no more is computed for it than its buffers take', async () => {
  let asked = 0;
  const large = new Uint8Array(100_000);
  const { open } = await serve({
    query: ({ path }) => {
      if (path === '/large') asked++;
      return { ...found, value: path === '/large' ? large : EMPTY };
    },
  });
  const [lazy, busy] = await Promise.all([open(), open()]);
  lazy.socket.pause();
  const wanted = 2_000;
  for (let i = 0; i < wanted; i++) lazy.send({ case: 'query', value: { path: '/large' } });
  // Until the server has stopped asking the application for it.
  for (let before = -1; before !== asked || asked === 0; ) {
    before = asked;
    for (let i = 0; i < 50; i++) await busy.call({ case: 'query', value: { path: '/small' } });
  }
  expect(asked).toBeLessThan(wanted);
  lazy.socket.resume();
  for (let i = 0; i < wanted; i++) expect((await lazy.next()).case).toBe('query');
  expect(asked).toBe(wanted);
});

test('closing finishes the commit in work', async () => {
  const { promise: written, resolve: finishWriting } = Promise.withResolvers<void>();
  const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
  const done: string[] = [];
  const server = await startAbciServer(
    { listen: LOCAL },
    {
      app: {
        ...plain,
        async commit() {
          begin();
          await written;
          done.push('written');
          return { retainHeight: 0n };
        },
      },
      logger: silentLogger,
      fatal: () => {},
    },
  );
  const client = await openAbciClient(server.address);
  client.send(commit);
  await begun;
  const closed = server.close().then(() => done.push('closed'));
  finishWriting();
  await closed;
  expect(done).toEqual(['written', 'closed']);
  await client.closed;
});

test('a socket that a killed process left is replaced; one that is answered, and any other file, is not', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'autonomy-abci-'));
  onTestFinished(() => rmSync(folder, { recursive: true }));
  const path = join(folder, 'abci.sock');
  const deps = { app: plain, logger: silentLogger, fatal: () => {} };
  const listen: AbciAddress = { kind: 'unix', path };

  // A listening socket whose process ends without closing leaves its file.
  const { spawnSync } = await import('node:child_process');
  const code = `require('net').createServer().listen(${JSON.stringify(path)}, () => process.kill(process.pid, 'SIGKILL'))`;
  spawnSync(process.execPath, ['-e', code]);
  expect(statSync(path).isSocket()).toBe(true);
  const server = await startAbciServer({ listen }, deps);
  const client = await openAbciClient(listen);
  expect(await client.call(echo('new'))).toMatchObject({ value: { message: 'new' } });

  await expect(startAbciServer({ listen }, deps)).rejects.toThrow('EADDRINUSE');
  expect(await client.call(echo('old'))).toMatchObject({ value: { message: 'old' } });
  await server.close();

  writeFileSync(path, 'somebody’s notes');
  await expect(startAbciServer({ listen }, deps)).rejects.toThrow('EADDRINUSE');
  expect(statSync(path).isFile()).toBe(true);
});

test('a port in use is told', async () => {
  const taken = createServer();
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
  onTestFinished(() => void taken.close());
  const bound = taken.address();
  if (bound === null || typeof bound === 'string') throw new Error('expected a port');
  const listen: AbciAddress = { kind: 'tcp', host: '127.0.0.1', port: bound.port };
  await expect(startAbciServer({ listen }, { app: plain, logger: silentLogger, fatal: () => {} })).rejects.toThrow(
    'EADDRINUSE',
  );
});
