/** What waits to be read by WebSocket clients, within bounds: of each, and of all together. */
import type { WebSocket } from 'ws';
import { RPC_LIMITS, type ServerLimits } from '../limits.ts';

/** The way to one client. */
export interface ClientOutput {
  /** Hands over a text without waiting. Too much that lies unread makes the client slow; then nothing more is sent. */
  send(text: string): void;
  /** The last words to a client that was found slow: sent without a limit. */
  last(text: string): void;
  /** Says goodbye after what waits, and cuts the connection when that is not read in time. */
  end(code: number, reason: string): void;
  /** Resolves when the client has taken all that waited; to false when it is gone. */
  taken(): Promise<boolean>;
  /** The connection is gone. */
  close(): void;
}

export interface Outputs {
  /** @param onSlow called once, when the client lets too much lie for too long. */
  open(client: WebSocket, onSlow: () => void): ClientOutput;
}

type OutputLimits = Pick<ServerLimits, 'maxBufferedMessages' | 'maxBufferedBytes' | 'writeTimeoutMs'>;

export function createOutputs(limits: OutputLimits, maxBytesOfAll: number = RPC_LIMITS.maxBufferedBytesOfAll): Outputs {
  const all = new Set<Output>();
  let bytesOfAll = 0;

  /** Room for what has just been handed over: who has the most waiting goes at once, for its last words would wait too. */
  function bound(): void {
    while (bytesOfAll > maxBytesOfAll) {
      let most: Output | undefined;
      for (const output of all) if (!output.ended && (most === undefined || output.bytes > most.bytes)) most = output;
      if (most === undefined) return;
      most.cut();
    }
  }

  class Output implements ClientOutput {
    readonly #client: WebSocket;
    readonly #onSlow: () => void;
    #waiting = 0;
    bytes = 0;
    ended = false;
    #waiters: ((open: boolean) => void)[] = [];
    #timer: NodeJS.Timeout | undefined;
    /** Bytes ever handed over, and how many of them had left the buffer when it was last looked at. */
    #handed = 0;
    #lastFlushed = 0;

    constructor(client: WebSocket, onSlow: () => void) {
      this.#client = client;
      this.#onSlow = onSlow;
    }

    send(text: string): void {
      if (this.ended || this.#client.readyState !== this.#client.OPEN) return;
      // A single message may be larger than all that may wait: then it waits alone.
      const full =
        this.#waiting >= limits.maxBufferedMessages || (this.#waiting > 0 && this.bytes >= limits.maxBufferedBytes);
      if (full) {
        this.slow();
      } else {
        this.last(text);
        bound();
      }
    }

    last(text: string): void {
      const size = Buffer.byteLength(text);
      this.#waiting++;
      this.bytes += size;
      bytesOfAll += size;
      this.#watch();
      this.#handed += size;
      this.#client.send(text, () => {
        this.#waiting--;
        this.#release(size);
        if (this.#waiting === 0) this.#settle(true);
      });
    }

    slow(): void {
      if (this.ended) return;
      this.ended = true;
      this.#onSlow();
    }

    cut(): void {
      this.slow();
      this.#release(this.bytes);
      this.#client.terminate();
    }

    end(code: number, reason: string): void {
      this.ended = true;
      this.#settle(false);
      this.#client.close(code, reason);
      clearInterval(this.#timer);
      this.#timer = setInterval(() => this.#client.terminate(), limits.writeTimeoutMs);
    }

    taken(): Promise<boolean> {
      if (this.#client.readyState !== this.#client.OPEN || this.ended) return Promise.resolve(false);
      if (this.#waiting === 0) return Promise.resolve(true);
      return new Promise((resolve) => this.#waiters.push(resolve));
    }

    close(): void {
      this.ended = true;
      all.delete(this);
      this.#release(this.bytes);
      this.#settle(false);
      clearInterval(this.#timer);
    }

    /** What was let go before its turn is not let go again. */
    #release(size: number): void {
      const released = Math.min(size, this.bytes);
      this.bytes -= released;
      bytesOfAll -= released;
    }

    /** While something waits, the client must take some of it within each period. */
    #watch(): void {
      if (this.#timer !== undefined) return;
      this.#lastFlushed = this.#handed - this.#client.bufferedAmount;
      this.#timer = setInterval(() => {
        const flushed = this.#handed - this.#client.bufferedAmount;
        if (flushed <= this.#lastFlushed) this.slow();
        else this.#lastFlushed = flushed;
      }, limits.writeTimeoutMs);
    }

    #settle(open: boolean): void {
      if (!this.ended) {
        clearInterval(this.#timer);
        this.#timer = undefined;
      }
      const waiters = this.#waiters;
      this.#waiters = [];
      for (const resolve of waiters) resolve(open);
    }
  }

  return {
    open(client, onSlow) {
      const output = new Output(client, onSlow);
      all.add(output);
      return output;
    },
  };
}
