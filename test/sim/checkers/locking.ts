import { toHex } from '#core/bytes.ts';
import { blockIdKey, isNilBlockId } from '#core/types/block-id.ts';
import { PREVOTE, type Vote } from '#core/types/vote.ts';
import { Violation } from './violation.ts';

/**
 * An honest validator that has precommitted a block prevotes no other one, unless 2f+1 have prevoted that one in a round
 * since (lines 23 and 29): it does not forget its lock, whatever crash lies between.
 */
export class LockingChecker {
  /** Last precommit for a block, by height and validator. */
  readonly #locks = new Map<string, { readonly round: number; readonly block: string }>();
  /** Who prevoted what, Byzantine votes included: height/round/block → validator → power. */
  readonly #prevotes = new Map<string, Map<string, bigint>>();

  /** Any vote that was ever sent, with the power of its validator. */
  seen(vote: Vote, power: bigint): void {
    if (vote.type !== PREVOTE) return;
    const key = `${vote.height}/${vote.round}/${blockIdKey(vote.blockId)}`;
    const voters = this.#prevotes.get(key) ?? new Map<string, bigint>();
    voters.set(toHex(vote.validatorAddress), power);
    this.#prevotes.set(key, voters);
  }

  honest(node: string, vote: Vote, totalPower: bigint): void {
    const place = `${vote.height} ${toHex(vote.validatorAddress)}`;
    if (isNilBlockId(vote.blockId)) return;
    const block = blockIdKey(vote.blockId);
    if (vote.type !== PREVOTE) {
      this.#locks.set(place, { round: vote.round, block });
      return;
    }
    const lock = this.#locks.get(place);
    if (lock === undefined || lock.block === block || vote.round <= lock.round) return;
    for (let round = lock.round; round < vote.round; round++) {
      let power = 0n;
      for (const each of this.#prevotes.get(`${vote.height}/${round}/${block}`)?.values() ?? []) power += each;
      if (power * 3n > totalPower * 2n) return;
    }
    throw new Violation(
      'locking',
      `${node} at ${vote.height}: precommitted ${lock.block} in round ${lock.round}, prevoted ${block} in round ${vote.round}`,
    );
  }
}
