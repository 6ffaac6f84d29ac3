/** Strict protobuf coding of cosmos.ics23.v1.CommitmentProof (proto/cosmos/ics23/v1/proofs.proto of cosmos/ics23). */
import { assertNever } from '../assert.ts';
import { EMPTY } from '../bytes.ts';
import {
  asBytes,
  asInt32,
  asMessage,
  DecodeError,
  decode,
  type ProtoField,
  readFields,
  readVarint,
} from '../codec/proto-reader.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { ICS23_LIMITS } from '../limits.ts';
import type { Result } from '../result.ts';
import type { CommitmentProof, ExistenceProof, InnerOp, LeafOp, NonExistenceProof, SingleProof } from './types.ts';

function encodeLeafOp(op: LeafOp): Uint8Array {
  return new ProtoWriter()
    .varint(1, op.hash)
    .varint(2, op.prehashKey)
    .varint(3, op.prehashValue)
    .varint(4, op.length)
    .bytes(5, op.prefix)
    .finish();
}

function encodeInnerOp(op: InnerOp): Uint8Array {
  return new ProtoWriter().varint(1, op.hash).bytes(2, op.prefix).bytes(3, op.suffix).finish();
}

function encodeExistenceProof(proof: ExistenceProof): Uint8Array {
  const writer = new ProtoWriter()
    .bytes(1, proof.key)
    .bytes(2, proof.value)
    .optional(3, proof.leaf === undefined ? undefined : encodeLeafOp(proof.leaf));
  for (const step of proof.path) writer.message(4, encodeInnerOp(step));
  return writer.finish();
}

function encodeNonExistenceProof(proof: NonExistenceProof): Uint8Array {
  return new ProtoWriter()
    .bytes(1, proof.key)
    .optional(2, proof.left === undefined ? undefined : encodeExistenceProof(proof.left))
    .optional(3, proof.right === undefined ? undefined : encodeExistenceProof(proof.right))
    .finish();
}

export function encodeCommitmentProof(proof: CommitmentProof): Uint8Array {
  switch (proof.kind) {
    case 'exist':
      return new ProtoWriter().message(1, encodeExistenceProof(proof.exist)).finish();
    case 'nonexist':
      return new ProtoWriter().message(2, encodeNonExistenceProof(proof.nonexist)).finish();
    case 'batch': {
      const batch = new ProtoWriter();
      // A BatchEntry has the same two members, under the same numbers, as a CommitmentProof.
      for (const entry of proof.entries) batch.message(1, encodeCommitmentProof(entry));
      return new ProtoWriter().message(3, batch.finish()).finish();
    }
    default:
      return assertNever(proof, 'commitment proof');
  }
}

/** The error says which field was wrong. A compressed batch comes back as a batch. */
export function decodeCommitmentProof(bytes: Uint8Array): Result<CommitmentProof, string> {
  return decode(() => readProof('CommitmentProof', bytes));
}

function readProof(title: string, bytes: Uint8Array): CommitmentProof {
  if (bytes.length > ICS23_LIMITS.proofBytes)
    throw new DecodeError(`${title}: ${bytes.length} bytes exceed the limit of ${ICS23_LIMITS.proofBytes}`);
  const field = onlyField(title, bytes, [1, 2, 3, 4]);
  const inner = asMessage(title, field);
  if (field.number === 3) return { kind: 'batch', entries: readBatch(`${title}.batch`, inner) };
  if (field.number === 4) return { kind: 'batch', entries: readCompressed(`${title}.compressed`, inner) };
  return readSingle(title, field.number, inner);
}

function readSingle(title: string, number: number, bytes: Uint8Array): SingleProof {
  return number === 1
    ? { kind: 'exist', exist: readExistence(`${title}.exist`, bytes) }
    : { kind: 'nonexist', nonexist: readNonExistence(`${title}.nonexist`, bytes) };
}

function readBatch(title: string, bytes: Uint8Array): SingleProof[] {
  return repeated(title, readFields(title, bytes, { known: [1], repeated: [1] }), 1, ICS23_LIMITS.batchEntries).map(
    (entry) => {
      const field = onlyField(`${title}.entries`, entry, [1, 2]);
      return readSingle(`${title}.entries`, field.number, asMessage(title, field));
    },
  );
}

function readExistence(title: string, bytes: Uint8Array): ExistenceProof {
  const fields = readFields(title, bytes, { known: [1, 2, 3, 4], repeated: [4] });
  return {
    ...readEntry(title, fields),
    path: repeated(`${title}.path`, fields, 4, ICS23_LIMITS.pathOps).map((op) => readInnerOp(`${title}.path`, op)),
  };
}

/** Key, value and leaf, which the plain and the compressed form share. */
function readEntry(title: string, fields: readonly ProtoField[]): Omit<ExistenceProof, 'path'> {
  const leaf = one(fields, 3);
  return {
    key: bytesOf(`${title}.key`, fields, 1, ICS23_LIMITS.keyBytes),
    value: bytesOf(`${title}.value`, fields, 2, ICS23_LIMITS.valueBytes),
    leaf: leaf === undefined ? undefined : readLeafOp(`${title}.leaf`, asMessage(`${title}.leaf`, leaf)),
  };
}

function readNonExistence(title: string, bytes: Uint8Array): NonExistenceProof {
  return readNeighbours(title, bytes, readExistence);
}

function readNeighbours(
  title: string,
  bytes: Uint8Array,
  read: (title: string, bytes: Uint8Array) => ExistenceProof,
): NonExistenceProof {
  const fields = readFields(title, bytes, { known: [1, 2, 3] });
  const left = one(fields, 2);
  const right = one(fields, 3);
  return {
    key: bytesOf(`${title}.key`, fields, 1, ICS23_LIMITS.keyBytes),
    left: left === undefined ? undefined : read(`${title}.left`, asMessage(`${title}.left`, left)),
    right: right === undefined ? undefined : read(`${title}.right`, asMessage(`${title}.right`, right)),
  };
}

function readLeafOp(title: string, bytes: Uint8Array): LeafOp {
  const fields = readFields(title, bytes, { known: [1, 2, 3, 4, 5] });
  return {
    hash: enumOf(`${title}.hash`, fields, 1),
    prehashKey: enumOf(`${title}.prehash_key`, fields, 2),
    prehashValue: enumOf(`${title}.prehash_value`, fields, 3),
    length: enumOf(`${title}.length`, fields, 4),
    prefix: bytesOf(`${title}.prefix`, fields, 5, ICS23_LIMITS.affixBytes),
  };
}

function readInnerOp(title: string, bytes: Uint8Array): InnerOp {
  const fields = readFields(title, bytes, { known: [1, 2, 3] });
  return {
    hash: enumOf(`${title}.hash`, fields, 1),
    prefix: bytesOf(`${title}.prefix`, fields, 2, ICS23_LIMITS.affixBytes),
    suffix: bytesOf(`${title}.suffix`, fields, 3, ICS23_LIMITS.affixBytes),
  };
}

function readCompressed(title: string, bytes: Uint8Array): SingleProof[] {
  const fields = readFields(title, bytes, { known: [1, 2], repeated: [1, 2] });
  const table = repeated(`${title}.lookup_inners`, fields, 2, ICS23_LIMITS.batchOps).map((op) =>
    readInnerOp(`${title}.lookup_inners`, op),
  );
  let unpacked = 0;
  function existence(at: string, encoded: Uint8Array): ExistenceProof {
    const inner = readFields(at, encoded, { known: [1, 2, 3, 4], repeated: [4] });
    const path = readIndexes(`${at}.path`, inner).map((index) => {
      const op = table[index];
      if (op === undefined) throw new DecodeError(`${at}.path: ${index} is not in lookup_inners`);
      return op;
    });
    unpacked += path.length;
    if (unpacked > ICS23_LIMITS.batchOps)
      throw new DecodeError(`${title}: unpacks to over ${ICS23_LIMITS.batchOps} operations`);
    return { ...readEntry(at, inner), path };
  }
  return repeated(`${title}.entries`, fields, 1, ICS23_LIMITS.batchEntries).map((entry) => {
    const field = onlyField(`${title}.entries`, entry, [1, 2]);
    const inner = asMessage(`${title}.entries`, field);
    return field.number === 1
      ? { kind: 'exist', exist: existence(`${title}.entries.exist`, inner) }
      : { kind: 'nonexist', nonexist: readNeighbours(`${title}.entries.nonexist`, inner, existence) };
  });
}

/** A repeated int32, packed or not. */
function readIndexes(title: string, fields: readonly ProtoField[]): number[] {
  const indexes: number[] = [];
  for (const field of fields) {
    if (field.number !== 4) continue;
    if (field.wire === 0) indexes.push(asInt32(title, field));
    else {
      const packed = asMessage(title, field);
      for (let at = 0; at < packed.length; ) {
        const { value, next } = readVarint(title, packed, at);
        if (value > BigInt(ICS23_LIMITS.batchOps)) throw new DecodeError(`${title}: ${value} is not in lookup_inners`);
        indexes.push(Number(value));
        at = next;
      }
    }
    if (indexes.length > ICS23_LIMITS.pathOps)
      throw new DecodeError(`${title}: more than ${ICS23_LIMITS.pathOps} inner operations`);
  }
  return indexes;
}

function onlyField(title: string, bytes: Uint8Array, known: readonly number[]): ProtoField {
  const fields = readFields(title, bytes, { known });
  const [field] = fields;
  if (field === undefined || fields.length !== 1)
    throw new DecodeError(`${title}: expected one of the fields ${known.join(', ')}, got ${fields.length}`);
  return field;
}

function one(fields: readonly ProtoField[], number: number): ProtoField | undefined {
  return fields.find((field) => field.number === number);
}

function repeated(title: string, fields: readonly ProtoField[], number: number, limit: number): Uint8Array[] {
  const found = fields.filter((field) => field.number === number);
  if (found.length > limit) throw new DecodeError(`${title}: ${found.length} elements exceed the limit of ${limit}`);
  return found.map((field) => asMessage(title, field));
}

function bytesOf(title: string, fields: readonly ProtoField[], number: number, limit: number): Uint8Array {
  const field = one(fields, number);
  return field === undefined ? EMPTY : asBytes(title, field, limit);
}

function enumOf(title: string, fields: readonly ProtoField[], number: number): number {
  const field = one(fields, number);
  return field === undefined ? 0 : asInt32(title, field);
}
