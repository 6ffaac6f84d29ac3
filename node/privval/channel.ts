import type { Socket } from 'node:net';
import { lengthDelimited } from '#core/codec/proto-writer.ts';
import type { PublicKey } from '#core/crypto/pubkey.ts';
import type { Verifier } from '#core/ports/crypto.ts';
import { createFrameReader, FrameError } from '../abci/frames.ts';
import { decodePrivval, encodePrivval, type PrivvalMessage } from './codec.ts';
import type { Ed25519Key } from './ed25519-key.ts';
import { PRIVVAL_LIMITS } from './limits.ts';
import { SecretConnection } from './secret-connection.ts';

export interface ChannelOptions {
  readonly socket: Socket;
  /** Undefined on a unix socket, which is plain. */
  readonly secret:
    | {
        readonly identity: Ed25519Key;
        readonly verifier: Verifier;
        readonly refuse?: (peer: PublicKey) => string | undefined;
      }
    | undefined;
  /** Messages can be sent. At once on a plain socket. */
  readonly ready: (channel: Channel) => void;
  readonly message: (message: PrivvalMessage) => void;
  /** Once, whoever ended it; the reason, when it was not a mere end. */
  readonly closed: (reason: string | undefined) => void;
}

export interface Channel {
  send(message: PrivvalMessage): void;
  close(reason?: string): void;
}

/** Messages over one socket. Whatever is not understood ends it. */
export function openChannel(options: ChannelOptions): Channel {
  const { socket, secret, ready, message, closed } = options;
  const reader = createFrameReader(PRIVVAL_LIMITS.maxMessageBytes);
  let reason: string | undefined;
  let isReady = false;

  const write = (bytes: Uint8Array) => {
    if (!socket.destroyed) socket.write(bytes);
  };
  const connection = secret && new SecretConnection({ ...secret, write });
  const channel: Channel = {
    send(sent) {
      const bytes = lengthDelimited(encodePrivval(sent));
      if (connection === undefined) write(bytes);
      else connection.send(bytes);
    },
    close(why) {
      reason ??= why;
      socket.destroy();
    },
  };

  function take(bytes: Uint8Array): void {
    for (const frame of reader.push(bytes)) {
      const decoded = decodePrivval(frame);
      if (!decoded.ok) {
        channel.close(decoded.error);
        return;
      }
      message(decoded.value);
    }
  }

  function onData(chunk: Uint8Array): void {
    if (socket.destroyed) return;
    if (connection === undefined) {
      take(chunk);
      return;
    }
    const data = connection.push(chunk);
    if (!data.ok) {
      channel.close(data.error);
      return;
    }
    if (!isReady && connection.peer !== undefined) {
      isReady = true;
      ready(channel);
    }
    if (data.value.length > 0) take(data.value);
  }

  socket.setNoDelay(true);
  socket.on('data', (chunk: Buffer) => {
    try {
      onData(chunk);
    } catch (error) {
      if (!(error instanceof FrameError)) throw error;
      channel.close(error.message);
    }
  });
  socket.on('error', (error) => {
    reason ??= error.message;
  });
  socket.once('end', () => socket.destroy());
  socket.once('close', () => closed(reason));
  if (connection === undefined) {
    isReady = true;
    ready(channel);
  }
  return channel;
}
