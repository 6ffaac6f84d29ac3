/**
 * The runtime's only node-local input: what this validator has computed in the background. `finalizeBlock` never
 * touches it. Implemented in `node/duties`.
 */
export interface Duties {
  /**
   * The vote extension to attach at `height`: commitments and openings of this validator's verdicts that are ready.
   * Called by extendVote alone; answers at once.
   */
  extension(height: bigint): Uint8Array;
}

/** A node without duties (a full node, a test): its extensions are empty. */
export const noDuties: Duties = {
  extension() {
    return new Uint8Array(0);
  },
};
