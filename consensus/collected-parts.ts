import { concat } from '#core/bytes.ts';
import { decode } from '#core/codec/proto-reader.ts';
import { err, type Result } from '#core/result.ts';
import { type Block, readBlock } from '#core/types/block.ts';
import type { PartSetHeader } from '#core/types/block-id.ts';
import { type Part, type PartSet, verifyPart } from '#core/types/part-set.ts';
import { type BitArray, bitArray } from './bit-array.ts';

/** A part set on its way in. */
export class CollectedParts {
  readonly header: PartSetHeader;
  readonly #parts: (Part | undefined)[];
  #count = 0;
  #bytes = 0;

  constructor(header: PartSetHeader) {
    this.header = header;
    this.#parts = Array.from({ length: header.total });
  }

  /** All parts of a block that was cut here: hashing them again would prove nothing. */
  static whole(set: PartSet): CollectedParts {
    const collected = new CollectedParts(set.header);
    for (const part of set.parts) collected.#keep(part);
    return collected;
  }

  /** `foreign`: the part belongs to another set. */
  add(part: Part): 'added' | 'duplicate' | 'foreign' {
    if (this.#parts[part.index] !== undefined) return 'duplicate';
    if (!verifyPart(this.header, part)) return 'foreign';
    this.#keep(part);
    return 'added';
  }

  #keep(part: Part): void {
    this.#parts[part.index] = part;
    this.#count++;
    this.#bytes += part.bytes.length;
  }

  get(index: number): Part | undefined {
    return this.#parts[index];
  }

  get complete(): boolean {
    return this.#count === this.header.total;
  }

  bits(): BitArray {
    return bitArray(this.header.total, (i) => this.#parts[i] !== undefined);
  }

  /** Call only when complete. */
  partSet(): PartSet {
    return { header: this.header, parts: this.#parts.filter((part) => part !== undefined) };
  }

  /** The block that the parts make. The error says why they make none. Call only when complete. */
  decode(maxBytes: number): Result<Block, string> {
    if (this.#bytes > maxBytes) return err(`block: ${this.#bytes} bytes exceed the limit of ${maxBytes}`);
    const bytes = concat(...this.partSet().parts.map((part) => part.bytes));
    return decode(() => readBlock('block', bytes));
  }
}
