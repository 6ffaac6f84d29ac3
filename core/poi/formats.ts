/**
 * What providers and validators hash when they commit to a result, and the vote extension that carries it. Whoever
 * verifies a receipt, a browser too, computes these again.
 *
 * Byte conventions: u32 and u64 are big-endian, an item of variable length is preceded by its u32 length, and hashes and
 * 20-byte addresses stand as they are. A domain tag is a constant prefix without a length.
 */
import { assert } from '../assert.ts';
import { concat, EMPTY, expectLength, lengthPrefixed, readU64be, u32be, u64be, utf8 } from '../bytes.ts';
import { sha256 } from '../crypto/hash.ts';
import { err, ok, type Result } from '../result.ts';

const OUTPUT_DOMAIN = utf8('autonomy/output/v1');
const SEAL_DOMAIN = utf8('autonomy/seal/v1');
const VERDICT_DOMAIN = utf8('autonomy/verdict/v1');

export const HASH_BYTES = 32;
export const SALT_BYTES = 32;
export const ADDRESS_BYTES = 20;

/** The kind byte of an outcome: 0 ok, 1 guest error, 2 trap, 3 out of gas (`docs/model-abi.md`). */
export type OutcomeKind = 0 | 1 | 2 | 3;

export function isOutcomeKind(value: number): value is OutcomeKind {
  return value === 0 || value === 1 || value === 2 || value === 3;
}

/** `SHA-256("autonomy/output/v1" ‖ u8 kind ‖ u32 code ‖ u32 length ‖ output)`: 32 bytes. `code` is 0 where the kind has none. */
export function outputRoot(kind: OutcomeKind, code: number, output: Uint8Array): Uint8Array {
  return sha256(concat(OUTPUT_DOMAIN, Uint8Array.of(kind), u32be(code), lengthPrefixed(output)));
}

/** Whose result of which job, without a result. */
export interface Author {
  readonly chainId: string;
  readonly job: bigint;
  /** 20 bytes: the provider's account in a seal, the validator's consensus address in a verdict. */
  readonly address: Uint8Array;
}

/** A result as it is opened. */
export interface Opened {
  readonly kind: OutcomeKind;
  /** {@link outputRoot}, 32 bytes. */
  readonly outputRoot: Uint8Array;
  /** 32 bytes: not derivable from the output, so that a copied output opens nothing. */
  readonly traceRoot: Uint8Array;
  readonly gasUsed: bigint;
  /** 32 bytes. */
  readonly salt: Uint8Array;
}

function author({ chainId, job, address }: Author): Uint8Array {
  return concat(lengthPrefixed(utf8(chainId)), u64be(job), expectLength(address, ADDRESS_BYTES, 'address'));
}

function roots(opened: Opened): Uint8Array {
  return concat(
    expectLength(opened.outputRoot, HASH_BYTES, 'output_root'),
    expectLength(opened.traceRoot, HASH_BYTES, 'trace_root'),
    u64be(opened.gasUsed),
    expectLength(opened.salt, SALT_BYTES, 'salt'),
  );
}

/**
 * What a provider seals, 32 bytes:
 * `SHA-256("autonomy/seal/v1" ‖ chain_id ‖ u64 job ‖ provider ‖ output_root ‖ trace_root ‖ u64 gas ‖ salt)`.
 * @throws RangeError that names a field of the wrong length.
 */
export function sealHash(provider: Author, opened: Opened): Uint8Array {
  return sha256(concat(SEAL_DOMAIN, author(provider), roots(opened)));
}

/**
 * What a validator commits to, 32 bytes:
 * `SHA-256("autonomy/verdict/v1" ‖ chain_id ‖ u64 job ‖ validator ‖ u8 kind ‖ output_root ‖ trace_root ‖ u64 gas ‖ salt)`.
 * @throws RangeError that names a field of the wrong length.
 */
export function verdictHash(validator: Author, opened: Opened): Uint8Array {
  return sha256(concat(VERDICT_DOMAIN, author(validator), Uint8Array.of(opened.kind), roots(opened)));
}

export interface Commitment {
  readonly job: bigint;
  /** {@link verdictHash}, 32 bytes. */
  readonly hash: Uint8Array;
}

export interface VerdictOpening extends Opened {
  readonly job: bigint;
}

/** What one validator attaches to a precommit. Each list in strictly ascending order of jobs. */
export interface PoiExtension {
  readonly commitments: readonly Commitment[];
  readonly openings: readonly VerdictOpening[];
}

/** Of one vote extension: with a hundred validators all of them together still fit well into a block. */
export const EXTENSION_LIMITS = { commitments: 32, openings: 32 } as const;

const VERSION = 1;
const COMMITMENT_BYTES = 8 + HASH_BYTES;
const OPENING_BYTES = 8 + 1 + HASH_BYTES + HASH_BYTES + 8 + SALT_BYTES;
const HEAD_BYTES = 3;

export const MAX_EXTENSION_BYTES =
  HEAD_BYTES + EXTENSION_LIMITS.commitments * COMMITMENT_BYTES + EXTENSION_LIMITS.openings * OPENING_BYTES;

function assertOrder(what: string, items: readonly { readonly job: bigint }[], limit: number): void {
  assert(items.length <= limit, `${items.length} ${what} exceed the limit of ${limit}`);
  for (let i = 1; i < items.length; i++)
    assert((items[i - 1]?.job ?? 0n) < (items[i]?.job ?? 0n), `${what} are not in ascending order of jobs`);
}

/**
 * `u8 1 ‖ u8 n ‖ u8 m ‖ n × (u64 job ‖ hash) ‖ m × (u64 job ‖ u8 kind ‖ output_root ‖ trace_root ‖ u64 gas ‖ salt)`;
 * nothing to say is the empty extension. One value has one encoding.
 */
export function encodeExtension(extension: PoiExtension): Uint8Array {
  const { commitments, openings } = extension;
  if (commitments.length === 0 && openings.length === 0) return EMPTY;
  assertOrder('commitments', commitments, EXTENSION_LIMITS.commitments);
  assertOrder('openings', openings, EXTENSION_LIMITS.openings);
  return concat(
    Uint8Array.of(VERSION, commitments.length, openings.length),
    ...commitments.map(({ job, hash }) => concat(u64be(job), expectLength(hash, HASH_BYTES, 'commitment'))),
    ...openings.map((opening) => concat(u64be(opening.job), Uint8Array.of(opening.kind), roots(opening))),
  );
}

function readCommitment(bytes: Uint8Array, at: number): Commitment {
  return { job: readU64be(bytes, at), hash: bytes.slice(at + 8, at + COMMITMENT_BYTES) };
}

function readOpening(bytes: Uint8Array, at: number): Result<VerdictOpening, string> {
  const kind = bytes[at + 8] ?? 255;
  if (!isOutcomeKind(kind)) return err(`vote extension: kind ${kind} at byte ${at + 8}, expected 0 to 3`);
  const root = at + 9;
  const trace = root + HASH_BYTES;
  const gas = trace + HASH_BYTES;
  return ok({
    job: readU64be(bytes, at),
    kind,
    outputRoot: bytes.slice(root, trace),
    traceRoot: bytes.slice(trace, gas),
    gasUsed: readU64be(bytes, gas),
    salt: bytes.slice(gas + 8, gas + 8 + SALT_BYTES),
  });
}

function ascending(items: readonly { readonly job: bigint }[]): boolean {
  return items.every((item, i) => i === 0 || (items[i - 1]?.job ?? 0n) < item.job);
}

/** Strict: exactly what {@link encodeExtension} writes, and nothing else. The error says what was expected. */
export function decodeExtension(bytes: Uint8Array): Result<PoiExtension, string> {
  if (bytes.length === 0) return ok({ commitments: [], openings: [] });
  const [version, n, m] = bytes;
  if (version === undefined || n === undefined || m === undefined)
    return err(`vote extension: ${bytes.length} bytes, expected none or at least ${HEAD_BYTES}`);
  if (version !== VERSION) return err(`vote extension: version ${version}, expected ${VERSION}`);
  if (n + m === 0) return err('vote extension: with nothing to say, expected no bytes');
  if (n > EXTENSION_LIMITS.commitments || m > EXTENSION_LIMITS.openings)
    return err(
      `vote extension: ${n} commitments and ${m} openings, ` +
        `expected at most ${EXTENSION_LIMITS.commitments} and ${EXTENSION_LIMITS.openings}`,
    );
  const expected = HEAD_BYTES + n * COMMITMENT_BYTES + m * OPENING_BYTES;
  if (bytes.length !== expected) return err(`vote extension: ${bytes.length} bytes, expected ${expected}`);
  const commitments: Commitment[] = [];
  for (let i = 0; i < n; i++) commitments.push(readCommitment(bytes, HEAD_BYTES + i * COMMITMENT_BYTES));
  const openings: VerdictOpening[] = [];
  for (let i = 0; i < m; i++) {
    const opening = readOpening(bytes, HEAD_BYTES + n * COMMITMENT_BYTES + i * OPENING_BYTES);
    if (!opening.ok) return opening;
    openings.push(opening.value);
  }
  if (!ascending(commitments) || !ascending(openings))
    return err('vote extension: jobs expected in strictly ascending order');
  return ok({ commitments, openings });
}
