import fc from 'fast-check';
import { expect, test } from 'vitest';
import type { FinalizeBlockResponse } from '#core/abci.ts';
import { toHex, utf8 } from '#core/bytes.ts';
import { encodeFinalizeResponse } from '../driver/abci-codec.ts';
import { AttributePlaces } from './attribute-places.ts';
import { EntryMemory } from './entry-memory.ts';
import { INDEX_LIMITS } from './limits.ts';
import { RESPONSE, StoredFields } from './stored-fields.ts';

const SEGMENT = utf8('a segment');

/** A block with one event for each value. */
function blockOf(values: readonly string[]): FinalizeBlockResponse {
  const events = values.map((value) => ({ type: 'a', attributes: [{ key: 'b', value, index: true }] }));
  return {
    events,
    txResults: [],
    validatorUpdates: [],
    consensusParamUpdates: undefined,
    appHash: new Uint8Array(),
  };
}

function entriesOf(values: readonly string[], maxProbes: number): readonly string[] {
  const results = encodeFinalizeResponse(blockOf(values));
  const entries: string[] = [];
  const memory = new EntryMemory({ put: (key, value) => entries.push(`${toHex(key)} ${toHex(value)}`) });
  const places = new AttributePlaces(results, 'blockEvent', maxProbes);
  // Twice: of the first segment nothing is left for the second.
  for (let segment = 0; segment < 2; segment++) {
    const fields = new StoredFields(results);
    let number = 0;
    while (fields.next()) if (fields.number === RESPONSE.event) places.add(fields, 0, number++);
    for (const _ of places.write(memory, SEGMENT));
  }
  return entries;
}

test('values that find no place in the table are told apart as those that do', () => {
  const value = fc.oneof(fc.string({ unit: 'grapheme', maxLength: 6 }), fc.nat(300).map(String));
  fc.assert(
    fc.property(fc.array(value, { maxLength: 200 }), fc.constantFrom(0, 1, 2), (values, maxProbes) => {
      const crowded = entriesOf(values, maxProbes);
      expect(crowded).toEqual(entriesOf(values, INDEX_LIMITS.maxProbes));
      expect(crowded).toHaveLength(2 * new Set(values).size);
    }),
    { numRuns: 60 },
  );
});
