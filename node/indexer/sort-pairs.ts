/**
 * Entries are written about in the order of their keys: LevelDB inserts in half of the time what comes in order. Its answers are
 * the same whatever the order is, so that a few bytes of the keys are enough for it.
 * @param pairs a number and the bytes to sort by, in turn. Of the same bytes the lower number comes first.
 */
export function sortPairs(pairs: Uint32Array<ArrayBuffer>): void {
  // As one number each, of which the second half is the greater one; where it is not, they stay as they came.
  new BigUint64Array(pairs.buffer).sort();
}
