import { toHex } from '#core/bytes.ts';
import type { CommittedBlock } from '#node/driver/block-executor.ts';
import { Violation } from './violation.ts';

/** After each height all honest applications have the same hash, also when they execute it again after a crash. */
export class AppHashChecker {
  readonly #hashes = new Map<bigint, string>();

  committed(node: string, { state }: CommittedBlock): void {
    const hash = toHex(state.appHash);
    const known = this.#hashes.get(state.lastBlockHeight) ?? hash;
    if (known !== hash)
      throw new Violation('app hash', `height ${state.lastBlockHeight}: expected ${known}, ${node} has ${hash}`);
    this.#hashes.set(state.lastBlockHeight, hash);
  }
}
