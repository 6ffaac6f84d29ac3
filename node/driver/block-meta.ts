/** What is stored of a block beside its parts. */
import { defined } from '#core/assert.ts';
import { asInt64, asMessage, readFields } from '#core/codec/proto-reader.ts';
import { ProtoWriter } from '#core/codec/proto-writer.ts';
import { type BlockId, encodeBlockId, NIL_BLOCK_ID, readBlockId } from '#core/types/block-id.ts';
import { encodeHeader, type Header, readHeader } from '#core/types/header.ts';

export interface BlockMeta {
  readonly blockId: BlockId;
  readonly header: Header;
  /** Bytes of the encoded block. */
  readonly size: number;
  readonly txCount: number;
}

export function encodeMeta(meta: BlockMeta): Uint8Array {
  return new ProtoWriter()
    .message(1, encodeBlockId(meta.blockId))
    .message(2, encodeHeader(meta.header))
    .varint(3, meta.size)
    .varint(4, meta.txCount)
    .finish();
}

/** @throws DecodeError */
export function readMeta(bytes: Uint8Array): BlockMeta {
  let blockId = NIL_BLOCK_ID;
  let header: Header | undefined;
  const numbers = new Map<number, bigint>();
  for (const field of readFields('meta', bytes, { known: [1, 2, 3, 4] })) {
    if (field.number === 1) blockId = readBlockId('meta.block_id', asMessage('meta', field));
    else if (field.number === 2) header = readHeader('meta.header', asMessage('meta', field));
    else numbers.set(field.number, asInt64('meta', field));
  }
  return {
    blockId,
    header: defined(header, 'header of a stored block'),
    size: Number(numbers.get(3) ?? 0n),
    txCount: Number(numbers.get(4) ?? 0n),
  };
}
