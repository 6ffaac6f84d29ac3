/** What clients send: any text is answered with JSON-RPC, and only with that. */
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
import { DEFAULT_SERVER_LIMITS } from '#rpc/limits.ts';
import { parseQuery } from '#rpc/query.ts';
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

test('any query text is a query or a sentence', () => {
  fc.assert(
    fc.property(fc.string({ maxLength: 600 }), (text) => {
      expect(typeof parseQuery(text).ok).toBe('boolean');
    }),
    { numRuns: fuzzRuns() },
  );
});
