import type { Stream } from '@libp2p/interface';
import { concatAll } from '#core/bytes.ts';
import { NODE_LIMITS } from '../limits.ts';
import { frameHead } from './framing.ts';

/**
 * The sending half towards one peer. Messages gather until the event loop turns and leave in large writes; when the
 * peer reads slowly they wait, and beyond the queue's limit they are dropped: the repair protocol sends them again.
 */
export class DirectSender {
  readonly #stream: Stream;
  /** Heads and messages, in turn. */
  #queue: Uint8Array[] = [];
  #queuedBytes = 0;
  #scheduled = false;
  #closed = false;

  constructor(stream: Stream, onClose: () => void) {
    this.#stream = stream;
    stream.addEventListener('drain', () => this.#flush());
    stream.addEventListener('close', () => {
      this.#closed = true;
      this.#queue = [];
      onClose();
    });
  }

  /** Bytes that wait for the peer to read. */
  get queuedBytes(): number {
    return this.#queuedBytes;
  }

  /**
   * False: dropped.
   * @param tag the message's first byte, where `bytes` are only what follows.
   */
  send(bytes: Uint8Array, tag?: number): boolean {
    if (this.#closed) return false;
    if (this.#queuedBytes > 0 && this.#queuedBytes + bytes.length > NODE_LIMITS.maxPeerQueueBytes) return false;
    const head = frameHead(bytes, tag);
    // Joined when they are sent: each byte is copied once.
    this.#queue.push(head, bytes);
    this.#queuedBytes += head.length + bytes.length;
    if (!this.#scheduled && !this.#stream.writableNeedsDrain) {
      this.#scheduled = true;
      setImmediate(() => {
        this.#scheduled = false;
        this.#flush();
      });
    }
    return true;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.#stream.close().catch(() => {
      // The peer is gone already.
    });
  }

  #flush(): void {
    while (this.#queue.length > 0 && !this.#closed && !this.#stream.writableNeedsDrain) {
      let bytes = 0;
      let count = 0;
      while (count < this.#queue.length && (count === 0 || bytes < NODE_LIMITS.streamWriteBytes)) {
        bytes += this.#queue[count]?.length ?? 0;
        count += 1;
      }
      const batch = this.#queue.splice(0, count);
      this.#queuedBytes -= bytes;
      try {
        this.#stream.send(concatAll(batch));
      } catch {
        // Closing under way; the close event follows.
        return;
      }
    }
  }
}
