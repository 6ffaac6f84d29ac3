/** The operations of ICS-23 and the checks of each against a spec. Every refusal is a sentence. */
import { blake2b, blake2s } from '@noble/hashes/blake2.js';
import { blake3 } from '@noble/hashes/blake3.js';
import { sha512_256 } from '@noble/hashes/sha2.js';
import { keccak_256 } from '@noble/hashes/sha3.js';
import { concat, startsWith, u32be, u64be } from '../bytes.ts';
import { ProtoWriter } from '../codec/proto-writer.ts';
import { ripemd160, sha256, sha512 } from '../crypto/hash.ts';
import { err, ok, type Result } from '../result.ts';
import { isIavlSpec } from './specs.ts';
import { HASH_OP, type InnerOp, LENGTH_OP, type LeafOp, type ProofSpec } from './types.ts';

type Bytes = Result<Uint8Array, string>;
type Check = Result<true, string>;

/** Fails for `noHash` and for numbers that are no hash. */
export function doHash(op: number, preimage: Uint8Array): Bytes {
  switch (op) {
    case HASH_OP.sha256:
      return ok(sha256(preimage));
    case HASH_OP.sha512:
      return ok(sha512(preimage));
    case HASH_OP.keccak256:
      return ok(keccak_256(preimage));
    case HASH_OP.ripemd160:
      return ok(ripemd160(preimage));
    case HASH_OP.bitcoin:
      return ok(ripemd160(sha256(preimage)));
    case HASH_OP.sha512_256:
      return ok(sha512_256(preimage));
    case HASH_OP.blake2b512:
      return ok(blake2b(preimage, { dkLen: 64 }));
    case HASH_OP.blake2s256:
      return ok(blake2s(preimage, { dkLen: 32 }));
    case HASH_OP.blake3:
      return ok(blake3(preimage));
    default:
      return err(`unsupported hash operation ${op}`);
  }
}

function doLength(op: number, data: Uint8Array): Bytes {
  switch (op) {
    case LENGTH_OP.noPrefix:
      return ok(data);
    case LENGTH_OP.varProto:
      return ok(new ProtoWriter().rawVarint(data.length).raw(data).finish());
    case LENGTH_OP.fixed32Big:
      return ok(concat(u32be(data.length), data));
    case LENGTH_OP.fixed32Little:
      return ok(concat(u32be(data.length).reverse(), data));
    case LENGTH_OP.fixed64Big:
      return ok(concat(u64be(BigInt(data.length)), data));
    case LENGTH_OP.fixed64Little:
      return ok(concat(u64be(BigInt(data.length)).reverse(), data));
    case LENGTH_OP.require32Bytes:
      return data.length === 32 ? ok(data) : err(`data must be 32 bytes, got ${data.length}`);
    case LENGTH_OP.require64Bytes:
      return data.length === 64 ? ok(data) : err(`data must be 64 bytes, got ${data.length}`);
    default:
      return err(`unsupported length operation ${op}`);
  }
}

function prepare(hash: number, length: number, data: Uint8Array): Bytes {
  if (hash === HASH_OP.noHash) return doLength(length, data);
  const hashed = doHash(hash, data);
  return hashed.ok ? doLength(length, hashed.value) : hashed;
}

/** The leaf's hash. Neither key nor value may be empty. */
export function applyLeaf(op: LeafOp, key: Uint8Array, value: Uint8Array): Bytes {
  if (key.length === 0) return err('leaf operation needs a key');
  if (value.length === 0) return err('leaf operation needs a value');
  const preparedKey = prepare(op.prehashKey, op.length, key);
  if (!preparedKey.ok) return err(`leaf key: ${preparedKey.error}`);
  const preparedValue = prepare(op.prehashValue, op.length, value);
  if (!preparedValue.ok) return err(`leaf value: ${preparedValue.error}`);
  return doHash(op.hash, concat(op.prefix, preparedKey.value, preparedValue.value));
}

export function applyInner(op: InnerOp, child: Uint8Array): Bytes {
  if (child.length === 0) return err('inner operation needs a child');
  return doHash(op.hash, concat(op.prefix, child, op.suffix));
}

/** Field by field; the spec's prefix must begin the leaf's. */
export function checkLeaf(op: LeafOp, spec: LeafOp): Check {
  if (op.hash !== spec.hash) return err(`leaf hash operation must be ${spec.hash}, got ${op.hash}`);
  if (op.prehashKey !== spec.prehashKey)
    return err(`leaf prehash_key must be ${spec.prehashKey}, got ${op.prehashKey}`);
  if (op.prehashValue !== spec.prehashValue)
    return err(`leaf prehash_value must be ${spec.prehashValue}, got ${op.prehashValue}`);
  if (op.length !== spec.length) return err(`leaf length operation must be ${spec.length}, got ${op.length}`);
  if (!startsWith(op.prefix, spec.prefix)) return err("leaf prefix does not begin with the spec's");
  return ok(true);
}

/** {@link checkLeaf}, and for IAVL that the prefix is the three varints of a leaf node and nothing more. */
export function checkLeafAgainstSpec(op: LeafOp, spec: ProofSpec): Check {
  if (isIavlSpec(spec)) {
    const header = readIavlHeader(op.prefix);
    if (!header.ok) return header;
    if (header.value.rest.length !== 0) return err('IAVL leaf prefix has bytes after height, size and version');
  }
  return checkLeaf(op, spec.leafSpec);
}

/** @param layer 1 for the leaf's parent, growing towards the root: an IAVL node is at least that high. */
export function checkInnerAgainstSpec(op: InnerOp, spec: ProofSpec, layer: number): Check {
  const inner = spec.innerSpec;
  if (op.hash !== inner.hash) return err(`inner hash operation must be ${inner.hash}, got ${op.hash}`);
  if (isIavlSpec(spec)) {
    const checked = checkIavlInner(op, layer);
    if (!checked.ok) return checked;
  }
  if (startsWith(op.prefix, spec.leafSpec.prefix)) return err('inner prefix begins as a leaf does');
  if (op.prefix.length < inner.minPrefixLength) return err(`inner prefix is too short: ${op.prefix.length} bytes`);
  if (inner.childSize < 1) return err('the spec has no child size');
  const longest = inner.maxPrefixLength + (inner.childOrder.length - 1) * inner.childSize;
  if (op.prefix.length > longest) return err(`inner prefix is too long: ${op.prefix.length} bytes, at most ${longest}`);
  if (op.suffix.length % inner.childSize !== 0)
    return err(`inner suffix of ${op.suffix.length} bytes is not whole children of ${inner.childSize}`);
  return ok(true);
}

/** Height, size and version, then either one length byte, or a length byte, 32 bytes of left hash and a length byte. */
function checkIavlInner(op: InnerOp, layer: number): Check {
  const header = readIavlHeader(op.prefix);
  if (!header.ok) return header;
  const { height, rest } = header.value;
  if (height < BigInt(layer)) return err(`IAVL height ${height} is below the layer ${layer}`);
  if (rest.length !== 1 && rest.length !== 34) return err('IAVL inner prefix must hold a length byte or a left child');
  if (rest[0] !== 32 || rest[rest.length - 1] !== 32) return err('IAVL inner prefix: a child must be 32 bytes long');
  if (op.suffix.length > 0 && op.suffix[0] !== 32) return err('IAVL inner suffix: a child must be 32 bytes long');
  return ok(true);
}

/** The zig-zag varints that begin every IAVL node's hash preimage; none may be negative. */
function readIavlHeader(prefix: Uint8Array): Result<{ height: bigint; rest: Uint8Array }, string> {
  let rest = prefix;
  let height = 0n;
  for (const field of ['height', 'size', 'version']) {
    const read = readZigZag(rest);
    if (read === undefined) return err(`IAVL ${field} is not a varint`);
    if (read.value < 0n) return err(`IAVL ${field} must not be negative`);
    if (field === 'height') height = read.value;
    rest = read.rest;
  }
  return ok({ height, rest });
}

function readZigZag(bytes: Uint8Array): { value: bigint; rest: Uint8Array } | undefined {
  let raw = 0n;
  for (let i = 0; i < 10; i++) {
    const byte = bytes[i];
    if (byte === undefined || (i === 9 && byte > 1)) return undefined;
    raw |= BigInt(byte & 127) << BigInt(7 * i);
    if (byte < 128) return { value: (raw >> 1n) ^ -(raw & 1n), rest: bytes.subarray(i + 1) };
  }
  return undefined;
}
