import type { PublicKey } from '#core/crypto/pubkey.ts';
import { err, ok, type Result } from '#core/result.ts';
import { type Channel, type ChannelOptions, openChannel } from './channel.ts';
import type { PrivvalMessage } from './codec.ts';
import { PRIVVAL_LIMITS } from './limits.ts';

/** One connection that a signer has dialled in with: one request at a time, pings while there are none. */
export class SignerLink {
  /** The signer's key, once it has named it. */
  readonly opened: Promise<PublicKey>;
  /** Resolves with the reason when the connection has ended. */
  readonly ended: Promise<string>;
  #channel: Channel | undefined;
  #answer: ((reply: PrivvalMessage) => void) | undefined;
  #tail: Promise<unknown> = Promise.resolve();
  #reason: string | undefined;
  #pings: NodeJS.Timeout | undefined;
  readonly #replyMs: number;

  constructor(options: Pick<ChannelOptions, 'socket' | 'secret'>, chainId: string, replyMs: number) {
    this.#replyMs = replyMs;
    const ended = Promise.withResolvers<string>();
    this.ended = ended.promise;
    const ready = Promise.withResolvers<void>();
    this.#channel = openChannel({
      ...options,
      ready: () => ready.resolve(),
      message: (message) => this.#onMessage(message),
      closed: (reason) => {
        clearInterval(this.#pings);
        this.#reason ??= reason ?? 'the signer has closed the connection';
        ended.resolve(this.#reason);
        ready.reject(new Error(this.#reason));
      },
    });
    const timer = setTimeout(() => this.close('the handshake took too long'), PRIVVAL_LIMITS.handshakeTimeoutMs);
    this.opened = this.#open(ready.promise, chainId).finally(() => clearTimeout(timer));
  }

  close(reason: string): void {
    this.#reason ??= reason;
    this.#channel?.close(reason);
  }

  /** The reply of the right kind; an error value when the connection has ended, before or by this. */
  request(message: PrivvalMessage, timeoutMs: number): Promise<Result<PrivvalMessage, string>> {
    const result = this.#tail.then(() => this.#exchange(message, timeoutMs));
    this.#tail = result;
    return result;
  }

  async #open(ready: Promise<void>, chainId: string): Promise<PublicKey> {
    await ready;
    const reply = await this.request({ kind: 'pub-key-request', chainId }, this.#replyMs);
    if (!reply.ok) throw new Error(reply.error);
    if (reply.value.kind !== 'pub-key-response' || 'error' in reply.value.answer) {
      const described = 'answer' in reply.value && 'error' in reply.value.answer ? reply.value.answer.error : undefined;
      this.close(`the signer does not name its key: ${described?.description ?? reply.value.kind}`);
      throw new Error(this.#reason);
    }
    this.#pings = setInterval(() => {
      void this.request({ kind: 'ping-request' }, this.#replyMs);
    }, PRIVVAL_LIMITS.pingIntervalMs);
    return reply.value.answer.value;
  }

  async #exchange(message: PrivvalMessage, timeoutMs: number): Promise<Result<PrivvalMessage, string>> {
    if (this.#reason !== undefined) return err(this.#reason);
    const answered = new Promise<PrivvalMessage>((resolve) => {
      this.#answer = resolve;
    });
    this.#channel?.send(message);
    const timer = setTimeout(() => this.close(`no answer within ${timeoutMs} ms`), timeoutMs);
    const reply = await Promise.race([answered, this.ended]);
    clearTimeout(timer);
    this.#answer = undefined;
    return typeof reply === 'string' ? err(reply) : ok(reply);
  }

  #onMessage(message: PrivvalMessage): void {
    // A late answer to another request would be taken for the answer to this one.
    if (this.#answer === undefined) this.close('a message that was not asked for');
    else this.#answer(message);
    this.#answer = undefined;
  }
}
