import { TxResult } from 'cosmjs-types/tendermint/abci/types';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { Event, ExecTxResult } from '#core/abci.ts';
import { EMPTY, toHexUpper, utf8 } from '#core/bytes.ts';
import { sha256 } from '#core/crypto/hash.ts';
import { encodeBlock } from '#core/types/block.ts';
import { EMPTY_COMMIT } from '#core/types/commit.ts';
import { headerAt } from '#rpc/comet/fake-chain.test-util.ts';
import { txResult } from '#test/arbitrary/result.ts';
import { encodeFinalizeResponse } from '../../driver/abci-codec.ts';
import { rowsOf, type SinkBlock } from './rows.ts';

function blockOf(
  txResults: readonly ExecTxResult[],
  { events = [], injected = false }: { readonly events?: readonly Event[]; readonly injected?: boolean } = {},
): SinkBlock {
  const txs = txResults.map((_, i) => utf8(`tx ${i}`));
  return {
    height: 7n,
    block: encodeBlock({ header: headerAt(7n), txs, evidence: [], lastCommit: EMPTY_COMMIT }),
    results: encodeFinalizeResponse({
      events,
      txResults,
      validatorUpdates: [],
      consensusParamUpdates: undefined,
      appHash: EMPTY,
    }),
    injected,
  };
}

const result = (events: readonly Event[] = []): ExecTxResult => ({
  code: 5,
  data: utf8('data'),
  log: 'a log',
  info: '',
  gasWanted: 9n,
  gasUsed: 8n,
  events,
  codespace: 'sdk',
});

const event = (type: string, ...attributes: readonly [key: string, value: string, index?: boolean][]): Event => ({
  type,
  attributes: attributes.map(([key, value, index = true]) => ({ key, value, index })),
});

test('a block tells its height, each transaction its hash and height, and then what they have told', () => {
  const mint = event('mint', ['amount', '5']);
  const transfer = event('transfer', ['sender', 'alice'], ['recipient', 'bob']);
  const hash = toHexUpper(sha256(utf8('tx 0')));
  expect([...rowsOf(blockOf([result([transfer])], { events: [mint] }))]).toMatchObject([
    {
      tx: undefined,
      events: [
        { type: 'block', attributes: [['height', '7']] },
        { type: 'mint', attributes: [['amount', '5']] },
      ],
    },
    {
      tx: { index: 0, hash },
      events: [
        { type: 'tx', attributes: [['hash', hash]] },
        { type: 'tx', attributes: [['height', '7']] },
        {
          type: 'transfer',
          attributes: [
            ['sender', 'alice'],
            ['recipient', 'bob'],
          ],
        },
      ],
    },
  ]);
});

test('the result is what CometBFT writes: height, place, transaction and result', () => {
  fc.assert(
    fc.property(fc.array(txResult, { minLength: 1, maxLength: 3 }), (results) => {
      const rows = [...rowsOf(blockOf(results))].flatMap(({ tx }) => (tx === undefined ? [] : [tx]));
      expect(rows.map(({ index }) => index)).toEqual(results.map((_, i) => i));
      for (const [i, one] of results.entries()) {
        const { height, index, tx, result } = TxResult.decode(rows[i]?.result ?? EMPTY);
        expect([height, index, tx]).toEqual([7n, i, utf8(`tx ${i}`)]);
        expect({ ...result, events: result?.events }).toMatchObject(one);
      }
    }),
  );
});

test("the proposer's own transaction is nobody's, and the others keep their places", () => {
  const rows = [...rowsOf(blockOf([result(), result(), result()], { injected: true }))];
  expect(rows.map(({ tx }) => tx?.index)).toEqual([undefined, 1, 2]);
});

test('left out: events without a type, attributes that are not to be indexed, keys too long for the table', () => {
  const told = [event('', ['a', 'b']), event('kept', ['seen', '1'], ['unseen', '2', false], ['k'.repeat(257), '3'])];
  const [, tx] = [...rowsOf(blockOf([result(told)]))];
  expect(tx?.events.slice(2)).toEqual([{ type: 'kept', attributes: [['seen', '1']] }]);
});

test('a key that comes again begins a further row, so that nothing is lost; NUL becomes what PostgreSQL can hold', () => {
  const told = event('coin', ['by', 'alice'], ['amount', '1'], ['by', 'bob\0'], ['amount', '2']);
  const [, tx] = [...rowsOf(blockOf([result([told])]))];
  expect(tx?.events.slice(2)).toEqual([
    {
      type: 'coin',
      attributes: [
        ['by', 'alice'],
        ['amount', '1'],
      ],
    },
    {
      type: 'coin',
      attributes: [
        ['by', 'bob\ufffd'],
        ['amount', '2'],
      ],
    },
  ]);
});

test('an event without attributes is a row, and one whose stored bytes are damaged is said', () => {
  const [, tx] = [...rowsOf(blockOf([result([event('bare')])]))];
  expect(tx?.events.slice(2)).toEqual([{ type: 'bare', attributes: [] }]);
  expect(() => [...rowsOf({ ...blockOf([result()]), results: Uint8Array.of(0x0a, 0xff) })]).toThrow();
});
