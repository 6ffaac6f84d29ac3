/** The result of one transaction, out of the results of its block as the node stores them. */
import type { ExecTxResult } from '#core/abci.ts';
import { readTxResult } from '../driver/abci-codec.ts';
import { RESPONSE, StoredFields } from './stored-fields.ts';

/**
 * By the place in the block; undefined: there are not so many. Places that ascend are found in one pass.
 * @param results as `encodeFinalizeResponse` of `driver/abci-codec.ts` makes them. @throws DecodeError
 */
export function resultReader(title: string, results: Uint8Array): (index: number) => ExecTxResult | undefined {
  let fields = new StoredFields(results);
  let next = 0;
  return (index) => {
    if (index < next) {
      fields = new StoredFields(results);
      next = 0;
    }
    while (fields.next()) {
      if (fields.number !== RESPONSE.txResult || next++ < index) continue;
      return readTxResult(`${title}.${index}`, results.subarray(fields.from, fields.to));
    }
    return undefined;
  };
}
