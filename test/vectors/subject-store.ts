/**
 * The store's part of the conformance door: thin lines over the product's code. Keys, values, proofs and roots are bytes;
 * operations and specs have the JSON form of ICS-23's own vectors (protobuf names, numbers for enums, base64 for bytes).
 */
import { EMPTY, fromBase64, fromHex, toHex, utf8 } from '#core/bytes.ts';
import { decodeCommitmentProof, encodeCommitmentProof } from '#core/ics23/codec.ts';
import * as ops from '#core/ics23/ops.ts';
import { iavlSpec, smtSpec, tendermintSpec } from '#core/ics23/specs.ts';
import type { ExistenceProof, InnerOp, LeafOp, ProofSpec } from '#core/ics23/types.ts';
import * as verify from '#core/ics23/verify.ts';
import { MemoryKv } from '#core/ports/memory-kv.ts';
import type { Result } from '#core/result.ts';
import { STATE_LIMITS } from '#runtime/limits.ts';
import * as commitInfo from '#runtime/state/commit-info.ts';
import { GenerationCache } from '#runtime/state/generation-cache.ts';
import { TreeEditor } from '#runtime/state/iavl/editor.ts';
import { NodeStore } from '#runtime/state/iavl/node-store.ts';
import { proveKey } from '#runtime/state/iavl/proof.ts';
import { Tree } from '#runtime/state/iavl/tree.ts';

export { merkleRoot } from '#core/merkle.ts';

export interface LeafOpJson {
  readonly hash?: number;
  readonly prehash_key?: number;
  readonly prehash_value?: number;
  readonly length?: number;
  readonly prefix?: string;
}

export interface InnerOpJson {
  readonly hash?: number;
  readonly prefix?: string;
  readonly suffix?: string;
}

export interface ExistenceProofJson {
  readonly key?: string;
  readonly value?: string;
  readonly leaf?: LeafOpJson;
  readonly path?: readonly InnerOpJson[];
}

export interface ProofSpecJson {
  readonly leaf_spec?: LeafOpJson;
  readonly inner_spec?: {
    readonly child_order?: readonly number[];
    readonly child_size?: number;
    readonly min_prefix_length?: number;
    readonly max_prefix_length?: number;
    readonly empty_child?: string;
    readonly hash?: number;
  };
  readonly max_depth?: number;
  readonly min_depth?: number;
  readonly prehash_key_before_comparison?: boolean;
}

export type SpecName = 'iavl' | 'tendermint' | 'smt';

const SPECS: Readonly<Record<SpecName, ProofSpec>> = { iavl: iavlSpec, tendermint: tendermintSpec, smt: smtSpec };

function specOf(name: SpecName): ProofSpec {
  const spec = SPECS[name];
  if (spec === undefined) throw unsupported(`no spec is named ${name}`);
  return spec;
}

function unsupported(message: string): Error {
  return Object.assign(new Error(message), { code: 'unsupported' });
}

function unwrap<T>(result: Result<T, string>): T {
  if (result.ok) return result.value;
  throw result.error.startsWith('unsupported') ? unsupported(result.error) : new Error(result.error);
}

export function leafOpFromJson(json: LeafOpJson): LeafOp {
  return {
    hash: json.hash ?? 0,
    prehashKey: json.prehash_key ?? 0,
    prehashValue: json.prehash_value ?? 0,
    length: json.length ?? 0,
    prefix: fromBase64(json.prefix ?? '', 'prefix'),
  };
}

export function innerOpFromJson(json: InnerOpJson): InnerOp {
  return {
    hash: json.hash ?? 0,
    prefix: fromBase64(json.prefix ?? '', 'prefix'),
    suffix: fromBase64(json.suffix ?? '', 'suffix'),
  };
}

function existenceFromJson(json: ExistenceProofJson): ExistenceProof {
  return {
    key: fromBase64(json.key ?? '', 'key'),
    value: fromBase64(json.value ?? '', 'value'),
    leaf: json.leaf === undefined || json.leaf === null ? undefined : leafOpFromJson(json.leaf),
    path: (json.path ?? []).map(innerOpFromJson),
  };
}

export function specFromJson(json: ProofSpecJson): ProofSpec {
  const inner = json.inner_spec ?? {};
  return {
    leafSpec: leafOpFromJson(json.leaf_spec ?? {}),
    innerSpec: {
      childOrder: inner.child_order ?? [],
      childSize: inner.child_size ?? 0,
      minPrefixLength: inner.min_prefix_length ?? 0,
      maxPrefixLength: inner.max_prefix_length ?? 0,
      emptyChild: inner.empty_child === undefined ? EMPTY : fromBase64(inner.empty_child, 'empty_child'),
      hash: inner.hash ?? 0,
    },
    maxDepth: json.max_depth ?? 0,
    minDepth: json.min_depth ?? 0,
    prehashKeyBeforeComparison: json.prehash_key_before_comparison ?? false,
  };
}

export function verifyMembership(
  spec: SpecName,
  proof: Uint8Array,
  root: Uint8Array,
  key: Uint8Array,
  value: Uint8Array,
): boolean {
  const decoded = decodeCommitmentProof(proof);
  return decoded.ok && verify.verifyMembership(specOf(spec), decoded.value, root, key, value).ok;
}

export function verifyNonMembership(spec: SpecName, proof: Uint8Array, root: Uint8Array, key: Uint8Array): boolean {
  const decoded = decodeCommitmentProof(proof);
  return decoded.ok && verify.verifyNonMembership(specOf(spec), decoded.value, root, key).ok;
}

export function doHash(op: number, preimage: Uint8Array | string): Uint8Array {
  return unwrap(ops.doHash(op, typeof preimage === 'string' ? utf8(preimage) : preimage));
}

export function applyLeaf(op: LeafOpJson, key: Uint8Array, value: Uint8Array): Uint8Array {
  return unwrap(ops.applyLeaf(leafOpFromJson(op), key, value));
}

export function applyInner(op: InnerOpJson, child: Uint8Array): Uint8Array {
  return unwrap(ops.applyInner(innerOpFromJson(op), child));
}

export function existenceRoot(proof: ExistenceProofJson): Uint8Array {
  return unwrap(verify.existenceRoot(existenceFromJson(proof)));
}

/** True, or throws the sentence that says what does not fit. */
export function checkAgainstSpec(proof: ExistenceProofJson, spec: ProofSpecJson): boolean {
  return unwrap(verify.checkAgainstSpec(existenceFromJson(proof), specFromJson(spec)));
}

/** App hash over named stores, as hex. */
export function multistoreHash(roots: Readonly<Record<string, string>>): string {
  return toHex(commitInfo.multistoreHash(new Map(Object.entries(roots).map(([name, root]) => [name, fromHex(root)]))));
}

/** One IAVL tree in memory; operations apply in the order of the calls. `prove` is about the last saved version. */
export function createTree() {
  const kv = new MemoryKv();
  const nodes = new NodeStore(kv, 'tree', new GenerationCache(STATE_LIMITS.nodeCacheBytes));
  const tree = new Tree(nodes, undefined);
  let version = 0;
  let saved = new Tree(nodes, undefined);
  let editor = new TreeEditor(tree);
  return {
    set: (key: Uint8Array, value: Uint8Array) => editor.set(key, value),
    remove: (key: Uint8Array) => editor.remove(key),
    get: (key: Uint8Array) => editor.get(key),
    async saveVersion(): Promise<Uint8Array> {
      const { root, hash, puts } = editor.seal(++version);
      await kv.write(puts);
      saved = new Tree(nodes, root);
      editor = new TreeEditor(tree);
      return hash;
    },
    prove(key: Uint8Array): Uint8Array {
      if (saved.isEmpty) throw new Error('an empty tree has no ICS-23 proofs');
      return encodeCommitmentProof(proveKey(saved, key).proof);
    },
  };
}
