import type { ConnectionEncrypter, MessageStream, SecuredConnection } from '@libp2p/interface';
import { concat } from '#core/bytes.ts';
import { NODE_LIMITS } from '../limits.ts';
import { readRecords } from './record-reader.ts';

type Encrypters<Components, Extension> = (components: Components) => ConnectionEncrypter<Extension>;

/**
 * An encrypter whose connections gather what is sent within one turn of the event loop. A multiplexer writes frame by
 * frame, each becomes an encrypted message, and of each message the length and the bytes are written apart: two calls of
 * the kernel, and a wakening of the peer, for every vote and every window update. Gathered, a turn costs one of each.
 */
export function coalescing<Components, Extension>(
  encrypters: Encrypters<Components, Extension>,
): Encrypters<Components, Extension> {
  return (components) => {
    const inner = encrypters(components);
    const gathered = (secured: SecuredConnection<Extension>): SecuredConnection<Extension> => {
      gatherTurns(secured.connection);
      readRecords(secured.connection);
      return secured;
    };
    return {
      ...inner,
      protocol: inner.protocol,
      async secureOutbound(connection, options) {
        joinChunks(connection);
        return gathered(await inner.secureOutbound(connection, options));
      },
      async secureInbound(connection, options) {
        joinChunks(connection);
        return gathered(await inner.secureInbound(connection, options));
      },
    };
  };
}

type Sendable = Parameters<MessageStream['send']>[0];

const whole = (data: Sendable): Uint8Array => (data instanceof Uint8Array ? data : data.subarray());

/** Of a list of chunks makes one, which the socket takes with one call. */
function joinChunks(stream: Pick<MessageStream, 'send'>): void {
  const send = stream.send.bind(stream);
  stream.send = (data) => send(whole(data));
}

/** Holds back what is sent until the event loop turns. What the stream would have to queue itself is not held. */
export function gatherTurns(stream: Pick<MessageStream, 'send' | 'close' | 'writableNeedsDrain' | 'status'>): void {
  const send = stream.send.bind(stream);
  const close = stream.close.bind(stream);
  let held: Uint8Array[] = [];
  let heldBytes = 0;

  /** Answers whether the stream takes more. */
  function flush(): boolean {
    if (held.length === 0) return true;
    const [first] = held;
    const data = held.length === 1 && first !== undefined ? first : concat(...held);
    held = [];
    heldBytes = 0;
    return send(data);
  }

  function flushIfOpen(): void {
    if (stream.status !== 'open') return;
    try {
      flush();
    } catch {
      // What lies below closes already: its close event says so to whoever is concerned.
    }
  }

  stream.send = (data) => {
    if (held.length === 0) {
      if (stream.writableNeedsDrain || stream.status !== 'open') return send(data);
      setImmediate(flushIfOpen);
    }
    held.push(whole(data));
    heldBytes += data.byteLength;
    return heldBytes < NODE_LIMITS.streamWriteBytes || flush();
  };
  stream.close = (options) => {
    flushIfOpen();
    return close(options);
  };
}
