import type { PeerMessage } from '#consensus/messages.ts';
import { toHex } from '#core/bytes.ts';
import { blockIdKey } from '#core/types/block-id.ts';
import { Violation } from './violation.ts';

/** No honest validator ever releases two signatures for different things at one height, round and step. */
export class DoubleSignChecker {
  readonly #signed = new Map<string, string>();

  published(node: string, message: PeerMessage): void {
    if (message.kind === 'vote') {
      const { type, height, round, validatorAddress, blockId } = message.vote;
      this.#note(node, `vote ${type} ${height}/${round} of ${toHex(validatorAddress)}`, blockIdKey(blockId));
    } else if (message.kind === 'proposal') {
      const { height, round, blockId } = message.proposal;
      this.#note(node, `proposal ${height}/${round} of ${node}`, blockIdKey(blockId));
    }
  }

  #note(node: string, place: string, what: string): void {
    const known = this.#signed.get(place) ?? what;
    if (known !== what) throw new Violation('double sign', `${node}, ${place}: ${known} and then ${what}`);
    this.#signed.set(place, what);
  }
}
