/**
 * What nodes say to each other about snapshots, on the direct streams beside the messages of consensus: one protobuf
 * oneof with theirs, whose field numbers begin where theirs end.
 */
import type { Snapshot } from '#core/abci.ts';
import { assertNever } from '#core/assert.ts';
import { EMPTY } from '#core/bytes.ts';
import {
  asBool,
  asBytes,
  asInt64,
  asMessage,
  asUint32,
  DecodeError,
  decode,
  readFields,
} from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import type { Result } from '#core/result.ts';
import { STATE_LIMITS } from '#runtime/limits.ts';
import { NODE_LIMITS } from '../limits.ts';

export interface ChunkPlace {
  readonly height: bigint;
  readonly format: number;
  readonly index: number;
}

export type SnapshotMessage =
  | { readonly kind: 'snapshots-request' }
  | { readonly kind: 'snapshots-response'; readonly snapshots: readonly Snapshot[] }
  | ({ readonly kind: 'chunk-request' } & ChunkPlace)
  /** `chunk` is undefined when the peer does not have it. */
  | ({ readonly kind: 'chunk-response'; readonly chunk: Uint8Array | undefined } & ChunkPlace);

const FIELD = { snapshotsRequest: 8, snapshots: 9, chunkRequest: 10, chunk: 11 } as const;
const FIELDS: readonly number[] = Object.values(FIELD);
const HASH_BYTES = 32;
/** What stands around a chunk in its message. */
const FRAMING_BYTES = 64;

/** Whether a message that begins with this byte is one of these. */
export function isSnapshotMessage(firstByte: number | undefined): boolean {
  return firstByte !== undefined && (firstByte & 7) === 2 && FIELDS.includes(firstByte >>> 3);
}

/** Most bytes of such a message. */
export function maxSnapshotMessageBytes(firstByte: number): number {
  switch (firstByte >>> 3) {
    case FIELD.snapshots:
      return NODE_LIMITS.maxSnapshotsMessageBytes;
    case FIELD.chunk:
      return STATE_LIMITS.snapshotChunkBytes + FRAMING_BYTES;
    default:
      return FRAMING_BYTES;
  }
}

export function encodeSnapshotMessage(message: SnapshotMessage): Uint8Array {
  const writer = new ProtoWriter();
  switch (message.kind) {
    case 'snapshots-request':
      return writer.message(FIELD.snapshotsRequest, EMPTY).finish();
    case 'snapshots-response': {
      const list = new ProtoWriter();
      for (const snapshot of message.snapshots) list.message(1, encodeSnapshot(snapshot));
      return writer.message(FIELD.snapshots, list.finish()).finish();
    }
    case 'chunk-request':
      return writer.message(FIELD.chunkRequest, placeOf(message).finish()).finish();
    case 'chunk-response': {
      const { chunk } = message;
      const inner = placeOf(message)
        .bytes(4, chunk ?? EMPTY)
        .bool(5, chunk === undefined);
      return writer.message(FIELD.chunk, inner.finish()).finish();
    }
    default:
      return assertNever(message, 'snapshot message');
  }
}

function placeOf({ height, format, index }: ChunkPlace): ProtoWriter {
  return new ProtoWriter().varint(1, height).varint(2, format).varint(3, index);
}

export function encodeSnapshot({ height, format, chunks, hash, metadata }: Snapshot): Uint8Array {
  return new ProtoWriter()
    .varint(1, height)
    .varint(2, format)
    .varint(3, chunks)
    .bytes(4, hash)
    .bytes(5, metadata)
    .finish();
}

/** Strict: the error names the field and what was wrong with it. */
export function decodeSnapshotMessage(bytes: Uint8Array): Result<SnapshotMessage, string> {
  return decode(() => {
    const fields = readFields('message', bytes, { known: FIELDS, maxFields: 1 });
    const field = fields[0];
    if (field === undefined) throw new DecodeError('message: expected exactly one kind, got none');
    const inner = asMessage('message', field);
    switch (field.number) {
      case FIELD.snapshotsRequest:
        readFields('snapshots_request', inner, { known: [] });
        return { kind: 'snapshots-request' };
      case FIELD.snapshots:
        return { kind: 'snapshots-response', snapshots: readSnapshots(inner) };
      case FIELD.chunkRequest:
        return { kind: 'chunk-request', ...readChunk('chunk_request', inner, [1, 2, 3]).place };
      default: {
        const { place, chunk, missing } = readChunk('chunk_response', inner, [1, 2, 3, 4, 5]);
        if (missing && chunk.length > 0)
          throw new DecodeError(`chunk_response.chunk: expected nothing of a missing chunk, got ${chunk.length} bytes`);
        return { kind: 'chunk-response', ...place, chunk: missing ? undefined : chunk };
      }
    }
  });
}

function readSnapshots(bytes: Uint8Array): Snapshot[] {
  const options = { known: [1], repeated: [1], maxFields: NODE_LIMITS.maxSnapshotsPerPeer };
  return readFields('snapshots_response', bytes, options).map((field, i) => {
    const title = `snapshots_response.snapshots[${i}]`;
    return readSnapshot(title, asMessage(title, field));
  });
}

/** @throws DecodeError */
export function readSnapshot(title: string, bytes: Uint8Array): Snapshot {
  let [height, format, chunks, hash, metadata] = [0n, 0, 0, EMPTY, EMPTY];
  for (const field of readFields(title, bytes, { known: [1, 2, 3, 4, 5] })) {
    if (field.number === 1) height = asInt64(`${title}.height`, field);
    else if (field.number === 2) format = asUint32(`${title}.format`, field);
    else if (field.number === 3) chunks = asUint32(`${title}.chunks`, field);
    else if (field.number === 4) hash = asBytes(`${title}.hash`, field, HASH_BYTES).slice();
    else metadata = asBytes(`${title}.metadata`, field, STATE_LIMITS.snapshotChunks * HASH_BYTES).slice();
  }
  if (height < 1n) throw new DecodeError(`${title}.height: expected ≥ 1, got ${height}`);
  if (chunks < 1 || chunks > STATE_LIMITS.snapshotChunks)
    throw new DecodeError(`${title}.chunks: expected 1 … ${STATE_LIMITS.snapshotChunks}, got ${chunks}`);
  if (hash.length !== HASH_BYTES)
    throw new DecodeError(`${title}.hash: expected ${HASH_BYTES} bytes, got ${hash.length}`);
  return { height, format, chunks, hash, metadata };
}

function readChunk(title: string, bytes: Uint8Array, known: readonly number[]) {
  let [height, format, index, chunk, missing] = [0n, 0, 0, EMPTY, false];
  for (const field of readFields(title, bytes, { known })) {
    if (field.number === 1) height = asInt64(`${title}.height`, field);
    else if (field.number === 2) format = asUint32(`${title}.format`, field);
    else if (field.number === 3) index = asUint32(`${title}.index`, field);
    else if (field.number === 4) chunk = asBytes(`${title}.chunk`, field, STATE_LIMITS.snapshotChunkBytes).slice();
    else missing = asBool(`${title}.missing`, field);
  }
  if (height < 1n) throw new DecodeError(`${title}.height: expected ≥ 1, got ${height}`);
  if (index >= STATE_LIMITS.snapshotChunks)
    throw new DecodeError(`${title}.index: expected below ${STATE_LIMITS.snapshotChunks}, got ${index}`);
  return { place: { height, format, index }, chunk, missing };
}
