/** SHA-256 of many messages, for trees: those that need equally many blocks go through the four lanes together. */
import { concat } from '../bytes.ts';
import { sha256 } from './hash.ts';
import {
  blocksOf,
  createSha256Lanes,
  digestAt,
  LANE_MESSAGE_BYTES,
  LANES,
  messageAt,
  type Sha256Lanes,
} from './sha256-lanes.ts';

const DIGEST_BYTES = 32;

/** One for all queues: nothing stays in it between calls. */
let lanes: Sha256Lanes | undefined;

/** Puts messages of equally many blocks together and hashes them four at a time; none is longer than a lane. */
export class LaneQueue {
  readonly #lanes: Sha256Lanes;
  readonly #stage: (item: number, bytes: Uint8Array, at: number) => number;
  readonly #out: Uint8Array;
  readonly #outAt: (item: number) => number;
  readonly #waiting: number[][] = [];
  readonly #lengths = new Int32Array(LANES);

  /**
   * @param stage writes an item's message at `at` and answers what follows it
   * @param outAt where an item's digest goes in `out`
   */
  constructor(
    stage: (item: number, bytes: Uint8Array, at: number) => number,
    out: Uint8Array,
    outAt: (item: number) => number,
  ) {
    lanes ??= createSha256Lanes();
    this.#lanes = lanes;
    this.#stage = stage;
    this.#out = out;
    this.#outAt = outAt;
  }

  /** @param length of the item's message, or another with equally many blocks */
  add(item: number, length: number): void {
    const blocks = blocksOf(length);
    let waiting = this.#waiting[blocks];
    if (waiting === undefined) {
      waiting = [];
      this.#waiting[blocks] = waiting;
    }
    waiting.push(item);
    if (waiting.length === LANES) this.#run(waiting);
  }

  finish(): void {
    this.#waiting.forEach((waiting) => {
      if (waiting.length > 0) this.#run(waiting);
    });
  }

  #run(items: number[]): void {
    const { bytes } = this.#lanes;
    const lengths = this.#lengths;
    for (let lane = 0; lane < LANES; lane++) {
      const start = messageAt(lane);
      // Lanes without an item repeat the first one's length over whatever is there.
      lengths[lane] =
        lane < items.length ? this.#stage(items[lane] as number, bytes, start) - start : (lengths[0] as number);
    }
    this.#lanes.run(lengths);
    const out = this.#out;
    for (let lane = 0; lane < items.length; lane++) {
      const from = digestAt(lane);
      const to = this.#outAt(items[lane] as number);
      for (let i = 0; i < DIGEST_BYTES; i++) out[to + i] = bytes[from + i] as number;
    }
    items.length = 0;
  }
}

/** The digests of `prefix` ‖ message, 32 bytes each, one after the other. */
export function sha256Many(messages: readonly Uint8Array[], prefix: Uint8Array): Uint8Array {
  const digests = new Uint8Array(DIGEST_BYTES * messages.length);
  const queue = new LaneQueue(
    (item, bytes, at) => {
      const message = messages[item] as Uint8Array;
      bytes.set(prefix, at);
      bytes.set(message, at + prefix.length);
      return at + prefix.length + message.length;
    },
    digests,
    (item) => DIGEST_BYTES * item,
  );
  messages.forEach((message, item) => {
    const length = prefix.length + message.length;
    if (length <= LANE_MESSAGE_BYTES) queue.add(item, length);
    else digests.set(sha256(concat(prefix, message)), DIGEST_BYTES * item);
  });
  queue.finish();
  return digests;
}
