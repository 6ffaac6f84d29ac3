/** CometBFT's side of one ABCI connection, for tests. */
import { connect, type Socket } from 'node:net';
import { lengthDelimited } from '#core/codec/proto-writer.ts';
import type { AbciAddress } from '#node/abci/address.ts';
import { createFrameReader } from '#node/abci/frames.ts';
import { RequestSchema, type Response, ResponseSchema } from '#proto/gen/tendermint/abci/types_pb.ts';
import { decodeStrict, encode, type MessageInitShape } from '#proto/message.ts';

export type RequestValue = NonNullable<MessageInitShape<typeof RequestSchema>['value']>;
export type ResponseValue = Response['value'];

export interface AbciClient {
  readonly socket: Socket;
  /** Sends bytes as they are. */
  raw(bytes: Uint8Array): void;
  send(value: RequestValue): void;
  /** The next answer. Rejects when the connection ends first. */
  next(): Promise<ResponseValue>;
  /** Sends one request and a flush behind it, as CometBFT does; the request's answer. */
  call(value: RequestValue): Promise<ResponseValue>;
  /** Resolves when the other side has closed. */
  readonly closed: Promise<void>;
  close(): void;
}

export async function openAbciClient(address: AbciAddress): Promise<AbciClient> {
  const socket = address.kind === 'unix' ? connect(address.path) : connect({ host: address.host, port: address.port });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  const waiting: { resolve(value: ResponseValue): void; reject(error: Error): void }[] = [];
  const arrived: ResponseValue[] = [];
  let ended = false;
  const reader = createFrameReader();
  socket.on('data', (chunk: Buffer) => {
    for (const message of reader.push(chunk)) {
      const decoded = decodeStrict(ResponseSchema, message);
      if (!decoded.ok) throw new Error(decoded.error);
      const first = waiting.shift();
      if (first === undefined) arrived.push(decoded.value.value);
      else first.resolve(decoded.value.value);
    }
  });
  socket.on('error', () => {
    // What follows is the close.
  });
  const closed = new Promise<void>((resolve) => {
    socket.once('close', () => {
      ended = true;
      for (const each of waiting.splice(0)) each.reject(new Error('the connection has ended'));
      resolve();
    });
  });
  const client: AbciClient = {
    socket,
    closed,
    raw: (bytes) => void socket.write(bytes),
    send: (value) => client.raw(lengthDelimited(encode(RequestSchema, { value }))),
    next() {
      const value = arrived.shift();
      if (value !== undefined) return Promise.resolve(value);
      if (ended) return Promise.reject(new Error('the connection has ended'));
      return new Promise((resolve, reject) => waiting.push({ resolve, reject }));
    },
    async call(value) {
      client.send(value);
      client.send({ case: 'flush', value: {} });
      const answer = await client.next();
      if (answer.case === 'exception') return answer;
      const flush = await client.next();
      if (flush.case !== 'flush') throw new Error(`expected the flush, got ${flush.case}`);
      return answer;
    },
    close: () => socket.destroy(),
  };
  return client;
}
