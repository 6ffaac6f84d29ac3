/**
 * The transactions of a block and what became of them, one by one, as the node stores them: whoever asks for one does not
 * wait, on the thread of consensus, until all are decoded and hashed.
 */
import type { ExecTxResult } from '#core/abci.ts';
import { readTxResult } from '#core/tx-result.ts';
import { BLOCK, RESPONSE, type Span, StoredFields } from './stored-fields.ts';

/**
 * By the place in the block; undefined: there are not so many. Places that ascend are found in one pass.
 * @param results as `encodeFinalizeResponse` of `driver/abci-codec.ts` makes them. @throws DecodeError
 */
export function resultReader(title: string, results: Uint8Array): (index: number) => ExecTxResult | undefined {
  const spanAt = spans(results, RESPONSE.txResult, { from: 0, to: results.length });
  return (index) => {
    const span = spanAt(index);
    return span && readTxResult(`${title}.${index}`, results.subarray(span.from, span.to));
  };
}

/** As {@link resultReader}. @param block as `encodeBlock` of `core/types/block.ts` makes it. @throws DecodeError */
export function txReader(block: Uint8Array): (index: number) => Uint8Array | undefined {
  const fields = new StoredFields(block);
  while (fields.next()) {
    if (fields.number !== BLOCK.data) continue;
    const spanAt = spans(block, BLOCK.tx, fields);
    return (index) => {
      const span = spanAt(index);
      return span && block.subarray(span.from, span.to);
    };
  }
  return () => undefined;
}

/** Where the fields of a number are within a message. */
function spans(bytes: Uint8Array, number: number, { from, to }: Span): (index: number) => Span | undefined {
  let fields = new StoredFields(bytes, from, to);
  let next = 0;
  return (index) => {
    if (index < next) {
      fields = new StoredFields(bytes, from, to);
      next = 0;
    }
    while (fields.next()) if (fields.number === number && next++ === index) return fields;
    return undefined;
  };
}
