import fc from 'fast-check';
import { expect, test } from 'vitest';
import { txResult } from '#test/arbitrary/result.ts';
import { type Event, type ExecTxResult, lastResultsHash } from './abci.ts';
import { EMPTY } from './bytes.ts';
import { decode } from './codec/proto-reader.ts';
import { ProtoWriter } from './codec/proto-writer.ts';
import { readTxResult, TxResultLog, writeTxResult } from './tx-result.ts';

function logged(results: readonly ExecTxResult[]): readonly ExecTxResult[] {
  const log = new TxResultLog();
  for (const result of results) log.add(result);
  return log.finish();
}

/** Message in message, each finished before it is written: the form that is stored. */
function nested(result: ExecTxResult): Uint8Array {
  const eventBytes = ({ type, attributes }: Event) => {
    const event = new ProtoWriter().string(1, type);
    for (const { key, value, index } of attributes)
      event.message(2, new ProtoWriter().string(1, key).string(2, value).bool(3, index).finish());
    return event.finish();
  };
  const writer = new ProtoWriter().varint(1, result.code).bytes(2, result.data).string(3, result.log);
  writer.string(4, result.info).varint(5, result.gasWanted).varint(6, result.gasUsed).string(8, result.codespace);
  for (const event of result.events) writer.message(7, eventBytes(event));
  return new ProtoWriter().message(2, writer.finish()).finish();
}

function written(result: ExecTxResult): Uint8Array {
  const writer = new ProtoWriter();
  writeTxResult(writer, 2, result);
  return writer.finish();
}

test('a result that is kept as bytes says what the result says, and is written as it', () => {
  fc.assert(
    fc.property(fc.array(txResult, { maxLength: 5 }), (results) => {
      const kept = logged(results);
      expect(kept.length).toBe(results.length);
      for (const [i, result] of results.entries()) {
        const { code, data, log, info, gasWanted, gasUsed, codespace, events } = kept[i] as ExecTxResult;
        expect({ code, data, log, info, gasWanted, gasUsed, codespace, events }).toEqual(result);
        expect(written(kept[i] as ExecTxResult)).toEqual(nested(result));
        expect(written(result)).toEqual(nested(result));
      }
      expect(lastResultsHash(kept)).toEqual(lastResultsHash(results));
    }),
  );
});

test('results that are kept as bytes are told apart by their events', () => {
  const result = { code: 0, data: EMPTY, log: '', info: '', gasWanted: 1n, gasUsed: 1n, codespace: '' };
  const ofType = (type: string) => logged([{ ...result, events: [{ type, attributes: [] }] }]);
  expect(ofType('a')).toEqual(ofType('a'));
  expect(ofType('a')).not.toEqual(ofType('b'));
});

test('a log that is finished takes nothing more', () => {
  const log = new TxResultLog();
  expect(log.finish()).toEqual([]);
  expect(() => log.finish()).toThrow('a message is finished once');
});

test('what is not a result is refused', () => {
  const refused = decode(() => readTxResult('result', Uint8Array.of(0x4a, 0)));
  expect(refused).toEqual({ ok: false, error: 'result: unknown field 9' });
});
