import { toHex } from '#core/bytes.ts';
import type { CommittedBlock } from '#node/driver/block-executor.ts';
import { Violation } from './violation.ts';

/** No two honest nodes ever commit different blocks at one height. */
export class AgreementChecker {
  readonly #blocks = new Map<bigint, { readonly hash: string; readonly node: string }>();

  committed(node: string, { block, blockId }: CommittedBlock): void {
    const { height } = block.header;
    const hash = toHex(blockId.hash);
    const known = this.#blocks.get(height);
    if (known === undefined) this.#blocks.set(height, { hash, node });
    else if (known.hash !== hash)
      throw new Violation('agreement', `height ${height}: ${known.node} has ${known.hash}, ${node} has ${hash}`);
  }

  get height(): bigint {
    let highest = 0n;
    for (const height of this.#blocks.keys()) if (height > highest) highest = height;
    return highest;
  }
}
