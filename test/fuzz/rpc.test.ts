/** What clients send: any text is answered with JSON-RPC, and only with that. */
import { connect } from 'node:net';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { silentLogger } from '#core/ports/logger.ts';
import { toHeight } from '#core/types/brand.ts';
import type { Backend } from '#rpc/backend.ts';
import { blockJson, readBlockJson } from '#rpc/comet/json/block.ts';
import { readConsensusParamsJson } from '#rpc/comet/json/params.ts';
import { readJson } from '#rpc/comet/json/reader.ts';
import { readTxResultJson } from '#rpc/comet/json/results.ts';
import { readValidatorJson } from '#rpc/comet/json/validator.ts';
import { createJsonRpc, routes } from '#rpc/comet/json-rpc.ts';
import { readUriParams } from '#rpc/comet/params.ts';
import { startCometServer } from '#rpc/comet/server.ts';
import { createSubscriptions } from '#rpc/comet/subscriptions.ts';
import { DEFAULT_SERVER_LIMITS, RPC_LIMITS } from '#rpc/limits.ts';
import { matchesPublished, matchesQuery, parseQuery, printQuery } from '#rpc/query.ts';
import * as arbitrary from '#test/arbitrary/block.ts';
import { fuzzRuns } from './runs.ts';

/** Every call of the backend fails as a value or is a bug of the routes. */
const refusing = new Proxy({} as Backend, {
  get: (_target, name) =>
    name === 'heights'
      ? () => ({ base: toHeight(1), latest: toHeight(5) })
      : () => ({ ok: false, error: { kind: 'not-found', message: 'nothing' } }),
});

const method = fc.constantFrom(
  ...[...routes.keys()].filter((name) => !/genesis|status|net_info|abci_info|unconfirmed|commit$/.test(name)),
  'x',
);
const params = fc.dictionary(
  fc.constantFrom(
    'height',
    'hash',
    'query',
    'page',
    'per_page',
    'tx',
    'data',
    'path',
    'prove',
    'order_by',
    'evidence',
    '__proto__',
  ),
  fc.oneof(fc.jsonValue(), fc.constantFrom('1', '-1', 'tx.height=1', 'AAAA', '00'.repeat(32))),
);

describe('JSON-RPC', () => {
  const rpc = createJsonRpc(DEFAULT_SERVER_LIMITS, {
    backend: refusing,
    logger: { ...silentLogger, error: unexpected },
  });

  function unexpected(message: string, fields?: Readonly<Record<string, unknown>>): void {
    throw new Error(`${message} ${String(fields?.error)}`);
  }

  const request = fc.record({
    id: fc.oneof(fc.jsonValue(), fc.nat()),
    method,
    params: fc.oneof(params, fc.jsonValue()),
  });
  const body = fc.oneof(
    fc.string(),
    fc.json(),
    request.map((one) => JSON.stringify(one)),
    fc.array(request, { maxLength: 4 }).map((many) => JSON.stringify(many)),
  );

  test('any body is answered', async () => {
    await fc.assert(
      fc.asyncProperty(body, async (text) => {
        const answer = await rpc.post(text);
        if (answer.text === undefined) return;
        for (const one of [JSON.parse(answer.text)].flat()) {
          expect(one.jsonrpc).toBe('2.0');
          expect('result' in one).not.toBe('error' in one);
        }
      }),
      { numRuns: fuzzRuns() },
    );
  });

  test('any GET is answered', async () => {
    await fc.assert(
      fc.asyncProperty(
        method,
        fc.dictionary(fc.constantFrom('height', 'hash', 'data', 'tx', 'query'), fc.string()),
        async (name, query) => {
          const { text } = await rpc.get(name, new URLSearchParams(query));
          expect(JSON.parse(text)).toHaveProperty('jsonrpc', '2.0');
        },
      ),
      { numRuns: fuzzRuns() },
    );
  });
});

test('any JSON is a value or a sentence to each reader', () => {
  const readers = [readBlockJson, readValidatorJson, readConsensusParamsJson, readTxResultJson];
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      for (const read of readers) expect(typeof readJson(() => read('it', value)).ok).toBe('boolean');
    }),
    { numRuns: fuzzRuns() },
  );
});

test('a block with one member replaced is a value or a sentence', () => {
  const damaged = fc.tuple(arbitrary.block, fc.nat(), fc.jsonValue()).map(([block, pick, value]) => {
    let at = 0;
    const text = JSON.stringify(blockJson(block), (_key, member) => (at++ === pick % 60 ? value : member));
    return JSON.parse(text ?? 'null');
  });
  fc.assert(
    fc.property(damaged, (value) => {
      expect(typeof readJson(() => readBlockJson('block', value)).ok).toBe('boolean');
    }),
    { numRuns: fuzzRuns() },
  );
});

const pieces = fc.constantFrom(
  'tm.event',
  'transfer.amount',
  'tx',
  "'Tx'",
  "'",
  '5',
  '-1.5',
  '=',
  '<=',
  '>',
  ' ',
  ' AND ',
  ' EXISTS',
  ' CONTAINS ',
  ' TIME 2026-01-01T00:00:00Z',
  ' DATE 2026-01-01',
);
const queryText = fc.oneof(
  fc.string({ maxLength: 600 }),
  fc.array(pieces, { maxLength: 20 }).map((list) => list.join('')),
);

test('any query text is a query or a sentence; a query has one spelling, and matches or does not', () => {
  const events = fc.dictionary(
    fc.constantFrom('tm.event', 'transfer.amount', 'tx.hash', 'tx'),
    fc.array(fc.oneof(fc.string(), fc.constantFrom('5', '5uauton', '2026-01-01', 'Tx')), { maxLength: 3 }),
  );
  fc.assert(
    fc.property(queryText, events, (text, values) => {
      const query = parseQuery(text);
      if (!query.ok) {
        expect(query.error).not.toBe('');
        return;
      }
      const map = new Map(Object.entries(values));
      const matched = matchesPublished(query.value, map);
      expect(typeof matchesQuery(query.value, [map])).toBe('boolean');
      const spelled = printQuery(query.value);
      const again = parseQuery(spelled);
      if (spelled.length > RPC_LIMITS.maxQueryChars) return;
      if (!again.ok) throw new Error(`${spelled}: ${again.error}`);
      expect(printQuery(again.value)).toBe(spelled);
      expect(matchesPublished(again.value, map)).toBe(matched);
    }),
    { numRuns: fuzzRuns() },
  );
});

test('any parameters of a GET are values or a sentence, for every method', () => {
  const value = fc.oneof(
    fc.string(),
    fc.constantFrom('"x"', '0x', '0xff', '0xzz', '"', '""', '1', '-1', '9'.repeat(40), 'true', '{}', '%'),
  );
  const tables = [...routes.values()].map((route) => route.params);
  fc.assert(
    fc.property(fc.constantFrom(...tables), fc.array(value, { maxLength: 6 }), fc.string(), (table, values, extra) => {
      const query = new URLSearchParams(extra);
      for (const [i, name] of Object.keys(table).entries()) query.append(name, values[i] ?? '');
      const read = readJson(() => readUriParams(table, query));
      if (read.ok) expect(Object.keys(read.value)).toEqual(Object.keys(table));
      else expect(read.error).not.toBe('');
    }),
    { numRuns: fuzzRuns() },
  );
});

describe('WebSocket', () => {
  const quiet = { onCommitted: () => () => {}, onConsensus: () => () => {}, isInjection: () => false };
  const backend = new Proxy({} as Backend, {
    get: (_target, name) => Reflect.get(quiet, name) ?? Reflect.get(refusing, name),
  });

  test('any order of subscribing and unsubscribing keeps to the limits, and leaves nothing behind', () => {
    const action = fc.record({
      client: fc.nat(2),
      what: fc.constantFrom('subscribe', 'subscribe', 'unsubscribe', 'all', 'close'),
      query: fc.constantFrom("tm.event='Tx'", "tm.event = 'Tx'", 'a.b=1', 'a.b EXISTS', "tm.event='Vote'", 'malformed'),
    });
    fc.assert(
      fc.property(fc.array(action, { maxLength: 40 }), (actions) => {
        const limits = { maxSubscriptionClients: 2, maxSubscriptionsPerClient: 2 };
        const subscriptions = createSubscriptions(limits, { backend, logger: silentLogger });
        const cancelled: unknown[] = [];
        const clients = [0, 1, 2].map(() =>
          subscriptions.client({ event: () => {}, cancelled: (id) => cancelled.push(id) }),
        );
        const held = [new Set<string>(), new Set<string>(), new Set<string>()];
        for (const [id, { client: i, what, query }] of actions.entries()) {
          const [client, own] = [clients[i], held[i]];
          if (client === undefined || own === undefined) throw new Error('three clients');
          const key = query.replace(' = ', '=');
          if (what === 'subscribe' && client.subscribe(id, query).ok) own.add(key);
          else if (what === 'unsubscribe') expect(client.unsubscribe(query).ok).toBe(own.delete(key));
          else if (what === 'all') expect(client.unsubscribeAll().ok).toBe(own.size > 0);
          else if (what === 'close') expect(client.close()).toHaveLength(own.size);
          if (what === 'all' || what === 'close') own.clear();
          expect(own.size).toBeLessThanOrEqual(2);
          expect(held.filter((one) => one.size > 0).length).toBeLessThanOrEqual(2);
        }
        subscriptions.close();
        expect(cancelled).toHaveLength(held.reduce((sum, own) => sum + own.size, 0));
      }),
      { numRuns: fuzzRuns() },
    );
  });

  test('any bytes after the handshake harm that connection alone', async () => {
    const limits = { ...DEFAULT_SERVER_LIMITS, maxBodyBytes: 2_000 };
    const server = await startCometServer(
      { host: '127.0.0.1', port: 0, corsOrigins: [], limits },
      { backend, logger: silentLogger },
    );
    const url = new URL(server.url);
    const header = fc.tuple(fc.integer({ min: 0, max: 255 }), fc.integer({ min: 0, max: 255 }));
    const text = fc.oneof(fc.json(), fc.constantFrom('{"id":1,"method":"subscribe","params":["a.b=1"]}', '[]', '{'));
    const frame = fc.oneof(
      fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
      fc
        .tuple(header, fc.uint8Array({ maxLength: 130 }))
        .map(([head, body]) => Buffer.concat([Buffer.from(head), body])),
      text
        .filter((one) => one.length < 126 && /^[\x20-\x7e]*$/.test(one))
        .map((one) => Buffer.concat([Buffer.from([0x81, 0x80 | one.length, 0, 0, 0, 0]), Buffer.from(one)])),
    );
    const handshake = `GET /websocket HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: ${'A'.repeat(22)}==\r\n\r\n`;
    await fc.assert(
      fc.asyncProperty(fc.array(frame, { minLength: 1, maxLength: 5 }), async (frames) => {
        const socket = connect(Number(url.port), url.hostname);
        socket.on('error', () => {});
        socket.resume();
        socket.end(Buffer.concat([Buffer.from(handshake), ...frames]));
        await new Promise((resolve) => socket.on('close', resolve));
        const answer = await fetch(`${server.url}/health`);
        expect(await answer.json()).toMatchObject({ result: {} });
      }),
      { numRuns: fuzzRuns(200) },
    );
    await server.close();
  });
});
